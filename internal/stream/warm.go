package stream

// warm is the cache as a source.
type warm struct {
	s     *Stream
	h     *held
	ahead int64 // up to which position the rows were asked for from the disk
}

func (w *warm) at(from, next int64) (cells, []uint64, error) {
	s := w.s
	if int64(cap(s.scratch)) < next-from {
		s.scratch = make([]uint64, next-from)
	}
	rows := s.scratch[:next-from]
	if from >= w.ahead {
		if err := w.fetch(from); err != nil {
			return nil, nil, err
		}
	}
	s.order.Fill(rows, from)
	if w.h.part != nil {
		if err := w.h.part.Map(rows); err != nil {
			return nil, nil, err
		}
	}
	return w.h.table, rows, w.h.table.Prepare(rows)
}

// fetch asks the operating system for the blocks that the window at a position mixes,
// so that a table which is larger than the memory is read in pieces of some length.
func (w *warm) fetch(from int64) error {
	spans, end := w.s.order.Ahead(from)
	for _, span := range spans {
		ends := []uint64{span.First, span.First + span.Rows - 1}
		if w.h.part != nil {
			if err := w.h.part.Map(ends); err != nil {
				return err
			}
		}
		w.h.table.Fetch(ends[0], ends[1]+1)
	}
	w.ahead = end
	return nil
}

func (w *warm) guard(f func() error) error { return w.h.heed(w.h.table.Guard(f)) }

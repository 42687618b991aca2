package cache

import "sync/atomic"

// Rows of tables in use are copied into memory of large pages, as long as there is room
// for all of them: looking anywhere in them then costs the processor no walk through its
// tables of small pages, which is a third of what a random row costs. Tables for which
// there is no room are read where they are mapped.

// hotRoom is the memory for such copies. It is guarded by Store.mu.
type hotRoom struct {
	max, used int64
}

// heatLocked has a table copied, if there is room or can be made.
func (s *Store) heatLocked(t *Table) {
	size := int64(len(t.rows.data))
	if size == 0 || t.copied != nil || size > s.hot.max {
		return
	}
	for _, it := range s.items {
		if s.hot.used+size <= s.hot.max {
			break
		}
		if it.refs > 0 {
			continue // and its value is not to be looked at: it may be about to be opened
		}
		if other, ok := it.value.(*Table); ok && other.copied != nil && other.copied.finished() {
			s.coolLocked(other)
		}
	}
	if s.hot.used+size > s.hot.max {
		return
	}
	s.hot.used += size
	t.copied = &hotCopy{done: make(chan struct{})}
	go t.copied.make(t)
}

// coolLocked gives the copy of a table back that nobody looks at.
func (s *Store) coolLocked(t *Table) {
	if t.copied == nil {
		return
	}
	t.copied.stop.Store(true)
	<-t.copied.done
	t.records.Store(&t.rows.data)
	if t.copied.memory != nil {
		unmapMemory(t.copied.memory)
	}
	s.hot.used -= int64(len(t.rows.data))
	t.copied = nil
}

// hotCopy is a copy of a table's records.
type hotCopy struct {
	memory []byte
	done   chan struct{}
	stop   atomic.Bool
}

func (h *hotCopy) finished() bool {
	select {
	case <-h.done:
		return true
	default:
		return false
	}
}

// make copies the records, block by block as they are checked, and has them used. What
// does not work leaves the table as it is.
func (h *hotCopy) make(t *Table) {
	defer close(h.done)
	from := t.rows
	memory, err := mapMemory(len(from.data))
	if err != nil {
		return
	}
	h.memory = memory
	err = guard(func() error {
		for at := int64(0); at < int64(len(from.data)) && !h.stop.Load(); at += from.block {
			end := min(at+from.block, int64(len(from.data)))
			if err := from.Check(at, end); err != nil {
				return err
			}
			copy(memory[at:end], from.data[at:end])
		}
		return nil
	})
	if err == nil && !h.stop.Load() {
		t.records.Store(&memory)
	}
}

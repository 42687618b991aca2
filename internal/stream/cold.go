package stream

import (
	"context"
	"io"

	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/format/expr"
)

// sendCold sends a stream in stored order from the stored files, and from the cache
// once that is there.
func (s *Stream) sendCold(ctx context.Context, sink Sink) error {
	h := &held{}
	defer h.release()
	if err := s.holdPart(ctx, h); err != nil {
		return err
	}
	s.streams.Cache.Begin(s.tableID(), s.tableMaker())
	src := s.cold(ctx, h)
	defer src.close()
	enc := newColumns(s, nil)
	if err := s.begin(sink, enc); err != nil {
		return err
	}
	return s.rest(ctx, src, enc, sink, 0)
}

// cold is the stored files as a source.
type cold struct {
	ctx   context.Context
	s     *Stream
	h     *held
	cols  []int // the columns that are read, by their number in the table
	names []string
	in    *Reader       // nil before the first row
	batch *format.Batch // of in; nil before the first
	out   []format.Vector
	rows  []uint64
	local []uint64
}

// cold reads the columns that are sent or that the filter looks at.
func (s *Stream) cold(ctx context.Context, h *held) *cold {
	c := &cold{ctx: ctx, s: s, h: h, out: make([]format.Vector, len(s.all))}
	sent := map[string]bool{}
	for _, col := range s.plan.Columns {
		sent[col.Name] = true
	}
	for i, col := range s.all {
		if sent[col.Name] || s.filter != nil && s.filter.Uses(col.Name) {
			c.cols, c.names = append(c.cols, i), append(c.names, col.Name)
		}
	}
	return c
}

func (c *cold) close() {
	if c.in != nil {
		_ = c.in.Close()
	}
}

func (c *cold) guard(f func() error) error { return f() }

// at reads on until the last of the rows and keeps those wanted.
func (c *cold) at(from, next int64) (cells, []uint64, error) {
	if c.s.cached() {
		return nil, nil, errWarm
	}
	n := int(next - from)
	if cap(c.rows) < n {
		c.rows, c.local = make([]uint64, n), make([]uint64, n)
	}
	rows, local := c.rows[:n], c.local[:n]
	for i := range rows {
		rows[i], local[i] = uint64(from)+uint64(i), uint64(i)
	}
	if c.h.part != nil {
		if err := c.h.heed(c.h.part.Map(rows)); err != nil {
			return nil, nil, err
		}
	}
	for _, i := range c.cols {
		c.out[i] = format.Vector{Kind: format.KindOf(c.s.all[i].Type), Nulls: format.NewBitmap(n)}
	}
	return vectors{expr.Vectors(c.out)}, local, c.gather(rows)
}

// farAhead is how many rows away it is worth to open the files anew.
const farAhead = 1 << 17

// gather appends the cells of ascending rows.
func (c *cold) gather(rows []uint64) error {
	done := 0
	for done < len(rows) {
		if err := c.reach(int64(rows[done])); err != nil {
			return err
		}
		end := done
		for end < len(rows) && int64(rows[end]) < c.batch.First+int64(c.batch.Rows) {
			end++
		}
		text := int64(0)
		for k, i := range c.cols {
			if k < len(c.batch.Cols) {
				take(&c.out[i], &c.batch.Cols[k], rows[done:end], c.batch.First, done)
			}
			if text += int64(len(c.out[i].Buf)); text > maxText {
				return tooMuchText(c.names[k], len(rows))
			}
		}
		done = end
	}
	return nil
}

// reach reads on until the batch that has a row.
func (c *cold) reach(row int64) error {
	for c.batch == nil || row >= c.batch.First+int64(c.batch.Rows) {
		if c.in == nil || c.batch != nil && row-c.batch.First > farAhead {
			c.close()
			in, err := OpenAt(c.ctx, c.s.streams.Blobs, c.s.target.Manifest, c.s.target.Layout, c.s.table.Name, c.names, row)
			if err != nil {
				return err
			}
			c.in, c.batch = in, nil
		}
		b, err := c.in.Next()
		if err == io.EOF {
			return broken(c.s.table.Name, "ends before its last row")
		}
		if err != nil {
			return err
		}
		c.batch = b
	}
	return nil
}

// take appends the cells of rows of v, whose first is row first, behind n that are
// there.
func take(out, v *format.Vector, rows []uint64, first int64, n int) {
	for i, r := range rows {
		k := int(int64(r) - first)
		if v.Null(k) {
			out.Nulls.Set(n + i)
		}
		switch v.Kind {
		case format.Text:
			start := uint32(len(out.Buf))
			if !v.Null(k) {
				out.Buf = append(out.Buf, v.Bytes(k)...)
			}
			out.Spans = append(out.Spans, format.Span{Start: start, End: uint32(len(out.Buf))})
		case format.Float:
			out.Floats = append(out.Floats, v.Floats[k])
		default:
			out.Ints = append(out.Ints, v.Ints[k])
		}
	}
}

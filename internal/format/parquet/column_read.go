package parquet

import (
	"errors"
	"fmt"
	"io"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// columnReader reads one column chunk as vectors of as many rows as asked for.
type columnReader struct {
	pages
	first int64 // index of the row group's first row
	rows  int64 // rows the row group has
	done  int64 // rows given out
	left  int   // values left in the page, with nulls
	reps  hybrid
	defs  hybrid
	vals  values
	notes *notes

	text    int            // bytes of text of the batch before
	stride  int            // rows of text taken at a time
	defined []uint64       // definition levels of the rows being read
	pending *format.Vector // rows read
	taken   int            // of pending
}

// peek returns up to n rows, fewer where texts are long and at the end. They
// are given again until [columnReader.advance] says how many were taken.
func (c *columnReader) peek(n int) (*format.Vector, error) {
	if c.pending == nil {
		v, err := c.decode(n)
		if err != nil {
			return nil, err
		}
		c.pending, c.taken = v, 0
	}
	to := min(c.taken+n, c.pending.Len())
	if c.taken == 0 && to == c.pending.Len() {
		return c.pending, nil
	}
	return slice(c.pending, c.taken, to), nil
}

func (c *columnReader) advance(n int) {
	if c.taken += n; c.taken == c.pending.Len() {
		c.pending = nil
	}
}

func (c *columnReader) decode(n int) (*format.Vector, error) {
	n = int(min(int64(n), c.rows-c.done))
	v := c.vector(n)
	if err := c.fill(v, n); err != nil {
		return nil, c.wrap(err)
	}
	c.text = len(v.Buf)
	rows := v.Len()
	c.notes.rounded.base, c.notes.notText.base = c.first+c.done, c.first+c.done
	if err := c.finish(v); err != nil {
		return nil, c.wrap(err)
	}
	c.done += int64(rows)
	if c.done == c.rows {
		return v, c.end()
	}
	return v, nil
}

// vector returns one with room for n stored values.
func (c *columnReader) vector(n int) *format.Vector {
	v := &format.Vector{Kind: physicalKind(c.leaf.element.typ)}
	switch v.Kind {
	case format.Text:
		v.Spans = make([]format.Span, 0, n)
		v.Buf = make([]byte, 0, c.text+c.text/16)
	case format.Float:
		v.Floats = make([]float64, 0, n)
	default:
		v.Ints = make([]int64, 0, n)
	}
	return v
}

// textLimit is about how much text of one column a batch holds.
const textLimit = 8 << 20

// fill appends n rows to v, fewer when it holds much text by then. Text is
// taken in strides, which grow from one row while texts are short.
func (c *columnReader) fill(v *format.Vector, n int) error {
	for got := 0; got < n && len(v.Buf) < textLimit; {
		want := n - got
		if v.Kind == format.Text {
			c.stride = max(1, min(4*c.stride, maxStride, textLimit/16*(got+1)/(len(v.Buf)+1)))
			want = min(want, c.stride)
		}
		k, err := c.part(v, got, want)
		if err != nil {
			return err
		}
		got += k
	}
	return nil
}

const maxStride = 1024

// part appends up to n rows of the open page to v, which holds got.
func (c *columnReader) part(v *format.Vector, got, n int) (int, error) {
	for c.left == 0 {
		if err := c.open(); err != nil {
			return 0, err
		}
	}
	n = min(n, c.left)
	present, err := c.presence(n)
	if err != nil {
		return 0, err
	}
	return n, c.take(v, got, n, present)
}

// open goes on to the next data page.
func (c *columnReader) open() error {
	err := c.pages.next()
	if err == io.EOF {
		return damaged("holds %d values, its row group %d rows", c.counted, c.rows)
	}
	if err != nil {
		return err
	}
	if c.counted > c.rows {
		return damaged("holds more values than its row group's %d rows", c.rows)
	}
	if c.reps, c.defs, err = c.splitLevels(); err != nil {
		return err
	}
	c.vals, err = c.decoder()
	c.left = int(c.header.values)
	return err
}

// presence decodes n definition levels into c.defined and counts the values
// that are there. Without levels all are, and c.defined is empty.
func (c *columnReader) presence(n int) (int, error) {
	if c.leaf.maxDef == 0 {
		c.defined = c.defined[:0]
		return n, nil
	}
	if c.defs.skipRun(uint64(c.leaf.maxDef), n) {
		return n, nil
	}
	c.defined = grow(c.defined[:0], n)
	if err := c.defs.read(c.defined); err != nil {
		return 0, err
	}
	present := 0
	for _, l := range c.defined {
		if l > uint64(c.leaf.maxDef) {
			return 0, damaged("has a definition level of %d where %d is the highest", l, c.leaf.maxDef)
		}
		if l == uint64(c.leaf.maxDef) {
			present++
		}
	}
	return present, nil
}

// take appends n rows, of which present have a value, to v.
func (c *columnReader) take(v *format.Vector, got, n, present int) error {
	c.left -= n
	if present > 0 {
		if err := c.vals.next(v, present); err != nil {
			return err
		}
	}
	if present < n || v.Nulls != nil {
		c.spread(v, got, n, present)
	}
	return nil
}

// spread moves the last present values of v to the rows they belong to and
// marks the others as null.
func (c *columnReader) spread(v *format.Vector, got, n, present int) {
	for len(v.Nulls)*64 < got+n {
		v.Nulls = append(v.Nulls, 0)
	}
	if present == n {
		return
	}
	missing := n - present
	switch v.Kind {
	case format.Text:
		v.Spans = grow(v.Spans, missing)
		spreadCells(v.Spans, v.Nulls, c.defined, got, present, uint64(c.leaf.maxDef))
	case format.Float:
		v.Floats = grow(v.Floats, missing)
		spreadCells(v.Floats, v.Nulls, c.defined, got, present, uint64(c.leaf.maxDef))
	default:
		v.Ints = grow(v.Ints, missing)
		spreadCells(v.Ints, v.Nulls, c.defined, got, present, uint64(c.leaf.maxDef))
	}
}

func spreadCells[T any](cells []T, nulls format.Bitmap, levels []uint64, got, present int, there uint64) {
	var none T
	from := got + present - 1
	for i := len(levels) - 1; i >= 0; i-- {
		if levels[i] == there {
			cells[got+i] = cells[from]
			from--
		} else {
			cells[got+i] = none
			nulls.Set(got + i)
		}
	}
}

// finish turns stored values into what they stand for.
func (c *columnReader) finish(v *format.Vector) error {
	if c.leaf.convert != nil {
		if err := c.leaf.convert(v, c.notes); err != nil {
			return err
		}
	}
	v.Kind = c.leaf.kind
	return nil
}

// end makes sure that nothing is left behind the last row.
func (c *columnReader) end() error {
	defer c.release()
	if c.left > 0 {
		return c.wrap(damaged("holds more values than its row group's %d rows", c.rows))
	}
	switch err := c.pages.next(); {
	case err == io.EOF:
		return nil
	case err != nil:
		return c.wrap(err)
	case c.header.values > 0:
		return c.wrap(damaged("holds more values than its row group's %d rows", c.rows))
	}
	return c.end()
}

// slice copies rows [from, to) of v, but not its text.
func slice(v *format.Vector, from, to int) *format.Vector {
	out := &format.Vector{Kind: v.Kind, Buf: v.Buf}
	switch v.Kind {
	case format.Text:
		out.Spans = v.Spans[from:to:to]
	case format.Float:
		out.Floats = v.Floats[from:to:to]
	default:
		out.Ints = v.Ints[from:to:to]
	}
	if v.Nulls == nil {
		return out
	}
	out.Nulls = format.NewBitmap(to - from)
	for i := from; i < to; i++ {
		if v.Nulls.Get(i) {
			out.Nulls.Set(i - from)
		}
	}
	return out
}

// wrap names the column and the place in the file.
func (c *columnReader) wrap(err error) error { return blame(err, c.leaf, c.pos) }

func blame(err error, l *leaf, pos int64) error {
	var e *genesis.Error
	if !errors.As(err, &e) {
		return err
	}
	return &genesis.Error{Op: e.Op, Kind: e.Kind, Subject: e.Subject, Err: e.Err,
		Msg: fmt.Sprintf("column %q: the page that ends at byte %d %s", l.name, pos, e.Msg)}
}

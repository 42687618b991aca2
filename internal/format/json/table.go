package json

import (
	"fmt"
	"math"
	"strconv"

	"github.com/opengenesis/genesis/internal/format"
)

// table collects the rows of one table until they are a batch.
type table struct {
	name        string
	base        *node  // whose values are the rows
	parent      *table // whose rows these hang on
	hasChildren bool
	keyed       bool  // rows are the members of an object
	planned     int64 // rows, as far as the plan saw
	index       int
	limits      format.Limits

	cols     []column
	leads    int // leading columns that are not members of the source
	buf      []byte
	rows     int // complete ones in the batch
	rowStart int // in buf
	cells    int
	first    int64 // rows in earlier batches
	lines    []int64
	bad      []format.BadRow
	dups     int64
}

type column struct {
	name, unit string
	spans      []format.Span
	nulls      format.Bitmap
	anyNull    bool
}

// Names of the columns that tie tables together.
const (
	rowColumn    = "_row"    // the number of a row, from 1, where other tables refer to it
	parentColumn = "_parent" // the _row of the table one level up
	indexColumn  = "_index"  // the place within the parent, from 1
	keyColumn    = "key"     // the key of a member of an object
)

// column returns the place of n's column, making it if need be.
func (t *table) column(n *node) int {
	if n.col < 0 {
		n.col = len(t.cols) - t.leads
		t.cols = append(t.cols, column{name: t.columnName(n)})
	}
	return n.col + t.leads
}

func (t *table) columnName(n *node) string {
	name := n.name(t.base)
	switch {
	case name == "":
		return "value"
	case t.base.role != vector:
		return name
	case t.parent == nil && !t.keyed:
		return "" // rows of cells, without a header
	}
	return "value." + name
}

// lead puts the leading columns in front.
func (t *table) lead() {
	var names []string
	if t.parent != nil {
		names = append(names, parentColumn, indexColumn)
	}
	if t.hasChildren {
		names = append(names, rowColumn)
	}
	if t.keyed {
		names = append(names, keyColumn)
	}
	cols := make([]column, len(names), len(names)+len(t.cols))
	for i, name := range names {
		cols[i].name = name
	}
	t.leads, t.cols = len(names), append(cols, t.cols...)
}

func (t *table) checkWidth() error {
	if len(t.cols) <= t.limits.Columns {
		return nil
	}
	return unsupported(fmt.Sprintf("table %q has more than %d columns", t.name, t.limits.Columns),
		"raise the limit of columns")
}

// begin starts a row. parent is the number of the row it hangs on, index its
// place there, key its key; what does not apply is ignored.
func (t *table) begin(parent int64, index int, key []byte) error {
	t.rowStart = len(t.buf)
	at := 0
	put := func(b []byte) error {
		at++
		return t.set(at-1, t.rows, b)
	}
	var digits [20]byte
	var err error
	if t.parent != nil {
		err = put(strconv.AppendInt(digits[:0], parent, 10))
		if err == nil {
			err = put(strconv.AppendInt(digits[:0], int64(index), 10))
		}
	}
	if t.hasChildren && err == nil {
		err = put(strconv.AppendInt(digits[:0], t.number(), 10))
	}
	if t.keyed && key != nil && err == nil {
		err = put(key)
	}
	return err
}

// line is where the row being filled stands in the source.
func (t *table) line() int64 {
	if n := len(t.lines); n > 0 {
		return t.lines[n-1]
	}
	return t.number()
}

// number returns the number of the row being filled, from 1.
func (t *table) number() int64 { return t.first + int64(t.rows) + 1 }

// numberLines starts recording where rows stand, because they will no longer
// be numbered without gaps.
func (t *table) numberLines() {
	t.lines = make([]int64, 0, t.rows+1)
	for i := range t.rows {
		t.lines = append(t.lines, t.first+int64(i)+1)
	}
}

func (t *table) end() { t.rows++ }

// set puts b into a cell of column i. Setting a cell again is a duplicate key:
// the last one wins, as in most readers, and is counted.
func (t *table) set(i, row int, b []byte) error {
	if len(t.buf)-t.rowStart+len(b) > t.limits.RowBytes || len(t.buf)+len(b) > math.MaxInt32 {
		return invalid(fmt.Sprintf("row %d of table %q is longer than the limit of %d bytes a row",
			t.number(), t.name, t.limits.RowBytes), "raise the row limit")
	}
	start := uint32(len(t.buf))
	t.buf = append(t.buf, b...)
	t.span(i, row, format.Span{Start: start, End: uint32(len(t.buf))})
	return nil
}

func (t *table) span(i, row int, s format.Span) {
	c := &t.cols[i]
	if len(c.spans) > row {
		t.dups++
		c.spans[row] = s
		if c.anyNull && row>>6 < len(c.nulls) {
			c.nulls[row>>6] &^= 1 << (row & 63)
		}
		return
	}
	c.pad(row)
	c.spans = append(c.spans, s)
	t.cells++
}

// setNull says that a cell has no value.
func (t *table) setNull(i, row int) {
	c := &t.cols[i]
	if len(c.spans) > row {
		t.dups++
		c.spans[row] = format.Span{}
		c.null(row)
		return
	}
	c.pad(row + 1)
}

// pad makes the cells up to row null that nothing was put into.
func (c *column) pad(row int) {
	for len(c.spans) < row {
		c.null(len(c.spans))
		c.spans = append(c.spans, format.Span{})
	}
}

func (c *column) null(row int) {
	c.anyNull = true
	for len(c.nulls) <= row>>6 {
		c.nulls = append(c.nulls, 0)
	}
	c.nulls.Set(row)
}

// Bounds of a batch besides its text.
const (
	mostRows  = 64 << 10
	mostCells = 1 << 19
)

// full reports whether the rows are enough for a batch.
func (t *table) full() bool {
	return len(t.buf) >= t.limits.Batch || t.rows >= mostRows || t.cells >= mostCells ||
		t.rows > 0 && t.rows*len(t.cols) >= 4*mostCells || len(t.bad) >= mostRows/16
}

// take returns the collected rows as batches and starts anew.
func (t *table) take() []*format.Batch {
	if t.rows == 0 && len(t.bad) == 0 {
		return nil
	}
	whole := &format.Batch{Table: t.index, Rows: t.rows, First: t.first, Lines: t.lines, Bad: t.bad}
	whole.Cols = make([]format.Vector, len(t.cols))
	for i := range t.cols {
		c := &t.cols[i]
		c.pad(t.rows)
		v := format.Vector{Kind: format.Text, Buf: t.buf, Spans: c.spans}
		if c.anyNull {
			v.Nulls = c.wholeNulls(t.rows)
		}
		whole.Cols[i] = v
		*c = column{name: c.name, unit: c.unit, spans: make([]format.Span, 0, len(c.spans))}
	}
	pieces := split(whole, t.limits.Batch)
	t.first += int64(t.rows)
	t.buf = make([]byte, 0, min(len(t.buf)+len(t.buf)/8, 4*t.limits.Batch))
	t.rows, t.cells, t.rowStart, t.bad = 0, 0, 0, nil
	if t.lines != nil {
		t.lines = make([]int64, 0, len(t.lines))
	}
	return pieces
}

func (c *column) wholeNulls(rows int) format.Bitmap {
	for len(c.nulls) < (rows+63)/64 {
		c.nulls = append(c.nulls, 0)
	}
	return c.nulls
}

// split cuts a batch that parallel arrays made too long; the pieces share the
// text.
func split(b *format.Batch, size int) []*format.Batch {
	var text int
	for _, v := range b.Cols {
		text = max(text, len(v.Buf))
	}
	if text < 4*size && b.Rows <= 2*mostRows {
		return []*format.Batch{b}
	}
	step := max(64, min(mostRows, int(int64(b.Rows)*int64(size)/int64(max(text, 1))))&^63)
	var out []*format.Batch
	for from := 0; from < b.Rows; from += step {
		out = append(out, piece(b, from, min(from+step, b.Rows)))
	}
	return out
}

// piece returns rows from … to of b; from is a multiple of 64.
func piece(b *format.Batch, from, to int) *format.Batch {
	p := &format.Batch{Table: b.Table, Rows: to - from, First: b.First + int64(from)}
	if b.Lines != nil {
		p.Lines = b.Lines[from:to]
	}
	if from == 0 {
		p.Bad = b.Bad
	}
	for _, v := range b.Cols {
		v.Spans = v.Spans[from:to]
		if v.Nulls != nil {
			v.Nulls = v.Nulls[from>>6 : (to+63)>>6]
		}
		p.Cols = append(p.Cols, v)
	}
	return p
}

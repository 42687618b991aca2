package xlsx

import "github.com/opengenesis/genesis/internal/format"

// tableBuilder collects rows of one block until they are a batch.
type tableBuilder struct {
	table int
	width int
	limit int // bytes of text in a batch
	buf   []byte
	spans [][]format.Span
	nulls []format.Bitmap // nil for a column without nulls
	lines []int64
	first int64
	row   int // rows in this batch
}

// Bounds of a batch besides its text.
const (
	batchRows  = 64 << 10
	batchCells = 1 << 19
)

func newBuilder(table, width, limit int) *tableBuilder {
	b := &tableBuilder{table: table, width: width, limit: limit}
	b.reset()
	return b
}

func (b *tableBuilder) reset() {
	b.first += int64(b.row)
	b.buf = make([]byte, 0, min(b.limit+b.limit/8, max(4<<10, len(b.buf)+len(b.buf)/8)))
	spans := make([][]format.Span, b.width)
	for i := range spans {
		spans[i] = make([]format.Span, 0, b.row)
	}
	b.spans, b.nulls, b.row = spans, make([]format.Bitmap, b.width), 0
	b.lines = make([]int64, 0, len(b.lines))
}

// add appends the cells of r in columns col0 …; those of other blocks are
// skipped. A row without any is no row of this block.
func (b *tableBuilder) add(r *row, col0 int) {
	some := false
	for _, c := range r.cells {
		i := c.col - col0
		if i < 0 || i >= b.width {
			continue
		}
		some = true
		b.pad(i)
		start := uint32(len(b.buf))
		b.buf = append(b.buf, r.text(c)...)
		b.spans[i] = append(b.spans[i], format.Span{Start: start, End: uint32(len(b.buf))})
	}
	if some {
		b.lines = append(b.lines, int64(r.number))
		b.row++
	}
}

// pad makes the cells of column i above the present row null that are not set.
func (b *tableBuilder) pad(i int) {
	for row := len(b.spans[i]); row < b.row; row++ {
		for len(b.nulls[i]) <= row>>6 {
			b.nulls[i] = append(b.nulls[i], 0)
		}
		b.nulls[i].Set(row)
		b.spans[i] = append(b.spans[i], format.Span{})
	}
}

func (b *tableBuilder) full() bool {
	return len(b.buf) >= b.limit || b.row >= batchRows || b.row*b.width >= batchCells
}

// take returns the rows as a batch and starts anew.
func (b *tableBuilder) take() *format.Batch {
	out := &format.Batch{Table: b.table, Rows: b.row, First: b.first, Lines: b.lines, Cols: make([]format.Vector, b.width)}
	for i := range out.Cols {
		b.pad(i)
		v := format.Vector{Kind: format.Text, Buf: b.buf, Spans: b.spans[i]}
		if b.nulls[i] != nil {
			for len(b.nulls[i]) < (b.row+63)/64 {
				b.nulls[i] = append(b.nulls[i], 0)
			}
			v.Nulls = b.nulls[i]
		}
		out.Cols[i] = v
	}
	b.reset()
	return out
}

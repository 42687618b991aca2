package parquet

import (
	"fmt"
	"math"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// columnBuffer holds a column's values of the open row group: those that are
// there one after another, and which rows have none.
type columnBuffer struct {
	kind    format.Kind
	rows    int
	missing int
	nulls   format.Bitmap // nil while missing is 0
	ints    []int64       // Int, Bool, Timestamp, Date
	floats  []float64
	text    []byte
	ends    []int // of each text within text
}

// bytes is what the buffered values take.
func (c *columnBuffer) bytes() int {
	return 8*(len(c.ints)+len(c.floats)+len(c.ends)) + len(c.text)
}

func (c *columnBuffer) reset() {
	c.rows, c.missing = 0, 0
	c.nulls, c.ints, c.floats = c.nulls[:0], c.ints[:0], c.floats[:0]
	c.text, c.ends = c.text[:0], c.ends[:0]
}

// append takes over rows [from, to) of v; a nil v has no values.
func (c *columnBuffer) append(v *format.Vector, from, to int) error {
	switch {
	case v == nil:
		for range to - from {
			c.setNull()
			c.rows++
		}
		return nil
	case v.Kind != c.kind:
		return fmt.Errorf("a vector of kind %d cannot be stored in a column of kind %d", v.Kind, c.kind)
	case v.Nulls != nil:
		return c.appendNullable(v, from, to)
	}
	c.rows += to - from
	return c.appendValues(v, from, to)
}

func (c *columnBuffer) appendValues(v *format.Vector, from, to int) error {
	switch c.kind {
	case format.Float:
		c.floats = append(c.floats, v.Floats[from:to]...)
	case format.Text:
		for _, s := range v.Spans[from:to] {
			c.text = append(c.text, v.Buf[s.Start:s.End]...)
			c.ends = append(c.ends, len(c.text))
		}
	default:
		c.ints = append(c.ints, v.Ints[from:to]...)
		return c.checkInts(v.Ints[from:to])
	}
	return nil
}

// checkInts refuses what the column's narrower storage cannot hold.
func (c *columnBuffer) checkInts(values []int64) error {
	low, high := int64(math.MinInt32), int64(math.MaxInt32)
	switch c.kind {
	case format.Bool:
		low, high = 0, 1
	case format.Date:
	default:
		return nil
	}
	for _, n := range values {
		if n < low || n > high {
			return &genesis.Error{Op: "write parquet", Kind: genesis.Invalid,
				Msg: fmt.Sprintf("%d is outside the column's range %d to %d", n, low, high)}
		}
	}
	return nil
}

func (c *columnBuffer) appendNullable(v *format.Vector, from, to int) error {
	for i := from; i < to; {
		if v.Nulls.Get(i) {
			c.setNull()
			c.rows++
			i++
			continue
		}
		end := i + 1
		for end < to && !v.Nulls.Get(end) {
			end++
		}
		if err := c.appendValues(v, i, end); err != nil {
			return err
		}
		c.rows += end - i
		i = end
	}
	return nil
}

func (c *columnBuffer) setNull() {
	for c.rows>>6 >= len(c.nulls) {
		c.nulls = append(c.nulls, 0)
	}
	c.nulls.Set(c.rows)
	c.missing++
}

// finish makes the null bitmap cover all rows.
func (c *columnBuffer) finish() {
	for c.missing > 0 && len(c.nulls)*64 < c.rows {
		c.nulls = append(c.nulls, 0)
	}
}

// present counts the values among rows [from, to).
func (c *columnBuffer) present(from, to int) int {
	if c.missing == 0 {
		return to - from
	}
	n := 0
	for i := from; i < to; i++ {
		if !c.nulls.Get(i) {
			n++
		}
	}
	return n
}

package stream

import (
	"encoding/binary"
	"math"

	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/format/expr"
)

// cells are where the values of a batch come from: a table of the cache, or vectors.
// Columns go by their number in the table, rows by what fits the source.
type cells interface {
	expr.Cells
	// Nulls clears the bits of rows without value and counts them.
	Nulls(col int, rows []uint64, valid []byte) int
	Wide(col int, rows []uint64, out []byte)   // 8 bytes each
	Narrow(col int, rows []uint64, out []byte) // 4 bytes each: days, codes
	Flags(col int, rows []uint64, out []byte)  // sets bits
	TextSize(col int, rows []uint64) (int64, error)
	AppendText(out []byte, col int, row uint64) []byte
}

// vectors are cells in memory.
type vectors struct{ expr.Vectors }

func (v vectors) Nulls(col int, rows []uint64, valid []byte) int {
	n := 0
	for i, r := range rows {
		if v.Null(col, r) {
			valid[i>>3] &^= 1 << (i & 7)
			n++
		}
	}
	return n
}

func (v vectors) Wide(col int, rows []uint64, out []byte) {
	vec := &v.Vectors[col]
	for i, r := range rows {
		x := uint64(0)
		if vec.Kind == format.Float {
			x = math.Float64bits(vec.Floats[r])
		} else {
			x = uint64(vec.Ints[r])
		}
		binary.LittleEndian.PutUint64(out[8*i:], x)
	}
}

func (v vectors) Narrow(col int, rows []uint64, out []byte) {
	for i, r := range rows {
		binary.LittleEndian.PutUint32(out[4*i:], uint32(int32(v.Vectors[col].Ints[r])))
	}
}

func (v vectors) Flags(col int, rows []uint64, out []byte) {
	for i, r := range rows {
		out[i>>3] |= byte(v.Vectors[col].Ints[r]&1) << (i & 7)
	}
}

func (v vectors) TextSize(col int, rows []uint64) (int64, error) {
	total := int64(0)
	for _, r := range rows {
		if !v.Null(col, r) {
			total += int64(len(v.Text(col, r)))
		}
	}
	return total, nil
}

func (v vectors) AppendText(out []byte, col int, row uint64) []byte {
	if v.Null(col, row) {
		return out
	}
	return append(out, v.Text(col, row)...)
}

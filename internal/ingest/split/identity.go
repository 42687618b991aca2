package split

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/opengenesis/genesis/internal/format"
	"github.com/zeebo/xxh3"
)

// Identity is what a row, or the value of a group, is known by.
type Identity [16]byte

func identityOf(b []byte) Identity { return xxh3.Hash128(b).Bytes() }

// u returns the identity's number under a seed: 0 ≤ u < 1, in steps of 2⁻⁵³.
func (id Identity) u(seed uint64) float64 {
	return float64(id.hash(seed)>>11) / (1 << 53)
}

func (id Identity) hash(seed uint64) uint64 { return xxh3.HashSeed(id[:], seed) }

// short returns 64 bits of the identity.
func (id Identity) short() uint64 { return binary.BigEndian.Uint64(id[:]) }

// hasher makes the identity of a row from its cells: XXH3-128, seed 0, over a
// byte 1, the length as 8 bytes little-endian and the bytes of each, or a byte 0
// for a cell without a value. The zero hasher is ready.
type hasher struct{ buf []byte }

func (h *hasher) cell(b []byte) {
	h.buf = append(h.buf, 1)
	h.buf = binary.LittleEndian.AppendUint64(h.buf, uint64(len(b)))
	h.buf = append(h.buf, b...)
}

func (h *hasher) missing() { h.buf = append(h.buf, 0) }

// sum returns the identity of the row and begins the next.
func (h *hasher) sum() Identity {
	id := identityOf(h.buf)
	h.buf = h.buf[:0]
	return id
}

// The classes of values that can be equal.
const (
	classNumber = 'n'
	classText   = 't'
	classTime   = 'm'
	classDate   = 'd'
	classTruth  = 'b'
)

// KeyOf returns the identity of one value, and false when it is missing. The
// identity is XXH3-128 over a byte for the class of value (t text, n integer or
// float, m timestamp, d date, b boolean) and the value: text as it is, floats
// as the 8 bytes of their IEEE 754 form (−0 as 0), others as 8 bytes of two's
// complement, little-endian. An integer held as a float has the identity of the
// integer.
func KeyOf(v *format.Vector, i int) (Identity, bool) {
	if v.Null(i) {
		return Identity{}, false
	}
	var b [9]byte
	switch v.Kind {
	case format.Text:
		return identityOf(append([]byte{classText}, v.Bytes(i)...)), true
	case format.Float:
		b[0] = classNumber
		binary.LittleEndian.PutUint64(b[1:], floatKey(v.Floats[i]))
	default:
		b[0] = classOf(v.Kind)
		binary.LittleEndian.PutUint64(b[1:], uint64(v.Ints[i]))
	}
	return identityOf(b[:]), true
}

func floatKey(x float64) uint64 {
	if x == math.Trunc(x) && math.Abs(x) < 1<<53 {
		return uint64(int64(x))
	}
	return math.Float64bits(x)
}

func classOf(k format.Kind) byte {
	switch k {
	case format.Timestamp:
		return classTime
	case format.Date:
		return classDate
	case format.Bool:
		return classTruth
	case format.Text:
		return classText
	}
	return classNumber
}

// HashRows appends to dst the identity of each row's typed values in the given
// columns of b: what an imported row is matched by. Numbers, integer or float,
// are written with twelve significant digits, so that files which were rounded
// or rewritten on the way still match.
func HashRows(dst []Identity, b *format.Batch, columns []int) []Identity {
	return hashRows(dst, b, columns, appendValue)
}

// HashValues is HashRows for rows of one table, whose numbers are equal or
// not: the same bits, the same identity. It is several times as fast.
func HashValues(dst []Identity, b *format.Batch, columns []int) []Identity {
	return hashRows(dst, b, columns, appendExact)
}

func hashRows(dst []Identity, b *format.Batch, columns []int, write func([]byte, *format.Vector, int) []byte) []Identity {
	var h hasher
	var cell []byte
	for i := range b.Rows {
		for _, j := range columns {
			if j < 0 || j >= len(b.Cols) || b.Cols[j].Null(i) {
				h.missing()
				continue
			}
			cell = write(cell[:0], &b.Cols[j], i)
			h.cell(cell)
		}
		dst = append(dst, h.sum())
	}
	return dst
}

func appendExact(b []byte, v *format.Vector, i int) []byte {
	switch v.Kind {
	case format.Text:
		return append(b, v.Bytes(i)...)
	case format.Float:
		return binary.LittleEndian.AppendUint64(b, math.Float64bits(v.Floats[i]+0)) // −0 is 0
	}
	return binary.LittleEndian.AppendUint64(b, uint64(v.Ints[i]))
}

func appendValue(b []byte, v *format.Vector, i int) []byte {
	b = append(b, classOf(v.Kind))
	switch v.Kind {
	case format.Text:
		return append(b, v.Bytes(i)...)
	case format.Float:
		b[len(b)-1] = classNumber
		return appendRounded(b, v.Floats[i])
	case format.Int:
		// Integers that need more digits are told apart by all of them.
		if x := v.Ints[i]; x > -1e12 && x < 1e12 {
			return appendRounded(b, float64(x))
		}
	}
	return binary.LittleEndian.AppendUint64(b, uint64(v.Ints[i]))
}

// appendRounded writes x with twelve significant digits.
func appendRounded(b []byte, x float64) []byte {
	return strconv.AppendFloat(b, x+0, 'e', 11, 64)
}

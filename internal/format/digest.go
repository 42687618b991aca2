package format

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"io"
	"math"
	"sync"

	"github.com/opengenesis/genesis"
)

// canonicalNaN stands for every NaN, whose payload is not content.
const canonicalNaN = 0x7ff8000000000000

// digestChunk is how many canonical bytes are gathered before they are hashed:
// large enough that SHA-256 runs at full speed, small enough to stay in cache.
const digestChunk = 32 << 10

// ColumnDigest computes the logical digest of a column: SHA-256 over its type
// and its values in row order, in the canonical form of docs/formats.md. It
// does not depend on how the values are batched, encoded or compressed.
//
// Vectors of another kind than the column's type are hashed as what they are,
// so a column read back with a wrong type has a wrong digest.
type ColumnDigest struct {
	sum hash.Hash
	buf []byte // borrowed from digestChunks while adding, so that 100,000 columns cost little
	n   int
}

var digestChunks = sync.Pool{New: func() any { return new([digestChunk]byte) }}

// NewColumnDigest returns the digest of a column of col's type without rows.
func NewColumnDigest(col genesis.Column) *ColumnDigest {
	d := &ColumnDigest{sum: sha256.New()}
	io.WriteString(d.sum, "genesis column 1\n"+typeClass(col.Type)+"\n")
	return d
}

// typeClass is the name under which values of type t are hashed. Text types
// share one, so that calling a text an identifier leaves its values alone.
func typeClass(t genesis.Type) string {
	if t.Textual() {
		return "text"
	}
	return string(t)
}

// KindOf returns the kind of vector that holds values of type t in stored
// tables.
func KindOf(t genesis.Type) Kind {
	switch t {
	case genesis.Integer:
		return Int
	case genesis.Float:
		return Float
	case genesis.Boolean:
		return Bool
	case genesis.Timestamp:
		return Timestamp
	case genesis.Date:
		return Date
	}
	return Text
}

// Add appends the first rows values of v, or rows nulls when v is nil.
func (d *ColumnDigest) Add(v *Vector, rows int) {
	chunk := digestChunks.Get().(*[digestChunk]byte)
	d.buf = chunk[:]
	d.add(v, rows)
	d.flush()
	d.buf = nil
	digestChunks.Put(chunk)
}

func (d *ColumnDigest) add(v *Vector, rows int) {
	switch {
	case v == nil:
		d.addNulls(rows)
	case v.Kind == Text:
		d.addTexts(v, rows)
	case v.Kind == Float && v.Nulls == nil:
		d.addFloats(v.Floats[:rows])
	case v.Kind == Float:
		d.addNullable(v, rows, func(i int) uint64 { return canonicalFloat(v.Floats[i]) })
	case v.Nulls == nil:
		d.addInts(v.Ints[:rows])
	default:
		d.addNullable(v, rows, func(i int) uint64 { return uint64(v.Ints[i]) })
	}
}

// Sum returns the digest of all values added so far.
func (d *ColumnDigest) Sum() genesis.Digest {
	return genesis.DigestSum(d.sum.Sum(nil))
}

func (d *ColumnDigest) flush() {
	d.sum.Write(d.buf[:d.n])
	d.n = 0
}

// room makes sure that n more bytes fit into the chunk.
func (d *ColumnDigest) room(n int) {
	if d.n+n > len(d.buf) {
		d.flush()
	}
}

func (d *ColumnDigest) addNulls(rows int) {
	for range rows {
		d.room(1)
		d.buf[d.n] = 0
		d.n++
	}
}

func canonicalFloat(f float64) uint64 {
	if f != f {
		return canonicalNaN
	}
	return math.Float64bits(f)
}

func (d *ColumnDigest) addInts(values []int64) {
	for len(values) > 0 {
		d.room(9)
		n := min(len(values), (len(d.buf)-d.n)/9)
		out := d.buf[d.n : d.n+9*n]
		for _, v := range values[:n] {
			out[0] = 1
			binary.LittleEndian.PutUint64(out[1:9], uint64(v))
			out = out[9:]
		}
		d.n += 9 * n
		values = values[n:]
	}
}

func (d *ColumnDigest) addFloats(values []float64) {
	for len(values) > 0 {
		d.room(9)
		n := min(len(values), (len(d.buf)-d.n)/9)
		out := d.buf[d.n : d.n+9*n]
		for _, v := range values[:n] {
			out[0] = 1
			binary.LittleEndian.PutUint64(out[1:9], canonicalFloat(v))
			out = out[9:]
		}
		d.n += 9 * n
		values = values[n:]
	}
}

// addNullable writes every cell as if it had a value and steps over what a null
// does not have: whether a cell is null cannot be predicted, and a wrong guess
// costs more than the write.
func (d *ColumnDigest) addNullable(v *Vector, rows int, bits func(int) uint64) {
	n := d.n
	for i := range rows {
		if n+9 > len(d.buf) {
			d.n = n
			d.flush()
			n = 0
		}
		present := 1 - v.Nulls[i>>6]>>(i&63)&1
		d.buf[n] = byte(present)
		binary.LittleEndian.PutUint64(d.buf[n+1:], bits(i))
		n += 1 + 8*int(present)
	}
	d.n = n
}

func (d *ColumnDigest) addTexts(v *Vector, rows int) {
	for i := range rows {
		d.room(5)
		if v.Null(i) {
			d.buf[d.n] = 0
			d.n++
			continue
		}
		d.addText(v.Bytes(i))
	}
}

func (d *ColumnDigest) addText(b []byte) {
	d.buf[d.n] = 1
	binary.LittleEndian.PutUint32(d.buf[d.n+1:], uint32(len(b)))
	d.n += 5
	if d.n+len(b) <= len(d.buf) {
		d.n += copy(d.buf[d.n:], b)
		return
	}
	d.flush()
	if len(b) > len(d.buf)/2 {
		d.sum.Write(b)
		return
	}
	d.n = copy(d.buf, b)
}

package parquet

import (
	"encoding/binary"
	"errors"
	"math"
)

// Wire types of the Thrift compact protocol
// (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md).
const (
	wireTrue   = 1
	wireFalse  = 2
	wireByte   = 3
	wireI16    = 4
	wireI32    = 5
	wireI64    = 6
	wireDouble = 7
	wireBinary = 8
	wireList   = 9
	wireSet    = 10
	wireMap    = 11
	wireStruct = 12
)

// maxDepth bounds how deep structs may nest in what is skipped.
const maxDepth = 32

var errThrift = errors.New("malformed metadata")

// thriftWriter appends values in the compact protocol.
type thriftWriter struct {
	buf  []byte
	last []int16 // last field id of each open struct
}

func (w *thriftWriter) begin() { w.last = append(w.last, 0) }

func (w *thriftWriter) end() {
	w.buf = append(w.buf, 0)
	w.last = w.last[:len(w.last)-1]
}

func (w *thriftWriter) field(id int16, wire byte) {
	last := &w.last[len(w.last)-1]
	if delta := id - *last; delta > 0 && delta < 16 {
		w.buf = append(w.buf, byte(delta)<<4|wire)
	} else {
		w.buf = append(w.buf, wire)
		w.buf = binary.AppendVarint(w.buf, int64(id))
	}
	*last = id
}

func (w *thriftWriter) bool(id int16, v bool) {
	if v {
		w.field(id, wireTrue)
	} else {
		w.field(id, wireFalse)
	}
}

func (w *thriftWriter) i16(id int16, v int16) {
	w.field(id, wireI16)
	w.buf = binary.AppendVarint(w.buf, int64(v))
}

func (w *thriftWriter) i32(id int16, v int32) {
	w.field(id, wireI32)
	w.buf = binary.AppendVarint(w.buf, int64(v))
}

func (w *thriftWriter) i64(id int16, v int64) {
	w.field(id, wireI64)
	w.buf = binary.AppendVarint(w.buf, v)
}

func (w *thriftWriter) binary(id int16, v []byte) {
	w.field(id, wireBinary)
	w.element(string(v))
}

func (w *thriftWriter) string(id int16, v string) {
	w.field(id, wireBinary)
	w.element(v)
}

// element appends a string as an element of a list.
func (w *thriftWriter) element(v string) {
	w.buf = binary.AppendUvarint(w.buf, uint64(len(v)))
	w.buf = append(w.buf, v...)
}

func (w *thriftWriter) list(id int16, wire byte, n int) {
	w.field(id, wireList)
	if n < 15 {
		w.buf = append(w.buf, byte(n)<<4|wire)
		return
	}
	w.buf = append(w.buf, 0xF0|wire)
	w.buf = binary.AppendUvarint(w.buf, uint64(n))
}

// structure appends a struct field whose fields body writes.
func (w *thriftWriter) structure(id int16, body func()) {
	w.field(id, wireStruct)
	w.begin()
	body()
	w.end()
}

// thriftReader reads values in the compact protocol from bytes a stranger may
// have written. The first error sticks; after it every value is zero.
type thriftReader struct {
	buf   []byte
	pos   int
	err   error
	depth int
}

func (r *thriftReader) fail() {
	if r.err == nil {
		r.err = errThrift
	}
	r.pos = len(r.buf)
}

func (r *thriftReader) byte() byte {
	if r.pos >= len(r.buf) {
		r.fail()
		return 0
	}
	b := r.buf[r.pos]
	r.pos++
	return b
}

func (r *thriftReader) uvarint() uint64 {
	v, n := binary.Uvarint(r.buf[r.pos:])
	if n <= 0 {
		r.fail()
		return 0
	}
	r.pos += n
	return v
}

func (r *thriftReader) i64() int64 {
	v, n := binary.Varint(r.buf[r.pos:])
	if n <= 0 {
		r.fail()
		return 0
	}
	r.pos += n
	return v
}

func (r *thriftReader) i32() int32 {
	v := r.i64()
	if v < math.MinInt32 || v > math.MaxInt32 {
		r.fail()
		return 0
	}
	return int32(v)
}

// binary returns bytes that alias the input.
func (r *thriftReader) binary() []byte {
	n := r.uvarint()
	if n > uint64(len(r.buf)-r.pos) {
		r.fail()
		return nil
	}
	b := r.buf[r.pos : r.pos+int(n) : r.pos+int(n)]
	r.pos += int(n)
	return b
}

func (r *thriftReader) string() string { return string(r.binary()) }

// fields calls body for every field of a struct. A body that does not know a
// field calls skip with its wire type.
func (r *thriftReader) fields(body func(id int16, wire byte)) {
	if r.depth++; r.depth > maxDepth {
		r.fail()
	}
	defer func() { r.depth-- }()
	id := int16(0)
	for r.err == nil {
		b := r.byte()
		if b == 0 {
			return
		}
		if delta := b >> 4; delta != 0 {
			id += int16(delta)
		} else {
			id = int16(r.i64())
		}
		body(id, b&0xF)
	}
}

// list calls body for each of a list's elements. An element takes at least a
// byte, so that a list cannot claim more elements than bytes are left.
func (r *thriftReader) list(body func(n int, wire byte)) {
	n, wire := r.listHeader()
	for i := 0; i < n && r.err == nil; i++ {
		body(n, wire)
	}
}

func (r *thriftReader) listHeader() (n int, wire byte) {
	b := r.byte()
	size := uint64(b >> 4)
	if size == 15 {
		size = r.uvarint()
	}
	if size > uint64(len(r.buf)-r.pos) {
		r.fail()
		return 0, 0
	}
	return int(size), b & 0xF
}

// skip passes over a field's value.
func (r *thriftReader) skip(wire byte) {
	switch wire {
	case wireTrue, wireFalse:
	default:
		r.skipElement(wire)
	}
}

// skipElement passes over a value within a list, where booleans take a byte.
func (r *thriftReader) skipElement(wire byte) {
	switch wire {
	case wireTrue, wireFalse, wireByte:
		r.byte()
	case wireI16, wireI32, wireI64:
		r.i64()
	case wireDouble:
		r.advance(8)
	case wireBinary:
		r.binary()
	case wireList, wireSet:
		r.nested(func() { r.list(func(_ int, w byte) { r.skipElement(w) }) })
	case wireMap:
		r.nested(r.skipMap)
	case wireStruct:
		r.fields(func(_ int16, w byte) { r.skip(w) })
	default:
		r.fail()
	}
}

func (r *thriftReader) nested(body func()) {
	if r.depth++; r.depth > maxDepth {
		r.fail()
	}
	body()
	r.depth--
}

func (r *thriftReader) skipMap() {
	n := r.uvarint()
	if n == 0 {
		return
	}
	kinds := r.byte()
	for ; n > 0 && r.err == nil; n-- {
		r.skipElement(kinds >> 4)
		r.skipElement(kinds & 0xF)
	}
}

func (r *thriftReader) advance(n int) {
	if n > len(r.buf)-r.pos {
		r.fail()
		return
	}
	r.pos += n
}

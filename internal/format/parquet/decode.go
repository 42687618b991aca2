package parquet

import (
	"encoding/binary"
	"math"

	"github.com/opengenesis/genesis/internal/format"
)

// hybrid decodes the hybrid of runs and bit-packed groups in which levels and
// dictionary indices are written, a few values at a time.
type hybrid struct {
	buf    []byte
	width  int
	run    int       // values left of a run of value
	value  uint64    //
	packed bitReader // values left of a bit-packed run
	left   int
}

func newHybrid(buf []byte, width int) hybrid { return hybrid{buf: buf, width: width} }

// read fills dst.
func (h *hybrid) read(dst []uint64) error {
	for len(dst) > 0 {
		if h.run == 0 && h.left == 0 {
			if err := h.header(); err != nil {
				return err
			}
		}
		n := 0
		if h.run > 0 {
			n = min(h.run, len(dst))
			for i := range dst[:n] {
				dst[i] = h.value
			}
			h.run -= n
		} else {
			n = min(h.left, len(dst))
			if err := h.packed.read(dst[:n]); err != nil {
				return err
			}
			h.left -= n
		}
		dst = dst[n:]
	}
	return nil
}

// skipRun passes over n values if a run of value holds that many.
func (h *hybrid) skipRun(value uint64, n int) bool {
	if h.run == 0 && h.left == 0 && h.header() != nil {
		return false // read meets the same damage again
	}
	if h.run < n || h.value != value {
		return false
	}
	h.run -= n
	return true
}

// header begins the next run. Where that is damaged, h stays as it is.
func (h *hybrid) header() error {
	head, n := binary.Uvarint(h.buf)
	if n <= 0 {
		return damaged("has fewer levels or indices than it claims")
	}
	count := head >> 1
	if count > math.MaxInt32 {
		return damaged("has a run of impossible length")
	}
	if head&1 == 0 {
		return h.runHeader(h.buf[n:], int(count))
	}
	h.buf = h.buf[n:]
	size := min(int(count)*h.width, len(h.buf)) // writers may cut the padding of the last run
	h.packed = bitReader{buf: h.buf[:size], width: h.width}
	h.buf, h.left = h.buf[size:], int(count)*8
	return nil
}

func (h *hybrid) runHeader(rest []byte, count int) error {
	n := (h.width + 7) / 8
	if n > len(rest) {
		return damaged("ends within a run")
	}
	var value uint64
	for i := range n {
		value |= uint64(rest[i]) << (8 * i)
	}
	if value>>h.width != 0 {
		return damaged("has a run of a value too large for its width")
	}
	h.buf, h.run, h.value = rest[n:], count, value
	return nil
}

// bitReader decodes values of a fixed width, least significant bit first.
type bitReader struct {
	buf   []byte
	width int
	pos   int // in bits
}

func (b *bitReader) read(dst []uint64) error {
	if b.pos+len(dst)*b.width > 8*len(b.buf) {
		return damaged("ends within bit-packed values")
	}
	mask := ^uint64(0)
	if b.width < 64 {
		mask = 1<<b.width - 1
	}
	i := 0
	if b.width <= 56 {
		for ; i < len(dst) && b.pos>>3+8 <= len(b.buf); i++ {
			dst[i] = binary.LittleEndian.Uint64(b.buf[b.pos>>3:]) >> (b.pos & 7) & mask
			b.pos += b.width
		}
	}
	for ; i < len(dst); i++ {
		dst[i] = b.slow() & mask
	}
	return nil
}

// slow reads one value near the end of the buffer, or a wide one.
func (b *bitReader) slow() uint64 {
	var v uint64
	for got := 0; got < b.width; {
		at := b.pos + got
		v |= uint64(b.buf[at>>3]>>(at&7)) << got
		got += 8 - at&7
	}
	b.pos += b.width
	return v
}

// values decodes the values of a page in order.
type values interface {
	// next appends n values to v, whose kind is that of the physical type: Int
	// for booleans and integers, Float for floats, Text for bytes.
	next(v *format.Vector, n int) error
}

// physicalKind is the kind of vector that holds stored values as they are.
func physicalKind(t physical) format.Kind {
	switch t {
	case typeFloat, typeDouble:
		return format.Float
	case typeByteArray, typeFixed, typeInt96:
		return format.Text
	}
	return format.Int
}

// fixedSize is how many bytes a value takes in PLAIN; 0 where that varies.
func (e *element) fixedSize() int {
	switch e.typ {
	case typeInt32, typeFloat:
		return 4
	case typeInt64, typeDouble:
		return 8
	case typeInt96:
		return 12
	case typeFixed:
		return int(e.length)
	}
	return 0
}

func grow[T any](s []T, n int) []T {
	if cap(s)-len(s) >= n {
		return s[:len(s)+n]
	}
	return append(s, make([]T, n)...)
}

func appendText(v *format.Vector, text []byte) error {
	if len(v.Buf)+len(text) > maxPage {
		return unsupported("holds texts too long to be taken together")
	}
	start := uint32(len(v.Buf))
	v.Buf = append(v.Buf, text...)
	v.Spans = append(v.Spans, format.Span{Start: start, End: uint32(len(v.Buf))})
	return nil
}

// fixedValues decodes PLAIN values of one size.
type fixedValues struct {
	buf  []byte
	typ  physical
	size int
}

func (d *fixedValues) next(v *format.Vector, n int) error {
	if n > len(d.buf)/d.size {
		return damaged("ends within its values")
	}
	b := d.buf[:n*d.size]
	d.buf = d.buf[n*d.size:]
	switch d.typ {
	case typeInt32:
		v.Ints = grow(v.Ints, n)
		for i, out := 0, v.Ints[len(v.Ints)-n:]; i < n; i++ {
			out[i] = int64(int32(binary.LittleEndian.Uint32(b[4*i:])))
		}
	case typeInt64:
		v.Ints = grow(v.Ints, n)
		for i, out := 0, v.Ints[len(v.Ints)-n:]; i < n; i++ {
			out[i] = int64(binary.LittleEndian.Uint64(b[8*i:]))
		}
	case typeFloat:
		v.Floats = grow(v.Floats, n)
		for i, out := 0, v.Floats[len(v.Floats)-n:]; i < n; i++ {
			out[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:])))
		}
	case typeDouble:
		v.Floats = grow(v.Floats, n)
		for i, out := 0, v.Floats[len(v.Floats)-n:]; i < n; i++ {
			out[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
		}
	default:
		return d.texts(v, b, n)
	}
	return nil
}

func (d *fixedValues) texts(v *format.Vector, b []byte, n int) error {
	for i := range n {
		if err := appendText(v, b[i*d.size:(i+1)*d.size]); err != nil {
			return err
		}
	}
	return nil
}

// plainTexts decodes PLAIN byte arrays: length and bytes.
type plainTexts struct{ buf []byte }

func (d *plainTexts) next(v *format.Vector, n int) error {
	for range n {
		if len(d.buf) < 4 {
			return damaged("ends within its values")
		}
		size := binary.LittleEndian.Uint32(d.buf)
		if uint64(size) > uint64(len(d.buf)-4) {
			return damaged("has a text longer than the rest of its page")
		}
		if err := appendText(v, d.buf[4:4+size]); err != nil {
			return err
		}
		d.buf = d.buf[4+size:]
	}
	return nil
}

// boolValues decodes booleans of one bit, plain or in runs.
type boolValues struct {
	read    func([]uint64) error
	scratch [256]uint64
}

func (d *boolValues) next(v *format.Vector, n int) error {
	for done := 0; done < n; {
		part := d.scratch[:min(n-done, len(d.scratch))]
		if err := d.read(part); err != nil {
			return err
		}
		for _, b := range part {
			v.Ints = append(v.Ints, int64(b))
		}
		done += len(part)
	}
	return nil
}

// dictValues decodes indices into a dictionary.
type dictValues struct {
	indices hybrid
	dict    *format.Vector
	scratch [256]uint64
}

func (d *dictValues) next(v *format.Vector, n int) error {
	size := uint64(d.dict.Len())
	for done := 0; done < n; {
		part := d.scratch[:min(n-done, len(d.scratch))]
		if err := d.indices.read(part); err != nil {
			return err
		}
		for _, k := range part {
			if k >= size {
				return damaged("refers to entry %d of a dictionary of %d", k, size)
			}
		}
		if err := d.look(v, part); err != nil {
			return err
		}
		done += len(part)
	}
	return nil
}

func (d *dictValues) look(v *format.Vector, part []uint64) error {
	switch d.dict.Kind {
	case format.Int:
		for _, k := range part {
			v.Ints = append(v.Ints, d.dict.Ints[k])
		}
	case format.Float:
		for _, k := range part {
			v.Floats = append(v.Floats, d.dict.Floats[k])
		}
	default:
		for _, k := range part {
			if err := appendText(v, d.dict.Bytes(int(k))); err != nil {
				return err
			}
		}
	}
	return nil
}

// splitValues decodes BYTE_STREAM_SPLIT: the first bytes of all values, then
// the second ones, and so on.
type splitValues struct {
	buf    []byte
	plain  fixedValues
	count  int
	at     int
	values []byte
}

func (d *splitValues) next(v *format.Vector, n int) error {
	if n > d.count-d.at {
		return damaged("ends within its values")
	}
	size := d.plain.size
	d.values = grow(d.values[:0], n*size)
	for k := range size {
		for i, b := range d.buf[k*d.count+d.at : k*d.count+d.at+n] {
			d.values[i*size+k] = b
		}
	}
	d.at += n
	d.plain.buf = d.values
	return d.plain.next(v, n)
}

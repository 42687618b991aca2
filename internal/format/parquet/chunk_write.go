package parquet

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"math/bits"

	"github.com/klauspost/compress/zstd"

	"github.com/opengenesis/genesis/internal/format"
)

const (
	pageRows = 32 << 10 // rows in a page at most
	pageText = 1 << 20  // bytes of text in a page at most, unless one text is longer
)

// chunk is an encoded column chunk and its metadata.
type chunk struct {
	bytes      []byte
	typ        physical
	encodings  []encoding
	values     int // with nulls
	raw        int64
	dictionary int // bytes of the dictionary page at the start
	stats      statistics
}

// writeMeta writes the chunk's ColumnChunk, with the chunk at offset.
func (c *chunk) writeMeta(f *thriftWriter, name string, offset int64) {
	f.begin()
	f.i64(2, 0)
	f.structure(3, func() {
		f.i32(1, int32(c.typ))
		f.list(2, wireI32, len(c.encodings))
		for _, e := range c.encodings {
			f.buf = binary.AppendVarint(f.buf, int64(e))
		}
		f.list(3, wireBinary, 1)
		f.element(name)
		f.i32(4, int32(codecZstd))
		f.i64(5, int64(c.values))
		f.i64(6, c.raw)
		f.i64(7, int64(len(c.bytes)))
		f.i64(9, offset+int64(c.dictionary))
		if c.dictionary > 0 {
			f.i64(11, offset)
		}
		f.structure(12, func() { c.stats.write(f) })
	})
	f.end()
}

// encoder encodes column chunks one after another, reusing its memory.
type encoder struct {
	zstd    *zstd.Encoder
	dict    dictionary
	page    []byte
	packed  []byte
	scratch []uint64
	lengths []int64
}

func newEncoder() *encoder {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderCRC(false), zstd.WithWindowSize(1<<20), zstd.WithLowerEncoderMem(true))
	if err != nil {
		panic(err) // the options are constant
	}
	return &encoder{zstd: z, scratch: make([]uint64, 1024)}
}

// chunk encodes a column's values of one row group.
func (e *encoder) chunk(c *columnBuffer) chunk {
	c.finish()
	out := chunk{typ: storedType(c.kind), values: c.rows}
	switch {
	case e.useDictionary(c):
		e.dictionaryChunk(&out, c)
	default:
		out.stats = c.bounds()
		e.plainChunk(&out, c)
	}
	out.stats.nulls = int64(c.missing)
	return out
}

// useDictionary tries to build a dictionary and reports whether it pays.
func (e *encoder) useDictionary(c *columnBuffer) bool {
	d := &e.dict
	d.reset()
	n, plain, stored := 0, 0, 0
	switch c.kind {
	case format.Float:
		if !d.add(c.floats, math.Float64bits) {
			return false
		}
		n, plain, stored = len(c.floats), 8*len(c.floats), 8*len(d.keys)
	case format.Text:
		if !d.addTexts(c.text, c.ends) {
			return false
		}
		n, plain = len(c.ends), len(c.text)+4*len(c.ends)
		for _, t := range d.texts {
			stored += len(t) + 4
		}
	default:
		return false
	}
	indices := n * bits.Len(uint(len(d.keys))) / 8
	return n > 0 && 4*(stored+indices) < 3*plain
}

// dictionaryChunk writes the dictionary and pages of indices.
func (e *encoder) dictionaryChunk(out *chunk, c *columnBuffer) {
	d := &e.dict
	entries := columnBuffer{kind: c.kind, rows: len(d.keys)}
	for _, key := range d.keys {
		if c.kind == format.Float {
			entries.floats = append(entries.floats, math.Float64frombits(key))
		}
	}
	for _, t := range d.texts {
		entries.text = append(entries.text, t...)
		entries.ends = append(entries.ends, len(entries.text))
	}
	e.page = appendPlain(e.page[:0], &entries)
	e.emit(out, pageDictionary, encPlain, len(d.keys), nil)
	out.dictionary = len(out.bytes)
	out.stats = entries.bounds()
	out.encodings = []encoding{encDictionary, encPlain, encRLE}
	width := max(1, bits.Len(uint(len(d.keys)-1)))
	e.pages(out, c, encDictionary, func(first, last int) {
		e.page = append(e.page, byte(width))
		e.page = appendIndices(e.page, d.indices[first:last], width, e.scratch)
	})
}

// plainChunk writes pages without a dictionary, in the encoding that suits the
// kind: differences for integers and times, lengths apart from bytes for text.
func (e *encoder) plainChunk(out *chunk, c *columnBuffer) {
	enc := encPlain
	switch c.kind {
	case format.Int, format.Timestamp, format.Date:
		enc = encDelta
	case format.Text:
		enc = encDeltaLength
	}
	out.encodings = []encoding{enc, encRLE}
	e.pages(out, c, enc, func(first, last int) {
		switch c.kind {
		case format.Int, format.Timestamp, format.Date:
			e.page = appendDelta(e.page, c.ints[first:last], c.kind == format.Date)
		case format.Text:
			e.appendTexts(c, first, last)
		case format.Float:
			e.page = appendFloats(e.page, c.floats[first:last])
		case format.Bool:
			e.page = appendBools(e.page, c.ints[first:last])
		}
	})
}

// pages cuts the chunk into pages; body appends values [first, last) to e.page.
func (e *encoder) pages(out *chunk, c *columnBuffer, enc encoding, body func(first, last int)) {
	first := 0
	for from := 0; from < c.rows; {
		to := min(c.rows, from+pageRows)
		n := c.present(from, to)
		if c.kind == format.Text && enc == encDeltaLength {
			to, n = c.cutText(from, to, first, n)
		}
		e.page = appendLevels(e.page[:0], c.nulls, from, to, n)
		body(first, first+n)
		e.emit(out, pageData, enc, to-from, &statistics{nulls: int64(to - from - n)})
		first += n
		from = to
	}
}

// cutText shortens a page of n texts from row from to about pageText bytes.
func (c *columnBuffer) cutText(from, to, first, n int) (int, int) {
	start := 0
	if first > 0 {
		start = c.ends[first-1]
	}
	for n > 1 && c.ends[first+n-1]-start > pageText {
		to = from + max(1, (to-from)/2)
		n = c.present(from, to)
	}
	return to, n
}

// emit compresses e.page and appends it to the chunk behind its header.
func (e *encoder) emit(out *chunk, typ pageType, enc encoding, values int, stats *statistics) {
	e.packed = e.zstd.EncodeAll(e.page, e.packed[:0])
	h := thriftWriter{buf: make([]byte, 0, 64)}
	h.begin()
	h.i32(1, int32(typ))
	h.i32(2, int32(len(e.page)))
	h.i32(3, int32(len(e.packed)))
	h.i32(4, int32(crc32.ChecksumIEEE(e.packed)))
	if typ == pageDictionary {
		h.structure(7, func() {
			h.i32(1, int32(values))
			h.i32(2, int32(enc))
		})
	} else {
		h.structure(5, func() {
			h.i32(1, int32(values))
			h.i32(2, int32(enc))
			h.i32(3, int32(encRLE))
			h.i32(4, int32(encRLE))
			h.structure(5, func() { stats.write(&h) })
		})
	}
	h.end()
	out.raw += int64(len(h.buf) + len(e.page))
	out.bytes = append(append(out.bytes, h.buf...), e.packed...)
}

func (e *encoder) appendTexts(c *columnBuffer, first, last int) {
	start := 0
	if first > 0 {
		start = c.ends[first-1]
	}
	e.lengths = e.lengths[:0]
	end := start
	for _, next := range c.ends[first:last] {
		e.lengths = append(e.lengths, int64(next-end))
		end = next
	}
	e.page = appendDelta(e.page, e.lengths, true)
	e.page = append(e.page, c.text[start:end]...)
}

// appendPlain appends all values of a dictionary in PLAIN.
func appendPlain(dst []byte, c *columnBuffer) []byte {
	if c.kind == format.Float {
		return appendFloats(dst, c.floats)
	}
	start := 0
	for _, end := range c.ends {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(end-start))
		dst = append(dst, c.text[start:end]...)
		start = end
	}
	return dst
}

func appendFloats(dst []byte, values []float64) []byte {
	for _, f := range values {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(f))
	}
	return dst
}

func appendBools(dst []byte, values []int64) []byte {
	for len(values) > 0 {
		n := min(8, len(values))
		var b byte
		for k, v := range values[:n] {
			b |= byte(v) << k
		}
		dst = append(dst, b)
		values = values[n:]
	}
	return dst
}

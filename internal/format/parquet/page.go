package parquet

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"math"
	"math/bits"
	"sync/atomic"

	"github.com/opengenesis/genesis/internal/format"
)

const (
	maxPage   = 256 << 20 // bytes of an unpacked page
	maxHeader = 1 << 20   // bytes of a page header
	// A page may unpack to expansion times its packed bytes, beyond freePage.
	expansion = 1000
	freePage  = 16 << 20
)

// budget bounds the memory that all open pages of a reader take together.
type budget struct{ left atomic.Int64 }

func (b *budget) take(n int) error {
	if b.left.Add(-int64(n)) < 0 {
		b.left.Add(int64(n))
		return unsupported("has pages so large, in so many columns, that they do not fit in memory together")
	}
	return nil
}

// pageHeader is what a page says about itself.
type pageHeader struct {
	typ          pageType
	raw, packed  int32
	crc          uint32
	hasCRC       bool
	values       int32
	enc          encoding
	defEnc       encoding
	repEnc       encoding
	nulls        int32 // version 2, as the two lengths below
	rows         int32
	defLen       int32
	repLen       int32
	uncompressed bool
}

func (h *pageHeader) read(r *thriftReader) {
	h.defEnc, h.repEnc = encRLE, encRLE
	h.typ, h.values = -1, -1
	r.fields(func(id int16, wire byte) {
		switch {
		case id == 1 && wire == wireI32:
			h.typ = pageType(r.i32())
		case id == 2 && wire == wireI32:
			h.raw = r.i32()
		case id == 3 && wire == wireI32:
			h.packed = r.i32()
		case id == 4 && wire == wireI32:
			h.crc, h.hasCRC = uint32(r.i32()), true
		case (id == 5 || id == 7) && wire == wireStruct:
			r.fields(func(id int16, wire byte) { h.readV1(r, id, wire) })
		case id == 8 && wire == wireStruct:
			r.fields(func(id int16, wire byte) { h.readV2(r, id, wire) })
		default:
			r.skip(wire)
		}
	})
}

func (h *pageHeader) readV1(r *thriftReader, id int16, wire byte) {
	if wire != wireI32 {
		r.skip(wire)
		return
	}
	v := r.i32()
	switch id {
	case 1:
		h.values = v
	case 2:
		h.enc = encoding(v)
	case 3:
		h.defEnc = encoding(v)
	case 4:
		h.repEnc = encoding(v)
	}
}

func (h *pageHeader) readV2(r *thriftReader, id int16, wire byte) {
	if id == 7 {
		h.uncompressed = wire == wireFalse
		return
	}
	if wire != wireI32 {
		r.skip(wire)
		return
	}
	v := r.i32()
	switch id {
	case 1:
		h.values = v
	case 2:
		h.nulls = v
	case 3:
		h.rows = v
	case 4:
		h.enc = encoding(v)
	case 5:
		h.defLen = v
	case 6:
		h.repLen = v
	}
}

// check refuses sizes before anything is allocated for them.
func (h *pageHeader) check(left int64) error {
	switch {
	case h.packed < 0 || int64(h.packed) > left:
		return damaged("says it takes %d bytes where %d are left", h.packed, left)
	case h.raw < 0 || h.raw > maxPage || int64(h.raw) > freePage+expansion*int64(h.packed):
		return damaged("says it unpacks to %d bytes", h.raw)
	case (h.typ == pageData || h.typ == pageDataV2 || h.typ == pageDictionary) && h.values < 0:
		return damaged("says it holds %d values", h.values)
	case h.defLen < 0 || h.repLen < 0 || int64(h.defLen)+int64(h.repLen) > int64(min(h.raw, h.packed)):
		return damaged("says its levels take more than itself")
	}
	return nil
}

// pages reads the pages of one column chunk in order.
type pages struct {
	at      io.ReaderAt
	leaf    *leaf
	codec   codec
	pos     int64
	end     int64
	window  []byte // bytes of the file from base
	base    int64
	size    int // of a window
	budget  *budget
	held    int
	unpack  *decompressor
	buf     []byte // the unpacked page; reused
	dict    *format.Vector
	counted int64 // values of data pages so far

	header pageHeader
	levels []byte // of a version 2 page
	body   []byte
}

// next reads pages until a data page is there. It returns io.EOF behind the
// last one.
func (p *pages) next() error {
	for p.pos < p.end {
		packed, err := p.read()
		if err != nil {
			return err
		}
		switch p.header.typ {
		case pageDictionary:
			err = p.dictionary(packed)
		case pageData, pageDataV2:
			p.counted += int64(p.header.values)
			return p.data(packed)
		}
		if err != nil {
			return err
		}
	}
	return io.EOF
}

// read reads a page's header and returns its packed bytes, which are valid
// until the next call.
func (p *pages) read() ([]byte, error) {
	for n := 512; ; n *= 16 {
		n = int(min(int64(n), p.end-p.pos))
		b, err := p.bytes(n)
		if err != nil {
			return nil, err
		}
		r := &thriftReader{buf: b}
		p.header = pageHeader{}
		p.header.read(r)
		if r.err == nil {
			p.pos += int64(r.pos)
			break
		}
		if int64(n) == p.end-p.pos || n >= maxHeader {
			return nil, damaged("has a header that is not well formed")
		}
	}
	h := &p.header
	if err := h.check(p.end - p.pos); err != nil {
		return nil, err
	}
	packed, err := p.bytes(int(h.packed))
	if err != nil {
		return nil, err
	}
	p.pos += int64(h.packed)
	if h.hasCRC && crc32.ChecksumIEEE(packed) != h.crc {
		return nil, damaged("does not match its checksum")
	}
	return packed, nil
}

// bytes returns the n bytes at p.pos, which the caller has checked to lie
// within the chunk.
func (p *pages) bytes(n int) ([]byte, error) {
	off := p.pos - p.base
	if off >= 0 && off+int64(n) <= int64(len(p.window)) {
		return p.window[off : off+int64(n)], nil
	}
	size := int(min(int64(max(n, p.size)), p.end-p.pos))
	if err := p.hold(size, &p.window); err != nil {
		return nil, err
	}
	p.base = p.pos
	if err := readAt(p.at, p.window, p.pos); err != nil {
		p.window = p.window[:0]
		return nil, err
	}
	return p.window[:n], nil
}

// hold makes *buf n bytes long, within the budget.
func (p *pages) hold(n int, buf *[]byte) error {
	if cap(*buf) >= n {
		*buf = (*buf)[:n]
		return nil
	}
	if err := p.budget.take(n - cap(*buf)); err != nil {
		return err
	}
	p.held += n - cap(*buf)
	*buf = make([]byte, n)
	return nil
}

// release gives the chunk's memory back to the budget.
func (p *pages) release() {
	p.budget.left.Add(int64(p.held))
	p.held = 0
}

// unpackInto returns the page's unpacked bytes in p.buf.
func (p *pages) unpackInto(packed []byte, raw int, c codec) error {
	if c == codecNone && raw != len(packed) {
		return damaged("says it unpacks to %d bytes but is not packed and has %d", raw, len(packed))
	}
	if err := p.hold(raw, &p.buf); err != nil {
		return err
	}
	return p.unpack.unpack(c, p.buf, packed)
}

func (p *pages) dictionary(packed []byte) error {
	h := &p.header
	if p.dict != nil || p.counted > 0 {
		return damaged("is a dictionary behind the first page")
	}
	if h.enc != encPlain && h.enc != encPlainDictionary {
		return damaged("is a dictionary in encoding %d", h.enc)
	}
	if err := p.unpackInto(packed, int(h.raw), p.codec); err != nil {
		return err
	}
	e := &p.leaf.element
	least := max(e.fixedSize(), 1)
	if e.typ == typeByteArray {
		least = 4
	}
	if int64(h.values)*int64(least) > int64(len(p.buf)) || e.typ == typeBoolean {
		return damaged("says it is a dictionary of %d entries in %d bytes", h.values, len(p.buf))
	}
	cost := int(h.values)*8 + len(p.buf)
	if err := p.budget.take(cost); err != nil {
		return err
	}
	p.held += cost
	return p.loadDictionary(int(h.values))
}

func (p *pages) loadDictionary(n int) error {
	e := &p.leaf.element
	dict := &format.Vector{Kind: physicalKind(e.typ)}
	if e.typ == typeByteArray {
		d := plainTexts{buf: p.buf}
		dict.Buf = make([]byte, 0, len(p.buf)-4*n)
		dict.Spans = make([]format.Span, 0, n)
		err := d.next(dict, n)
		p.dict = dict
		return err
	}
	d := fixedValues{buf: p.buf, typ: e.typ, size: e.fixedSize()}
	err := d.next(dict, n)
	p.dict = dict
	return err
}

// data unpacks a data page: p.levels and p.body.
func (p *pages) data(packed []byte) error {
	h := &p.header
	if h.typ == pageData {
		err := p.unpackInto(packed, int(h.raw), p.codec)
		p.levels, p.body = nil, p.buf
		return err
	}
	n := int(h.defLen + h.repLen)
	p.levels = append([]byte(nil), packed[:n]...)
	c := p.codec
	if h.uncompressed || int(h.raw) == n {
		c = codecNone
	}
	if int(h.raw) == n { // no values: whatever stands there is padding
		packed = packed[:n]
	}
	err := p.unpackInto(packed[n:], int(h.raw)-n, c)
	p.body = p.buf
	return err
}

// splitLevels takes the repetition and definition levels off the page's body.
func (p *pages) splitLevels() (rep, def hybrid, err error) {
	l, h := p.leaf, &p.header
	repWidth, defWidth := bits.Len(uint(l.maxRep)), bits.Len(uint(l.maxDef))
	if h.typ == pageDataV2 {
		return newHybrid(p.levels[:h.repLen], repWidth), newHybrid(p.levels[h.repLen:], defWidth), nil
	}
	if rep, err = p.level(repWidth, h.repEnc); err != nil {
		return rep, def, err
	}
	def, err = p.level(defWidth, h.defEnc)
	return rep, def, err
}

func (p *pages) level(width int, enc encoding) (hybrid, error) {
	if width == 0 {
		return hybrid{}, nil
	}
	if enc == encBitPacked {
		return hybrid{}, unsupported("writes its levels in the deprecated BIT_PACKED encoding")
	}
	if enc != encRLE || len(p.body) < 4 {
		return hybrid{}, damaged("has no levels")
	}
	n := binary.LittleEndian.Uint32(p.body)
	if uint64(n) > uint64(len(p.body)-4) {
		return hybrid{}, damaged("says its levels take %d bytes of %d", n, len(p.body)-4)
	}
	h := newHybrid(p.body[4:4+n], width)
	p.body = p.body[4+n:]
	return h, nil
}

// decoder returns the decoder of the values in p.body.
func (p *pages) decoder() (values, error) {
	e, h := &p.leaf.element, &p.header
	isText := e.typ == typeByteArray
	isInt := e.typ == typeInt32 || e.typ == typeInt64
	switch {
	case h.enc == encPlain && isText:
		return &plainTexts{buf: p.body}, nil
	case h.enc == encPlain && e.typ == typeBoolean:
		b := &bitReader{buf: p.body, width: 1}
		return &boolValues{read: b.read}, nil
	case h.enc == encPlain:
		return &fixedValues{buf: p.body, typ: e.typ, size: e.fixedSize()}, nil
	case h.enc == encDictionary || h.enc == encPlainDictionary:
		return p.indices()
	case h.enc == encRLE && e.typ == typeBoolean:
		return p.boolRuns()
	case h.enc == encDelta && isInt:
		return newDelta(p.body, e.typ == typeInt32, int(h.values))
	case h.enc == encDeltaLength && isText:
		return newLengthTexts(p.body, int(h.values))
	case h.enc == encDeltaBytes && (isText || e.typ == typeFixed):
		return newPrefixTexts(p.body, e.fixedSize(), int(h.values))
	case h.enc == encByteStreamSplit && e.fixedSize() > 0:
		return p.split()
	}
	return nil, damaged("has values of type %d in encoding %d", e.typ, h.enc)
}

func (p *pages) indices() (values, error) {
	if p.dict == nil {
		return nil, damaged("refers to a dictionary that is not there")
	}
	if len(p.body) == 0 {
		return &dictValues{dict: p.dict}, nil
	}
	width := int(p.body[0])
	if width > 32 || width == 0 && p.dict.Len() > 1 {
		return nil, damaged("has dictionary indices of %d bits", width)
	}
	return &dictValues{indices: newHybrid(p.body[1:], width), dict: p.dict}, nil
}

func (p *pages) boolRuns() (values, error) {
	if len(p.body) < 4 || uint64(binary.LittleEndian.Uint32(p.body)) > uint64(len(p.body)-4) {
		return nil, damaged("has a run of booleans longer than itself")
	}
	h := newHybrid(p.body[4:4+binary.LittleEndian.Uint32(p.body)], 1)
	return &boolValues{read: h.read}, nil
}

func (p *pages) split() (values, error) {
	e := &p.leaf.element
	size := e.fixedSize()
	if len(p.body)%size != 0 || len(p.body)/size > math.MaxInt32 {
		return nil, damaged("does not split into values of %d bytes", size)
	}
	return &splitValues{buf: p.body, count: len(p.body) / size, plain: fixedValues{typ: e.typ, size: size}}, nil
}

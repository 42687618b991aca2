package find

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync/atomic"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal/disk"
	"github.com/zeebo/xxh3"
)

// A segment's file is its sections, one after the other and each at a multiple of 8,
// the checksums of its pages, and a foot: the places of the sections, the numbers of
// terms by kind, format and counts, and the foot's own checksum. Integers are little-endian.
const (
	pageSize = 64 << 10
	footSize = 8*(2*int(sections)+kinds) + 48
)

// footMagic ends a file that was written to its end.
const footMagic = "genfind1"

// section names a part of a segment's file.
type section int

const (
	secKeyEnds    section = iota // u32 a document: where its key ends
	secKeys                      // keys, in order
	secVersions                  // 32 bytes a document
	secNumber                    // u32
	secPublished                 // i64: seconds
	secQuality                   // byte
	secRows                      // i64
	secStart                     // i64: seconds
	secEnd                       // i64: seconds
	secBox                       // four float64; NaN: none
	secByVersion                 // u32: documents in the order of their versions
	secPostings                  //
	secBlocks                    // u64 a block of terms: where it begins
	secTerms                     //
	secSingle                    // u32 a document for each facet of one value: its term's place, from 1
	secMulti                     // for each facet of several values: u32 a document, where its values end
	secValues                    // u32: the values' places among the facet's terms
	secSeqEnds                   // u64 a document
	secSeq                       // uvarints: the places of the document's words, from 1; 0 ends a line
	secStoredEnds                // u64 a document
	secStored                    // the listings
	sections
)

// sink writes a segment's file from its beginning to its end.
type sink struct {
	f     disk.File
	w     *bufio.Writer
	at    uint64
	page  []byte
	sums  []uint64
	foot  foot
	error error
}

// foot says where things are in a file.
type foot struct {
	from, size [sections]uint64
	first      [kinds]uint64 // the place of the first term of a kind
	sumsAt     uint64
	docs       uint64
	terms      uint64
	sum        uint64 // of the checksums
}

func newSink(f disk.File) *sink {
	return &sink{f: f, w: bufio.NewWriterSize(f, 1<<20), page: make([]byte, 0, pageSize)}
}

// begin starts a section.
func (s *sink) begin(sec section) {
	if pad := -s.at & 7; pad > 0 {
		s.Write(make([]byte, pad))
	}
	s.foot.from[sec] = s.at
}

func (s *sink) end(sec section) { s.foot.size[sec] = s.at - s.foot.from[sec] }

// Write never fails; finish says what went wrong.
func (s *sink) Write(b []byte) (int, error) {
	s.at += uint64(len(b))
	if s.error == nil {
		_, s.error = s.w.Write(b)
	}
	n := len(b)
	for len(b) > 0 {
		k := min(len(b), pageSize-len(s.page))
		s.page = append(s.page, b[:k]...)
		b = b[k:]
		if len(s.page) == pageSize {
			s.endPage()
		}
	}
	return n, s.error
}

func (s *sink) endPage() {
	s.sums = append(s.sums, xxh3.Hash(s.page))
	s.page = s.page[:0]
}

func (s *sink) u32(v uint32) {
	var b [4]byte
	binary.LittleEndian.PutUint32(b[:], v)
	s.Write(b[:])
}

func (s *sink) u64(v uint64) {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	s.Write(b[:])
}

// finish writes what ends the file and makes it durable. It returns the foot's
// checksum, by which the file is known.
func (s *sink) finish() (uint64, error) {
	if len(s.page) > 0 {
		s.endPage()
	}
	sums := make([]byte, 0, 8*len(s.sums))
	for _, sum := range s.sums {
		sums = binary.LittleEndian.AppendUint64(sums, sum)
	}
	s.foot.sumsAt, s.foot.sum = s.at, xxh3.Hash(sums)
	foot := s.foot.bytes()
	if s.error == nil {
		_, s.error = s.w.Write(append(sums, foot...))
	}
	if s.error == nil {
		s.error = s.w.Flush()
	}
	if s.error == nil {
		s.error = s.f.Sync()
	}
	return binary.LittleEndian.Uint64(foot[footSize-16:]), s.error
}

func (f *foot) bytes() []byte {
	b := make([]byte, 0, footSize)
	for _, list := range [][]uint64{f.from[:], f.size[:], f.first[:], {f.sumsAt, f.docs, f.terms, f.sum}} {
		for _, v := range list {
			b = binary.LittleEndian.AppendUint64(b, v)
		}
	}
	b = binary.LittleEndian.AppendUint64(b, xxh3.Hash(b))
	return append(b, footMagic...)
}

func readFoot(data []byte) (foot, uint64, error) {
	var f foot
	if len(data) < footSize || string(data[len(data)-8:]) != footMagic {
		return f, 0, damage("has no end, or one of another format")
	}
	b := data[len(data)-footSize:]
	sum := binary.LittleEndian.Uint64(b[footSize-16:])
	if xxh3.Hash(b[:footSize-16]) != sum {
		return f, 0, damage("has an end that does not match its sum")
	}
	next := func() uint64 {
		v := binary.LittleEndian.Uint64(b)
		b = b[8:]
		return v
	}
	for _, list := range [][]uint64{f.from[:], f.size[:], f.first[:]} {
		for i := range list {
			list[i] = next()
		}
	}
	f.sumsAt, f.docs, f.terms, f.sum = next(), next(), next(), next()
	return f, sum, f.check(uint64(len(data) - footSize))
}

// check holds the places of the foot against the file's size.
func (f *foot) check(size uint64) error {
	pages := (f.sumsAt + pageSize - 1) / pageSize
	if f.sumsAt > size || size-f.sumsAt != 8*pages || f.docs == 0 || f.docs > maxDocs || f.terms > 1<<32-2 {
		return damage("has an end that does not fit it")
	}
	for i := range f.from {
		if f.from[i] > f.sumsAt || f.size[i] > f.sumsAt-f.from[i] {
			return damage("has a section outside")
		}
	}
	return nil
}

// pages is a file's mapped bytes, each page of which is held against its checksum
// when it is first looked at.
type pages struct {
	data []byte
	foot foot
	sums []byte
	seen []atomic.Uint64 // bits
}

func openPages(data []byte) (*pages, uint64, error) {
	f, sum, err := readFoot(data)
	if err != nil {
		return nil, 0, err
	}
	sums := data[f.sumsAt : len(data)-footSize]
	if xxh3.Hash(sums) != f.sum {
		return nil, 0, damage("has checksums that do not match their sum")
	}
	return &pages{data: data[:f.sumsAt], foot: f, sums: sums, seen: make([]atomic.Uint64, len(sums)/8/64+1)}, sum, nil
}

// at returns bytes of a section. It panics with damage where they are not what was
// written: see [guard].
func (p *pages) at(sec section, from, to uint64) []byte {
	if from > to || to > p.foot.size[sec] {
		panic(damage(fmt.Sprintf("points outside of section %d", sec)))
	}
	from, to = from+p.foot.from[sec], to+p.foot.from[sec]
	if from == to {
		return nil
	}
	for page := from / pageSize; page <= (to-1)/pageSize; page++ {
		if p.seen[page/64].Load()&(1<<(page%64)) == 0 {
			p.verify(page)
		}
	}
	return p.data[from:to:to]
}

// all returns a whole section.
func (p *pages) all(sec section) []byte { return p.at(sec, 0, p.foot.size[sec]) }

func (p *pages) verify(page uint64) {
	from := page * pageSize
	to := min(from+pageSize, uint64(len(p.data)))
	if xxh3.Hash(p.data[from:to]) != binary.LittleEndian.Uint64(p.sums[8*page:]) {
		panic(damage(fmt.Sprintf("has a page, %d, that does not match its sum", page)))
	}
	p.seen[page/64].Or(1 << (page % 64))
}

// Damaged is the Op of an error of kind Internal by which an index is to be built again.
const Damaged = "read search index"

// damage is the error of a file that is not what was written.
func damage(msg string) *genesis.Error {
	return &genesis.Error{Op: Damaged, Kind: genesis.Internal, Subject: "a segment", Msg: msg,
		Hint: "the index follows from the listings and can be built again"}
}

// guard makes what went wrong while mapped bytes were read the error of a call: damage,
// and a page that the disk does not give, which is a panic where [faults] was called.
// Sums are held before anything is read; should something still point outside, that
// is damage, too.
func guard(err *error) {
	switch r := recover().(type) {
	case nil:
	case *genesis.Error:
		*err = r
	case runtime.Error:
		broken := damage("cannot be read")
		broken.Err = r
		*err = broken
	default:
		panic(r)
	}
}

// faults makes faults of mapped pages panics, and returns what ends that.
func faults() func() {
	was := debug.SetPanicOnFault(true)
	return func() { debug.SetPanicOnFault(was) }
}

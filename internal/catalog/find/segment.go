package find

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"slices"
	"sort"

	"github.com/klauspost/compress/zstd"
	"github.com/opengenesis/genesis"
)

// maxDocs is the most a segment holds.
const maxDocs = 1 << 26

// The first facets have at most one value each, the others several. Classes are
// kept like one of the latter.
const (
	singles   = 8
	multis    = 5
	classList = 4 // among the multis
)

// segment is documents in the order of their keys, and all about them. It never
// changes.
type segment struct {
	*pages
	name  string // of its file
	sum   uint64
	docs  int
	unmap func() error
	users int // snapshots that hold it; guarded by the index
}

// openSegment maps a segment's file.
func openSegment(path, name string) (*segment, error) {
	data, unmap, err := mapFile(path)
	if os.IsNotExist(err) {
		return nil, damage("is not there")
	} else if err != nil {
		return nil, err
	}
	p, sum, err := openPages(data)
	if err == nil {
		err = p.foot.checkSections()
	}
	if err != nil {
		unmap(data)
		return nil, err
	}
	return &segment{pages: p, name: name, sum: sum, docs: int(p.foot.docs), unmap: func() error { return unmap(data) }}, nil
}

// checkSections holds the sizes of sections against the number of documents.
func (f *foot) checkSections() error {
	for _, want := range []struct {
		section
		size uint64
	}{
		{secKeyEnds, 4}, {secByVersion, 4}, {secSeqEnds, 8}, {secStoredEnds, 8}, {secSingle, 4 * singles}, {secMulti, 4 * multis},
	} {
		if f.size[want.section] != want.size*f.docs {
			return damage("has a section of the wrong size")
		}
	}
	for _, c := range columns {
		if f.size[c.sec] != uint64(c.width)*f.docs {
			return damage("has a column of the wrong size")
		}
	}
	if f.size[secBlocks] != 8*((f.terms+blockTerms-1)/blockTerms) {
		return damage("has a dictionary of the wrong size")
	}
	if !slices.IsSorted(f.first[:]) || f.first[kinds-1] > f.terms {
		return damage("has kinds of terms out of order")
	}
	return nil
}

// columns are the sections that have the same number of bytes for each document.
var columns = []struct {
	sec   section
	width int
}{{secVersions, 32}, {secNumber, 4}, {secPublished, 8}, {secQuality, 1}, {secRows, 8}, {secStart, 8}, {secEnd, 8}, {secBox, 32}}

// cell returns a document's bytes of a column.
func (s *segment) cell(sec section, width, doc int) []byte {
	return s.at(sec, uint64(width*doc), uint64(width*(doc+1)))
}

func (s *segment) version(doc int) rawDigest { return rawDigest(s.cell(secVersions, 32, doc)) }

func (s *segment) number(doc int) uint32 {
	return binary.LittleEndian.Uint32(s.cell(secNumber, 4, doc))
}

func (s *segment) published(doc int) int64 {
	return int64(binary.LittleEndian.Uint64(s.cell(secPublished, 8, doc)))
}

// key returns a document's key. The bytes are those of the file.
func (s *segment) key(doc int) []byte {
	from := uint32(0)
	if doc > 0 {
		from = binary.LittleEndian.Uint32(s.cell(secKeyEnds, 4, doc-1))
	}
	return s.at(secKeys, uint64(from), uint64(binary.LittleEndian.Uint32(s.cell(secKeyEnds, 4, doc))))
}

// firstFrom returns the first document from one on whose key is not before a key. It
// looks near the first, where keys that are asked for in order lie.
func (s *segment) firstFrom(doc int, key string) int {
	step := 1
	for doc+step < s.docs && string(s.key(doc+step)) < key {
		doc, step = doc+step, 2*step
	}
	end := min(doc+step, s.docs)
	return doc + sort.Search(end-doc, func(i int) bool { return string(s.key(doc+i)) >= key })
}

// withKey returns the documents of a key: from, to. The search starts at a document
// that is not after them.
func (s *segment) withKey(start int, key string) (int, int) {
	from := s.firstFrom(start, key)
	to := from
	for to < s.docs && string(s.key(to)) == key {
		to++
	}
	return from, to
}

// eachCopy calls act for the documents of a version.
func (s *segment) eachCopy(version rawDigest, act func(doc int)) {
	at := func(i int) (int, rawDigest) {
		doc := int(binary.LittleEndian.Uint32(s.cell(secByVersion, 4, i)))
		return doc, s.version(doc)
	}
	i := s.guess(version, at)
	for ; i < s.docs; i++ {
		doc, v := at(i)
		if v != version {
			return
		}
		act(doc)
	}
}

// guess returns the first place among versions that is not before one. Digests
// are spread evenly, so that their place is nearly known.
func (s *segment) guess(version rawDigest, at func(int) (int, rawDigest)) int {
	before := func(i int) bool {
		_, v := at(i)
		return slices.Compare(v[:], version[:]) < 0
	}
	place := int(float64(binary.BigEndian.Uint64(version[:8])) / math.MaxUint64 * float64(s.docs-1))
	lo, hi, step := 0, s.docs, 8+int(math.Sqrt(float64(s.docs)))/4
	if from := place - step; from > 0 && before(from) {
		lo = from + 1
	}
	if to := place + step; to < s.docs && !before(to) {
		hi = to
	}
	return lo + sort.Search(hi-lo, func(i int) bool { return !before(lo + i) })
}

// single returns the places, from 1, of the documents' values of a facet that has one.
func (s *segment) single(facet int) []byte {
	n := uint64(4 * s.docs)
	return s.at(secSingle, uint64(facet)*n, uint64(facet+1)*n)
}

// multi is the values of a facet that has several.
type multi struct {
	ends   []byte
	values []byte
	before uint32 // where those of the first document begin
}

func (s *segment) multi(list int) multi {
	n := uint64(4 * s.docs)
	m := multi{ends: s.at(secMulti, uint64(list)*n, uint64(list+1)*n), values: s.all(secValues)}
	if list > 0 {
		m.before = binary.LittleEndian.Uint32(s.at(secMulti, uint64(list)*n-4, uint64(list)*n))
	}
	return m
}

// of returns the values of a document: u32 each.
func (m multi) of(doc int) []byte {
	from := m.before
	if doc > 0 {
		from = binary.LittleEndian.Uint32(m.ends[4*doc-4:])
	}
	to := binary.LittleEndian.Uint32(m.ends[4*doc:])
	if from > to || 4*uint64(to) > uint64(len(m.values)) {
		panic(damage("has values outside"))
	}
	return m.values[4*from : 4*to]
}

// classes returns the classes of a document, in order.
func (s *segment) classes(doc int) []string {
	var all []string
	for b := s.multi(classList).of(doc); len(b) > 0; b = b[4:] {
		all = append(all, s.value(kindClass, uint64(binary.LittleEndian.Uint32(b))))
	}
	return all
}

// span returns the bytes of a document in a section whose ends stand in another.
func (s *segment) span(ends, sec section, doc int) []byte {
	from := uint64(0)
	if doc > 0 {
		from = binary.LittleEndian.Uint64(s.cell(ends, 8, doc-1))
	}
	return s.at(sec, from, binary.LittleEndian.Uint64(s.cell(ends, 8, doc)))
}

// packer makes listings small. What most of them have in common is part of the
// format: it must not change without the format's number.
var (
	packer   = must(zstd.NewWriter(nil, zstd.WithEncoderDictRaw(1, []byte(common)), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(2), zstd.WithEncoderCRC(false)))
	unpacker = must(zstd.NewReader(nil, zstd.WithDecoderDictRaw(1, []byte(common)), zstd.WithDecoderMaxMemory(maxListing), zstd.WithDecoderConcurrency(2)))
)

// maxListing is the most bytes of a listing's JSON.
const maxListing = 16 << 20

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

const common = `"role":"feature"},{"role":"target"},{"role":"id"},{"role":"time"},{"table":"","name":"temperature","unit":"K","semantic":"","role":"weight"}],` +
	`"start":"2018-01-01T00:00:00Z","end":"2024-12-31T23:00:00Z","place":{"west":-105.2,"south":39.7,"east":-104.9,"north":40.1},"inputs":[""],` +
	`"rows":1000,"bytes":100000,"published":"2027-01-01T00:00:00Z"}{"format":1,"node":"","name":"","version":"sha256:","number":1,"kind":"model","kind":"dataset",` +
	`"title":"","description":"","keywords":["energy","materials","climate"],"creators":[""],"institution":"National Laboratory","institution":"University of ",` +
	`"field":"","challenge":"","license":"CC-BY-4.0","tier":"controlled","tier":"registered","tier":"public","formats":["csv"],"tasks":["regression"],"tasks":["classification"],` +
	`"ready":{"passed":10,"failed":1},"variables":[{"name":"wind_speed","unit":"m/s","role":"feature"},{"name":"`

// listing returns the listing of a document.
func (s *segment) listing(doc int) genesis.Listing {
	var l genesis.Listing
	text, err := unpacker.DecodeAll(s.span(secStoredEnds, secStored, doc), nil)
	if err == nil {
		err = json.Unmarshal(text, &l)
	}
	if err != nil {
		panic(damage("has a listing that cannot be read"))
	}
	return l
}

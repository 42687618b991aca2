package find

import (
	"bytes"
	"encoding/binary"
	"sort"
	"strings"
)

// A term's first byte is its kind, so that the terms of a kind stand side by side
// in the dictionary: the words, the values of each facet, and what else
// documents are looked up by.
const (
	kindWord  = byte(0)  // words of the text
	kindFacet = byte(1)  // and the facet's number: its values
	kindClass = byte(14) // classes
	kindPair  = byte(15) // variable, 0, unit
	kindInput = byte(16) // keys of assets that models were trained on
	kindStep  = byte(17) // two words that follow each other, as one of 65,536 numbers
	kinds     = 18
)

// term puts a kind before a text.
func term(kind byte, text string) string { return string(rune(kind)) + text }

// facetKind returns the kind of a facet's values, whose place in Facets is given.
func facetKind(facet int) byte { return kindFacet + byte(facet) }

// blockTerms is how many terms share what they begin with: the first of a block
// stands there as it is, the others as what differs from the one before.
//
//	uvarint  in front of a block: where the postings of its first term begin
//	uvarint  for each term: bytes in common with the one before
//	uvarint  further bytes, and those
//	uvarint  bytes of its postings, which follow those of the one before
const blockTerms = 16

// dictWriter makes a dictionary of terms that come in order.
type dictWriter struct {
	blocks   []uint64
	body     []byte
	last     []byte
	n        uint64
	postings uint64
	first    [kinds]uint64
	kind     int
}

func (d *dictWriter) add(term string, postings int) {
	for d.kind <= int(term[0]) {
		d.first[d.kind] = d.n
		d.kind++
	}
	common := 0
	if d.n%blockTerms == 0 {
		d.blocks = append(d.blocks, uint64(len(d.body)))
		d.body = binary.AppendUvarint(d.body, d.postings)
	} else {
		for common < min(len(d.last), len(term)) && d.last[common] == term[common] {
			common++
		}
	}
	d.body = binary.AppendUvarint(d.body, uint64(common))
	d.body = binary.AppendUvarint(d.body, uint64(len(term)-common))
	d.body = append(d.body, term[common:]...)
	d.body = binary.AppendUvarint(d.body, uint64(postings))
	d.last = append(d.last[:0], term...)
	d.postings += uint64(postings)
	d.n++
}

// end writes the dictionary.
func (d *dictWriter) end(out *sink) {
	for ; d.kind < kinds; d.kind++ {
		d.first[d.kind] = d.n
	}
	out.foot.first, out.foot.terms = d.first, d.n
	out.begin(secBlocks)
	for _, at := range d.blocks {
		out.u64(at)
	}
	out.end(secBlocks)
	out.begin(secTerms)
	out.Write(d.body)
	out.end(secTerms)
}

// cursor stands at a term of a dictionary.
type cursor struct {
	s        *segment
	place    uint64 // of the term
	term     []byte
	from, to uint64 // its postings
	body     []byte // what follows in the block
	ok       bool   // it stands at a term
}

// blockAt returns the bytes of a block of terms.
func (s *segment) blockAt(i uint64) []byte {
	from := binary.LittleEndian.Uint64(s.at(secBlocks, 8*i, 8*i+8))
	to := s.foot.size[secTerms]
	if 8*i+16 <= s.foot.size[secBlocks] {
		to = binary.LittleEndian.Uint64(s.at(secBlocks, 8*i+8, 8*i+16))
	}
	return s.at(secTerms, from, to)
}

// termAt returns a cursor at the term of a place.
func (s *segment) termAt(place uint64) *cursor {
	c := &cursor{s: s}
	c.load(place / blockTerms)
	for c.ok && c.place < place {
		c.next()
	}
	return c
}

// load stands at the first term of a block.
func (c *cursor) load(block uint64) {
	c.place, c.ok = block*blockTerms, false
	if c.place >= c.s.foot.terms {
		return
	}
	c.body, c.term, c.ok = c.s.blockAt(block), c.term[:0], true
	c.to = c.uvarint()
	c.read()
}

// next goes on to the next term.
func (c *cursor) next() {
	if c.place++; c.place%blockTerms == 0 || c.place >= c.s.foot.terms {
		c.load((c.place + blockTerms - 1) / blockTerms)
		return
	}
	c.read()
}

func (c *cursor) read() {
	common, more := c.uvarint(), c.uvarint()
	if common > uint64(len(c.term)) || more > uint64(len(c.body)) || common+more == 0 {
		panic(damage("has a term that ends early"))
	}
	c.term = append(c.term[:common], c.body[:more]...)
	c.body = c.body[more:]
	c.from = c.to
	c.to += c.uvarint()
}

func (c *cursor) uvarint() uint64 {
	v, n := binary.Uvarint(c.body)
	if n <= 0 {
		panic(damage("has a block of terms that ends early"))
	}
	c.body = c.body[n:]
	return v
}

// postings returns the term's postings.
func (c *cursor) postings() []byte { return c.s.at(secPostings, c.from, c.to) }

// seek returns a cursor at the first term that is not before the one given.
func (s *segment) seek(term string) *cursor {
	blocks := int(s.foot.size[secBlocks] / 8)
	i := sort.Search(blocks, func(i int) bool { return string(s.firstOf(uint64(i))) > term })
	c := &cursor{s: s}
	c.load(uint64(max(i-1, 0)))
	for c.ok && string(c.term) < term {
		c.next()
	}
	return c
}

// firstOf returns the first term of a block.
func (s *segment) firstOf(block uint64) []byte {
	c := cursor{body: s.blockAt(block)}
	c.uvarint()
	c.uvarint()
	more := c.uvarint()
	if more > uint64(len(c.body)) {
		panic(damage("has a term that ends early"))
	}
	return c.body[:more]
}

// lookup returns a cursor at a term, or nil.
func (s *segment) lookup(term string) *cursor {
	if c := s.seek(term); c.ok && string(c.term) == term {
		return c
	}
	return nil
}

// eachPrefix calls act for the terms that begin with a text, until it returns false.
func (s *segment) eachPrefix(prefix string, act func(*cursor) bool) {
	for c := s.seek(prefix); c.ok && bytes.HasPrefix(c.term, []byte(prefix)); c.next() {
		if !act(c) {
			return
		}
	}
}

// value returns the text of a term that is at a place among those of its kind.
func (s *segment) value(kind byte, place uint64) string {
	c := s.termAt(s.foot.first[kind] + place)
	if !c.ok || len(c.term) == 0 || c.term[0] != kind {
		panic(damage("has a value that is none"))
	}
	return strings.Clone(string(c.term[1:]))
}

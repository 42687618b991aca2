package find

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"slices"
)

// clause is what a need, or a filter, says of one segment: the documents that have
// one of its terms, by block and by what they score.
type clause struct {
	blocks [][points][]run
	size   int // of all postings, to begin with what is rare
	filter bool
}

// points are the different scores that a word can have, the highest first.
const points = 10

var scores = [points]int{16, 12, 10, 8, 6, 5, 4, 3, 2, 1}

// pointsOf gives the place among scores of a word by its level, whole or not.
var pointsOf = func() (of [levels][2]int) {
	for at, w := range weights {
		of[at][0] = slices.Index(scores[:], w/2)
		of[at][1] = slices.Index(scores[:], w)
	}
	return of
}()

// newClause returns a clause without terms.
func (s *segment) newClause(filter bool) *clause {
	return &clause{blocks: make([][points][]run, (s.docs+blockDocs-1)/blockDocs), filter: filter}
}

// add adds the documents of a term.
func (c *clause) add(at *cursor, whole int) {
	b := at.postings()
	c.size += len(b)
	eachRun(b, func(block int, r run) {
		if block >= len(c.blocks) {
			panic(damage("has postings beyond its documents"))
		}
		p := pointsOf[r.level][whole]
		if c.filter {
			p = 0
		}
		c.blocks[block][p] = append(c.blocks[block][p], r)
	})
}

// word returns the clause of a word.
func (s *segment) word(n need) *clause {
	c := s.newClause(false)
	word := term(kindWord, n.word)
	if !n.prefix {
		if at := s.lookup(word); at != nil {
			c.add(at, 1)
		}
		return c
	}
	s.eachPrefix(word, func(at *cursor) bool {
		whole := 0
		if len(at.term) == len(word) {
			whole = 1
		}
		c.add(at, whole)
		return true
	})
	return c
}

// anyOf returns a clause of terms any of which will do.
func (s *segment) anyOf(kind byte, texts []string) *clause {
	c := s.newClause(true)
	for _, text := range texts {
		if at := s.lookup(term(kind, text)); at != nil {
			c.add(at, 1)
		}
	}
	return c
}

// union adds the documents of a block to bits.
func (c *clause) union(block int, to bitset) {
	for _, runs := range c.blocks[block] {
		for _, r := range runs {
			r.addTo(to)
		}
	}
}

// unionFrom adds those of a block's documents that score at least so much.
func (c *clause) unionFrom(block, least int, to bitset) {
	for p, runs := range c.blocks[block] {
		if scores[p] < least {
			return
		}
		for _, r := range runs {
			r.addTo(to)
		}
	}
}

// most returns the most that a document of a block can score.
func (c *clause) most(block int) int {
	if c.filter {
		return 0
	}
	for p, runs := range c.blocks[block] {
		if len(runs) > 0 {
			return scores[p]
		}
	}
	return 0
}

// score adds to the scores of the documents in bits what they get of the clause.
func (c *clause) score(block int, of bitset, to *[blockDocs]uint16, rest bitset) {
	copy(rest, of)
	for p, runs := range c.blocks[block] {
		for _, r := range runs {
			r.take(rest, func(doc int) { to[doc] += uint16(scores[p] * (maxQuality + 1)) })
		}
	}
}

// take calls act for the documents of a run that are in bits, and takes them out.
func (r run) take(rest bitset, act func(doc int)) {
	if !r.dense() {
		for b := r.data; len(b) >= 2; b = b[2:] {
			d := int(binary.LittleEndian.Uint16(b))
			if d/64 < len(rest) && rest.has(d) {
				rest.clear(d)
				act(d)
			}
		}
		return
	}
	for i := range rest {
		w := rest[i] & binary.LittleEndian.Uint64(r.data[8*i:])
		rest[i] &^= w
		for ; w != 0; w &= w - 1 {
			act(64*i + bits.TrailingZeros64(w))
		}
	}
}

// within reports whether a document is within the ranges of a filter.
func (s *segment) within(f *Filter, doc int) bool {
	i64 := func(sec section) int64 { return int64(binary.LittleEndian.Uint64(s.cell(sec, 8, doc))) }
	if f.Rows != nil {
		if rows := i64(secRows); rows < f.Rows.Min || f.Rows.Max > 0 && rows > f.Rows.Max {
			return false
		}
	}
	if f.Time != nil {
		start, end := i64(secStart), i64(secEnd)
		if start == noTime || !f.Time.From.IsZero() && end < f.Time.From.Unix() || !f.Time.Until.IsZero() && start > f.Time.Until.Unix() {
			return false
		}
	}
	return f.Place == nil || overlap(s.box(doc), [4]float64{f.Place.West, f.Place.South, f.Place.East, f.Place.North})
}

func (s *segment) box(doc int) (box [4]float64) {
	b := s.cell(secBox, 32, doc)
	for i := range box {
		box[i] = math.Float64frombits(binary.LittleEndian.Uint64(b[8*i:]))
	}
	return box
}

// overlap reports whether two boxes have a point in common: west, south, east, north,
// where west is greater than east across the antimeridian. What is no number
// overlaps nothing.
func overlap(a, b [4]float64) bool {
	if !(a[1] <= b[3] && b[1] <= a[3]) {
		return false
	}
	for _, x := range spans(a) {
		for _, y := range spans(b) {
			if x[0] <= y[1] && y[0] <= x[1] {
				return true
			}
		}
	}
	return false
}

// spans returns the longitudes of a box as spans from west to east. The meridians
// −180 and 180 are one.
func spans(box [4]float64) [][2]float64 {
	if box[0] > box[2] {
		return [][2]float64{{box[0], 180}, {-180, box[2]}}
	}
	all := [][2]float64{{box[0], box[2]}}
	if box[2] == 180 {
		all = append(all, [2]float64{-180, -180})
	}
	if box[0] == -180 {
		all = append(all, [2]float64{180, 180})
	}
	return all
}

// says reports whether words follow each other in a document: whether their places,
// encoded as they are there, stand between the ends of others.
func (s *segment) says(doc int, words []byte) bool {
	for b := s.span(secSeqEnds, secSeq, doc); ; {
		i := bytes.Index(b, words)
		if i < 0 {
			return false
		}
		if i == 0 || b[i-1] < 0x80 {
			return true
		}
		b = b[i+1:]
	}
}

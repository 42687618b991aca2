package find

import (
	"bytes"
	"encoding/binary"
)

// gone stands for a document that the merged segment does not have.
const gone = ^uint32(0)

// merger makes one segment of several, without what was deleted. It reads and
// writes term after term, so that it holds of them one at a time.
type merger struct {
	from  []*segment
	order []origin   // of the merged documents
	docs  [][]uint32 // new number, by segment and old number
	terms [][]uint32 // new place, by segment and old place
}

// origin is where a merged document comes from.
type origin struct{ seg, doc uint32 }

// newMerger settles which document becomes which.
func newMerger(from []*segment, deleted []bitset) *merger {
	m := &merger{from: from}
	var runs [][]origin
	for i, s := range from {
		m.docs = append(m.docs, make([]uint32, s.docs))
		m.terms = append(m.terms, make([]uint32, s.foot.terms))
		var left []origin
		for doc := range s.docs {
			m.docs[i][doc] = gone
			if !deleted[i].has(doc) {
				left = append(left, origin{uint32(i), uint32(doc)})
			}
		}
		runs = append(runs, left)
	}
	m.order = mergeRuns(runs, m.before)
	for i, o := range m.order {
		m.docs[o.seg][o.doc] = uint32(i)
	}
	return m
}

// before reports whether a document comes before one of another segment.
func (m *merger) before(a, b origin) bool {
	x, y := m.from[a.seg], m.from[b.seg]
	if c := bytes.Compare(x.key(int(a.doc)), y.key(int(b.doc))); c != 0 {
		return c < 0
	}
	v, w := x.version(int(a.doc)), y.version(int(b.doc))
	return bytes.Compare(v[:], w[:]) < 0
}

func (m *merger) write(out *sink) (uint64, error) {
	w := segmentWriter{out: out, docs: len(m.order)}
	at := func(i int) (*segment, int) { return m.from[m.order[i].seg], int(m.order[i].doc) }
	w.keys(func(i int) []byte { s, doc := at(i); return s.key(doc) })
	for _, c := range columns {
		w.column(c.sec, func(i int) []byte { s, doc := at(i); return s.cell(c.sec, c.width, doc) })
	}
	w.byVersion(func(i int) rawDigest { s, doc := at(i); return s.version(doc) })
	out.begin(secPostings)
	m.mergeTerms(&w)
	w.endTerms()
	m.mergeValues(&w)
	w.seq(func(i int, buf []byte) []byte {
		s, doc := at(i)
		places := m.terms[m.order[i].seg]
		for b := s.span(secSeqEnds, secSeq, doc); len(b) > 0; {
			place, n := binary.Uvarint(b)
			if n <= 0 || place > uint64(len(places)) {
				panic(damage("has words outside"))
			}
			if b = b[n:]; place > 0 {
				place = uint64(places[place-1]) + 1
			}
			buf = binary.AppendUvarint(buf, place)
		}
		return buf
	})
	w.stored(func(i int) []byte { s, doc := at(i); return s.span(secStoredEnds, secStored, doc) })
	return out.finish()
}

// mergeTerms writes the terms of all segments in order.
func (m *merger) mergeTerms(w *segmentWriter) {
	cursors := make([]*cursor, len(m.from))
	for i, s := range m.from {
		cursors[i] = s.termAt(0)
	}
	var parts [levels][][]uint32
	for {
		var least []byte
		for _, c := range cursors {
			if c.ok && (least == nil || bytes.Compare(c.term, least) < 0) {
				least = c.term
			}
		}
		if least == nil {
			return
		}
		term := string(least)
		for i := range parts {
			parts[i] = parts[i][:0]
		}
		place := uint32(w.dict.n)
		for i, c := range cursors {
			if c.ok && string(c.term) == term {
				m.terms[i][c.place] = place
				m.collect(i, c, &parts)
				c.next()
			}
		}
		var l lists
		for i := range l {
			l[i] = mergeRuns(parts[i], func(a, b uint32) bool { return a < b })
		}
		if !l.empty() {
			w.term(term, &l)
		}
	}
}

// collect adds the new numbers of the documents that have a term.
func (m *merger) collect(seg int, c *cursor, parts *[levels][][]uint32) {
	var found lists
	docs := m.docs[seg]
	eachRun(c.postings(), func(block int, r run) {
		r.each(func(doc int) {
			if doc += block * blockDocs; doc >= len(docs) {
				panic(damage("has postings beyond its documents"))
			}
			if docs[doc] != gone {
				found[r.level] = append(found[r.level], docs[doc])
			}
		})
	})
	for i, list := range found {
		if len(list) > 0 {
			parts[i] = append(parts[i], list)
		}
	}
}

// mergeRuns makes one list of several that are in order.
func mergeRuns[T any](runs [][]T, before func(a, b T) bool) []T {
	switch len(runs) {
	case 0:
		return nil
	case 1:
		return runs[0]
	}
	a, b := mergeRuns(runs[:len(runs)/2], before), mergeRuns(runs[len(runs)/2:], before)
	all := make([]T, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if before(a[0], b[0]) {
			all, a = append(all, a[0]), a[1:]
		} else {
			all, b = append(all, b[0]), b[1:]
		}
	}
	return append(append(all, a...), b...)
}

// mergeValues writes the documents' values by their new places.
func (m *merger) mergeValues(w *segmentWriter) {
	first := w.dict.first
	renumber := func(seg uint32, kind byte, place uint32) uint32 {
		old := uint64(place) + m.from[seg].foot.first[kind]
		if old >= uint64(len(m.terms[seg])) {
			panic(damage("has values outside"))
		}
		return m.terms[seg][old] - uint32(first[kind])
	}
	w.singles(func(f, i int) uint32 {
		o := m.order[i]
		place := binary.LittleEndian.Uint32(m.from[o.seg].single(f)[4*o.doc:])
		if place == 0 {
			return 0
		}
		return renumber(o.seg, facetKind(f), place-1) + 1
	})
	var lists [multis][]multi
	for list := range lists {
		for _, s := range m.from {
			lists[list] = append(lists[list], s.multi(list))
		}
	}
	w.multis(func(list, i int, buf []uint32) []uint32 {
		o := m.order[i]
		for b := lists[list][o.seg].of(int(o.doc)); len(b) > 0; b = b[4:] {
			buf = append(buf, renumber(o.seg, multiKind(list), binary.LittleEndian.Uint32(b)))
		}
		return buf
	})
}

package find

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"
)

// facetValues are the values of a facet in all segments, in order.
type facetValues struct {
	n     int
	same  bool       // one segment: places are its own
	place [][]uint32 // by segment and its own place
	where []spot     // a segment that has the value, and its own place
}

// values returns the values of a facet. They are those of hidden documents, too: what
// is counted says which are shown.
func (s *snapshot) values(facet int) *facetValues {
	return s.facets[facet].get(func() *facetValues { return mergeValues(s.segs, facetKind(facet)) })
}

func mergeValues(segs []*segment, kind byte) *facetValues {
	sizes := make([]int, len(segs))
	for i, seg := range segs {
		sizes[i] = int(seg.foot.first[kind+1] - seg.foot.first[kind])
	}
	if len(segs) == 1 {
		return &facetValues{n: sizes[0], same: true}
	}
	v := &facetValues{}
	cursors := make([]*cursor, len(segs))
	for i, seg := range segs {
		v.place = append(v.place, make([]uint32, sizes[i]))
		cursors[i] = seg.termAt(seg.foot.first[kind])
	}
	for {
		least := ""
		for _, c := range cursors {
			if c.ok && c.term[0] == kind && (least == "" || string(c.term) < least) {
				least = string(c.term)
			}
		}
		if least == "" {
			return v
		}
		for i, c := range cursors {
			if c.ok && string(c.term) == least {
				own := int(c.place - segs[i].foot.first[kind])
				v.place[i][own] = uint32(v.n)
				if len(v.where) == v.n {
					v.where = append(v.where, spot{i, own})
				}
				c.next()
			}
		}
		v.n++
	}
}

// text returns a value.
func (v *facetValues) text(s *snapshot, facet, place int) string {
	at := spot{0, place}
	if !v.same {
		at = v.where[place]
	}
	return s.segs[at.seg].value(facetKind(facet), uint64(at.doc))
}

// counter counts the values of a facet.
type counter struct {
	facet  int
	values *facetValues
	counts []uint32
}

func newCounter(s *snapshot, f Facet) *counter {
	facet := slices.Index(Facets, f)
	v := s.values(facet)
	return &counter{facet, v, make([]uint32, v.n)}
}

// add counts the values of documents of a segment, each document once for each value.
func (c *counter) add(s *snapshot, seg int, first int, docs []uint16) {
	if c.facet < singles {
		c.addSingles(s.segs[seg].single(c.facet), seg, first, docs)
		return
	}
	list := s.segs[seg].multi(c.facet - singles)
	for _, doc := range docs {
		for b := list.of(first + int(doc)); len(b) > 0; b = b[4:] {
			c.counts[c.place(seg, binary.LittleEndian.Uint32(b))]++
		}
	}
}

func (c *counter) addSingles(places []byte, seg, first int, docs []uint16) {
	places = places[4*first:]
	if c.values.same {
		for _, doc := range docs {
			if p := binary.LittleEndian.Uint32(places[4*int(doc):]); p > 0 {
				c.counts[p-1]++
			}
		}
		return
	}
	all := c.values.place[seg]
	for _, doc := range docs {
		if p := binary.LittleEndian.Uint32(places[4*int(doc):]); p > 0 {
			c.counts[all[p-1]]++
		}
	}
}

// place returns the place, among all values, of a segment's value.
func (c *counter) place(seg int, own uint32) uint32 {
	if c.values.same {
		return own
	}
	return c.values.place[seg][own]
}

// of appends the places of a document's values.
func (c *counter) of(s *snapshot, at spot, to []uint32) []uint32 {
	if c.facet < singles {
		if p := binary.LittleEndian.Uint32(s.segs[at.seg].single(c.facet)[4*at.doc:]); p > 0 {
			to = append(to, c.place(at.seg, p-1))
		}
		return to
	}
	for b := s.segs[at.seg].multi(c.facet - singles).of(at.doc); len(b) > 0; b = b[4:] {
		to = append(to, c.place(at.seg, binary.LittleEndian.Uint32(b)))
	}
	return to
}

// addGroup counts documents that are one hit.
func (c *counter) addGroup(s *snapshot, group []candidate) {
	var all []uint32
	for _, m := range group {
		all = c.of(s, m.spot, all)
	}
	slices.Sort(all)
	for _, p := range slices.Compact(all) {
		c.counts[p]++
	}
}

// top returns the values that most hits have, those of the same count in order.
func (c *counter) top(s *snapshot, n int) []Count {
	type value struct{ place, count int }
	worse := func(a, b value) int { return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.place, b.place)) }
	var best []value
	for place, count := range c.counts {
		v := value{place, int(count)}
		if count == 0 || len(best) == n && worse(v, best[n-1]) > 0 {
			continue
		}
		i, _ := slices.BinarySearchFunc(best, v, worse)
		if best = slices.Insert(best, i, v); len(best) > n {
			best = best[:n]
		}
	}
	all := make([]Count, 0, len(best))
	for _, v := range best {
		all = append(all, Count{Value: strings.Clone(c.values.text(s, c.facet, v.place)), Hits: v.count})
	}
	return all
}

package find

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// rank offers the matches of a block for the page. It uses match up.
func (x *search) rank(i, block int, q segmentQuery, match, other bitset) {
	copied := x.flags[i].copied.block(block)
	if len(x.best) > x.limit {
		q.contenders(block, x.best[x.limit].score, match, copied, other)
	}
	for _, c := range q.clauses {
		if !c.filter {
			c.score(block, match, &x.scores, other)
		}
	}
	s, first := x.segs[i], block*blockDocs
	quality := s.at(secQuality, uint64(first), uint64(min(first+blockDocs, s.docs)))
	match.each(func(doc int) {
		c := candidate{spot: spot{i, first + doc}, score: int(x.scores[doc]) + int(quality[doc])}
		x.scores[doc] = 0
		if copied.has(doc) {
			c.version = s.version(c.doc)
			x.copies = append(x.copies, c)
		} else if x.isAfter(c, q.after) {
			x.offer(c)
		}
	})
}

// contenders drops the matches of a block that cannot score enough, whatever they get of
// other words: of a word they need at least what all others together leave. Copies
// stay, as they are counted by their best.
func (q segmentQuery) contenders(block, score int, match, copied, other bitset) {
	least, most := score/(maxQuality+1), 0 // points: quality adds less than one more would
	for _, c := range q.clauses {
		most += c.most(block)
	}
	if most < least {
		for w := range match {
			match[w] &= copied[w]
		}
		return
	}
	for _, c := range q.clauses {
		need := least - (most - c.most(block))
		if need <= scores[points-1] || c.filter {
			continue
		}
		copy(other, copied)
		c.unionFrom(block, need, other)
		for w := range match {
			match[w] &= other[w]
		}
	}
}

// isAfter reports whether a candidate comes after the cursor.
func (x *search) isAfter(c candidate, sameFrom int) bool {
	return x.after == nil || c.score < x.after.score || c.score == x.after.score && c.doc >= sameFrom
}

// offer takes a candidate into the page if it is good enough.
func (x *search) offer(c candidate) {
	if len(x.best) > x.limit && (c.score < x.best[x.limit].score || x.order(c, x.best[x.limit]) > 0) {
		return
	}
	i, _ := slices.BinarySearchFunc(x.best, c, x.order)
	if len(x.best) <= x.limit {
		x.best = append(x.best, candidate{})
	}
	copy(x.best[i+1:], x.best[i:])
	x.best[i] = c
}

// order is that of hits: the higher score first, then the key.
func (x *search) order(a, b candidate) int {
	switch {
	case a.score != b.score:
		return b.score - a.score
	case a.seg == b.seg:
		return a.doc - b.doc
	}
	return bytes.Compare(x.segs[a.seg].key(a.doc), x.segs[b.seg].key(b.doc))
}

// broughtLast orders what is of the index before what was brought along.
func (s *snapshot) broughtLast(a, b candidate) int {
	switch {
	case a.seg < s.own && b.seg >= s.own:
		return -1
	case a.seg >= s.own && b.seg < s.own:
		return 1
	}
	return 0
}

// addCopies makes the matches that are the same version one hit each, by the one of the
// index that comes first; by one that was brought along if the index has none.
func (x *search) addCopies() {
	slices.SortFunc(x.copies, func(a, b candidate) int {
		if c := cmp.Compare(binary.BigEndian.Uint64(a.version[:]), binary.BigEndian.Uint64(b.version[:])); c != 0 {
			return c
		}
		return cmp.Or(bytes.Compare(a.version[:], b.version[:]), x.broughtLast(a, b), x.order(a, b))
	})
	for rest := x.copies; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].version == rest[0].version {
			n++
		}
		group := rest[:n]
		rest = rest[n:]
		x.total++
		for _, c := range x.counters {
			c.addGroup(x.snapshot, group)
		}
		if first := group[0]; x.after == nil || first.score < x.after.score ||
			first.score == x.after.score && string(x.segs[first.seg].key(first.doc)) > x.after.key {
			x.offer(first)
		}
	}
}

package find

import (
	"context"
	"encoding/binary"
	"math/bits"
	"slices"
	"sync"

	"github.com/opengenesis/genesis"
)

// candidate is a document that matches.
type candidate struct {
	spot
	score   int
	version rawDigest // of those that are copied
}

// Search returns the versions that match a query, best first; those of one score by
// node and name. A version that is at several places is one hit. Errors: Invalid (the
// query), Canceled, Internal (damage: the index is to be built again).
func (ix *Index) Search(ctx context.Context, q Query) (result Result, err error) {
	err = ix.read(func(s *snapshot) error {
		result, err = s.search(ctx, q)
		return err
	})
	if err != nil {
		return Result{}, err
	}
	return result, nil
}

func (s *snapshot) search(ctx context.Context, q Query) (Result, error) {
	needs, err := parseText(q.Text)
	if err != nil {
		return Result{}, err
	}
	if err := q.check(); err != nil {
		return Result{}, err
	}
	x := &search{ctx: ctx, snapshot: s, query: &q, needs: needs, view: s.view(q.Asker), limit: pageOf(q.Limit, 20, 200)}
	if err := x.begin(); err != nil {
		return Result{}, err
	}
	if err := x.run(); err != nil {
		return Result{}, err
	}
	return x.result(), nil
}

func pageOf(asked, usual, most int) int {
	if asked <= 0 {
		return usual
	}
	return min(asked, most)
}

// search is one query under way.
type search struct {
	ctx context.Context
	*snapshot
	query    *Query
	needs    []need
	view     *view
	limit    int
	after    *cursorAt
	counters []*counter
	total    int
	copies   []candidate
	best     []candidate // as many as the page has and one more, in order
	*scratch
}

// scratch is memory that searches use one after the other.
type scratch struct {
	match, other [blockWords]uint64
	scores       [blockDocs]uint16
	docs         []uint16
}

var scratches = sync.Pool{New: func() any { return &scratch{docs: make([]uint16, 0, blockDocs)} }}

func (x *search) begin() error {
	if x.query.After != "" {
		at, err := openCursor(x.query)
		if err != nil {
			return err
		}
		x.after = &at
	}
	for i, f := range x.query.Facets {
		if !slices.Contains(x.query.Facets[:i], f) {
			x.counters = append(x.counters, newCounter(x.snapshot, f))
		}
	}
	return nil
}

func (x *search) run() error {
	x.scratch = scratches.Get().(*scratch)
	for i := range x.segs {
		if err := x.segment(i); err != nil {
			return err // the scratch may hold scores: it is not used again
		}
	}
	scratches.Put(x.scratch)
	x.addCopies()
	return nil
}

// segmentQuery is a query as one segment can answer it.
type segmentQuery struct {
	clauses []*clause
	phrases [][]byte // places of words, as documents have them
	after   int      // documents of the cursor's score from here on come after it
}

// segment finds the matches of a segment.
func (x *search) segment(i int) error {
	q, ok := x.plan(i)
	if !ok {
		return nil
	}
	for block := range (x.segs[i].docs + blockDocs - 1) / blockDocs {
		if x.ctx.Err() != nil {
			return &genesis.Error{Op: "search", Kind: genesis.Canceled, Msg: "was cancelled", Err: x.ctx.Err()}
		}
		x.block(i, block, q)
	}
	return nil
}

// plan looks up what a query asks for. It reports whether anything can match.
func (x *search) plan(i int) (segmentQuery, bool) {
	s := x.segs[i]
	q := segmentQuery{after: s.docs}
	for _, n := range x.needs {
		if n.phrase != nil {
			words, ok := s.encode(n.phrase)
			if !ok {
				return q, false
			}
			q.phrases = append(q.phrases, words)
			for i, w := range n.phrase[1:] {
				q.clauses = append(q.clauses, s.anyOf(kindStep, []string{stepText(step(n.phrase[i], w))}))
			}
			continue
		}
		q.clauses = append(q.clauses, s.word(n))
	}
	q.clauses = append(q.clauses, x.filters(s)...)
	for _, c := range q.clauses {
		if c.size == 0 {
			return q, false
		}
	}
	slices.SortStableFunc(q.clauses, func(a, b *clause) int { return a.size - b.size })
	if x.after != nil {
		_, q.after = s.withKey(0, x.after.key)
	}
	return q, true
}

func (x *search) filters(s *segment) []*clause {
	var all []*clause
	for i, f := range Facets {
		if values, ok := x.query.Filter.Values[f]; ok && len(values) > 0 {
			if f == Variable {
				values = slices.Clone(values)
				for j := range values {
					values[j] = foldValue(values[j])
				}
			}
			all = append(all, s.anyOf(facetKind(i), values))
		}
	}
	for _, v := range x.query.Filter.Variables {
		if len(v.Units) == 0 {
			all = append(all, s.anyOf(facetKind(slices.Index(Facets, Variable)), []string{foldValue(v.Name)}))
		} else {
			pairs := make([]string, len(v.Units))
			for i, unit := range v.Units {
				pairs[i] = foldValue(v.Name) + "\x00" + cutValue(unit)
			}
			all = append(all, s.anyOf(kindPair, pairs))
		}
	}
	return all
}

// encode returns words as documents have them, if the segment has them all.
func (s *segment) encode(words []string) ([]byte, bool) {
	var b []byte
	for _, w := range words {
		at := s.lookup(term(kindWord, w))
		if at == nil {
			return nil, false
		}
		b = binary.AppendUvarint(b, at.place+1)
	}
	return b, true
}

// block finds the matches of a block of documents.
func (x *search) block(i, block int, q segmentQuery) {
	match := bitset(x.match[:len(x.view.docs[i].block(block))])
	copy(match, x.view.docs[i].block(block))
	other := bitset(x.other[:len(match)])
	for _, c := range q.clauses {
		clear(other)
		c.union(block, other)
		left := uint64(0)
		for w := range match {
			match[w] &= other[w]
			left |= match[w]
		}
		if left == 0 {
			return
		}
	}
	x.narrow(i, block, q, match)
	x.count(i, block, match)
	x.rank(i, block, q, match, other)
}

// narrow drops what ranges, phrases and models rule out.
func (x *search) narrow(i, block int, q segmentQuery, match bitset) {
	f, s, first := &x.query.Filter, x.segs[i], block*blockDocs
	if f.HasModel != nil {
		with := x.models()[i].block(block)
		for w := range match {
			if *f.HasModel {
				match[w] &= with[w]
			} else {
				match[w] &^= with[w]
			}
		}
	}
	if f.Rows != nil || f.Time != nil || f.Place != nil {
		match.each(func(doc int) {
			if !s.within(f, first+doc) {
				match.clear(doc)
			}
		})
	}
	for _, words := range q.phrases {
		match.each(func(doc int) {
			if !s.says(first+doc, words) {
				match.clear(doc)
			}
		})
	}
}

// count counts the matches that are at one place alone.
func (x *search) count(i, block int, match bitset) {
	copied := x.flags[i].copied.block(block)
	x.docs = x.docs[:0]
	for w, set := range match {
		x.total += bits.OnesCount64(set &^ copied[w])
		if len(x.counters) == 0 {
			continue
		}
		for set &^= copied[w]; set != 0; set &= set - 1 {
			x.docs = append(x.docs, uint16(64*w+bits.TrailingZeros64(set)))
		}
	}
	for _, c := range x.counters {
		c.add(x.snapshot, i, block*blockDocs, x.docs)
	}
}

// result returns the page.
func (x *search) result() Result {
	r := Result{Hits: []Hit{}, Total: x.total}
	page := x.best
	if len(page) > x.limit {
		page = page[:x.limit]
		last := page[x.limit-1]
		r.Next = sealCursor(x.query, cursorAt{last.score, string(x.segs[last.seg].key(last.doc))})
	}
	for _, c := range page {
		h := Hit{Listing: x.segs[c.seg].listing(c.doc), Score: c.score, Places: x.places(c.spot)}
		h.Snippet, h.Marks = snippet(&h.Listing, x.needs)
		r.Hits = append(r.Hits, h)
	}
	if len(x.counters) > 0 {
		r.Facets = map[Facet][]Count{}
		for _, c := range x.counters {
			r.Facets[Facets[c.facet]] = c.top(x.snapshot, pageOf(x.query.Values, 10, 1000))
		}
	}
	return r
}

// maxPlaces is how many places of a version are told.
const maxPlaces = 100

// places returns where a version is that is at a spot, as far as the asker may know.
func (x *search) places(at spot) []Place {
	spots := []spot{at}
	if s := x.segs[at.seg]; x.flags[at.seg].copied.has(at.doc) {
		spots = x.shown(x.view, s.version(at.doc))
		spots = spots[:min(len(spots), maxPlaces)]
	}
	all := make([]Place, 0, len(spots))
	for _, p := range spots {
		s := x.segs[p.seg]
		node, name := splitKey(string(s.key(p.doc)))
		all = append(all, Place{Node: node, Name: name, Number: int(s.number(p.doc))})
	}
	return all
}

// models returns the documents that a model in view was trained on.
func (x *search) models() []bitset {
	return x.view.models.get(func() []bitset { return x.trainedOn(x.view) })
}

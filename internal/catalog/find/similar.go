package find

import (
	"bytes"
	"cmp"
	"context"
	"math/bits"
	"slices"
	"unicode/utf8"

	"github.com/opengenesis/genesis"
)

// What likeness is made of: how much each kind of thing in common counts. Of it
// counts the more, the fewer of the documents that the asker may know of have it.
const (
	pairCounts = 6 // a variable of the same name and unit
	nameCounts = 3 // of the same name, whatever the unit
	unitCounts = 2 // a unit
	wordCounts = 2 // a word of title or keywords; of the description: half; function words not at all

	maxFeatures = 48 // those that count most
	maxShared   = 12 // of each kind that are told
)

// feature is something that documents may have in common.
type feature struct {
	term   string
	counts int
	weight int
}

// Similar returns versions like one, most alike first: by the names and units of
// their variables and the words that describe them, whatever their field and
// institution are. The asset itself is not among them, nor are copies of the version.
// Errors: NotFound (the asker cannot know of such an asset), Canceled, Internal.
func (ix *Index) Similar(ctx context.Context, a Asker, id ID, limit int) ([]Likeness, error) {
	_, found, err := ix.SimilarWith(ctx, a, id, limit, nil)
	return found, err
}

func (s *snapshot) similar(ctx context.Context, a Asker, id ID, limit int) (genesis.Listing, []Likeness, error) {
	m := likeness{ctx: ctx, snapshot: s, view: s.view(a)}
	at, ok := m.find(id)
	if !ok {
		return m.like, nil, &genesis.Error{Op: "find similar", Kind: genesis.NotFound, Subject: string(id.Node) + "/" + string(id.Name), Msg: "is not in the catalogue"}
	}
	m.like = s.segs[at.seg].listing(at.doc)
	m.weigh(features(&m.like))
	if err := m.run(at, pageOf(limit, 10, 50)); err != nil {
		return m.like, nil, err
	}
	found := []Likeness{}
	for _, c := range m.best {
		found = append(found, m.shared(c))
	}
	return m.like, found, nil
}

// likeness is one search for what is like a listing.
type likeness struct {
	ctx context.Context
	*snapshot
	view     *view
	like     genesis.Listing
	features []feature
	best     []candidate
}

// find returns the document in view of an asset, or of one version of it.
func (m *likeness) find(id ID) (spot, bool) {
	version, err := parseDigest(id.Version)
	for i, s := range m.segs {
		lo, hi := s.withKey(0, keyOf(id.Node, id.Name))
		for ; lo < hi; lo++ {
			if m.view.docs[i].has(lo) && (id.Version == "" || err == nil && s.version(lo) == version) {
				return spot{i, lo}, true
			}
		}
	}
	return spot{}, false
}

// features returns what a listing may have in common with others, each once.
func features(l *genesis.Listing) []feature {
	var all []feature
	seen := map[string]bool{}
	put := func(term string, counts int) {
		if !seen[term] {
			seen[term] = true
			all = append(all, feature{term: term, counts: counts})
		}
	}
	for i, v := range l.Variables {
		if i == 256 || v.Name == "" {
			break
		}
		name := foldValue(v.Name)
		if v.Unit != "" {
			put(term(kindPair, name+"\x00"+cutValue(v.Unit)), pairCounts)
			put(term(facetKind(slices.Index(Facets, Unit)), cutValue(v.Unit)), unitCounts)
		}
		put(term(facetKind(slices.Index(Facets, Variable)), name), nameCounts)
	}
	for _, w := range describing(l) {
		put(term(kindWord, w.term), w.counts)
	}
	return all
}

// describing returns the words of title, keywords and description that say something.
func describing(l *genesis.Listing) []feature {
	var all []feature
	eachLine(l, func(line line) {
		counts := wordCounts
		switch line.label {
		case "description":
			counts = wordCounts / 2
		case "title", "keywords":
		default:
			return
		}
		for _, w := range terms(line.text) {
			if utf8.RuneCountInString(w) >= prefixFrom && !functionWords[w] && len(all) < 512 {
				all = append(all, feature{term: w, counts: counts})
			}
		}
	})
	return all
}

// weigh keeps the features that count most: what many have says little.
func (m *likeness) weigh(all []feature) {
	shown := 0
	for _, docs := range m.view.docs {
		shown += docs.count()
	}
	for _, f := range all {
		have := 0
		for i, s := range m.segs {
			if at := s.lookup(f.term); at != nil {
				have += m.view.common(i, at.postings())
			}
		}
		if have < 2 { // itself alone
			continue
		}
		f.weight = f.counts * bits.Len(uint(shown/have))
		m.features = append(m.features, f)
	}
	slices.SortStableFunc(m.features, func(a, b feature) int { return cmp.Compare(b.weight, a.weight) })
	m.features = m.features[:min(maxFeatures, len(m.features))]
}

// run scores all documents in view by what they have in common with one.
func (m *likeness) run(at spot, limit int) error {
	var scores []uint32
	for i, s := range m.segs {
		if m.ctx.Err() != nil {
			return &genesis.Error{Op: "find similar", Kind: genesis.Canceled, Msg: "was cancelled", Err: m.ctx.Err()}
		}
		scores = slices.Grow(scores[:0], s.docs)[:s.docs]
		clear(scores)
		m.score(i, scores)
		m.view.docs[i].each(func(doc int) {
			c := candidate{spot: spot{i, doc}, score: int(scores[doc])}
			if c.score == 0 || len(m.best) == limit && m.order(c, m.best[limit-1]) > 0 || !m.another(at, c.spot) {
				return
			}
			n, _ := slices.BinarySearchFunc(m.best, c, m.order)
			if m.best = slices.Insert(m.best, n, c); len(m.best) > limit {
				m.best = m.best[:limit]
			}
		})
	}
	return nil
}

// another reports whether a document is of another asset and version than one, and
// the first in view of those that have its version.
func (m *likeness) another(one, at spot) bool {
	s, t := m.segs[one.seg], m.segs[at.seg]
	if bytes.Equal(s.key(one.doc), t.key(at.doc)) || s.version(one.doc) == t.version(at.doc) {
		return false
	}
	return !m.flags[at.seg].copied.has(at.doc) || m.shown(m.view, t.version(at.doc))[0] == at
}

func (m *likeness) score(seg int, scores []uint32) {
	s := m.segs[seg]
	for _, f := range m.features {
		at := s.lookup(f.term)
		if at == nil {
			continue
		}
		eachRun(at.postings(), func(block int, r run) {
			r.each(func(doc int) { scores[block*blockDocs+doc] += uint32(f.weight) })
		})
	}
}

func (m *likeness) order(a, b candidate) int {
	if c := cmp.Compare(b.score, a.score); c != 0 {
		return c
	}
	return bytes.Compare(m.segs[a.seg].key(a.doc), m.segs[b.seg].key(b.doc))
}

// shared says in words what a document has in common.
func (m *likeness) shared(c candidate) Likeness {
	l := Likeness{Listing: m.segs[c.seg].listing(c.doc), Score: c.score}
	has := map[string]bool{}
	for _, f := range features(&l.Listing) {
		has[f.term] = true
	}
	told := map[string]bool{}
	tell := func(to *[]string, what string) {
		if !told[what] && len(*to) < maxShared {
			told[what] = true
			*to = append(*to, what)
		}
	}
	units := map[string]bool{}
	for _, v := range m.like.Variables {
		name, unit := foldValue(v.Name), cutValue(v.Unit)
		switch {
		case unit != "" && has[term(kindPair, name+"\x00"+unit)]:
			tell(&l.Variables, v.Name+" ("+unit+")")
			units[unit] = true
		case v.Name != "" && has[term(facetKind(slices.Index(Facets, Variable)), name)]:
			tell(&l.Variables, v.Name)
		}
	}
	for _, v := range m.like.Variables {
		if unit := cutValue(v.Unit); unit != "" && !units[unit] && has[term(facetKind(slices.Index(Facets, Unit)), unit)] {
			tell(&l.Units, unit)
		}
	}
	for _, f := range m.features { // those that count, most first
		if f.term[0] == kindWord && has[f.term] {
			tell(&l.Words, f.term[1:])
		}
	}
	return l
}

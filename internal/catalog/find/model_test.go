package find

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
)

type genesisClass = genesis.Class

// model is a search that reads every document, written as plainly as can be.
type model struct {
	hits   []modelHit
	counts map[Facet]map[string]int
}

type modelHit struct {
	best   Document
	score  int
	places []Place
}

func modelSearch(t *testing.T, world worldOf, q Query) model {
	t.Helper()
	shown := modelShown(world, q.Asker)
	needs, err := parseText(q.Text)
	if err != nil {
		t.Fatal(err)
	}
	groups := map[genesis.Digest][]modelHit{}
	for _, d := range shown {
		if score, ok := modelScore(d, needs); ok && modelPasses(d, q.Filter, shown) {
			groups[d.Version] = append(groups[d.Version], modelHit{best: d, score: score})
		}
	}
	places := map[genesis.Digest][]Place{}
	for _, d := range shown {
		places[d.Version] = append(places[d.Version], Place{Node: d.Node, Name: d.Name, Number: d.Number})
	}
	m := model{counts: map[Facet]map[string]int{}}
	for _, f := range Facets {
		m.counts[f] = map[string]int{}
	}
	for version, all := range groups {
		slices.SortFunc(all, compareHits)
		hit := all[0]
		hit.places = places[version]
		slices.SortFunc(hit.places, func(a, b Place) int {
			return cmp.Compare(keyOf(a.Node, a.Name), keyOf(b.Node, b.Name))
		})
		m.hits = append(m.hits, hit)
		for _, f := range Facets {
			seen := map[string]bool{}
			for _, h := range all {
				eachValue(&h.best.Listing, f, func(v string) { seen[v] = v != "" })
			}
			for v, ok := range seen {
				if ok {
					m.counts[f][v]++
				}
			}
		}
	}
	slices.SortFunc(m.hits, compareHits)
	return m
}

func compareHits(a, b modelHit) int {
	return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(keyOf(a.best.Node, a.best.Name), keyOf(b.best.Node, b.best.Name)))
}

// modelShown returns of each asset the newest version that an asker sees.
func modelShown(world worldOf, a Asker) []Document {
	newest := map[string]Document{}
	for _, d := range world {
		key := keyOf(d.Node, d.Name)
		old, ok := newest[key]
		if a.sees(d) && (!ok || cmp.Or(cmp.Compare(d.Number, old.Number), cmp.Compare(d.Version, old.Version)) > 0) {
			newest[key] = d
		}
	}
	var all []Document
	for _, d := range newest {
		all = append(all, d)
	}
	return all
}

func modelScore(d Document, needs []need) (int, bool) {
	sum := 0
	for _, n := range needs {
		best := 0
		var line, lines []string
		eachTerm(&d.Listing, func(term string, at level, seq bool) {
			switch {
			case n.phrase == nil:
			case seq && term == "":
				lines, line = append(lines, " "+strings.Join(line, " ")+" "), nil
			case seq:
				line = append(line, term)
			}
			switch {
			case n.phrase != nil || term == "":
			case term == n.word:
				best = max(best, weights[at])
			case n.prefix && strings.HasPrefix(term, n.word):
				best = max(best, weights[at]/2)
			}
		})
		if n.phrase != nil {
			text := " " + strings.Join(n.phrase, " ") + " "
			if !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, text) }) {
				return 0, false
			}
			continue
		}
		if best == 0 {
			return 0, false
		}
		sum += best
	}
	return sum*(maxQuality+1) + quality(&d.Listing), true
}

func modelPasses(d Document, f Filter, shown []Document) bool {
	for facet, values := range f.Values {
		found := false
		eachValue(&d.Listing, facet, func(v string) { found = found || slices.Contains(values, v) })
		if !found {
			return false
		}
	}
	for _, want := range f.Variables {
		if !slices.ContainsFunc(d.Variables, func(v genesis.Listed) bool {
			return strings.EqualFold(v.Name, want.Name) && (len(want.Units) == 0 || slices.Contains(want.Units, v.Unit))
		}) {
			return false
		}
	}
	if f.Rows != nil && (d.Rows < f.Rows.Min || f.Rows.Max > 0 && d.Rows > f.Rows.Max) {
		return false
	}
	if f.Time != nil && (d.Start.IsZero() && d.End.IsZero() || !d.End.IsZero() && d.End.Before(f.Time.From) || !f.Time.Until.IsZero() && d.Start.After(f.Time.Until)) {
		return false
	}
	if f.Place != nil && (d.Place == nil || !modelOverlap(*d.Place, *f.Place)) {
		return false
	}
	return f.HasModel == nil || *f.HasModel == modelTrained(d, shown)
}

// modelOverlap tries every whole degree: the boxes of these tests have no others.
func modelOverlap(a, b genesis.Box) bool {
	inside := func(x float64, b genesis.Box) bool {
		if b.West > b.East {
			return x >= b.West || x <= b.East
		}
		return x >= b.West && x <= b.East || x == -180 && b.East == 180 || x == 180 && b.West == -180
	}
	if a.South > b.North || b.South > a.North {
		return false
	}
	for x := -180.0; x <= 180; x++ {
		if inside(x, a) && inside(x, b) {
			return true
		}
	}
	return false
}

func modelTrained(d Document, shown []Document) bool {
	for _, m := range shown {
		for _, in := range m.Inputs {
			r, err := genesis.ParseRef(in)
			if err == nil && m.Kind == genesis.Model && cmp.Or(r.Node, m.Node) == d.Node && r.Name == d.Name {
				return true
			}
		}
	}
	return false
}

func (m model) lines() string {
	r := Result{Total: len(m.hits), Facets: map[Facet][]Count{}}
	for _, h := range m.hits {
		r.Hits = append(r.Hits, Hit{Listing: h.best.Listing, Score: h.score, Places: h.places})
	}
	for _, f := range Facets {
		all := make([]Count, 0)
		for v, n := range m.counts[f] {
			all = append(all, Count{Value: v, Hits: n})
		}
		slices.SortFunc(all, func(a, b Count) int {
			return cmp.Or(cmp.Compare(b.Hits, a.Hits), cmp.Compare(a.Value, b.Value))
		})
		r.Facets[f] = all
	}
	return resultLines(r)
}

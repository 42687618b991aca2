package find

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opengenesis/genesis"
)

// TestPostings writes and reads lists of all densities over several blocks.
func TestPostings(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for _, share := range []float64{0, 0.00001, 0.001, 0.06, 0.07, 0.5, 1} {
		var l lists
		all := newBitset(3*blockDocs + 100)
		for doc := range 3*blockDocs + 100 {
			if r.Float64() < share && doc/blockDocs != 1 {
				at := r.IntN(int(levels))
				l[at] = append(l[at], uint32(doc))
				all.set(doc)
			}
		}
		b := appendPostings(nil, &l)
		var got lists
		sum, union := 0, newBitset(3*blockDocs+100)
		eachRun(b, func(block int, r run) {
			r.each(func(doc int) { got[r.level] = append(got[r.level], uint32(block*blockDocs+doc)) })
			sum += r.common(all.block(block))
			if r.common(all.block(block)) != r.count {
				t.Fatalf("%v: a run of %d has %d", share, r.count, r.common(all.block(block)))
			}
			taken, rest := 0, slices.Clone(all.block(block))
			r.take(rest, func(int) { taken++ })
			if taken != r.count || rest.count() != all.block(block).count()-taken {
				t.Fatalf("%v: %d of %d documents are taken", share, taken, r.count)
			}
		})
		union.addPostings(b)
		if diff := cmp.Diff(l, got); diff != "" || sum != all.count() || !slices.Equal(union, all) {
			t.Fatalf("%v: %d documents, %d read\n%.1000s", share, all.count(), sum, diff)
		}
	}
}

// TestLarge holds what only shows in more than one block of documents, with words
// that most have: against the model, and page after page.
func TestLarge(t *testing.T) {
	if testing.Short() {
		t.Skip("70,000 listings")
	}
	r := random{rand.New(rand.NewPCG(2, 2))}
	ix, world := openTest(t), worldOf{}
	var docs []Document
	for i := range 70_000 {
		d := r.document()
		d.Name, d.Version = genesis.Name(fmt.Sprintf("%s-%d", []string{"wind", "sun", "x"}[r.IntN(3)], i)), genesis.DigestOf(fmt.Append(nil, i-i%2*r.IntN(2)))
		d.Kind, d.Inputs = genesis.Dataset, nil
		docs = append(docs, d)
		world[d.ID()] = d
	}
	apply(t, ix, Batch{Put: docs})
	a := r.asker()
	a.Classes = append(a.Classes, genesis.ClassPublic)
	for _, text := range []string{"wind sol", "of the"} {
		q := Query{Asker: a, Text: text, Facets: Facets, Values: 1000, Limit: 200}
		want := modelSearch(t, world, q)
		want.hits = want.hits[:min(200, len(want.hits))]
		got, err := ix.Search(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		total := got.Total
		got.Total = len(got.Hits)
		if diff := cmp.Diff(want.lines(), resultLines(got)); diff != "" {
			t.Fatalf("%q (-model +index):\n%.3000s", text, diff)
		}
		seen, last := map[string]bool{}, 1<<20
		for pages := 0; pages < 8; pages++ {
			for _, h := range got.Hits {
				key := keyOf(h.Node, h.Name)
				if seen[key] || h.Score > last {
					t.Fatalf("%q: page %d has %s again, or out of order", text, pages, key)
				}
				seen[key], last = true, h.Score
			}
			if q.After = got.Next; q.After == "" {
				if len(seen) != total {
					t.Errorf("%q: %d pages have %d hits of %d", text, pages+1, len(seen), total)
				}
				break
			}
			if got, err = ix.Search(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestUnits(t *testing.T) {
	for _, same := range [][]string{
		{"W/m2", "W/m²", "W/m^2", "W.m-2", "W·m⁻²", "W/m**2", "(W/m²)", "w/m2,"},
		{"m/s/s", "m/s2", "m.s-2", "s-2.m", "m·s⁻²"},
		{"°C", "℃", "Cel%"[:0] + "°c"},
		{"µm", "μm", "[µm]"},
		{"kW.h/d", "kW·h/d"},
		{"0.35", "(0.35)"},
		{"1/s", "s^-1", "/s"},
	} {
		want := wholeTerm(same[0])
		if want == "" {
			t.Errorf("%s is no unit", same[0])
		}
		for _, s := range same {
			if got := wholeTerm(s); got != want {
				t.Errorf("%s is %q, want %q as %s", s, got, want, same[0])
			}
		}
	}
	for _, s := range []string{"wind_speed", "turbines.", "36", "ten-minute", "e.g.", "2018-01"} {
		if got := wholeTerm(s); got != "" {
			t.Errorf("%s is %q as a whole", s, got)
		}
	}
	if listedUnit("W.m-2") != wholeTerm("W/m²") || listedUnit("Cel") != "" {
		t.Error("units of listings are not those of texts")
	}
}

func TestFold(t *testing.T) {
	for in, want := range map[string][]string{
		"Zürich":              {"zurich"},
		"Wind_Speed-10m":      {"wind", "speed", "10m"},
		"ﬁeld STRASSE Straße": {"field", "strasse", "strasse"},
		"ΜΆΪΟΣ µ μ":           {"μαιοσ", "μ", "μ"},
		"太陽光 発電abc":           {"太陽", "陽光", "発電", "abc"},
		"光":                   {"光"},
		"한국어 हिन्दी":          {"한국어", "हिन्दी"},
		"e\u0301te\u0301":     {"ete"},
		"":                    nil,
	} {
		if diff := cmp.Diff(want, terms(in)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", in, diff)
		}
	}
}

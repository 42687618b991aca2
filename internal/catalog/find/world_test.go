package find

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

var (
	someNodes   = []genesis.NodeID{"anl", "nrel", "ornl", "pnnl"}
	someNames   = []genesis.Name{"a", "wind", "wind-farm", "solar", "~ann/mill", "model-a", "model-b", "ocean", "x"}
	someWords   = []string{"wind", "window", "winds", "solar", "Zürich", "mill", "power curve", "wind speed", "ocean waves", "W/m²", "0.35", "太陽光発電", "of", "the"}
	someUnits   = []string{"", "m/s", "W/m2", "W.m-2", "Cel", "K", "%", "um"}
	someClasses = []genesis.Class{genesis.ClassPublic, genesis.ClassMembers, genesis.ClassOf("anl"), genesis.ClassOf("nrel")}
)

// random makes documents of few words, so that much of it meets.
type random struct{ *rand.Rand }

func pick[T any](r random, of []T) T { return of[r.IntN(len(of))] }

func (r random) words(n int) string {
	s := ""
	for range r.IntN(n + 1) {
		s += pick(r, someWords) + " "
	}
	return s
}

func (r random) document() Document {
	d := Document{Listing: genesis.Listing{Format: genesis.ListingFormat, Node: pick(r, someNodes), Name: pick(r, someNames),
		Version: genesis.DigestOf([]byte{byte(r.IntN(40))}), Number: r.IntN(4), Kind: genesis.Dataset, Title: r.words(3), Description: r.words(8),
		Institution: pick(r, []string{"", "NREL", "Argonne"}), Field: pick(r, []string{"energy", "climate", ""}), Tier: pick(r, genesis.Tiers),
		License: pick(r, []string{"CC-BY-4.0", ""}), Rows: r.Int64N(1000)}}
	for range r.IntN(4) {
		d.Variables = append(d.Variables, genesis.Listed{Name: pick(r, []string{"wind_speed", "Wind_Speed", "power", "t", "temperature"}), Unit: pick(r, someUnits)})
	}
	d.Formats = slices.Repeat([]string{pick(r, []string{"csv", "parquet"})}, r.IntN(3))
	if r.IntN(2) == 0 {
		d.Keywords = []string{pick(r, someWords)}
		d.Ready = &genesis.Ready{Passed: r.IntN(5), Failed: r.IntN(3)}
		d.Start = time.Date(2000+r.IntN(20), 1, 1, 0, 0, 0, 0, time.UTC)
		d.End = d.Start.AddDate(r.IntN(5), 0, 0)
		switch r.IntN(5) { // one end may be open
		case 0:
			d.Start = time.Time{}
		case 1:
			d.End = time.Time{}
		}
	}
	if r.IntN(3) == 0 {
		west, south := float64(r.IntN(360)-180), float64(r.IntN(170)-90)
		d.Place = &genesis.Box{West: west, South: south, East: min(180, west+float64(r.IntN(40))), North: south + 10}
		if r.IntN(4) == 0 {
			d.Place.West, d.Place.East = 170, -170
		}
	}
	if d.Name == "model-a" || d.Name == "model-b" {
		d.Kind = genesis.Model
		d.Inputs = []string{string(pick(r, someNodes)) + "/" + string(pick(r, someNames)), "wind@2", "not a ref"}
	}
	for _, c := range someClasses {
		if r.IntN(3) == 0 {
			d.Classes = append(d.Classes, c)
		}
	}
	return d
}

func (r random) asker() Asker {
	var a Asker
	for _, c := range someClasses {
		if r.IntN(3) == 0 {
			a.Classes = append(a.Classes, c)
		}
	}
	for range r.IntN(6) {
		d := r.document()
		id := d.ID()
		if r.IntN(2) == 0 {
			id.Version = ""
		}
		a.Also = append(a.Also, id)
	}
	return a
}

// sees reports whether an asker may know of a document.
func (a Asker) sees(d Document) bool {
	if slices.ContainsFunc(d.Classes, func(c genesis.Class) bool { return slices.Contains(a.Classes, c) }) {
		return true
	}
	return slices.ContainsFunc(a.Also, func(id ID) bool {
		return id.Node == d.Node && id.Name == d.Name && (id.Version == "" || id.Version == d.Version)
	})
}

func (r random) filter() Filter {
	var f Filter
	if r.IntN(3) == 0 {
		f.Values = map[Facet][]string{Institution: {"NREL", "nobody"}}
	}
	if r.IntN(4) == 0 {
		f.Variables = []VariableFilter{{Name: "WIND_speed", Units: []string{pick(r, someUnits), pick(r, someUnits)}[r.IntN(2):]}}
	}
	if r.IntN(5) == 0 {
		f.Rows = &Range{Min: 100, Max: r.Int64N(1000)}
	}
	if r.IntN(5) == 0 {
		f.Time = &Period{From: time.Date(2005, 1, 1, 0, 0, 0, 0, time.UTC), Until: time.Date(2005+r.IntN(10), 1, 1, 0, 0, 0, 0, time.UTC)}
		switch r.IntN(3) {
		case 0:
			f.Time.From = time.Time{}
		case 1:
			f.Time.Until = time.Time{}
		}
	}
	if r.IntN(5) == 0 {
		f.Place = &genesis.Box{West: 150, South: -10, East: -120, North: 40}
	}
	if r.IntN(5) == 0 {
		with := r.IntN(2) == 0
		f.HasModel = &with
	}
	return f
}

var someQueries = []string{"", "wind", "win", "\"wind speed\"", "wind speed", "of the", "zurich", "W/m^2", "°C", "0.35", "太陽", "発電", "solar mill", "csv",
	"\"power curve\" wind", "\"wind", "a", "nrel", "w", "%", "µm"}

// answers asks an index everything there is to ask for one asker, and returns the
// answers as they are sent, by question.
func answers(t *testing.T, ix *Index, a Asker, seed uint64) map[string]string {
	t.Helper()
	all := map[string]string{}
	put := func(question string, answer any, err error) {
		text, _ := json.Marshal(answer)
		if err != nil {
			text = fmt.Append(nil, genesis.KindOf(err), err)
		}
		all[question] = string(text)
	}
	r := random{rand.New(rand.NewPCG(seed, 5))}
	for _, text := range someQueries {
		q := Query{Asker: a, Text: text, Filter: r.filter(), Facets: Facets, Limit: 1 + r.IntN(5)}
		for page := 0; page == 0 || q.After != ""; page++ {
			result, err := ix.Search(t.Context(), q)
			put(fmt.Sprintf("search %q %d, page %d", text, q.Limit, page), result, err)
			q.After = result.Next
		}
	}
	for _, text := range []string{"win", "wimd", "sollar", "ocaen", "xyz", "solarr", "mil"} {
		s, err := ix.Suggest(t.Context(), a, text, 20)
		put("suggest "+text, s, err)
	}
	for _, node := range someNodes {
		for _, name := range someNames {
			l, err := ix.Similar(t.Context(), a, ID{Node: node, Name: name}, 4)
			put(fmt.Sprintf("similar %s/%s", node, name), l, err)
		}
	}
	return all
}

func openTest(t testing.TB) *Index {
	t.Helper()
	ix, err := Open(t.TempDir(), Options{Disk: lazyDisk})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ix.Close() })
	return ix
}

func apply(t testing.TB, ix *Index, b Batch) {
	t.Helper()
	if err := ix.Apply(context.Background(), b); err != nil {
		t.Fatal(err)
	}
}

// worldOf is documents as they are after some history.
type worldOf map[ID]Document

// history makes random changes to an index and to what should be in it.
func (w worldOf) history(t *testing.T, r random, ix *Index, batches int) {
	t.Helper()
	for range batches {
		var b Batch
		for range r.IntN(12) {
			b.Put = append(b.Put, r.document())
		}
		if r.IntN(3) == 0 {
			id := r.document().ID()
			if r.IntN(2) == 0 {
				id.Version = ""
			}
			b.Delete = append(b.Delete, id)
		}
		if r.IntN(20) == 0 {
			b.Delete = append(b.Delete, ID{Node: pick(r, someNodes)})
		}
		for _, id := range b.Delete {
			for other := range w {
				if other.Node == id.Node && (id.Name == "" || id.Name == other.Name) && (id.Version == "" || id.Version == other.Version) {
					delete(w, other)
				}
			}
		}
		for _, d := range b.Put {
			w[d.ID()] = d
		}
		apply(t, ix, b)
		if r.IntN(10) == 0 {
			ix.Settle()
		}
	}
}

// fill puts documents into an index, in an order and in batches of its own.
func fill(t testing.TB, r random, ix *Index, docs []Document) {
	t.Helper()
	slices.SortFunc(docs, byID)
	r.Shuffle(len(docs), func(i, j int) { docs[i], docs[j] = docs[j], docs[i] })
	for len(docs) > 0 {
		n := min(len(docs), 1+r.IntN(40))
		apply(t, ix, Batch{Put: docs[:n]})
		docs = docs[n:]
	}
}

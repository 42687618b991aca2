package search

import (
	"encoding/json"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/catalog/find"
	"github.com/opengenesis/genesis/internal/journal/disk"
)

// FuzzReadAnswer: whatever a node answers is refused, or can be searched, and is of it
// alone.
func FuzzReadAnswer(f *testing.F) {
	box := &genesis.Box{West: 170, South: -10, East: -170, North: 10}
	l := genesis.Listing{Format: genesis.ListingFormat, Node: "nrel", Name: "~ada/turbines", Version: genesis.DigestOf(nil), Number: 3, Kind: genesis.Model, Title: "Wind", Place: box,
		Variables: []genesis.Listed{{Name: "wind_speed", Unit: "m/s"}}, Inputs: []string{"turbines@1"}}
	text, err := json.Marshal(genesis.SearchResult{Total: 2, Hits: []genesis.Hit{{Listing: l}, {Listing: l}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"hits":[{"listing":{"format":1,"node":"nrel","name":"a","version":"sha256:0","kind":"dataset","start":"0000-01-01T00:00:00Z"}}],"total":-1}`))
	f.Add([]byte(`{"hits":null}`))
	ix, err := find.Open(f.TempDir(), find.Options{Disk: &disk.Faulty{Disk: disk.OS, Lazy: true}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { ix.Close() })
	f.Fuzz(func(t *testing.T, text []byte) {
		docs, total, err := readAnswer("nrel", text)
		if err != nil {
			return
		}
		for _, d := range docs {
			if d.Node != "nrel" || len(d.Classes) > 0 {
				t.Fatalf("%+v is taken", d)
			}
		}
		r, err := ix.SearchWith(t.Context(), find.Query{Facets: find.Facets}, docs)
		if err != nil || r.Total > len(docs) || total < 0 {
			t.Fatalf("%d of %d are found, %v", r.Total, len(docs), err)
		}
	})
}

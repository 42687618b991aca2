//go:build linux || darwin

package node

import (
	"database/sql"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal"
)

var figures = flag.Int("figures", 0, "measure a federation with a log of so many entries: what test/bench -only federation prints")

// TestFederationFigures measures how fast one node mirrors another, over HTTP with
// sessions and signed requests as always, and how the traffic grows with the number of
// nodes.
func TestFederationFigures(t *testing.T) {
	if *figures == 0 {
		t.Skip("-figures says with how many entries")
	}
	c := newCluster(t, "nrel")
	began := time.Now()
	said := c.states("nrel", *figures)
	figure("stated", float64(*figures)/time.Since(began).Seconds(), "records/s")
	var requests, bytes atomic.Int64
	c.lies("nrel", counting(&requests, &bytes))
	c.start("mit") // now, so that it has mirrored nothing yet
	before := c.sizeOf("mit")
	began = time.Now()
	c.join("mit")
	c.refresh("nrel")
	c.refresh("mit")
	c.towns["mit"].works.mirror.Nudge("nrel")
	var most runtime.MemStats
	for int(c.followed("mit", "nrel", genesis.ClassPublic).Listings) < *figures {
		if time.Since(began) > time.Hour {
			t.Fatal("it takes more than an hour")
		}
		var now runtime.MemStats
		if runtime.ReadMemStats(&now); now.HeapAlloc > most.HeapAlloc {
			most = now
		}
		time.Sleep(100 * time.Millisecond)
	}
	took := time.Since(began)
	figure("entries", float64(*figures), "")
	figure("mirrored", float64(*figures)/took.Seconds(), "records/s")
	figure("took", took.Seconds(), "s")
	figure("listing", float64(said)/float64(*figures), "bytes")
	figure("network", float64(bytes.Load())/float64(*figures), "bytes/record")
	figure("requests", float64(requests.Load()), "")
	figure("heap", float64(most.HeapAlloc)/(1<<20), "MiB") // of both nodes
	mit := c.towns["mit"].works
	for total := 0; total < *figures; time.Sleep(100 * time.Millisecond) {
		page, err := mit.Search(t.Context(), c.towns["mit"].local, genesis.SearchQuery{Local: true, Limit: 1})
		if err != nil || time.Since(began) > time.Hour {
			t.Fatal(page, err)
		}
		total = page.Total
	}
	figure("found", float64(*figures)/time.Since(began).Seconds(), "records/s")
	if err := c.towns["mit"].works.db.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	figure("disk", float64(c.sizeOf("mit")-before)/float64(*figures), "bytes/record")
	for _, nodes := range []int{2, 5, 10, 20} {
		if testing.Short() {
			break
		}
		g := grow(t, nodes)
		figure(fmt.Sprintf("nodes-%d", nodes), float64(nodes), "")
		figure(fmt.Sprintf("nodes-%d-listings", nodes), float64(g.listings), "")
		figure(fmt.Sprintf("nodes-%d-took", nodes), g.took.Seconds(), "s")
		figure(fmt.Sprintf("nodes-%d-requests", nodes), float64(g.requests), "")
		figure(fmt.Sprintf("nodes-%d-bytes", nodes), float64(g.bytes), "")
		figure(fmt.Sprintf("nodes-%d-search", nodes), float64(g.search.Milliseconds()), "ms")
		figure(fmt.Sprintf("nodes-%d-there", nodes), float64(g.there.Milliseconds()), "ms")
	}
}

func figure(name string, value float64, unit string) {
	fmt.Printf("figure %s %g %s\n", name, value, unit)
}

// sizeOf is how long the database of a node is.
func (c *cluster) sizeOf(id genesis.NodeID) (size int64) {
	for _, name := range []string{"catalog.db", "catalog.db-wal"} {
		if info, err := os.Stat(filepath.Join(c.towns[id].node.home.Path, name)); err == nil {
			size += info.Size()
		}
	}
	return size
}

// states has a node state so many public versions, as if it had them, and returns how long
// the listings are.
func (c *cluster) states(id genesis.NodeID, n int) (said int64) {
	c.Helper()
	w := c.towns[id].works
	const chunk = 1000
	for from := 0; from < n; from += chunk {
		err := w.db.Tx(c.Context(), func(tx *sql.Tx) error {
			for i := from; i < min(from+chunk, n); i++ {
				l := usualListing(id, i)
				text, err := genesis.CanonicalJSON(l)
				if err != nil {
					return err
				}
				said += int64(len(text))
				terms := genesis.Terms{Format: genesis.TermsFormat, Tier: genesis.TierPublic, By: "local", At: l.Published}
				if err := w.Access.SetTerms(c.Context(), tx, l.Name, l.Version, terms); err != nil {
					return err
				}
				p := journal.Presence{Name: l.Name, Version: l.Version, Leaves: journal.StatedHide, Listings: map[genesis.Class][]byte{genesis.ClassPublic: text}}
				if err := journal.Restate(c.Context(), tx, p); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			c.Fatal(err)
		}
	}
	c.settle(id)
	return said
}

// usualListing is one as a dataset of twenty columns has it.
func usualListing(node genesis.NodeID, i int) genesis.Listing {
	name := genesis.Name(fmt.Sprintf("measured-%07d", i))
	l := genesis.Listing{Format: genesis.ListingFormat, Node: node, Name: name, Version: genesis.DigestOf([]byte(name)), Number: 1, Kind: genesis.Dataset,
		Title: "Measurements of " + string(name), Description: strings.Repeat("What was measured, and how. ", 12),
		Keywords: []string{"wind", "scada", "power"}, Creators: []string{"Ada Lovelace", "Grace Hopper"}, Field: "energy", License: "CC-BY-4.0",
		Tier: genesis.TierPublic, Rows: 50_000, Bytes: 4 << 20, Published: time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC), Ready: &genesis.Ready{Passed: 25, Failed: 3}}
	for k := range 20 {
		l.Variables = append(l.Variables, genesis.Listed{Name: fmt.Sprintf("column-%02d", k), Unit: "kW", Role: genesis.Feature})
	}
	return l
}

//go:build linux || darwin

package node

import (
	"database/sql"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/federation/mirror"
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
	held, said := c.states("nrel", *figures)
	figure("stated", float64(*figures)/time.Since(began).Seconds(), "records/s")
	var requests, bytes atomic.Int64
	c.lies("nrel", counting(&requests, &bytes))
	c.start("mit") // now, so that it has mirrored nothing yet
	before := c.sizeOf("mit")
	began = time.Now()
	used := processor()
	c.join("mit")
	c.refresh("nrel")
	c.refresh("mit")
	c.towns["mit"].works.mirror.Nudge("nrel")
	var most runtime.MemStats
	for s := (mirror.Status{}); int(s.Listings) != held || s.Applied < s.Size; s = c.followed("mit", "nrel", genesis.ClassPublic) { // which counts: seldom
		if time.Since(began) > time.Hour {
			t.Fatal("it takes more than an hour")
		}
		var now runtime.MemStats
		if runtime.ReadMemStats(&now); now.HeapAlloc > most.HeapAlloc {
			most = now
		}
		time.Sleep(500 * time.Millisecond)
	}
	took := time.Since(began)
	figure("entries", float64(*figures), "")
	figure("mirrored", float64(*figures)/took.Seconds(), "records/s")
	figure("took", took.Seconds(), "s")
	figure("listing", float64(said)/float64(held), "bytes")
	figure("listings", float64(held), "")
	figure("network", float64(bytes.Load())/float64(*figures), "bytes/record")
	figure("requests", float64(requests.Load()), "")
	figure("heap", float64(most.HeapAlloc)/(1<<20), "MiB") // of both nodes
	mit := c.towns["mit"].works
	for total := -1; total != held; time.Sleep(time.Second) {
		page, err := mit.Search(t.Context(), c.towns["mit"].local, genesis.SearchQuery{Local: true, Limit: 1})
		if err != nil || time.Since(began) > time.Hour {
			t.Fatal(page, err)
		}
		total = page.Total
	}
	figure("found", float64(*figures)/time.Since(began).Seconds(), "records/s")
	figure("processor", float64((processor()-used).Microseconds())/float64(*figures), "µs/record") // of both nodes, with the index
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

// processor is the processor time of this process until now, of all its cores.
func processor() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
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

// states has a node make so many statements about public versions, as a year has them: of
// ten one says another thing of a version that was stated before, of fifty one takes it
// back. It returns how many hold, and how long their listings are.
func (c *cluster) states(id genesis.NodeID, n int) (held int, said int64) {
	c.Helper()
	w := c.towns[id].works
	long := map[genesis.Name]int64{} // what holds
	const chunk = 1000
	for from := 0; from < n; from += chunk {
		err := w.db.Tx(c.Context(), func(tx *sql.Tx) error {
			for i := from; i < min(from+chunk, n); i++ {
				of, again := i, i%10 == 9
				if again {
					of -= 5
				}
				l := usualListing(id, of)
				if again {
					l.Title += ", corrected"
				}
				text, err := genesis.CanonicalJSON(l)
				if err != nil {
					return err
				}
				p := journal.Presence{Name: l.Name, Version: l.Version, Leaves: journal.StatedHide, Listings: map[genesis.Class][]byte{genesis.ClassPublic: text}}
				if long[l.Name] = int64(len(text)); i%50 == 49 {
					p.Listings = nil
					delete(long, l.Name)
				}
				terms := genesis.Terms{Format: genesis.TermsFormat, Tier: genesis.TierPublic, By: "local", At: l.Published}
				if err := w.Access.SetTerms(c.Context(), tx, l.Name, l.Version, terms); err != nil {
					return err
				}
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
	for _, n := range long {
		said += n
	}
	return len(long), said
}

// usualListing is one as datasets have it, of four to forty columns, with words that
// differ.
func usualListing(node genesis.NodeID, i int) genesis.Listing {
	d := rand.New(rand.NewPCG(uint64(i), 1))
	some := func(n int, of ...string) (words []string) {
		for range n {
			words = append(words, of[d.IntN(len(of))])
		}
		return words
	}
	subject := some(2, "wind", "solar", "battery", "concrete", "perovskite", "turbine", "catalyst", "reactor", "aquifer", "proteome", "alloy", "plasma", "soil", "glacier", "beamline")
	name := genesis.Name(fmt.Sprintf("%s-%07d", strings.Join(subject, "-"), i))
	l := genesis.Listing{Format: genesis.ListingFormat, Node: node, Name: name, Version: genesis.DigestOf([]byte(name)), Number: 1, Kind: genesis.Dataset,
		Title:    fmt.Sprintf("%s of the %s, campaign %d", strings.Join(some(2, "Measurements", "Simulations", "Time series", "Spectra", "Images"), " and "), strings.Join(subject, " "), i),
		Keywords: some(4, "scada", "power", "density", "strength", "temperature", "sensor", "benchmark", "long-term"), Creators: []string{"Ada Lovelace", "Grace Hopper"},
		Field: some(1, "energy", "materials", "climate", "biology")[0], License: "CC-BY-4.0", Tier: genesis.TierPublic,
		Rows: 1 + d.Int64N(1e7), Bytes: 1 + d.Int64N(1e10), Published: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC).AddDate(0, 0, d.IntN(300)), Ready: &genesis.Ready{Passed: d.IntN(28), Failed: 3}}
	l.Description = "What was measured, how, and what is known to be wrong with it. " + strings.Join(some(20+d.IntN(60), "station", "height", "calibrated", "against", "reference", "gap", "flagged", "hourly", "mean", "of"), " ")
	for k := range 4 + d.IntN(37) {
		l.Variables = append(l.Variables, genesis.Listed{Name: fmt.Sprintf("%s_%d", some(1, "speed", "power", "voltage", "flow", "mass", "angle")[0], k), Unit: some(1, "kW", "m/s", "V", "kg", "degC", "")[0], Role: genesis.Feature})
	}
	return l
}

package mirror

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal"

	"database/sql"
)

// BenchmarkMirror mirrors a log of 20,000 listings of a usual length into an empty
// database, over no network, and reports listings per second and bytes of the database
// for each.
func BenchmarkMirror(b *testing.B) {
	const n = 20_000
	o := startOther(b, b.TempDir())
	said := int64(0)
	for chunk := range n / 1000 {
		err := o.db.Tx(context.Background(), func(tx *sql.Tx) error {
			for _, name := range names(string(rune('a'+chunk)), 1000) {
				l := usual(name)
				text, err := genesis.CanonicalJSON(l)
				if err != nil {
					return err
				}
				said += int64(len(text))
				p := journal.Presence{Name: name, Version: versionOf(name), Leaves: journal.StatedHide, Listings: map[genesis.Class][]byte{"public": text}}
				if err := journal.Restate(context.Background(), tx, p); err != nil {
					return err
				}
			}
			return nil
		})
		if err == nil {
			err = o.Settle(context.Background())
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	member := o.member()
	var spent time.Duration
	var size int64
	rounds := 0
	for b.Loop() {
		h := startHere(b)
		began := time.Now()
		if err := h.look(member, o); err != nil {
			b.Fatal(err)
		}
		spent += time.Since(began)
		rounds++
		if got := h.standing("public").Listings; got != n {
			b.Fatalf("%d are mirrored", got)
		}
		if err := h.cfg.DB.Flush(context.Background()); err != nil {
			b.Fatal(err)
		}
		info, err := os.Stat(h.dir + "/catalog.db")
		if err != nil {
			b.Fatal(err)
		}
		size = info.Size()
	}
	b.ReportMetric(float64(n*rounds)/spent.Seconds(), "records/s")
	b.ReportMetric(float64(size)/n, "bytes/record")
	b.ReportMetric(float64(said)/n, "listing-bytes")
	b.ReportMetric(0, "ns/op")
}

// usual is a listing as a dataset of twenty columns has it.
func usual(name genesis.Name) genesis.Listing {
	l := listing(name, "Measurements of "+string(name))
	l.Description = strings.Repeat("What was measured, and how. ", 12)
	l.Keywords, l.Creators = []string{"wind", "scada", "power"}, []string{"Ada Lovelace", "Grace Hopper"}
	l.Field, l.License, l.Tier, l.Rows, l.Bytes = "energy", "CC-BY-4.0", genesis.TierPublic, 50_000, 4<<20
	l.Published = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	l.Ready = &genesis.Ready{Passed: 25, Failed: 3}
	for _, c := range names("column", 20) {
		l.Variables = append(l.Variables, genesis.Listed{Name: string(c), Unit: "kW", Role: genesis.Feature})
	}
	return l
}

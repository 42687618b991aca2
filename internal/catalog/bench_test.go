package catalog

import (
	"database/sql"
	"flag"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

var benchAssets = flag.Int("assets", 20_000, "assets that the benchmarks of lists have")

// benchHome has many assets of ten columns each, some with several versions.
func benchHome(b *testing.B) home {
	b.Helper()
	h := open(b)
	random := rand.New(rand.NewPCG(1, 2))
	start, id := time.Now(), int64(0)
	for asset := 1; asset <= *benchAssets; {
		err := h.db.Tx(b.Context(), func(tx *sql.Tx) error {
			w := writer{ctx: b.Context(), tx: tx, by: "local", now: time.Now()}
			for end := asset + 1000; asset <= *benchAssets && asset < end; asset++ {
				if err := addAsset(w, asset, &id, random); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.Logf("%d assets added in %v", *benchAssets, time.Since(start).Round(time.Millisecond))
	return h
}

// addAsset adds an asset of one to three versions.
func addAsset(w writer, asset int, id *int64, random *rand.Rand) error {
	name := genesis.Name(fmt.Sprintf("asset%d-word%d", asset, random.IntN(1000)))
	key, err := w.asset(name, genesis.Dataset)
	if err != nil {
		return err
	}
	for n := range 1 + random.IntN(3) {
		*id++
		r := row{id: *id, asset: key, turn: *id, title: fmt.Sprintf("Title word%d", random.IntN(1000))}
		r.Version = genesis.Version{Name: name, Kind: genesis.Dataset, Digest: genesis.DigestOf(fmt.Append(nil, *id)),
			State: genesis.Published, Number: n + 1, Created: time.UnixMicro(*id), Creator: "local"}
		if err := w.put(&r); err != nil {
			return err
		}
	}
	return nil
}

// hiding returns a predicate that hides a share of all assets, as fast as a cached
// decision.
func hiding(percent uint64) Visible {
	if percent == 0 {
		return func(genesis.Version) bool { return true }
	}
	return func(v genesis.Version) bool {
		var h uint64 = 14695981039346656037
		for _, c := range []byte(v.Name) {
			h = (h ^ uint64(c)) * 1099511628211
		}
		return (h>>20)%100 >= percent
	}
}

func BenchmarkVisible(b *testing.B) {
	h := benchHome(b)
	for _, hidden := range []uint64{0, 50, 99, 100} {
		visible := hiding(hidden)
		b.Run(fmt.Sprintf("List/hidden=%d", hidden), func(b *testing.B) {
			after, pages := "", 0
			for b.Loop() {
				_, next, err := h.List(b.Context(), ListQuery{After: after, Visible: visible})
				if err != nil {
					b.Fatal(err)
				}
				after, pages = next, pages+1
			}
		})
		b.Run(fmt.Sprintf("Resolve/hidden=%d", hidden), func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				_, err := h.Resolve(b.Context(), genesis.Ref{Name: "asset123-word1"}, visible)
				if err != nil && genesis.KindOf(err) != genesis.NotFound {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkCommit adds versions to a catalogue that has many.
func BenchmarkCommit(b *testing.B) {
	h := benchHome(b)
	random, n := rand.New(rand.NewPCG(5, 6)), 0
	for b.Loop() {
		var columns []genesis.Column
		for range 10 {
			columns = append(columns, genesis.Column{Name: fmt.Sprintf("word%d_word%d", random.IntN(1000), random.IntN(1000)), Unit: "m/s"})
		}
		n++
		if _, _, err := h.Commit(b.Context(), commitOf(genesis.Name(fmt.Sprintf("new%d", n)), dataset("", columns...))); err != nil {
			b.Fatal(err)
		}
	}
}

package catalog

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

// BenchmarkSearch searches among 5,000 assets of ten columns each.
func BenchmarkSearch(b *testing.B) {
	h := open(b)
	const assets = 5_000
	random := rand.New(rand.NewPCG(1, 2))
	err := h.db.Tx(b.Context(), func(tx *sql.Tx) error {
		w := writer{ctx: b.Context(), tx: tx, by: "local", now: time.Now()}
		for i := range assets {
			if err := addAsset(w, i, random); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	for _, query := range []string{"word77", "word1", "word7 word8 word9", "asset123", "m/s"} {
		b.Run(query, func(b *testing.B) {
			for b.Loop() {
				if _, err := h.Search(b.Context(), SearchQuery{Text: query}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func addAsset(w writer, i int, random *rand.Rand) error {
	name := genesis.Name(fmt.Sprintf("asset%d", i))
	var columns []genesis.Column
	for range 10 {
		columns = append(columns, genesis.Column{Name: fmt.Sprintf("word%d_word%d", random.IntN(1000), random.IntN(1000)), Unit: "m/s"})
	}
	asset, err := w.asset(name, genesis.Dataset)
	if err != nil {
		return err
	}
	if _, err := w.version(asset, "sha256:", Commit{}); err != nil {
		return err
	}
	if err := w.exec("UPDATE assets SET current_version = (SELECT id FROM versions WHERE asset_id = $1) WHERE id = $1", asset); err != nil {
		return err
	}
	return w.index(asset, document(name, genesis.Card{Title: fmt.Sprintf("Title word%d", random.IntN(1000))}, dataset("", columns...)))
}

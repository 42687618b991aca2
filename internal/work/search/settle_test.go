package search

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/catalog"
	"github.com/opengenesis/genesis/internal/catalog/find"
	"github.com/opengenesis/genesis/internal/store"
)

// TestWhatOthersTakeBack: however much another node takes back, classes of this node's own
// versions may be gone by, and what is of this node is in the index before a search is
// answered.
func TestWhatOthersTakeBack(t *testing.T) {
	ctx := t.Context()
	db, err := store.Open(ctx, filepath.Join(t.TempDir(), "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s := New(Config{DB: db, Catalog: catalog.New(db, nil), Node: "mit", Dir: t.TempDir()})
	t.Cleanup(func() { s.Close() })
	if _, err := s.open(ctx); err != nil {
		t.Fatal(err)
	}
	for s.building(ctx) {
	}
	s.follows = true
	touch := func(u catalog.Urgency, node genesis.NodeID, n int) {
		err := db.Tx(context.Background(), func(tx *sql.Tx) error {
			for i := range n {
				if err := catalog.Touch(ctx, tx, u, find.ID{Node: node, Name: genesis.Name(fmt.Sprint("a", i)), Version: genesis.DigestOf(nil)}); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		own, others int
		exact       bool
		left        int // of this node's
	}{{0, 1, true, 0}, {0, 2 * most, true, 0}, {1, 2 * most, true, 0}, {2 * most, 0, false, 2 * most}} {
		touch(catalog.AtOnce, "", c.own)
		touch(catalog.TakenBack, "nrel", c.others)
		exact, err := s.settle(ctx, false)
		left, _, err2 := s.Catalog.Waiting(ctx, catalog.AtOnce, 3*most)
		if err != nil || err2 != nil || exact != c.exact || left != c.left {
			t.Errorf("%+v: %v, %d of this node wait; %v, %v", c, exact, left, err, err2)
		}
	}
}

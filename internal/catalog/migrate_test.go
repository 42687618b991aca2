package catalog

import (
	"database/sql"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/blob/file"
	"github.com/opengenesis/genesis/internal/catalog/find"
	"github.com/opengenesis/genesis/internal/store"
)

// oldHome makes a home as the program before row sums and visibility left it, with
// an asset of two published versions and a draft, and a model made from it.
func oldHome(t *testing.T) (dir string, versions []genesis.Version) {
	t.Helper()
	dir = t.TempDir()
	files, err := file.Open(filepath.Join(dir, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	do := func(stmt string, args ...any) {
		t.Helper()
		if _, err := db.Exec(stmt, args...); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"0001_catalog.sql", "0002_journal.sql"} {
		text, err := os.ReadFile(filepath.Join("..", "store", "migrations", name))
		if err != nil {
			t.Fatal(err)
		}
		up, _, _ := strings.Cut(string(text), "-- +goose Down")
		do(up)
	}
	do(`CREATE TABLE goose_db_version (id INTEGER PRIMARY KEY AUTOINCREMENT, version_id INTEGER NOT NULL, is_applied INTEGER NOT NULL,
		tstamp TIMESTAMP DEFAULT (datetime('now')))`)
	do("INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, 1), (1, 1), (2, 1)")
	do("INSERT INTO assets VALUES (1, 'wind', 'dataset', 'Second', 1000000, 2), (2, 'net', 'model', '', 4000000, 4)")
	manifests := []genesis.Manifest{dataset("1", genesis.Column{Name: "speed"}), dataset("2", genesis.Column{Name: "pressure"}),
		dataset("3"), {Format: 1, Kind: genesis.Model, Parts: map[string]genesis.Digest{"w": genesis.DigestOf(nil)}}}
	for i, m := range manifests {
		text, err := genesis.CanonicalJSON(m)
		if err != nil {
			t.Fatal(err)
		}
		b, err := blob.Open(files).Put(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		v := genesis.Version{Name: "wind", Kind: m.Kind, Digest: b.Digest, State: genesis.Published, Number: i + 1, Created: store.TimeAt(int64(i+1) * 1_000_000),
			Creator: "local", Rows: 10, Bytes: 100}
		asset, number := 1, any(v.Number)
		if i >= 2 {
			v.State, v.Number, number = genesis.Draft, 0, nil
		}
		if i == 3 {
			v.Name, asset = "net", 2
		}
		versions = append(versions, v)
		do("INSERT INTO versions VALUES ($1, $2, $3, $4, $5, $6, $7, 'local', 10, 100)", i+1, asset, string(v.Digest), number, string(v.State), i+1, store.Time(v.Created))
	}
	record := func(version, edition int, kind genesis.RecordKind, value any, superseded any) {
		text, err := json.Marshal(value)
		if err != nil {
			t.Fatal(err)
		}
		do("INSERT INTO records VALUES ($1, $2, $3, 1, $4, $5, 5, 'local', $6)", version, string(kind), edition, string(text), string(genesis.DigestOf(text)), superseded)
	}
	record(1, 1, genesis.RecordCard, genesis.Card{Title: "Old"}, 7)
	record(1, 2, genesis.RecordCard, genesis.Card{Title: "First"}, nil)
	record(2, 1, genesis.RecordCard, genesis.Card{Title: "Second"}, nil)
	record(2, 1, genesis.RecordLayout, genesis.Layout{Format: 1}, nil)
	do("INSERT INTO lineage VALUES (4, 2)")
	do("INSERT INTO search_terms VALUES (1, 'wind', 8)")
	do("INSERT INTO search_texts VALUES (1, 'name: wind')")
	return dir, versions
}

func TestMigration(t *testing.T) {
	dir, old := oldHome(t)
	files, err := file.Open(filepath.Join(dir, "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), filepath.Join(dir, "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close(); files.Close() })
	h := home{New(db, blob.Open(files)), dir}
	if _, err := h.blobs.Put(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	assets, _, err := h.List(t.Context(), ListQuery{})
	if err != nil || len(assets) != 2 || assets[1].Title != "Second" || *assets[1].Latest != old[1] || assets[1].Created != old[0].Created || *assets[0].Latest != old[3] {
		t.Errorf("listed %+v, %v", assets, err)
	}
	for _, v := range old {
		if got, err := h.Resolve(t.Context(), v.Ref(), nil); err != nil || got != v {
			t.Errorf("%s is %+v, %v", v.Ref(), got, err)
		}
		if damage, err := h.Verify(t.Context(), v); err != nil || damage != nil {
			t.Errorf("%s: %v, %v", v.Ref(), damage, err)
		}
	}
	err = db.Tx(t.Context(), func(tx *sql.Tx) error { // the index is another one, and filled anew
		for _, v := range old {
			if err := Touch(t.Context(), tx, AtOnce, find.ID{Name: v.Name, Version: v.Digest}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	second := func(v genesis.Version) bool { return v != old[1] }
	for query, want := range map[string]string{"pressure": "wind", "speed": "", "net": "net", "second": "wind"} {
		if hits, err := h.lookup(t, query, 0, nil); err != nil || names(hits) != want {
			t.Errorf("%q finds %v, %v", query, names(hits), err)
		}
	}
	if hits, err := h.lookup(t, "speed first", 0, second); err != nil || len(hits) != 1 || hits[0].Title != "First" {
		t.Errorf("an older version is found as %+v, %v", hits, err)
	}
	if history, err := h.History(t.Context(), old[0], genesis.RecordCard); err != nil || len(history) != 2 {
		t.Errorf("its card has history %v, %v", history, err)
	}
	if d, err := h.Describe(t.Context(), old[1], nil); err != nil || len(d.UsedBy) != 1 || d.Card.Title != "Second" {
		t.Errorf("described as %+v, %v", d, err)
	}
	if damage, err := h.Check(t.Context()); err != nil || damage != nil {
		t.Errorf("damage: %v, %v", damage, err)
	}
	if _, err := h.Publish(t.Context(), old[2], "local"); err != nil {
		t.Error(err)
	}
	if hits, err := h.lookup(t, "wind", 0, nil); err != nil || len(hits) != 1 || hits[0].Number != 3 {
		t.Errorf("after publishing: %+v, %v", hits, err)
	}
}

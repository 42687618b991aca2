package journal

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal/tile"
)

func idOf(t testing.TB, w Witnessed) string {
	t.Helper()
	var s Statement
	if err := json.Unmarshal(w.Text, &s); err != nil {
		t.Fatal(err)
	}
	return s.ID
}

func (h *home) stated(all ...Statement) *home {
	h.t.Helper()
	err := h.cfg.DB.Tx(h.t.Context(), func(tx *sql.Tx) error {
		for _, s := range all {
			if err := RecordPublic(h.t.Context(), tx, s); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return h
}

func card(i int) Statement {
	return Statement{ID: fmt.Sprintf("s%d", i), Time: noon, Name: "turbines", Version: "sha256:00", Record: "card", Digest: genesis.DigestOf([]byte{byte(i)})}
}

// TestStatements follows the catalogue log as a peer does: checkpoint, tiles,
// entries, and the statement of each with its salt.
func TestStatements(t *testing.T) {
	h := start(t, t.TempDir())
	h.stated(card(0), card(1), card(0)).settled().stated(card(1), card(2)).settled()
	h = h.again()
	log := h.Public()
	if log.Size() != 3 || log.Origin() != "nrel/catalog-public/1" {
		t.Fatalf("the log %s has %d statements", log.Origin(), log.Size())
	}
	bundle, err := log.Tile(-1, 0, 3)
	if err != nil {
		t.Fatal(err)
	}
	entries, _ := tile.SplitBundle(bundle, 3)
	all, err := h.Statements(t.Context(), 0, 10)
	if err != nil || len(all) != 3 {
		t.Fatal(all, err)
	}
	for i, w := range all {
		if err := CheckStatement(entries[i], w); err != nil || w.Place != int64(i) || idOf(t, w) != fmt.Sprintf("s%d", i) {
			t.Errorf("statement %d is %+v, %v", i, w, err)
		}
		w.Text = []byte(`{"name":"another"}`)
		if err := CheckStatement(entries[i], w); genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("another statement passes: %v", err)
		}
	}
	if v, err := h.VerifyPublic(t.Context(), nil); err != nil || v.Bad != -1 || v.Checked != 3 || v.Origin != log.Origin() {
		t.Errorf("verified %+v, %v", v, err)
	}
	if some, err := h.Statements(t.Context(), 1, 1); err != nil || len(some) != 1 || some[0].Place != 1 {
		t.Errorf("statements from 1 on are %+v, %v", some, err)
	}
}

func TestStatementEpochs(t *testing.T) {
	h := start(t, t.TempDir())
	if err := h.NewEpoch(t.Context(), "nothing in the catalogue log"); err != nil {
		t.Fatal(err)
	}
	h.stated(card(0)).settled()
	if err := h.NewEpoch(t.Context(), "restored"); err != nil {
		t.Fatal(err)
	}
	h.stated(card(1)).settled()
	h = h.again()
	log := h.Public()
	entries, err := log.Entries(0)
	if err != nil || len(entries) != 2 || log.Origin() != "nrel/catalog-public/2" {
		t.Fatalf("the log %s has %q, %v", log.Origin(), entries, err)
	}
	e, err := decodeCatalogue(entries[0])
	before := h.catalogue.log.all()[0].log
	if err != nil || e.Epoch == nil || *e.Epoch != (declaration{"nrel/catalog-public/1", before.Root().String(), 1}) {
		t.Errorf("the epoch begins with %s, %v", entries[0], err)
	}
	all, err := h.Statements(t.Context(), 0, 10)
	if err != nil || len(all) != 2 || all[1].Place != 2 || CheckStatement(entries[1], all[1]) != nil {
		t.Errorf("statements are %+v, %v", all, err)
	}
	if err := CheckStatement(entries[0], all[0]); err == nil {
		t.Error("a declaration passes for a statement")
	}
	if v, err := h.VerifyPublic(t.Context(), nil); err != nil || v.Bad != -1 || v.Checked != 3 {
		t.Errorf("verified %+v, %v", v, err)
	}
	err = h.private.db.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec("UPDATE statements SET salt = zeroblob(32) WHERE place = 2")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := h.VerifyPublic(t.Context(), nil); err != nil || v.Bad != 2 {
		t.Errorf("a changed statement: verified %+v, %v", v, err)
	}
}

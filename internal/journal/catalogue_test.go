package journal

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal/tile"
)

// stated states in the log of what everybody may know of, as it comes.
func (h *home) stated(all ...Statement) *home {
	h.t.Helper()
	err := h.cfg.DB.Tx(h.t.Context(), func(tx *sql.Tx) error {
		for _, s := range all {
			if err := (Presence{}).record(h.t.Context(), tx, genesis.ClassPublic, s); err != nil {
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
	return Statement{ID: fmt.Sprintf("s%d", i), Time: noon, Name: "turbines", Version: genesis.DigestOf(nil), Record: StatedListing, Digest: genesis.DigestOf([]byte{byte(i)}), Thread: "t"}
}

// present makes a version what it is said to be: a listing by class.
func (h *home) present(name genesis.Name, leaves string, listings map[genesis.Class]string) *home {
	h.t.Helper()
	p := Presence{Name: name, Version: genesis.DigestOf([]byte(name)), Leaves: leaves, Listings: map[genesis.Class][]byte{}}
	for c, text := range listings {
		p.Listings[c] = []byte(text)
	}
	if err := h.cfg.DB.Tx(h.t.Context(), func(tx *sql.Tx) error { return Restate(h.t.Context(), tx, p) }); err != nil {
		h.t.Fatal(err)
	}
	return h.settled()
}

// tells is what the log of a class tells now: "0 listing turbines {…}", "1" of what does
// not hold.
func (h *home) tells(c genesis.Class) (all []string) {
	h.t.Helper()
	told, size, err := h.Statements(h.t.Context(), c, 0, 1000)
	if err != nil || int64(len(told)) != size {
		h.t.Fatal(told, size, err)
	}
	places := map[string]int64{}
	for i, t := range told {
		line := fmt.Sprint(t.Place)
		if t.Holds() {
			places[t.Statement.ID] = t.Place
			line += " " + strings.TrimSpace(fmt.Sprintf("%s %s %s", t.Statement.Record, t.Statement.Name, t.Listing))
		}
		if all = append(all, line); t.Place != int64(i) {
			h.t.Errorf("place %d stands at %d", t.Place, i)
		}
	}
	return all
}

func (h *home) verified(checked int64) *home {
	h.t.Helper()
	if v, err := h.VerifyCatalogue(h.t.Context(), nil); err != nil || v.Bad != -1 || v.Checked != checked {
		h.t.Errorf("verified %+v, %v; want %d checked", v, err, checked)
	}
	return h
}

// TestRestate: what enters a class is stated, what leaves it is ended, and nothing twice;
// what does not hold is told by its place alone.
func TestRestate(t *testing.T) {
	h := start(t, t.TempDir())
	h.present("turbines", StatedHide, map[genesis.Class]string{"to-mit": "m1", "to-acme": "m1"})
	h.present("turbines", StatedHide, map[genesis.Class]string{"to-mit": "m1", "to-acme": "m1"})
	h.present("turbines", StatedHide, map[genesis.Class]string{"to-mit": "m2"})
	h.present("turbines", StatedHide, map[genesis.Class]string{"public": "p1"})
	h.present("sun", StatedHide, map[genesis.Class]string{"public": "s1"})
	h = h.again()
	for c, want := range map[genesis.Class][]string{
		"to-mit":  {"0", "1", "2 hide"},
		"to-acme": {"0", "1 hide"},
		"public":  {"0 listing turbines p1", "1 listing sun s1"},
	} {
		if diff := cmp.Diff(want, h.tells(c)); diff != "" {
			t.Errorf("%s (-want +told):\n%s", c, diff)
		}
	}
	if _, _, err := h.Statements(t.Context(), "to-nrel", 0, 10); genesis.KindOf(err) != genesis.NotFound {
		t.Errorf("a log that is not there: %v", err)
	}
	h.present("turbines", StatedErased, nil).present("sun", StatedGone, nil)
	if diff := cmp.Diff([]string{"0", "1", "2 erase", "3 withdraw"}, h.tells("public")); diff != "" {
		t.Error(diff)
	}
	var left int
	if err := h.cfg.DB.Read().QueryRow("SELECT (SELECT count(*) FROM listed) + (SELECT count(*) FROM listings)").Scan(&left); err != nil || left != 0 {
		t.Errorf("%d rows are left of what is not stated, %v", left, err)
	}
	h.verified(9)
	var classes []string
	for _, l := range h.Logs() {
		classes = append(classes, fmt.Sprintf("%s %s %d", l.Class, l.Epochs[0].Origin, l.Epochs[0].Size))
	}
	if diff := cmp.Diff([]string{"public nrel/catalog-public/1 4", "to-acme nrel/catalog-to-acme/1 2", "to-mit nrel/catalog-to-mit/1 3"}, classes); diff != "" {
		t.Error(diff)
	}
}

// TestEndsTellNothing: the texts that whoever comes later is told of what was hidden name
// neither it nor its version.
func TestEndsTellNothing(t *testing.T) {
	h := start(t, t.TempDir())
	h.present("secret-name", StatedHide, map[genesis.Class]string{"members": "x"}).present("secret-name", StatedHide, nil)
	told, _, err := h.Statements(t.Context(), "members", 0, 10)
	if err != nil || len(told) != 2 || told[0].Holds() || told[0].Salt != nil || !told[1].Holds() {
		t.Fatal(told, err)
	}
	for _, word := range []string{"secret", genesis.DigestOf([]byte("secret-name")).Hex(), genesis.DigestOf([]byte("x")).Hex()} {
		if strings.Contains(string(told[1].Text), word) {
			t.Errorf("%s tells %q", told[1].Text, word)
		}
	}
}

// TestDestroy: nothing tells any more what was stated of a version, in any class, and the
// logs hold.
func TestDestroy(t *testing.T) {
	h := start(t, t.TempDir())
	both := map[genesis.Class]string{"public": "a-listing", "to-mit": "another"}
	h.present("spilt", StatedErased, both).present("kept", StatedErased, both).present("spilt", StatedErased, nil)
	h.present("~ada/net", StatedErased, both).present("~ada/net", StatedErased, nil)
	if err := h.Destroy(t.Context(), "spilt", genesis.DigestOf([]byte("spilt"))); err != nil {
		t.Fatal(err)
	}
	if err := h.Forget(t.Context(), "nrel/ada"); err != nil {
		t.Fatal(err)
	}
	h = h.again().verified(10)
	for _, file := range []string{"journal/private.db", "journal/private.db-wal", "catalog.db", "catalog.db-wal"} {
		b, err := os.ReadFile(filepath.Join(h.dir, file))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		if strings.HasPrefix(file, "journal") && (strings.Contains(string(b), `"name":"spilt"`) || strings.Contains(string(b), `"name":"~ada/`)) {
			t.Errorf("%s names what was destroyed", file)
		}
	}
	if diff := cmp.Diff([]string{"0", "1 listing kept a-listing", "2 erase", "3", "4 erase"}, h.tells("public")); diff != "" {
		t.Error(diff)
	}
}

// TestStatements follows the catalogue log as a peer does: checkpoint, tiles,
// entries, and the statement of each with its salt.
func TestStatements(t *testing.T) {
	h := start(t, t.TempDir())
	h.stated(card(0), card(1), card(0)).settled().stated(card(1), card(2)).settled()
	h = h.again()
	log, err := h.Log(genesis.ClassPublic, 1)
	if err != nil || log.Size() != 3 || log.Origin() != "nrel/catalog-public/1" {
		t.Fatalf("the log %s has %d statements, %v", log.Origin(), log.Size(), err)
	}
	bundle, err := log.Tile(-1, 0, 3)
	if err != nil {
		t.Fatal(err)
	}
	entries, _ := tile.SplitBundle(bundle, 3)
	all, err := h.catalogues.find("catalog-public").kept(t.Context(), 0, 10)
	if err != nil || len(all) != 3 {
		t.Fatal(all, err)
	}
	for i, w := range all {
		s, err := ReadStatement(w.Text)
		if err != nil || CheckStatement(entries[i], w.Witnessed) != nil || w.Place != int64(i) || s.ID != fmt.Sprintf("s%d", i) {
			t.Errorf("statement %d is %+v, %v", i, w, err)
		}
		w.Text = []byte(`{"name":"another"}`)
		if err := CheckStatement(entries[i], w.Witnessed); genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("another statement passes: %v", err)
		}
	}
	h.verified(3)
}

func TestStatementEpochs(t *testing.T) {
	h := start(t, t.TempDir())
	if err := h.NewEpoch(t.Context(), "nothing in the catalogue log"); err != nil {
		t.Fatal(err)
	}
	h.present("turbines", StatedHide, map[genesis.Class]string{"public": "1", "to-mit": "1"})
	if err := h.NewEpoch(t.Context(), "restored"); err != nil {
		t.Fatal(err)
	}
	h.present("turbines", StatedHide, map[genesis.Class]string{"public": "2", "to-mit": "1"})
	h = h.again()
	log, err := h.Log(genesis.ClassPublic, 2)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := log.Entries(0)
	if err != nil || len(entries) != 2 || log.Origin() != "nrel/catalog-public/2" {
		t.Fatalf("the log %s has %q, %v", log.Origin(), entries, err)
	}
	d, err := ReadDeclared(entries[0])
	before, _ := h.Log(genesis.ClassPublic, 1)
	if err != nil || d == nil || *d != (Declared{"nrel/catalog-public/1", 1, before.Root()}) {
		t.Errorf("the epoch begins with %s, %v", entries[0], err)
	}
	if diff := cmp.Diff([]string{"0", "1", "2 listing turbines 2"}, h.tells("public")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"0 listing turbines 1", "1"}, h.tells("to-mit")); diff != "" {
		t.Error(diff)
	}
	h.verified(5)
	err = h.private.db.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec("UPDATE statements SET salt = zeroblob(32) WHERE place = 0 AND log = 'catalog-to-mit'")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if v, err := h.VerifyCatalogue(t.Context(), nil); err != nil || v.Bad != 0 || v.Origin != "nrel/catalog-to-mit/1" {
		t.Errorf("a changed statement: verified %+v, %v", v, err)
	}
}

// TestRenamedNode: the logs of a node that gets another name go on under it; one in which
// nothing stands is begun under it.
func TestRenamedNode(t *testing.T) {
	h := start(t, t.TempDir(), func(c *Config) { c.Node = "local" })
	h.present("turbines", StatedHide, map[genesis.Class]string{"members": "1"})
	h = h.again()
	var origins []string
	for range 2 {
		origins = nil
		for _, l := range h.Logs() {
			for _, e := range l.Epochs {
				origins = append(origins, fmt.Sprint(e.Origin, " ", e.Size))
			}
		}
		h = h.again()
	}
	if diff := cmp.Diff([]string{"local/catalog-members/1 1", "nrel/catalog-members/2 1", "nrel/catalog-public/1 0"}, origins); diff != "" {
		t.Error(diff)
	}
	h.verified(2)
}

// TestTornStatements: a statement that reached its log and is still in the outbox, after a
// crash, is not stated twice.
func TestTornStatements(t *testing.T) {
	h := start(t, t.TempDir())
	h.present("turbines", StatedHide, map[genesis.Class]string{"to-mit": "1"})
	told, _, err := h.Statements(t.Context(), "to-mit", 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	h.stop()
	again := start(t, h.dir)
	err = again.cfg.DB.Tx(t.Context(), func(tx *sql.Tx) error {
		return put(t.Context(), tx, "catalog-to-mit", told[0].Statement.ID, told[0].Text)
	})
	if err != nil {
		t.Fatal(err)
	}
	again.settled()
	if diff := cmp.Diff([]string{"0 listing turbines 1"}, again.tells("to-mit")); diff != "" {
		t.Error(diff)
	}
}

func FuzzReadStatement(f *testing.F) {
	text, err := genesis.CanonicalJSON(card(0))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"ends":"a","id":"b","record":"hide","time":"2027-01-31T12:00:00Z"}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := ReadStatement(text)
		if err == nil && s.Record == StatedListing && (s.Name == "" || s.Digest == "" || s.ID == "") || err == nil && s.Record == "" {
			t.Errorf("%q is read as %+v", text, s)
		}
		if _, err := ReadDeclared(text); err != nil && genesis.KindOf(err) != genesis.Invalid && genesis.KindOf(err) != genesis.Unsupported {
			t.Error(err)
		}
	})
}

package catalog

import (
	"context"
	"database/sql"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/blob/file"
	"github.com/opengenesis/genesis/internal/store"
)

// home is a catalogue in a folder of its own.
type home struct {
	*Catalog
	dir string
}

func open(t testing.TB) home {
	t.Helper()
	dir := t.TempDir()
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
	if _, err := h.blobs.Put(t.Context(), nil); err != nil { // a part of the models in these tests
		t.Fatal(err)
	}
	return h
}

// dataset returns a manifest of one table with these columns. Other content
// makes another version.
func dataset(content string, columns ...genesis.Column) genesis.Manifest {
	t := genesis.ManifestTable{Name: "data", Rows: 10}
	for _, c := range append(columns, genesis.Column{Name: "value", Type: genesis.Float, Role: genesis.Feature}) {
		t.Columns = append(t.Columns, genesis.ManifestColumn{Column: c, Digest: genesis.DigestOf([]byte(content))})
	}
	return genesis.Manifest{Format: genesis.ManifestFormat, Kind: genesis.Dataset, Tables: []genesis.ManifestTable{t}}
}

func commitOf(name genesis.Name, m genesis.Manifest) Commit {
	return Commit{Name: name, Kind: m.Kind, Manifest: m, By: "local", Rows: 10, Bytes: 100,
		Layout: genesis.Layout{Format: 1}}
}

func (h home) mustCommit(t testing.TB, in Commit) genesis.Version {
	t.Helper()
	v, _, err := h.Commit(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// put stores a blob.
func (h home) put(t testing.TB, content string) genesis.Blob {
	t.Helper()
	b, err := h.blobs.Put(t.Context(), []byte(content))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func wantKind(t *testing.T, err error, kind genesis.ErrorKind) {
	t.Helper()
	if genesis.KindOf(err) != kind {
		t.Errorf("error is %v of kind %q, want kind %q", err, genesis.KindOf(err), kind)
	}
}

func TestCommitAndDescribe(t *testing.T) {
	h := open(t)
	in := commitOf("turbines", dataset("a"))
	mean := math.Pi
	profile := genesis.Profile{Format: 1, Tables: []genesis.TableProfile{{Name: "data", Columns: []genesis.ColumnProfile{{Name: "value", Mean: &mean}}}}}
	splits := []genesis.Split{{Name: "random", Seed: math.MaxUint64, Counts: map[string]int64{"train": 8}}}
	in.Layout.Tables = map[string][]genesis.LayoutFile{"data": {{Blob: h.put(t, "rows"), Rows: 10}}}
	in.Records = map[genesis.RecordKind]any{
		genesis.RecordCard:    genesis.Card{Title: "Wind turbines"},
		genesis.RecordRecipe:  "steps: []\n",
		genesis.RecordProfile: profile,
		genesis.RecordSplits:  splits,
	}
	v, unchanged, err := h.Commit(t.Context(), in)
	if err != nil || unchanged {
		t.Fatalf("commit gives unchanged %v, %v", unchanged, err)
	}
	manifest, err := genesis.CanonicalJSON(in.Manifest)
	if err != nil {
		t.Fatal(err)
	}
	want := genesis.Version{Name: "turbines", Kind: genesis.Dataset, Digest: genesis.DigestOf(manifest), State: genesis.Draft,
		Created: v.Created, Creator: "local", Rows: 10, Bytes: 100}
	if diff := cmp.Diff(want, v); diff != "" || v.Created.IsZero() {
		t.Errorf("version (-want +got):\n%s", diff)
	}
	got, err := h.Describe(t.Context(), v, nil)
	if err != nil {
		t.Fatal(err)
	}
	wantDescription := genesis.Description{Version: v, Manifest: in.Manifest, Card: genesis.Card{Title: "Wind turbines"},
		Recipe: "steps: []\n", Profile: &profile, Splits: splits, Versions: []genesis.Version{v}}
	if diff := cmp.Diff(wantDescription, got); diff != "" {
		t.Errorf("description (-want +got):\n%s", diff)
	}
	if layout, err := h.Layout(t.Context(), v); err != nil || !cmp.Equal(layout, in.Layout) {
		t.Errorf("layout is %+v, %v", layout, err)
	}
	wantKind(t, h.Record(t.Context(), v, genesis.RecordReport, new(genesis.ModelReport)), genesis.NotFound)
}

func TestCommitAgain(t *testing.T) {
	h := open(t)
	in := commitOf("turbines", dataset("a"))
	in.Records = map[genesis.RecordKind]any{genesis.RecordCard: genesis.Card{Title: "kept"}, genesis.RecordRecipe: "one"}
	first := h.mustCommit(t, in)
	h.mustCommit(t, commitOf("turbines", dataset("b")))

	in.Records = map[genesis.RecordKind]any{genesis.RecordRecipe: "two"}
	again, unchanged, err := h.Commit(t.Context(), in)
	if err != nil || !unchanged || again != first {
		t.Errorf("the same content again gives %+v, %v, %v, want %+v unchanged", again, unchanged, err, first)
	}
	d, err := h.Describe(t.Context(), first, nil)
	if err != nil || d.Recipe != "two" || d.Card.Title != "kept" || len(d.Versions) != 2 {
		t.Errorf("recipe %q, card %q, %d versions, %v", d.Recipe, d.Card.Title, len(d.Versions), err)
	}
	history, err := h.History(t.Context(), first, genesis.RecordRecipe)
	if err != nil || len(history) != 2 || string(history[0].Body) != `"two"` || string(history[1].Body) != `"one"` ||
		history[1].Superseded.IsZero() || !history[0].Superseded.IsZero() {
		t.Errorf("history is %+v, %v", history, err)
	}
	if cards, err := h.History(t.Context(), first, genesis.RecordCard); err != nil || len(cards) != 1 {
		t.Errorf("the card has history %+v, %v", cards, err)
	}
	if v, err := h.Resolve(t.Context(), genesis.Ref{Name: "turbines"}, nil); err != nil || v != first {
		t.Errorf("the bare name means %s, %v, want what was committed last", v.Digest.Short(), err)
	}
}

func TestCommitRefuses(t *testing.T) {
	h := open(t)
	h.mustCommit(t, commitOf("taken", dataset("a")))
	many := dataset("a")
	for range 10_000 {
		many.Tables = append(many.Tables, genesis.ManifestTable{Name: strings.Repeat("x", 100)})
	}
	model := genesis.Manifest{Format: genesis.ManifestFormat, Kind: genesis.Model}
	for name, tt := range map[string]struct {
		change func(*Commit)
		kind   genesis.ErrorKind
	}{
		"name":          {func(c *Commit) { c.Name = "No Name" }, genesis.Invalid},
		"nobody":        {func(c *Commit) { c.By = "" }, genesis.Invalid},
		"kind":          {func(c *Commit) { c.Kind = "folder" }, genesis.Invalid},
		"mixed kinds":   {func(c *Commit) { c.Kind = genesis.Model }, genesis.Invalid},
		"newer format":  {func(c *Commit) { c.Manifest.Format = 2 }, genesis.Invalid},
		"other kind":    {func(c *Commit) { c.Name, c.Kind, c.Manifest = "taken", genesis.Model, model }, genesis.Conflict},
		"many tables":   {func(c *Commit) { c.Manifest = many }, genesis.Unsupported},
		"NaN in record": {func(c *Commit) { c.Records = map[genesis.RecordKind]any{genesis.RecordProfile: math.NaN()} }, genesis.Invalid},
		"odd record":    {func(c *Commit) { c.Records = map[genesis.RecordKind]any{"diary": 1} }, genesis.Invalid},
		"lost parent":   {func(c *Commit) { c.Parents = []genesis.Version{{Name: "taken", Digest: genesis.DigestOf(nil)}} }, genesis.NotFound},
		"own parent": {func(c *Commit) {
			text, _ := genesis.CanonicalJSON(c.Manifest)
			c.Parents = []genesis.Version{{Name: c.Name, Digest: genesis.DigestOf(text)}}
		}, genesis.Invalid},
	} {
		in := commitOf("free", dataset("new"))
		tt.change(&in)
		_, _, err := h.Commit(t.Context(), in)
		if genesis.KindOf(err) != tt.kind {
			t.Errorf("%s: error is %v, want kind %s", name, err, tt.kind)
		}
	}
	if assets, _, err := h.List(t.Context(), ListQuery{}); err != nil || len(assets) != 1 {
		t.Errorf("refused commits left %+v, %v", assets, err)
	}
	if n := entries(t, h.db); n != 1 {
		t.Errorf("refused commits left %d journal entries", n)
	}
}

func TestResolve(t *testing.T) {
	h := open(t)
	a := h.mustCommit(t, commitOf("x", dataset("a")))
	b := h.mustCommit(t, commitOf("x", dataset("b")))
	same := h.mustCommit(t, commitOf("y", dataset("a")))
	if same.Digest != a.Digest {
		t.Error("the same content under another name has another digest")
	}
	check := func(ref string, want genesis.Version) {
		t.Helper()
		r, err := genesis.ParseRef(ref)
		if err != nil {
			t.Fatal(err)
		}
		got, err := h.Resolve(t.Context(), r, nil)
		if err != nil || got.Digest != want.Digest || got.Name != want.Name {
			t.Errorf("%s means %s, %v, want %s", ref, got.Ref(), err, want.Ref())
		}
	}
	check("x", b)
	check("y", same)
	check("x@"+string(a.Digest), a)
	_, err := h.Resolve(t.Context(), genesis.Ref{Name: "x", Number: 1}, nil)
	if e := new(genesis.Error); !errors.As(err, &e) || e.Kind != genesis.NotFound || !strings.Contains(e.Hint, "drafts have no number") {
		t.Errorf("a number no draft has: %v", err)
	}
	a, err = h.Publish(t.Context(), a, "local")
	if err != nil || a.Number != 1 || a.State != genesis.Published {
		t.Fatalf("publish gives %+v, %v", a, err)
	}
	check("x", a) // a published version comes before a newer draft
	check("x@1", a)
	check("x@"+string(b.Digest), b)
	if b, err = h.Publish(t.Context(), b, "local"); err != nil || b.Number != 2 {
		t.Fatalf("publish gives %+v, %v", b, err)
	}
	if again, err := h.Publish(t.Context(), a, "local"); err != nil || again != a {
		t.Errorf("publishing again gives %+v, %v", again, err)
	}
	check("x", b)
	check("x@1", a)
	for _, ref := range []genesis.Ref{{Name: "x", Number: 3}, {Name: "z"}, {Name: "y", Number: 1}, {Name: "y", Digest: b.Digest}} {
		_, err := h.Resolve(t.Context(), ref, nil)
		wantKind(t, err, genesis.NotFound)
	}
	_, err = h.Resolve(t.Context(), genesis.Ref{Node: "nrel", Name: "x"}, nil)
	wantKind(t, err, genesis.Unsupported)
	_, err = h.Publish(t.Context(), genesis.Version{Name: "z", Digest: b.Digest}, "local")
	wantKind(t, err, genesis.NotFound)
}

func TestLineage(t *testing.T) {
	h := open(t)
	data := h.mustCommit(t, commitOf("data", dataset("a")))
	in := commitOf("model", genesis.Manifest{Format: 1, Kind: genesis.Model, Parts: map[string]genesis.Digest{"weights": genesis.DigestOf(nil)}})
	in.Parents = []genesis.Version{data, data}
	model := h.mustCommit(t, in)
	h.mustCommit(t, in) // again: no second edge
	d, err := h.Describe(t.Context(), data, nil)
	if err != nil || len(d.UsedBy) != 1 || d.UsedBy[0] != model.Ref() {
		t.Errorf("used by %v, %v", d.UsedBy, err)
	}
	parents, err := h.Parents(t.Context(), model)
	if err != nil || len(parents) != 1 || parents[0] != data {
		t.Errorf("parents are %v, %v", parents, err)
	}
}

func TestEditLosesNothing(t *testing.T) {
	h := open(t)
	v := h.mustCommit(t, commitOf("x", dataset("a")))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			_, err := Edit(t.Context(), h.Catalog, v, genesis.RecordCard, "local", func(c *genesis.Card) error {
				c.Keywords = append(c.Keywords, "one more")
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	var card genesis.Card
	if err := h.Record(t.Context(), v, genesis.RecordCard, &card); err != nil || len(card.Keywords) != 8 {
		t.Errorf("%d keywords after 8 edits, %v", len(card.Keywords), err)
	}
	refusal := &genesis.Error{Op: "test", Kind: genesis.Permission}
	_, err := Edit(t.Context(), h.Catalog, v, genesis.RecordCard, "local", func(c *genesis.Card) error {
		c.Keywords = nil
		return refusal
	})
	if !errors.Is(err, refusal) {
		t.Errorf("error is %v", err)
	}
	if h.Record(t.Context(), v, genesis.RecordCard, &card); len(card.Keywords) != 8 {
		t.Error("a refused edit changed the record")
	}
	wantKind(t, h.PutRecord(t.Context(), genesis.Version{Name: "y", Digest: v.Digest}, genesis.RecordCard, card, "local"), genesis.NotFound)
	wantKind(t, h.PutRecord(t.Context(), v, "diary", card, "local"), genesis.Invalid)
}

func TestPages(t *testing.T) {
	h := open(t)
	names := []genesis.Name{"0", "a", "a-b", "ab", "b", "~ann/a"}
	for i := range names {
		in := commitOf(names[(i*5)%6], dataset("a"))
		if i%2 == 1 {
			in.Kind, in.Manifest = genesis.Model, genesis.Manifest{Format: 1, Kind: genesis.Model}
		}
		h.mustCommit(t, in)
	}
	var got []genesis.Name
	for after, pages := "", 0; ; pages++ {
		assets, next, err := h.List(t.Context(), ListQuery{After: after, Limit: 2})
		if err != nil || len(assets) > 2 {
			t.Fatalf("%d assets, %v", len(assets), err)
		}
		for _, a := range assets {
			if a.Latest == nil || a.Latest.Name != a.Name || a.Created.IsZero() {
				t.Errorf("asset is %+v", a)
			}
			got = append(got, a.Name)
		}
		if next == "" {
			if pages != 2 {
				t.Errorf("%d more pages, want 2", pages)
			}
			break
		}
		after = next
	}
	if diff := cmp.Diff(names, got); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	models, _, err := h.List(t.Context(), ListQuery{Kind: genesis.Model})
	if err != nil || len(models) != 3 || models[0].Kind != genesis.Model {
		t.Errorf("models are %+v, %v", models, err)
	}
}

func TestDamageIsNamed(t *testing.T) {
	h := open(t)
	in := commitOf("x", dataset("a"))
	in.Records = map[genesis.RecordKind]any{genesis.RecordCard: genesis.Card{Title: "sound"}}
	v := h.mustCommit(t, in)
	if damage, err := h.Verify(t.Context(), v); err != nil || damage != nil {
		t.Fatalf("a sound version: %v, %v", damage, err)
	}
	err := h.db.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec(`UPDATE records SET body = '{"title":"changed"}' WHERE kind = 'card'`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	wantKind(t, h.Record(t.Context(), v, genesis.RecordCard, new(genesis.Card)), genesis.Internal)
	damage, err := h.Verify(t.Context(), v)
	if err != nil || len(damage) != 1 || !strings.Contains(damage[0].Msg, "card") {
		t.Errorf("Verify gives %v, %v", damage, err)
	}
	path := filepath.Join(h.dir, "blobs", v.Digest.Hex()[:2], v.Digest.Hex())
	if err := errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, []byte(`{"format":1,"kind":"dataset"}`), 0o600)); err != nil {
		t.Fatal(err)
	}
	_, err = h.Manifest(t.Context(), v)
	wantKind(t, err, genesis.Internal)
	if damage, err := h.Verify(t.Context(), v); err != nil || len(damage) != 2 || damage[0].Blob != v.Digest {
		t.Errorf("Verify gives %v, %v", damage, err)
	}
}

func TestCanceledCommit(t *testing.T) {
	h := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := h.Commit(ctx, commitOf("x", dataset("a")))
	wantKind(t, err, genesis.Canceled)
	if assets, _, err := h.List(t.Context(), ListQuery{}); err != nil || len(assets) != 0 {
		t.Errorf("a cancelled commit left %v, %v", assets, err)
	}
}

// entries counts what waits for the log.
func entries(t *testing.T, db *store.DB) (n int64) {
	t.Helper()
	if err := db.Read().QueryRow("SELECT count(*) FROM outbox").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

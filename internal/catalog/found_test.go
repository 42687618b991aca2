package catalog

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/catalog/find"
	"github.com/opengenesis/genesis/internal/journal/disk"
)

// indexes are those of the catalogues of tests, kept by what the catalogues note alone.
var indexes sync.Map

// lookup searches a catalogue for somebody who sees some of it.
func (h home) lookup(t testing.TB, text string, limit int, visible Visible) ([]find.Hit, error) {
	t.Helper()
	kept, _ := indexes.LoadOrStore(h.Catalog, sync.OnceValue(func() *find.Index {
		ix, err := find.Open(t.TempDir(), find.Options{Disk: &disk.Faulty{Disk: disk.OS, Lazy: true}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { ix.Close() })
		return ix
	}))
	ix := kept.(func() *find.Index)()
	ctx := t.Context()
	ids, seq, err := h.Touched(ctx, Soon, 10_000)
	if err != nil {
		return nil, err
	}
	if ix.Mark() == "" { // of a home that was opened again, whose index is lost
		err := h.EachFound(ctx, Own{All: true}, func(all []genesis.Version) error {
			for _, v := range all {
				ids = append(ids, find.ID{Name: v.Name, Version: v.Digest})
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	b := find.Batch{Mark: "filled"}
	for _, id := range ids {
		err := h.db.Snapshot(ctx, func(tx *sql.Tx) error {
			_, d, _, err := h.FoundTx(ctx, tx, id.Name, id.Version)
			d.Node = "here"
			if err == nil {
				b.Put = append(b.Put, d)
			} else if genesis.KindOf(err) == genesis.NotFound {
				b.Delete, err = append(b.Delete, find.ID{Node: "here", Name: id.Name, Version: id.Version}), nil
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	if err := ix.Apply(ctx, b); err != nil {
		t.Fatal(err)
	}
	if err := h.Taken(ctx, Soon, seq); err != nil {
		t.Fatal(err)
	}
	var a find.Asker
	err = h.EachFound(ctx, Own{All: true}, func(all []genesis.Version) error {
		for _, v := range all {
			if visible == nil || visible(v) {
				a.Also = append(a.Also, find.ID{Node: "here", Name: v.Name, Version: v.Digest})
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	r, err := ix.Search(ctx, find.Query{Asker: a, Text: text, Limit: limit})
	return r.Hits, err
}

func names(hits []find.Hit) string {
	var all []string
	for _, h := range hits {
		all = append(all, string(h.Name))
	}
	return strings.Join(all, " ")
}

// wantFound wants a search to find names.
func (h home) wantFound(t *testing.T, query, want string) {
	t.Helper()
	if hits, err := h.lookup(t, query, 0, nil); err != nil || names(hits) != want {
		t.Errorf("%q finds %q, %v, want %q", query, names(hits), err, want)
	}
}

// TestFoundFollows changes what is found in every way: each is noted.
func TestFoundFollows(t *testing.T) {
	h := open(t)
	old := h.mustCommit(t, commitOf("x", dataset("a", genesis.Column{Name: "pressure"})))
	h.wantFound(t, "pressure", "x")
	h.mustCommit(t, commitOf("x", dataset("b", genesis.Column{Name: "humidity"})))
	h.wantFound(t, "pressure", "")
	h.wantFound(t, "humidity", "x")
	h.mustCommit(t, commitOf("x", dataset("a", genesis.Column{Name: "pressure"}))) // the newest again
	h.wantFound(t, "pressure", "x")
	h.mustCommit(t, commitOf("x", dataset("b", genesis.Column{Name: "humidity"})))
	if err := h.PutRecord(t.Context(), old, genesis.RecordCard, genesis.Card{Title: "Boiler"}, "local"); err != nil {
		t.Fatal(err)
	}
	h.wantFound(t, "boiler", "") // the card of a version that is not current
	if _, err := h.Publish(t.Context(), old, "local"); err != nil {
		t.Fatal(err)
	}
	h.wantFound(t, "boiler", "x")
	h.wantFound(t, "humidity", "")
	prov := genesis.Provenance{Sources: []genesis.Source{{Format: "netcdf"}}}
	if err := h.PutRecord(t.Context(), old, genesis.RecordProvenance, prov, "local"); err != nil {
		t.Fatal(err)
	}
	h.wantFound(t, "netcdf", "x")
	if _, err := h.Withdraw(t.Context(), old, "local", ""); err != nil {
		t.Fatal(err)
	}
	h.wantFound(t, "boiler", "")
	h.wantFound(t, "humidity", "x")
}

// TestQueue: a change that is noted again is taken later; what is urgent can be taken
// alone, and stays urgent.
func TestQueue(t *testing.T) {
	h, ctx := open(t), t.Context()
	touch := func(u Urgency, ids ...find.ID) {
		t.Helper()
		if err := h.db.Tx(ctx, func(tx *sql.Tx) error { return Touch(ctx, tx, u, ids...) }); err != nil {
			t.Fatal(err)
		}
	}
	look := func(least Urgency) (string, int64) {
		t.Helper()
		ids, seq, err := h.Touched(ctx, least, 10)
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, id := range ids {
			all = append(all, string(id.Node)+"/"+string(id.Name))
		}
		return strings.Join(all, " "), seq
	}
	touch(Soon, find.ID{Node: "nrel", Name: "a"}, find.ID{Node: "nrel", Name: "b"})
	touch(AtOnce, find.ID{Name: "own"}, find.ID{Node: "nrel", Name: "b"})
	all, seq := look(Soon)
	if all != "nrel/a /own nrel/b" {
		t.Errorf("noted: %s", all)
	}
	touch(Soon, find.ID{Name: "own"}) // while these are put into the index
	if err := h.Taken(ctx, Soon, seq); err != nil {
		t.Fatal(err)
	}
	if left, _ := look(AtOnce); left != "/own" {
		t.Errorf("left: %s", left)
	}
	touch(Soon, find.ID{Node: "nrel", Name: "c"})
	n, last, err := h.Waiting(ctx, AtOnce, 5)
	if err != nil || n != 1 {
		t.Errorf("%d wait, %v", n, err)
	}
	touch(AtOnce, find.ID{Name: "own"})
	if _, now, _ := h.Waiting(ctx, AtOnce, 5); now == last {
		t.Error("a change is not told")
	}
	_, seq = look(AtOnce)
	if err := h.Taken(ctx, AtOnce, seq); err != nil {
		t.Fatal(err)
	}
	if left, _ := look(Soon); left != "nrel/c" {
		t.Errorf("left: %s", left)
	}
	if err := h.BeginSeries(ctx, "one"); err != nil {
		t.Fatal(err)
	}
	if series, err := h.Series(ctx); err != nil || series != "one" {
		t.Errorf("series %q, %v", series, err)
	}
	if left, _ := look(Soon); left != "" {
		t.Errorf("left: %s", left)
	}
}

// TestOwnNames: what belongs to somebody by its name, and what they made.
func TestOwnNames(t *testing.T) {
	h := open(t)
	for i, name := range []genesis.Name{"~ann/x", "~ann2/x", "~an/x", "made", "other"} {
		in := commitOf(name, dataset(fmt.Sprint(i)))
		if in.By = "bob"; name == "made" {
			in.By = "ann"
		}
		v := h.mustCommit(t, in)
		if name == "made" {
			if _, err := h.Erase(t.Context(), v, EraseOptions{By: "bob"}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		maker genesis.PersonID
		owner string
		want  string
	}{{"ann", "ann", "[made ~ann/x]"}, {"ann", "", "[made]"}, {"", "", "[]"}, {"mit/ann", "", "[]"}, {"bob", "nobody", "[other ~an/x ~ann/x ~ann2/x]"}} {
		got, err := h.NamesOf(context.Background(), c.maker, c.owner)
		if err != nil || fmt.Sprint(got) != c.want {
			t.Errorf("%s: %v, %v", c.maker, got, err)
		}
	}
	n := 0
	err := h.EachFound(t.Context(), Own{Names: []genesis.Name{"made", "other", "none"}}, func(all []genesis.Version) error {
		n += len(all)
		return nil
	})
	if err != nil || n != 1 {
		t.Errorf("%d versions, %v", n, err)
	}
}

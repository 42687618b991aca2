package catalog

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/blob/layout"
)

// manyFiles is a commit of a table of 2,500 files, of which few differ; and those.
func manyFiles(t testing.TB, h home, name genesis.Name, content string) (Commit, []genesis.Blob) {
	t.Helper()
	in := commitOf(name, dataset(content))
	var blobs []genesis.Blob
	var files []genesis.LayoutFile
	for i := range 5 {
		blobs = append(blobs, h.put(t, fmt.Sprint(content, " rows ", i)))
	}
	for i := range 2500 {
		files = append(files, genesis.LayoutFile{Blob: blobs[i*7%5], Rows: int64(i % 2)})
	}
	in.Layout.Tables = map[string][]genesis.LayoutFile{"data": files, "rejects/data": files[:1]}
	return in, blobs
}

func (h home) pages(t testing.TB, v genesis.Version) []genesis.LayoutPage {
	t.Helper()
	l, err := h.Layout(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	return l.Pages["data"]
}

func (h home) has(t testing.TB, d genesis.Digest) bool {
	t.Helper()
	ok, err := h.blobs.Has(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// everything are the digests that a version must be asked to need.
func everything(v genesis.Version, pages []genesis.LayoutPage, blobs []genesis.Blob) map[genesis.Digest]bool {
	all := map[genesis.Digest]bool{v.Digest: true}
	for _, p := range pages {
		all[p.Digest] = true
	}
	for _, b := range blobs {
		all[b.Digest] = true
	}
	return all
}

func TestLongLayoutsAreCommittedInPages(t *testing.T) {
	h := open(t)
	in, _ := manyFiles(t, h, "many", "a")
	v := h.mustCommit(t, in)
	l, err := h.Layout(t.Context(), v)
	if err != nil || l.Format != 2 || len(l.Pages["data"]) != 3 || len(l.Tables["rejects/data"]) != 1 || l.Tables["data"] != nil {
		t.Fatalf("format %d, pages %v, %v", l.Format, l.Pages, err)
	}
	x, err := layout.Open(t.Context(), h.blobs, l, "data")
	if err != nil {
		t.Fatal(err)
	}
	files, err := x.From(0)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range in.Layout.Tables["data"] {
		if got, _, err := files.Next(); err != nil || got != want {
			t.Fatalf("file %d is %v, %v, not %v", i, got, err, want)
		}
	}
	// The same content again, laid out anew: the same pages.
	if _, unchanged, err := h.Commit(t.Context(), in); err != nil || !unchanged {
		t.Errorf("again: unchanged %v, %v", unchanged, err)
	}
	if h, err := h.History(t.Context(), v, genesis.RecordLayout); err != nil || len(h) != 1 {
		t.Errorf("again: %d editions, %v", len(h), err)
	}
	err = h.PutRecord(t.Context(), v, genesis.RecordLayout, in.Layout, "local")
	wantKind(t, err, genesis.Invalid)
	// A file that is not there, and a page.
	gone, _ := manyFiles(t, h, "gone", "b")
	gone.Layout.Tables["data"][2000].Digest = genesis.DigestOf([]byte("nowhere"))
	_, _, err = h.Commit(t.Context(), gone)
	wantKind(t, err, genesis.Conflict)
	gone, _ = manyFiles(t, h, "gone", "b")
	gone.Layout = genesis.Layout{Format: 2, Pages: map[string][]genesis.LayoutPage{"data": {{Blob: genesis.Blob{Digest: genesis.DigestOf([]byte("nowhere"))}, Files: 1}}}}
	_, _, err = h.Commit(t.Context(), gone)
	wantKind(t, err, genesis.Conflict)
}

// TestOlderAndNewerLayouts: what has no pages is stored as ever, and what this program
// does not know of is refused by all who would otherwise miss files.
func TestOlderAndNewerLayouts(t *testing.T) {
	h := open(t)
	in := commitOf("small", dataset("a"))
	in.Layout.Tables = map[string][]genesis.LayoutFile{"data": {{Blob: h.put(t, "rows"), Rows: 10}}}
	v := h.mustCommit(t, in)
	many, _ := manyFiles(t, h, "many", "b")
	h.mustCommit(t, many)
	formats := map[string]int{}
	rows, err := h.db.Read().Query("SELECT a.name, r.format FROM records r JOIN versions v ON v.id = r.version_id JOIN assets a ON a.id = v.asset_id WHERE r.kind = 'layout'")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var format int
		if err := rows.Scan(&name, &format); err != nil {
			t.Fatal(err)
		}
		formats[name] = format
	}
	if want := map[string]int{"small": 1, "many": 2}; !cmp.Equal(formats, want) {
		t.Errorf("formats are %v, want %v", formats, want)
	}
	history, err := h.History(t.Context(), v, genesis.RecordLayout)
	b := in.Layout.Tables["data"][0]
	want := fmt.Sprintf(`{"format":1,"tables":{"data":[{"digest":"%s","size":4,"merkle":"%s","rows":10}]}}`, b.Digest, b.Merkle)
	if err != nil || string(history[0].Body) != want {
		t.Errorf("a short layout is stored as %s, %v", history[0].Body, err)
	}

	newer, err := scanOne(t, h, v)
	if err != nil {
		t.Fatal(err)
	}
	newer.format = genesis.LayoutFormat + 1
	h.change(t, fmt.Sprintf("UPDATE records SET format = %d, sum = '%s' WHERE version_id = %d AND kind = 'layout'", newer.format, newer.sum(), newer.version))
	_, err = h.Layout(t.Context(), v)
	wantKind(t, err, genesis.Unsupported)
	wantKind(t, h.References(t.Context(), func(genesis.Digest) error { return nil }), genesis.Unsupported)
	wantKind(t, Needs(t.Context(), h.db.Read(), h.blobs, func(genesis.Ref, genesis.Digest) error { return nil }), genesis.Unsupported)
}

// scanOne returns the row of a version's layout.
func scanOne(t *testing.T, h home, v genesis.Version) (recordRow, error) {
	of, err := findRow(t.Context(), h.db.Read(), v)
	if err != nil {
		t.Fatal(err)
	}
	return holding(t.Context(), h.db.Read(), of, genesis.RecordLayout)
}

// TestPagesAreReferred: a sweep keeps pages and what they list; a backup is told of
// both; a layout that was superseded loses them.
func TestPagesAreReferred(t *testing.T) {
	h := open(t)
	in, blobs := manyFiles(t, h, "many", "a")
	v := h.mustCommit(t, in)
	first := h.pages(t, v)
	slices.Reverse(in.Layout.Tables["data"])
	old := first
	h.mustCommit(t, in) // laid out again
	pages := h.pages(t, v)
	if slices.Equal(old, pages) {
		t.Fatal("the pages are the same: the test shows nothing")
	}
	want := everything(v, pages, blobs)
	got := map[genesis.Digest]bool{}
	if err := h.References(t.Context(), func(d genesis.Digest) error { got[d] = true; return nil }); err != nil || !cmp.Equal(want, got) {
		t.Errorf("references (-want +got):\n%s%v", cmp.Diff(want, got), err)
	}
	clear(got)
	if err := Needs(t.Context(), h.db.Read(), h.blobs, func(_ genesis.Ref, d genesis.Digest) error { got[d] = true; return nil }); err != nil || !cmp.Equal(want, got) {
		t.Errorf("needs (-want +got):\n%s%v", cmp.Diff(want, got), err)
	}
	time.Sleep(10 * time.Millisecond)
	if _, err := h.blobs.Sweep(t.Context(), blob.SweepOptions{Live: h.References}); err != nil {
		t.Fatal(err)
	}
	for d := range want {
		if !h.has(t, d) {
			t.Errorf("%s was swept", d)
		}
	}
	for _, p := range old {
		if h.has(t, p.Digest) != want[p.Digest] {
			t.Errorf("the page %s of the old layout is still there", p.Digest)
		}
	}
	if damage, err := h.Verify(t.Context(), v); err != nil || damage != nil {
		t.Errorf("after the sweep: %v, %v", damage, err)
	}
}

// TestPagesArePurged: of a version and all that it ever needed nothing is left, but
// what others need.
func TestPagesArePurged(t *testing.T) {
	h := open(t)
	in, blobs := manyFiles(t, h, "many", "a")
	secret := h.put(t, "old secret")
	files := in.Layout.Tables["data"]
	in.Layout.Tables["data"] = append(slices.Clone(files[:2000]), genesis.LayoutFile{Blob: secret})
	v := h.mustCommit(t, in)
	want := everything(v, h.pages(t, v), append(blobs[1:], secret))
	in.Layout.Tables["data"] = files
	h.mustCommit(t, in)
	maps.Copy(want, everything(v, h.pages(t, v), nil))

	other := commitOf("innocent", dataset("b"))
	other.Layout.Tables = map[string][]genesis.LayoutFile{"data": {{Blob: blobs[0]}}}
	h.mustCommit(t, other)
	late, _ := manyFiles(t, h, "late", "a")
	late.Manifest = dataset("c")
	staged, err := h.Stage(t.Context(), late)
	if err != nil {
		t.Fatal(err)
	}
	defer staged.Close()
	if _, err := h.Erase(t.Context(), v, EraseOptions{By: "officer", Purge: true}); err != nil {
		t.Fatal(err)
	}
	err = h.db.Tx(t.Context(), func(tx *sql.Tx) error {
		_, _, err := h.CommitTx(t.Context(), tx, staged)
		return err
	})
	wantKind(t, err, genesis.Conflict)
	got, err := h.Purge(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if removed := slices.Sorted(maps.Keys(want)); !cmp.Equal(got.Removed, removed) {
		t.Errorf("purged (-want +got):\n%s", cmp.Diff(removed, got.Removed))
	}
	if len(got.Kept) != 1 || got.Kept[0].Digest != blobs[0].Digest || !h.has(t, blobs[0].Digest) {
		t.Errorf("kept %v", got.Kept)
	}
	for d := range want {
		if h.has(t, d) {
			t.Errorf("%s is still there", d)
		}
	}
}

// TestPurgeAfterASweep: the pages of a layout that was superseded may be gone.
func TestPurgeAfterASweep(t *testing.T) {
	h := open(t)
	in, _ := manyFiles(t, h, "many", "a")
	h.mustCommit(t, in)
	slices.Reverse(in.Layout.Tables["data"])
	v := h.mustCommit(t, in)
	time.Sleep(10 * time.Millisecond)
	if _, err := h.blobs.Sweep(t.Context(), blob.SweepOptions{Live: h.References}); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Erase(t.Context(), v, EraseOptions{By: "officer", Purge: true}); err != nil {
		t.Fatal(err)
	}
	if got, err := h.Purge(t.Context(), nil); err != nil || len(got.Removed) < 1+3+5 {
		t.Errorf("%+v, %v", got, err)
	}
}

// TestFlippedPages flips a bit of each page: all who need what it lists stop, and name
// it; to erase without purging is possible.
func TestFlippedPages(t *testing.T) {
	h := open(t)
	in, _ := manyFiles(t, h, "many", "a")
	v := h.mustCommit(t, in)
	pages := h.pages(t, v)
	for i, p := range pages {
		path := filepath.Join(h.dir, "blobs", p.Digest.Hex()[:2], p.Digest.Hex())
		flip(t, path, p.Size*4+int64(i))
		damage, err := h.Verify(t.Context(), v)
		if err != nil || len(damage) != 1 || damage[0].Blob != p.Digest || damage[0].Table != "data" {
			t.Errorf("page %d: %+v, %v", i, damage, err)
		}
		_, erased := h.Erase(t.Context(), v, EraseOptions{By: "officer", Purge: true})
		_, _, committed := h.Commit(t.Context(), Commit{Name: "again", Kind: in.Kind, Manifest: dataset("b"), By: "local",
			Layout: genesis.Layout{Format: 2, Pages: map[string][]genesis.LayoutPage{"data": pages}}})
		for name, err := range map[string]error{
			"references": h.References(t.Context(), func(genesis.Digest) error { return nil }),
			"needs":      Needs(t.Context(), h.db.Read(), h.blobs, func(genesis.Ref, genesis.Digest) error { return nil }),
			"erase":      erased,
			"commit":     committed,
		} {
			if genesis.KindOf(err) != genesis.Internal || !strings.Contains(err.Error(), string(p.Digest)) {
				t.Errorf("page %d: %s: %v", i, name, err)
			}
		}
		flip(t, path, p.Size*4+int64(i))
	}
	if damage, err := h.Verify(t.Context(), v); err != nil || damage != nil {
		t.Errorf("after all bits are back: %v, %v", damage, err)
	}
	if err := os.Remove(filepath.Join(h.dir, "blobs", pages[0].Digest.Hex()[:2], pages[0].Digest.Hex())); err != nil {
		t.Fatal(err)
	}
	_, err := h.Erase(t.Context(), v, EraseOptions{By: "officer", Purge: true})
	wantKind(t, err, genesis.Internal)
	if _, err := h.Erase(t.Context(), v, EraseOptions{By: "officer"}); err != nil {
		t.Errorf("without purging: %v", err)
	}
}

// TestYieldEndsNeeds: an error of the caller's comes back as it is.
func TestYieldEndsNeeds(t *testing.T) {
	h := open(t)
	in, blobs := manyFiles(t, h, "many", "a")
	h.mustCommit(t, in)
	stop := fmt.Errorf("stop")
	err := Needs(context.Background(), h.db.Read(), h.blobs, func(_ genesis.Ref, d genesis.Digest) error {
		if d == blobs[3].Digest {
			return stop
		}
		return nil
	})
	if err != stop {
		t.Errorf("error is %v", err)
	}
}

//go:build linux || darwin

package node

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/catalog"
	"github.com/opengenesis/genesis/internal/format/parquet"
)

// spread lays a version out again in pages, with empty files behind its own, and
// returns the pages.
func (w *town) spread(ref string) []genesis.LayoutPage {
	w.Helper()
	ctx := w.Context()
	d, err := w.works.Describe(ctx, w.local, ref)
	if err != nil {
		w.Fatal(err)
	}
	l, err := w.works.Catalog.Layout(ctx, d.Version)
	if err != nil {
		w.Fatal(err)
	}
	var none bytes.Buffer
	out, err := parquet.NewWriter(&none, d.Manifest.Tables[0].Schema(), parquet.WriterOptions{})
	if err == nil {
		err = out.Close()
	}
	if err != nil {
		w.Fatal(err)
	}
	b, err := w.works.Blobs.Put(ctx, none.Bytes())
	if err != nil {
		w.Fatal(err)
	}
	name := d.Manifest.Tables[0].Name
	l.Tables[name] = append(l.Tables[name], slices.Repeat([]genesis.LayoutFile{{Blob: b}}, 1100)...)
	v, _, err := w.works.Catalog.Commit(ctx, catalog.Commit{Name: d.Version.Name, Kind: genesis.Dataset, Manifest: d.Manifest, Layout: l,
		By: d.Version.Creator, Rows: d.Version.Rows, Bytes: d.Version.Bytes})
	if err == nil {
		l, err = w.works.Catalog.Layout(ctx, v)
	}
	if err != nil || len(l.Pages[name]) == 0 {
		w.Fatal(l.Pages, err)
	}
	return l.Pages[name]
}

// TestBackupHasLayoutPages: a restored version whose files stand in pages is whole,
// also after what nothing refers to was collected. A backup without a page is none.
func TestBackupHasLayoutPages(t *testing.T) {
	dir, to := filepath.Join(t.TempDir(), "home"), filepath.Join(t.TempDir(), "backup")
	w, stop, names := settled(t, dir)
	token, ref := w.token, names[0]
	pages := w.spread(ref)
	want := w.answers(names[:1])
	b := w.backUp(to)

	hex := pages[0].Digest.Hex()
	path := filepath.Join(dir, "blobs", hex[:2], hex)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(){
		"flipped bit": func() { text[9] ^= 1; rewriteFile(t, path, text); text[9] ^= 1 },
		"missing":     func() { os.Remove(path) },
	} {
		spoil()
		_, err := w.works.Backup(t.Context(), w.local, genesis.BackupRequest{Path: filepath.Join(t.TempDir(), "other")}, nil)
		if err == nil || !strings.Contains(err.Error(), hex) {
			t.Errorf("%s: %v, want an error that names the page", name, err)
		}
		rewriteFile(t, path, text)
	}
	stop()
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := Restore(t.Context(), to, dir, b.Digest, nil); err != nil {
		t.Fatal(err)
	}
	w, _ = reopen(t, dir, token)
	if _, err := w.works.Sweep(t.Context(), w.local, false, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, w.answers(names[:1])); diff != "" {
		t.Errorf("answers, -before +after:\n%s", diff)
	}
	v, err := w.works.Verify(t.Context(), w.local, ref, nil)
	if err != nil || len(v.Damage) != 0 || v.Blobs < len(pages)+2 {
		t.Errorf("the restored version: %+v, %v", v, err)
	}
}

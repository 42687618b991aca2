package work_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/catalog"
	"github.com/opengenesis/genesis/internal/format/parquet"
	"github.com/opengenesis/genesis/internal/work"
)

// spread lays a version's first table out again, with empty files behind its file,
// so that they stand in pages, which it returns.
func spread(t *testing.T, s *work.Service, ref string) []genesis.LayoutPage {
	t.Helper()
	d, err := s.Describe(t.Context(), me, ref)
	if err != nil {
		t.Fatal(err)
	}
	l, err := s.Catalog.Layout(t.Context(), d.Version)
	if err != nil {
		t.Fatal(err)
	}
	var none bytes.Buffer
	w, err := parquet.NewWriter(&none, d.Manifest.Tables[0].Schema(), parquet.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := s.Blobs.Put(t.Context(), none.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	name := d.Manifest.Tables[0].Name
	l.Tables[name] = append(l.Tables[name], slices.Repeat([]genesis.LayoutFile{{Blob: b}}, 1500)...)
	v, unchanged, err := s.Catalog.Commit(t.Context(), catalog.Commit{Name: d.Version.Name, Kind: genesis.Dataset, Manifest: d.Manifest, Layout: l,
		By: d.Version.Creator, Rows: d.Version.Rows, Bytes: d.Version.Bytes})
	if err != nil || !unchanged {
		t.Fatal(unchanged, err)
	}
	if l, err = s.Catalog.Layout(t.Context(), v); err != nil || len(l.Pages[name]) != 2 {
		t.Fatal(l.Pages, err)
	}
	return l.Pages[name]
}

// TestVerifyNamesAFlippedBitInAPage: of a layout whose files stand in pages each file
// is verified, and a page that changed is named. Exports read through the pages.
func TestVerifyNamesAFlippedBitInAPage(t *testing.T) {
	s, dir := work.OpenTest(t)
	prepared(t, s, genesis.PrepareRequest{Name: "turbines", Options: genesis.PrepareOptions{NoProof: true}}, raw("a.csv", turbines(0, 50)))
	export := func() (string, error) {
		var b bytes.Buffer
		err := s.Export(t.Context(), me, "turbines", "", "csv", nil, &b, nil)
		return b.String(), err
	}
	want, err := export()
	if err != nil || strings.Count(want, "\n") != 51 {
		t.Fatal(want, err)
	}
	clean, err := s.Verify(t.Context(), me, "turbines", nil)
	if err != nil {
		t.Fatal(err)
	}
	pages := spread(t, s, "turbines")
	if got, err := export(); err != nil || got != want {
		t.Errorf("laid out in pages the table is another, %v", err)
	}
	paged, err := s.Verify(t.Context(), me, "turbines", nil)
	if err != nil || len(paged.Damage) != 0 || paged.Blobs != clean.Blobs+3 || paged.Columns != clean.Columns {
		t.Errorf("%+v, %v; without pages %+v", paged, err, clean)
	}
	for _, p := range pages {
		path := filepath.Join(dir, "blobs", p.Digest.Hex()[:2], p.Digest.Hex())
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b[len(b)/3] ^= 2
		rewrite(t, path, b)
		v, err := s.Verify(t.Context(), me, "turbines", nil)
		if err != nil || !slices.ContainsFunc(v.Damage, func(d genesis.Damage) bool { return d.Blob == p.Digest && d.Table != "" }) {
			t.Errorf("a flipped bit in page %s: %+v, %v", p.Digest, v, err)
		}
		if _, err := export(); genesis.KindOf(err) != genesis.Internal || !strings.Contains(err.Error(), string(p.Digest)) {
			t.Errorf("an export past a damaged page: %v", err)
		}
		b[len(b)/3] ^= 2
		rewrite(t, path, b)
	}
	v, err := s.Verify(t.Context(), me, "turbines", nil)
	if err != nil || len(v.Damage) != 0 {
		t.Errorf("after all bits are back: %+v, %v", v, err)
	}
}

func rewrite(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

package ingest

import (
	"path/filepath"
	"testing"

	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/blob/file"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/format/json"
	"github.com/opengenesis/genesis/internal/format/parquet"
	"github.com/opengenesis/genesis/internal/format/text"
	"github.com/opengenesis/genesis/internal/format/xlsx"
)

// testEnv returns an Env over a store of its own.
func testEnv(t testing.TB) Env {
	t.Helper()
	d, err := file.Open(filepath.Join(t.TempDir(), "blobs"))
	if err != nil {
		t.Fatal(err)
	}
	store := blob.Open(d)
	t.Cleanup(func() { store.Close() })
	return Env{Blobs: store, Temp: t.TempDir(), Threads: 2,
		Drivers: []format.Driver{parquet.Driver{}, xlsx.Driver{}, json.Driver{}, text.Driver{}}}
}

// openFiles opens files for a test.
func openFiles(t testing.TB, paths ...string) []*format.Raw {
	t.Helper()
	var out []*format.Raw
	for _, p := range paths {
		raw, c, err := format.OpenRaw(p)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		out = append(out, raw)
	}
	return out
}

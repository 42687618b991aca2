package stream_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/blob/file"
	"github.com/opengenesis/genesis/internal/blob/layout"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/stream"
)

// cells are the cells of a batch as text, row by row, "∅" where there is none.
func cells(b *format.Batch) [][]string {
	out := make([][]string, b.Rows)
	for i := range out {
		for j := range b.Cols {
			out[i] = append(out[i], cell(&b.Cols[j], i))
		}
	}
	return out
}

func cell(v *format.Vector, i int) string {
	switch {
	case v.Null(i):
		return "∅"
	case v.Kind == format.Text:
		return string(v.Bytes(i))
	case v.Kind == format.Float:
		return fmt.Sprint(v.Floats[i])
	}
	return fmt.Sprint(v.Ints[i])
}

func (v *version) openAt(row int64, columns ...string) (*stream.Reader, error) {
	return stream.OpenAt(context.Background(), v.blobs, v.manifest, v.layout, "t", columns, row)
}

// readAll reads what a reader has left, and checks that rows follow each other.
func readAll(t *testing.T, r *stream.Reader, row int64) [][]string {
	t.Helper()
	all := [][]string{}
	defer r.Close()
	for {
		b, err := r.Next()
		if err == io.EOF {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		if b.First != row {
			t.Errorf("a batch begins at row %d, want %d", b.First, row)
		}
		row += int64(b.Rows)
		all = append(all, cells(b)...)
	}
}

// TestOpenAt begins at rows around the ends of batches, row groups and files.
func TestOpenAt(t *testing.T) {
	v := newVersion(t)
	r, err := v.openAt(0)
	if err != nil {
		t.Fatal(err)
	}
	want := readAll(t, r, 0)
	if len(want) != 1701 || want[0][3] != "∅" || want[1700][0] != "1700" {
		t.Fatalf("%d rows, %v … %v", len(want), want[0], want[len(want)-1])
	}
	for _, row := range []int64{1, 2, 63, 64, 65, 299, 300, 301, 600, 699, 700, 1499, 1500, 1501, 1699, 1700, 1701} {
		r, err := v.openAt(row)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want[row:], readAll(t, r, row)); d != "" {
			t.Errorf("from row %d on (-want +got):\n%.500s", row, d)
		}
	}
	for _, row := range []int64{-1, 1702} {
		if _, err := v.openAt(row); genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("row %d: %v", row, err)
		}
	}
}

// TestOpenAtReadsNoRowGroupBefore damages the first row group: who begins behind it
// does not notice.
func TestOpenAtReadsNoRowGroupBefore(t *testing.T) {
	v := newVersion(t)
	ctx := context.Background()
	f := v.layout.Tables["t"][0]
	text, err := v.blobs.Bytes(ctx, f.Digest, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	for i := 4; i < 60; i++ { // behind the magic number
		text[i] ^= 0x55
	}
	if f.Blob, err = v.blobs.Put(ctx, text); err != nil {
		t.Fatal(err)
	}
	v.layout.Tables["t"][0] = f
	r, err := v.openAt(0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); err == nil {
		t.Fatal("nobody notices that the first row group is damaged: the test shows nothing")
	}
	if r, err = v.openAt(1234); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, r, 1234); len(got) != 1701-1234 || got[0][0] != "1234" {
		t.Errorf("%d rows from %v", len(got), got[0])
	}
}

// TestOpenAtInPages: a reader that begins late goes on into the files that follow, in
// pages or not.
func TestOpenAtInPages(t *testing.T) {
	v := newVersion(t)
	few := v.layout.Tables["t"]
	v.layout.Tables["t"] = slices.Repeat(few, 800)
	v.manifest.Tables[0].Rows = 800 * 1701
	var err error
	if v.layout, err = layout.Write(context.Background(), v.blobs, v.layout); err != nil {
		t.Fatal(err)
	}
	if len(v.layout.Pages["t"]) != 2 {
		t.Fatalf("%d pages", len(v.layout.Pages["t"]))
	}
	for _, row := range []int64{511 * 1701, 512 * 1701, 512*1701 - 5, 799*1701 + 1600} { // where the second page begins, and before
		r, err := v.openAt(row, "n")
		if err != nil {
			t.Fatal(err)
		}
		at := row
		for range 4 {
			b, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for i := range b.Rows {
				if b.Cols[0].Ints[i] != at%1701 {
					t.Fatalf("from row %d on, row %d is %d", row, at, b.Cols[0].Ints[i])
				}
				at++
			}
		}
		r.Close()
	}
}

// watched notes which objects are opened.
type watched struct {
	blob.Driver
	mu     sync.Mutex
	opened map[string]int
}

func (w *watched) Open(ctx context.Context, key string) (blob.Object, error) {
	w.mu.Lock()
	w.opened[key]++
	w.mu.Unlock()
	return w.Driver.Open(ctx, key)
}

// take returns how many objects were opened since it was last asked.
func (w *watched) take() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, times := range w.opened {
		n += times
	}
	clear(w.opened)
	return n
}

// TestManyFiles reads a table of 100,000 files from random rows on, and opens no more
// of it than a page and the file.
func TestManyFiles(t *testing.T) {
	ctx := context.Background()
	d, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	w := &watched{Driver: d, opened: map[string]int{}}
	v := &version{blobs: blob.Open(w), layout: genesis.Layout{Format: 1, Tables: map[string][]genesis.LayoutFile{}}}
	for _, b := range []*format.Batch{rows(0, 3), rows(3, 1), rows(4, 7), rows(11, 2)} {
		v.store(t, "t", columns, b)
	}
	v.layout.Tables["t"] = slices.Repeat(v.layout.Tables["t"], 25_000)
	table := genesis.ManifestTable{Name: "t", Rows: 25_000 * 13}
	for _, c := range columns {
		table.Columns = append(table.Columns, genesis.ManifestColumn{Column: c})
	}
	v.manifest = genesis.Manifest{Format: 1, Kind: genesis.Dataset, Tables: []genesis.ManifestTable{table}}
	if v.layout, err = layout.Write(ctx, v.blobs, v.layout); err != nil {
		t.Fatal(err)
	}
	w.take()
	random := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		row := random.Int64N(table.Rows)
		r, err := v.openAt(row, "n", "note")
		if err != nil {
			t.Fatal(err)
		}
		if n := w.take(); n > 1 {
			t.Fatalf("opening a reader at row %d opens %d objects, want a page at most", row, n)
		}
		for range 3 { // files
			b, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for i, got := range cells(b) {
				at := (b.First + int64(i)) % 13
				if want := cells(rows(int(at), 1))[0]; got[0] != want[0] || got[1] != want[3] {
					t.Fatalf("row %d is %v, want %v", b.First+int64(i), got, want)
				}
			}
			if b.First < row {
				t.Fatalf("row %d comes, and row %d was asked for", b.First, row)
			}
		}
		if n := w.take(); n > 5 {
			t.Errorf("reading three files from row %d on opens %d objects", row, n)
		}
		r.Close()
	}
	r, err := v.open("t", "n")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if n := w.take(); n > 0 {
		t.Errorf("opening a reader reads %d objects", n)
	}
}

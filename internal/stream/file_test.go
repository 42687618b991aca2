package stream_test

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/format/parquet"
	"github.com/opengenesis/genesis/internal/stream"
)

// TestOpenFile: a table of one file is that file, byte for byte; one of several is one
// file with all rows.
func TestOpenFile(t *testing.T) {
	v := newVersion(t)
	f, err := stream.OpenFile(context.Background(), v.blobs, v.layout, "rejects/t.parquet")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if want := v.layout.Tables["rejects/t"][0]; err != nil || genesis.DigestOf(b) != want.Digest || f.Digest() != want.Digest || f.Size() != want.Size {
		t.Errorf("%d bytes of digest %s, %v; want %+v", len(b), f.Digest(), err, want)
	}

	two, err := stream.OpenFile(context.Background(), v.blobs, v.layout, "t")
	if err != nil {
		t.Fatal(err)
	}
	defer two.Close()
	whole, err := io.ReadAll(two)
	if err != nil || int64(len(whole)) != two.Size() {
		t.Fatalf("%d bytes of %d, %v", len(whole), two.Size(), err)
	}
	file, err := parquet.OpenFile(two, two.Size())
	if err != nil {
		t.Fatal(err)
	}
	rows, err := file.Read(context.Background(), parquet.ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	digests := make([]*format.ColumnDigest, len(columns))
	for i, c := range columns {
		digests[i] = format.NewColumnDigest(c)
	}
	for {
		b, err := rows.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range digests {
			digests[i].Add(&b.Cols[i], b.Rows)
		}
	}
	for i, c := range columns {
		if digests[i].Sum() != digestOf(v.manifest.Tables[0], c.Name) {
			t.Errorf("column %s has other values", c.Name)
		}
	}
	inPieces(t, two, whole, v.layout.Tables["t"][0].Size)
}

// inPieces reads around the edge between two files, and around the end.
func inPieces(t *testing.T, f *stream.File, whole []byte, edge int64) {
	t.Helper()
	size := f.Size()
	for _, at := range []int64{0, edge - 10, edge - 1, edge, edge + 1, size - 9, size - 1} {
		for _, n := range []int64{1, 9, 20, size} {
			b := make([]byte, n)
			got, err := f.ReadAt(b, at)
			want := whole[at:min(size, at+n)]
			if !bytes.Equal(b[:got], want) || (err == io.EOF) != (at+n > size) && err != nil {
				t.Errorf("%d bytes at %d: %d, %v", n, at, got, err)
			}
		}
	}
}

func TestOpenFileRefuses(t *testing.T) {
	v := newVersion(t)
	_, err := stream.OpenFile(context.Background(), v.blobs, v.layout, "u")
	if genesis.KindOf(err) != genesis.NotFound || !strings.Contains(err.(*genesis.Error).Hint, "rejects/t, t") {
		t.Errorf("no such table: %v", err)
	}
	v.store(t, "t", []genesis.Column{{Name: "n", Type: genesis.Text}}, &format.Batch{Rows: 1, Cols: []format.Vector{texts("x")}})
	_, err = stream.OpenFile(context.Background(), v.blobs, v.layout, "t")
	if genesis.KindOf(err) != genesis.Unsupported || !strings.Contains(err.(*genesis.Error).Hint, "export") {
		t.Errorf("files of different schemas: %v", err)
	}
	rejects := v.layout.Tables["rejects/t"][0]
	for range 65 {
		v.layout.Tables["rejects/t"] = append(v.layout.Tables["rejects/t"], rejects)
	}
	_, err = stream.OpenFile(context.Background(), v.blobs, v.layout, "rejects/t")
	if genesis.KindOf(err) != genesis.Unsupported {
		t.Errorf("66 files: %v", err)
	}
	v.layout.Tables["t"] = v.layout.Tables["t"][:2]
	v.layout.Tables["t"][1].Digest = genesis.DigestOf([]byte("away"))
	if _, err = stream.OpenFile(context.Background(), v.blobs, v.layout, "t"); err == nil {
		t.Error("a file that is away is not missed")
	}
}

// TestJoinedDigest: another file, or another order of them, is another digest.
func TestJoinedDigest(t *testing.T) {
	v := newVersion(t)
	digest := func() genesis.Digest {
		f, err := stream.OpenFile(context.Background(), v.blobs, v.layout, "t")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		return f.Digest()
	}
	first, again := digest(), digest()
	files := v.layout.Tables["t"]
	files[0], files[1] = files[1], files[0]
	if turned := digest(); first != again || first == turned {
		t.Errorf("%s, again %s, turned %s", first, again, turned)
	}
}

// TestOpenFileOfNoRows: a table without rows is a file, too.
func TestOpenFileOfNoRows(t *testing.T) {
	v := newVersion(t)
	v.store(t, "empty", columns)
	f, err := stream.OpenFile(context.Background(), v.blobs, v.layout, "empty")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if file, err := parquet.OpenFile(f, f.Size()); err != nil || file.Rows() != 0 {
		t.Errorf("%+v, %v", file, err)
	}
}

// TestOpenFileInPages: the files of a table are found where the layout lists them in
// pages, too.
func TestOpenFileInPages(t *testing.T) {
	v := newVersion(t)
	open := func(l genesis.Layout) genesis.Digest {
		f, err := stream.OpenFile(context.Background(), v.blobs, l, "t")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		return f.Digest()
	}
	files := v.layout.Tables["t"]
	list, err := genesis.CanonicalJSON(files)
	if err != nil {
		t.Fatal(err)
	}
	b, err := v.blobs.Put(context.Background(), list)
	if err != nil {
		t.Fatal(err)
	}
	page := genesis.LayoutPage{Blob: b, Rows: files[0].Rows + files[1].Rows, Files: 2, Bytes: files[0].Size + files[1].Size}
	if got, want := open(genesis.Layout{Format: 1, Pages: map[string][]genesis.LayoutPage{"t": {page}}}), open(v.layout); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

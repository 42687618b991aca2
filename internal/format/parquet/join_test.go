package parquet

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"
	pq "github.com/parquet-go/parquet-go"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

var joinColumns = []genesis.Column{{Name: "n", Type: genesis.Integer}, {Name: "site", Type: genesis.Text}, {Name: "x", Type: genesis.Float}}

// joinFile is a file of rows first…first+n−1: with nulls, and with dictionaries.
func joinFile(t testing.TB, cols []genesis.Column, first, n int) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := NewWriter(&buf, cols, WriterOptions{RowGroup: 100})
	if err != nil {
		t.Fatal(err)
	}
	b := &format.Batch{Rows: n, Cols: []format.Vector{{Kind: format.Int}, {Kind: format.Text}, {Kind: format.Float}}}
	nulls := format.NewBitmap(n)
	for k := range n {
		i := first + k
		b.Cols[0].Ints = append(b.Cols[0].Ints, int64(i))
		at := uint32(len(b.Cols[1].Buf))
		b.Cols[1].Buf = append(b.Cols[1].Buf, fmt.Sprintf("site %d", i%3)...)
		b.Cols[1].Spans = append(b.Cols[1].Spans, format.Span{Start: at, End: uint32(len(b.Cols[1].Buf))})
		b.Cols[2].Floats = append(b.Cols[2].Floats, float64(i*7919%1000)/8)
		if i%5 == 0 {
			nulls.Set(k)
		}
	}
	b.Cols[2].Nulls = nulls
	if err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// joined is several files and what follows them.
func joined(files ...[]byte) ([]byte, error) {
	var parts []Part
	var all []byte
	for _, f := range files {
		parts = append(parts, Part{bytes.NewReader(f), int64(len(f))})
		all = append(all, f...)
	}
	footer, err := Join(parts)
	return append(all, footer...), err
}

// TestJoin: several files with the footer that joins them are one file, to our own reader
// and to another.
func TestJoin(t *testing.T) {
	for _, sizes := range [][]int{{5}, {5, 250}, {0, 7}, {250, 0, 1, 333}} {
		var files [][]byte
		var want []string
		for _, n := range sizes {
			files = append(files, joinFile(t, joinColumns, len(want), n))
			for i := len(want); n > 0; i, n = i+1, n-1 {
				x := fmt.Sprint(float64(i*7919%1000) / 8)
				if i%5 == 0 {
					x = "null"
				}
				want = append(want, fmt.Sprintf("%d site %d %s", i, i%3, x))
			}
		}
		all, err := joined(files...)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, ourRows(t, all)); diff != "" {
			t.Errorf("%v: our reader, -want +got:\n%s", sizes, diff)
		}
		if diff := cmp.Diff(want, peerRows(t, all)); diff != "" {
			t.Errorf("%v: parquet-go, -want +got:\n%s", sizes, diff)
		}
	}
}

func ourRows(t *testing.T, file []byte) (rows []string) {
	t.Helper()
	f, err := OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	r, err := f.Read(context.Background(), ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for {
		b, err := r.Next()
		if err == io.EOF {
			return rows
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range b.Rows {
			x := "null"
			if !b.Cols[2].Null(i) {
				x = fmt.Sprint(b.Cols[2].Floats[i])
			}
			rows = append(rows, fmt.Sprintf("%d %s %s", b.Cols[0].Ints[i], b.Cols[1].Bytes(i), x))
		}
	}
}

func peerRows(t *testing.T, file []byte) (rows []string) {
	t.Helper()
	f, err := pq.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	for i, g := range f.RowGroups() {
		if n := f.Metadata().RowGroups[i].Ordinal; int(n) != i {
			t.Errorf("row group %d has the number %d", i, n)
		}
		r := g.Rows()
		buf := make([]pq.Row, 64)
		for {
			n, err := r.ReadRows(buf)
			for _, row := range buf[:n] {
				x := "null"
				if !row[2].IsNull() {
					x = fmt.Sprint(row[2].Double())
				}
				rows = append(rows, fmt.Sprintf("%d %s %s", row[0].Int64(), row[1].ByteArray(), x))
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		r.Close()
	}
	return rows
}

func TestJoinRefuses(t *testing.T) {
	a := joinFile(t, joinColumns, 0, 10)
	other := []genesis.Column{{Name: "m", Type: genesis.Integer}, joinColumns[1], joinColumns[2]}
	for name, c := range map[string]struct {
		files [][]byte
		kind  genesis.ErrorKind
	}{
		"none":      {nil, genesis.Invalid},
		"schemas":   {[][]byte{a, joinFile(t, other, 0, 10)}, genesis.Unsupported},
		"truncated": {[][]byte{a, a[:len(a)-1]}, genesis.Invalid},
		"no file":   {[][]byte{[]byte("PAR1 and then nothing"), a}, genesis.Invalid},
	} {
		if _, err := joined(c.files...); genesis.KindOf(err) != c.kind {
			t.Errorf("%s: %v, want %s", name, err, c.kind)
		}
	}
}

// FuzzJoin: whatever a footer says, joining ends, and what it gives is a file with all
// rows or an error.
func FuzzJoin(f *testing.F) {
	good := joinFile(f, joinColumns, 0, 3)
	f.Add(good, good)
	f.Add(good, good[:len(good)-9])
	f.Fuzz(func(t *testing.T, a, b []byte) {
		all, err := joined(a, b)
		if err != nil {
			return
		}
		file, err := OpenFile(bytes.NewReader(all), int64(len(all)))
		if err != nil {
			t.Fatalf("what was joined cannot be opened: %v", err)
		}
		one, _ := OpenFile(bytes.NewReader(a), int64(len(a)))
		two, _ := OpenFile(bytes.NewReader(b), int64(len(b)))
		if one == nil || two == nil || file.Rows() != one.Rows()+two.Rows() {
			t.Errorf("%d rows", file.Rows())
		}
	})
}

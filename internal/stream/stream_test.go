package stream_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/blob/file"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/format/parquet"
	"github.com/opengenesis/genesis/internal/stream"
)

// newBlobs returns empty blob storage.
func newBlobs(t *testing.T) *blob.Store {
	t.Helper()
	d, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return blob.Open(d)
}

// version is a stored table t of two files, with a table of rejects.
type version struct {
	blobs    *blob.Store
	manifest genesis.Manifest
	layout   genesis.Layout
	batches  []*format.Batch
}

var columns = []genesis.Column{
	{Name: "n", Type: genesis.Integer}, {Name: "x", Type: genesis.Float}, {Name: "kind", Type: genesis.Categorical},
	{Name: "note", Type: genesis.Text}, {Name: "at", Type: genesis.Timestamp}, {Name: "day", Type: genesis.Date}, {Name: "ok", Type: genesis.Boolean},
}

func texts(values ...string) format.Vector {
	v := format.Vector{Kind: format.Text}
	for _, s := range values {
		start := uint32(len(v.Buf))
		v.Buf = append(v.Buf, s...)
		v.Spans = append(v.Spans, format.Span{Start: start, End: uint32(len(v.Buf))})
	}
	return v
}

// rows makes a batch of rows first…first+n−1; every third note is missing.
func rows(first, n int) *format.Batch {
	b := &format.Batch{Rows: n, Cols: make([]format.Vector, len(columns))}
	var kinds, notes []string
	nulls := format.NewBitmap(n)
	for k := range n {
		i := int64(first + k)
		b.Cols[0].Ints = append(b.Cols[0].Ints, i)
		b.Cols[1].Floats = append(b.Cols[1].Floats, float64(i)/8)
		kinds = append(kinds, []string{"north", "south"}[i%2])
		notes = append(notes, fmt.Sprintf("note %d", i))
		if i%3 == 0 {
			nulls.Set(k)
		}
		b.Cols[4].Ints = append(b.Cols[4].Ints, i*1e6)
		b.Cols[5].Ints = append(b.Cols[5].Ints, i)
		b.Cols[6].Ints = append(b.Cols[6].Ints, i%2)
	}
	b.Cols[2], b.Cols[3] = texts(kinds...), texts(notes...)
	b.Cols[3].Nulls = nulls
	for j, c := range columns {
		b.Cols[j].Kind = format.KindOf(c.Type)
	}
	return b
}

func newVersion(t *testing.T) *version {
	t.Helper()
	v := &version{blobs: newBlobs(t), layout: genesis.Layout{Format: 1, Tables: map[string][]genesis.LayoutFile{}}}
	v.batches = []*format.Batch{rows(0, 700), rows(700, 1000), rows(1700, 1)}
	table := genesis.ManifestTable{Name: "t", Rows: 1701}
	for j, c := range columns {
		d := format.NewColumnDigest(c)
		for _, b := range v.batches {
			d.Add(&b.Cols[j], b.Rows)
		}
		table.Columns = append(table.Columns, genesis.ManifestColumn{Column: c, Digest: d.Sum()})
	}
	v.store(t, "t", columns, v.batches[:2]...)
	v.store(t, "t", columns, v.batches[2])
	bad := []genesis.Column{{Name: "value", Type: genesis.Text}}
	v.store(t, "rejects/t", bad, &format.Batch{Rows: 1, Cols: []format.Vector{texts("12,x")}})
	v.manifest = genesis.Manifest{Format: 1, Kind: genesis.Dataset, Tables: []genesis.ManifestTable{table},
		Rejects: []genesis.ManifestTable{{Name: "t", Rows: 1, Columns: []genesis.ManifestColumn{{Column: bad[0]}}}}}
	return v
}

// store adds a file of these batches to a table.
func (v *version) store(t *testing.T, table string, cols []genesis.Column, batches ...*format.Batch) {
	t.Helper()
	var buf bytes.Buffer
	w, err := parquet.NewWriter(&buf, cols, parquet.WriterOptions{RowGroup: 300})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range batches {
		if err := w.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := v.blobs.Put(context.Background(), buf.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	v.layout.Tables[table] = append(v.layout.Tables[table], genesis.LayoutFile{Blob: b, Rows: w.Rows()})
}

func (v *version) open(table string, columns ...string) (*stream.Reader, error) {
	return stream.Open(context.Background(), v.blobs, v.manifest, v.layout, table, columns)
}

func TestOpenGivesTheRowsInOrder(t *testing.T) {
	v := newVersion(t)
	for _, names := range [][]string{nil, {"note"}, {"ok", "n"}} {
		r, err := v.open("t", names...)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		digests := make([]*format.ColumnDigest, len(r.Columns()))
		for i, c := range r.Columns() {
			digests[i] = format.NewColumnDigest(c)
		}
		next := int64(0)
		for {
			b, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			if b.First != next {
				t.Errorf("batch begins at row %d, want %d", b.First, next)
			}
			next += int64(b.Rows)
			for i := range digests {
				digests[i].Add(&b.Cols[i], b.Rows)
			}
		}
		if next != 1701 || r.Rows() != 1701 {
			t.Errorf("%v: gave %d rows and says it has %d, want 1701", names, next, r.Rows())
		}
		for i, c := range r.Columns() {
			if want := digestOf(v.manifest.Tables[0], c.Name); digests[i].Sum() != want {
				t.Errorf("%v: column %s has digest %s, want %s", names, c.Name, digests[i].Sum(), want)
			}
		}
	}
}

func digestOf(t genesis.ManifestTable, name string) genesis.Digest {
	for _, c := range t.Columns {
		if c.Name == name {
			return c.Digest
		}
	}
	return ""
}

func TestOpenRejects(t *testing.T) {
	r, err := newVersion(t).open("rejects/t")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := r.Next()
	if err != nil || string(b.Cols[0].Bytes(0)) != "12,x" {
		t.Errorf("batch %v, error %v; want the rejected value", b, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	tests := []struct {
		name   string
		damage func(v *version)
		table  string
		column string
		kind   genesis.ErrorKind
	}{
		{"no such table", func(*version) {}, "u", "n", genesis.NotFound},
		{"no such rejects", func(*version) {}, "rejects/u", "n", genesis.NotFound},
		{"no such column", func(*version) {}, "t", "m", genesis.NotFound},
		{"a file is missing", func(v *version) { v.layout.Tables["t"] = v.layout.Tables["t"][:1] }, "t", "n", genesis.Internal},
		{"a file has other rows", func(v *version) {
			v.layout.Tables["t"][0].Rows++
			v.layout.Tables["t"][1].Rows--
		}, "t", "n", genesis.Internal},
		{"a column has another type", func(v *version) { v.manifest.Tables[0].Columns[0].Type = genesis.Float }, "t", "n", genesis.Internal},
		{"a column is not in the file", func(v *version) { v.manifest.Tables[0].Columns[0].Name = "m" }, "t", "m", genesis.Internal},
		{"a blob is gone", func(v *version) { v.layout.Tables["t"][0].Digest = genesis.DigestOf(nil) }, "t", "n", genesis.NotFound},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := newVersion(t)
			tt.damage(v)
			r, err := v.open(tt.table, tt.column)
			for err == nil {
				_, err = r.Next()
			}
			if genesis.KindOf(err) != tt.kind {
				t.Errorf("error = %v, want kind %s", err, tt.kind)
			}
		})
	}
}

func TestLoad(t *testing.T) {
	v := newVersion(t)
	b, cols, err := stream.Load(context.Background(), v.blobs, v.manifest, v.layout, "", nil, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(columns, cols); d != "" {
		t.Errorf("columns (-want +got):\n%s", d)
	}
	if b.Rows != 1701 {
		t.Fatalf("%d rows, want 1701", b.Rows)
	}
	for i, c := range cols {
		d := format.NewColumnDigest(c)
		d.Add(&b.Cols[i], b.Rows)
		if want := v.manifest.Tables[0].Columns[i].Digest; d.Sum() != want {
			t.Errorf("column %s has digest %s, want %s", c.Name, d.Sum(), want)
		}
	}
	if n := len(b.Cols[2].Buf); n != len("northsouth") {
		t.Errorf("the texts of the categorical column take %d bytes, want each text once", n)
	}
}

func TestLoadRefusesWhatIsTooLarge(t *testing.T) {
	v := newVersion(t)
	for _, max := range []int64{1000, 8*1701 + 100} {
		_, _, err := stream.Load(context.Background(), v.blobs, v.manifest, v.layout, "t", []string{"note"}, max)
		if genesis.KindOf(err) != genesis.Invalid || !strings.Contains(err.Error(), "in memory") {
			t.Errorf("at most %d bytes: error = %v, want kind invalid", max, err)
		}
	}
}

func TestAssignment(t *testing.T) {
	ctx := context.Background()
	blobs := newBlobs(t)
	for _, n := range []int{0, 1, 100_000} {
		parts := make([]genesis.Part, n)
		for i := range parts {
			parts[i] = genesis.Part(i * 7 % 4)
		}
		b, err := stream.PutAssignment(ctx, blobs, parts)
		if err != nil {
			t.Fatal(err)
		}
		got, err := stream.Assignment(ctx, blobs, genesis.Split{Assignment: b})
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(asBytes(parts), asBytes(got)) {
			t.Errorf("%d parts come back as others", n)
		}
	}
}

func asBytes(parts []genesis.Part) []byte {
	b := make([]byte, len(parts))
	for i, p := range parts {
		b[i] = byte(p)
	}
	return b
}

func FuzzAssignment(f *testing.F) {
	good, err := stream.EncodeAssignment([]genesis.Part{1, 2, 3, 1})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(good[:len(good)-1])
	f.Add(good[:25])
	f.Add(bytes.Replace(good, []byte{4, 0, 0, 0, 0, 0, 0, 0}, bytes.Repeat([]byte{255}, 8), 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		parts, err := stream.DecodeAssignment(b)
		if err != nil {
			if genesis.KindOf(err) != genesis.Invalid {
				t.Errorf("error = %v, want kind invalid", err)
			}
			return
		}
		again, err := stream.EncodeAssignment(parts)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := stream.DecodeAssignment(again); err != nil || len(back) != len(parts) {
			t.Errorf("%d parts come back as %d, error %v", len(parts), len(back), err)
		}
	})
}

// given yields batches that are not stored.
type given struct {
	cols    []genesis.Column
	batches []*format.Batch
}

func (g *given) Columns() []genesis.Column { return g.cols }

func (g *given) Next() (*format.Batch, error) {
	if len(g.batches) == 0 {
		return nil, io.EOF
	}
	b := g.batches[0]
	g.batches = g.batches[1:]
	return b, nil
}

func TestWriteCSV(t *testing.T) {
	nulls := format.NewBitmap(11)
	nulls.Set(10)
	text := texts("plain", "a,b", `say "hi"`, "two\nlines", "=SUM(A1)", "+1-2", "-2", "@cmd", "\tx", "", "gone")
	text.Nulls = nulls
	floats := format.Vector{Kind: format.Float, Floats: []float64{0.1, 1e20, 1e-7, math.NaN(), math.Inf(1), math.Inf(-1), -2, 100000, math.Copysign(0, -1), 1.0 / 3, 0}, Nulls: nulls}
	times := format.Vector{Kind: format.Timestamp, Ints: []int64{0, 1514764800000001, -1, 1e6, 5, 6, 7, 8, 9, 10, 0}, Nulls: nulls}
	in := &given{[]genesis.Column{{Name: "text", Type: genesis.Text}, {Name: "x", Type: genesis.Float}, {Name: "at", Type: genesis.Timestamp}, {Name: "gone", Type: genesis.Integer}},
		[]*format.Batch{{Rows: 11, Cols: []format.Vector{text, floats, times}}}}
	var out bytes.Buffer
	if err := stream.WriteCSV(context.Background(), &out, in); err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll(`text,x,at,gone
plain,0.1,1970-01-01T00:00:00Z,
"a,b",1e+20,2018-01-01T00:00:00.000001Z,
"say ""hi""",1e-07,1969-12-31T23:59:59.999999Z,
"two|lines",NaN,1970-01-01T00:00:01Z,
'=SUM(A1),+Inf,1970-01-01T00:00:00.000005Z,
'+1-2,-Inf,1970-01-01T00:00:00.000006Z,
-2,-2,1970-01-01T00:00:00.000007Z,
'@cmd,100000,1970-01-01T00:00:00.000008Z,
'	x,-0,1970-01-01T00:00:00.000009Z,
"",0.3333333333333333,1970-01-01T00:00:00.00001Z,
,,,
`, "\n", "\r\n")
	want = strings.ReplaceAll(want, "|", "\n")
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Errorf("CSV (-want +got):\n%s", d)
	}
}

func TestCSVKeepsARowOfOneNull(t *testing.T) {
	in := &given{columns[:1], []*format.Batch{{Rows: 2}}}
	var out bytes.Buffer
	if err := stream.WriteCSV(context.Background(), &out, in); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(lines) != 3 {
		t.Errorf("lines %q, error %v; want a header and two rows", lines, err)
	}
}

func TestExportedParquetHoldsTheSame(t *testing.T) {
	v := newVersion(t)
	r, err := v.open("t")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	path := filepath.Join(t.TempDir(), "t.parquet")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := stream.WriteParquet(context.Background(), f, r); err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	stored, err := parquet.OpenFile(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	got, err := stored.Read(context.Background(), parquet.ReadOptions{Batch: 5000})
	if err != nil {
		t.Fatal(err)
	}
	b, err := got.Next()
	if err != nil || b.Rows != 1701 {
		t.Fatalf("%v, error %v; want 1701 rows", b, err)
	}
	for i, c := range v.manifest.Tables[0].Columns {
		d := format.NewColumnDigest(c.Column)
		d.Add(&b.Cols[i], b.Rows)
		if d.Sum() != c.Digest {
			t.Errorf("column %s has digest %s, want %s", c.Name, d.Sum(), c.Digest)
		}
	}
}

func TestReadingStopsWhenAsked(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	v := newVersion(t)
	r, err := stream.Open(ctx, v.blobs, v.manifest, v.layout, "t", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cancel()
	if _, err := r.Next(); genesis.KindOf(err) != genesis.Canceled {
		t.Errorf("error = %v, want kind canceled", err)
	}
}

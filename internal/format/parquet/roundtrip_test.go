package parquet

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

var allTypes = []genesis.Column{
	{Name: "integer", Type: genesis.Integer, Unit: "kW"}, {Name: "float", Type: genesis.Float}, {Name: "boolean", Type: genesis.Boolean},
	{Name: "timestamp", Type: genesis.Timestamp}, {Name: "date", Type: genesis.Date}, {Name: "categorical", Type: genesis.Categorical},
	{Name: "text", Type: genesis.Text}, {Name: "identifier", Type: genesis.Identifier},
}

// shape is how the values of a random table look.
type shape struct {
	rows   int
	nulls  float64 // share
	narrow bool    // few distinct values
	long   int     // length of texts
}

// randomBatch makes a batch of allTypes.
func randomBatch(rng *rand.Rand, s shape) *format.Batch {
	b := &format.Batch{Rows: s.rows, Cols: make([]format.Vector, len(allTypes))}
	for j, c := range allTypes {
		v := &b.Cols[j]
		v.Kind = format.KindOf(c.Type)
		for range s.rows {
			appendRandom(rng, v, c.Type, s)
		}
		if s.nulls > 0 {
			v.Nulls = format.NewBitmap(s.rows)
			for i := range s.rows {
				if rng.Float64() < s.nulls {
					v.Nulls.Set(i)
				}
			}
		}
	}
	return b
}

func appendRandom(rng *rand.Rand, v *format.Vector, t genesis.Type, s shape) {
	switch t {
	case genesis.Float:
		special := [...]float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), math.Inf(-1), 1.5, math.MaxFloat64, 5e-324}
		if s.narrow || rng.IntN(4) == 0 {
			v.Floats = append(v.Floats, special[rng.IntN(len(special))])
		} else {
			v.Floats = append(v.Floats, rng.NormFloat64())
		}
	case genesis.Boolean:
		v.Ints = append(v.Ints, rng.Int64N(2))
	case genesis.Date:
		v.Ints = append(v.Ints, [...]int64{math.MinInt32, math.MaxInt32, 0, rng.Int64N(30000)}[rng.IntN(4)])
	case genesis.Integer, genesis.Timestamp:
		v.Ints = append(v.Ints, [...]int64{math.MinInt64, math.MaxInt64, -1, rng.Int64() - rng.Int64(), rng.Int64N(100)}[rng.IntN(5)])
	default:
		text := strings.Repeat("漢字,\n", rng.IntN(s.long+1)) + fmt.Sprint(rng.IntN(1<<30))
		if s.narrow {
			text = [...]string{"", "north", "süd"}[rng.IntN(3)]
		}
		if err := appendText(v, []byte(text)); err != nil {
			panic(err)
		}
	}
}

// digests of batches' columns, as they were before they were stored.
func digests(cols []genesis.Column, batches []*format.Batch) []genesis.Digest {
	sums := make([]genesis.Digest, len(cols))
	for i, c := range cols {
		d := format.NewColumnDigest(c)
		for _, b := range batches {
			d.Add(&b.Cols[i], b.Rows)
		}
		sums[i] = d.Sum()
	}
	return sums
}

func encodeFile(t testing.TB, cols []genesis.Column, batches []*format.Batch, opt WriterOptions) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := NewWriter(&out, cols, opt)
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
	return out.Bytes()
}

func readAll(t testing.TB, b []byte, opt ReadOptions) ([]*format.Batch, error) {
	t.Helper()
	f, err := OpenFile(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	r, err := f.Read(context.Background(), opt)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var batches []*format.Batch
	for {
		b, err := r.Next()
		if err == io.EOF {
			return batches, nil
		}
		if err != nil {
			return batches, err
		}
		batches = append(batches, b)
	}
}

func TestRoundTrip(t *testing.T) {
	tests := []struct {
		name    string
		batches []shape
		opt     WriterOptions
		groups  int
	}{
		{"no batch", nil, WriterOptions{}, 0},
		{"no rows", []shape{{}}, WriterOptions{}, 0},
		{"one row", []shape{{rows: 1}}, WriterOptions{}, 1},
		{"one null", []shape{{rows: 1, nulls: 1}}, WriterOptions{}, 1},
		{"all null", []shape{{rows: 1000, nulls: 1}}, WriterOptions{}, 1},
		{"varied", []shape{{rows: 70_000}}, WriterOptions{}, 1},
		{"some null", []shape{{rows: 40_000, nulls: 0.3}, {rows: 100}}, WriterOptions{}, 1},
		{"nulls come late", []shape{{rows: 999}, {rows: 1001, nulls: 0.01}}, WriterOptions{}, 1},
		{"few values", []shape{{rows: 50_000, narrow: true, nulls: 0.1}}, WriterOptions{}, 1},
		{"many groups", []shape{{rows: 1000}, {rows: 3000, narrow: true}, {rows: 17}}, WriterOptions{RowGroup: 100}, 41},
		{"long texts", []shape{{rows: 300, long: 4000}}, WriterOptions{}, 1},
		{"one thread", []shape{{rows: 5000, nulls: 0.1}}, WriterOptions{Threads: 1, RowGroup: 2000}, 3},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			var batches []*format.Batch
			var rows int64
			for _, s := range tt.batches {
				batches = append(batches, randomBatch(rng, s))
				rows += int64(s.rows)
			}
			b := encodeFile(t, allTypes, batches, tt.opt)
			f, err := OpenFile(bytes.NewReader(b), int64(len(b)))
			if err != nil {
				t.Fatal(err)
			}
			if f.Rows() != rows || len(f.Groups()) != tt.groups {
				t.Errorf("%d rows in %d groups, want %d in %d", f.Rows(), len(f.Groups()), rows, tt.groups)
			}
			want := digests(allTypes, batches)
			for _, opt := range []ReadOptions{{}, {Batch: 7, Threads: 1}, {Batch: 100_000, Threads: 3}} {
				got, err := readAll(t, b, opt)
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(want, digests(allTypes, got)); d != "" {
					t.Errorf("%+v: digests (-written +read):\n%s", opt, d)
				}
			}
			if d := cmp.Diff(want, peerDigests(t, b, allTypes)); d != "" {
				t.Errorf("digests (-written +read by parquet-go):\n%s", d)
			}
		})
	}
}

func TestReadingProjectsColumnsAndGroups(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	all := []*format.Batch{randomBatch(rng, shape{rows: 100}), randomBatch(rng, shape{rows: 100}), randomBatch(rng, shape{rows: 50})}
	b := encodeFile(t, allTypes, all, WriterOptions{RowGroup: 100})
	got, err := readAll(t, b, ReadOptions{Columns: []int{6, 1}, Groups: []int{2, 1}})
	if err != nil {
		t.Fatal(err)
	}
	cols := []genesis.Column{allTypes[6], allTypes[1]}
	want := []*format.Batch{
		{Rows: 50, Cols: []format.Vector{all[2].Cols[6], all[2].Cols[1]}},
		{Rows: 100, Cols: []format.Vector{all[1].Cols[6], all[1].Cols[1]}},
	}
	if d := cmp.Diff(digests(cols, want), digests(cols, got)); d != "" {
		t.Errorf("digests (-want +got):\n%s", d)
	}
}

func TestReadingNoColumnsCountsRows(t *testing.T) {
	b := encodeFile(t, allTypes, []*format.Batch{randomBatch(rand.New(rand.NewPCG(1, 2)), shape{rows: 100})}, WriterOptions{})
	got, err := readAll(t, b, ReadOptions{Columns: []int{}})
	if err != nil || len(got) != 1 || got[0].Rows != 100 {
		t.Errorf("batches %v, error %v; want one of 100 rows", got, err)
	}
}

// The bytes must not depend on how rows are batched or how many goroutines
// encode them: equal content is stored once.
func TestBytesDependOnContentAlone(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	whole := randomBatch(rng, shape{rows: 9000, nulls: 0.1, long: 300})
	want := encodeFile(t, allTypes, []*format.Batch{whole}, WriterOptions{RowGroup: 4000, Threads: 1})
	for _, size := range []int{1, 255, 256, 257, 4000, 8999} {
		var parts []*format.Batch
		for from := 0; from < whole.Rows; from += size {
			to := min(whole.Rows, from+size)
			p := &format.Batch{Rows: to - from}
			for j := range whole.Cols {
				p.Cols = append(p.Cols, *slice(&whole.Cols[j], from, to))
			}
			parts = append(parts, p)
		}
		got := encodeFile(t, allTypes, parts, WriterOptions{RowGroup: 4000, Threads: 3})
		if !bytes.Equal(got, want) {
			t.Errorf("batches of %d rows give other bytes than one batch", size)
		}
	}
}

func TestGroupsEndEarlyWhenTheyGetLarge(t *testing.T) {
	cols := []genesis.Column{{Name: "text", Type: genesis.Text}}
	text := bytes.Repeat([]byte("x"), 64<<10)
	v := format.Vector{Kind: format.Text, Buf: text}
	for range 2000 {
		v.Spans = append(v.Spans, format.Span{End: uint32(len(text))})
	}
	in := &format.Batch{Rows: len(v.Spans), Cols: []format.Vector{v}}
	b := encodeFile(t, cols, []*format.Batch{in}, WriterOptions{})
	f, err := OpenFile(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]int64{768, 768, 464}, f.Groups()); d != "" {
		t.Errorf("rows of groups (-want +got):\n%s", d)
	}
	got, err := readAll(t, b, ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range got {
		if n := len(g.Cols[0].Buf); n > 2*textLimit {
			t.Errorf("a batch holds %d bytes of text", n)
		}
	}
	if d := cmp.Diff(digests(cols, []*format.Batch{in}), digests(cols, got)); d != "" {
		t.Errorf("digests (-written +read):\n%s", d)
	}
}

func TestAbsentColumnsAreNull(t *testing.T) {
	cols := []genesis.Column{{Name: "a", Type: genesis.Integer}, {Name: "b", Type: genesis.Text}}
	b := encodeFile(t, cols, []*format.Batch{{Rows: 3, Cols: []format.Vector{{Kind: format.Int, Ints: []int64{1, 2, 3}}}}}, WriterOptions{})
	got, err := readAll(t, b, ReadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if n := got[0].Cols[1].Nulls.Count(); n != 3 {
		t.Errorf("%d nulls, want 3", n)
	}
}

func TestWriterRefuses(t *testing.T) {
	tests := []struct {
		name string
		typ  genesis.Type
		v    format.Vector
		kind genesis.ErrorKind
	}{
		{"another kind", genesis.Float, format.Vector{Kind: format.Int, Ints: []int64{1}}, genesis.Internal},
		{"a date beyond 32 bits", genesis.Date, format.Vector{Kind: format.Date, Ints: []int64{1 << 40}}, genesis.Invalid},
		{"a boolean of 2", genesis.Boolean, format.Vector{Kind: format.Bool, Ints: []int64{2}}, genesis.Invalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, err := NewWriter(io.Discard, []genesis.Column{{Name: "c", Type: tt.typ}}, WriterOptions{})
			if err != nil {
				t.Fatal(err)
			}
			err = w.Write(&format.Batch{Rows: 1, Cols: []format.Vector{tt.v}})
			if genesis.KindOf(err) != tt.kind {
				t.Errorf("error = %v, want kind %s", err, tt.kind)
			}
			if w.Close() == nil {
				t.Error("Close succeeds after a failed Write")
			}
		})
	}
	if _, err := NewWriter(io.Discard, nil, WriterOptions{}); genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("no columns: error = %v, want kind invalid", err)
	}
}

type brokenWriter struct{ left int }

func (w *brokenWriter) Write(b []byte) (int, error) {
	if w.left -= len(b); w.left < 0 {
		return 0, io.ErrShortWrite
	}
	return len(b), nil
}

func TestWriterReportsABrokenDisk(t *testing.T) {
	in := randomBatch(rand.New(rand.NewPCG(1, 2)), shape{rows: 1000})
	for _, left := range []int{2, 1000, 30_000} {
		w, err := NewWriter(&brokenWriter{left}, allTypes, WriterOptions{RowGroup: 300})
		if err == nil {
			err = w.Write(in)
		}
		if err == nil {
			err = w.Close()
		}
		if err != io.ErrShortWrite {
			t.Errorf("after %d bytes: error = %v, want the writer's", left, err)
		}
	}
}

func TestColumnsKeepTheirUnits(t *testing.T) {
	b := encodeFile(t, allTypes, nil, WriterOptions{Metadata: map[string]string{"b": "2", "a": "1"}})
	f, err := OpenFile(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	want := format.RawColumn{Name: "integer", Unit: "kW", Typed: true, Kind: format.Int}
	if d := cmp.Diff(want, f.Columns()[0]); d != "" {
		t.Errorf("column (-want +got):\n%s", d)
	}
	if c := f.Columns()[3]; c.Kind != format.Timestamp || c.Zone != "UTC" {
		t.Errorf("column %+v, want a timestamp in UTC", c)
	}
}

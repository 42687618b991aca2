package parquet

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// benchColumns are ten mixed columns as a laboratory table has them.
var benchColumns = []genesis.Column{
	{Name: "id", Type: genesis.Integer},
	{Name: "time", Type: genesis.Timestamp},
	{Name: "station", Type: genesis.Categorical},
	{Name: "power", Type: genesis.Float},       // two decimals
	{Name: "temperature", Type: genesis.Float}, // full precision
	{Name: "count", Type: genesis.Integer},
	{Name: "ok", Type: genesis.Boolean},
	{Name: "day", Type: genesis.Date},
	{Name: "sample", Type: genesis.Identifier}, // all different
	{Name: "pressure", Type: genesis.Float},    // one decimal, 2 % null
}

func benchBatch(rng *rand.Rand, first, rows int) *format.Batch {
	b := &format.Batch{Rows: rows, First: int64(first), Cols: make([]format.Vector, len(benchColumns))}
	for j, c := range benchColumns {
		b.Cols[j] = format.Vector{Kind: format.KindOf(c.Type)}
	}
	b.Cols[9].Nulls = format.NewBitmap(rows)
	text := func(v *format.Vector, s string) {
		start := uint32(len(v.Buf))
		v.Buf = append(v.Buf, s...)
		v.Spans = append(v.Spans, format.Span{Start: start, End: uint32(len(v.Buf))})
	}
	for i := range rows {
		n := int64(first + i)
		b.Cols[0].Ints = append(b.Cols[0].Ints, n)
		b.Cols[1].Ints = append(b.Cols[1].Ints, 1514764800000000+n*600e6)
		text(&b.Cols[2], fmt.Sprintf("station-%02d", rng.IntN(40)))
		b.Cols[3].Floats = append(b.Cols[3].Floats, math.Round(rng.Float64()*360000)/100)
		b.Cols[4].Floats = append(b.Cols[4].Floats, rng.NormFloat64()*10)
		b.Cols[5].Ints = append(b.Cols[5].Ints, rng.Int64N(5000))
		b.Cols[6].Ints = append(b.Cols[6].Ints, rng.Int64N(2))
		b.Cols[7].Ints = append(b.Cols[7].Ints, 17532+n/144)
		text(&b.Cols[8], fmt.Sprintf("s%08x", rng.Uint32()))
		b.Cols[9].Floats = append(b.Cols[9].Floats, math.Round(rng.NormFloat64()*50+10130)/10)
		if rng.IntN(50) == 0 {
			b.Cols[9].Nulls.Set(i)
		}
	}
	return b
}

// rawBytes is what the batch's values take without nulls: 8 bytes a number, 4 a
// date, 1 a boolean, the text and its length.
func rawBytes(b *format.Batch) (n int64) {
	for _, v := range b.Cols {
		switch v.Kind {
		case format.Text:
			n += int64(len(v.Buf) + 4*len(v.Spans))
		case format.Bool:
			n += int64(b.Rows)
		case format.Date:
			n += 4 * int64(b.Rows)
		default:
			n += 8 * int64(b.Rows)
		}
	}
	return n
}

type countWriter int64

func (c *countWriter) Write(p []byte) (int, error) { *c += countWriter(len(p)); return len(p), nil }

// tableWriter is what is measured.
type tableWriter interface {
	Write(*format.Batch) error
	Close() error
}

// BenchmarkWriter encodes half a million rows on one goroutine, column by
// column and all together; BenchmarkPeerWriter does so with parquet-go.
func BenchmarkWriter(b *testing.B) {
	benchWriter(b, func(w io.Writer, cols []genesis.Column) tableWriter {
		out, err := NewWriter(w, cols, WriterOptions{Threads: 1})
		if err != nil {
			b.Fatal(err)
		}
		return out
	})
}

func BenchmarkPeerWriter(b *testing.B) {
	benchWriter(b, func(w io.Writer, cols []genesis.Column) tableWriter { return newPeerWriter(w, cols) })
}

func benchWriter(b *testing.B, open func(io.Writer, []genesis.Column) tableWriter) {
	rng := rand.New(rand.NewPCG(1, 2))
	var batches []*format.Batch
	for i := range 32 {
		batches = append(batches, benchBatch(rng, i*16384, 16384))
	}
	for j, c := range benchColumns {
		b.Run(c.Name, func(b *testing.B) { benchColumnsOf(b, open, batches, []int{j}) })
	}
	b.Run("all", func(b *testing.B) { benchColumnsOf(b, open, batches, []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}) })
}

func benchColumnsOf(b *testing.B, open func(io.Writer, []genesis.Column) tableWriter, batches []*format.Batch, columns []int) {
	var cols []genesis.Column
	parts := make([]*format.Batch, len(batches))
	raw := int64(0)
	for _, j := range columns {
		cols = append(cols, benchColumns[j])
	}
	for i, x := range batches {
		parts[i] = &format.Batch{Rows: x.Rows}
		for _, j := range columns {
			parts[i].Cols = append(parts[i].Cols, x.Cols[j])
		}
		raw += rawBytes(parts[i])
	}
	b.SetBytes(raw)
	b.ReportAllocs()
	var out countWriter
	for b.Loop() {
		out = 0
		w := open(&out, cols)
		for _, x := range parts {
			if err := w.Write(x); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(out)/float64(raw), "stored/raw")
}

// BenchmarkReader reads what BenchmarkWriter writes.
func BenchmarkReader(b *testing.B) {
	rng := rand.New(rand.NewPCG(1, 2))
	var batches []*format.Batch
	raw := int64(0)
	for i := range 32 {
		batches = append(batches, benchBatch(rng, i*16384, 16384))
		raw += rawBytes(batches[i])
	}
	file := encodeFile(b, benchColumns, batches, WriterOptions{})
	b.SetBytes(raw)
	b.ReportAllocs()
	for b.Loop() {
		if err := drain(context.Background(), mustOpen(b, file), ReadOptions{Threads: 1}); err != nil {
			b.Fatal(err)
		}
	}
}

func mustOpen(t testing.TB, b []byte) *File {
	t.Helper()
	f, err := OpenFile(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

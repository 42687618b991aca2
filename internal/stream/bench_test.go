package stream_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/blob/file"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/format/parquet"
	"github.com/opengenesis/genesis/internal/stream"
	"github.com/opengenesis/genesis/internal/stream/cache"
	"github.com/opengenesis/genesis/internal/stream/ipc"
)

// nowhere is a sink that keeps nothing.
type nowhere struct {
	bodies [2][]byte
	n      int
}

func (n *nowhere) Bodies() int { return 2 }
func (n *nowhere) Body(size int) []byte {
	n.n++
	body := &n.bodies[n.n%2]
	if cap(*body) < size {
		*body = make([]byte, size)
	}
	return (*body)[:size]
}

func (n *nowhere) Send(ipc.Message) error { return nil }

// numbers is a version of rows of 8 floats.
func numbers(b *testing.B, n int) (*stream.Streams, stream.Target) {
	b.Helper()
	d, err := file.Open(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.Close() })
	blobs := blob.Open(d)
	var cols []genesis.Column
	table := genesis.ManifestTable{Name: "t", Rows: int64(n)}
	for k := range 8 {
		c := genesis.Column{Name: fmt.Sprintf("x%d", k), Type: genesis.Float, Role: genesis.Feature}
		cols = append(cols, c)
		table.Columns = append(table.Columns, genesis.ManifestColumn{Column: c})
	}
	var buf bytes.Buffer
	w, err := parquet.NewWriter(&buf, cols, parquet.WriterOptions{})
	if err != nil {
		b.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for done := 0; done < n; done += 10_000 {
		batch := &format.Batch{Rows: 10_000}
		for range cols {
			v := format.Vector{Kind: format.Float}
			for range 10_000 {
				v.Floats = append(v.Floats, rng.NormFloat64())
			}
			batch.Cols = append(batch.Cols, v)
		}
		if err := w.Write(batch); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	stored, err := blobs.Put(b.Context(), buf.Bytes())
	if err != nil {
		b.Fatal(err)
	}
	c, err := cache.Open(b.TempDir(), 10<<30, 1<<30)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { c.Close() })
	return &stream.Streams{Blobs: blobs, Cache: c}, stream.Target{
		Version:  genesis.Version{Name: "n", Kind: genesis.Dataset, Digest: "sha256:63a7d5383b3337a1d2c2091122343a7f4e28c25c5384538618ea81c6cedc0626"},
		Manifest: genesis.Manifest{Format: 1, Kind: genesis.Dataset, Tables: []genesis.ManifestTable{table}},
		Layout:   genesis.Layout{Format: 1, Tables: map[string][]genesis.LayoutFile{"t": {{Blob: stored, Rows: int64(n)}}}}}
}

// BenchmarkSend is what a stream costs without a connection, the cache warm.
func BenchmarkSend(b *testing.B) {
	const rows = 4_000_000
	streams, target := numbers(b, rows)
	for _, batch := range []int{256, 1024, 8192} {
		for _, mode := range []genesis.StreamMode{genesis.Sequential, genesis.Block, genesis.Full} {
			b.Run(fmt.Sprintf("%s/%d", mode, batch), func(b *testing.B) {
				req := genesis.StreamRequest{Mode: mode, Batch: batch}
				s, err := streams.Open(target, req)
				if err == nil {
					err = s.Warm(b.Context(), nil)
				}
				if err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					s, err := streams.Open(target, req)
					if err == nil {
						err = s.Send(b.Context(), &nowhere{})
					}
					if err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
			})
		}
	}
}

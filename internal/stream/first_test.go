package stream_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/blob/file"
	"github.com/opengenesis/genesis/internal/blob/layout"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/stream"
	"github.com/opengenesis/genesis/internal/stream/cache"
	"github.com/opengenesis/genesis/internal/stream/ipc"
)

// errEnough ends a stream.
var errEnough = errors.New("enough was sent")

// firstBatch is a sink that ends the stream with its first batch, and notes when that was.
type firstBatch struct {
	buffer
	messages int
	bodies   int
	opened   func() int
	after    time.Time
	opens    int
}

// Body is asked for when all of the batch was read, and nothing yet of the next.
func (f *firstBatch) Body(n int) []byte {
	if f.bodies++; f.bodies == 1 {
		f.opens = f.opened()
	}
	return f.buffer.Body(n)
}

func (f *firstBatch) Send(m ipc.Message) error {
	if f.messages++; f.messages < 2 {
		return nil
	}
	f.after = time.Now()
	return errEnough
}

// manyFiles is a table of four times as many files.
func manyFiles(t *testing.T, w *watched, times int) (*stream.Streams, stream.Target) {
	t.Helper()
	v := &version{blobs: blob.Open(w), layout: genesis.Layout{Format: 1, Tables: map[string][]genesis.LayoutFile{}}}
	for _, b := range []*format.Batch{rows(0, 3), rows(3, 1), rows(4, 7), rows(11, 2)} {
		v.store(t, "t", columns, b)
	}
	v.layout.Tables["t"] = slices.Repeat(v.layout.Tables["t"], times)
	table := genesis.ManifestTable{Name: "t", Rows: 13 * int64(times)}
	for _, c := range columns {
		table.Columns = append(table.Columns, genesis.ManifestColumn{Column: c})
	}
	v.manifest = genesis.Manifest{Format: 1, Kind: genesis.Dataset, Tables: []genesis.ManifestTable{table}}
	var err error
	if v.layout, err = layout.Write(context.Background(), v.blobs, v.layout); err != nil {
		t.Fatal(err)
	}
	c, err := cache.Open(t.TempDir(), 1<<30, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &stream.Streams{Blobs: v.blobs, Cache: c}, stream.Target{Version: genesis.Version{Name: "t", Kind: genesis.Dataset, Digest: genesis.DigestOf([]byte("t"))}, Manifest: v.manifest, Layout: v.layout}
}

// TestFirstBatch streams a table of 100,000 files: the first batch comes soon, from wherever
// it is, and reads a page of the layout and a file; once the rows are cached a random order
// begins as soon.
func TestFirstBatch(t *testing.T) {
	d, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	w := &watched{Driver: d, opened: map[string]int{}}
	streams, target := manyFiles(t, w, 25_000)
	const most = time.Second // ten times what is promised
	first := func(req genesis.StreamRequest) (time.Duration, int) {
		t.Helper()
		w.take()
		began := time.Now()
		s, err := streams.Open(target, req)
		if err != nil {
			t.Fatal(err)
		}
		sink := &firstBatch{opened: w.take}
		if err := s.Send(t.Context(), sink); !errors.Is(err, errEnough) {
			t.Fatal(err)
		}
		return sink.after.Sub(began), sink.opens
	}
	// The cache is closed, so that nobody else reads and is counted.
	open := streams.Cache
	closed, err := cache.Open(t.TempDir(), 1<<30, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	streams.Cache = closed
	for _, position := range []int64{0, 12, 162_500, 324_999} {
		took, opens := first(genesis.StreamRequest{Position: position, Batch: 1})
		t.Logf("from row %d on, cold: %v, %d requests", position, took, opens)
		if took > most || opens > 2 {
			t.Errorf("the first batch from row %d on takes %v and %d requests", position, took, opens)
		}
	}
	if err := open.Close(); err != nil {
		t.Fatal(err)
	}
	streams, target = manyFiles(t, w, 1000) // once the rows are cached it does not matter how many files they were in
	s, err := streams.Open(target, genesis.StreamRequest{Mode: genesis.Full})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := s.Warm(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	t.Logf("made in %v", time.Since(began))
	for _, mode := range []genesis.StreamMode{genesis.Full, genesis.Block, genesis.Sequential} {
		took, opens := first(genesis.StreamRequest{Mode: mode, Seed: 3})
		t.Logf("%s, warm: %v", mode, took)
		if took > most || opens > 0 {
			t.Errorf("%s: the first batch takes %v and %d requests", mode, took, opens)
		}
	}
}

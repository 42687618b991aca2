package stream_test

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/stream"
	"github.com/opengenesis/genesis/internal/stream/cache"
	"github.com/opengenesis/genesis/internal/stream/ipc"
	"github.com/opengenesis/genesis/internal/stream/ipc/ipctest"
)

// buffer is a sink that keeps everything, in stream form.
type buffer struct {
	bytes.Buffer
}

func (b *buffer) Bodies() int { return 2 }

func (b *buffer) Body(n int) []byte { return bytes.Repeat([]byte{0xa5}, n) } // what is not written shows

func (b *buffer) Send(m ipc.Message) error {
	b.Write(m.AppendPrefix(nil))
	b.Write(m.Body)
	return nil
}

// world is a version with splits and what streams it.
type world struct {
	*version
	*testing.T
	streams *stream.Streams
	target  stream.Target
	parts   []genesis.Part
}

func newWorld(t *testing.T) *world {
	v := newVersion(t)
	c, err := cache.Open(t.TempDir(), 1<<30, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	w := &world{version: v, T: t, streams: &stream.Streams{Blobs: v.blobs, Cache: c}}
	w.target = stream.Target{Version: genesis.Version{Name: "things", Kind: genesis.Dataset, Digest: "sha256:63a7d5383b3337a1d2c2091122343a7f4e28c25c5384538618ea81c6cedc0626"},
		Manifest: v.manifest, Layout: v.layout}
	split := genesis.Split{Name: "random", Table: "t", Counts: map[string]int64{}}
	names := []string{"unassigned", "train", "validation", "test"}
	for i := range 1701 {
		p := genesis.Part(i * 7 % 13 % 4)
		w.parts = append(w.parts, p)
		split.Counts[names[p]]++
	}
	split.Assignment, err = stream.PutAssignment(t.Context(), v.blobs, w.parts)
	if err != nil {
		t.Fatal(err)
	}
	folds := genesis.Split{Name: "folds", Table: "t", Folds: 3, Counts: map[string]int64{}}
	var at []genesis.Part
	for i := range 1701 {
		at = append(at, genesis.Fold(i*i%3))
		folds.Counts[fmt.Sprintf("fold-%d", i*i%3)]++
	}
	folds.Assignment, err = stream.PutAssignment(t.Context(), v.blobs, at)
	if err != nil {
		t.Fatal(err)
	}
	w.target.Splits = []genesis.Split{split, folds}
	return w
}

// read returns a stream that was sent whole.
func (w *world) read(req genesis.StreamRequest) *ipctest.Stream {
	w.Helper()
	s, err := w.streams.Open(w.target, req)
	if err != nil {
		w.Fatal(err)
	}
	var out buffer
	if err := s.Send(w.Context(), &out); err != nil {
		w.Fatal(err)
	}
	out.Write(ipc.End)
	got, err := ipctest.Read(&out)
	if err != nil {
		w.Fatal(err)
	}
	return got
}

// row returns the cells of a row as they were stored.
func (w *world) row(i int) []any {
	b := rows(i, 1)
	var out []any
	for j := range b.Cols {
		v := &b.Cols[j]
		switch {
		case v.Null(0):
			out = append(out, nil)
		case v.Kind == format.Text:
			out = append(out, string(v.Bytes(0)))
		case v.Kind == format.Float:
			out = append(out, v.Floats[0])
		case v.Kind == format.Bool:
			out = append(out, v.Ints[0] != 0)
		default:
			out = append(out, v.Ints[0])
		}
	}
	return out
}

// table returns all rows of a stream, in the order in which they came.
func table(s *ipctest.Stream) [][]any {
	var out [][]any
	for _, b := range s.Batches {
		for i := range b.Rows {
			var row []any
			for _, c := range b.Cols {
				row = append(row, c[i])
			}
			out = append(out, row)
		}
	}
	return out
}

func TestStreamHasEveryCell(t *testing.T) {
	w := newWorld(t)
	for _, as := range []genesis.StreamForm{genesis.AsTable, genesis.AsDictionary} {
		for _, mode := range []genesis.StreamMode{genesis.Sequential, genesis.Block, genesis.Full} {
			s := w.read(genesis.StreamRequest{Mode: mode, Batch: 100, As: as, Seed: 3})
			got := table(s)
			if mode != genesis.Sequential {
				if inOrder(got) {
					t.Errorf("%s: rows are in stored order", mode)
				}
				slices.SortFunc(got, func(a, b []any) int { return int(a[0].(int64) - b[0].(int64)) })
			}
			for i, row := range got {
				if diff := cmp.Diff(w.row(i), row); diff != "" {
					t.Fatalf("%s as %s: row %d\n%s", mode, as, i, diff)
				}
			}
			if len(got) != 1701 || s.Plan.Rows != 1701 || len(s.Batches) != 18 {
				t.Errorf("%s: %d rows in %d batches; plan says %d", mode, len(got), len(s.Batches), s.Plan.Rows)
			}
			if as == genesis.AsDictionary != (s.Fields[2].Dictionary == 2) {
				t.Errorf("as %s, kind has dictionary %d", as, s.Fields[2].Dictionary)
			}
		}
	}
}

func inOrder(got [][]any) bool {
	return slices.IsSortedFunc(got, func(a, b []any) int { return int(a[0].(int64) - b[0].(int64)) })
}

// TestColdIsWarm holds the stream from the stored files to that from the cache, with
// every kind of request that both take.
func TestColdIsWarm(t *testing.T) {
	warm := newWorld(t)
	warm.read(genesis.StreamRequest{Mode: genesis.Full})
	for _, req := range []genesis.StreamRequest{
		{Batch: 64}, {Batch: 1000, Position: 5}, {Split: "train", Batch: 7}, {Split: "folds/not-fold-1", Batch: 50, Shard: 1, Shards: 3},
		{Columns: []string{"note", "n"}, Filter: "n % 5 == 0 && kind == 'south'"}, {Split: "test", Filter: "note.contains('7')", Batch: 10},
	} {
		cold := newWorld(t)
		a, b := cold.read(req), warm.read(req)
		a.Plan.Cached, b.Plan.Cached = false, false
		if diff := cmp.Diff(a.Plan, b.Plan); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(a.Batches, b.Batches); diff != "" {
			t.Errorf("%+v:\n%s", req, diff)
		}
	}
}

// TestStopAnywhere stops loops at random points, with filters and parts, and resumes
// them with other numbers of workers: the rows are the same, none lost or repeated.
func TestStopAnywhere(t *testing.T) {
	w := newWorld(t)
	rng := rand.New(rand.NewPCG(1, 2))
	modes := []genesis.StreamMode{genesis.Sequential, genesis.Block, genesis.Full}
	filters := []string{"", "n % 3 != 0", "kind == 'north' && x > 20.0", "n < 0"}
	splits := []string{"", "train", "folds/not-fold-2"}
	workers := []int{1, 2, 7, 3}
	wholes := map[string][][]any{}
	stops := 0
	for round := 0; stops < 1000; round++ {
		req := genesis.StreamRequest{Mode: modes[round%3], Filter: filters[round/3%4], Split: splits[round/12%3], Seed: uint64(round % 2), Epoch: 5, Columns: []string{"n", "note"}}
		if req.Mode == genesis.Block {
			req.Block = 10
		}
		name := fmt.Sprint(req.Mode, req.Filter, req.Split, req.Seed)
		if wholes[name] == nil {
			wholes[name] = append([][]any{}, table(w.read(req))...)
		}
		got := [][]any{}
		plan := w.plan(req)
		for req.Position < plan.Rows {
			req.Shards, req.Batch, req.Key = workers[stops%4], 1+rng.IntN(100), plan.Key
			rows, next := w.loop(req, rng.IntN(12))
			got, req.Position = append(got, rows...), next
			stops++
		}
		if diff := cmp.Diff(wholes[name], got); diff != "" {
			t.Fatalf("%s: other rows after stops\n%s", name, diff)
		}
	}
}

func (w *world) plan(req genesis.StreamRequest) genesis.StreamPlan {
	w.Helper()
	s, err := w.streams.Open(w.target, req)
	if err != nil {
		w.Fatal(err)
	}
	return s.Plan()
}

// loop consumes some batches in round-robin order of all workers.
func (w *world) loop(req genesis.StreamRequest, batches int) (rows [][]any, next int64) {
	w.Helper()
	var shards []*ipctest.Stream
	for i := range req.Shards {
		req.Shard = i
		shards = append(shards, w.read(req))
	}
	next = req.Position
	for k := range batches {
		s := shards[k%req.Shards]
		if k/req.Shards >= len(s.Batches) {
			break
		}
		b := s.Batches[k/req.Shards]
		if b.From != next {
			w.Fatalf("batch %d begins at %d; %d was consumed", k, b.From, next)
		}
		rows, next = append(rows, table(&ipctest.Stream{Batches: []ipctest.Batch{b}})...), b.Next
	}
	return rows, next
}

func TestRowsForLearning(t *testing.T) {
	w := newWorld(t)
	for i, role := range map[int]genesis.Role{0: genesis.ID, 1: genesis.Feature, 2: genesis.Feature, 3: genesis.Feature, 4: genesis.Time, 6: genesis.Target} {
		w.target.Manifest.Tables[0].Columns[i].Role = role
	}
	s := w.read(genesis.StreamRequest{Split: "test", As: genesis.AsRows, Mask: true, Batch: 200})
	if len(s.Plan.Features) != 3 || s.Plan.Features[1].Width != 2 || !slices.Equal(s.Plan.Features[1].Words, []string{"north", "south"}) {
		t.Fatalf("%+v", s.Plan.Features)
	}
	var sum, squares, n float64
	for i, p := range w.parts {
		if p == genesis.Train {
			n++
			sum += float64(i) / 8
		}
	}
	mean := sum / n
	for i, p := range w.parts {
		if p == genesis.Train {
			squares += (float64(i)/8 - mean) * (float64(i)/8 - mean)
		}
	}
	sd := math.Sqrt(squares / (n - 1))
	if f := s.Plan.Features[0]; math.Abs(f.Mean-mean) > 1e-9 || math.Abs(f.SD-sd) > 1e-9 {
		t.Errorf("scaled by %v and %v; the training part has %v and %v", f.Mean, f.SD, mean, sd)
	}
	got, k := table(s), 0
	for i, p := range w.parts {
		if p != genesis.Test {
			continue
		}
		f, missing, target := got[k][0].([]float64), got[k][1].([]float64), got[k][2].([]float64)
		if want := (float64(i)/8 - mean) / sd; math.Abs(f[0]-want) > 1e-5 || f[1] != float64(1-i%2) || f[2] != float64(i%2) || target[0] != float64(i%2) || missing[0] != 0 {
			t.Fatalf("row %d is %v, %v, %v", i, f, missing, target)
		}
		k++
	}
	if k != len(got) {
		t.Errorf("%d rows", len(got))
	}
}

// TestRowsWithoutSplit: numbers as they are need no training part.
func TestRowsWithoutSplit(t *testing.T) {
	w := newWorld(t)
	w.target.Splits = nil
	s := w.read(genesis.StreamRequest{As: genesis.AsRows, Columns: []string{"x", "n"}, Target: []string{"ok"}, Scale: genesis.Unscaled})
	for i, row := range table(s) {
		if f := row[0].([]float64); f[0] != float64(i)/8 || f[1] != float64(i) || row[1].([]float64)[0] != float64(i%2) {
			t.Fatalf("row %d is %v", i, row)
		}
	}
	for _, req := range []genesis.StreamRequest{{Columns: []string{"x"}}, {Columns: []string{"kind"}, Scale: genesis.Unscaled}, {Columns: []string{"x"}, Target: []string{"kind"}, Scale: genesis.Unscaled}} {
		req.As = genesis.AsRows
		if _, err := w.streams.Open(w.target, req); genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("%+v: %v", req, err)
		}
	}
}

func TestBadRequests(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		req  genesis.StreamRequest
		kind genesis.ErrorKind
	}{
		"position before":  {genesis.StreamRequest{Position: -1}, genesis.Invalid},
		"position behind":  {genesis.StreamRequest{Position: 1702}, genesis.Invalid},
		"unknown column":   {genesis.StreamRequest{Columns: []string{"n", "q"}}, genesis.NotFound},
		"column twice":     {genesis.StreamRequest{Columns: []string{"n", "n"}}, genesis.Invalid},
		"unknown table":    {genesis.StreamRequest{Table: "q"}, genesis.NotFound},
		"unknown split":    {genesis.StreamRequest{Split: "q/train"}, genesis.NotFound},
		"unknown part":     {genesis.StreamRequest{Split: "tran"}, genesis.Invalid},
		"fold too large":   {genesis.StreamRequest{Split: "folds/fold-3"}, genesis.Invalid},
		"fold spelled odd": {genesis.StreamRequest{Split: "folds/fold-01"}, genesis.Invalid},
		"bad filter":       {genesis.StreamRequest{Filter: "n >"}, genesis.Invalid},
		"filter, no truth": {genesis.StreamRequest{Filter: "n + 1"}, genesis.Invalid},
		"filter, unknown":  {genesis.StreamRequest{Filter: "q > 1"}, genesis.Invalid},
		"no shards":        {genesis.StreamRequest{Shards: -1}, genesis.Invalid},
		"shard too large":  {genesis.StreamRequest{Shard: 3, Shards: 3}, genesis.Invalid},
		"shard negative":   {genesis.StreamRequest{Shard: -1, Shards: 3}, genesis.Invalid},
		"batch negative":   {genesis.StreamRequest{Batch: -1}, genesis.Invalid},
		"batch too large":  {genesis.StreamRequest{Batch: 1 << 30}, genesis.Invalid},
		"mode":             {genesis.StreamRequest{Mode: "random"}, genesis.Invalid},
		"form":             {genesis.StreamRequest{As: "json"}, genesis.Invalid},
		"key":              {genesis.StreamRequest{Key: "00"}, genesis.Conflict},
		"block, no blocks": {genesis.StreamRequest{Block: 7}, genesis.Invalid},
		"text as numbers":  {genesis.StreamRequest{As: genesis.AsRows, Columns: []string{"note"}}, genesis.Invalid},
		"mask of a table":  {genesis.StreamRequest{Mask: true}, genesis.Invalid},
	} {
		if _, err := w.streams.Open(w.target, c.req); genesis.KindOf(err) != c.kind {
			t.Errorf("%s: %v, want %s", name, err, c.kind)
		}
	}
	if s := w.read(genesis.StreamRequest{Position: 1701}); len(s.Batches) != 0 {
		t.Error("there are batches behind the last row")
	}
}

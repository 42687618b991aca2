package stream_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/stream"
	"github.com/opengenesis/genesis/internal/stream/cache"
	"github.com/opengenesis/genesis/internal/stream/ipc"
	"github.com/opengenesis/genesis/internal/stream/ipc/ipctest"
)

// withRoles gives the world's columns roles, so that rows can be made of them.
func (w *world) withRoles() *world {
	for i, role := range map[int]genesis.Role{0: genesis.ID, 1: genesis.Feature, 2: genesis.Feature, 3: genesis.Feature, 4: genesis.Time, 6: genesis.Target} {
		w.target.Manifest.Tables[0].Columns[i].Role = role
	}
	return w
}

// try sends a stream and returns why it is not whole.
func (w *world) try(req genesis.StreamRequest) error {
	w.Helper()
	s, err := w.streams.Open(w.target, req)
	if err != nil {
		return err
	}
	var out buffer
	return s.Send(w.Context(), &out)
}

// recached opens the cache anew with another bound, or after its files were changed.
func (w *world) recached(dir string, max int64) {
	w.Helper()
	c, err := cache.Open(dir, max, 1<<20)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { c.Close() })
	w.streams = &stream.Streams{Blobs: w.blobs, Cache: c}
}

// TestDamagedCache flips a bit of each file of the cache in turn: the stream either notices
// when it begins and has it made anew, or ends with an error and the next one is whole.
// Nobody gets other rows.
func TestDamagedCache(t *testing.T) {
	w := newWorld(t).withRoles()
	reqs := []genesis.StreamRequest{
		{Mode: genesis.Full, Split: "train", Batch: 100, Columns: []string{"n", "note", "kind"}},
		{Split: "test", As: genesis.AsRows, Mode: genesis.Block, Batch: 300},
	}
	dir := t.TempDir()
	w.recached(dir, 1<<30)
	var want []*ipctest.Stream
	for _, req := range reqs {
		want = append(want, w.read(req))
	}
	w.streams.Cache.Close()
	broke, files := 0, 0
	for _, path := range filesOf(t, dir) {
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files++
		for _, at := range []int{0, len(whole) / 3, len(whole) - 50, len(whole) - 4} {
			b := bytes.Clone(whole)
			b[max(0, at)] ^= 4
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
			w.recached(dir, 1<<30)
			for k, req := range reqs {
				if err := w.try(req); err != nil {
					if !cache.Damaged(err) {
						t.Errorf("%s, byte %d: %v", path, at, err)
					}
					broke++
				}
				if diff := cmp.Diff(want[k].Batches, w.read(req).Batches); diff != "" {
					t.Fatalf("%s, byte %d: other rows\n%s", path, at, diff)
				}
			}
			w.streams.Cache.Close()
		}
	}
	if files < 6 || broke == 0 {
		t.Errorf("%d files, and %d streams broke off: the test shows nothing", files, broke)
	}
}

func filesOf(t *testing.T, dir string) (paths []string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*", "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// spoiler is a sink that does something after some messages.
type spoiler struct {
	buffer
	after int
	do    func()
}

func (s *spoiler) Send(m ipc.Message) error {
	if s.after--; s.after == 0 {
		s.do()
	}
	return s.buffer.Send(m)
}

// TestDamageWhileStreaming: rows that go bad under a running stream end it, and the next
// one is of rows that were made anew.
func TestDamageWhileStreaming(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"flipped": func(path string) error {
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			for i := len(b) / 2; i < len(b)-200; i += 64 { // what was not looked at yet
				if _, err := f.WriteAt([]byte{^b[i]}, int64(i)); err != nil {
					return err
				}
			}
			return nil
		},
		"cut": func(path string) error { return os.Truncate(path, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.store2(t, 60_000)
			dir := t.TempDir()
			w.recached(dir, 1<<30)
			req := genesis.StreamRequest{Table: "wide", Batch: 500}
			want := w.read(genesis.StreamRequest{Table: "wide", Mode: genesis.Full, Batch: 500}) // makes the cache
			warm := w.read(req)
			w.streams.Cache.Close()
			w.recached(dir, 1<<30) // so that nothing was looked at yet
			s, err := w.streams.Open(w.target, req)
			if err != nil {
				t.Fatal(err)
			}
			out := &spoiler{after: 4, do: func() {
				for _, path := range filesOf(t, dir) {
					if strings.HasSuffix(path, "rows") {
						if err := spoil(path); err != nil {
							t.Fatal(err)
						}
					}
				}
			}}
			if err := s.Send(t.Context(), out); !cache.Damaged(err) || genesis.KindOf(err) != genesis.Internal {
				t.Errorf("it ends with %v", err)
			}
			got, _ := ipctest.Read(&out.buffer)
			for i, b := range got.Batches {
				if !reflect.DeepEqual(warm.Batches[i], b) {
					t.Fatalf("batch %d has other rows\n%.500s", i, cmp.Diff(warm.Batches[i], b))
				}
			}
			if next := w.read(genesis.StreamRequest{Table: "wide", Mode: genesis.Full, Batch: 500}).Batches; !reflect.DeepEqual(want.Batches, next) {
				t.Errorf("the next one has other rows\n%.500s", cmp.Diff(want.Batches, next))
			}
		})
	}
}

// store2 adds a table called wide, of rows that repeat, so that it has several blocks.
func (w *world) store2(t *testing.T, n int) {
	t.Helper()
	table := w.target.Manifest.Tables[0]
	table.Name, table.Rows = "wide", int64(n)
	for first := 0; first < n; first += 10_000 {
		w.store(t, "wide", columns, rows(first, min(10_000, n-first)))
	}
	w.target.Manifest.Tables = append(w.target.Manifest.Tables, table)
}

// TestRejectsAreStreamed: a table of rejects is one of its own, whatever the table is
// called that they are of.
func TestRejectsAreStreamed(t *testing.T) {
	w := newWorld(t)
	for _, mode := range []genesis.StreamMode{genesis.Sequential, genesis.Full, genesis.Sequential} {
		s := w.read(genesis.StreamRequest{Table: "rejects/t", Mode: mode})
		if diff := cmp.Diff([][]any{{"12,x"}}, table(s)); diff != "" || s.Plan.Table != "rejects/t" {
			t.Errorf("%s, of %s: %s", mode, s.Plan.Table, diff)
		}
		if got := table(w.read(genesis.StreamRequest{Mode: mode})); len(got) != 1701 {
			t.Errorf("%s: %d rows of the table", mode, len(got))
		}
	}
	if _, err := w.streams.Open(w.target, genesis.StreamRequest{Table: "rejects/t", Split: "train"}); genesis.KindOf(err) != genesis.NotFound {
		t.Errorf("a split of rejects: %v", err)
	}
}

// TestManyFitsAtOnce asks for rows of all folds at once, each of which needs a part that is
// not there yet: nobody waits for ever.
func TestManyFitsAtOnce(t *testing.T) {
	w := newWorld(t).withRoles()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var wg sync.WaitGroup
	for k := range 12 {
		wg.Go(func() {
			s, err := w.streams.Open(w.target, genesis.StreamRequest{Split: fmt.Sprintf("folds/fold-%d", k%3), As: genesis.AsRows})
			if err == nil {
				var out buffer
				err = s.Send(ctx, &out)
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// TestFiltersStop: a filter that takes long for each row ends with who asked, and one that
// takes too long for a row ends the stream instead of leaving the row out.
func TestFiltersStop(t *testing.T) {
	w := newWorld(t)
	list := "[" + strings.Repeat("1,", 50) + "1]"
	slow := list + ".exists(a, " + list + ".exists(b, a + b + n < 0))"
	for _, mode := range []genesis.StreamMode{genesis.Sequential, genesis.Full} {
		s, err := w.streams.Open(w.target, genesis.StreamRequest{Mode: mode, Filter: slow, Batch: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		began := time.Now()
		var out buffer
		err = s.Send(ctx, &out)
		cancel()
		if took := time.Since(began); genesis.KindOf(err) != genesis.Canceled || took > 2*time.Second {
			t.Errorf("%s: %v after %v", mode, err, took)
		}
	}
	worse := list + ".exists(a, " + slow + ")"
	if err := w.try(genesis.StreamRequest{Filter: worse}); genesis.KindOf(err) != genesis.Invalid || !strings.Contains(err.Error(), "too long for a row") {
		t.Errorf("too expensive: %v", err)
	}
	for _, f := range []string{"note.replace('', note) == ''", "[note, note].join(note) == ''", "'%s'.format([note]) == ''"} {
		if err := w.try(genesis.StreamRequest{Filter: f}); genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("%s: %v", f, err)
		}
	}
	if err := w.try(genesis.StreamRequest{Filter: "n / 0 == 1"}); err != nil {
		t.Errorf("arithmetic without an answer leaves the row out: %v", err)
	}
}

// TestMuchText: a batch of too much text is refused before the node holds it, cold and
// warm, however many columns it is in.
func TestMuchText(t *testing.T) {
	defer stream.BoundText(8 << 20)()
	w := newWorld(t)
	long := strings.Repeat("x", 32<<10)
	texts4 := []genesis.Column{{Name: "a", Type: genesis.Text}, {Name: "b", Type: genesis.Text}, {Name: "c", Type: genesis.Text}, {Name: "d", Type: genesis.Text}}
	b := &format.Batch{Rows: 30}
	for range texts4 {
		var all []string
		for range b.Rows {
			all = append(all, long)
		}
		b.Cols = append(b.Cols, texts(all...))
	}
	for range 3 {
		w.store(t, "long", texts4, b)
	}
	m := genesis.ManifestTable{Name: "long", Rows: 90}
	for _, c := range texts4 {
		m.Columns = append(m.Columns, genesis.ManifestColumn{Column: c})
	}
	w.target.Manifest.Tables = append(w.target.Manifest.Tables, m)
	for _, mode := range []genesis.StreamMode{genesis.Sequential, genesis.Full} {
		if err := w.try(genesis.StreamRequest{Table: "long", Mode: mode, Batch: 90}); genesis.KindOf(err) != genesis.Invalid || !strings.Contains(err.Error(), "text") {
			t.Errorf("%s: %v", mode, err)
		}
		if err := w.try(genesis.StreamRequest{Table: "long", Mode: mode, Batch: 40}); err != nil {
			t.Errorf("%s: %v", mode, err)
		}
	}
}

// TestNothingOfOtherRows changes rows that are not in the training part, and adds words
// and extremes to them: the features of the rows that are stay the same to the bit.
func TestNothingOfOtherRows(t *testing.T) {
	features := func(change bool) ([]ipctest.Batch, string) {
		w := newWorld(t).withRoles()
		b := rows(0, 1701)
		if change {
			kinds := make([]string, 1701)
			for i, p := range w.parts {
				kinds[i] = string(b.Cols[2].Bytes(i))
				if p == genesis.Train {
					continue
				}
				kinds[i] = fmt.Sprint("another ", i)
				b.Cols[1].Floats[i] = []float64{math.MaxFloat64, -1e300, math.Inf(1), math.NaN(), 12345}[i%5]
				b.Cols[4].Ints[i] = -b.Cols[4].Ints[i] * 77
				b.Cols[6].Ints[i] = 1
			}
			b.Cols[2] = texts(kinds...)
		}
		delete(w.target.Layout.Tables, "t")
		w.layout = w.target.Layout
		w.store(t, "t", columns, b)
		s := w.read(genesis.StreamRequest{Split: "train", As: genesis.AsRows, Mode: genesis.Full, Seed: 5, Mask: true})
		plan, err := json.Marshal(s.Plan.Features)
		if err != nil {
			t.Fatal(err)
		}
		return s.Batches, string(plan)
	}
	want, plan := features(false)
	got, changed := features(true)
	if diff := cmp.Diff(want, got); diff != "" || plan != changed {
		t.Errorf("rows of other parts are in the features:\n%s\n%s\n%.800s", plan, changed, diff)
	}
}

// TestExtremes: values near the largest there are make no features that are not numbers.
func TestExtremes(t *testing.T) {
	w := newWorld(t).withRoles()
	b := rows(0, 1701)
	for i := range b.Cols[1].Floats {
		b.Cols[1].Floats[i] = []float64{math.MaxFloat64, -math.MaxFloat64, 1, math.NaN()}[i%4]
	}
	delete(w.target.Layout.Tables, "t")
	w.layout = w.target.Layout
	w.store(t, "t", columns, b)
	for _, row := range table(w.read(genesis.StreamRequest{Split: "test", As: genesis.AsRows})) {
		for _, x := range row[0].([]float64) {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				t.Fatalf("%v", row)
			}
		}
	}
}

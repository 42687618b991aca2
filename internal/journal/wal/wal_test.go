package wal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal/disk"
)

// sink collects what is delivered.
type sink struct {
	mu     sync.Mutex
	values []any
}

func (s *sink) deliver(_ uint64, values []any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.values = append(s.values, values...)
}

func open(t testing.TB, dir string, d disk.Disk) (*WAL, []Segment, *sink) {
	t.Helper()
	var s sink
	w, old, err := Open(Config{Dir: dir, Disk: d, Deliver: s.deliver})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w, old, &s
}

func add(t testing.TB, w *WAL, text string) {
	t.Helper()
	if err := w.Append(context.Background(), []byte(text), text); err != nil {
		t.Fatal(err)
	}
}

// texts are the records of segments, in order.
func texts(all []Segment) []string {
	var out []string
	for _, s := range all {
		for _, r := range s.Records {
			out = append(out, string(r))
		}
	}
	return out
}

func TestReadsBack(t *testing.T) {
	dir := t.TempDir()
	var want []string
	for round := range 3 {
		w, old, s := open(t, dir, nil)
		if got := texts(old); !slices.Equal(got, want) {
			t.Fatalf("round %d reads %q, want %q", round, got, want)
		}
		for i := range 5 {
			text := fmt.Sprintf("%d.%d", round, i)
			want = append(want, text)
			add(t, w, text)
			if len(s.values) != i+1 || s.values[i] != text {
				t.Fatalf("delivered %v before %q was acknowledged", s.values, text)
			}
		}
		add(t, w, "")
		want = append(want, "")
		w.Close()
		if err := w.Append(t.Context(), nil, nil); genesis.KindOf(err) != genesis.Unavailable {
			t.Errorf("a closed log takes a record: %v", err)
		}
	}
}

// TestSharesSyncs holds one sync until many writers wait for the next: that one
// must do for them all.
func TestSharesSyncs(t *testing.T) {
	faulty := &disk.Faulty{Disk: disk.OS}
	w, _, s := open(t, t.TempDir(), faulty)
	add(t, w, "first")
	const writers = 100
	var syncs atomic.Int64
	held, release := make(chan struct{}), make(chan struct{})
	faulty.Fail(func(op, _ string) error {
		if op == "sync" && syncs.Add(1) == 1 {
			close(held)
			<-release
		}
		return nil
	})
	var all sync.WaitGroup
	all.Go(func() { add(t, w, "held") })
	<-held
	for i := range writers {
		all.Go(func() { add(t, w, fmt.Sprint(i)) })
	}
	for waiting := 0; waiting < writers; runtime.Gosched() {
		w.mu.Lock()
		waiting = len(w.next.records)
		w.mu.Unlock()
	}
	close(release)
	all.Wait()
	if n := syncs.Load(); len(s.values) != writers+2 || n != 2 {
		t.Errorf("%d records took %d syncs, want 2", len(s.values)-1, n)
	}
}

// TestTornTail cuts a segment at every byte: the records whose mark is there
// must all be read, and the rest gives no error.
func TestTornTail(t *testing.T) {
	dir := t.TempDir()
	w, _, _ := open(t, dir, nil)
	var ends []int64 // of the segment when each record was acknowledged
	for i := range 5 {
		add(t, w, fmt.Sprintf("record %d", i))
		ends = append(ends, w.size)
	}
	w.Close()
	whole, err := os.ReadFile(filepath.Join(dir, segmentName(1)))
	if err != nil {
		t.Fatal(err)
	}
	for n := range int64(len(whole)) + 1 {
		for _, tail := range [][]byte{nil, make([]byte, 50), bytes.Repeat([]byte{0xff}, 50)} {
			torn := t.TempDir()
			if err := os.WriteFile(filepath.Join(torn, segmentName(1)), append(bytes.Clone(whole[:n]), tail...), 0o600); err != nil {
				t.Fatal(err)
			}
			if n < headerSize && tail != nil {
				continue
			}
			acknowledged := 0
			for acknowledged < len(ends) && ends[acknowledged] <= n {
				acknowledged++
			}
			_, old, _ := open(t, torn, nil)
			if got := texts(old); len(got) < acknowledged || len(got) > acknowledged+1 {
				t.Fatalf("cut at %d, %d records are read, %d were acknowledged", n, len(got), acknowledged)
			}
		}
	}
}

// TestFlippedBits flips every bit of a segment: either opening names it, or no
// record is missing.
func TestFlippedBits(t *testing.T) {
	dir := t.TempDir()
	w, _, _ := open(t, dir, nil)
	for i := range 4 {
		add(t, w, fmt.Sprintf("record %d", i))
	}
	w.Close()
	path := filepath.Join(dir, segmentName(1))
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	last := len(sound) - frameSize // where the last mark stands
	for bit := range 8 * len(sound) {
		b := bytes.Clone(sound)
		b[bit/8] ^= 1 << (bit % 8)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		old, err := readSegments(dir)
		var e *genesis.Error
		switch {
		case errors.As(err, &e):
			if e.Subject != path || e.Msg == "" || e.Kind != genesis.Internal && e.Kind != genesis.Unsupported {
				t.Errorf("byte %d: %+v", bit/8, e)
			}
		case bit/8 < last:
			t.Errorf("byte %d: a flipped bit is not found", bit/8)
		case len(texts(old)) != 4:
			t.Errorf("byte %d: the last mark is damaged, and %q are read", bit/8, texts(old))
		}
	}
}

func TestMissingSegment(t *testing.T) {
	dir := t.TempDir()
	w, _, _ := open(t, dir, nil)
	for i := range 3 {
		add(t, w, fmt.Sprint(i))
		if _, err := w.Rotate(); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	if err := os.Remove(filepath.Join(dir, segmentName(2))); err != nil {
		t.Fatal(err)
	}
	if _, err := readSegments(dir); genesis.KindOf(err) != genesis.Internal {
		t.Errorf("a missing segment gives %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, segmentName(2)), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if old, err := readSegments(dir); err != nil || !slices.Equal(texts(old), []string{"0", "2"}) {
		t.Errorf("with an empty file in place of a segment, %q are read, %v", texts(old), err)
	}
	if err := os.WriteFile(filepath.Join(dir, "2"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readSegments(dir); genesis.KindOf(err) != genesis.Internal {
		t.Errorf("a strange file gives %v", err)
	}
}

// TestFailingDisk lets each operation fail: the writers of that moment are
// refused, health says why, and it ends by itself.
func TestFailingDisk(t *testing.T) {
	for _, op := range []string{"write", "sync", "create", "syncdir"} {
		for _, cause := range []error{syscall.ENOSPC, syscall.EIO, syscall.EROFS} {
			dir := t.TempDir()
			faulty := &disk.Faulty{Disk: disk.OS}
			w, _, s := open(t, dir, faulty)
			add(t, w, "before")
			w.Rotate()
			w.leave() // so that create and syncdir have their turn
			faulty.Fail(func(o, _ string) error {
				if o == op {
					return cause
				}
				return nil
			})
			for range 3 {
				if err := w.Append(t.Context(), []byte("lost"), "lost"); genesis.KindOf(err) != genesis.Unavailable || !errors.Is(err, cause) {
					t.Fatalf("%s: %v", op, err)
				}
				if err := w.Healthy(); !errors.Is(err, cause) {
					t.Fatalf("%s: healthy says %v", op, err)
				}
			}
			faulty.Fail(nil)
			if err := w.Healthy(); err != nil {
				t.Fatalf("%s: it does not recover: %v", op, err)
			}
			add(t, w, "after")
			if want := []any{"before", "after"}; !slices.Equal(s.values, want) {
				t.Errorf("%s: delivered %v, want %v", op, s.values, want)
			}
			w.Close()
			_, old, _ := open(t, dir, nil)
			got := slices.DeleteFunc(texts(old), func(s string) bool { return s == "lost" })
			if !slices.Equal(got, []string{"before", "after"}) {
				t.Errorf("%s: read back %q", op, got)
			}
		}
	}
}

// TestGivesUpTheSegment shows that nothing is written to a segment whose sync
// failed once.
func TestGivesUpTheSegment(t *testing.T) {
	faulty := &disk.Faulty{Disk: disk.OS}
	w, _, _ := open(t, t.TempDir(), faulty)
	add(t, w, "before")
	first := filepath.Join(w.cfg.Dir, segmentName(1))
	failed := false
	faulty.Fail(func(op, name string) error {
		if failed && name == first {
			t.Errorf("%s on a segment that was given up", op)
		}
		if op == "sync" && !failed {
			failed = true
			return syscall.EIO
		}
		return nil
	})
	if err := w.Append(t.Context(), []byte("lost"), nil); !errors.Is(err, syscall.EIO) {
		t.Errorf("a failed sync acknowledges: %v", err)
	}
	add(t, w, "after")
}

func TestRemove(t *testing.T) {
	dir := t.TempDir()
	w, _, _ := open(t, dir, nil)
	for i := range 4 {
		add(t, w, fmt.Sprint(i))
		if _, err := w.Rotate(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Remove(3); err != nil {
		t.Fatal(err)
	}
	if got, err := listSegments(dir); err != nil || !slices.Equal(got, []uint64{3, 4, 5}) {
		t.Errorf("segments %v are left, %v", got, err)
	}
	if err := w.Remove(100); err != nil {
		t.Fatal(err)
	}
	if got, _ := listSegments(dir); !slices.Equal(got, []uint64{5}) {
		t.Errorf("segments %v are left, want the one that is written to", got)
	}
	add(t, w, "after")
}

func TestLimits(t *testing.T) {
	w, _, _ := open(t, t.TempDir(), &disk.Faulty{Disk: disk.OS, Lazy: true})
	if err := w.Append(t.Context(), make([]byte, MaxRecord+1), nil); genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("a long record gives %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Append(ctx, []byte("x"), nil); err != nil && genesis.KindOf(err) != genesis.Canceled {
		t.Errorf("a cancelled writer gets %v", err)
	}
	var all sync.WaitGroup
	for range 24 { // more than one group, and more than one segment
		all.Go(func() {
			if err := w.Append(context.Background(), make([]byte, MaxRecord), nil); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if w.Active() < 2 {
		t.Error("no new segment was begun")
	}
	w.Close()
	_, old, _ := open(t, w.cfg.Dir, nil)
	if n := len(texts(old)); n < 24 {
		t.Errorf("%d records are read", n)
	}
}

func FuzzSegment(f *testing.F) {
	b := appendFrame(make([]byte, headerSize), 1, headerSize, record, []byte("x"))
	b = appendFrame(b, 1, int64(len(b)), mark, nil)
	f.Add(b[headerSize:])
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, tail []byte) {
		b := append(make([]byte, headerSize), tail...)
		records, damaged := scan(b, 1)
		total := 0
		for _, r := range records {
			total += len(r) + frameSize
		}
		if total > len(tail) || damaged >= int64(len(b)) {
			t.Errorf("%d bytes hold %d bytes of records, damaged at %d", len(tail), total, damaged)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	w, _, _ := open(b, b.TempDir(), nil)
	payload := bytes.Repeat([]byte("x"), 400)
	b.SetParallelism(256)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := w.Append(context.Background(), payload, nil); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "entries/s")
}

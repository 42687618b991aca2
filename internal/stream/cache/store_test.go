package cache

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// note is an item in memory.
type note struct {
	text   string
	closed atomic.Int32
}

func (n *note) Close() error {
	n.closed.Add(1)
	return nil
}

// notes makes items of a size, and counts how often.
type notes struct {
	size   int
	made   atomic.Int32
	opened atomic.Int32
	wait   chan struct{} // nil: none
	refuse error         // of Open
}

func (n *notes) maker() Maker {
	m := File(func(ctx context.Context, progress func(int64)) ([]byte, error) {
		n.made.Add(1)
		progress(7)
		if n.wait != nil {
			select {
			case <-n.wait:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		return []byte(strings.Repeat("x", n.size)), nil
	}, func(text []byte) (io.Closer, error) {
		n.opened.Add(1)
		if n.refuse != nil {
			return nil, n.refuse
		}
		return &note{text: string(text)}, nil
	})
	return m
}

func newStore(t *testing.T, max int64) *Store {
	t.Helper()
	s, err := Open(t.TempDir(), max, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func id(name string) ID { return ID{Version: genesis.DigestOf([]byte("v")), Kind: "note", Name: name} }

func (s *Store) mustGet(t *testing.T, name string, n *notes) *Held {
	t.Helper()
	h, err := s.Get(t.Context(), id(name), n.maker(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// eventually waits for something that others bring about.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for began := time.Now(); !ok(); time.Sleep(time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			t.Fatal(what)
		}
	}
}

func TestMadeOnceForAll(t *testing.T) {
	s := newStore(t, 1<<20)
	n := &notes{size: 10, wait: make(chan struct{})}
	var told atomic.Int64
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			h, err := s.Get(t.Context(), id("a"), n.maker(), func(rows int64) { told.Store(rows) })
			if err != nil {
				t.Error(err)
				return
			}
			if len(h.Value().(*note).text) != 10 {
				t.Error("it is another")
			}
			h.Release()
			h.Release() // does nothing
		})
	}
	eventually(t, "nobody is told how far it is", func() bool { return told.Load() == 7 })
	if s.Ready(id("a")) {
		t.Error("it is there before it is made")
	}
	close(n.wait)
	wg.Wait()
	if n.made.Load() != 1 || n.opened.Load() != 1 || !s.Ready(id("a")) {
		t.Errorf("made %d times, opened %d times", n.made.Load(), n.opened.Load())
	}
	if it := s.items[id("a").path()]; it.refs != 0 {
		t.Errorf("%d uses are left", it.refs)
	}
}

// TestNobodyWaits: what all have left is not made to its end, except if it was begun for
// nobody in particular; who comes in between gets it all the same.
func TestNobodyWaits(t *testing.T) {
	s := newStore(t, 1<<20)
	n := &notes{size: 10, wait: make(chan struct{})}
	for range 100 {
		ctx, leave := context.WithCancel(t.Context())
		before := n.made.Load()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				if _, err := s.Get(ctx, id("a"), n.maker(), nil); genesis.KindOf(err) != genesis.Canceled {
					t.Errorf("who leaves gets %v", err)
				}
			})
		}
		eventually(t, "it is not made", func() bool { return n.made.Load() > before })
		leave()
		wg.Wait()
	}
	eventually(t, "it is still being made", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.making) == 0 })

	ctx, leave := context.WithCancel(t.Context())
	slow := File(func(ctx context.Context, _ func(int64)) ([]byte, error) {
		n.made.Add(1)
		<-ctx.Done()
		time.Sleep(50 * time.Millisecond) // it ends late
		return nil, ctx.Err()
	}, nil)
	go func() { _, _ = s.Get(ctx, id("b"), slow, nil) }()
	before := n.made.Load()
	eventually(t, "it is not made", func() bool { return n.made.Load() > before })
	leave()
	eventually(t, "the one who left is not gone", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		k := s.making[id("b").path()]
		return k == nil || k.waiters == 0
	})
	quick := &notes{size: 1}
	s.mustGet(t, "b", quick).Release()

	s.Begin(id("c"), n.maker())
	ctx, leave = context.WithCancel(t.Context())
	leave()
	_, _ = s.Get(ctx, id("c"), n.maker(), nil)
	close(n.wait)
	eventually(t, "what was begun is not made", func() bool { return s.Ready(id("c")) })
	eventually(t, "it is in use", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.items[id("c").path()].refs == 0 })
	s.Begin(id("c"), n.maker()) // does nothing
	if len(s.making) != 0 {
		t.Error("it is made again")
	}
}

func TestLeastRecentlyUsedGoes(t *testing.T) {
	s := newStore(t, 900)
	n := &notes{size: 200}
	size := int64(200 + 8 + trailer)
	for _, name := range []string{"a", "b", "c"} {
		s.mustGet(t, name, n).Release()
	}
	s.mustGet(t, "a", n).Release() // b is the oldest now
	s.mustGet(t, "d", n).Release()
	if s.Ready(id("b")) || !s.Ready(id("a")) || !s.Ready(id("c")) || !s.Ready(id("d")) || s.Size() != 3*size {
		t.Errorf("a %v, b %v, c %v, d %v; %d bytes", s.Ready(id("a")), s.Ready(id("b")), s.Ready(id("c")), s.Ready(id("d")), s.Size())
	}
	if got, err := folderSize(s.dir); err != nil || got != s.Size() {
		t.Errorf("the folder takes %d bytes, %v", got, err)
	}
	// What is in use stays, also when there is no room.
	held := []*Held{s.mustGet(t, "a", n), s.mustGet(t, "c", n), s.mustGet(t, "d", n)}
	_, err := s.Get(t.Context(), id("e"), n.maker(), nil)
	if genesis.KindOf(err) != genesis.Unavailable || !strings.Contains(err.Error(), "in use") {
		t.Errorf("with all in use: %v", err)
	}
	for _, h := range held {
		if h.Value().(*note).closed.Load() != 0 {
			t.Error("what is in use was closed")
		}
	}
	held[1].Release()
	s.mustGet(t, "e", n).Release()
	if s.Ready(id("c")) || s.Size() > 900 {
		t.Errorf("%d bytes", s.Size())
	}
	held[0].Release()
	held[2].Release()
	// What is too large at all is refused, once, and leaves nothing.
	large := &notes{size: 901}
	for range 3 {
		if _, err := s.Get(t.Context(), id("f"), large.maker(), nil); genesis.KindOf(err) != genesis.Unsupported {
			t.Errorf("too large: %v", err)
		}
		s.Begin(id("f"), large.maker())
	}
	if large.made.Load() != 1 || !s.Ready(id("a")) {
		t.Errorf("what is too large was made %d times; what is there: a %v", large.made.Load(), s.Ready(id("a")))
	}
	left(t, s)
}

// left reports folders of what is being made.
func left(t *testing.T, s *Store) {
	t.Helper()
	temps, err := filepath.Glob(filepath.Join(s.dir, tempPrefix+"*"))
	if err != nil || len(temps) > 0 {
		t.Errorf("%v are left, %v", temps, err)
	}
}

// TestTooLargeTables: a table whose rows do not fit is not begun; one whose texts do not
// fit ends when they do not.
func TestTooLargeTables(t *testing.T) {
	s := newStore(t, 1<<20)
	numbers := &fixed{columns: []genesis.Column{{Name: "n", Type: genesis.Integer}}}
	for range 20 {
		numbers.batches = append(numbers.batches, &format.Batch{Rows: 10_000, Cols: []format.Vector{{Kind: format.Int, Ints: make([]int64, 10_000)}}})
	}
	if _, err := s.Get(t.Context(), id("n"), numbers.maker(), nil); genesis.KindOf(err) != genesis.Unsupported || numbers.opened != 0 {
		t.Errorf("%v; it was read %d times", err, numbers.opened)
	}
	long := &fixed{columns: []genesis.Column{{Name: "t", Type: genesis.Text}}}
	for range 1000 {
		long.batches = append(long.batches, &format.Batch{Rows: 1, Cols: []format.Vector{textVector(strings.Repeat("t", 10_000))}})
	}
	if _, err := s.Get(t.Context(), id("t"), long.maker(), nil); genesis.KindOf(err) != genesis.Unsupported || long.next > 120 {
		t.Errorf("%v after %d rows", err, long.next)
	}
	if s.Size() != 0 {
		t.Errorf("%d bytes are taken", s.Size())
	}
	left(t, s)
}

// TestWhatIsMadeCounts: what is being made takes room, too.
func TestWhatIsMadeCounts(t *testing.T) {
	s := newStore(t, 1<<20)
	old := &notes{size: 300_000}
	s.mustGet(t, "old", old).Release()
	long := &fixed{columns: []genesis.Column{{Name: "t", Type: genesis.Text}}}
	most := int64(0)
	long.hook = func(int) error {
		size, err := folderSize(s.dir)
		most = max(most, size)
		return err
	}
	for range 90 {
		long.batches = append(long.batches, &format.Batch{Rows: 1, Cols: []format.Vector{textVector(strings.Repeat("t", 10_000))}})
	}
	h, err := s.Get(t.Context(), id("t"), long.maker(), nil)
	if err != nil {
		t.Fatal(err)
	}
	h.Release()
	if s.Ready(id("old")) || most > 1<<20 || s.Size() > 1<<20 {
		t.Errorf("there were %d bytes; the old one is there: %v", most, s.Ready(id("old")))
	}
}

func TestForget(t *testing.T) {
	s := newStore(t, 1<<20)
	version := id("").Version
	folder := filepath.Join(s.dir, filepath.Dir(id("").path()))
	n := &notes{size: 100}
	used, idle := s.mustGet(t, "used", n), s.mustGet(t, "idle", n)
	idle.Release()
	other := ID{Version: genesis.DigestOf(nil), Kind: "note", Name: "other"}
	if h, err := s.Get(t.Context(), other, n.maker(), nil); err != nil {
		t.Fatal(err)
	} else {
		h.Release()
	}
	slow := &notes{size: 100, wait: make(chan struct{})}
	failed := make(chan error, 1)
	go func() {
		_, err := s.Get(t.Context(), id("slow"), slow.maker(), nil)
		failed <- err
	}()
	eventually(t, "it is not made", func() bool { return slow.made.Load() > 0 })
	s.Begin(id("begun"), slow.maker())
	if err := s.Forget(version); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; genesis.KindOf(err) != genesis.Unavailable {
		t.Errorf("who waits for it gets %v", err)
	}
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its folder is there: %v", err)
	}
	left(t, s)
	if used.Value().(*note).closed.Load() != 0 || idle.item.value != nil {
		t.Error("what is in use is closed, or what is not is open")
	}
	if s.Size() != 2*(100+8+int64(trailer)) {
		t.Errorf("%d bytes are taken: what is in use counts", s.Size())
	}
	value := used.Value().(*note)
	used.Release()
	if value.closed.Load() != 1 || s.Size() != 100+8+int64(trailer) || !s.Ready(other) {
		t.Errorf("afterwards it was closed %d times, and %d bytes are taken", value.closed.Load(), s.Size())
	}
	// Who asked before may be about to have it made.
	if _, err := s.Get(t.Context(), id("used"), n.maker(), nil); genesis.KindOf(err) != genesis.Unavailable {
		t.Errorf("just afterwards: %v", err)
	}
	s.Begin(id("used"), n.maker())
	if len(s.making) != 0 {
		t.Error("it is made just afterwards")
	}
	later := id("used")
	later.Since = s.Now()
	if h, err := s.Get(t.Context(), later, n.maker(), nil); err != nil {
		t.Errorf("who asks afterwards: %v", err)
	} else {
		h.Release()
	}
}

// TestForgetWinsRaces forgets a version while items of it are made all the time: when
// Forget has returned, there is none, and none comes.
func TestForgetWinsRaces(t *testing.T) {
	for range 50 {
		s := newStore(t, 1<<20)
		n := &notes{size: 100}
		var wg sync.WaitGroup
		stop := make(chan struct{})
		for _, name := range []string{"a", "b", "c"} {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if h, err := s.Get(t.Context(), id(name), n.maker(), nil); err == nil {
						h.Drop()
					}
				}
			})
		}
		time.Sleep(time.Duration(n.made.Load()%5) * 100 * time.Microsecond)
		if err := s.Forget(id("").Version); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Millisecond)
		if got, err := folderSize(s.dir); err != nil || got != 0 {
			t.Errorf("there are %d bytes, %v", got, err)
		}
		close(stop)
		wg.Wait()
	}
}

// TestUsesStay: what an item is made from stays while it is made, though nobody else
// uses it any more, and though it is to be forgotten.
func TestUsesStay(t *testing.T) {
	s := newStore(t, 1<<20)
	from := s.mustGet(t, "from", &notes{size: 10})
	value := from.Value().(*note)
	n := &notes{size: 10, wait: make(chan struct{})}
	m := n.maker()
	m.Uses = []*Held{from}
	s.Begin(id("to"), m)
	eventually(t, "it is not made", func() bool { return n.made.Load() > 0 })
	from.Drop()
	if value.closed.Load() != 0 {
		t.Error("it was closed while something is made of it")
	}
	close(n.wait)
	eventually(t, "it stays open", func() bool { return value.closed.Load() == 1 })
}

// TestItemsThatDoNotOpen are made anew a few times, not for ever; if the system has no
// files left, what is there stays.
func TestItemsThatDoNotOpen(t *testing.T) {
	s := newStore(t, 1<<20)
	n := &notes{size: 10, refuse: damaged("is no good")}
	if _, err := s.Get(t.Context(), id("a"), n.maker(), nil); !Damaged(err) || n.made.Load() != tries {
		t.Errorf("%v after %d tries", err, n.made.Load())
	}
	n.refuse = &os.PathError{Op: "open", Path: "x", Err: syscall.EMFILE}
	if _, err := s.Get(t.Context(), id("a"), n.maker(), nil); genesis.KindOf(err) != genesis.Unavailable || n.made.Load() != tries+1 || !s.Ready(id("a")) {
		t.Errorf("%v after %d tries; it is there: %v", err, n.made.Load(), s.Ready(id("a")))
	}
	n.refuse = nil
	s.mustGet(t, "a", n).Release()
	if n.made.Load() != tries+1 {
		t.Error("it was made anew")
	}
}

// TestPanicsOfMakers are errors of those who wait.
func TestPanicsOfMakers(t *testing.T) {
	s := newStore(t, 1<<20)
	m := File(func(context.Context, func(int64)) ([]byte, error) { panic("a bug") }, nil)
	if _, err := s.Get(t.Context(), id("a"), m, nil); genesis.KindOf(err) != genesis.Internal {
		t.Error(err)
	}
	left(t, s)
}

// TestAfterACrash opens folders in which all kinds of things were left, and uses what is
// whole of it, no more.
func TestAfterACrash(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(dir, 1<<20, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	n := &notes{size: 100}
	names := []string{"whole", "cut", "empty", "no file", "flipped"}
	for _, name := range names {
		s.mustGet(t, name, n).Release()
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	blob := func(name string) string { return filepath.Join(dir, id(name).path(), blobFile) }
	for _, err := range []error{os.Truncate(blob("cut"), 50), os.Truncate(blob("empty"), 0), os.Remove(blob("no file")),
		os.Mkdir(filepath.Join(dir, tempPrefix+"x"), 0o700), os.WriteFile(filepath.Join(dir, tempPrefix+"x", rowsFile), []byte("x"), 0o600),
		os.WriteFile(filepath.Join(dir, "stray"), []byte("x"), 0o600), os.MkdirAll(filepath.Join(dir, "empty"), 0o700),
		os.WriteFile(filepath.Join(dir, filepath.Dir(id("").path()), "stray"), []byte("x"), 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	b, err := os.ReadFile(blob("flipped"))
	if err != nil {
		t.Fatal(err)
	}
	b[3] ^= 1
	if err := os.WriteFile(blob("flipped"), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err = Open(dir, 1<<20, 1<<20); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	left(t, s)
	if _, err := os.Stat(filepath.Join(dir, "stray")); err == nil {
		t.Error("what belongs to nobody is there")
	}
	for i, name := range names {
		made := n.made.Load()
		h := s.mustGet(t, name, n)
		if got := h.Value().(*note).text; got != strings.Repeat("x", 100) {
			t.Errorf("%s is %q", name, got)
		}
		if anew := n.made.Load() > made; anew != (i > 0) {
			t.Errorf("%s was made anew: %v", name, anew)
		}
		h.Release()
	}
}

// TestClose ends those who wait, and lets nobody begin; what is in use stays until it is
// released.
func TestClose(t *testing.T) {
	s := newStore(t, 1<<20)
	h := s.mustGet(t, "a", &notes{size: 1})
	value := h.Value().(*note)
	slow := &notes{size: 1, wait: make(chan struct{})}
	failed := make(chan error, 1)
	go func() {
		_, err := s.Get(t.Context(), id("slow"), slow.maker(), nil)
		failed <- err
	}()
	eventually(t, "it is not made", func() bool { return slow.made.Load() > 0 })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; genesis.KindOf(err) != genesis.Unavailable {
		t.Errorf("who waits gets %v", err)
	}
	for _, name := range []string{"a", "new"} {
		if _, err := s.Get(t.Context(), id(name), slow.maker(), nil); genesis.KindOf(err) != genesis.Unavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
	if value.closed.Load() != 0 {
		t.Error("what is in use was closed")
	}
	h.Release()
	if value.closed.Load() != 1 {
		t.Error("what was in use stays open")
	}
	left(t, s)
}

// TestManyUse many items at random in little room: each is what it should be, the bound
// holds, and in the end nothing is in use.
func TestManyUse(t *testing.T) {
	s := newStore(t, 5000)
	n := &notes{size: 400}
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 300 {
				name := string(rune('a' + (g*7+i*i)%26))
				h, err := s.Get(t.Context(), id(name), n.maker(), nil)
				if err != nil {
					t.Error(err)
					return
				}
				if len(h.Value().(*note).text) != 400 || h.Value().(*note).closed.Load() != 0 {
					t.Error("it is closed, or another")
				}
				if i%50 == 49 {
					h.Drop()
				}
				h.Release()
				if size := s.Size(); size > 5000 {
					t.Errorf("%d bytes", size)
				}
			}
		})
	}
	wg.Wait()
	for path, it := range s.items {
		if it.refs != 0 {
			t.Errorf("%s has %d uses", path, it.refs)
		}
	}
	if s.lingering != 0 || len(s.making) != 0 {
		t.Errorf("%d bytes linger, %d are being made", s.lingering, len(s.making))
	}
}

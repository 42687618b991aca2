package cache

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/opengenesis/genesis"
)

// ID names an item: of a version, of a kind, what.
type ID struct {
	Version genesis.Digest
	Kind    string // "table", "part", "fit"
	Name    string // any text
}

// path is where the item lies: a folder for the version, so that all of it can be
// forgotten at once.
func (id ID) path() string {
	name := sha256.Sum256([]byte(id.Name))
	return filepath.Join(strings.TrimPrefix(string(id.Version), "sha256:"), id.Kind+"-"+hex.EncodeToString(name[:16]))
}

// tempPrefix begins the names of folders of what is being made.
const tempPrefix = "tmp-"

// atOnce is how many items are made at a time.
const atOnce = 2

// Store is a folder of items. It is safe for concurrent use.
type Store struct {
	dir  string
	max  int64
	turn chan struct{} // to make one

	mu     sync.Mutex
	hot    hotRoom
	items  map[string]*item // by path
	making map[string]*making
	closed bool
}

// item is in the folder, and may be open.
type item struct {
	path  string
	size  int64
	used  time.Time
	refs  int
	value io.Closer // nil: not open
	gone  bool      // forgotten while in use
}

// making is an item on its way.
type making struct {
	done    chan struct{}
	err     error
	rows    atomic.Int64
	waiters int
	cancel  context.CancelFunc
}

// Maker makes items of one type.
type Maker struct {
	// Make writes files into an empty folder, at most limit bytes, and tells how far it is.
	Make func(ctx context.Context, dir string, limit int64, progress func(rows int64)) error
	// Open opens them.
	Open func(dir string) (io.Closer, error)
}

// Open opens the folder, which it makes if there is none, and removes what was
// left over in it. Items together take at most max bytes of the disk, and copies of those
// in use at most memory.
func Open(dir string, max, memory int64) (*Store, error) {
	s := &Store{dir: dir, max: max, hot: hotRoom{max: memory}, turn: make(chan struct{}, atOnce), items: map[string]*item{}, making: map[string]*making{}}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, diskError(err)
	}
	versions, err := os.ReadDir(dir)
	if err != nil {
		return nil, diskError(err)
	}
	for _, v := range versions {
		if strings.HasPrefix(v.Name(), tempPrefix) || !v.IsDir() {
			if err := os.RemoveAll(filepath.Join(dir, v.Name())); err != nil {
				return nil, diskError(err)
			}
			continue
		}
		if err := s.find(v.Name()); err != nil {
			return nil, diskError(err)
		}
	}
	return s, nil
}

// find enters the items of a version.
func (s *Store) find(version string) error {
	entries, err := os.ReadDir(filepath.Join(s.dir, version))
	if err != nil {
		return err
	}
	for _, e := range entries {
		it := &item{path: filepath.Join(version, e.Name())}
		if info, err := e.Info(); err == nil {
			it.used = info.ModTime()
		}
		if it.size, err = folderSize(filepath.Join(s.dir, it.path)); err != nil {
			return err
		}
		s.items[it.path] = it
	}
	return nil
}

func folderSize(dir string) (int64, error) {
	var total int64
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}

// Ready reports whether an item is there.
func (s *Store) Ready(id ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.items[id.path()] != nil
}

// Size returns how many bytes all items take.
func (s *Store) Size() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sizeLocked()
}

func (s *Store) sizeLocked() int64 {
	var total int64
	for _, it := range s.items {
		total += it.size
	}
	return total
}

// Held is an item in use.
type Held struct {
	store *Store
	item  *item
	once  sync.Once
}

// Value returns what Maker.Open returned.
func (h *Held) Value() io.Closer { return h.item.value }

// Release ends the use.
func (h *Held) Release() {
	if h == nil {
		return
	}
	h.once.Do(func() { h.store.release(h.item) })
}

// Drop ends the use of what turned out to be damaged: nobody gets it any more.
func (h *Held) Drop() {
	h.store.mu.Lock()
	h.store.forgetLocked(h.item)
	h.store.mu.Unlock()
	h.Release()
}

// Get returns an item, which is made if it is not there, once for all who ask. It
// waits until it is there and tells meanwhile how many rows are done; progress may be
// nil. Errors: of the Maker; Canceled; Unavailable (the disk); Unsupported (too large).
func (s *Store) Get(ctx context.Context, id ID, m Maker, progress func(rows int64)) (*Held, error) {
	for {
		held, err := s.take(id, m)
		if held != nil || err != nil {
			return held, err
		}
		if err := s.wait(ctx, id, m, progress); err != nil {
			return nil, err
		}
	}
}

// Begin has an item made that is not there, without waiting for it.
func (s *Store) Begin(id ID, m Maker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.items[id.path()] == nil && !s.closed {
		s.makeLocked(id, m).waiters++ // one that never leaves
	}
}

// take returns an item that is there, or nil.
func (s *Store) take(id ID, m Maker) (*Held, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, closedError()
	}
	it := s.items[id.path()]
	if it == nil {
		return nil, nil
	}
	if it.value == nil {
		value, err := m.Open(filepath.Join(s.dir, it.path))
		if err != nil {
			s.forgetLocked(it) // made anew
			return nil, nil
		}
		it.value = value
	}
	if t, ok := it.value.(*Table); ok {
		s.heatLocked(t)
	}
	it.refs++
	if now := time.Now(); now.Sub(it.used) > time.Minute {
		it.used = now
		_ = os.Chtimes(filepath.Join(s.dir, it.path), now, now) // only what goes first hangs on it
	}
	return &Held{store: s, item: it}, nil
}

func closedError() error {
	return &genesis.Error{Op: "stream", Kind: genesis.Unavailable, Msg: "the node is about to stop", Hint: "try again"}
}

// wait waits for an item to be made.
func (s *Store) wait(ctx context.Context, id ID, m Maker, progress func(int64)) error {
	s.mu.Lock()
	if s.items[id.path()] != nil || s.closed {
		s.mu.Unlock()
		return nil
	}
	k := s.makeLocked(id, m)
	k.waiters++
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if k.waiters--; k.waiters == 0 {
			k.cancel()
		}
	}()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-k.done:
			return k.err
		case <-ctx.Done():
			return &genesis.Error{Op: "stream", Kind: genesis.Canceled, Msg: "was stopped", Err: context.Cause(ctx)}
		case <-tick.C:
			if progress != nil {
				progress(k.rows.Load())
			}
		}
	}
}

// makeLocked has an item made, unless it is being made already.
func (s *Store) makeLocked(id ID, m Maker) *making {
	path := id.path()
	if k := s.making[path]; k != nil {
		return k
	}
	ctx, cancel := context.WithCancel(context.Background())
	k := &making{done: make(chan struct{}), cancel: cancel}
	s.making[path] = k
	go func() {
		err := s.produce(ctx, path, m, k)
		s.mu.Lock()
		delete(s.making, path)
		s.mu.Unlock()
		k.err = err
		cancel()
		close(k.done)
	}()
	return k
}

// produce makes an item in a folder of its own and moves it to its place.
func (s *Store) produce(ctx context.Context, path string, m Maker, k *making) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return &genesis.Error{Op: "stream", Kind: genesis.Canceled, Msg: "was stopped", Err: ctx.Err()}
	}
	temp := filepath.Join(s.dir, tempPrefix+rand.Text())
	defer os.RemoveAll(temp)
	if err := os.Mkdir(temp, 0o700); err != nil {
		return diskError(err)
	}
	if err := m.Make(ctx, temp, s.max, k.rows.Store); err != nil {
		return diskError(err)
	}
	size, err := folderSize(temp)
	if err != nil {
		return diskError(err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return closedError()
	}
	s.makeRoomLocked(size)
	final := filepath.Join(s.dir, path)
	if err := os.MkdirAll(filepath.Dir(final), 0o700); err != nil {
		return diskError(err)
	}
	if err := os.Rename(temp, final); err != nil {
		return diskError(err)
	}
	s.items[path] = &item{path: path, size: size, used: time.Now()}
	return nil
}

// makeRoomLocked removes what was not used for longest, until size more fit or
// everything left is in use.
func (s *Store) makeRoomLocked(size int64) {
	var idle []*item
	for _, it := range s.items {
		if it.refs == 0 {
			idle = append(idle, it)
		}
	}
	slices.SortFunc(idle, func(a, b *item) int { return a.used.Compare(b.used) })
	for _, it := range idle {
		if s.sizeLocked()+size <= s.max {
			return
		}
		s.forgetLocked(it)
	}
}

// forgetLocked takes an item out. Who uses it goes on: its files are mapped, and
// gone from the folder at once.
func (s *Store) forgetLocked(it *item) {
	if it.gone {
		return
	}
	it.gone = true
	delete(s.items, it.path)
	_ = os.RemoveAll(filepath.Join(s.dir, it.path)) // what is left goes when the Store is opened
	if it.refs == 0 {
		_ = s.shutLocked(it)
	}
}

// shutLocked closes an item that nobody uses.
func (s *Store) shutLocked(it *item) error {
	if it.value == nil {
		return nil
	}
	if t, ok := it.value.(*Table); ok {
		s.coolLocked(t)
	}
	err := it.value.Close()
	it.value = nil
	return err
}

func (s *Store) release(it *item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	it.refs--
	if it.refs == 0 && (it.gone || s.closed) {
		_ = s.shutLocked(it)
	}
}

// Forget removes everything of a version.
func (s *Store) Forget(version genesis.Digest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	folder := filepath.Dir(ID{Version: version}.path())
	for path, it := range s.items {
		if filepath.Dir(path) == folder {
			s.forgetLocked(it)
		}
	}
	for path, k := range s.making {
		if filepath.Dir(path) == folder {
			k.cancel()
		}
	}
	return diskError(os.RemoveAll(filepath.Join(s.dir, folder)))
}

// Close closes what nobody uses and lets nobody begin.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	var errs []error
	for _, it := range s.items {
		if it.refs == 0 {
			errs = append(errs, s.shutLocked(it))
		}
	}
	var pending []*making
	for _, k := range s.making {
		k.cancel()
		pending = append(pending, k)
	}
	s.mu.Unlock()
	for _, k := range pending {
		<-k.done
	}
	return errors.Join(errs...)
}

// diskError is an error of the file system, in words; others stay.
func diskError(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	if !errors.As(err, &path) && !errors.As(err, &link) {
		return err
	}
	return &genesis.Error{Op: "cache table", Kind: genesis.Unavailable, Msg: "the node's disk did not take it", Hint: "the operator finds the reason in the log; mode sequential needs no cache", Err: err}
}

// Tables returns the Maker of a version's table.
func Tables(src func() Source) Maker {
	return Maker{
		Make: func(ctx context.Context, dir string, limit int64, progress func(int64)) error {
			s := src()
			s.Progress = progress
			return build(ctx, dir, s, limit)
		},
		Open: func(dir string) (io.Closer, error) { return openTable(dir) },
	}
}

// Close closes the table's files.
func (t *Table) Close() error { return cmp.Or(t.rows.Close(), t.text.Close()) }

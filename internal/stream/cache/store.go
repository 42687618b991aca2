package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
)

// ID names an item: of a version, of a kind, what.
type ID struct {
	Version genesis.Digest
	Kind    string // "table", "part", "fit"
	Name    string // any text
	// Since is what [Store.Now] said before it was decided that somebody may have the
	// item: what was forgotten in the meantime is not made for them.
	Since uint64
}

// path is where the item lies: a folder for the version, so that all of it can be
// forgotten at once.
func (id ID) path() string {
	name := sha256.Sum256([]byte(id.Name))
	return filepath.Join(strings.TrimPrefix(string(id.Version), "sha256:"), id.Kind+"-"+hex.EncodeToString(name[:16]))
}

// tempPrefix begins the names of folders of what is being made.
const tempPrefix = "tmp-"

// tries bounds how often an item is made that cannot be opened.
const tries = 3

// Store is a folder of items. It is safe for concurrent use.
type Store struct {
	dir  string
	max  int64
	turn chan struct{} // to make one

	mu        sync.Mutex
	hot       hotRoom
	items     map[string]*item // by path
	making    map[string]*making
	lingering int64            // bytes of what was forgotten and is in use
	refused   map[string]error // by path: what is too large and always will be
	forgets   uint64
	forgotten map[string]uint64 // by folder of a version: when
	closed    bool
}

// item is in the folder, and may be open.
type item struct {
	path string
	size int64
	used time.Time
	kept time.Time // used, as the folder says it
	refs int
	gone bool // forgotten while in use

	opening sync.Mutex
	value   io.Closer // nil: not open
}

// Maker makes items of one type.
type Maker struct {
	// Make writes files into an empty folder, claims the room that they take, and tells
	// how far it is.
	Make func(ctx context.Context, dir string, room *Room, progress func(rows int64)) error
	// Open opens them.
	Open func(dir string) (io.Closer, error)
	// Uses are items that Make reads from: they stay for as long as it runs.
	Uses []*Held
}

// Open opens the folder, which it makes if there is none, and removes what was
// left over in it. Items together take at most max bytes of the disk, and copies of those
// in use at most memory.
func Open(dir string, max, memory int64) (*Store, error) {
	s := &Store{dir: dir, max: max, hot: hotRoom{max: memory}, turn: make(chan struct{}, atOnce), items: map[string]*item{}, making: map[string]*making{},
		refused: map[string]error{}, forgotten: map[string]uint64{}}
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
			it.used, it.kept = info.ModTime(), info.ModTime()
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

// Size returns how many bytes all items take, with what is being made.
func (s *Store) Size() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sizeLocked()
}

func (s *Store) sizeLocked() int64 {
	total := s.lingering
	for _, it := range s.items {
		total += it.size
	}
	for _, k := range s.making {
		total += k.claimed
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
// nil. Errors: of the Maker; Canceled; Unavailable (the disk, or no room that is not in
// use); Unsupported (too large).
func (s *Store) Get(ctx context.Context, id ID, m Maker, progress func(rows int64)) (*Held, error) {
	for failed := 0; ; {
		it, k, err := s.take(id, m)
		if err != nil {
			return nil, err
		}
		if k != nil {
			it, err = s.wait(ctx, k, progress)
			if err != nil {
				return nil, err
			}
			if it == nil {
				continue // what others waited for was stopped
			}
		}
		held, err := s.open(it, m)
		if failed++; err == nil || failed == tries || !opensNever(err) {
			return held, diskError(err)
		}
	}
}

// Begin has an item made that is not there, without waiting for it.
func (s *Store) Begin(id ID, m Maker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := id.path()
	if s.items[path] != nil || s.making[path] != nil || s.mayMake(id) != nil {
		return
	}
	k := s.makeLocked(path, m)
	k.waiters++
	k.begun = true
}

// mayMake is why an item is not to be made, or nil.
func (s *Store) mayMake(id ID) error {
	if s.closed {
		return closedError()
	}
	if s.forgotten[filepath.Dir(id.path())] > id.Since {
		return forgottenError()
	}
	return s.refused[id.path()]
}

// take returns an item that is there, as used, or, as one who waits, what makes it.
func (s *Store) take(id ID, m Maker) (*item, *making, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := id.path()
	if it := s.items[path]; it != nil && !s.closed {
		s.useLocked(it)
		return it, nil, nil
	}
	if err := s.mayMake(id); err != nil {
		return nil, nil, err
	}
	k := s.makeLocked(path, m)
	k.waiters++
	return nil, k, nil
}

// useLocked begins a use.
func (s *Store) useLocked(it *item) {
	it.refs++
	it.used = time.Now()
	if it.used.Sub(it.kept) > time.Minute {
		it.kept = it.used
		_ = os.Chtimes(filepath.Join(s.dir, it.path), it.used, it.used) // only what goes first hangs on it
	}
}

// open opens an item in use. What is damaged is forgotten. If there is an error, the
// use is over.
func (s *Store) open(it *item, m Maker) (*Held, error) {
	it.opening.Lock()
	defer it.opening.Unlock()
	if it.value == nil {
		value, err := m.Open(filepath.Join(s.dir, it.path))
		if err != nil {
			if opensNever(err) {
				s.mu.Lock()
				s.forgetLocked(it)
				s.mu.Unlock()
			}
			s.release(it)
			return nil, err
		}
		it.value = value
	}
	if t, ok := it.value.(*Table); ok {
		s.mu.Lock()
		s.heatLocked(t)
		s.mu.Unlock()
	}
	return &Held{store: s, item: it}, nil
}

func (s *Store) release(it *item) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.releaseLocked(it)
}

func (s *Store) releaseLocked(it *item) {
	it.refs--
	if it.refs > 0 {
		return
	}
	if it.gone {
		s.lingering -= it.size
	}
	if it.gone || s.closed {
		_ = s.shutLocked(it)
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
	if it.refs > 0 {
		s.lingering += it.size
	} else {
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
		k.stop(closedError())
		pending = append(pending, k)
	}
	s.mu.Unlock()
	for _, k := range pending {
		<-k.done
	}
	return errors.Join(errs...)
}

func closedError() error {
	return &genesis.Error{Op: "stream", Kind: genesis.Unavailable, Msg: "the node is about to stop", Hint: "try again"}
}

func forgottenError() error {
	return &genesis.Error{Op: "stream", Kind: genesis.Unavailable, Msg: "the rows that streams keep of the version were just removed", Hint: "try again"}
}

package find

import (
	"crypto/sha256"
	"sync"

	"github.com/opengenesis/genesis"
)

// snapshot is the index at one time: segments, and what is known of their documents.
type snapshot struct {
	segs  []*segment
	flags []*flags
	own   int // segments that are of the index; one more may have been brought along
	users int // guarded by the index

	mu     sync.Mutex
	views  map[[sha256.Size]byte]*view
	facets [singles + multis - 1]lazy[*facetValues]
}

// lazy is something that is made when it is first asked for. If that panics, it is
// made again the next time.
type lazy[T any] struct {
	mu   sync.Mutex
	made bool
	v    T
}

func (l *lazy[T]) get(make func() T) T {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.made {
		l.v, l.made = make(), true
	}
	return l.v
}

// maxViews is how many askers' views a snapshot keeps: a bit a document each.
const maxViews = 64

func newSnapshot(segs []*segment, fl []*flags) *snapshot {
	return &snapshot{segs: segs, flags: fl, own: len(segs), views: map[[sha256.Size]byte]*view{}}
}

// swap makes a snapshot the one that readers see.
func (ix *Index) swap(next *snapshot) {
	ix.mu.Lock()
	if next != nil {
		next.users = 1
		for _, s := range next.segs {
			s.users++
		}
	}
	old := ix.now
	ix.now = next
	ix.mu.Unlock()
	if old != nil {
		ix.release(old)
	}
}

// acquire returns the index as it is; [Index.release] gives it back. It is nil once
// the index is closed.
func (ix *Index) acquire() *snapshot {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	if ix.now != nil {
		ix.now.users++
	}
	return ix.now
}

// read calls act with the index as it is, and makes damage that it finds its error.
func (ix *Index) read(act func(*snapshot) error) (err error) {
	s := ix.acquire()
	if s == nil {
		return &genesis.Error{Op: "search", Kind: genesis.Unavailable, Msg: "the index is closed"}
	}
	defer ix.release(s)
	defer faults()()
	defer guard(&err)
	return act(s)
}

// release gives a snapshot back. The last user of a segment unmaps its file.
func (ix *Index) release(s *snapshot) {
	ix.mu.Lock()
	defer ix.mu.Unlock()
	if s.users--; s.users > 0 {
		return
	}
	for _, seg := range s.segs {
		if seg.users--; seg.users == 0 {
			if err := seg.unmap(); err != nil {
				ix.log.Warn("a file of the search index stays mapped", "file", seg.name, "why", err)
			}
		}
	}
}

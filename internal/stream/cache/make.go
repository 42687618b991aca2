package cache

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/opengenesis/genesis"
)

// atOnce is how many items are made at a time.
const atOnce = 2

// making is an item on its way.
type making struct {
	ctx  context.Context
	stop context.CancelCauseFunc
	done chan struct{}
	rows atomic.Int64

	err  error // once done is closed
	item *item // likewise

	// Guarded by the Store's mu:
	waiters int
	begun   bool  // one of the waiters is nobody
	pinned  bool  // item is in use for those who wait
	claimed int64 // bytes
}

// wait waits for an item to be made, and returns it as used; nil if it was stopped because
// all others who waited for it had gone, or is gone again.
func (s *Store) wait(ctx context.Context, k *making, progress func(int64)) (*item, error) {
	defer s.leave(k)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-k.done:
			if k.err != nil && context.Cause(k.ctx) == errNobodyWaits {
				return nil, nil
			}
			if k.err != nil {
				return nil, k.err
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if k.item.gone {
				return nil, nil
			}
			s.useLocked(k.item)
			return k.item, nil
		case <-ctx.Done():
			return nil, stopped(ctx)
		case <-tick.C:
			if progress != nil {
				progress(k.rows.Load())
			}
		}
	}
}

func stopped(ctx context.Context) error {
	return &genesis.Error{Op: "stream", Kind: genesis.Canceled, Msg: "was stopped", Err: context.Cause(ctx)}
}

// errNobodyWaits is why something is not made to its end.
var errNobodyWaits = fmt.Errorf("nobody waits for it: %w", context.Canceled)

// leave ends a wait.
func (s *Store) leave(k *making) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.leaveLocked(k)
}

func (s *Store) leaveLocked(k *making) {
	if k.waiters--; k.waiters > 0 {
		return
	}
	k.stop(errNobodyWaits)
	if k.pinned {
		k.pinned = false
		s.releaseLocked(k.item)
	}
}

// makeLocked has an item made, unless it is being made already.
func (s *Store) makeLocked(path string, m Maker) *making {
	if k := s.making[path]; k != nil {
		return k
	}
	k := &making{done: make(chan struct{})}
	k.ctx, k.stop = context.WithCancelCause(context.Background())
	s.making[path] = k
	for _, h := range m.Uses {
		h.item.refs++
	}
	go func() {
		err := s.produce(path, m, k)
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, h := range m.Uses {
			s.releaseLocked(h.item)
		}
		delete(s.making, path)
		if k.err = err; genesis.KindOf(err) == genesis.Unsupported {
			s.refused[path] = err
		}
		close(k.done)
		if k.begun {
			s.leaveLocked(k)
		}
	}()
	return k
}

// produce makes an item in a folder of its own and moves it to its place.
func (s *Store) produce(path string, m Maker, k *making) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-k.ctx.Done():
		return stopped(k.ctx)
	}
	temp := filepath.Join(s.dir, tempPrefix+rand.Text())
	defer os.RemoveAll(temp)
	if err := os.Mkdir(temp, 0o700); err != nil {
		return diskError(err)
	}
	room := &Room{s, k}
	if err := carefully(func() error { return m.Make(k.ctx, temp, room, k.rows.Store) }); err != nil {
		return why(k.ctx, diskError(err))
	}
	size, err := folderSize(temp)
	if err != nil {
		return diskError(err)
	}
	if err := room.Claim(size); err != nil {
		return err
	}
	return s.place(temp, path, size, k)
}

// place moves an item that was made to where it belongs.
func (s *Store) place(temp, path string, size int64, k *making) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k.ctx.Err() != nil {
		return why(k.ctx, stopped(k.ctx))
	}
	final := filepath.Join(s.dir, path)
	if err := os.MkdirAll(filepath.Dir(final), 0o700); err != nil {
		return diskError(err)
	}
	_ = os.RemoveAll(final) // what could not be removed before
	if err := os.Rename(temp, final); err != nil {
		return diskError(err)
	}
	now := time.Now()
	k.pinned, k.claimed = true, 0
	k.item = &item{path: path, size: size, used: now, kept: now, refs: 1}
	s.items[path] = k.item
	return nil
}

// why gives the reason for which something was stopped instead of what broke by it.
func why(ctx context.Context, err error) error {
	if cause, ok := context.Cause(ctx).(*genesis.Error); ok {
		return cause
	}
	return err
}

// carefully runs f on behalf of others: its panic would end the node.
func carefully(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &genesis.Error{Op: "cache table", Kind: genesis.Internal, Msg: "its rows cannot be laid out", Err: fmt.Errorf("panic: %v", v)}
		}
	}()
	return f()
}

// Room is what an item that is being made takes of the Store. A nil Room has no bound.
type Room struct {
	store *Store
	k     *making
}

// Fits returns an error if n bytes are more than the Store takes at all. It is of kind
// Unsupported.
func (r *Room) Fits(n int64) error {
	if r == nil || n <= r.store.max {
		return nil
	}
	return &genesis.Error{Op: "cache table", Kind: genesis.Unsupported, Msg: "the table takes more than the " + humanize.IBytes(uint64(r.store.max)) + " that the node keeps for streams",
		Hint: "stream it in the order it is stored in (mode sequential), choose a smaller version, or let the operator raise streams.cache"}
}

// Claim says that the item takes n bytes by now: what was not used for longest makes way.
// Errors: those of Fits; Unavailable, if everything else is in use.
func (r *Room) Claim(n int64) error {
	if r == nil {
		return nil
	}
	if err := r.Fits(n); err != nil {
		return err
	}
	s := r.store
	s.mu.Lock()
	defer s.mu.Unlock()
	r.k.claimed = max(n, r.k.claimed)
	over := s.sizeLocked() - s.max
	for _, it := range s.idleLocked() {
		if over <= 0 {
			return nil
		}
		over -= it.size
		s.forgetLocked(it)
	}
	if over > 0 {
		return &genesis.Error{Op: "cache table", Kind: genesis.Unavailable, Msg: "all of the " + humanize.IBytes(uint64(s.max)) + " that the node keeps for streams is in use",
			Hint: "try again later, or stream it in the order it is stored in (mode sequential)"}
	}
	return nil
}

// idleLocked returns what nobody uses, least recently used first.
func (s *Store) idleLocked() []*item {
	var idle []*item
	for _, it := range s.items {
		if it.refs == 0 {
			idle = append(idle, it)
		}
	}
	slices.SortFunc(idle, func(a, b *item) int { return a.used.Compare(b.used) })
	return idle
}

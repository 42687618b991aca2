package blob

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
)

// SweepOptions say what to sweep.
type SweepOptions struct {
	// Live yields every blob that is in use, in any order and as often as it likes.
	// It may be called more than once. An error of it ends the sweep before anything
	// more is removed.
	Live func(ctx context.Context, yield func(genesis.Digest) error) error
	// Grace is how long a blob that nothing refers to is kept after it was written.
	Grace time.Duration
	// From is where to go on: Next of an earlier sweep that was stopped. "": all.
	From     string
	DryRun   bool             // remove nothing, say what would be
	Memory   int64            // bytes for what is in use; 0: 64 MiB. With less, Live is asked more often
	Progress genesis.Progress // of 256 shards
	// Removed is called for each blob that was, or would be, removed. May be nil.
	Removed func(d genesis.Digest, size int64)
}

// Swept is what a sweep came to.
type Swept struct {
	Blobs   int64  `json:"blobs"`          // looked at
	Live    int64  `json:"live"`           // of them in use
	Young   int64  `json:"young"`          // not in use, but too young to be removed
	Removed int64  `json:"removed"`        // or would be
	Bytes   int64  `json:"bytes"`          // of those removed
	Next    string `json:"next,omitempty"` // where to go on; "" when it is done
}

// Sweep removes the blobs that nothing refers to, with their leaf hashes. What is
// written, kept or pinned while it runs is safe, and so is what Live yields. It may
// be stopped at any time, by ctx or by a crash: what it removed was of no use, and
// the next sweep takes up the rest. Errors: those of Live as they are, Canceled.
func (s *Store) Sweep(ctx context.Context, o SweepOptions) (Swept, error) {
	w := sweep{store: s, o: o, cutoff: time.Now().Add(-o.Grace)}
	if o.Memory <= 0 {
		w.o.Memory = 64 << 20
	}
	first := 0
	if o.From != "" {
		b, err := hex.DecodeString(o.From)
		if err != nil || len(b) != 1 {
			return w.swept, &genesis.Error{Op: "sweep blobs", Kind: genesis.Invalid, Subject: o.From, Msg: "is not where a sweep stopped"}
		}
		first = int(b[0])
	}
	// Before what is in use is asked for: a version committed between that and the
	// removal was pinned then, or its bytes are younger than this.
	pinned, err := s.driver.Pinned(ctx)
	if err != nil {
		return w.swept, err
	}
	if !pinned.IsZero() && pinned.Before(w.cutoff) {
		w.cutoff = pinned
	}
	err = w.run(ctx, first)
	return w.swept, err
}

// sweep is a sweep under way.
type sweep struct {
	store  *Store
	o      SweepOptions
	cutoff time.Time // what was written at that time or later stays
	swept  Swept
}

// run sweeps shard by shard, as many at a time as what is in use of them fits into
// memory.
func (w *sweep) run(ctx context.Context, first int) error {
	for first < 256 {
		live, end, err := w.live(ctx, first)
		if err != nil {
			w.swept.Next = fmt.Sprintf("%02x", first)
			return err
		}
		for ; first < end; first++ {
			if err := w.shard(ctx, fmt.Sprintf("%02x", first), live); err != nil {
				w.swept.Next = fmt.Sprintf("%02x", first)
				return err
			}
			w.o.Progress.Send(genesis.Event{Stage: "sweeping", Done: int64(first) + 1, Total: 256, Unit: "shards", Note: fmt.Sprintf("%d removed", w.swept.Removed)})
		}
	}
	w.swept.Next = ""
	return nil
}

// live returns, in order, what is in use of the shards from first on that it can
// hold, and the shard before which they end.
func (w *sweep) live(ctx context.Context, first int) (all []hash, end int, err error) {
	end = 256
	room := max(int(w.o.Memory/int64(len(hash{}))), 1)
	err = w.o.Live(ctx, func(d genesis.Digest) error {
		sum, err := d.Sum()
		if err != nil {
			return &genesis.Error{Op: "sweep blobs", Kind: genesis.Internal, Subject: string(d), Msg: "is said to be in use, but is no digest", Err: err}
		}
		if shard := int(sum[0]); shard < first || shard >= end {
			return canceled(ctx, "sweep blobs")
		}
		all = append(all, sum)
		for len(all) > room && end > first+1 {
			all, end = w.narrow(all, first, end)
		}
		return canceled(ctx, "sweep blobs")
	})
	slices.SortFunc(all, func(a, b hash) int { return bytes.Compare(a[:], b[:]) })
	return all, end, err
}

// narrow makes room: first what was yielded more than once goes, then the upper half
// of the shards, which is left for another turn.
func (w *sweep) narrow(all []hash, first, end int) ([]hash, int) {
	before := len(all)
	slices.SortFunc(all, func(a, b hash) int { return bytes.Compare(a[:], b[:]) })
	all = slices.Compact(all)
	if len(all) <= before/2 {
		return all, end
	}
	end = first + (end-first+1)/2
	return slices.DeleteFunc(all, func(h hash) bool { return int(h[0]) >= end }), end
}

// shard removes what is not in use of one shard.
func (w *sweep) shard(ctx context.Context, prefix string, live []hash) error {
	var entries []Entry
	if err := w.store.driver.List(ctx, prefix, func(e Entry) error {
		entries = append(entries, e)
		return nil
	}); err != nil {
		return err
	}
	there := map[string]bool{}
	for _, e := range entries {
		there[e.Key] = true
	}
	for _, e := range entries {
		if err := canceled(ctx, "sweep blobs"); err != nil {
			return err
		}
		if content, tree := strings.CutSuffix(e.Key, treeSuffix); tree {
			if !there[content] {
				if err := w.orphan(ctx, e); err != nil {
					return err
				}
			}
			continue
		}
		if err := w.entry(ctx, e, live); err != nil {
			return err
		}
	}
	return nil
}

func (w *sweep) entry(ctx context.Context, e Entry, live []hash) error {
	d := genesis.Digest("sha256:" + e.Key)
	sum, err := d.Sum()
	if err != nil {
		return err
	}
	w.swept.Blobs++
	if _, used := slices.BinarySearchFunc(live, sum, func(a, b hash) int { return bytes.Compare(a[:], b[:]) }); used {
		w.swept.Live++
		return nil
	}
	removed := e.Written.Before(w.cutoff)
	if removed && !w.o.DryRun {
		removed, err = w.store.remove(ctx, d, Removal{Before: w.cutoff})
		if errors.Is(err, &genesis.Error{Kind: genesis.NotFound}) {
			return nil // somebody else was faster
		}
		if err != nil {
			return err
		}
	}
	if !removed {
		w.swept.Young++
		return nil
	}
	w.swept.Removed++
	w.swept.Bytes += e.Size
	if w.o.Removed != nil {
		w.o.Removed(d, e.Size)
	}
	return nil
}

// orphan removes leaf hashes without content.
func (w *sweep) orphan(ctx context.Context, e Entry) error {
	if w.o.DryRun || !e.Written.Before(w.cutoff) {
		return nil
	}
	_, err := w.store.driver.Remove(ctx, e.Key, Removal{Before: w.cutoff})
	if errors.Is(err, &genesis.Error{Kind: genesis.NotFound}) {
		return nil
	}
	return err
}

// Purge destroys a blob at once, whatever refers to it: its bytes and leaf hashes are
// overwritten as far as the storage lets one, then removed, durably. It reports
// whether the blob was there.
func (s *Store) Purge(ctx context.Context, d genesis.Digest) (bool, error) {
	_, err := s.remove(ctx, d, Removal{Shred: true})
	if errors.Is(err, &genesis.Error{Kind: genesis.NotFound}) {
		// What a crash left of an earlier purge.
		_, err := s.driver.Remove(ctx, d.Hex()+treeSuffix, Removal{Shred: true})
		if errors.Is(err, &genesis.Error{Kind: genesis.NotFound}) {
			err = nil
		}
		return false, named(err, d)
	}
	return err == nil, err
}

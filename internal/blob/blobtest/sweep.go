package blobtest

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
)

// testFlippedWhileOpen flips a bit of a block that the reader has read before.
func testFlippedWhileOpen(t *testing.T, s *blob.Store, storage Storage) {
	content := Content(2*mib+40_000, 20)
	b := put(t, s, content)
	r, err := s.Open(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	read := func(off, n int64) error {
		p := make([]byte, n)
		_, err := r.ReadAt(p, off)
		if err == nil && !bytes.Equal(p, content[off:off+n]) {
			t.Errorf("%d bytes at %d are wrong", n, off)
		}
		return err
	}
	for _, off := range []int64{5, mib + 5, 2*mib + 5} {
		if err := read(off, 10); err != nil {
			t.Fatal(err)
		}
	}
	for _, at := range []int64{0, 17_000, mib - 1, mib, 2*mib + 39_999} {
		storage.Flip(t, b.Digest.Hex(), at)
		for _, n := range []int64{1, 100, 20_000} {
			off := min(max(0, at-n/2), b.Size-n)
			wantKind(t, read(off, n), genesis.Internal)
		}
		storage.Flip(t, b.Digest.Hex(), at)
		if err := read(max(0, at-10), 10); err != nil {
			t.Errorf("after the bit is back: %v", err)
		}
	}
}

func live(digests ...genesis.Digest) func(context.Context, func(genesis.Digest) error) error {
	return func(_ context.Context, yield func(genesis.Digest) error) error {
		for _, d := range digests {
			if err := yield(d); err != nil {
				return err
			}
		}
		return nil
	}
}

func sweep(t *testing.T, s *blob.Store, o blob.SweepOptions) blob.Swept {
	t.Helper()
	time.Sleep(10 * time.Millisecond) // file systems keep times coarsely
	got, err := s.Sweep(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func has(t *testing.T, s *blob.Store, b genesis.Blob) bool {
	t.Helper()
	ok, err := s.Has(t.Context(), b.Digest)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func testSweep(t *testing.T, s *blob.Store, _ Storage) {
	keep, drop := put(t, s, Content(2*mib, 21)), put(t, s, Content(2*mib+1, 22))
	o := blob.SweepOptions{Live: live(keep.Digest, keep.Digest), DryRun: true}
	want := blob.Swept{Blobs: 2, Live: 1, Removed: 1, Bytes: drop.Size}
	if got := sweep(t, s, o); got != want || !has(t, s, drop) {
		t.Errorf("a dry run comes to %+v, want %+v", got, want)
	}
	var removed []genesis.Digest
	o.DryRun, o.Removed = false, func(d genesis.Digest, _ int64) { removed = append(removed, d) }
	if got := sweep(t, s, o); got != want || has(t, s, drop) || !slices.Equal(removed, []genesis.Digest{drop.Digest}) {
		t.Errorf("the sweep comes to %+v, want %+v; removed %v", got, want, removed)
	}
	if damage, err := s.Verify(t.Context(), keep); err != nil || damage != nil {
		t.Errorf("what is in use is damaged: %v, %v", damage, err)
	}
	put(t, s, Content(10, 23))
	failing := &genesis.Error{Op: "test", Kind: genesis.Internal}
	_, err := s.Sweep(t.Context(), blob.SweepOptions{Live: func(context.Context, func(genesis.Digest) error) error { return failing }})
	if err != error(failing) || len(list(t, s)) != 2 {
		t.Errorf("although nobody knows what is in use, %d blobs are left, %v", len(list(t, s)), err)
	}
	_, err = s.Sweep(t.Context(), blob.SweepOptions{Live: live("sha256:none")})
	wantKind(t, err, genesis.Internal)
	_, err = s.Sweep(t.Context(), blob.SweepOptions{Live: live(), From: "xyz"})
	wantKind(t, err, genesis.Invalid)
}

func testSweepGrace(t *testing.T, s *blob.Store, _ Storage) {
	fresh := put(t, s, Content(10, 24))
	if got := sweep(t, s, blob.SweepOptions{Live: live(), Grace: time.Hour}); got.Young != 1 || !has(t, s, fresh) {
		t.Errorf("within grace: %+v", got)
	}
	release, err := s.Pin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(10 * time.Millisecond)
	pinned, old := put(t, s, Content(11, 25)), fresh
	// Pinned before the sweep began; released, and committed, while it asks what is in use.
	got := sweep(t, s, blob.SweepOptions{Live: func(context.Context, func(genesis.Digest) error) error { return release() }})
	if got.Young != 1 || got.Removed != 1 || !has(t, s, pinned) || has(t, s, old) {
		t.Errorf("beside a pin: %+v", got)
	}
	// Looked at as old, then kept or written again before it is removed.
	kept, again := put(t, s, Content(12, 26)), put(t, s, Content(13, 27))
	got = sweep(t, s, blob.SweepOptions{Live: func(ctx context.Context, _ func(genesis.Digest) error) error {
		put(t, s, Content(13, 27))
		return s.Keep(ctx, kept.Digest)
	}})
	if got.Young != 2 || !has(t, s, kept) || !has(t, s, again) || has(t, s, pinned) {
		t.Errorf("kept and written again: %+v", got)
	}
	wantKind(t, s.Keep(t.Context(), old.Digest), genesis.NotFound)
	wantKind(t, s.Keep(t.Context(), "sha256:.."), genesis.Invalid)
}

// lateDriver does something after objects were listed and before they are removed.
type lateDriver struct {
	blob.Driver
	after func(prefix string)
}

func (d lateDriver) List(ctx context.Context, prefix string, yield func(blob.Entry) error) error {
	err := d.Driver.List(ctx, prefix, yield)
	d.after(prefix)
	return err
}

// testSweepLate keeps one blob and writes another again, both of which a sweep has
// looked at and found old.
func testSweepLate(t *testing.T, s *blob.Store, storage Storage) {
	kept, again := put(t, s, Content(2*mib, 31)), put(t, s, Content(2*mib+1, 32))
	time.Sleep(10 * time.Millisecond)
	late := blob.Open(lateDriver{storage.Driver, func(prefix string) {
		if strings.HasPrefix(again.Digest.Hex(), prefix) {
			put(t, s, Content(2*mib+1, 32))
		}
		if !strings.HasPrefix(kept.Digest.Hex(), prefix) {
			return
		}
		if err := s.Keep(t.Context(), kept.Digest); err != nil {
			t.Error(err)
		}
	}})
	if got := sweep(t, late, blob.SweepOptions{Live: live()}); got.Removed != 0 {
		t.Errorf("the sweep comes to %+v", got)
	}
	for _, b := range []genesis.Blob{kept, again} {
		if damage, err := s.Verify(t.Context(), b); err != nil || damage != nil {
			t.Errorf("%s: %v, %v", b.Digest, damage, err)
		}
	}
}

// testSweepGoesOn stops a sweep and takes it up, in little memory.
func testSweepGoesOn(t *testing.T, s *blob.Store, _ Storage) {
	var used []genesis.Digest
	for i := range 60 {
		b := put(t, s, Content(100+i, 28))
		if i%2 == 0 {
			used = append(used, b.Digest)
		}
	}
	time.Sleep(10 * time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	o := blob.SweepOptions{Memory: 4 * 32, Live: live(used...), Progress: func(e genesis.Event) {
		if e.Done == 100 {
			cancel()
		}
	}}
	first, err := s.Sweep(ctx, o)
	wantKind(t, err, genesis.Canceled)
	if first.Next != "64" {
		t.Errorf("it stopped at %q", first.Next)
	}
	o.Progress, o.From = nil, first.Next
	second := sweep(t, s, o)
	if n := first.Removed + second.Removed; n != 30 || second.Next != "" {
		t.Errorf("%+v and then %+v, want 30 removed", first, second)
	}
	left := list(t, s)
	slices.Sort(left)
	slices.Sort(used)
	if !slices.Equal(left, used) {
		t.Errorf("%d blobs are left, want the %d in use", len(left), len(used))
	}
}

// testSweepBesideWriters sweeps without grace while others put, keep, commit and let
// go of the same few blobs: what is committed is there.
func testSweepBesideWriters(t *testing.T, s *blob.Store, _ Storage) {
	var mu sync.Mutex
	committed := map[genesis.Digest]bool{}
	done := make(chan struct{})
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for round := range 40 {
				release, err := s.Pin(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				b, err := s.Put(t.Context(), fmt.Appendf(nil, "content %d", (i+round)%6))
				if err != nil {
					t.Error(err)
				}
				time.Sleep(time.Millisecond)
				mu.Lock()
				committed[b.Digest] = round%3 > 0 // now and then something is dropped
				mu.Unlock()
				release()
			}
		})
	}
	sweeping := sync.WaitGroup{}
	sweeping.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			_, err := s.Sweep(t.Context(), blob.SweepOptions{Live: func(_ context.Context, yield func(genesis.Digest) error) error {
				mu.Lock()
				defer mu.Unlock()
				for d, in := range committed {
					if in {
						if err := yield(d); err != nil {
							return err
						}
					}
				}
				return nil
			}})
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	all.Wait()
	close(done)
	sweeping.Wait()
	for d, in := range committed {
		if ok, err := s.Has(t.Context(), d); in && (!ok || err != nil) {
			t.Errorf("%s was swept although it is in use: %v", d, err)
		}
	}
}

func testPurge(t *testing.T, s *blob.Store, _ Storage) {
	keep, drop := put(t, s, Content(10, 29)), put(t, s, Content(2*mib, 30))
	if there, err := s.Purge(t.Context(), drop.Digest); !there || err != nil {
		t.Errorf("purge: %v, %v", there, err)
	}
	if there, err := s.Purge(t.Context(), drop.Digest); there || err != nil {
		t.Errorf("again: %v, %v", there, err)
	}
	if has(t, s, drop) || !has(t, s, keep) {
		t.Error("the wrong blob is gone")
	}
	if again := put(t, s, Content(2*mib, 30)); again != drop {
		t.Errorf("written again it is %+v", again)
	}
}

package main

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/journal/tile"
	"github.com/opengenesis/genesis/internal/store"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
)

// node is a journal whose statements a peer follows.
type node struct {
	*journal.Journal
	t   *testing.T
	dir string
	db  *store.DB
}

func open(t *testing.T) node {
	t.Helper()
	dir := t.TempDir()
	db, err := store.Open(t.Context(), filepath.Join(dir, "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	j, err := journal.Open(t.Context(), journal.Config{Dir: filepath.Join(dir, "journal"), DB: db, Node: "nrel", Interval: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return node{j, t, dir, db}
}

// grow appends events and settles.
func (n node) grow(events int) {
	n.t.Helper()
	ctx := context.Background()
	done := make(chan error)
	for range events {
		go func() { done <- n.Append(ctx, event) }()
	}
	for range events {
		if err := <-done; err != nil {
			n.t.Fatal(err)
		}
	}
	if err := n.Settle(ctx); err != nil {
		n.t.Fatal(err)
	}
}

func (n node) verifier() note.Verifier {
	n.t.Helper()
	v, err := note.NewVerifier(n.VerifierKey())
	if err != nil {
		n.t.Fatal(err)
	}
	return v
}

// leaves hashes the entries of a bundle, as Tessera's checker asks for it.
func leaves(b []byte) ([][]byte, error) {
	var bundle api.EntryBundle
	if err := bundle.UnmarshalText(b); err != nil {
		return nil, err
	}
	var out [][]byte
	for _, e := range bundle.Entries {
		out = append(out, rfc6962.DefaultHasher.HashLeaf(e))
	}
	return out, nil
}

// TestTesseraChecksTheFiles has Tessera's checker compute the log anew from the
// files alone.
func TestTesseraChecksTheFiles(t *testing.T) {
	n := open(t)
	for _, events := range []int{1, 254, 1, 300, 700} {
		n.grow(events)
		files := client.FileFetcher{Root: filepath.Join(n.dir, "journal", "audit", "1")}
		if err := fsck.New("nrel/audit/1", n.verifier(), files, leaves, fsck.Opts{N: 2}).Check(t.Context()); err != nil {
			t.Fatalf("after %d more: %v", events, err)
		}
	}
}

// served gives a log as a peer gets it over HTTP: with [tile.Log.Tile].
type served struct{ log *tile.Log }

func (s served) checkpoint(context.Context) ([]byte, error) { return s.log.Checkpoint(), nil }

func (s served) tile(_ context.Context, level, index uint64, partial uint8) ([]byte, error) {
	return s.log.Tile(int(level), int64(index), width(partial))
}

func width(partial uint8) int {
	if partial == 0 {
		return tile.Width
	}
	return int(partial)
}

// TestTesseraFollows has Tessera's client follow a growing log from checkpoint to
// checkpoint, and prove entries against each.
func TestTesseraFollows(t *testing.T) {
	n := open(t)
	n.grow(3)
	ctx := t.Context()
	s := served{n.Audit()}
	consensus := client.UnilateralConsensus(s.checkpoint)
	tracker, err := client.NewLogStateTracker(ctx, s.tile, s.log.Checkpoint(), n.verifier(), "nrel/audit/1", consensus)
	if err != nil {
		t.Fatal(err)
	}
	for _, events := range []int{1, 252, 1, 90, 600} {
		old := tracker.Latest()
		n.grow(events)
		if _, _, _, err := tracker.Update(ctx); err != nil {
			t.Fatalf("from %d entries on: %v", old.Size, err)
		}
		now := tracker.Latest()
		if now.Size != old.Size+uint64(events) {
			t.Fatalf("%d entries follow %d", now.Size, old.Size)
		}
		prove(t, s, now.Size, now.Hash)
		prove(t, s, old.Size, old.Hash) // who has the older checkpoint still can
	}
}

// prove proves some entries of a log of a size.
func prove(t *testing.T, s served, size uint64, root []byte) {
	t.Helper()
	builder, err := client.NewProofBuilder(t.Context(), size, s.tile)
	if err != nil {
		t.Fatal(err)
	}
	for i := uint64(0); i < size; i += 1 + size/7 {
		p, err := builder.InclusionProof(t.Context(), i)
		if err != nil {
			t.Fatal(err)
		}
		all, err := s.log.Entries(int64(i / tile.Width))
		if err != nil {
			t.Fatal(err)
		}
		leaf := rfc6962.DefaultHasher.HashLeaf(all[i%tile.Width])
		if err := proof.VerifyInclusion(rfc6962.DefaultHasher, i, size, leaf, p, root); err != nil {
			t.Errorf("entry %d of %d is not proved: %v", i, size, err)
		}
	}
}

// TestEntrySize holds what the benchmark gives Tessera against what is in the
// log.
func TestEntrySize(t *testing.T) {
	n := open(t)
	n.grow(1)
	all, err := n.Audit().Entries(0)
	if err != nil {
		t.Fatal(err)
	}
	if size := len(all[0]); size < entrySize-16 || size > entrySize+16 {
		t.Errorf("an entry has %d bytes, the benchmark says %d", size, entrySize)
	}
}

// TestMeasures runs the benchmark for a moment.
func TestMeasures(t *testing.T) {
	c := config{pairs: 1, writers: 64, seconds: 0.2, batch: 64, age: 5 * time.Millisecond}
	a, err := measureGenesis(t.Context(), c, filepath.Join(t.TempDir(), "a"))
	if err != nil || a.acknowledged <= 0 || a.logged <= 0 || a.logged > a.acknowledged {
		t.Errorf("measured %+v, %v", a, err)
	}
	b, err := measureTessera(t.Context(), c, filepath.Join(t.TempDir(), "b"))
	if err != nil || b.acknowledged <= 0 {
		t.Errorf("measured %+v, %v", b, err)
	}
}

package blobtest

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
)

// source is content with what its owner says of it.
type source struct {
	genesis.Blob
	content, leaves []byte
}

func newSource(t *testing.T, store *blob.Store, content []byte) source {
	t.Helper()
	b, err := store.Put(t.Context(), content)
	if err != nil {
		t.Fatal(err)
	}
	leaves, err := store.Leaves(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Delete(t.Context(), b.Digest); err != nil {
		t.Fatal(err)
	}
	return source{b, content, leaves}
}

// receive adds at most n blocks and says where it stopped.
func (s source) receive(t *testing.T, p *blob.Part, n int) int64 {
	t.Helper()
	for ; n > 0 && p.Offset() < s.Size; n-- {
		block, err := p.Block()
		if err != nil {
			t.Fatal(err)
		}
		copy(block, s.content[p.Offset():])
		if err := p.Add(block); err != nil {
			t.Fatal(err)
		}
	}
	return p.Offset()
}

func sound() error { return nil }

func begin(t *testing.T, store *blob.Store, s source) *blob.Part {
	t.Helper()
	p, err := store.Receive(t.Context(), "ada", s.Blob, s.leaves)
	if err != nil || p == nil {
		t.Fatalf("%v, %v", p, err)
	}
	return p
}

// testReceive receives blobs in two goes.
func testReceive(t *testing.T, store *blob.Store, _ Storage) {
	for _, size := range []int{0, 1, mib - 1, mib, mib + 1, 3*mib + mib/2} {
		s := newSource(t, store, Content(size, 7))
		p := begin(t, store, s)
		at := s.receive(t, p, 2)
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if p = begin(t, store, s); p.Offset() != at {
			t.Errorf("%d bytes: goes on at %d, stopped at %d", size, p.Offset(), at)
		}
		s.receive(t, p, 10)
		if has, _ := store.Has(t.Context(), s.Digest); has {
			t.Errorf("%d bytes are there before the commit", size)
		}
		if err := p.Commit(sound); err != nil {
			t.Fatal(err)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if damage, err := store.Verify(t.Context(), s.Blob); err != nil || len(damage) > 0 {
			t.Errorf("%d bytes: %v, %v", size, damage, err)
		}
		if held, err := store.Held(t.Context(), s.Blob); !held || err != nil {
			t.Errorf("%d bytes are held: %v, %v", size, held, err)
		}
	}
}

// testReceiveWrong receives what is not what it was said to be.
func testReceiveWrong(t *testing.T, store *blob.Store, _ Storage) {
	invalid := func(what string, err error) {
		t.Helper()
		if genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("%s: %v", what, err)
		}
	}
	s := newSource(t, store, Content(2*mib+5, 1))
	for what, leaves := range map[string][]byte{"no leaf hashes": nil, "fewer": s.leaves[32:], "more": append(slices.Clone(s.leaves), 0), "others": bytes.Repeat([]byte{1}, len(s.leaves))} {
		_, err := store.Receive(t.Context(), "ada", s.Blob, leaves)
		invalid(what, err)
	}
	p := begin(t, store, s)
	block, _ := p.Block()
	invalid("another block", p.Add(block))
	if p.Offset() != 0 {
		t.Error("a block that does not hold was kept")
	}
	s.receive(t, p, 2)
	invalid("a blob that is not whole", p.Commit(sound))
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}

	lied := s
	lied.Digest = genesis.DigestOf([]byte("another"))
	p = begin(t, store, lied)
	lied.receive(t, p, 9)
	invalid("another digest", p.Commit(sound))
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if p = begin(t, store, lied); p.Offset() != 0 {
		t.Error("what has another digest was kept")
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if has, _ := store.Has(t.Context(), lied.Digest); has {
		t.Error("it became a blob")
	}

	here, err := store.Put(t.Context(), s.content)
	if err != nil {
		t.Fatal(err)
	}
	other := here
	other.Merkle = genesis.DigestOf([]byte("another"))
	_, err = store.Held(t.Context(), other)
	invalid("a blob that is here, of another root", err)
}

// testReceiveOnce receives one blob twice at once, and drops parts.
func testReceiveOnce(t *testing.T, store *blob.Store, _ Storage) {
	s := newSource(t, store, Content(3*mib, 2))
	p := begin(t, store, s)
	s.receive(t, p, 1)
	second := make(chan *blob.Part, 1)
	go func() {
		p, err := store.Receive(t.Context(), "ada", s.Blob, s.leaves)
		if err != nil {
			t.Error(err)
		}
		second <- p
	}()
	if err := store.PruneParts(t.Context(), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	s.receive(t, p, 2)
	if err := p.Commit(sound); err != nil {
		t.Fatal(err)
	}
	if p = <-second; p == nil || p.Offset() != 0 {
		t.Error("the second did not begin when the first ended")
	}
	other, err := store.Receive(t.Context(), "bob", s.Blob, s.leaves)
	if err != nil || other.Offset() != 0 {
		t.Errorf("one of another scope waits, or has what is not its own: %v", err)
	}
	_, _ = p.Close(), other.Close()
	s = newSource(t, store, Content(3*mib, 3))
	for what, drop := range map[string]func() error{
		"dropped": func() error { return store.DropParts(t.Context(), "ada", []genesis.Digest{s.Digest}) },
		"pruned":  func() error { return store.PruneParts(t.Context(), time.Now().Add(time.Hour)) },
	} {
		p = begin(t, store, s)
		s.receive(t, p, 1)
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if err := store.PruneParts(t.Context(), time.Now().Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
		if p = begin(t, store, s); p.Offset() != mib {
			t.Errorf("a young part is gone: %d", p.Offset())
		}
		_ = p.Close()
		if err := drop(); err != nil {
			t.Fatal(err)
		}
		if p = begin(t, store, s); p.Offset() != 0 {
			t.Errorf("%s, it is still there", what)
		}
		_ = p.Close()
	}
	if room, err := store.Room(t.Context()); err != nil || room == 0 {
		t.Errorf("room for %d, %v", room, err)
	}
}

package blob

import (
	"context"

	"github.com/opengenesis/genesis"
)

// Writer writes one blob. It is not safe for concurrent use. After Commit or
// Abort it accepts nothing more; Abort after Commit does nothing, so that it can
// be deferred.
type Writer struct {
	ctx    context.Context
	store  *Store
	draft  Draft
	hasher hasher
	block  *block
	err    error // the first; sticks
	closed bool
}

// Create starts a blob. Nothing of it is visible before Commit.
func (s *Store) Create(ctx context.Context) (*Writer, error) {
	draft, err := s.driver.Create(ctx)
	if err != nil {
		return nil, err
	}
	w := &Writer{ctx: ctx, store: s, draft: draft}
	w.block = w.hasher.next()
	return w, nil
}

// Write appends p to the blob. Errors: Canceled, Unavailable (no room), Internal.
func (w *Writer) Write(p []byte) (int, error) {
	if w.closed {
		return 0, &genesis.Error{Op: "write blob", Kind: genesis.Internal, Msg: "it is already committed or aborted"}
	}
	n := 0
	for n < len(p) && w.err == nil {
		part := p[n:min(len(p), n+1+BlockSize-len(w.block.data))]
		w.block.data = append(w.block.data, part...)
		n += len(part)
		if len(w.block.content()) == BlockSize {
			w.flush()
		}
	}
	return n, w.err
}

// flush hands the full block to the hashers and to the driver.
func (w *Writer) flush() {
	if w.err = canceled(w.ctx, "write blob"); w.err != nil {
		return
	}
	content := w.block.content()
	w.hasher.add(w.block) // hashes while the driver writes; both only read
	_, w.err = w.draft.Write(content)
	w.block = w.hasher.next()
}

// Commit makes the blob durable and visible and returns its name. Errors as
// Write; after an error nothing is visible.
func (w *Writer) Commit() (genesis.Blob, error) {
	if w.closed {
		_, err := w.Write(nil)
		return genesis.Blob{}, err
	}
	defer w.Abort()
	if w.err == nil {
		w.err = canceled(w.ctx, "write blob")
	}
	if w.err != nil {
		return genesis.Blob{}, w.err
	}
	if rest := w.block.content(); len(rest) > 0 {
		if _, err := w.draft.Write(rest); err != nil {
			return genesis.Blob{}, err
		}
	}
	b, t := w.hasher.finish(w.block)
	if err := w.store.commitTree(w.ctx, b.Digest, t); err != nil {
		return genesis.Blob{}, err
	}
	if err := w.draft.Commit(b.Digest.Hex()); err != nil {
		return genesis.Blob{}, err
	}
	return b, nil
}

// Abort drops the blob unless it was committed.
func (w *Writer) Abort() error {
	if w.closed {
		return nil
	}
	w.closed = true
	w.hasher.stop()
	return w.draft.Abort()
}

// commitTree keeps the leaf hashes of a blob of more than one block.
func (s *Store) commitTree(ctx context.Context, d genesis.Digest, t tree) error {
	if len(t.leaves) < 2 {
		return nil
	}
	draft, err := s.driver.Create(ctx)
	if err != nil {
		return err
	}
	defer draft.Abort()
	if _, err := draft.Write(t.encode()); err != nil {
		return err
	}
	return draft.Commit(d.Hex() + treeSuffix)
}

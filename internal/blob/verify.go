package blob

import (
	"context"
	"errors"
	"fmt"

	"github.com/opengenesis/genesis"
)

// Verify re-hashes all of a blob and returns everything that is damaged: each
// block whose bytes changed, by its offset, a wrong length, lost or wrong leaf
// hashes, a blob that is missing. An error says that Verify could not do its
// work: Canceled, Invalid.
func (s *Store) Verify(ctx context.Context, b genesis.Blob) ([]genesis.Damage, error) {
	object, err := s.object(ctx, b.Digest)
	if errors.Is(err, &genesis.Error{Kind: genesis.NotFound}) {
		return []genesis.Damage{{Blob: b.Digest, Msg: "is missing"}}, nil
	}
	if err != nil {
		return nil, err
	}
	defer object.Close()

	v := verification{blob: b, placed: map[int64]bool{}}
	v.leaves, err = s.leaves(ctx, b, object)
	if err != nil {
		v.leaves = s.doubtful(ctx, b)
	}
	if err := v.read(ctx, object); err != nil {
		return nil, err
	}
	v.compare(object.Size(), err)
	return v.damage, nil
}

// doubtful returns leaf hashes that do not fit the Merkle root: most of them may
// still be right and tell which blocks changed.
func (s *Store) doubtful(ctx context.Context, b genesis.Blob) []hash {
	t, err := s.tree(ctx, b.Digest)
	if err != nil || t.size != b.Size {
		return nil
	}
	return t.leaves
}

// verification is one blob being re-hashed.
type verification struct {
	blob   genesis.Blob
	leaves []hash // as stored; nil when lost
	found  genesis.Blob
	tree   tree
	damage []genesis.Damage
	placed map[int64]bool // offsets that have their damage
}

// read hashes the content.
func (v *verification) read(ctx context.Context, o Object) error {
	var h hasher
	defer h.stop()
	b := h.next()
	for off := int64(0); off < o.Size(); off += BlockSize {
		if err := canceled(ctx, "verify blob"); err != nil {
			return err
		}
		n := int(min(BlockSize, o.Size()-off))
		if cap(b.data) < 1+n {
			b.data = make([]byte, 1, 1+n)
		}
		b.data = b.data[:1+n]
		if got, err := o.ReadAt(b.content(), off); got < n {
			clear(b.content()[got:]) // the block will differ, and be named
			v.add(off, unreadable(v.blob.Digest, off, err).(*genesis.Error).Msg)
		}
		if n == BlockSize {
			h.add(b)
			b = h.next()
		}
	}
	v.found, v.tree = h.finish(b)
	return nil
}

// compare says what differs; leavesErr is why the leaf hashes cannot be trusted.
func (v *verification) compare(size int64, leavesErr error) {
	if size != v.blob.Size {
		v.add(min(size, v.blob.Size)/BlockSize*BlockSize, fmt.Sprintf("is %d bytes long instead of %d", size, v.blob.Size))
	}
	for i := range min(len(v.leaves), len(v.tree.leaves)) {
		if v.leaves[i] != v.tree.leaves[i] && v.found.Digest != v.blob.Digest {
			v.add(int64(i)*BlockSize, "its bytes changed after they were written")
		}
	}
	switch {
	case v.found.Digest == v.blob.Digest && v.found.Merkle != v.blob.Merkle:
		v.add(0, "the Merkle root asked for is not that of the content")
	case v.found.Digest == v.blob.Digest && leavesErr != nil:
		v.add(0, "its content is sound, but its leaf hashes are lost or damaged")
	case v.found.Digest != v.blob.Digest && len(v.damage) == 0:
		v.add(0, "its bytes no longer match its digest, and its leaf hashes cannot tell where")
	}
}

// add notes damage once per place.
func (v *verification) add(off int64, msg string) {
	if v.placed[off] {
		return
	}
	v.placed[off] = true
	v.damage = append(v.damage, genesis.Damage{Blob: v.blob.Digest, Offset: off, Msg: msg})
}

package blob

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/opengenesis/genesis"
)

// LeafBytes is how long the leaf hashes of a blob of size bytes are, one after the other.
func LeafBytes(size int64) int64 { return blocks(size) * sha256.Size }

// Leaves returns the leaf hashes of a blob, one after the other, checked against its
// Merkle root. Errors: as of [Store.Open].
func (s *Store) Leaves(ctx context.Context, b genesis.Blob) ([]byte, error) {
	object, err := s.object(ctx, b.Digest)
	if err != nil {
		return nil, err
	}
	defer object.Close()
	leaves, err := s.leaves(ctx, b, object)
	if err != nil {
		return nil, err
	}
	out := make([]byte, 0, LeafBytes(b.Size))
	for _, l := range leaves {
		out = append(out, l[:]...)
	}
	return out, nil
}

// parseLeaves reads leaf hashes that came from elsewhere, and checks them against the
// blob's size and Merkle root: from then on each block can be checked by itself.
func parseLeaves(b genesis.Blob, raw []byte) ([]hash, error) {
	wrong := func(msg string) error {
		return &genesis.Error{Op: "receive blob", Kind: genesis.Invalid, Subject: string(b.Digest), Msg: msg, Hint: elsewhere}
	}
	if b.Size < 0 || int64(len(raw)) != LeafBytes(b.Size) {
		return nil, wrong(fmt.Sprintf("its leaf hashes are %d bytes long; %d bytes of content have %d", len(raw), b.Size, LeafBytes(max(b.Size, 0))))
	}
	leaves := make([]hash, blocks(b.Size))
	for i := range leaves {
		copy(leaves[i][:], raw[i*sha256.Size:])
	}
	if (tree{leaves: leaves}).merkle() != b.Merkle {
		return nil, wrong("its leaf hashes do not hold: they have another Merkle root than it was said to have")
	}
	return leaves, nil
}

const elsewhere = "nothing of it was kept; tell the operator of the node that it comes from"

// Part is a blob that comes from elsewhere, block by block in order. Each block is checked
// before it is kept, and what was kept is there after a crash. It is not safe for
// concurrent use.
type Part struct {
	ctx    context.Context
	store  *Store
	blob   genesis.Blob
	leaves []hash
	file   PartFile
	at     int64 // of the next block

	free chan []byte // blocks that may be filled
	sums chan []byte // blocks on their way to the digest
	done chan struct{}
	sum  []byte // of everything, once done is closed
}

// partBlocks is how many blocks of a part are in memory.
const partBlocks = 3

// Receive begins a blob that comes from elsewhere, or goes on where an earlier one of the
// same scope stopped: whatever of it is here is checked again. Those of different scopes do
// not know of each other: that somebody else's bytes are here is no reason to have them.
// The leaf hashes are as of [Store.Leaves]. It waits for another one of the same scope.
// Errors: Invalid (the leaf hashes do not fit), Canceled, Unavailable, Internal.
func (s *Store) Receive(ctx context.Context, scope string, b genesis.Blob, leaves []byte) (*Part, error) {
	checked, err := parseLeaves(b, leaves)
	if err != nil {
		return nil, err
	}
	if _, err := genesis.ParseDigest(string(b.Digest)); err != nil {
		return nil, err
	}
	for {
		f, err := s.driver.Part(ctx, partName(scope, b.Digest), b.Digest.Hex())
		if err == nil {
			p := &Part{ctx: ctx, store: s, blob: b, leaves: checked, file: f}
			if err := p.resume(); err != nil {
				return nil, errors.Join(err, p.Close())
			}
			return p, nil
		}
		if genesis.KindOf(err) != genesis.Conflict {
			return nil, named(err, b.Digest)
		}
		select {
		case <-time.After(partPause):
		case <-ctx.Done():
			return nil, canceled(ctx, "receive blob")
		}
	}
}

// partName names a part: 64 hex digits.
func partName(scope string, d genesis.Digest) string {
	return genesis.DigestOf([]byte(scope + "\x00" + string(d))).Hex()
}

// partPause is how often to look whether a part is free that somebody else receives.
const partPause = 100 * time.Millisecond

// Held reports whether just this blob is here, and keeps it as if it had just been written.
// Errors: Invalid (it is, with another size or Merkle root), Internal.
func (s *Store) Held(ctx context.Context, b genesis.Blob) (bool, error) {
	err := s.Keep(ctx, b.Digest)
	if genesis.KindOf(err) == genesis.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	have, err := s.Stat(ctx, b.Digest)
	if err != nil {
		return false, err
	}
	if have != b {
		return false, &genesis.Error{Op: "receive blob", Kind: genesis.Invalid, Subject: string(b.Digest), Msg: "it is here with another size or Merkle root than it was said to have", Hint: elsewhere}
	}
	return true, nil
}

// resume checks what is there and stops before the first block that does not hold.
func (p *Part) resume() error {
	size := p.file.Size()
	p.free, p.sums, p.done = make(chan []byte, partBlocks), make(chan []byte, partBlocks), make(chan struct{})
	for range partBlocks {
		p.free <- nil
	}
	go p.digest()
	for p.at < p.blob.Size && p.at+p.length() <= size {
		block, err := p.Block()
		if err != nil {
			return err
		}
		if _, err := io.ReadFull(io.NewSectionReader(p.file, p.at, int64(len(block))), block); err != nil || leaf(block) != p.leaves[p.at/BlockSize] {
			p.free <- block
			break
		}
		p.take(block)
	}
	return p.file.Truncate(p.at)
}

// length is how long the next block is.
func (p *Part) length() int64 { return min(BlockSize, p.blob.Size-p.at) }

// Offset is where the next block begins.
func (p *Part) Offset() int64 { return p.at }

// Block returns room for the next block, of just its length. Errors: Canceled.
func (p *Part) Block() ([]byte, error) {
	select {
	case b := <-p.free:
		if b == nil {
			b = make([]byte, p.length())
		}
		return b[:p.length()], nil
	case <-p.ctx.Done():
		return nil, canceled(p.ctx, "receive blob")
	}
}

// Give gives back room that was not filled.
func (p *Part) Give(block []byte) { p.free <- block }

// Add checks the next block, which is what Block returned, and keeps it. Errors: Invalid
// (it is not that block; nothing of it is kept), Unavailable (no room), Internal.
func (p *Part) Add(block []byte) error {
	if leaf(block) != p.leaves[p.at/BlockSize] {
		p.free <- block
		return &genesis.Error{Op: "receive blob", Kind: genesis.Invalid, Subject: string(p.blob.Digest),
			Msg: fmt.Sprintf("the block at offset %d does not hold: its hash is not the one in the tree under the blob's Merkle root", p.at), Hint: elsewhere}
	}
	if _, err := p.file.WriteAt(block, p.at); err != nil {
		p.free <- block
		return named(err, p.blob.Digest)
	}
	p.take(block)
	return nil
}

func (p *Part) take(block []byte) {
	p.at += int64(len(block))
	p.sums <- block // before it is free again it is in the digest, too
}

// digest sums up the blocks beside those who receive and check them.
func (p *Part) digest() {
	sum := sha256.New()
	for b := range p.sums {
		sum.Write(b)
		p.free <- b[:cap(b)]
	}
	p.sum = sum.Sum(nil)
	close(p.done)
}

// Commit makes the blob, all of which came, durable and visible. whole is called before,
// when it is known to be what it was said to be. Errors: Invalid (it is not whole, or all
// its blocks hold and it has another digest: then nothing of it is kept), Unavailable,
// Internal, and those of whole.
func (p *Part) Commit(whole func() error) error {
	if p.at != p.blob.Size {
		return &genesis.Error{Op: "receive blob", Kind: genesis.Invalid, Subject: string(p.blob.Digest), Msg: fmt.Sprintf("it ends after %d of %d bytes", p.at, p.blob.Size)}
	}
	p.stop()
	if genesis.DigestSum(p.sum) != p.blob.Digest {
		err := &genesis.Error{Op: "receive blob", Kind: genesis.Invalid, Subject: string(p.blob.Digest), Msg: "its bytes do not hold: they have another digest, " + string(genesis.DigestSum(p.sum)), Hint: elsewhere}
		return errors.Join(err, p.file.Abort())
	}
	if err := whole(); err != nil {
		return err
	}
	t := tree{size: p.blob.Size, leaves: p.leaves}
	if err := p.store.commitTree(p.ctx, p.blob.Digest, t); err != nil {
		return err
	}
	return named(p.file.Commit(), p.blob.Digest)
}

// Close lets go of the part; what came of it stays for the next one.
func (p *Part) Close() error {
	p.stop()
	return p.file.Close()
}

func (p *Part) stop() {
	if p.sums != nil {
		close(p.sums)
		<-p.done
		p.sums = nil
	}
}

// DropParts removes what came in a scope of some blobs and was not committed.
func (s *Store) DropParts(ctx context.Context, scope string, all []genesis.Digest) error {
	var errs []error
	for _, d := range all {
		if err := s.driver.DropPart(ctx, partName(scope, d), time.Time{}); err != nil && genesis.KindOf(err) != genesis.Conflict {
			errs = append(errs, named(err, d))
		}
	}
	return errors.Join(errs...)
}

// PruneParts removes parts to which nothing was added since a time.
func (s *Store) PruneParts(ctx context.Context, since time.Time) error {
	return s.driver.DropPart(ctx, "", since)
}

// Room is how many bytes can still be written; −1 if nobody knows.
func (s *Store) Room(ctx context.Context) (int64, error) { return s.driver.Room(ctx) }

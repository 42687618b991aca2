package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"sync"
	"sync/atomic"

	"github.com/opengenesis/genesis"
	"github.com/zeebo/xxh3"
)

// Reader reads a blob and checks what it reads, each time. Ranges that cover
// whole blocks are checked against their leaf hashes as they are returned. The first
// time that it reads less of a block, it reads all of it, checks it against its
// leaf hash, and notes a cheap sum of each stripe of the block; further small reads
// are checked by the stripes they touch, so that they stay cheap. ReadAt is safe for
// concurrent use, Read is not.
type Reader struct {
	ctx    context.Context
	blob   genesis.Blob
	object Object
	leaves []hash
	seed   uint64                    // of the stripes' sums: nobody can aim at one
	noted  []atomic.Pointer[stripes] // by block
	at     int64                     // of Read
}

// stripe is how many bytes of a block one sum covers.
const stripe = 16 << 10

// stripes are the sums of a block's stripes.
type stripes [BlockSize / stripe]uint64

func (r *Reader) sum(b []byte) uint64 { return xxh3.HashSeed(b, r.seed) }

// Open opens a blob for reading. The context bounds all reads. Errors: NotFound;
// Internal when size or leaf hashes are not those of b; Invalid when b has no
// Merkle root.
func (s *Store) Open(ctx context.Context, b genesis.Blob) (*Reader, error) {
	object, err := s.object(ctx, b.Digest)
	if err != nil {
		return nil, err
	}
	leaves, err := s.leaves(ctx, b, object)
	if err != nil {
		object.Close()
		return nil, err
	}
	return &Reader{ctx: ctx, blob: b, object: object, leaves: leaves, seed: rand.Uint64(),
		noted: make([]atomic.Pointer[stripes], len(leaves))}, nil
}

// leaves returns the leaf hashes of b, checked against its Merkle root.
func (s *Store) leaves(ctx context.Context, b genesis.Blob, o Object) ([]hash, error) {
	if _, err := genesis.ParseDigest(string(b.Merkle)); err != nil {
		return nil, err
	}
	if o.Size() != b.Size {
		return nil, damaged(b.Digest, min(o.Size(), b.Size)/BlockSize*BlockSize,
			fmt.Sprintf("it is %d bytes long instead of %d", o.Size(), b.Size))
	}
	if b.Size <= BlockSize {
		only, err := b.Merkle.Sum()
		if b.Size == 0 {
			return nil, err
		}
		return []hash{only}, err
	}
	t, err := s.tree(ctx, b.Digest)
	if err != nil {
		return nil, err
	}
	if t.size != b.Size || t.merkle() != b.Merkle {
		return nil, &genesis.Error{Op: "read blob", Kind: genesis.Internal, Subject: string(b.Digest),
			Msg: "its leaf hashes are damaged: they no longer match its Merkle root", Hint: mend}
	}
	return t.leaves, nil
}

// Size returns the length of the blob in bytes.
func (r *Reader) Size() int64 { return r.blob.Size }

// Close closes the reader.
func (r *Reader) Close() error { return r.object.Close() }

// Read reads from where the last Read ended.
func (r *Reader) Read(p []byte) (int, error) {
	n, err := r.ReadAt(p, r.at)
	r.at += int64(n)
	if n > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return n, err
}

// ReadAt reads len(p) bytes from offset off. Errors: io.EOF at the end,
// Canceled, and Internal, naming blob and offset, where the stored bytes are
// damaged; what n bytes it returns before an error are sound.
func (r *Reader) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, &genesis.Error{Op: "read blob", Kind: genesis.Invalid, Subject: string(r.blob.Digest), Msg: "the offset is negative"}
	}
	for n < len(p) {
		if off >= r.blob.Size {
			return n, io.EOF
		}
		if err := canceled(r.ctx, "read blob"); err != nil {
			return n, err
		}
		start := off / BlockSize * BlockSize
		end := min(start+BlockSize, r.blob.Size)
		part := p[n:min(int64(len(p)), int64(n)+end-off)]
		if err := r.piece(part, off, start, end); err != nil {
			return n, err
		}
		n += len(part)
		off += int64(len(part))
	}
	return n, nil
}

var bufferPool = sync.Pool{New: func() any { b := make([]byte, BlockSize); return &b }}

// piece reads part of the block [start, end) into p.
func (r *Reader) piece(p []byte, off, start, end int64) error {
	if int64(len(p)) == end-start {
		return r.whole(p, start)
	}
	buf := bufferPool.Get().(*[]byte)
	defer bufferPool.Put(buf)
	if sums := r.noted[start/BlockSize].Load(); sums != nil {
		return r.part(p, *buf, off, start, end, sums)
	}
	block := (*buf)[:end-start]
	if err := r.whole(block, start); err != nil {
		return err
	}
	var sums stripes
	for i, b := range chunks(block) {
		sums[i] = r.sum(b)
	}
	r.noted[start/BlockSize].Store(&sums)
	copy(p, block[off-start:])
	return nil
}

// whole reads the block at start and checks it.
func (r *Reader) whole(block []byte, start int64) error {
	if err := readFull(r.object, block, start, r.blob.Digest); err != nil {
		return err
	}
	if leaf(block) == r.leaves[start/BlockSize] {
		return nil
	}
	clear(block) // whoever ignores the error must not see the bytes
	return damaged(r.blob.Digest, start, "its bytes changed after they were written")
}

// part reads the stripes that p touches of a block checked before.
func (r *Reader) part(p, buf []byte, off, start, end int64, sums *stripes) error {
	from := start + (off-start)/stripe*stripe
	to := min(end, start+(off-start+int64(len(p))+stripe-1)/stripe*stripe)
	read := buf[:to-from]
	if err := readFull(r.object, read, from, r.blob.Digest); err != nil {
		return err
	}
	for i, b := range chunks(read) {
		if r.sum(b) != sums[(from-start)/stripe+int64(i)] {
			return damaged(r.blob.Digest, start, "its bytes changed while they were read")
		}
	}
	copy(p, read[off-from:])
	return nil
}

// chunks numbers the stripes of b.
func chunks(b []byte) iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		for i := 0; i*stripe < len(b); i++ {
			if !yield(i, b[i*stripe:min((i+1)*stripe, len(b))]) {
				return
			}
		}
	}
}

// readFull fills p from offset off of an object that should reach that far.
func readFull(o Object, p []byte, off int64, d genesis.Digest) error {
	n, err := o.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	return unreadable(d, off/BlockSize*BlockSize, err)
}

func unreadable(d genesis.Digest, off int64, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return damaged(d, off, "it ends early")
	}
	e := damaged(d, off, "the disk does not give it back")
	e.Err = err
	return e
}

func damaged(d genesis.Digest, off int64, msg string) *genesis.Error {
	return &genesis.Error{Op: "read blob", Kind: genesis.Internal, Subject: string(d),
		Msg: fmt.Sprintf("the block at offset %d is damaged: %s", off, msg), Hint: mend}
}

package blob

import (
	"crypto/sha256"
	"sync"
	"sync/atomic"

	"github.com/opengenesis/genesis"
)

// hasher computes a blob's digest and its leaf hashes from one pass over its
// blocks. Every byte is hashed twice, once for each, and the two run on
// goroutines of their own, which start with the first full block: most blobs are
// smaller and need none.
type hasher struct {
	size   int64
	digest []byte
	leaves []hash

	started  bool
	free     chan *block
	toDigest chan *block
	toLeaf   chan *block
	done     sync.WaitGroup
}

// block is content on its way through the hashers. data[0] is 0, the leaf
// prefix of RFC 6962, and the content follows it, so that one call hashes both.
type block struct {
	data    []byte
	pending atomic.Int32 // hashers that still read it
}

// content returns the block's content.
func (b *block) content() []byte { return b.data[1:] }

// inFlight is how many blocks may wait: enough that neither hasher idles.
const inFlight = 4

var blockPool = sync.Pool{New: func() any { return &block{data: make([]byte, 1, 1+BlockSize)} }}

// next returns an empty block to fill.
func (h *hasher) next() *block {
	if h.free == nil {
		h.free = make(chan *block, inFlight)
		for range inFlight - 1 {
			h.free <- nil
		}
		return &block{data: make([]byte, 1)} // grows with what little there may be
	}
	b := <-h.free
	if b == nil {
		b = blockPool.Get().(*block)
	}
	b.data = b.data[:1]
	return b
}

// add hashes a block; only the last may be shorter than BlockSize. The block
// must not be touched afterwards.
func (h *hasher) add(b *block) {
	if !h.started {
		h.start()
	}
	h.size += int64(len(b.content()))
	b.pending.Store(2)
	h.toDigest <- b
	h.toLeaf <- b
}

func (h *hasher) start() {
	h.started = true
	h.toDigest = make(chan *block, inFlight)
	h.toLeaf = make(chan *block, inFlight)
	h.done.Go(func() {
		sum := sha256.New()
		for b := range h.toDigest {
			sum.Write(b.content())
			h.release(b)
		}
		h.digest = sum.Sum(nil)
	})
	h.done.Go(func() {
		for b := range h.toLeaf {
			h.leaves = append(h.leaves, sha256.Sum256(b.data))
			h.release(b)
		}
	})
}

func (h *hasher) release(b *block) {
	if b.pending.Add(-1) == 0 {
		h.free <- b
	}
}

// finish hashes the last, possibly empty block and returns the blob and its
// leaf hashes.
func (h *hasher) finish(last *block) (genesis.Blob, tree) {
	switch {
	case h.started && len(last.content()) > 0:
		h.add(last)
	case !h.started:
		h.small(last.content())
	}
	h.stop()
	t := tree{size: h.size, leaves: h.leaves}
	return genesis.Blob{Digest: genesis.DigestSum(h.digest), Size: h.size, Merkle: t.merkle()}, t
}

// small hashes the content of a blob of at most one block.
func (h *hasher) small(content []byte) {
	sum := sha256.Sum256(content)
	h.digest, h.size = sum[:], int64(len(content))
	if len(content) > 0 {
		h.leaves = []hash{leaf(content)}
	}
}

// stop ends the goroutines and gives the blocks back.
func (h *hasher) stop() {
	if !h.started {
		return
	}
	h.started = false
	close(h.toDigest)
	close(h.toLeaf)
	h.done.Wait()
	for len(h.free) > 0 {
		if b := <-h.free; b != nil && cap(b.data) == 1+BlockSize {
			blockPool.Put(b)
		}
	}
}

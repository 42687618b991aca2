package find

import "math/bits"

// bitset is a set of a segment's documents.
type bitset []uint64

func newBitset(docs int) bitset { return make(bitset, (docs+63)/64) }

func (b bitset) has(doc int) bool { return b[doc/64]&(1<<(doc%64)) != 0 }

func (b bitset) set(doc int) { b[doc/64] |= 1 << (doc % 64) }

func (b bitset) clear(doc int) { b[doc/64] &^= 1 << (doc % 64) }

func (b bitset) count() int {
	n := 0
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}

// each calls act for the documents, in order.
func (b bitset) each(act func(doc int)) {
	for i, w := range b {
		for ; w != 0; w &= w - 1 {
			act(64*i + bits.TrailingZeros64(w))
		}
	}
}

// block returns the part of a set that is a block of postings.
func (b bitset) block(i int) bitset {
	from := min(i*blockWords, len(b))
	return b[from:min(from+blockWords, len(b))]
}

// addPostings adds the documents of postings.
func (b bitset) addPostings(postings []byte) {
	eachRun(postings, func(block int, r run) { r.addTo(b.block(block)) })
}

package find

import (
	"encoding/binary"
	"math/bits"
	"slices"
)

// The postings of a term say which documents have it, and at what level. Those of
// 65,536 documents are a block:
//
//	uvarint  the block's number
//	byte     a bit for each level that some document has
//	uvarint  for each of those, how many documents, less one
//	         for each of those, the documents: u16 each, in order, or, where
//	         they are more than 4,096, 8 KiB of bits
//
// A document is at one level, the one that counts most. So a level is a set, and the
// levels of a block say at once what the best of it can score.
const (
	blockDocs  = 1 << 16
	blockWords = blockDocs / 64
	denseFrom  = 4096
)

// lists are documents by level, each in order.
type lists [levels][]uint32

func (l *lists) reset() {
	for i := range l {
		l[i] = l[i][:0]
	}
}

func (l *lists) empty() bool {
	for i := range l {
		if len(l[i]) > 0 {
			return false
		}
	}
	return true
}

// appendPostings encodes lists, which it uses up.
func appendPostings(b []byte, l *lists) []byte {
	rest := *l
	for {
		block, mask := uint32(1<<32-1), byte(0)
		for _, docs := range rest {
			if len(docs) > 0 {
				block = min(block, docs[0]/blockDocs)
			}
		}
		if block == 1<<32-1 {
			return b
		}
		var here [levels][]uint32
		for i, docs := range rest {
			n, _ := slices.BinarySearch(docs, (block+1)*blockDocs)
			if here[i], rest[i] = docs[:n], docs[n:]; n > 0 {
				mask |= 1 << i
			}
		}
		b = append(binary.AppendUvarint(b, uint64(block)), mask)
		for _, docs := range here {
			if len(docs) > 0 {
				b = binary.AppendUvarint(b, uint64(len(docs)-1))
			}
		}
		for _, docs := range here {
			b = appendRun(b, docs)
		}
	}
}

func appendRun(b []byte, docs []uint32) []byte {
	if len(docs) <= denseFrom {
		for _, d := range docs {
			b = binary.LittleEndian.AppendUint16(b, uint16(d))
		}
		return b
	}
	at := len(b)
	b = append(b, make([]byte, blockDocs/8)...)
	for _, d := range docs {
		b[at+int(d%blockDocs)/8] |= 1 << (d % 8)
	}
	return b
}

// run is the documents of one block at one level.
type run struct {
	level level
	count int
	data  []byte
}

func (r run) dense() bool { return r.count > denseFrom }

// size returns how many bytes documents of that number take.
func runSize(count int) int {
	if count > denseFrom {
		return blockDocs / 8
	}
	return 2 * count
}

// eachRun calls act for the runs of postings, block after block.
func eachRun(b []byte, act func(block int, r run)) {
	broken := func() { panic(damage("has postings that end early")) }
	for len(b) > 0 {
		block, n := binary.Uvarint(b)
		if n <= 0 || n == len(b) || block >= maxDocs/blockDocs {
			broken()
		}
		mask := b[n]
		b = b[n+1:]
		var counts [levels]int
		for i := range counts {
			if mask&(1<<i) == 0 {
				continue
			}
			count, n := binary.Uvarint(b)
			if n <= 0 || count >= blockDocs {
				broken()
			}
			counts[i], b = int(count)+1, b[n:]
		}
		for i, count := range counts {
			size := runSize(count)
			if size > len(b) {
				broken()
			}
			if count > 0 {
				act(int(block), run{level(i), count, b[:size:size]})
			}
			b = b[size:]
		}
	}
}

// addTo sets the bits of the documents of a run in those of its block.
func (r run) addTo(bitset []uint64) {
	if r.dense() {
		for i := range bitset {
			bitset[i] |= binary.LittleEndian.Uint64(r.data[8*i:])
		}
		return
	}
	for b := r.data; len(b) >= 2; b = b[2:] {
		d := binary.LittleEndian.Uint16(b)
		if int(d/64) >= len(bitset) {
			panic(damage("has postings beyond its documents"))
		}
		bitset[d/64] |= 1 << (d % 64)
	}
}

// common returns how many documents of a run are in the bits of its block.
func (r run) common(bitset []uint64) int {
	n := 0
	if r.dense() {
		for i, w := range bitset {
			n += bits.OnesCount64(w & binary.LittleEndian.Uint64(r.data[8*i:]))
		}
		return n
	}
	for b := r.data; len(b) >= 2; b = b[2:] {
		d := binary.LittleEndian.Uint16(b)
		if int(d/64) >= len(bitset) {
			panic(damage("has postings beyond its documents"))
		}
		n += int(bitset[d/64] >> (d % 64) & 1)
	}
	return n
}

// each calls act for the documents of a run, in order.
func (r run) each(act func(doc int)) {
	if !r.dense() {
		for b := r.data; len(b) >= 2; b = b[2:] {
			act(int(binary.LittleEndian.Uint16(b)))
		}
		return
	}
	for i := range blockWords {
		for w := binary.LittleEndian.Uint64(r.data[8*i:]); w != 0; w &= w - 1 {
			act(64*i + bits.TrailingZeros64(w))
		}
	}
}

package blob

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/opengenesis/genesis"
)

// BlockSize is how many bytes of content one leaf of the Merkle tree covers.
const BlockSize = 1 << 20

// TreeFormat is the format number of the leaf-hash files this program writes.
const TreeFormat = 1

// A leaf-hash file holds, integers little-endian:
//
//	offset  bytes  content
//	     0      8  "gentree\n"
//	     8      4  format number, 1
//	    12      4  block size, 1048576
//	    16      8  size of the blob
//	    24   32·n  leaf hashes, n = ⌈size / block size⌉
const (
	treeMagic  = "gentree\n"
	treeHeader = 24
)

type hash = [sha256.Size]byte

// tree is the leaf hashes of a blob of known size.
type tree struct {
	size   int64
	leaves []hash
}

// blocks returns the number of blocks of a blob of size bytes.
func blocks(size int64) int64 {
	n := size / BlockSize
	if size%BlockSize != 0 {
		n++
	}
	return n
}

// leaf returns the leaf hash of a block.
func leaf(block []byte) hash {
	h := sha256.New()
	h.Write([]byte{0})
	h.Write(block)
	return hash(h.Sum(nil))
}

// root returns the root of the tree over leaves. Hashing neighbours level by
// level, with an odd last one moved up as it is, builds the tree of RFC 6962.
func root(leaves []hash) hash {
	if len(leaves) == 0 {
		return sha256.Sum256(nil)
	}
	level := append([]hash(nil), leaves...)
	var pair [1 + 2*sha256.Size]byte
	pair[0] = 1
	for len(level) > 1 {
		next := level[:0]
		for i := 0; i+1 < len(level); i += 2 {
			copy(pair[1:], level[i][:])
			copy(pair[1+sha256.Size:], level[i+1][:])
			next = append(next, sha256.Sum256(pair[:]))
		}
		if len(level)%2 == 1 {
			next = append(next, level[len(level)-1])
		}
		level = next
	}
	return level[0]
}

func (t tree) merkle() genesis.Digest {
	sum := root(t.leaves)
	return genesis.DigestSum(sum[:])
}

// encode returns the leaf-hash file of t.
func (t tree) encode() []byte {
	b := make([]byte, 0, treeHeader+len(t.leaves)*sha256.Size)
	b = append(b, treeMagic...)
	b = binary.LittleEndian.AppendUint32(b, TreeFormat)
	b = binary.LittleEndian.AppendUint32(b, BlockSize)
	b = binary.LittleEndian.AppendUint64(b, uint64(t.size))
	for _, l := range t.leaves {
		b = append(b, l[:]...)
	}
	return b
}

// readTree reads a leaf-hash file of fileSize bytes. It allocates no more than
// fileSize. The leaves are not checked here: their root tells.
func readTree(r io.ReaderAt, fileSize int64) (tree, error) {
	var head [treeHeader]byte
	if _, err := r.ReadAt(head[:], 0); err != nil {
		return tree{}, badTree(genesis.Internal, "is shorter than its header")
	}
	if !bytes.HasPrefix(head[:], []byte(treeMagic)) {
		return tree{}, badTree(genesis.Internal, "does not begin as one")
	}
	if f := binary.LittleEndian.Uint32(head[8:]); f != TreeFormat {
		return tree{}, badTree(genesis.Unsupported, fmt.Sprintf("has format %d, and this program reads %d", f, TreeFormat))
	}
	if b := binary.LittleEndian.Uint32(head[12:]); b != BlockSize {
		return tree{}, badTree(genesis.Internal, fmt.Sprintf("has blocks of %d bytes", b))
	}
	size := int64(binary.LittleEndian.Uint64(head[16:]))
	room := (fileSize - treeHeader) / sha256.Size
	if size < 0 || blocks(size) != room || fileSize != treeHeader+room*sha256.Size {
		return tree{}, badTree(genesis.Internal, "has a length that does not fit the blob's size")
	}
	return readLeaves(r, tree{size: size, leaves: make([]hash, room)})
}

func readLeaves(r io.ReaderAt, t tree) (tree, error) {
	in := io.NewSectionReader(r, treeHeader, int64(len(t.leaves))*sha256.Size)
	buf := make([]byte, 1024*sha256.Size)
	for i := 0; i < len(t.leaves); {
		part := buf[:min(len(buf), (len(t.leaves)-i)*sha256.Size)]
		if _, err := io.ReadFull(in, part); err != nil {
			return tree{}, badTree(genesis.Internal, "ends early")
		}
		for ; len(part) > 0; part = part[sha256.Size:] {
			t.leaves[i] = hash(part)
			i++
		}
	}
	return t, nil
}

func badTree(kind genesis.ErrorKind, msg string) *genesis.Error {
	return &genesis.Error{Op: "read leaf hashes", Kind: kind, Msg: "the leaf-hash file " + msg}
}

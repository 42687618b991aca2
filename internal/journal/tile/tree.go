package tile

import (
	"encoding/binary"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// Width is how many hashes a full tile, and how many entries a full bundle
// hold: tiles have height 8.
const Width = 256

// MaxEntry is the longest entry: its length is written in 16 bits.
const MaxEntry = 1<<16 - 1

// entries is the level in whose place the bundles of entries stand.
const entries = -1

// Path returns where in a log a tile lies, by https://c2sp.org/tlog-tiles. The
// width of a full tile is [Width]; level −1 stands for the bundles of entries.
func Path(level int, n int64, width int) string {
	index := fmt.Sprintf("%03d", n%1000)
	for n /= 1000; n > 0; n /= 1000 {
		index = fmt.Sprintf("x%03d/%s", n%1000, index)
	}
	name := "entries"
	if level != entries {
		name = strconv.Itoa(level)
	}
	if width == Width {
		return "tile/" + name + "/" + index
	}
	return fmt.Sprintf("tile/%s/%s.p/%d", name, index, width)
}

// ParsePath is the inverse of [Path], without the "tile/" before it. It reports false for
// what Path does not write.
func ParsePath(path string) (level int, n int64, width int, ok bool) {
	name, index, _ := strings.Cut(path, "/")
	level, width = entries, Width
	if name != "entries" {
		l, err := strconv.Atoi(name)
		if err != nil || l < 0 || l > 7 {
			return 0, 0, 0, false
		}
		level = l
	}
	if full, part, partial := strings.Cut(index, ".p/"); partial {
		w, err := strconv.Atoi(part)
		if err != nil || w < 1 || w >= Width {
			return 0, 0, 0, false
		}
		index, width = full, w
	}
	if len(index) > 6*5 { // more digits than any log has entries
		return 0, 0, 0, false
	}
	for part := range strings.SplitSeq(index, "/") {
		d, err := strconv.ParseInt(strings.TrimPrefix(part, "x"), 10, 64)
		if err != nil || d < 0 || d > 999 {
			return 0, 0, 0, false
		}
		n = n*1000 + d
	}
	return level, n, width, Path(level, n, width) == "tile/"+path
}

// Root returns the hash of the whole tree over the hashes of entries, in order.
func Root(hashes iter.Seq[tlog.Hash]) tlog.Hash {
	var t tree
	for h := range hashes {
		t.size++
		t.push(0, h, func(file) {})
	}
	return t.root()
}

// tree is the growing edge of a log: of each level the hashes of its last tile,
// which is never full, and the last bundle.
type tree struct {
	size   int64
	levels [][]tlog.Hash
	bundle []byte
}

// file is a tile or a bundle, to be written or compared.
type file struct {
	level int // entries: a bundle
	n     int64
	width int
	data  []byte
}

func (f file) path() string { return Path(f.level, f.n, f.width) }

// clone returns a tree that can grow without changing t.
func (t tree) clone() tree {
	c := tree{size: t.size, levels: make([][]tlog.Hash, len(t.levels)), bundle: append([]byte(nil), t.bundle...)}
	for i, level := range t.levels {
		c.levels[i] = append([]tlog.Hash(nil), level...)
	}
	return c
}

// add appends an entry, and calls full for every file that becomes full by it.
func (t *tree) add(entry []byte, full func(file)) {
	t.bundle = binary.BigEndian.AppendUint16(t.bundle, uint16(len(entry)))
	t.bundle = append(t.bundle, entry...)
	if (t.size+1)%Width == 0 {
		full(file{entries, t.size / Width, Width, t.bundle})
		t.bundle = nil
	}
	t.size++
	t.push(0, tlog.RecordHash(entry), full)
}

// push appends a hash at a level. Tile n of level l is full when the size is
// (n+1)·256^(l+1).
func (t *tree) push(level int, h tlog.Hash, full func(file)) {
	if level == len(t.levels) {
		t.levels = append(t.levels, nil)
	}
	t.levels[level] = append(t.levels[level], h)
	if len(t.levels[level]) < Width {
		return
	}
	hashes := t.levels[level]
	t.levels[level] = nil
	full(file{level, t.size>>(8*(level+1)) - 1, Width, join(hashes)})
	t.push(level+1, subtree(hashes), full)
}

// partial returns the files at the edge, those that are not full yet.
func (t *tree) partial() []file {
	var all []file
	if len(t.bundle) > 0 {
		all = append(all, file{entries, t.size / Width, int(t.size % Width), t.bundle})
	}
	for level, hashes := range t.levels {
		if len(hashes) > 0 {
			all = append(all, file{level, t.size >> (8 * (level + 1)), len(hashes), join(hashes)})
		}
	}
	return all
}

// root returns the hash of the whole tree, by RFC 6962, section 2.1. The edge
// cuts the entries into perfect subtrees of falling size, and the root joins
// them from the right.
func (t *tree) root() tlog.Hash {
	var perfect []tlog.Hash
	for level := len(t.levels) - 1; level >= 0; level-- {
		rest := t.levels[level]
		for half := Width / 2; half > 0; half /= 2 {
			if len(rest) >= half {
				perfect = append(perfect, subtree(rest[:half]))
				rest = rest[half:]
			}
		}
	}
	if len(perfect) == 0 {
		return emptyRoot
	}
	root := perfect[len(perfect)-1]
	for i := len(perfect) - 2; i >= 0; i-- {
		root = tlog.NodeHash(perfect[i], root)
	}
	return root
}

// emptyRoot is the SHA-256 of nothing.
var emptyRoot = tlog.Hash{
	0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
	0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
}

// subtree returns the hash over a power of two of hashes.
func subtree(hashes []tlog.Hash) tlog.Hash {
	if len(hashes) == 1 {
		return hashes[0]
	}
	half := len(hashes) / 2
	return tlog.NodeHash(subtree(hashes[:half]), subtree(hashes[half:]))
}

func join(hashes []tlog.Hash) []byte {
	b := make([]byte, 0, len(hashes)*tlog.HashSize)
	for _, h := range hashes {
		b = append(b, h[:]...)
	}
	return b
}

// cut is the inverse of join; what is left over is dropped.
func cut(b []byte) []tlog.Hash {
	hashes := make([]tlog.Hash, len(b)/tlog.HashSize)
	for i := range hashes {
		copy(hashes[i][:], b[i*tlog.HashSize:])
	}
	return hashes
}

// SplitBundle returns the entries of a bundle of n. Where the bundle is
// damaged, it returns those before the damage and false.
func SplitBundle(b []byte, n int) ([][]byte, bool) {
	var all [][]byte
	for len(all) < n {
		if len(b) < 2 {
			return all, false
		}
		size := int(binary.BigEndian.Uint16(b))
		if len(b) < 2+size {
			return all, false
		}
		all = append(all, b[2:2+size])
		b = b[2+size:]
	}
	return all, len(b) == 0
}

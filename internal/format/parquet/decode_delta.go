package parquet

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/opengenesis/genesis/internal/format"
)

// deltaInts decodes DELTA_BINARY_PACKED a few values at a time.
type deltaInts struct {
	buf    []byte
	narrow bool // 32-bit: sums wrap there
	block  int  // values in a block
	mini   int  // values in a miniblock
	left   int  // values left in all
	last   int64
	first  bool // last is a value that was not given out yet
	least  int64
	widths []byte // of the miniblocks left in the block
	packed bitReader
	inMini int // values left in the miniblock
}

// maxDeltaBlock bounds the values of a block; writers use 128.
const maxDeltaBlock = 1 << 16

// newDelta reads the header. The page has at most limit values.
func newDelta(buf []byte, narrow bool, limit int) (*deltaInts, error) {
	d := &deltaInts{buf: buf, narrow: narrow, first: true}
	block, minis, total := d.uvarint(), d.uvarint(), d.uvarint()
	first, n := binary.Varint(d.buf)
	if n <= 0 || block == 0 || block > maxDeltaBlock || block%128 != 0 || minis == 0 || block%minis != 0 || block/minis%32 != 0 {
		return nil, damaged("has a malformed delta header")
	}
	if total > uint64(limit) {
		return nil, damaged("holds %d deltas where there can be %d values", total, limit)
	}
	d.buf = d.buf[n:]
	d.block, d.mini, d.left, d.last = int(block), int(block/minis), int(total), first
	return d, nil
}

// uvarint returns MaxUint64 for a malformed number, which no header field may be.
func (d *deltaInts) uvarint() uint64 {
	v, n := binary.Uvarint(d.buf)
	if n <= 0 {
		d.buf = nil
		return math.MaxUint64
	}
	d.buf = d.buf[n:]
	return v
}

func (d *deltaInts) next(v *format.Vector, n int) error {
	v.Ints = grow(v.Ints, n)
	return d.read(v.Ints[len(v.Ints)-n:])
}

// read fills dst.
func (d *deltaInts) read(dst []int64) error {
	if len(dst) > d.left {
		return damaged("has fewer deltas than values")
	}
	d.left -= len(dst)
	if d.first && len(dst) > 0 {
		dst[0] = d.last
		d.first = false
		dst = dst[1:]
	}
	var raw [256]uint64
	for len(dst) > 0 {
		if d.inMini == 0 {
			if err := d.miniblock(); err != nil {
				return err
			}
		}
		part := raw[:min(len(dst), d.inMini, len(raw))]
		if err := d.packed.read(part); err != nil {
			return err
		}
		d.sum(dst, part)
		d.inMini -= len(part)
		dst = dst[len(part):]
	}
	return nil
}

func (d *deltaInts) sum(dst []int64, deltas []uint64) {
	last, least := d.last, d.least
	for i, u := range deltas {
		last += least + int64(u)
		if d.narrow {
			last = int64(int32(last))
		}
		dst[i] = last
	}
	d.last = last
}

// miniblock begins the next miniblock, and the next block where that is due.
func (d *deltaInts) miniblock() error {
	if len(d.widths) == 0 {
		least, n := binary.Varint(d.buf)
		minis := d.block / d.mini
		if n <= 0 || len(d.buf)-n < minis {
			return damaged("ends within a delta block")
		}
		d.least, d.widths, d.buf = least, d.buf[n:n+minis], d.buf[n+minis:]
	}
	width := int(d.widths[0])
	d.widths = d.widths[1:]
	size := width * d.mini / 8
	if width > 64 {
		return damaged("has deltas of %d bits", width)
	}
	if size > len(d.buf) { // the padding of the last miniblock may be cut
		size = len(d.buf)
	}
	d.packed, d.buf, d.inMini = bitReader{buf: d.buf[:size], width: width}, d.buf[size:], d.mini
	return nil
}

// rest returns the bytes behind the deltas without decoding them.
func (d deltaInts) rest() ([]byte, error) {
	left := d.left - 1
	for left > 0 {
		if err := d.miniblock(); err != nil {
			return nil, err
		}
		left -= d.mini
	}
	return d.buf, nil
}

// lengthTexts decodes DELTA_LENGTH_BYTE_ARRAY: all lengths, then all bytes.
type lengthTexts struct {
	lengths *deltaInts
	buf     []byte
	scratch [64]int64
}

func newLengthTexts(buf []byte, limit int) (*lengthTexts, error) {
	lengths, err := newDelta(buf, true, limit)
	if err != nil {
		return nil, err
	}
	text, err := lengths.rest()
	return &lengthTexts{lengths: lengths, buf: text}, err
}

func (d *lengthTexts) next(v *format.Vector, n int) error {
	for done := 0; done < n; {
		part := d.scratch[:min(n-done, len(d.scratch))]
		if err := d.lengths.read(part); err != nil {
			return err
		}
		for _, size := range part {
			text, err := d.take(size)
			if err != nil {
				return err
			}
			if err := appendText(v, text); err != nil {
				return err
			}
		}
		done += len(part)
	}
	return nil
}

func (d *lengthTexts) take(size int64) ([]byte, error) {
	if size < 0 || size > int64(len(d.buf)) {
		return nil, damaged("has a text longer than the rest of its page")
	}
	text := d.buf[:size]
	d.buf = d.buf[size:]
	return text, nil
}

// prefixTexts decodes DELTA_BYTE_ARRAY: each text is a prefix of the one before
// and a suffix.
type prefixTexts struct {
	prefixes *deltaInts
	suffixes *lengthTexts
	last     []byte
	size     int // of every text, for fixed-length types; else 0
}

func newPrefixTexts(buf []byte, size, limit int) (*prefixTexts, error) {
	prefixes, err := newDelta(buf, true, limit)
	if err != nil {
		return nil, err
	}
	rest, err := prefixes.rest()
	if err != nil {
		return nil, err
	}
	suffixes, err := newLengthTexts(rest, limit)
	return &prefixTexts{prefixes: prefixes, suffixes: suffixes, size: size}, err
}

func (d *prefixTexts) next(v *format.Vector, n int) error {
	var one [1]int64
	for range n {
		if err := d.prefixes.read(one[:]); err != nil {
			return err
		}
		if one[0] < 0 || one[0] > int64(len(d.last)) {
			return damaged("repeats more of a text than it had")
		}
		prefix := d.last[:one[0]]
		if err := d.suffixes.lengths.read(one[:]); err != nil {
			return err
		}
		suffix, err := d.suffixes.take(one[0])
		if err != nil {
			return err
		}
		d.last = bytes.Join([][]byte{prefix, suffix}, nil)
		if d.size > 0 && len(d.last) != d.size || len(d.last) > maxText {
			return damaged("has a text of a wrong length")
		}
		if err := appendText(v, d.last); err != nil {
			return err
		}
	}
	return nil
}

// maxText is the longest text a chain of prefixes may build.
const maxText = 64 << 20

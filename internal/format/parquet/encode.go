package parquet

import (
	"encoding/binary"
	"math/bits"

	"github.com/opengenesis/genesis/internal/format"
)

// appendPacked appends values of width bits each, least significant bit first,
// as in the bit-packed runs and miniblocks of the format. The last byte is
// padded with zeros.
func appendPacked(dst []byte, values []uint64, width int) []byte {
	var acc uint64
	have := 0
	for _, v := range values {
		acc |= v << have
		if have += width; have >= 64 {
			dst = binary.LittleEndian.AppendUint64(dst, acc)
			have -= 64
			acc = 0
			if have > 0 {
				acc = v >> (width - have)
			}
		}
	}
	for ; have > 0; have -= 8 {
		dst = append(dst, byte(acc))
		acc >>= 8
	}
	return dst
}

// appendLevels appends definition levels 0 and 1 of rows [from, to): 1 where
// nulls has no bit. They carry their length, as in data pages of version 1.
func appendLevels(dst []byte, nulls format.Bitmap, from, to, present int) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	rows := to - from
	switch {
	case rows == 0:
	case present == rows:
		dst = append(binary.AppendUvarint(dst, uint64(rows)<<1), 1)
	case present == 0:
		dst = append(binary.AppendUvarint(dst, uint64(rows)<<1), 0)
	default:
		dst = binary.AppendUvarint(dst, uint64((rows+7)/8)<<1|1)
		dst = appendPresence(dst, nulls, from, to)
	}
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst
}

func appendPresence(dst []byte, nulls format.Bitmap, from, to int) []byte {
	for i := from; i < to; i += 8 {
		var b byte
		for k := range min(8, to-i) {
			if !nulls.Get(i + k) {
				b |= 1 << k
			}
		}
		dst = append(dst, b)
	}
	return dst
}

// minRun is the shortest run of equal indices that is written as a run.
const minRun = 16

// appendIndices appends dictionary indices in the hybrid of runs and
// bit-packed groups of eight.
func appendIndices(dst []byte, indices []uint32, width int, scratch []uint64) []byte {
	packedFrom := 0
	for i := 0; i < len(indices); {
		run := runLength(indices[i:])
		if run < minRun {
			i += min(8, len(indices)-i)
			continue
		}
		dst = appendGroups(dst, indices[packedFrom:i], width, scratch)
		dst = binary.AppendUvarint(dst, uint64(run)<<1)
		for b := 0; b < width; b += 8 {
			dst = append(dst, byte(indices[i]>>b))
		}
		i += run
		packedFrom = i
	}
	return appendGroups(dst, indices[packedFrom:], width, scratch)
}

func runLength(v []uint32) int {
	n := 1
	for n < len(v) && v[n] == v[0] {
		n++
	}
	return n
}

// appendGroups appends one bit-packed run. Only the last one of a page may hold
// a number of indices that is not a multiple of eight.
func appendGroups(dst []byte, indices []uint32, width int, scratch []uint64) []byte {
	if len(indices) == 0 {
		return dst
	}
	groups := (len(indices) + 7) / 8
	dst = binary.AppendUvarint(dst, uint64(groups)<<1|1)
	for len(indices) > 0 {
		n := min(len(indices), len(scratch))
		for k, v := range indices[:n] {
			scratch[k] = uint64(v)
		}
		full := (n + 7) / 8 * 8
		clear(scratch[n:full])
		dst = appendPacked(dst, scratch[:full], width)
		indices = indices[n:]
	}
	return dst
}

// The shape of delta blocks, as other writers use it.
const (
	deltaBlock = 128
	deltaMini  = 32
)

// appendDelta appends values in DELTA_BINARY_PACKED. narrow says that they are
// a 32-bit column's, whose differences wrap at 32 bits.
func appendDelta(dst []byte, values []int64, narrow bool) []byte {
	dst = binary.AppendUvarint(dst, deltaBlock)
	dst = binary.AppendUvarint(dst, deltaBlock/deltaMini)
	dst = binary.AppendUvarint(dst, uint64(len(values)))
	if len(values) == 0 {
		return binary.AppendVarint(dst, 0)
	}
	dst = binary.AppendVarint(dst, values[0])
	var deltas [deltaBlock]uint64
	for i := 1; i < len(values); i += deltaBlock {
		n := min(deltaBlock, len(values)-i)
		least := differences(deltas[:n], values[i-1:i+n], narrow)
		dst = appendDeltaBlock(dst, deltas[:], n, least)
	}
	return dst
}

// differences sets out[k] to v[k+1]−v[k] less the smallest difference, which it
// returns.
func differences(out []uint64, v []int64, narrow bool) int64 {
	least := int64(1<<63 - 1)
	for k := range out {
		d := v[k+1] - v[k]
		if narrow {
			d = int64(int32(d))
		}
		least = min(least, d)
		out[k] = uint64(d)
	}
	for k := range out {
		out[k] -= uint64(least)
	}
	return least
}

func appendDeltaBlock(dst []byte, deltas []uint64, n int, least int64) []byte {
	dst = binary.AppendVarint(dst, least)
	clear(deltas[n:])
	widths := len(dst)
	dst = append(dst, make([]byte, deltaBlock/deltaMini)...)
	for m := 0; m*deltaMini < n; m++ {
		mini := deltas[m*deltaMini : (m+1)*deltaMini]
		var all uint64
		for _, d := range mini {
			all |= d
		}
		width := bits.Len64(all)
		dst[widths+m] = byte(width)
		if width > 0 {
			dst = appendPacked(dst, mini, width)
		}
	}
	return dst
}

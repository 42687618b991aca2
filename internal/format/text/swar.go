package text

import "encoding/binary"

const (
	ones  = 0x0101010101010101
	highs = 0x8080808080808080
	lows  = 0x7f7f7f7f7f7f7f7f
)

// repeated returns a word of eight copies of b.
func repeated(b byte) uint64 { return uint64(b) * ones }

// zeros returns a word whose high bits mark the zero bytes of w exactly.
func zeros(w uint64) uint64 { return ^((w&lows + lows) | w | lows) }

// pack gathers the high bits of w's bytes into its low eight bits, the first
// byte lowest.
func pack(w uint64) uint64 { return (w >> 7) * 0x0102040810204080 >> 56 }

// marks2 returns a bit for each of the 64 bytes of b that equals x or y.
func marks2(b *[64]byte, x, y uint64) uint64 {
	var m uint64
	for k := 0; k < 8; k++ {
		w := binary.LittleEndian.Uint64(b[k*8:])
		m |= pack(zeros(w^x)|zeros(w^y)) << (8 * k)
	}
	return m
}

// marks3 is marks2 for three bytes.
func marks3(b *[64]byte, x, y, z uint64) uint64 {
	var m uint64
	for k := 0; k < 8; k++ {
		w := binary.LittleEndian.Uint64(b[k*8:])
		m |= pack(zeros(w^x)|zeros(w^y)|zeros(w^z)) << (8 * k)
	}
	return m
}

// indexNonASCII returns the place of the first byte from 0x80 on, or −1.
func indexNonASCII(b []byte) int {
	i := 0
	for ; i+8 <= len(b); i += 8 {
		if binary.LittleEndian.Uint64(b[i:])&highs != 0 {
			break
		}
	}
	for ; i < len(b); i++ {
		if b[i] >= 0x80 {
			return i
		}
	}
	return -1
}

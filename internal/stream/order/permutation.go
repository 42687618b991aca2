package order

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/bits"
)

// Rounds of the Feistel network. Six mix two halves so that no test of this package
// tells the result from a random permutation; halves of a few bits take more.
const (
	roundsFew  = 8
	rounds     = 6
	fewerThan  = 1 << 16
	mostRounds = roundsFew
)

// permutation is a permutation of 0 … n−1, for any n, in constant memory: a
// generalised Feistel network over the rectangle a·b ≥ n with cycle walking (Black
// and Rogaway, "Ciphers with arbitrary finite domains", 2002).
type permutation struct {
	n, a, b uint64
	rounds  int
	keys    [mostRounds]uint64
}

func newPermutation(k Key, tag string, index, n uint64) permutation {
	p := permutation{n: n, a: rootUp(n), rounds: rounds}
	if n < fewerThan {
		p.rounds = roundsFew
	}
	if p.a == 0 {
		return p // of nothing
	}
	p.b = (n + p.a - 1) / p.a
	text := append(append(append(make([]byte, 0, 64), k[:]...), tag...), 0, 0, 0, 0, 0, 0, 0, 0, 0)
	binary.LittleEndian.PutUint64(text[len(text)-9:], index)
	one := sha256.Sum256(text)
	text[len(text)-1] = 1
	two := sha256.Sum256(text)
	for i := range mostRounds / 2 {
		p.keys[i] = binary.LittleEndian.Uint64(one[8*i:])
		p.keys[i+mostRounds/2] = binary.LittleEndian.Uint64(two[8*i:])
	}
	return p
}

// rootUp is the square root of n, rounded up.
func rootUp(n uint64) uint64 {
	r := uint64(math.Sqrt(float64(n)))
	for r*r >= n && r > 0 {
		r--
	}
	for r*r < n {
		r++
	}
	return r
}

// at returns where x goes; x < n.
func (p *permutation) at(x uint64) uint64 {
	for {
		l, r := x/p.b, x%p.b
		for t := 0; t < p.rounds; t += 2 {
			if l += scale(p.keys[t], r, p.a); l >= p.a {
				l -= p.a
			}
			if r += scale(p.keys[t+1], l, p.b); r >= p.b {
				r -= p.b
			}
		}
		if x = l*p.b + r; x < p.n {
			return x
		}
	}
}

// from returns what goes to y: the inverse of at.
func (p *permutation) from(y uint64) uint64 {
	for {
		l, r := y/p.b, y%p.b
		for t := p.rounds - 2; t >= 0; t -= 2 {
			r = less(r, scale(p.keys[t+1], l, p.b), p.b)
			l = less(l, scale(p.keys[t], r, p.a), p.a)
		}
		if y = l*p.b + r; y < p.n {
			return y
		}
	}
}

// less is x − d modulo m.
func less(x, d, m uint64) uint64 {
	if x < d {
		x += m
	}
	return x - d
}

// scale is the round function: a number below m that depends on v and the key. One
// multiplication alone would be linear, and what follows in the order would show it.
func scale(key, v, m uint64) uint64 {
	v = (v ^ key) * 0xd6e8feb86659fd93
	v ^= v >> 32
	v, _ = bits.Mul64(v*0xd6e8feb86659fd93, m)
	return v
}

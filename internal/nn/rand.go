package nn

import "math"

// Rand is a counter-based generator: value i of a stream is a mix of key and
// i (SplitMix64, Steele et al. 2014), so streams with different keys can be
// used in any order.
type Rand struct{ key, n uint64 }

// NewRand returns the stream of the given words: seed, purpose, member, epoch….
func NewRand(words ...uint64) *Rand { return &Rand{key: Mix(words...)} }

// Mix hashes words into one.
func Mix(words ...uint64) uint64 {
	h := uint64(0x243f6a8885a308d3)
	for _, w := range words {
		h = splitmix(h ^ splitmix(w))
	}
	return h
}

func splitmix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Uint64 returns the next 64 bits.
func (r *Rand) Uint64() uint64 {
	r.n++
	return splitmix(r.key + r.n*0x9e3779b97f4a7c15)
}

// Float64 returns a number in [0, 1).
func (r *Rand) Float64() float64 { return float64(r.Uint64()>>11) / (1 << 53) }

// Intn returns a number in 0…n−1; the bias for n < 2³² is below 2⁻³².
func (r *Rand) Intn(n int) int { return int(r.Float64() * float64(n)) }

// Normal returns a standard normal number (Box–Muller).
func (r *Rand) Normal() float64 {
	u, v := 1-r.Float64(), r.Float64()
	return math.Sqrt(-2*math.Log(u)) * math.Cos(2*math.Pi*v)
}

// Shuffle permutes x.
func (r *Rand) Shuffle(x []int) {
	for i := len(x) - 1; i > 0; i-- {
		j := r.Intn(i + 1)
		x[i], x[j] = x[j], x[i]
	}
}

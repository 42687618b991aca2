package profile

import "math/bits"

// random is a small generator (Steele, Lea and Flood 2014, SplitMix64): the
// same choices on every run.
type random uint64

func (r *random) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	return mix(uint64(*r))
}

// mix spreads the bits of x over all 64 (the finaliser of SplitMix64). It is
// one-to-one.
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// sampler picks one value of each run of w consecutive values. w is 1 until
// limit values passed and doubles each time their number does.
type sampler struct {
	shift int // w = 1 << shift
	limit uint64
	group uint64 // where the current run began
	pick  uint64 // the position picked in it
	seen  uint64
	rng   random
}

func newSampler(limit int) sampler { return sampler{limit: uint64(limit), rng: 1} }

// every reports whether all values are still picked.
func (s *sampler) every() bool { return s.shift == 0 && s.group < s.limit }

// step goes on to the next run.
func (s *sampler) step() {
	s.group += 1 << s.shift
	for s.group >= s.limit {
		s.limit *= 2
		s.shift++
	}
	hi, _ := bits.Mul64(s.rng.next(), 1<<s.shift)
	s.pick = s.group + hi
}

// one reports whether the next value is picked.
func (s *sampler) one() bool {
	at := s.seen
	s.seen++
	if at != s.pick {
		return false
	}
	s.step()
	return true
}

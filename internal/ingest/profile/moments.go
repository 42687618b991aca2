package profile

import "math"

// moments are the count, mean and sum of squared deviations of numbers, and
// their range.
type moments struct {
	n        int64
	mean, m2 float64
	min, max float64
}

// add merges a block of finite values. The block's own sums are taken in four
// lanes about its first value, so that neither order of batches nor a large
// offset changes the result.
func (m *moments) add(block []float64) {
	if len(block) == 0 {
		return
	}
	b := momentsOf(block)
	m.merge(b)
}

func momentsOf(block []float64) moments {
	lo, hi := block[0], block[0]
	shift := block[0]
	var s [4]float64
	i := 0
	for ; i+4 <= len(block); i += 4 {
		v := block[i : i+4 : i+4]
		s[0] += v[0] - shift
		s[1] += v[1] - shift
		s[2] += v[2] - shift
		s[3] += v[3] - shift
	}
	for ; i < len(block); i++ {
		s[0] += block[i] - shift
	}
	for _, v := range block {
		if v < lo {
			lo = v
		}
		if v > hi {
			hi = v
		}
	}
	n := float64(len(block))
	mean := shift + ((s[0]+s[1])+(s[2]+s[3]))/n
	return moments{n: int64(len(block)), mean: mean, m2: squares(block, mean), min: lo, max: hi}
}

// squares returns Σ(v−mean)² in four lanes.
func squares(block []float64, mean float64) float64 {
	var s [4]float64
	i := 0
	for ; i+4 <= len(block); i += 4 {
		v := block[i : i+4 : i+4]
		a, b, c, d := v[0]-mean, v[1]-mean, v[2]-mean, v[3]-mean
		s[0] += a * a
		s[1] += b * b
		s[2] += c * c
		s[3] += d * d
	}
	for ; i < len(block); i++ {
		d := block[i] - mean
		s[0] += d * d
	}
	return (s[0] + s[1]) + (s[2] + s[3])
}

// merge joins the moments of two sets of values (Chan, Golub, LeVeque 1983).
func (m *moments) merge(b moments) {
	if m.n == 0 {
		*m = b
		return
	}
	n := float64(m.n + b.n)
	d := b.mean - m.mean
	m.m2 += b.m2 + d*d*(float64(m.n)*float64(b.n)/n)
	m.mean += d * (float64(b.n) / n)
	m.n += b.n
	m.min, m.max = math.Min(m.min, b.min), math.Max(m.max, b.max)
}

// sd returns the sample standard deviation, and false where it is not defined
// or not finite.
func (m *moments) sd() (float64, bool) {
	if m.n < 2 {
		return 0, false
	}
	sd := math.Sqrt(m.m2 / float64(m.n-1))
	return sd, !math.IsNaN(sd) && !math.IsInf(sd, 0)
}

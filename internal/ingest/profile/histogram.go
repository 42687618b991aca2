package profile

import (
	"math"

	"github.com/opengenesis/genesis"
)

// maxBins is how many bins a histogram has at most; at least half of them when
// the values differ.
const maxBins = 32

// histogram counts values in bins [i·2^e, (i+1)·2^e). e is the smallest that
// spans the range seen so far in maxBins bins, so bins of a smaller range nest
// in those of a larger and counts stay exact.
type histogram struct {
	set    bool
	e      int
	base   int64 // bin counts[0] is number base
	counts [maxBins]int64
	lo, hi float64
}

// add counts a block of finite values whose range is lo…hi.
func (h *histogram) add(block []float64, lo, hi float64) {
	h.cover(lo, hi)
	scale := math.Ldexp(1, -h.e)
	base := h.base
	if h.e < -1000 || h.e > 1000 { // 2^−e leaves the normal numbers
		for _, v := range block {
			h.counts[binOf(v, h.e)-base]++
		}
		return
	}
	// Two sets of counters, so that runs in one bin do not wait on one another.
	var odd [maxBins]int64
	i := 0
	for ; i+2 <= len(block); i += 2 {
		a, b := int64(math.Floor(block[i]*scale)), int64(math.Floor(block[i+1]*scale))
		h.counts[uint64(a-base)%maxBins]++
		odd[uint64(b-base)%maxBins]++
	}
	if i < len(block) {
		h.counts[uint64(int64(math.Floor(block[i]*scale))-base)%maxBins]++
	}
	for i, n := range odd {
		h.counts[i] += n
	}
}

// cover widens the bins so that they span lo…hi too.
func (h *histogram) cover(lo, hi float64) {
	if h.set && lo >= h.lo && hi <= h.hi {
		return
	}
	if h.set {
		lo, hi = math.Min(lo, h.lo), math.Max(hi, h.hi)
	}
	e := spanning(lo, hi)
	base := binOf(lo, e)
	var counts [maxBins]int64
	for i, n := range h.counts {
		if n != 0 {
			counts[(h.base+int64(i))>>uint(min(e-h.e, 63))-base] += n
		}
	}
	*h = histogram{set: true, e: e, base: base, counts: counts, lo: lo, hi: hi}
}

// spanning returns the smallest e for which at most maxBins bins of width 2^e
// hold both lo and hi and bin numbers stay exact.
func spanning(lo, hi float64) int {
	_, e := math.Frexp(math.Max(math.Abs(lo), math.Abs(hi)))
	e -= 52
	if lo == 0 && hi == 0 {
		return -1074 // the width of the smallest number: any other range needs more
	}
	// hi/4 − lo/4 cannot overflow.
	if d := hi/4 - lo/4; d > 0 {
		_, f := math.Frexp(d)
		e = max(e, f+2-7)
	}
	for binOf(hi, e)-binOf(lo, e) >= maxBins {
		e++
	}
	return e
}

// binOf returns floor(v / 2^e).
func binOf(v float64, e int) int64 { return int64(math.Floor(math.Ldexp(v, -e))) }

// bins returns the histogram; one bin of no width when all values are equal.
func (h *histogram) bins() []genesis.Bin {
	if !h.set {
		return nil
	}
	last := int(binOf(h.hi, h.e) - h.base)
	if h.lo == h.hi {
		return []genesis.Bin{{Low: h.lo, High: h.hi, Count: h.counts[last]}}
	}
	out := make([]genesis.Bin, 0, last+1)
	for i := 0; i <= last; i++ {
		n := h.base + int64(i)
		out = append(out, genesis.Bin{Low: edge(n, h.e), High: edge(n+1, h.e), Count: h.counts[i]})
	}
	return out
}

// edge returns n·2^e, held inside the finite numbers.
func edge(n int64, e int) float64 {
	v := math.Ldexp(float64(n), e)
	return math.Max(-math.MaxFloat64, math.Min(math.MaxFloat64, v))
}

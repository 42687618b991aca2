package profile

import (
	"cmp"
	"math"
	"slices"

	"github.com/opengenesis/genesis"
)

// probabilities are the quantiles a profile states.
var probabilities = []float64{0, .01, .05, .1, .2, .25, .3, .4, .5, .6, .7, .75, .8, .9, .95, .99, 1}

// sketch is a KLL quantile sketch (Karnin, Lang, Liberty 2016) behind a
// sampler. Level h holds values that stand for 2^h each; picked values enter at
// the level of the sampler's run length.
type sketch struct {
	k      int
	levels [][]float64
	in     sampler
	coin   random
	merged bool // some level was compacted: no longer exact
}

func newSketch(k int) *sketch {
	return &sketch{k: k, in: newSampler(128 * k), coin: 2}
}

// add takes a block of finite values.
func (q *sketch) add(block []float64) {
	first := q.in.seen
	q.in.seen += uint64(len(block))
	for q.in.pick < q.in.seen {
		q.insert(block[q.in.pick-first])
		was := q.in.shift
		q.in.step()
		if q.in.shift != was {
			q.raise()
		}
	}
}

// insert puts one picked value in at the sampler's level.
func (q *sketch) insert(v float64) {
	h := q.in.shift
	q.grow(h)
	q.levels[h] = append(q.levels[h], v)
	if len(q.levels[h]) >= 4*q.k {
		q.compact(h)
		q.tidy(h + 1)
	}
}

// raise moves what the levels below the sampler's still hold up to it.
func (q *sketch) raise() {
	for h := 0; h < q.in.shift && h < len(q.levels); h++ {
		if len(q.levels[h]) > 1 {
			q.compact(h)
		}
		if len(q.levels[h]) == 0 {
			q.levels[h] = nil
		}
	}
	q.tidy(q.in.shift)
}

func (q *sketch) grow(h int) {
	for len(q.levels) <= h {
		q.levels = append(q.levels, nil)
	}
}

// tidy compacts the levels from h up that hold more than their share.
func (q *sketch) tidy(h int) {
	for ; h < len(q.levels); h++ {
		if len(q.levels[h]) > q.capacity(h) {
			q.compact(h)
		}
	}
}

// capacity is k for the top level and two thirds of the one above for the
// others.
func (q *sketch) capacity(h int) int {
	c := float64(q.k) * math.Pow(2.0/3, float64(len(q.levels)-1-h))
	return max(8, int(c))
}

// compact sorts level h and moves every other value, beginning with the first
// or the second by a coin, to the level above; an odd one stays.
func (q *sketch) compact(h int) {
	q.merged = true
	q.grow(h + 1)
	v := q.levels[h]
	slices.Sort(v)
	rest := v[:0]
	if len(v)%2 == 1 {
		rest, v = v[:1:1], v[1:]
	}
	up := q.levels[h+1]
	for i := int(q.coin.next() & 1); i < len(v); i += 2 {
		up = append(up, v[i])
	}
	q.levels[h+1] = up
	q.levels[h] = rest
}

// weighted is a retained value and how many it stands for.
type weighted struct {
	value  float64
	weight int64
}

func (q *sketch) retained() ([]weighted, int64) {
	var all []weighted
	var total int64
	for h, level := range q.levels {
		for _, v := range level {
			all = append(all, weighted{v, 1 << h})
			total += 1 << h
		}
	}
	slices.SortFunc(all, func(a, b weighted) int { return cmp.Compare(a.value, b.value) })
	return all, total
}

// quantiles returns the value at each of the profile's probabilities: the
// smallest retained value whose rank reaches it. lo and hi are the exact ends.
func (q *sketch) quantiles(lo, hi float64) []genesis.Quantile {
	all, total := q.retained()
	if total == 0 {
		return nil
	}
	out := make([]genesis.Quantile, len(probabilities))
	i, below := 0, all[0].weight
	for j, p := range probabilities {
		for float64(below) < p*float64(total) && i+1 < len(all) {
			i++
			below += all[i].weight
		}
		v := math.Max(lo, math.Min(hi, all[i].value))
		out[j] = genesis.Quantile{P: p, Value: v}
	}
	out[0].Value, out[len(out)-1].Value = lo, hi
	return out
}

// rankError is the stated bound on the rank error as a fraction.
func (q *sketch) rankError() float64 {
	if !q.merged && q.in.every() {
		return 0
	}
	switch {
	case q.k >= 1024:
		return .01
	case q.k >= 256:
		return .02
	}
	return .06
}

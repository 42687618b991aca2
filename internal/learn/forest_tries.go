package learn

import (
	"context"
	"math"
)

// How many features a split looks among decides how good a forest is, and no number
// suits every table: R's default is a third of them, scikit-learn's for regressions all.
// A reference that is weaker than need be flatters the net. So the first trees are grown
// both ways, and the way with the less error on the rows that its trees did not draw
// (out of bag) goes on.

const (
	forestTrial = 10      // trees grown both ways
	forestCells = 4 << 20 // rows times features up to which that is worth its time
	forestAsked = 5000    // rows whose error is looked at
)

// chooseTries returns among how many features splits look, and the first trees.
func (f *forest) chooseTries(ctx context.Context, bins [][]uint8, sample []int, p pool) (int, []*grower) {
	d := len(bins)
	third := max((d+2)/3, int(math.Sqrt(float64(d))))
	if third >= d || d*min(len(sample), forestRows) > forestCells {
		return third, nil
	}
	some := f.grow(ctx, bins, sample, third, 0, forestTrial, p)
	all := f.grow(ctx, bins, sample, d, 0, forestTrial, p)
	if ctx.Err() == nil && outOfBag(all) < outOfBag(some) {
		return d, all
	}
	return third, some
}

// outOfBag is the mean squared error of trees of one sample on rows that they did not
// draw; where every tree drew every row asked for, it is infinite.
func outOfBag(trees []*grower) float64 {
	g := trees[0]
	want, said := make([]float64, g.t.wantWidth(g.k)), make([]float64, g.t.wantWidth(g.k))
	sum, rows := 0.0, 0.0
	for i := 0; i < len(g.sample); i += (len(g.sample) + forestAsked - 1) / forestAsked {
		clear(said)
		n := 0.0
		for _, tree := range trees {
			if tree.wants[i] != nil {
				continue
			}
			n++
			for o, v := range tree.leaf(i) {
				said[o] += v
			}
		}
		if n == 0 {
			continue
		}
		g.t.wants(g.k, g.sample[i], want)
		for o, v := range said {
			sum += (v/n - want[o]) * (v/n - want[o])
		}
		rows++
	}
	if rows == 0 {
		return math.Inf(1)
	}
	return sum / rows
}

// leaf returns what the tree says about row i of the sample.
func (g *grower) leaf(i int) []float64 {
	at := 0
	for g.nodes[at].feature >= 0 {
		n := g.nodes[at]
		at = n.left
		if g.bins[n.feature][i] > n.bin {
			at++
		}
	}
	return g.nodes[at].value
}

package learn

import (
	"math"
	"slices"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// Whoever may train on rows without reading them gets nothing that fewer than
// [Options.Least] of them say. Words, classes and elements that fewer have are not
// told apart from unknown ones; numbers are brought within bounds that so many
// reach before anything is learnt from them, so that neither weights nor ranges
// know of a single extreme; and of what is kept sorted, such as quantiles, each
// figure is the mean of so many.

// crowd brings the numbers of columns within the bounds that opt.Least of the rows
// reach.
func (t table) crowd(rows []int, opt Options) table {
	if opt.Least == 0 {
		return t
	}
	b := *t.batch
	b.Cols = slices.Clone(b.Cols)
	for j := range min(len(b.Cols), len(t.columns)) {
		if c := t.columns[j]; c.Type.Numeric() && (leaveOut(c) == "" || c.Role == genesis.Weight || slices.Contains(opt.Target, c.Name) || slices.Contains(opt.Features, c.Name)) {
			b.Cols[j] = within(b.Cols[j], rows, opt.Least)
		}
	}
	return table{t.columns, &b}
}

// within returns v with every number brought between the least-th smallest and the
// least-th greatest of the rows. Of fewer rows than that there are no bounds, and
// fitting leaves the column out.
func within(v format.Vector, rows []int, least int) format.Vector {
	if v.Kind != format.Int && v.Kind != format.Float {
		return v
	}
	xs := numbers(&v, rows)
	if len(xs) < 2*least {
		return v
	}
	low, high := xs[least-1], xs[len(xs)-least]
	if v.Kind == format.Float {
		v.Floats = slices.Clone(v.Floats)
		for i, x := range v.Floats {
			if !math.IsNaN(x) && !math.IsInf(x, 0) {
				v.Floats[i] = min(max(x, low), high)
			}
		}
		return v
	}
	v.Ints = slices.Clone(v.Ints)
	for i, x := range v.Ints {
		switch {
		case float64(x) < low:
			v.Ints[i] = int64(low)
		case float64(x) > high:
			v.Ints[i] = int64(high)
		}
	}
	return v
}

// numbers returns the numbers of rows, ascending.
func numbers(v *format.Vector, rows []int) []float64 {
	xs := make([]float64, 0, len(rows))
	for _, i := range rows {
		if x, ok := number(v, i); ok {
			xs = append(xs, x)
		}
	}
	slices.Sort(xs)
	return xs
}

// shared returns sorted xs with each run of least of them replaced by its mean, none
// where there are fewer; with least 0, xs itself.
func shared(xs []float64, least int) []float64 {
	if least <= 1 {
		return xs
	}
	blocks := len(xs) / least
	if blocks == 0 {
		return nil
	}
	out := make([]float64, len(xs))
	for b := range blocks {
		from, to := b*len(xs)/blocks, (b+1)*len(xs)/blocks
		mean := 0.0
		for _, x := range xs[from:to] {
			mean += x / float64(to-from)
		}
		for k := from; k < to; k++ {
			out[k] = mean
		}
	}
	return out
}

// shaped is shared for the upper ends of scores: of each run it keeps the mean, and spreads
// that as if the scores were absolute values of normal deviates. Means alone would say that
// hardly a row is beyond the last of them: of fewer than twice least rows, that nine in ten
// are below their mean.
func shaped(xs []float64, least int) []float64 {
	out := shared(xs, least)
	if least <= 1 || out == nil {
		return out
	}
	n, blocks, highest := len(xs), len(xs)/least, 0.0
	for b := range blocks {
		from, to := b*n/blocks, (b+1)*n/blocks
		mean := 0.0
		for k := from; k < to; k++ {
			mean += expected(k, n) / float64(to-from)
		}
		for k := from; k < to; k++ {
			highest = max(highest, out[k]*expected(k, n)/mean)
			out[k] = highest
		}
	}
	return out
}

// expected is about the absolute value of the k-th of n normal deviates, by size.
func expected(k, n int) float64 { return normalQuantile(0.5 + 0.5*float64(k+1)/float64(n+1)) }

// enough reports whether each member stops by so many rows of each target that its
// loss tells of none of them.
func (tr *trainer) enough(least int) bool {
	for _, m := range tr.members {
		for k := range tr.targets {
			if least > 0 && len(tr.withTruth(m.held, k)) < least {
				return false
			}
		}
	}
	return true
}

package learn

import (
	"math"
	"slices"
	"sort"
)

func finite(xs ...float64) bool {
	for _, x := range xs {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return false
		}
	}
	return true
}

// meanSD returns the mean and the population standard deviation.
func meanSD(xs []float64) (mean, sd float64) {
	if len(xs) == 0 {
		return 0, 0
	}
	for _, x := range xs {
		mean += x / float64(len(xs))
	}
	for _, x := range xs {
		sd += (x - mean) * (x - mean) / float64(len(xs))
	}
	return mean, math.Sqrt(sd)
}

// normalQuantile is the inverse of the normal distribution function.
func normalQuantile(p float64) float64 { return -math.Sqrt2 * math.Erfcinv(2*p) }

// quantile returns the p-quantile of sorted xs, between neighbours linearly.
func quantile(xs []float64, p float64) float64 {
	if len(xs) == 0 {
		return 0
	}
	at := p * float64(len(xs)-1)
	i := int(at)
	if i+1 >= len(xs) {
		return xs[len(xs)-1]
	}
	return xs[i] + (at-float64(i))*(xs[i+1]-xs[i])
}

// upper returns the value that a new one, exchangeable with the n sorted
// scores, exceeds with probability at most 1−level: the ⌈(n+1)·level⌉-th
// smallest, or the largest when there are too few.
func upper(scores []float64, level float64) float64 {
	k := int(math.Ceil(float64(len(scores)+1)*level - 1e-9))
	return scores[min(max(k, 1), len(scores))-1]
}

// thin returns at most n of sorted xs that keep its quantiles: its largest and
// evenly spaced ranks.
func thin(xs []float64, n int) []float64 {
	if len(xs) <= n {
		return slices.Clone(xs)
	}
	out := make([]float64, n)
	for k := range out {
		// Rank k+1 of n stands for the same level as this rank of len(xs).
		level := float64(k+1) / float64(n+1)
		at := int(math.Ceil(level*float64(len(xs)+1))) - 1
		out[k] = xs[min(max(at, 0), len(xs)-1)]
	}
	return out
}

const (
	maxUnseen = 0.003
	maxValues = 4096
)

// unseenMass estimates the probability that the next value is a new one by the
// share of values seen once (Good 1953).
func unseenMass[K comparable](counts map[K]int, n int) float64 {
	once := 0
	for _, c := range counts {
		if c == 1 {
			once++
		}
	}
	return float64(once) / float64(max(n, 1))
}

// seenValues returns the distinct values of sorted xs, those that at least least of
// them have, if a value outside of them is rare enough to be news, else nil.
func seenValues(xs []float64, least int) []float64 {
	counts := map[float64]int{}
	for _, x := range xs {
		counts[x]++
		if len(counts) > maxValues {
			return nil
		}
	}
	if len(xs) < 100 || unseenMass(counts, len(xs)) > maxUnseen {
		return nil
	}
	rare := 0
	kept := slices.DeleteFunc(slices.Compact(slices.Clone(xs)), func(x float64) bool {
		if counts[x] >= least {
			return false
		}
		rare += counts[x]
		return true
	})
	if float64(rare) > maxUnseen*float64(len(xs)) {
		return nil
	}
	return kept
}

// has reports whether sorted xs holds x.
func has(xs []float64, x float64) bool {
	k := sort.SearchFloat64s(xs, x)
	return k < len(xs) && xs[k] == x
}

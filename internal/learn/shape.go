package learn

import (
	"math"
	"slices"
)

// shape is the mean and covariance of some columns over training rows, and how
// far rows usually lie from it by two measures: the Mahalanobis distance, and
// the greatest deviation of a column from what the others predict for it
// linearly, in standard deviations; the precision matrix, the inverse of the
// covariance, holds both.
type shape struct {
	Mean      []float64 `json:"mean,omitempty"`
	Precision []float64 `json:"precision,omitempty"` // row-major
	Distance  float64   `json:"distance"`            // 99.5 % quantiles of training rows
	Residual  float64   `json:"residual"`
}

const (
	// shapeLift of each variance, and a little, is added to it, so that columns
	// that repeat others can be inverted. It bounds how closely the others can
	// predict one (docs/learning.md has what was tried).
	shapeLift = 0.003
	shapeFlat = 1e-4
)

// fitShape learns from n rows of d columns, which fill writes. A value that is
// not a number stands for the mean.
func fitShape(n, d, least int, fill func(k int, z []float64)) shape {
	s := shape{Distance: 1, Residual: 1}
	if d == 0 || d > oodColumns || n == 0 {
		return s
	}
	z := make([]float64, d)
	s.Mean = make([]float64, d)
	counts := make([]float64, d)
	for k := range n {
		fill(k, z)
		for j, v := range z {
			if v == v {
				counts[j]++
				s.Mean[j] += (v - s.Mean[j]) / counts[j]
			}
		}
	}
	cov := newSquare(d)
	for k := range n {
		fill(k, z)
		s.center(z)
		cov.addOuter(z, 1/float64(n))
	}
	for j := range d {
		cov.data[j*d+j] += shapeLift*cov.data[j*d+j] + shapeFlat
	}
	s.Precision = cov.inverse().data
	var distances, residuals []float64
	for k := range n {
		fill(k, z)
		a, b := s.measure(z)
		distances, residuals = append(distances, a), append(residuals, b)
	}
	slices.Sort(distances)
	slices.Sort(residuals)
	s.Distance = max(quantile(shaped(distances, least), 0.995), 1e-9)
	s.Residual = max(quantile(shaped(residuals, least), 0.995), 1e-9)
	return s
}

func (s *shape) center(z []float64) {
	for j, v := range z {
		if v == v {
			z[j] = v - s.Mean[j]
		} else {
			z[j] = 0
		}
	}
}

// measure returns the distance and the greatest residual of a row. It
// overwrites the row.
func (s *shape) measure(z []float64) (distance, residual float64) {
	s.center(z)
	d := len(z)
	for j := range d {
		row := s.Precision[j*d : (j+1)*d]
		v := 0.0
		for k, p := range row {
			v += p * z[k]
		}
		distance += v * z[j]
		residual = max(residual, math.Abs(v)/math.Sqrt(row[j]))
	}
	return math.Sqrt(max(distance, 0)), residual
}

// score is about 1 for the most unusual training rows. It overwrites the row.
func (s *shape) score(z []float64) float64 {
	if len(s.Precision) == 0 {
		return 0
	}
	distance, residual := s.measure(z)
	return max(distance/s.Distance, residual/s.Residual)
}

// sound reports whether a stored shape fits rows of d columns.
func (s *shape) sound(d int) bool {
	if !(s.Distance > 0) || !(s.Residual > 0) {
		return false
	}
	if len(s.Precision) == 0 && len(s.Mean) == 0 {
		return true
	}
	if d > oodColumns || len(s.Mean) != d || len(s.Precision) != d*d {
		return false
	}
	for j := range d {
		if !(s.Precision[j*d+j] > 0) {
			return false
		}
	}
	return true
}

package learn

import "math"

// square is a symmetric n×n matrix, row-major.
type square struct {
	n    int
	data []float64
}

func newSquare(n int) square { return square{n, make([]float64, n*n)} }

// addOuter adds w·z·zᵀ.
func (s square) addOuter(z []float64, w float64) {
	for i, a := range z {
		if a == 0 {
			continue
		}
		row := s.data[i*s.n : (i+1)*s.n]
		for j, b := range z {
			row[j] += w * a * b
		}
	}
}

// cholesky returns the lower factor L of s = L·Lᵀ; s must be positive definite,
// and pivots that are not are lifted.
func (s square) cholesky() square {
	l := newSquare(s.n)
	for i := range s.n {
		for j := range i + 1 {
			sum := s.data[i*s.n+j]
			for k := range j {
				sum -= l.data[i*s.n+k] * l.data[j*s.n+k]
			}
			if i == j {
				l.data[i*s.n+i] = math.Sqrt(max(sum, 1e-12))
			} else {
				l.data[i*s.n+j] = sum / l.data[j*s.n+j]
			}
		}
	}
	return l
}

// solve solves L·Lᵀ·x = b in place.
func (s square) solve(b []float64) {
	for i := range s.n {
		for k := range i {
			b[i] -= s.data[i*s.n+k] * b[k]
		}
		b[i] /= s.data[i*s.n+i]
	}
	for i := s.n - 1; i >= 0; i-- {
		for k := i + 1; k < s.n; k++ {
			b[i] -= s.data[k*s.n+i] * b[k]
		}
		b[i] /= s.data[i*s.n+i]
	}
}

func (s square) inverse() square {
	l := s.cholesky()
	out := newSquare(s.n)
	col := make([]float64, s.n)
	for j := range s.n {
		clear(col)
		col[j] = 1
		l.solve(col)
		for i, v := range col {
			out.data[i*s.n+j] = v
		}
	}
	return out
}

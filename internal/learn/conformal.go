package learn

import (
	"math"
	"slices"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/nn"
)

// calibration turns an ensemble's own uncertainty into intervals that hold
// (split conformal prediction: Vovk et al. 2005; with residuals normalised by
// the predicted deviation: Lei et al. 2018). Scores are those of rows that
// neither the optimiser nor early stopping saw: |y − mean|/sd of a regression,
// 1 − the probability of the true class otherwise (Sadinle et al. 2019). The
// interval for a new row at level α takes the ⌈(n+1)α⌉-th smallest, and then
// covers with probability at least α if the row is exchangeable with them. Where nothing may
// be told of fewer than some rows, scores are known by means of runs, and that is
// approximate: [shaped].
type calibration struct {
	Scores []float64 `json:"scores"` // ascending
	Rows   int       `json:"rows"`   // that they stand for
}

const maxScores = 1000

func newCalibration(scores []float64, least int) calibration {
	slices.Sort(scores)
	return calibration{Scores: thin(shaped(scores, least), maxScores), Rows: len(scores)}
}

// radius returns the score that a new row exceeds with probability 1−level at
// most. Without any held-back row it is the normal quantile.
func (c calibration) radius(level float64) float64 {
	if len(c.Scores) == 0 {
		return normalQuantile(0.5 + level/2)
	}
	return upper(c.Scores, level)
}

// nonconformity returns how badly estimate fits the true value y (a class is
// its number).
func (t *target) nonconformity(estimate []float64, y float64) float64 {
	if t.Task == nn.Regression {
		return math.Abs(y-estimate[0]) / max(estimate[1], 1e-12)
	}
	return 1 - estimate[int(y)]
}

// decode turns what the net was to predict back into the target's unit.
func (t *target) decode(y float32) float64 {
	if t.Task == nn.Regression {
		return float64(y)*t.Scale + t.Center
	}
	return float64(y)
}

// calibrate fits intervals and the OOD check on the held-back rows.
func (m *Model) calibrate(t *task, opt Options) error {
	est := m.estimate(t.rows(t.calibration), opt.Threads)
	for k, target := range t.targets {
		var scores []float64
		for n, r := range t.calibration {
			if y := t.y.Row(r)[k]; y == y {
				scores = append(scores, target.nonconformity(est.row(k, n, target.outcomes()), target.decode(y)))
			}
		}
		m.calibrations = append(m.calibrations, newCalibration(scores, opt.Least))
	}
	m.ood = fitOOD(m, t, est, opt.Least)
	return nil
}

// rows returns a copy of the encoded rows.
func (t *task) rows(rows []int) nn.Matrix {
	x := nn.NewMatrix(len(rows), t.x.Cols)
	for k, r := range rows {
		copy(x.Row(k), t.x.Row(r))
	}
	return x
}

// coverage counts how often the truth of held-out rows lay inside.
func (m *Model) coverage(t *task, k int, rows []int, est *estimate, level float64) *genesis.Coverage {
	target := t.targets[k]
	radius := m.calibrations[k].radius(level)
	c := &genesis.Coverage{Nominal: level}
	for n, r := range rows {
		y := t.y.Row(r)[k]
		if y != y {
			continue
		}
		e := est.row(k, n, target.outcomes())
		c.Rows++
		held, size := target.holds(e, target.decode(y), radius)
		c.Actual += float64(indicator(held))
		c.Width += size
	}
	if c.Rows == 0 {
		return nil
	}
	c.Actual /= float64(c.Rows)
	c.Width /= float64(c.Rows)
	return c
}

// holds reports whether the interval or set of classes holds y, and how wide the
// interval is or how many classes the set has.
func (t *target) holds(e []float64, y, radius float64) (bool, float64) {
	if t.Task == nn.Regression {
		return t.nonconformity(e, y) <= radius, 2 * radius * e[1]
	}
	set := classSet(e, radius)
	return slices.Contains(set, int(y)), float64(len(set))
}

// classSet returns the classes with probability at least 1 − radius, and the most
// probable one in any case. Without it the sets of a good classifier are empty where
// it is less sure than usual: 1 − radius lies above its probability. It can only
// raise the coverage.
func classSet(p []float64, radius float64) []int {
	var set []int
	top := most(p)
	for j, x := range p {
		if 1-x <= radius || j == top {
			set = append(set, j)
		}
	}
	return set
}

// most returns the first place of the greatest number.
func most(p []float64) int {
	best := 0
	for j, x := range p {
		if x > p[best] {
			best = j
		}
	}
	return best
}

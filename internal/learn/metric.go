package learn

import (
	"math"
	"slices"

	"github.com/opengenesis/genesis/internal/nn"
)

// Names of predictors and metrics in a report.
const (
	byNet     = "net"
	byTrivial = "trivial"
	byRidge   = "ridge"
	byForest  = "forest"

	metricRMSE     = "rmse"
	metricMAE      = "mae"
	metricR2       = "r2"
	metricNLL      = "nll"
	metricAccuracy = "accuracy"
	metricAUC      = "auc"
	metricLogLoss  = "log_loss"
)

// prediction is what a predictor says about one row: the mean and, if SD > 0,
// the deviation of a regression, or class probabilities.
type prediction struct {
	mean, sd float64
	p        []float64
}

// measure compares predictions of rows with their true values; rows without a
// truth (NaN) do not count.
func (t *target) measure(truth []float64, at func(i int) prediction) map[string]float64 {
	if t.Task == nn.Regression {
		return measureNumbers(truth, at)
	}
	return measureClasses(truth, at, len(t.Classes))
}

func measureNumbers(truth []float64, at func(int) prediction) map[string]float64 {
	var n, mean, square, absolute, nll float64
	withSD := true
	for i, y := range truth {
		if y != y {
			continue
		}
		p := at(i)
		n++
		d := y - p.mean
		mean += (y - mean) / n
		square += d * d
		absolute += math.Abs(d)
		if p.sd <= 0 {
			withSD = false
			continue
		}
		nll += 0.5*d*d/(p.sd*p.sd) + math.Log(p.sd) + 0.5*math.Log(2*math.Pi)
	}
	if n == 0 {
		return nil
	}
	spread := 0.0
	for _, y := range truth {
		if y == y {
			spread += (y - mean) * (y - mean)
		}
	}
	s := map[string]float64{metricRMSE: math.Sqrt(square / n), metricMAE: absolute / n}
	if spread > 0 {
		s[metricR2] = 1 - square/spread
	}
	if withSD {
		s[metricNLL] = nll / n
	}
	for k, v := range s {
		if !finite(v) {
			delete(s, k)
		}
	}
	return s
}

func measureClasses(truth []float64, at func(int) prediction, classes int) map[string]float64 {
	var n, right, loss float64
	var scores []ranked
	for i, y := range truth {
		if y != y {
			continue
		}
		p := at(i).p
		n++
		if most(p) == int(y) {
			right++
		}
		loss -= math.Log(max(p[int(y)], 1e-6))
		if classes == 2 {
			scores = append(scores, ranked{p[1], y == 1})
		}
	}
	if n == 0 {
		return nil
	}
	s := map[string]float64{metricAccuracy: right / n, metricLogLoss: loss / n}
	if a, ok := auc(scores); ok {
		s[metricAUC] = a
	}
	return s
}

type ranked struct {
	score    float64
	positive bool
}

// auc is the probability that a positive row scores higher than a negative one
// (Mann–Whitney), ties counting one half.
func auc(rows []ranked) (float64, bool) {
	slices.SortFunc(rows, func(a, b ranked) int {
		if a.score < b.score {
			return -1
		}
		if a.score > b.score {
			return 1
		}
		return 0
	})
	var positives, sum float64
	for i := 0; i < len(rows); {
		j := i
		tied := 0.0
		for ; j < len(rows) && rows[j].score == rows[i].score; j++ {
			if rows[j].positive {
				tied++
			}
		}
		positives += tied
		sum += tied * (float64(i+1+j) / 2) // mean rank of the tie
		i = j
	}
	negatives := float64(len(rows)) - positives
	if positives == 0 || negatives == 0 {
		return 0, false
	}
	return (sum - positives*(positives+1)/2) / (positives * negatives), true
}

// headline is the metric by which predictors are compared; less is better.
func (t *target) headline() string {
	if t.Task == nn.Regression {
		return metricRMSE
	}
	return metricLogLoss
}

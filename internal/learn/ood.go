package learn

import (
	"math"
	"slices"

	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/nn"
)

// ood flags rows unlike those learned from. A row's score is the greatest of
// several signs, each scaled so that about 1 is unusual:
//
//   - a number beyond the training range, in twentieths of that range;
//   - the Mahalanobis distance of the encoded features;
//   - the greatest deviation of a feature from what the others predict for it
//     linearly (which the precision matrix holds);
//   - the disagreement of the ensemble's members.
//
// It is divided by Threshold, which 1.5 % of the held-back rows exceed; a row is
// flagged above 1. A value, word or gap that training rows never had, in a
// column where new ones are rare (stat.go), counts 2 after that division.
// Nothing about single training rows is stored.
type ood struct {
	Mean      []float64 `json:"mean,omitempty"`
	Precision []float64 `json:"precision,omitempty"` // row-major
	Distance  float64   `json:"distance"`            // 99.5 % quantiles of training rows
	Residual  float64   `json:"residual"`
	Doubt     float64   `json:"doubt"` // of held-back rows
	Threshold float64   `json:"threshold"`
}

const (
	oodColumns  = 160 // dense columns up to which correlations are looked at
	oodRows     = 20_000
	oodShare    = 0.015 // of held-back rows flagged
	neverSeen   = 2.0
	mostStrange = 1e6
)

// fitOOD learns what is usual from the fit rows and sets the threshold on the
// held-back rows, of which est holds the estimates.
func fitOOD(m *Model, t *task, est *estimate) *ood {
	o := &ood{Distance: 1, Residual: 1, Doubt: 1, Threshold: 1}
	o.fitShape(t)
	if len(t.calibration) == 0 {
		return o
	}
	doubts := slices.Clone(est.doubt)
	slices.Sort(doubts)
	o.Doubt = max(quantile(doubts, 0.995), 1e-9)
	scores := make([]float64, len(t.calibration))
	for n, r := range t.calibration {
		scores[n], _ = o.signs(m.pipe, t.vectors, t.raw[r], t.x.Row(r), est.doubt[n])
	}
	slices.Sort(scores)
	o.Threshold = min(max(upper(scores, 1-oodShare), 0.5), 1e6)
	return o
}

// fitShape learns mean and precision of the dense columns.
func (o *ood) fitShape(t *task) {
	d := t.pipe.dense()
	if d == 0 || d > oodColumns {
		return
	}
	rows := t.fitRows
	if len(rows) > oodRows {
		rows = slices.Clone(rows)
		nn.NewRand(t.seed, 8).Shuffle(rows)
		rows = rows[:oodRows]
	}
	o.Mean = make([]float64, d)
	for _, r := range rows {
		for j, v := range t.x.Row(r)[:d] {
			o.Mean[j] += float64(v) / float64(len(rows))
		}
	}
	cov := newSquare(d)
	z := make([]float64, d)
	for _, r := range rows {
		for j, v := range t.x.Row(r)[:d] {
			z[j] = float64(v) - o.Mean[j]
		}
		cov.addOuter(z, 1/float64(len(rows)))
	}
	for j := range d {
		cov.data[j*d+j] += 0.01*cov.data[j*d+j] + 1e-4
	}
	o.Precision = cov.inverse().data
	var distances, residuals []float64
	for _, r := range rows {
		a, b := o.shape(t.x.Row(r)[:d])
		distances, residuals = append(distances, a), append(residuals, b)
	}
	slices.Sort(distances)
	slices.Sort(residuals)
	o.Distance = max(quantile(distances, 0.995), 1e-9)
	o.Residual = max(quantile(residuals, 0.995), 1e-9)
}

// shape returns the Mahalanobis distance and the greatest conditional residual
// of encoded features.
func (o *ood) shape(x []float32) (distance, residual float64) {
	d := len(o.Mean)
	for j := range d {
		row := o.Precision[j*d : (j+1)*d]
		v := 0.0
		for k, p := range row {
			v += p * (float64(x[k]) - o.Mean[k])
		}
		distance += v * (float64(x[j]) - o.Mean[j])
		residual = max(residual, math.Abs(v)/math.Sqrt(row[j]))
	}
	return math.Sqrt(max(distance, 0)), residual
}

// score returns how unusual row i of the vectors is, flagged above 1; x holds
// its encoded features.
func (o *ood) score(p *pipeline, vectors []*format.Vector, i int, x []float32, doubt float64) float64 {
	s, novel := o.signs(p, vectors, i, x, doubt)
	return o.total(s, novel)
}

// total scales the greatest sign and adds that of something never seen.
func (o *ood) total(sign float64, novel bool) float64 {
	s := sign / o.Threshold
	if novel {
		s = max(s, neverSeen)
	}
	return min(s, mostStrange)
}

// signs returns the greatest graded sign of row i, and whether it has something
// that training rows never had.
func (o *ood) signs(p *pipeline, vectors []*format.Vector, i int, x []float32, doubt float64) (s float64, novel bool) {
	s = max(doubt/o.Doubt, o.shapeScore(x))
	for k, f := range p.Features {
		beyond, unseen := f.strangeness(vectors[k], i)
		s, novel = max(s, beyond), novel || unseen
	}
	return s, novel
}

func (o *ood) shapeScore(x []float32) float64 {
	if o.Precision == nil {
		return 0
	}
	distance, residual := o.shape(x)
	return max(distance/o.Distance, residual/o.Residual)
}

// strangeness returns how far value i lies beyond the training range, and
// whether it is of a kind that training rows never had.
func (f *feature) strangeness(v *format.Vector, i int) (beyond float64, unseen bool) {
	switch f.Kind {
	case kindNumber, kindBoolean:
		if x, ok := number(v, i); ok {
			return f.strangeNumber(x)
		}
		return 0, !f.Missing
	case kindCategory:
		code := f.code(v, i)
		return 0, code == codeMissing && !f.Missing || code == codeUnknown && f.Closed
	case kindFormula:
		return 0, f.strangeFormula(v, i)
	}
	return 0, !f.Missing && (v == nil || v.Null(i))
}

func (f *feature) strangeNumber(x float64) (beyond float64, unseen bool) {
	width := (f.High - f.Low) / 20
	if width <= 0 {
		width = max(math.Abs(f.High), 1) / 20
	}
	return min(max(f.Low-x, x-f.High, 0)/width, mostStrange), f.Values != nil && !has(f.Values, x)
}

// strangeFormula reports elements that training formulas did not have.
func (f *feature) strangeFormula(v *format.Vector, i int) bool {
	s, _ := label(v, i)
	c, ok := parseFormula(s)
	if !ok {
		return !f.Missing
	}
	for z := range c {
		if _, found := slices.BinarySearch(f.Elements, z); !found {
			return true
		}
	}
	return false
}

package learn

import (
	"math"
	"slices"

	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/nn"
)

// ood flags rows unlike those learned from. A row's score is the greatest of
// several signs:
//
//   - a number beyond the training range, in fiftieths of that range;
//   - the Mahalanobis distance of the encoded features;
//   - the greatest deviation of a feature from what the others predict for it
//     linearly (which the precision matrix holds);
//   - the disagreement of the ensemble's members.
//
// The first is divided by Range, which 1 % of the held-back rows exceed, the
// others by their usual size and then by Threshold, which 2 % exceed; a row is
// flagged above 1. A value, word or gap that training rows never had, in a
// column where new ones are rare (stat.go), counts 2.
// Nothing about single training rows is stored.
type ood struct {
	Mean      []float64 `json:"mean,omitempty"`
	Precision []float64 `json:"precision,omitempty"` // row-major
	Distance  float64   `json:"distance"`            // 99.5 % quantiles of training rows
	Residual  float64   `json:"residual"`
	Doubt     float64   `json:"doubt"` // of held-back rows
	Threshold float64   `json:"threshold"`
	Range     float64   `json:"range"`
}

const (
	oodColumns  = 160 // dense columns up to which correlations are looked at
	oodRows     = 20_000
	oodShare    = 0.02 // of held-back rows flagged for shape or doubt
	rangeShare  = 0.01 // and for values beyond the training range
	neverSeen   = 2.0
	mostStrange = 1e6
)

// fitOOD learns what is usual from the fit rows and sets the threshold on the
// held-back rows, of which est holds the estimates.
func fitOOD(m *Model, t *task, est *estimate) *ood {
	o := &ood{Distance: 1, Residual: 1, Doubt: 1, Threshold: 1, Range: 1}
	o.fitShape(t)
	if len(t.calibration) == 0 {
		return o
	}
	doubts := slices.Clone(est.doubt)
	slices.Sort(doubts)
	o.Doubt = max(quantile(doubts, 0.995), 1e-9)
	scores, beyond := make([]float64, len(t.calibration)), make([]float64, len(t.calibration))
	for n, r := range t.calibration {
		scores[n] = max(est.doubt[n]/o.Doubt, o.shapeScore(t.x.Row(r)))
		beyond[n], _ = m.pipe.strangeness(t.vectors, t.raw[r])
	}
	slices.Sort(scores)
	slices.Sort(beyond)
	o.Threshold = min(max(upper(scores, 1-oodShare), 0.5), mostStrange)
	o.Range = max(upper(beyond, 1-rangeShare), 1)
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
	beyond, unseen := p.strangeness(vectors, i)
	return o.total(max(doubt/o.Doubt, o.shapeScore(x)), beyond, unseen)
}

// total brings the signs to one scale and returns the greatest.
func (o *ood) total(sign, beyond float64, unseen bool) float64 {
	s := max(sign/o.Threshold, beyond/o.Range)
	if unseen {
		s = max(s, neverSeen)
	}
	return min(s, mostStrange)
}

// strangeness returns the greatest distance of row i beyond the training
// ranges, and whether it has something that training rows never had.
func (p *pipeline) strangeness(vectors []*format.Vector, i int) (beyond float64, unseen bool) {
	for k, f := range p.Features {
		b, u := f.strangeness(vectors[k], i)
		beyond, unseen = max(beyond, b), unseen || u
	}
	return beyond, unseen
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
	width := (f.High - f.Low) / 50
	if width <= 0 {
		width = max(math.Abs(f.High), 1) / 50
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

package learn

import (
	"math"
	"slices"
	"sort"

	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/nn"
)

// ood flags rows unlike those learned from. A row's score is the greatest of
// several signs:
//
//   - a number beyond the training range, in fiftieths of that range;
//   - the shape of the row (shape.go): of the encoded features, and of the
//     logarithms of positive numbers, in which a wrong unit is a plain shift;
//   - the disagreement of the ensemble's members.
//
// The first is divided by Range, which 1 % of the held-back rows exceed, the
// others by their usual size and then by Threshold, which 2 % exceed; a row is
// flagged above 1. A value, word or gap that training rows never had, in a
// column where new ones are rare (stat.go), counts 2.
// Nothing about single training rows is stored.
type ood struct {
	Plain     shape   `json:"plain"`
	Logs      shape   `json:"logs"`
	Doubt     float64 `json:"doubt"` // 99.5 % quantile of held-back rows
	Threshold float64 `json:"threshold"`
	Range     float64 `json:"range"`
}

const (
	oodColumns  = 160 // columns up to which correlations are looked at
	oodRows     = 20_000
	oodShare    = 0.02 // of held-back rows flagged for shape or doubt
	rangeShare  = 0.01 // and for values beyond the training range
	neverSeen   = 2.0
	mostStrange = 1e6
)

// fitOOD learns what is usual from the fit rows and sets the threshold on the
// held-back rows, of which est holds the estimates.
func fitOOD(m *Model, t *task, est *estimate, least int) *ood {
	o := &ood{Doubt: 1, Threshold: 1, Range: 1}
	o.fitShapes(t, least)
	if !some(len(t.calibration), least) {
		return o
	}
	doubts := slices.Clone(est.doubt)
	slices.Sort(doubts)
	o.Doubt = max(quantile(shaped(doubts, least), 0.995), 1e-9)
	scores, beyond := make([]float64, len(t.calibration)), make([]float64, len(t.calibration))
	look := m.pipe.look()
	for n, r := range t.calibration {
		look.at(t.vectors, t.raw[r], t.x.Row(r))
		scores[n] = max(est.doubt[n]/o.Doubt, o.shapeScore(look))
		beyond[n], _ = m.pipe.strangeness(t.vectors, t.raw[r])
	}
	slices.Sort(scores)
	slices.Sort(beyond)
	o.Threshold = min(max(upper(shaped(scores, least), 1-oodShare), 0.5), mostStrange)
	o.Range = max(upper(shaped(beyond, least), 1-rangeShare), 1)
	return o
}

func (o *ood) fitShapes(t *task, least int) {
	rows := t.fitRows
	if len(rows) > oodRows {
		rows = slices.Clone(rows)
		nn.NewRand(t.seed, 8).Shuffle(rows)
		rows = rows[:oodRows]
	}
	o.Plain = fitShape(len(rows), t.pipe.dense(), least, func(k int, z []float64) {
		widen(t.x.Row(rows[k]), z)
	})
	o.Logs = fitShape(len(rows), t.pipe.logWidth(), least, func(k int, z []float64) {
		t.pipe.logs(t.vectors, t.raw[rows[k]], z)
	})
}

// look is a row as the shapes see it.
type look struct {
	pipe        *pipeline
	plain, logs []float64
}

func (p *pipeline) look() *look {
	return &look{p, make([]float64, p.dense()), make([]float64, p.logWidth())}
}

// at looks at row i of the vectors, whose encoded features are x.
func (l *look) at(vectors []*format.Vector, i int, x []float32) {
	widen(x, l.plain)
	l.pipe.logs(vectors, i, l.logs)
}

// widen writes the first numbers of x to z.
func widen(x []float32, z []float64) {
	for j := range z {
		z[j] = float64(x[j])
	}
}

// logWidth returns the number of features that are looked at in logarithms.
func (p *pipeline) logWidth() int {
	n := 0
	for _, f := range p.Features {
		if f.Floor > 0 {
			n++
		}
	}
	return n
}

// logs writes the logarithms of row i's positive numbers, NaN where one is
// missing.
func (p *pipeline) logs(vectors []*format.Vector, i int, z []float64) {
	n := 0
	for k, f := range p.Features {
		if f.Floor > 0 {
			z[n] = f.logOf(vectors[k], i)
			n++
		}
	}
}

func (f *feature) logOf(v *format.Vector, i int) float64 {
	x, ok := number(v, i)
	if !ok {
		return math.NaN()
	}
	return f.log(x)
}

// log is bounded: below by Floor, because small numbers are noisy in
// logarithms; above a little beyond the training range, which is watched by
// itself.
func (f *feature) log(x float64) float64 {
	return math.Log(min(max(x, f.Floor), (1+clipBeyond)*f.High))
}

// floorShare of the positive numbers lie below Floor: zeros count as Floor, and
// so do not lie far from what is small.
const floorShare = 0.1

// fitFloor chooses from where on sorted xs are looked at in logarithms: none
// when some are negative.
func (f *feature) fitFloor(xs []float64, least int) {
	if f.Low < 0 || f.High <= 0 || f.High > math.MaxFloat64/2 {
		return
	}
	positive := xs[sort.SearchFloat64s(xs, math.SmallestNonzeroFloat64):]
	f.Floor = quantile(shared(positive, least), floorShare)
}

// score returns how unusual row i of the vectors is, flagged above 1; x holds
// its encoded features, and look is memory for it.
func (o *ood) score(l *look, vectors []*format.Vector, i int, x []float32, doubt float64) float64 {
	beyond, unseen := l.pipe.strangeness(vectors, i)
	l.at(vectors, i, x)
	return o.total(max(doubt/o.Doubt, o.shapeScore(l)), beyond, unseen)
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

// shapeScore overwrites l.
func (o *ood) shapeScore(l *look) float64 {
	return max(o.Plain.score(l.plain), o.Logs.score(l.logs))
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

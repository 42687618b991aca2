package learn

import (
	"context"
	"math"

	"github.com/opengenesis/genesis/internal/nn"
)

// A reference predicts encoded rows; one for each target.
type reference interface {
	predict(row int) prediction
}

// references trains the predictors a net is compared with, for target k.
func (t *task) references(ctx context.Context, k int, p pool) (map[string]reference, error) {
	rows := t.withTruth(t.fitRows, k)
	refs := map[string]reference{byTrivial: t.trivial(rows, k)}
	if r := t.ridge(rows, k); r != nil {
		refs[byRidge] = r
	}
	f, err := t.forest(ctx, rows, k, p)
	if err != nil {
		return nil, err
	}
	refs[byForest] = f
	return refs, nil
}

func (t *task) withTruth(rows []int, k int) []int {
	var out []int
	for _, r := range rows {
		if y := t.y.Row(r)[k]; y == y {
			out = append(out, r)
		}
	}
	return out
}

// constant predicts the mean or the shares of the classes.
type constant struct{ prediction }

func (c constant) predict(int) prediction { return c.prediction }

func (t *task) trivial(rows []int, k int) constant {
	target := t.targets[k]
	if target.Task == nn.Regression {
		var ys []float64
		for _, r := range rows {
			ys = append(ys, target.decode(t.y.Row(r)[k]))
		}
		mean, sd := meanSD(ys)
		return constant{prediction{mean: mean, sd: sd}}
	}
	p := make([]float64, len(target.Classes))
	for _, r := range rows {
		p[int(t.y.Row(r)[k])] += 1 / float64(len(rows))
	}
	return constant{prediction{p: p}}
}

// wants returns what a least-squares predictor of target k is to hit for row r:
// the standardised value, or one number per class.
func (t *task) wants(k, r int, into []float64) {
	y := t.y.Row(r)[k]
	if t.targets[k].Task == nn.Regression {
		into[0] = float64(y)
		return
	}
	clear(into)
	into[int(y)] = 1
}

func (t *task) wantWidth(k int) int {
	if t.targets[k].Task == nn.Regression {
		return 1
	}
	return len(t.targets[k].Classes)
}

// said turns least-squares outputs into a prediction; class scores are made
// positive and scaled to sum to one.
func (t *target) said(out []float64) prediction {
	if t.Task == nn.Regression {
		return prediction{mean: out[0]*t.Scale + t.Center}
	}
	p := make([]float64, len(out))
	sum := 0.0
	for j, v := range out {
		p[j] = max(v, 1e-3)
		sum += p[j]
	}
	for j := range p {
		p[j] /= sum
	}
	return prediction{p: p}
}

// linear is ridge regression on the dense features and one column per word of
// the categories.
type linear struct {
	t       *task
	k       int
	mean    []float64
	weights [][]float64 // per output
	bias    []float64
}

const (
	maxRidge     = 400
	maxRidgeRows = 50_000
)

// wide writes the dense features and the words' columns of row r.
func (t *task) wide(r int, out []float64) {
	clear(out)
	dense := t.pipe.dense()
	row := t.x.Row(r)
	for j, v := range row[:dense] {
		out[j] = float64(v)
	}
	at := dense
	for c, size := range t.pipe.categories() {
		out[at+int(row[dense+c])] = 1
		at += size
	}
}

func (t *task) wideWidth() int {
	n := t.pipe.dense()
	for _, size := range t.pipe.categories() {
		n += size
	}
	return n
}

// ridge solves the normal equations for several penalties, and keeps the one
// with the least error on a tenth of the rows. Nil when there are too many
// columns.
func (t *task) ridge(rows []int, k int) *linear {
	d, width := t.wideWidth(), t.wantWidth(k)
	if d > maxRidge || width > 50 || len(rows) < 10 {
		return nil
	}
	rows = rows[:min(len(rows), maxRidgeRows)]
	var learn, check []int
	for _, r := range rows {
		if t.fold[r]%10 == 9 {
			check = append(check, r)
		} else {
			learn = append(learn, r)
		}
	}
	best, bestError := 1.0, math.Inf(1)
	n := t.normal(learn, k, d, width)
	for _, penalty := range []float64{1e-4, 1e-2, 1, 100} {
		if e := n.solve(penalty).squaredError(check); e < bestError {
			best, bestError = penalty, e
		}
	}
	return t.normal(rows, k, d, width).solve(best)
}

// normal holds the normal equations of a least-squares problem.
type normal struct {
	t     *task
	k     int
	gram  square
	right [][]float64
	mean  []float64
	goal  []float64
}

func (t *task) normal(rows []int, k, d, width int) *normal {
	n := &normal{t: t, k: k, gram: newSquare(d), mean: make([]float64, d), goal: make([]float64, width)}
	z, want := make([]float64, d), make([]float64, width)
	share := 1 / float64(max(len(rows), 1))
	for _, r := range rows {
		t.wide(r, z)
		t.wants(k, r, want)
		for j, v := range z {
			n.mean[j] += share * v
		}
		for j, v := range want {
			n.goal[j] += share * v
		}
	}
	n.right = make([][]float64, width)
	for j := range n.right {
		n.right[j] = make([]float64, d)
	}
	for _, r := range rows {
		t.wide(r, z)
		t.wants(k, r, want)
		for j := range z {
			z[j] -= n.mean[j]
		}
		n.gram.addOuter(z, 1)
		for o, v := range want {
			for j, x := range z {
				n.right[o][j] += x * (v - n.goal[o])
			}
		}
	}
	return n
}

func (n *normal) solve(penalty float64) *linear {
	d := n.gram.n
	g := newSquare(d)
	copy(g.data, n.gram.data)
	for j := range d {
		g.data[j*d+j] += penalty
	}
	l := g.cholesky()
	out := &linear{t: n.t, k: n.k, mean: n.mean, bias: n.goal}
	for _, right := range n.right {
		w := append([]float64(nil), right...)
		l.solve(w)
		out.weights = append(out.weights, w)
	}
	return out
}

func (l *linear) raw(r int) []float64 {
	z := make([]float64, len(l.mean))
	l.t.wide(r, z)
	out := append([]float64(nil), l.bias...)
	for o, w := range l.weights {
		for j, v := range z {
			out[o] += w[j] * (v - l.mean[j])
		}
	}
	return out
}

func (l *linear) predict(r int) prediction { return l.t.targets[l.k].said(l.raw(r)) }

func (l *linear) squaredError(rows []int) float64 {
	want := make([]float64, len(l.bias))
	sum := 0.0
	for _, r := range rows {
		l.t.wants(l.k, r, want)
		for o, v := range l.raw(r) {
			sum += (v - want[o]) * (v - want[o])
		}
	}
	return sum
}

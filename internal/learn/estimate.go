package learn

import (
	"math"

	"github.com/opengenesis/genesis/internal/nn"
)

// estimate is what the ensemble says about some rows: per target Width numbers
// a row: mean and standard deviation of a regression, in the target's unit, or
// the probabilities of the classes.
type estimate struct {
	targets [][]float64
	// doubt is how much the members disagree, relative to the noise they
	// themselves expect; the greatest over the targets.
	doubt []float64
}

// outcomes returns how many numbers an estimate of t has.
func (t *target) outcomes() int {
	if t.Task == nn.Regression {
		return 2
	}
	return len(t.Classes)
}

// row returns target k's numbers of row r.
func (e *estimate) row(k, r, width int) []float64 { return e.targets[k][r*width : (r+1)*width] }

const predictChunk = 256

// estimate runs the ensemble on encoded rows.
func (m *Model) estimate(x nn.Matrix, threads int) *estimate {
	e := &estimate{doubt: make([]float64, x.Rows)}
	for _, t := range m.targets {
		e.targets = append(e.targets, make([]float64, x.Rows*t.outcomes()))
	}
	hs := heads(m.targets, 0)
	p := newPool(threads)
	chunks := (x.Rows + predictChunk - 1) / predictChunk
	workers := min(threads, chunks)
	if workers == 0 {
		return e
	}
	p.each(workers, func(w int) {
		spaces := make([]*nn.Workspace, len(m.params))
		for k := range spaces {
			spaces[k] = m.net.Workspace()
		}
		for c := w; c < chunks; c += workers {
			from, to := c*predictChunk, min((c+1)*predictChunk, x.Rows)
			m.estimateChunk(e, hs, spaces, x.Slice(from, to), from)
		}
	})
	return e
}

func (m *Model) estimateChunk(e *estimate, hs []nn.Head, spaces []*nn.Workspace, x nn.Matrix, first int) {
	outs := make([]nn.Matrix, len(spaces))
	for k, s := range spaces {
		outs[k] = s.Forward(m.params[k], x, false, 0, 0)
	}
	for r := range x.Rows {
		for k, t := range m.targets {
			into := e.row(k, first+r, t.outcomes())
			var doubt float64
			if t.Task == nn.Regression {
				doubt = t.mixNormals(outs, hs[k].At, r, into)
			} else {
				doubt = mixClasses(outs, hs[k], r, into)
			}
			e.doubt[first+r] = max(e.doubt[first+r], doubt)
		}
	}
}

// mixNormals writes mean and deviation of the equal mixture of the members'
// normal distributions (Lakshminarayanan et al. 2017), in the target's unit.
func (t *target) mixNormals(outs []nn.Matrix, at, r int, into []float64) (doubt float64) {
	n := float64(len(outs))
	var mean, square, noise float64
	for _, o := range outs {
		mu := float64(o.Row(r)[at])
		mean += mu / n
		square += mu * mu / n
		noise += float64(nn.Variance(o.Row(r)[at+1])) / n
	}
	spread := max(square-mean*mean, 0)
	into[0] = t.Center + t.Scale*mean
	into[1] = t.Scale * math.Sqrt(noise+spread)
	return math.Sqrt(spread)
}

// mixClasses writes the mean of the members' probabilities.
func mixClasses(outs []nn.Matrix, h nn.Head, r int, into []float64) (doubt float64) {
	n := float64(len(outs))
	p := make([]float32, len(into))
	square := 0.0
	for _, o := range outs {
		row := o.Row(r)[h.At : h.At+h.Width()]
		if h.Task == nn.Binary {
			p[1] = nn.Probability(row[0])
			p[0] = 1 - p[1]
		} else {
			nn.Softmax(row, p)
		}
		for j, v := range p {
			into[j] += float64(v) / n
			square += float64(v) * float64(v) / n
		}
	}
	for _, v := range into {
		square -= v * v
	}
	return math.Sqrt(max(square, 0))
}

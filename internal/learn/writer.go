package learn

import (
	"strconv"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/nn"
)

// writer fills the columns of Outputs row by row.
type writer struct {
	m      *Model
	radius []float64 // per target
	cols   []format.Vector
	col    int
}

func newWriter(m *Model, rows int, level float64) *writer {
	w := &writer{m: m}
	for _, c := range m.calibrations {
		w.radius = append(w.radius, c.radius(level))
	}
	for _, c := range m.Outputs() {
		v := format.Vector{Kind: kindOf(c.Type)}
		switch v.Kind {
		case format.Float:
			v.Floats = make([]float64, 0, rows)
		case format.Text:
			v.Spans = make([]format.Span, 0, rows)
		default:
			v.Ints = make([]int64, 0, rows)
		}
		w.cols = append(w.cols, v)
	}
	return w
}

func kindOf(t genesis.Type) format.Kind {
	switch t {
	case genesis.Float:
		return format.Float
	case genesis.Boolean:
		return format.Bool
	case genesis.Integer:
		return format.Int
	}
	return format.Text
}

func (w *writer) add(est *estimate, r int, score float64) {
	w.col = 0
	for k, t := range w.m.targets {
		e := est.row(k, r, t.outcomes())
		if t.Task == nn.Regression {
			half := w.radius[k] * e[1]
			for _, x := range []float64{e[0], e[0] - half, e[0] + half, e[1]} {
				w.float(x)
			}
			continue
		}
		w.classes(t, e, w.radius[k])
	}
	w.integer(int64(indicator(score > 1)))
	w.float(score)
}

func (w *writer) classes(t *target, p []float64, radius float64) {
	var set []string
	for _, j := range classSet(p, radius) {
		set = append(set, t.Classes[j])
	}
	switch class := t.Classes[most(p)]; t.labelType() {
	case genesis.Boolean:
		w.integer(int64(indicator(class == "true")))
	case genesis.Integer:
		n, _ := strconv.ParseInt(class, 10, 64)
		w.integer(n)
	default:
		w.text(class)
	}
	for _, x := range p {
		w.float(x)
	}
	w.text(strings.Join(set, "|"))
}

func (w *writer) float(x float64) {
	v := &w.cols[w.col]
	v.Floats = append(v.Floats, x)
	w.col++
}

func (w *writer) integer(x int64) {
	v := &w.cols[w.col]
	v.Ints = append(v.Ints, x)
	w.col++
}

func (w *writer) text(s string) {
	v := &w.cols[w.col]
	start := uint32(len(v.Buf))
	v.Buf = append(v.Buf, s...)
	v.Spans = append(v.Spans, format.Span{Start: start, End: uint32(len(v.Buf))})
	w.col++
}

func (w *writer) batch(b *format.Batch) *format.Batch {
	return &format.Batch{Table: b.Table, Rows: b.Rows, First: b.First, Cols: w.cols, Lines: b.Lines}
}

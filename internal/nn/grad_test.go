package nn

import (
	"math"
	"testing"
)

// checkGradient compares the gradient of loss at p with central differences,
// parameter by parameter.
func checkGradient(t *testing.T, what string, p, grad []float32, loss func() float64) {
	t.Helper()
	const h = 4e-3
	scale := 0.0
	for _, g := range grad {
		scale = max(scale, math.Abs(float64(g)))
	}
	if scale == 0 {
		t.Fatalf("%s: the gradient is zero everywhere", what)
	}
	for i := range p {
		old := p[i]
		p[i] = old + h
		up := loss()
		p[i] = old - h
		down := loss()
		p[i] = old
		want, got := (up-down)/(2*h), float64(grad[i])
		if math.Abs(want-got) > 1e-2*scale {
			t.Errorf("%s: element %d: gradient %g, by differences %g", what, i, got, want)
		}
	}
}

// dot is a loss with a known gradient: Σ r·y with fixed random r.
func dot(y, r Matrix) float64 {
	sum := 0.0
	for i, v := range y.Data {
		sum += float64(v) * float64(r.Data[i])
	}
	return sum
}

func TestLayerGradients(t *testing.T) {
	embed := Embed{Dense: 3, Periodic: []int{0, 2}, Frequencies: 3, Width: 4, Sigma: 0.3,
		Categories: []Category{{3, 2}, {2, 3}}}
	for name, l := range map[string]Layer{
		"linear": Linear{5, 7, 1}, "relu": ReLU{}, "silu": SiLU{}, "gelu": GELU{},
		"dropout": Dropout{P: 0.4}, "embed": embed, "layernorm": LayerNorm{5},
	} {
		t.Run(name, func(t *testing.T) {
			r := NewRand(7)
			x := random(r, 6, 5)
			if e, ok := l.(Embed); ok {
				for i := range x.Rows {
					x.Row(i)[3] = float32(r.Intn(e.Categories[0].Size))
					x.Row(i)[4] = float32(r.Intn(e.Categories[1].Size))
				}
			}
			net := New(5, l)
			p := net.Init(r)
			for i := range p {
				p[i] += float32(0.1 * r.Normal())
			}
			y, weights := NewMatrix(6, l.Out(5)), random(r, 6, l.Out(5))
			pass := &Pass{Train: true, Key: 3}
			loss := func() float64 { l.Forward(pass, p, x, y); return dot(y, weights) }
			loss()
			g, dx := make([]float32, len(p)), NewMatrix(6, 5)
			dy := NewMatrix(6, l.Out(5))
			copy(dy.Data, weights.Data)
			l.Backward(pass, p, g, x, y, dy, dx)
			if len(p) > 0 {
				checkGradient(t, "parameters", p, g, loss)
			}
			if name != "embed" {
				checkGradient(t, "input", x.Data, dx.Data, loss)
			}
		})
	}
}

func TestNetGradient(t *testing.T) {
	r := NewRand(11)
	embed := Embed{Dense: 3, Periodic: []int{0, 1, 2}, Frequencies: 2, Width: 3, Sigma: 0.3, Categories: []Category{{4, 2}}}
	net := New(embed.In(), embed, Linear{embed.Out(0), 6, 1.4}, GELU{}, Linear{6, 6, 1})
	p := net.Init(r)
	x := random(r, 9, 4)
	y := NewMatrix(9, 3)
	heads := []Head{{Task: Regression}, {Task: Binary, At: 2}, {Task: Multiclass, At: 3, Classes: 3}}
	for i := range x.Rows {
		x.Row(i)[3] = float32(r.Intn(4))
		copy(y.Row(i), []float32{float32(r.Normal()), float32(r.Intn(2)), float32(r.Intn(3))})
	}
	y.Row(2)[0], y.Row(3)[1], y.Row(4)[2] = nan, nan, nan
	weight := make([]float32, 9)
	for i := range weight {
		weight[i] = float32(0.5 + r.Float64())
	}
	w := net.Workspace()
	dout := NewMatrix(9, 6)
	loss := func() float64 { return Loss(heads, w.Forward(p, x, true, 1, 0), y, weight, 9, dout) }
	loss()
	w.ZeroGrad()
	w.Backward(p, dout)
	checkGradient(t, "net", p, w.Grad, loss)
}

var nan = float32(math.NaN())

// TestGaussianBeta checks the β-weighted gradient against its definition: the
// likelihood's gradient times variance^β.
func TestGaussianBeta(t *testing.T) {
	for _, beta := range []float64{0.5, 1} {
		o := []float32{0.3, -0.7}
		plain, weighed := make([]float32, 2), make([]float32, 2)
		Head{Task: Regression}.row(o, plain, 1.1, 1)
		Head{Task: Regression, Beta: beta}.row(o, weighed, 1.1, 1)
		f := math.Exp(beta * -0.7)
		for k := range 2 {
			if want := float64(plain[k]) * f; math.Abs(float64(weighed[k])-want) > 1e-5 {
				t.Errorf("β=%g, output %d: gradient %g, want %g", beta, k, weighed[k], want)
			}
		}
	}
	// With β = 1 the mean's gradient is that of least squares.
	d := make([]float32, 2)
	Head{Task: Regression, Beta: 1}.row([]float32{0.3, -0.7}, d, 1.1, 1)
	if math.Abs(float64(d[0])+0.8) > 1e-5 {
		t.Errorf("β=1: gradient of the mean %g, want −0.8", d[0])
	}
}

func TestMissingTargetsAddNothing(t *testing.T) {
	heads := []Head{{Task: Regression}}
	out, y, d := random(NewRand(1), 4, 2), NewMatrix(4, 1), NewMatrix(4, 2)
	y.Data[1], y.Data[3] = nan, nan
	all := Loss(heads, out, y, nil, 1, d)
	for _, i := range []int{1, 3} {
		if d.Row(i)[0] != 0 || d.Row(i)[1] != 0 {
			t.Errorf("row %d has no target but a gradient %v", i, d.Row(i))
		}
	}
	some := Loss(heads, out.Slice(0, 1), y.Slice(0, 1), nil, 1, NewMatrix(1, 2)) +
		Loss(heads, out.Slice(2, 3), y.Slice(2, 3), nil, 1, NewMatrix(1, 2))
	if math.Abs(all-some) > 1e-6 {
		t.Errorf("loss %g with missing targets, %g without those rows", all, some)
	}
}

package nn

import "math"

// Tensor describes one parameter of a layer.
type Tensor struct {
	Name  string
	Shape []int
	Decay bool // weight decay applies
}

// Size returns the number of elements.
func (t Tensor) Size() int {
	n := 1
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// Layer is one differentiable step. It holds no state: p and g are its slices
// of the parameter and gradient vectors, in the order of Tensors.
type Layer interface {
	Tensors() []Tensor
	// Init fills p.
	Init(p []float32, r *Rand)
	// Out returns the number of columns made of in columns.
	Out(in int) int
	// Forward computes y, whose content is undefined before, from x.
	Forward(c *Pass, p []float32, x, y Matrix)
	// Backward adds to g the gradient of the parameters and, unless dx has no
	// memory, writes that of x. It may overwrite dy.
	Backward(c *Pass, p, g []float32, x, y, dy, dx Matrix)
}

// Pass is what a layer may use during one pass over some rows.
type Pass struct {
	Train bool   // dropout is active
	Key   uint64 // of this step's random masks
	Row   int    // number of the first row within the minibatch
	layer int
	mem   packed
	aux   [4]Matrix // scratch of layers
}

// Linear is y = x·Wᵀ + b, with W of shape [Outputs, Inputs].
type Linear struct {
	Inputs, Outputs int
	// Gain scales the initial weights: √2 before rectifiers, 1 before outputs.
	Gain float64
}

func (l Linear) Tensors() []Tensor {
	return []Tensor{{"weight", []int{l.Outputs, l.Inputs}, true}, {"bias", []int{l.Outputs}, false}}
}

// Init draws uniform weights of variance Gain²/Inputs (He et al. 2015).
func (l Linear) Init(p []float32, r *Rand) {
	bound := l.Gain * math.Sqrt(3/float64(max(l.Inputs, 1)))
	w := p[:l.Inputs*l.Outputs]
	for i := range w {
		w[i] = float32(bound * (2*r.Float64() - 1))
	}
	clear(p[len(w):])
}

func (l Linear) Out(int) int { return l.Outputs }

func (l Linear) split(p []float32) (Matrix, []float32) {
	n := l.Inputs * l.Outputs
	return Matrix{l.Outputs, l.Inputs, p[:n]}, p[n : n+l.Outputs]
}

func (l Linear) Forward(c *Pass, p []float32, x, y Matrix) {
	w, b := l.split(p)
	for i := range y.Rows {
		copy(y.Row(i), b)
	}
	c.mem.multiply(y, asRows(x), asRows(w), l.Inputs, true)
}

func (l Linear) Backward(c *Pass, p, g []float32, x, y, dy, dx Matrix) {
	w, _ := l.split(p)
	gw, gb := l.split(g)
	for i := range dy.Rows {
		for j, d := range dy.Row(i) {
			gb[j] += d
		}
	}
	c.mem.multiply(gw, asCols(dy), asCols(x), dy.Rows, true)
	if dx.Data != nil {
		c.mem.multiply(dx, asRows(dy), asCols(w), l.Outputs, false)
	}
}

// ReLU is max(x, 0).
type ReLU struct{ stateless }

func (ReLU) Forward(_ *Pass, _ []float32, x, y Matrix) {
	out := y.Data[:len(x.Data)]
	for i, v := range x.Data {
		out[i] = max(v, 0)
	}
}

func (ReLU) Backward(_ *Pass, _, _ []float32, x, _, dy, dx Matrix) {
	in, d := x.Data[:len(dy.Data)], dx.Data[:len(dy.Data)]
	for i, v := range dy.Data {
		if in[i] <= 0 {
			v = 0
		}
		d[i] = v
	}
}

// SiLU is x·σ(x) (Elfwing et al. 2018).
type SiLU struct{ stateless }

func (SiLU) Forward(_ *Pass, _ []float32, x, y Matrix) {
	for i, v := range x.Data {
		y.Data[i] = v * sigmoid(v)
	}
}

func (SiLU) Backward(_ *Pass, _, _ []float32, x, _, dy, dx Matrix) {
	for i, v := range x.Data {
		s := sigmoid(v)
		dx.Data[i] = dy.Data[i] * s * (1 + v*(1-s))
	}
}

// GELU is x·Φ(x) by the tanh approximation (Hendrycks and Gimpel 2016).
type GELU struct{ stateless }

const geluA, geluB = 0.7978845608, 0.044715

func (GELU) Forward(_ *Pass, _ []float32, x, y Matrix) {
	for i, v := range x.Data {
		y.Data[i] = 0.5 * v * (1 + tanh(geluA*(v+geluB*v*v*v)))
	}
}

func (GELU) Backward(_ *Pass, _, _ []float32, x, _, dy, dx Matrix) {
	for i, v := range x.Data {
		t := tanh(geluA * (v + geluB*v*v*v))
		slope := 0.5*(1+t) + 0.5*v*(1-t*t)*geluA*(1+3*geluB*v*v)
		dx.Data[i] = dy.Data[i] * slope
	}
}

// stateless is a layer without parameters that keeps the number of columns.
type stateless struct{}

func (stateless) Tensors() []Tensor     { return nil }
func (stateless) Init([]float32, *Rand) {}
func (stateless) Out(in int) int        { return in }

// Dropout zeroes elements with probability P while training and scales the
// rest by 1/(1−P) (Srivastava et al. 2014).
type Dropout struct {
	stateless
	P float64
}

func (d Dropout) Forward(c *Pass, _ []float32, x, y Matrix) { d.mask(c, x, y) }

func (d Dropout) Backward(c *Pass, _, _ []float32, _, _, dy, dx Matrix) { d.mask(c, dy, dx) }

func (d Dropout) mask(c *Pass, from, to Matrix) {
	if !c.Train || d.P <= 0 {
		copy(to.Data, from.Data)
		return
	}
	threshold := uint64(d.P * (1 << 16))
	scale := float32(1 / (1 - d.P))
	for i := range from.Rows {
		key := Mix(c.Key, uint64(c.layer), uint64(c.Row+i))
		in, out := from.Row(i), to.Row(i)
		var bits uint64
		for j, v := range in {
			if j&3 == 0 {
				bits = splitmix(key + uint64(j))
			}
			if bits&0xffff < threshold {
				v = 0
			}
			bits >>= 16
			out[j] = v * scale
		}
	}
}

package nn

import "math"

// AdamW is Adam with decoupled weight decay (Loshchilov and Hutter 2019). M and
// V are its state, exported for checkpoints.
type AdamW struct {
	Beta1, Beta2, Eps float64
	Decay             float64
	M, V              []float32
	Step              int
	decays            []bool // per tensor
	ends              []int  // where each tensor ends
}

// NewAdamW returns an optimiser of n's parameters with the usual moments.
func NewAdamW(n *Net, decay float64) *AdamW {
	a := &AdamW{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, Decay: decay,
		M: make([]float32, n.Size()), V: make([]float32, n.Size())}
	at := 0
	for _, t := range n.Tensors() {
		at += t.Size()
		a.ends, a.decays = append(a.ends, at), append(a.decays, t.Decay)
	}
	return a
}

// Update moves p against gradient g at the given learning rate.
func (a *AdamW) Update(p, g []float32, rate float64) {
	a.Step++
	c1 := 1 - math.Pow(a.Beta1, float64(a.Step))
	c2 := 1 - math.Pow(a.Beta2, float64(a.Step))
	step := float32(rate / c1)
	root := float32(1 / math.Sqrt(c2))
	from := 0
	for t, to := range a.ends {
		keep := float32(1)
		if a.decays[t] {
			keep = float32(1 - rate*a.Decay)
		}
		a.move(p[from:to], g[from:to], a.M[from:to], a.V[from:to], keep, step, root)
		from = to
	}
}

func (a *AdamW) move(p, g, m, v []float32, keep, step, root float32) {
	b1, b2, eps := float32(a.Beta1), float32(a.Beta2), float32(a.Eps)
	g, m, v = g[:len(p)], m[:len(p)], v[:len(p)]
	for i, d := range g {
		mi := b1*m[i] + (1-b1)*d
		vi := b2*v[i] + (1-b2)*d*d
		m[i], v[i] = mi, vi
		p[i] = p[i]*keep - step*mi/(sqrt(vi)*root+eps)
	}
}

// Clip scales g so that its Euclidean norm is at most bound, and returns the
// norm it had. A gradient that is not finite becomes zero.
func Clip(g []float32, bound float64) float64 {
	sum := 0.0
	for _, v := range g {
		sum += float64(v) * float64(v)
	}
	norm := math.Sqrt(sum)
	if math.IsNaN(norm) || math.IsInf(norm, 0) {
		clear(g)
		return norm
	}
	if norm > bound {
		f := float32(bound / norm)
		for i := range g {
			g[i] *= f
		}
	}
	return norm
}

// Cosine returns the learning rate of step i of n: linear warm-up over the
// first warm steps to peak, then half a cosine down to zero.
func Cosine(i, n, warm int, peak float64) float64 {
	if i < warm {
		return peak * float64(i+1) / float64(warm)
	}
	t := float64(i-warm) / float64(max(n-warm, 1))
	return peak * 0.5 * (1 + math.Cos(math.Pi*min(t, 1)))
}

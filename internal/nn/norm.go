package nn

// LayerNorm scales each row to mean 0 and variance 1 and then by a learned
// gain and shift (Ba et al. 2016).
type LayerNorm struct{ Width int }

const normEps = 1e-5

func (l LayerNorm) Tensors() []Tensor {
	return []Tensor{{"gain", []int{l.Width}, false}, {"shift", []int{l.Width}, false}}
}

func (l LayerNorm) Init(p []float32, _ *Rand) {
	for i := range l.Width {
		p[i], p[l.Width+i] = 1, 0
	}
}

func (l LayerNorm) Out(in int) int { return in }

func (l LayerNorm) Forward(_ *Pass, p []float32, x, y Matrix) {
	gain, shift := p[:l.Width], p[l.Width:2*l.Width]
	for i := range x.Rows {
		mean, inv := moments(x.Row(i))
		out := y.Row(i)
		for j, v := range x.Row(i) {
			out[j] = (v-mean)*inv*gain[j] + shift[j]
		}
	}
}

func (l LayerNorm) Backward(_ *Pass, p, g []float32, x, _, dy, dx Matrix) {
	gain, gGain, gShift := p[:l.Width], g[:l.Width], g[l.Width:2*l.Width]
	n := float32(l.Width)
	for i := range x.Rows {
		in, d := x.Row(i), dy.Row(i)
		mean, inv := moments(in)
		var sum, along float32
		for j, v := range in {
			z := (v - mean) * inv
			gGain[j] += d[j] * z
			gShift[j] += d[j]
			sum += d[j] * gain[j]
			along += d[j] * gain[j] * z
		}
		if dx.Data == nil {
			continue
		}
		out := dx.Row(i)
		for j, v := range in {
			z := (v - mean) * inv
			out[j] = inv * (d[j]*gain[j] - sum/n - z*along/n)
		}
	}
}

func moments(row []float32) (mean, inv float32) {
	n := float32(len(row))
	for _, v := range row {
		mean += v
	}
	mean /= n
	var variance float32
	for _, v := range row {
		variance += (v - mean) * (v - mean)
	}
	return mean, 1 / sqrt(variance/n+normEps)
}

package nn

import (
	"fmt"
	"sync"
	"testing"
)

// BenchmarkMultiply reports the kernel's rate on one core.
func BenchmarkMultiply(b *testing.B) {
	for _, s := range [][3]int{{100, 64, 64}, {128, 128, 128}, {256, 256, 256}} {
		n, m, k := s[0], s[1], s[2]
		b.Run(fmt.Sprintf("%dx%dx%d", n, m, k), func(b *testing.B) {
			r := NewRand(1)
			x, w, y := random(r, n, k), random(r, m, k), NewMatrix(n, m)
			var mem packed
			for b.Loop() {
				mem.multiply(y, asRows(x), asRows(w), k, false)
			}
			b.ReportMetric(2*float64(n*m*k)*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
		})
	}
}

// BenchmarkTrain trains 4→64→64→1 with ReLU on minibatches of 200, squared
// error and Adam: the shape of the power plant's net, as scikit-learn's
// MLPRegressor(hidden_layer_sizes=(64, 64), batch_size=200) trains it. The
// minibatch is cut into two shards, one per core.
func BenchmarkTrain(b *testing.B) {
	for _, shards := range []int{1, 2} {
		b.Run(fmt.Sprintf("shards=%d", shards), func(b *testing.B) { benchmarkTrain(b, shards) })
	}
}

func benchmarkTrain(b *testing.B, shards int) {
	const batch = 200
	net := New(4, Linear{4, 64, 1.4}, ReLU{}, Linear{64, 64, 1.4}, ReLU{}, Linear{64, 1, 1})
	r := NewRand(1)
	p := net.Init(r)
	opt := NewAdamW(net, 0)
	x, y, dy := random(r, batch, 4), random(r, batch, 1), NewMatrix(batch, 1)
	spaces := make([]*Workspace, shards)
	for i := range spaces {
		spaces[i] = net.Workspace()
	}
	part := func(s int) {
		w := spaces[s]
		from, to := s*batch/shards, (s+1)*batch/shards
		w.ZeroGrad()
		out := w.Forward(p, x.Slice(from, to), true, 0, from)
		d := dy.Slice(from, to)
		for i := range out.Data {
			d.Data[i] = (out.Data[i] - y.Data[from+i]) * (2.0 / batch)
		}
		w.Backward(p, d)
	}
	for b.Loop() {
		var wg sync.WaitGroup
		for s := 1; s < shards; s++ {
			wg.Go(func() { part(s) })
		}
		part(0)
		wg.Wait()
		g := spaces[0].Grad
		for _, w := range spaces[1:] {
			for i, v := range w.Grad {
				g[i] += v
			}
		}
		opt.Update(p, g, 1e-3)
	}
	b.ReportMetric(batch*float64(b.N)/b.Elapsed().Seconds(), "samples/s")
}

func random(r *Rand, rows, cols int) Matrix {
	m := NewMatrix(rows, cols)
	for i := range m.Data {
		m.Data[i] = float32(r.Normal())
	}
	return m
}

package main

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"sync"

	"github.com/opengenesis/genesis/internal/nn"
)

// trainer trains one net with internal/nn, each minibatch on several
// goroutines.
type trainer struct {
	net    *nn.Net
	params []float32
	opt    *nn.AdamW
	x, y   nn.Matrix
	order  []int
	shards []*shard
}

// shard is one goroutine's part of a minibatch.
type shard struct {
	space *nn.Workspace
	x, dy nn.Matrix
}

func newTrainer(x, y nn.Matrix, shards int) *trainer {
	t := &trainer{x: x, y: y, order: make([]int, x.Rows)}
	t.net = nn.New(trainInputs,
		nn.Linear{Inputs: trainInputs, Outputs: trainHidden, Gain: math.Sqrt2}, nn.ReLU{},
		nn.Linear{Inputs: trainHidden, Outputs: trainHidden, Gain: math.Sqrt2}, nn.ReLU{},
		nn.Linear{Inputs: trainHidden, Outputs: 1, Gain: 1})
	t.params = t.net.Init(nn.NewRand(1))
	t.opt = nn.NewAdamW(t.net, 0)
	for i := range t.order {
		t.order[i] = i
	}
	for range shards {
		t.shards = append(t.shards, &shard{t.net.Workspace(), nn.NewMatrix(trainBatch, trainInputs), nn.NewMatrix(trainBatch, 1)})
	}
	return t
}

func (t *trainer) run(epochs int) {
	r := nn.NewRand(2)
	for range epochs {
		r.Shuffle(t.order)
		for from := 0; from < len(t.order); from += trainBatch {
			t.step(t.order[from:min(from+trainBatch, len(t.order))])
		}
	}
}

func (t *trainer) step(rows []int) {
	var wg sync.WaitGroup
	n := len(t.shards)
	for k := 1; k < n; k++ {
		wg.Go(func() { t.part(t.shards[k], rows[k*len(rows)/n:(k+1)*len(rows)/n], len(rows)) })
	}
	t.part(t.shards[0], rows[:len(rows)/n], len(rows))
	wg.Wait()
	g := t.shards[0].space.Grad
	for _, s := range t.shards[1:] {
		nn.Add(g, s.space.Grad)
	}
	t.opt.Update(t.params, g, 1e-3)
}

// part adds up the gradient of half the squared error of some rows, as the
// peer takes it.
func (t *trainer) part(s *shard, rows []int, batch int) {
	x, dy := s.x.Slice(0, len(rows)), s.dy.Slice(0, len(rows))
	for i, r := range rows {
		copy(x.Row(i), t.x.Row(r))
	}
	out := s.space.Forward(t.params, x, true, 0, 0)
	for i, r := range rows {
		dy.Data[i] = (out.Data[i] - t.y.Data[r]) / float32(batch)
	}
	s.space.ZeroGrad()
	s.space.Backward(t.params, dy)
}

func (t *trainer) rmse() float64 {
	out := t.net.Workspace().Forward(t.params, t.x, false, 0, 0)
	sum := 0.0
	for i, v := range out.Data {
		d := float64(v - t.y.Data[i])
		sum += d * d
	}
	return math.Sqrt(sum / float64(len(out.Data)))
}

func readTrainingTable(path string) (x, y nn.Matrix, err error) {
	f, err := os.Open(path)
	if err != nil {
		return x, y, err
	}
	defer f.Close()
	x, y = nn.NewMatrix(trainRows, trainInputs), nn.NewMatrix(trainRows, 1)
	in := bufio.NewReader(f)
	for i := range trainRows {
		row := x.Row(i)
		if _, err := fmt.Fscan(in, &row[0], &row[1], &row[2], &row[3], &y.Data[i]); err != nil {
			return x, y, fmt.Errorf("%s, row %d: %w", path, i+1, err)
		}
	}
	return x, y, nil
}

package learn

import (
	"context"
	"fmt"
	"math"
	"sync"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/nn"
)

// pool lets at most so many pieces of work run at the same time. What they
// compute does not depend on its size.
type pool chan struct{}

func newPool(threads int) pool { return make(pool, threads) }

func (p pool) run(f func()) {
	p <- struct{}{}
	defer func() { <-p }()
	f()
}

// each runs f(0)…f(n−1) and waits for all.
func (p pool) each(n int, f func(int)) {
	if n == 1 {
		p.run(func() { f(0) })
		return
	}
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { p.run(func() { f(i) }) })
	}
	wg.Wait()
}

// shardRows is the least number of rows that a shard of a minibatch has.
const shardRows = 128

// member is one net of the ensemble while it trains.
type member struct {
	number  int
	params  []float32
	best    []float32 // the parameters with the least held-back loss so far
	opt     *nn.AdamW
	score   float64 // held-back loss of best
	bestAt  int     // its epoch
	rows    []int   // it learns from these
	held    []int   // and stops by these
	stopped bool

	train, validation float64 // of the last epoch

	spaces []*nn.Workspace
	x, y   nn.Matrix
	dout   nn.Matrix
	weight []float32
	order  []int
}

// trainer runs the epochs of an ensemble.
type trainer struct {
	*task
	net     *nn.Net
	heads   []nn.Head
	members []*member
	pool    pool
	curve   []genesis.CurvePoint
	epoch   int // epochs done
}

// fitted is an ensemble after training.
type fitted struct {
	net     *nn.Net
	params  [][]float32
	curve   []genesis.CurvePoint
	epochs  int
	resumed bool
}

// Training is the stage of the events that tell of epochs.
const Training = "training"

// fit trains the ensemble, from a checkpoint of the same training if there is
// one.
func (t *task) fit(ctx context.Context, opt Options) (*fitted, error) {
	tr := t.trainer(opt)
	saver := newSaver(tr, opt.Checkpoint)
	resumed, tell := saver.resume(), tr.enough(opt.Least)
	for tr.epoch < t.plan.Epochs && !tr.done() {
		if err := tr.runEpoch(ctx); err != nil {
			return nil, err
		}
		e := genesis.Event{Stage: Training, Done: int64(tr.epoch), Total: int64(t.plan.Epochs), Unit: "epochs"}
		if tell {
			e.Note = fmt.Sprintf("loss %.4g", tr.curve[len(tr.curve)-1].Validation)
		}
		opt.Progress.Send(e)
		if err := saver.save(); err != nil {
			return nil, err
		}
	}
	f := &fitted{net: tr.net, epochs: tr.epoch, resumed: resumed}
	if tell {
		f.curve = tr.curve
	}
	for _, m := range tr.members {
		f.params = append(f.params, m.best)
	}
	return f, nil
}

func (t *task) trainer(opt Options) *trainer {
	tr := &trainer{task: t, net: t.plan.net(t.pipe, t.targets), heads: heads(t.targets, t.plan.Beta), pool: newPool(opt.Threads)}
	for k := range t.plan.Members {
		tr.members = append(tr.members, tr.newMember(k))
	}
	return tr
}

func (tr *trainer) newMember(k int) *member {
	m := &member{number: k, score: math.Inf(1), opt: nn.NewAdamW(tr.net, tr.plan.Decay)}
	for _, r := range tr.fitRows {
		if int(tr.fold[r])%tr.plan.Folds == k%tr.plan.Folds {
			m.held = append(m.held, r)
		} else {
			m.rows = append(m.rows, r)
		}
	}
	if len(m.held) == 0 || len(m.rows) == 0 {
		m.rows, m.held = tr.fitRows, tr.fitRows
	}
	m.params = tr.net.Init(nn.NewRand(tr.seed, 4, uint64(k)))
	m.best = append([]float32(nil), m.params...)
	m.order = append([]int(nil), m.rows...)
	shards := min(max(tr.plan.Batch/shardRows, 1), 8)
	for range shards {
		m.spaces = append(m.spaces, tr.net.Workspace())
	}
	m.x, m.y = nn.NewMatrix(tr.plan.Batch, tr.x.Cols), nn.NewMatrix(tr.plan.Batch, tr.y.Cols)
	m.dout = nn.NewMatrix(tr.plan.Batch, tr.net.Outputs())
	m.weight = make([]float32, tr.plan.Batch)
	return m
}

func (tr *trainer) done() bool {
	for _, m := range tr.members {
		if !m.stopped {
			return false
		}
	}
	return true
}

// runEpoch trains every member for one epoch. All members wait for each other
// at its end, so the state between epochs is one consistent whole.
func (tr *trainer) runEpoch(ctx context.Context) error {
	var wg sync.WaitGroup
	for _, m := range tr.members {
		if !m.stopped {
			wg.Go(func() { tr.memberEpoch(ctx, m) })
		}
	}
	wg.Wait()
	if err := canceled(ctx); err != nil {
		return err
	}
	tr.epoch++
	point := genesis.CurvePoint{Epoch: tr.epoch}
	for _, m := range tr.members {
		point.Train += m.train / float64(len(tr.members))
		point.Validation += m.validation / float64(len(tr.members))
	}
	tr.curve = append(tr.curve, point)
	return nil
}

func (tr *trainer) memberEpoch(ctx context.Context, m *member) {
	copy(m.order, m.rows)
	nn.NewRand(tr.seed, 5, uint64(m.number), uint64(tr.epoch)).Shuffle(m.order)
	batch := min(tr.plan.Batch, len(m.order))
	steps := max(len(m.order)/batch, 1)
	sum := 0.0
	for s := range steps {
		if ctx.Err() != nil {
			return
		}
		// The rows are spread evenly: no batch is much smaller than another.
		from, to := s*len(m.order)/steps, (s+1)*len(m.order)/steps
		to = min(to, from+tr.plan.Batch)
		step := tr.epoch*steps + s
		rate := nn.Cosine(step, tr.plan.Epochs*steps, min(steps*tr.plan.Epochs/20, 4*steps)+1, tr.plan.Rate)
		sum += tr.step(m, m.order[from:to], rate, uint64(step))
	}
	m.train = sum / float64(steps)
	tr.evaluate(m)
}

// step updates m from one minibatch and returns the batch's score.
func (tr *trainer) step(m *member, rows []int, rate float64, step uint64) float64 {
	shards := min(max(len(rows)/shardRows, 1), len(m.spaces))
	norm := float64(len(rows))
	scores := make([]float64, shards)
	key := nn.Mix(tr.seed, 6, uint64(m.number), step)
	tr.pool.each(shards, func(s int) {
		from, to := s*len(rows)/shards, (s+1)*len(rows)/shards
		x, y := m.x.Slice(from, to), m.y.Slice(from, to)
		weight := tr.gather(rows[from:to], x, y, m.weight[from:to])
		tr.hideWords(x, key, from)
		w := m.spaces[s]
		out := w.Forward(m.params, x, true, key, from)
		dout := m.dout.Slice(from, to)
		nn.Loss(tr.heads, out, y, weight, norm, dout)
		scores[s], _ = nn.Score(tr.heads, out, y, weight)
		w.ZeroGrad()
		w.Backward(m.params, dout)
	})
	tr.pool.run(func() {
		g := m.spaces[0].Grad
		for _, w := range m.spaces[1:shards] {
			nn.Add(g, w.Grad)
		}
		nn.Clip(g, 5)
		m.opt.Update(m.params, g, rate)
	})
	total := 0.0
	for _, s := range scores {
		total += s
	}
	return total / norm / float64(len(tr.heads))
}

// gather copies rows of the data to x, y and weight, and returns weight, or nil
// when rows have no weights.
func (t *task) gather(rows []int, x, y nn.Matrix, weight []float32) []float32 {
	for k, r := range rows {
		copy(x.Row(k), t.x.Row(r))
		copy(y.Row(k), t.y.Row(r))
		if t.weight != nil {
			weight[k] = t.weight[r]
		}
	}
	if t.weight == nil {
		return nil
	}
	return weight
}

// hideWords makes one category in a hundred unknown, so that the embedding of
// words never seen is learned too.
func (t *task) hideWords(x nn.Matrix, key uint64, first int) {
	dense := t.pipe.dense()
	if dense == x.Cols {
		return
	}
	for k := range x.Rows {
		codes := x.Row(k)[dense:]
		for c := range codes {
			if nn.Mix(key, 7, uint64(first+k), uint64(c))%100 == 0 {
				codes[c] = codeUnknown
			}
		}
	}
}

// evaluate scores m on its held-back rows, remembers its best parameters and
// decides whether it stops.
func (tr *trainer) evaluate(m *member) {
	sum, n := 0.0, 0.0
	var x, y nn.Matrix
	const chunk = 512
	tr.pool.run(func() {
		x, y = nn.NewMatrix(chunk, tr.x.Cols), nn.NewMatrix(chunk, tr.y.Cols)
		weight := make([]float32, chunk)
		for from := 0; from < len(m.held); from += chunk {
			rows := m.held[from:min(from+chunk, len(m.held))]
			w := tr.gather(rows, x.Slice(0, len(rows)), y.Slice(0, len(rows)), weight)
			out := m.spaces[0].Forward(m.params, x.Slice(0, len(rows)), false, 0, 0)
			s, k := nn.Score(tr.heads, out, y.Slice(0, len(rows)), w)
			sum, n = sum+s, n+k
		}
	})
	m.validation = sum / max(n, 1e-9)
	if m.validation < m.score {
		m.score, m.bestAt = m.validation, tr.epoch
		copy(m.best, m.params)
	}
	if tr.epoch-m.bestAt >= max(10, tr.plan.Epochs*2/5) {
		m.stopped = true
	}
}

package learn

import (
	"context"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/nn"
)

// Bounds of a baseline: it is to take a few seconds whatever the table.
const (
	baselineRows = 20_000
)

// Baseline trains one small net on at most 20,000 rows and compares it with
// the trivial predictor on held-out rows: the proof at the end of a readiness
// report. Of several targets it takes the first.
func Baseline(ctx context.Context, d Data, opt Options) (genesis.Proof, error) {
	opt = opt.withDefaults()
	if len(opt.Target) > 1 {
		opt.Target = opt.Target[:1]
	}
	opt.Checkpoint = nil
	opt.Tune = func(p *Plan) {
		p.Members, p.Hidden, p.Batch = 1, []int{64, 64}, min(p.Batch, 256)
		p.Epochs = min(p.Epochs, 30)
		p.Frequencies = min(p.Frequencies, 8)
	}
	d.Parts = thinParts(d.Parts, opt.Seed)
	t, err := newTask(d, opt)
	if err != nil {
		return genesis.Proof{}, err
	}
	f, err := t.fit(ctx, opt)
	if err != nil {
		return genesis.Proof{}, err
	}
	return t.proof(t.model(f), opt), nil
}

// thinParts leaves about baselineRows rows in parts.
func thinParts(parts []genesis.Part, seed uint64) []genesis.Part {
	used := 0
	for _, p := range parts {
		if p != genesis.Unassigned {
			used++
		}
	}
	if used <= baselineRows {
		return parts
	}
	out := make([]genesis.Part, len(parts))
	share := float64(baselineRows) / float64(used)
	for i, p := range parts {
		if float64(nn.Mix(seed, 11, uint64(i))>>11)/(1<<53) < share {
			out[i] = p
		}
	}
	return out
}

func (t *task) proof(m *Model, opt Options) genesis.Proof {
	rows := t.parts[genesis.Test]
	if len(rows) == 0 {
		rows = t.calibration
	}
	target := t.targets[0]
	refs := map[string]reference{byTrivial: t.trivial(t.withTruth(t.fitRows, 0), 0)}
	scores := t.score(m, 0, rows, refs, opt)
	metric := target.headline()
	p := genesis.Proof{Target: target.Column.Name, Metric: "rmse", Rows: int64(len(t.withTruth(rows, 0))),
		Net: scores[byNet][metric], Trivial: scores[byTrivial][metric]}
	if metric == metricLogLoss {
		p.Metric = "log-loss"
	}
	if p.Trivial > 0 {
		p.Margin = (p.Trivial - p.Net) / p.Trivial
	}
	return p
}

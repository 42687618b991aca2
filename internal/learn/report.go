package learn

import (
	"context"
	"fmt"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/nn"
)

const reportFormat = 1

// partNames of held-out parts, as reports name them.
var partNames = map[genesis.Part]string{genesis.Validation: "validation", genesis.Test: "test"}

// report measures the model and its references on the held-out parts.
func (t *task) report(ctx context.Context, m *Model, f *fitted, opt Options) (*genesis.ModelReport, error) {
	r := &genesis.ModelReport{Format: reportFormat, Seed: t.seed, Inputs: m.Inputs(), Network: t.plan.String(),
		Parameters: int64(m.net.Size() * len(m.params)), Epochs: f.epochs, Curve: f.curve, Notes: t.notes, Least: opt.Least}
	held, name := t.heldOut()
	if !some(len(held), opt.Least) {
		held, name = nil, "" // too few rows for a figure that tells of none of them
	}
	est := m.estimate(t.rows(held), opt.Threads)
	p := newPool(opt.Threads)
	for k, target := range t.targets {
		opt.Progress.Send(genesis.Event{Stage: "comparing", Done: int64(k), Total: int64(len(t.targets)), Unit: "targets"})
		refs, err := t.references(ctx, k, p)
		if err != nil {
			return nil, err
		}
		tr := genesis.TargetReport{Column: target.Column, Task: string(target.Task), Classes: target.Classes,
			Scores: map[string]map[string]map[string]float64{}}
		for part, name := range partNames {
			if rows := t.parts[part]; len(rows) > 0 && some(len(t.withTruth(rows, k)), opt.Least) {
				tr.Scores[name] = t.score(m, k, rows, refs, opt)
			}
		}
		if name != "" && some(len(t.withTruth(held, k)), opt.Least) {
			tr.Coverage = m.coverage(t, k, held, est, opt.Level)
			r.Notes = append(r.Notes, target.compare(tr.Scores[name], name, len(t.fitRows))...)
		}
		r.Targets = append(r.Targets, tr)
	}
	r.OOD = m.oodReport(t, held, est)
	r.Notes = append(r.Notes, t.calibrationNote(name))
	return r, nil
}

// heldOut returns the rows that nothing was fitted or calibrated on, and the
// name of their part; none when there are no such rows.
func (t *task) heldOut() ([]int, string) {
	if rows := t.parts[genesis.Test]; len(rows) > 0 {
		return rows, partNames[genesis.Test]
	}
	if rows := t.parts[genesis.Validation]; len(rows) > 0 && t.carved {
		return rows, partNames[genesis.Validation]
	}
	return nil, ""
}

// score measures net and references on rows.
func (t *task) score(m *Model, k int, rows []int, refs map[string]reference, opt Options) map[string]map[string]float64 {
	target := t.targets[k]
	truth := make([]float64, len(rows))
	for n, r := range rows {
		truth[n] = target.decode(t.y.Row(r)[k])
	}
	est := m.estimate(t.rows(rows), opt.Threads)
	scores := map[string]map[string]float64{byNet: target.measure(truth, func(n int) prediction {
		e := est.row(k, n, target.outcomes())
		if target.Task == nn.Regression {
			return prediction{mean: e[0], sd: e[1]}
		}
		return prediction{p: e}
	})}
	for name, ref := range refs {
		scores[name] = target.measure(truth, func(n int) prediction { return ref.predict(rows[n]) })
	}
	return scores
}

// compare says where the net loses to a reference, and why it may.
func (t *target) compare(scores map[string]map[string]float64, part string, rows int) []string {
	var notes []string
	metric := t.headline()
	net, ok := scores[byNet][metric]
	if !ok {
		return nil
	}
	for _, ref := range []string{byTrivial, byRidge, byForest} {
		other, ok := scores[ref][metric]
		if !ok || net <= other {
			continue
		}
		notes = append(notes, fmt.Sprintf("%s: on the %s rows the net's %s of %.4g loses to the %s's %.4g: %s",
			t.Column.Name, part, metric, net, ref, other, whyLose(ref, rows)))
	}
	return notes
}

func whyLose(ref string, rows int) string {
	switch {
	case ref == byTrivial:
		return "the features may say nothing about the target, or the held-out rows come from another situation than the training rows"
	case ref == byRidge && rows < 500:
		return "with so few rows a straight line is hard to beat"
	case ref == byRidge:
		return "the relation may be linear, or the held-out rows lie beyond the training rows, where a straight line goes on and a net does not"
	case rows < 1000:
		return "with few rows, averages of trees follow steps and irrelevant features better than a net"
	}
	return "the target may depend on the features in steps or on few of them, which trees follow exactly and a net smooths"
}

func (t *task) calibrationNote(held string) string {
	from := "the validation part"
	if t.carved {
		from = "training rows held back from the nets"
	}
	s := fmt.Sprintf("intervals and the out-of-distribution threshold were calibrated on %d rows of %s", len(t.calibration), from)
	if held == "" {
		s += "; no other held-out rows were left to measure coverage on"
	}
	return s
}

// oodReport counts flags on held-out rows as they are, and with one numeric
// feature after the other multiplied by ten. Rows whose value does not change
// (0 × 10) do not count, nor do features that change in fewer than scaledRows
// rows; where none is left, nothing was measured, and the report says no share.
func (m *Model) oodReport(t *task, held []int, est *estimate) genesis.OODReport {
	r := genesis.OODReport{Threshold: m.ood.Threshold}
	if len(held) == 0 {
		return r
	}
	held = held[:min(len(held), 5000)]
	look := m.pipe.look()
	flagged := 0
	for n, row := range held {
		if m.ood.score(look, t.vectors, t.raw[row], t.x.Row(row), est.doubt[n]) > 1 {
			flagged++
		}
	}
	untouched := float64(flagged) / float64(len(held))
	r.Untouched = &untouched
	for k, f := range m.pipe.Features {
		if f.Kind != kindNumber {
			continue
		}
		if share, ok := m.scaledShare(t, k, held); ok && (r.Scaled == nil || share < *r.Scaled) {
			r.Scaled = &share
		}
	}
	return r
}

// scaledRows must change when a feature is multiplied by ten for the share of
// flagged ones to be told.
const scaledRows = 20

// scaledShare is the share of rows flagged with feature k multiplied by ten.
func (m *Model) scaledShare(t *task, k int, held []int) (float64, bool) {
	at, logAt := 0, 0
	for _, f := range m.pipe.Features[:k] {
		at += f.width()
		logAt += int(indicator(f.Floor > 0))
	}
	f, look := m.pipe.Features[k], m.pipe.look()
	held = held[:min(len(held), 2000)]
	changed, flagged := 0, 0
	var later []int // rows that need the nets' opinion
	for _, row := range held {
		x, ok := number(t.vectors[k], t.raw[row])
		if !ok || x == 0 {
			continue
		}
		changed++
		look.at(t.vectors, t.raw[row], t.x.Row(row))
		look.plain[at] = f.score(10 * x)
		if f.Floor > 0 {
			look.logs[logAt] = f.log(10 * x)
		}
		beyond, unseen := f.strangeNumber(10 * x)
		if m.ood.total(m.ood.shapeScore(look), beyond, unseen) > 1 {
			flagged++
		} else {
			later = append(later, row)
		}
	}
	x := t.rows(later)
	for n, row := range later {
		v, _ := number(t.vectors[k], t.raw[row])
		x.Row(n)[at] = float32(f.score(10 * v))
	}
	for _, doubt := range m.estimate(x, 1).doubt {
		if m.ood.total(doubt/m.ood.Doubt, 0, false) > 1 {
			flagged++
		}
	}
	return float64(flagged) / float64(max(changed, 1)), changed >= scaledRows
}

package learn

import (
	"fmt"
	"slices"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/nn"
)

// task is a training with its data encoded.
type task struct {
	pipe    *pipeline
	targets []*target
	notes   []string
	plan    Plan
	seed    uint64

	// Encoded rows: x and y hold all used rows, weight theirs; the parts below
	// are row numbers of x.
	x, y   nn.Matrix
	weight []float32 // nil: all 1
	fold   []uint8   // of rows in fitRows: which members hold the row back
	raw    []int     // rows of the table

	vectors []*format.Vector // of the features, for the OOD checks
	truth   []*format.Vector // of the targets

	fitRows     []int // seen by the optimiser and by early stopping
	calibration []int // held back from both
	carved      bool  // calibration rows were taken from part Train
	parts       map[genesis.Part][]int
}

// newTask decides features, targets and plan from the training rows and
// encodes all rows.
func newTask(d Data, opt Options) (*task, error) {
	tab := table{d.Columns, d.Batch}
	if len(d.Parts) != d.Batch.Rows {
		return nil, invalid("", "the split does not cover the table's rows", "")
	}
	if len(opt.Target) == 0 {
		return nil, invalid("", "no target was named", "name the column to predict with --target")
	}
	chosen, notes, err := choose(tab, opt)
	if err != nil {
		return nil, err
	}
	t := &task{notes: notes, seed: opt.Seed, pipe: &pipeline{}, parts: map[genesis.Part][]int{}}
	t.assign(tab, d.Parts, opt)
	fit := t.tableRows(t.fitRows)
	if len(fit) < minRows {
		return nil, invalid("", "the training part has fewer than 20 rows with a target", "train needs more rows, or a split with a larger training part")
	}
	tab = tab.crowd(fit, opt)
	for _, name := range opt.Target {
		j := tab.index(name)
		target, err := fitTarget(tab.columns[j], tab.vector(j), fit, opt.Least)
		if err != nil {
			return nil, err
		}
		t.targets, t.truth = append(t.targets, target), append(t.truth, tab.vector(j))
	}
	if err := t.fitFeatures(tab, chosen, fit, opt.Least); err != nil {
		return nil, err
	}
	t.encode(tab)
	for k, target := range t.targets {
		if len(t.withTruth(t.parts[genesis.Train], k)) < opt.MinRows {
			return nil, invalid(target.Column.Name, fmt.Sprintf("the training part has fewer than %d rows with a value of the target, the least that may be learnt from here", opt.MinRows),
				"choose another target, or ask whoever stewards the data")
		}
	}
	t.plan = choosePlan(t.pipe, t.targets, len(fit), opt)
	return t, nil
}

func (t *task) tableRows(rows []int) []int {
	out := make([]int, len(rows))
	for k, r := range rows {
		out[k] = t.raw[r]
	}
	return out
}

func (t *task) fitFeatures(tab table, chosen, fit []int, least int) error {
	for _, j := range chosen {
		c, v := tab.columns[j], tab.vector(j)
		f, why := fitFeature(c, v, fit, least)
		if f == nil {
			t.notes = append(t.notes, "column \""+c.Name+"\" is not learned from: "+why)
			continue
		}
		if f.width() == 0 && f.Kind != kindCategory {
			continue
		}
		t.pipe.Features, t.vectors = append(t.pipe.Features, f), append(t.vectors, v)
	}
	if len(t.pipe.Features) == 0 {
		return invalid("", "there is no column to learn from", "give columns the role feature in the recipe")
	}
	return nil
}

const (
	calibrationShare = 0.1
	calibrationAim   = 150  // rows to hold back, if that is not over a fifth
	calibrationLeast = 100  // rows of a validation part that suffice to calibrate on
	calibrationMost  = 4000 // more add nothing
)

// assign sorts the rows that have a target into parts, chooses the rows to
// calibrate on and the folds. Rows of one group stay together.
func (t *task) assign(tab table, parts []genesis.Part, opt Options) {
	var targets []*format.Vector
	for _, name := range opt.Target {
		targets = append(targets, tab.vector(tab.index(name)))
	}
	group := tab.role(genesis.Group)
	for i := range tab.batch.Rows {
		if parts[i] < genesis.Train || parts[i] > genesis.Test || !anyValue(targets, i) {
			continue
		}
		t.parts[parts[i]] = append(t.parts[parts[i]], len(t.raw))
		t.raw = append(t.raw, i)
	}
	train := t.parts[genesis.Train]
	t.calibration = t.parts[genesis.Validation]
	t.fitRows = train
	key := func(r int) uint64 { return rowKey(group, t.raw[r], opt.Seed) }
	if len(t.calibration) < min(calibrationLeast, len(train)/10) {
		t.carve(train, key)
	}
	t.fold = make([]uint8, len(t.raw))
	for _, r := range t.fitRows {
		t.fold[r] = uint8(nn.Mix(key(r), 1) % 240)
	}
}

// carve holds back a share of the training rows to calibrate on.
func (t *task) carve(train []int, key func(int) uint64) {
	share := min(max(calibrationShare, calibrationAim/float64(max(len(train), 1))), 0.2)
	share = min(share, calibrationMost/float64(max(len(train), 1)))
	t.carved, t.calibration, t.fitRows = true, nil, nil
	for _, r := range train {
		if float64(key(r)>>11)/(1<<53) < share {
			t.calibration = append(t.calibration, r)
		} else {
			t.fitRows = append(t.fitRows, r)
		}
	}
}

// rowKey is a random number of a row, the same for all rows of a group.
func rowKey(group *format.Vector, i int, seed uint64) uint64 {
	if s, ok := label(group, i); ok {
		return nn.Mix(seed, 2, hashText(s))
	}
	return nn.Mix(seed, 3, uint64(i))
}

func hashText(s string) uint64 {
	h := uint64(14695981039346656037) // FNV-1a
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

func anyValue(vs []*format.Vector, i int) bool {
	return slices.ContainsFunc(vs, func(v *format.Vector) bool { return v != nil && !v.Null(i) })
}

// role returns the values of the first column with a role, or nil.
func (t table) role(r genesis.Role) *format.Vector {
	j := slices.IndexFunc(t.columns, func(c genesis.Column) bool { return c.Role == r })
	return t.vector(j)
}

// encode fills x, y and weight.
func (t *task) encode(tab table) {
	t.x = nn.NewMatrix(len(t.raw), t.pipe.dense()+len(t.pipe.categories()))
	t.pipe.encode(t.vectors, t.raw, t.x)
	t.y = nn.NewMatrix(len(t.raw), len(t.targets))
	for r, i := range t.raw {
		for k, target := range t.targets {
			t.y.Row(r)[k] = target.encode(t.truth[k], i)
		}
	}
	if w := tab.role(genesis.Weight); w != nil {
		t.encodeWeight(w)
	}
}

// encodeWeight scales the rows' weights to mean 1; a missing or negative one is
// 0.
func (t *task) encodeWeight(v *format.Vector) {
	t.weight = make([]float32, len(t.raw))
	sum := 0.0
	for r, i := range t.raw {
		if w, ok := number(v, i); ok && w > 0 {
			t.weight[r] = float32(w)
			sum += w
		}
	}
	if sum == 0 {
		t.weight = nil
		return
	}
	for r := range t.weight {
		t.weight[r] *= float32(float64(len(t.raw)) / sum)
	}
}

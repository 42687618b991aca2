package learn

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/nn"
)

// TestUnmeasuredShares trains with too few held-out rows to tell how many are
// flagged: the report must not say that none are.
func TestUnmeasuredShares(t *testing.T) {
	d := wave(90, 3) // 18 rows of Test
	_, r := train(t, d, Options{Target: []string{"y"}})
	if r.OOD.Scaled != nil || r.OOD.Untouched == nil {
		t.Errorf("18 held-out rows: times ten %v, as they are %v; want nothing and a share", r.OOD.Scaled, r.OOD.Untouched)
	}
	if b, err := json.Marshal(r.OOD); err != nil || strings.Contains(string(b), "scaled") {
		t.Errorf("the report says %s, %v", b, err)
	}
	d = wave(100, 3) // 20
	if _, r = train(t, d, Options{Target: []string{"y"}}); r.OOD.Scaled == nil {
		t.Error("20 held-out rows: times ten was not measured")
	}
	for i := range d.Parts {
		d.Parts[i] = genesis.Train
	}
	_, r = train(t, d, Options{Target: []string{"y"}})
	if r.OOD.Scaled != nil {
		t.Errorf("no held-out rows: times ten %v", *r.OOD.Scaled)
	}
}

// TestSetsHoldTheTopClass: a net that is sure of nearly every row has a radius near
// 0, by which a row at 0.966 would be in no class. Coverage is that of the sets as given.
func TestSetsHoldTheTopClass(t *testing.T) {
	classes := &target{Task: nn.Multiclass, Classes: []string{"a", "b", "c"}}
	for _, c := range []struct {
		p      []float64
		radius float64
		want   []int
	}{
		{[]float64{0.01, 0.966, 0.024}, 0.001, []int{1}},
		{[]float64{0.01, 0.966, 0.024}, 0.98, []int{1, 2}},
		{[]float64{0.4, 0.4, 0.2}, 0.1, []int{0}},
		{[]float64{0.4, 0.4, 0.2}, 1, []int{0, 1, 2}},
	} {
		if got := classSet(c.p, c.radius); !slices.Equal(got, c.want) {
			t.Errorf("%v at %g: classes %v, want %v", c.p, c.radius, got, c.want)
		}
		for y := range c.p {
			held, size := classes.holds(c.p, float64(y), c.radius)
			if held != slices.Contains(c.want, y) || size != float64(len(c.want)) {
				t.Errorf("%v at %g: class %d is held %t among %g", c.p, c.radius, y, held, size)
			}
		}
	}
	m := &Model{targets: []*target{classes}, calibrations: []calibration{{Scores: []float64{0.001}}}}
	w := newWriter(m, 1, 0.9)
	w.classes(classes, []float64{0.01, 0.966, 0.024}, 0.001)
	if got := string(w.cols[4].Bytes(0)); got != "b" {
		t.Errorf("the set of a row at 0.966 is %q", got)
	}
}

// TestRemarksAreNotLearned: one word in a few rows is no feature, and so nothing that a
// file to predict on must have; a tick in every third row is one.
func TestRemarksAreNotLearned(t *testing.T) {
	const n = 1501
	d := wave(n, 3)
	remark, tick, once := make([]string, n), make([]string, n), make([]float64, n)
	for i := range n {
		once[i] = math.NaN()
		if i%375 == 0 {
			remark[i], once[i] = "recalibrated", 7
		}
		if i%3 == 0 {
			tick[i] = "x"
		}
	}
	b := builder{d}
	b.texts("remark", genesis.Categorical, genesis.Feature, remark).texts("tick", genesis.Categorical, genesis.Feature, tick).floats("once", genesis.Feature, once)
	k, err := newTask(b.Data, Options{Target: []string{"y"}}.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range k.pipe.Features {
		names = append(names, f.Column.Name)
	}
	if !slices.Equal(names, []string{"a", "b", "tick"}) {
		t.Errorf("learned from %v, want a, b and tick", names)
	}
	if notes := strings.Join(k.notes, "; "); strings.Count(notes, oneValue) != 2 {
		t.Errorf("the notes say %q", notes)
	}
}

// TestForestChoosesItsTries: where two of twelve features say everything, a split that
// sees a third of them mostly sees noise, and the forest must find that out; where many
// say the same, it need not look among all.
func TestForestChoosesItsTries(t *testing.T) {
	const n, d = 600, 12
	r := nn.NewRand(5)
	var b builder
	y := make([]float64, n)
	for j := range d {
		x := make([]float64, n)
		for i := range x {
			x[i] = r.Normal()
			if j < 2 {
				y[i] += math.Abs(x[i])
			}
		}
		b.floats(string(rune('a'+j)), genesis.Feature, x)
	}
	b.floats("y", genesis.Target, y)
	k := taskOf(t, b.Data, "y")
	rows := k.withTruth(k.fitRows, 0)
	squared := func(f *forest) (sum float64) {
		for _, row := range k.parts[genesis.Test] {
			e := f.predict(row).mean - k.targets[0].decode(k.y.Row(row)[0])
			sum += e * e
		}
		return sum
	}
	chosen, err := k.forest(t.Context(), rows, 0, newPool(2))
	if err != nil {
		t.Fatal(err)
	}
	third := &forest{t: k}
	bins := third.bin(rows)
	for _, g := range third.grow(t.Context(), bins, rows, d/3, 0, forestTrees, newPool(1)) {
		third.trees = append(third.trees, g.nodes)
	}
	if a, b := squared(chosen), squared(third); a > 0.8*b {
		t.Errorf("squared error %g, with a third of the features %g", a, b)
	}
	again, err := k.forest(t.Context(), rows, 0, newPool(1))
	if err != nil {
		t.Fatal(err)
	}
	if a, b := squared(chosen), squared(again); a != b {
		t.Errorf("two goroutines grow a forest with error %g, one with %g", a, b)
	}
}

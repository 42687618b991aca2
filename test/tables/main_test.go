package main

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opengenesis/genesis/internal/testdata"
)

// TestPublishedSplits goes through the product on two published splits of each
// set; `make tables` runs all twenty. The bounds on the error are those on the
// mean of the twenty: single splits scatter around it by a tenth.
func TestPublishedSplits(t *testing.T) {
	data := testdata.Dir(t)
	ctx := t.Context()
	p, err := build(ctx, filepath.Join(t.TempDir(), "genesis"), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	bounds := map[string]float64{"ccpp": 4.1, "concrete": 5.2}
	var outcomes []outcome
	for _, s := range published(data) {
		o, err := s.run(ctx, p, 2)
		if err != nil {
			t.Fatal(err)
		}
		outcomes = append(outcomes, o)
		net, _ := mean(o.values(score("net")))
		if !(net <= bounds[s.name]) {
			t.Errorf("%s: mean test RMSE %.3f %s, want at most %.1f", s.name, net, s.unit, bounds[s.name])
		}
		if ridge, _ := mean(o.values(score("ridge"))); !(net < ridge) {
			t.Errorf("%s: the net's RMSE %.3f loses to a straight line's %.3f", s.name, net, ridge)
		}
		if u, _ := mean(o.values(untouched)); !(u <= 0.05) {
			t.Errorf("%s: %.3f of untouched rows are flagged", s.name, u)
		}
		if f, _ := mean(o.values(scaled)); !(f >= 0.95) {
			t.Errorf("%s: with a feature times ten only %.3f of the rows are flagged", s.name, f)
		}
	}
	t.Run("a stored model is not trained again", func(t *testing.T) { testStored(t, p, outcomes[1]) })
	t.Run("the document names them", func(t *testing.T) { testDocument(t, outcomes) })
}

func testStored(t *testing.T, p *product, o outcome) {
	again, err := o.set.run(t.Context(), p, 1)
	if err != nil {
		t.Fatal(err)
	}
	if was, is := o.models[0].Version, again.models[0].Version; was != is {
		t.Errorf("version %v, was %v", is, was)
	}
	if _, ok := p.stored(t.Context(), "concrete-0", o.datasets[0].Ref(), "import-1", "0"); ok {
		t.Error("a model of another split is taken for the one wanted")
	}
}

func testDocument(t *testing.T, outcomes []outcome) {
	text := document(outcomes)
	for _, o := range outcomes {
		for _, want := range []string{o.title, o.reference, string(o.datasets[0].Digest), short(o.models[0].Version), short(o.models[1].Version)} {
			if !strings.Contains(text, want) {
				t.Errorf("the document lacks %q", want)
			}
		}
	}
}

func TestMean(t *testing.T) {
	m, e := mean([]float64{1, 2, 3, 4})
	if m != 2.5 || math.Abs(e-math.Sqrt(5.0/12)) > 1e-12 {
		t.Errorf("mean %g ± %g, want 2.5 ± √(5/12)", m, e)
	}
	if _, e := mean([]float64{7}); !math.IsNaN(e) {
		t.Errorf("one value has the standard error %g", e)
	}
}

package learn

import (
	"bytes"
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/nn"
)

// builder makes a table column by column.
type builder struct{ Data }

func (b *builder) floats(name string, role genesis.Role, xs []float64) *builder {
	v := format.Vector{Kind: format.Float, Floats: xs}
	for i, x := range xs {
		if math.IsNaN(x) {
			if v.Nulls == nil {
				v.Nulls = format.NewBitmap(len(xs))
			}
			v.Nulls.Set(i)
		}
	}
	return b.column(genesis.Column{Name: name, Type: genesis.Float, Role: role}, v)
}

func (b *builder) texts(name string, typ genesis.Type, role genesis.Role, xs []string) *builder {
	v := format.Vector{Kind: format.Text, Nulls: format.NewBitmap(len(xs))}
	for i, s := range xs {
		at := uint32(len(v.Buf))
		v.Buf = append(v.Buf, s...)
		v.Spans = append(v.Spans, format.Span{Start: at, End: uint32(len(v.Buf))})
		if s == "" {
			v.Nulls.Set(i)
		}
	}
	return b.column(genesis.Column{Name: name, Type: typ, Role: role}, v)
}

func (b *builder) column(c genesis.Column, v format.Vector) *builder {
	if b.Batch == nil {
		b.Batch = &format.Batch{Rows: v.Len()}
		b.Parts = make([]genesis.Part, v.Len())
		for i := range b.Parts {
			b.Parts[i] = []genesis.Part{genesis.Train, genesis.Train, genesis.Train, genesis.Train, genesis.Test}[i%5]
		}
	}
	b.Columns, b.Batch.Cols = append(b.Columns, c), append(b.Batch.Cols, v)
	return b
}

// wave is a table of y = sin(3a) + b² + noise that grows with |a|.
func wave(n int, seed uint64) Data {
	r := nn.NewRand(seed)
	a, b, y := make([]float64, n), make([]float64, n), make([]float64, n)
	for i := range n {
		a[i], b[i] = 2*r.Float64()-1, r.Normal()
		y[i] = 100 + 10*(math.Sin(3*a[i])+b[i]*b[i]+(0.1+0.4*math.Abs(a[i]))*r.Normal())
	}
	var t builder
	return t.floats("a", genesis.Feature, a).floats("b", genesis.Feature, b).floats("y", genesis.Target, y).Data
}

func small(p *Plan) {
	p.Hidden, p.Epochs, p.Members, p.Frequencies = []int{32}, min(p.Epochs, 30), 3, 4
}

func train(t testing.TB, d Data, opt Options) (*Model, *genesis.ModelReport) {
	t.Helper()
	if opt.Tune == nil {
		opt.Tune = small
	}
	m, r, err := Train(context.Background(), d, opt)
	if err != nil {
		t.Fatal(err)
	}
	return m, r
}

func TestRegression(t *testing.T) {
	_, r := train(t, wave(3000, 1), Options{Target: []string{"y"}})
	s := r.Targets[0].Scores["test"]
	if net, trivial := s[byNet][metricRMSE], s[byTrivial][metricRMSE]; net > 0.35*trivial {
		t.Errorf("the net's error is %g, the mean's %g", net, trivial)
	}
	if net, ridge := s[byNet][metricRMSE], s[byRidge][metricRMSE]; net > 0.6*ridge {
		t.Errorf("the net's error is %g, a straight line's %g", net, ridge)
	}
	if s[byForest][metricR2] < 0.8 {
		t.Errorf("the forest explains %g of the variance", s[byForest][metricR2])
	}
	if len(r.Curve) == 0 || r.Curve[len(r.Curve)-1].Train > r.Curve[0].Train/2 {
		t.Errorf("training did not lower the loss: %v", r.Curve)
	}
}

// TestCoverage averages over several tables: the conformal promise holds on
// average over draws of calibration rows. With about 160 calibration and 400
// test rows a draw, the mean of ten scatters by 0.012.
func TestCoverage(t *testing.T) {
	const draws = 10
	quick := func(p *Plan) { small(p); p.Members, p.Epochs = 2, 12 }
	levels := []float64{0.7, 0.9}
	actual := make([]float64, len(levels))
	for seed := range uint64(draws) {
		d := wave(2000, 10+seed)
		m, r := train(t, d, Options{Target: []string{"y"}, Seed: seed, Tune: quick})
		for k, level := range levels {
			share := coveredShare(t, m, d, level)
			actual[k] += share / draws
			if c := r.Targets[0].Coverage; c.Nominal == level && math.Abs(c.Actual-share) > 1e-9 {
				t.Errorf("the report says %g, prediction covers %g", c.Actual, share)
			}
		}
	}
	for k, level := range levels {
		if math.Abs(actual[k]-level) > 0.035 {
			t.Errorf("%g intervals cover %.3f of the held-out rows", level, actual[k])
		}
	}
}

// coveredShare is the share of test rows whose y lies in the predicted interval.
func coveredShare(t *testing.T, m *Model, d Data, level float64) float64 {
	out, err := m.Predict(d.Batch, d.Columns, level, 2)
	if err != nil {
		t.Fatal(err)
	}
	n, inside := 0.0, 0.0
	for i, y := range d.Batch.Cols[2].Floats {
		if d.Parts[i] == genesis.Test {
			n++
			inside += indicator64(out.Cols[1].Floats[i] <= y && y <= out.Cols[2].Floats[i])
		}
	}
	return inside / n
}

func TestIntervalsFollowTheNoise(t *testing.T) {
	d := wave(3000, 3)
	wide := func(p *Plan) { small(p); p.Hidden, p.Epochs, p.Members, p.Beta = []int{64, 64}, 40, 2, 0.5 }
	m, _ := train(t, d, Options{Target: []string{"y"}, Tune: wide})
	out, err := m.Predict(d.Batch, d.Columns, 0.9, 2)
	if err != nil {
		t.Fatal(err)
	}
	var calm, rough, calmN, roughN float64
	for i, a := range d.Batch.Cols[0].Floats {
		width := out.Cols[2].Floats[i] - out.Cols[1].Floats[i]
		switch {
		case math.Abs(a) < 0.2:
			calm, calmN = calm+width, calmN+1
		case math.Abs(a) > 0.8:
			rough, roughN = rough+width, roughN+1
		}
	}
	if rough/roughN < 1.3*calm/calmN {
		t.Errorf("intervals are %g wide where the noise is great and %g where it is small", rough/roughN, calm/calmN)
	}
}

// TestDeterminism requires the same bytes from any number of goroutines.
func TestDeterminism(t *testing.T) {
	d := wave(1200, 4)
	tuned := func(p *Plan) { small(p); p.Batch, p.Epochs = 300, 4 }
	var first map[string][]byte
	for _, threads := range []int{1, 2, 7} {
		m, _ := train(t, d, Options{Target: []string{"y"}, Seed: 9, Threads: threads, Tune: tuned})
		parts, err := m.Parts()
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = parts
		}
		for name, b := range parts {
			if !bytes.Equal(b, first[name]) {
				t.Errorf("%s differs between 1 and %d threads", name, threads)
			}
		}
	}
	m, _ := train(t, d, Options{Target: []string{"y"}, Seed: 10, Tune: tuned})
	if parts, _ := m.Parts(); bytes.Equal(parts[partWeights], first[partWeights]) {
		t.Error("another seed gives the same weights")
	}
}

// TestTestRowsAreOnlyMeasured changes every value of the test rows: the model,
// with its calibration and thresholds, must stay the same bytes, with and
// without a validation part.
func TestTestRowsAreOnlyMeasured(t *testing.T) {
	for _, validation := range []bool{false, true} {
		var models []map[string][]byte
		for _, add := range []float64{0, 1000} {
			d := wave(900, 15)
			for i := range d.Parts {
				if validation && i%7 == 0 && d.Parts[i] == genesis.Train {
					d.Parts[i] = genesis.Validation
				}
				for j := range d.Batch.Cols {
					if d.Parts[i] == genesis.Test {
						d.Batch.Cols[j].Floats[i] += add
					}
				}
			}
			m, _ := train(t, d, Options{Target: []string{"y"}, Tune: func(p *Plan) { small(p); p.Epochs = 6 }})
			parts, err := m.Parts()
			if err != nil {
				t.Fatal(err)
			}
			models = append(models, parts)
		}
		for name := range models[0] {
			if !bytes.Equal(models[0][name], models[1][name]) {
				t.Errorf("with a validation part %v: %s depends on test rows", validation, name)
			}
		}
	}
}

// TestPredictAlone requires a row's prediction not to depend on its batch, and
// a stored model to predict as the original.
func TestPredictAlone(t *testing.T) {
	d := wave(700, 5)
	m, _ := train(t, d, Options{Target: []string{"y"}})
	parts, err := m.Parts()
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(parts)
	if err != nil {
		t.Fatal(err)
	}
	again, _ := loaded.Parts()
	for name := range parts {
		if !bytes.Equal(parts[name], again[name]) {
			t.Errorf("%s changes when loaded and stored again", name)
		}
	}
	all, err := m.Predict(d.Batch, d.Columns, 0.9, 3)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{0, 1, 299, 699} {
		one := &format.Batch{Rows: 1}
		for _, v := range d.Batch.Cols {
			one.Cols = append(one.Cols, format.Vector{Kind: format.Float, Floats: v.Floats[i : i+1]})
		}
		got, err := loaded.Predict(one, d.Columns, 0.9, 1)
		if err != nil {
			t.Fatal(err)
		}
		for c, v := range got.Cols {
			if v.Kind == format.Float && v.Floats[0] != all.Cols[c].Floats[i] || v.Kind == format.Bool && v.Ints[0] != all.Cols[c].Ints[i] {
				t.Errorf("row %d, column %s: %v alone, else among others", i, m.Outputs()[c].Name, v)
			}
		}
	}
}

// memory is a checkpoint that stops the training after some saves.
type memory struct {
	state []byte
	left  int
	stop  context.CancelFunc
}

func (m *memory) Load() ([]byte, bool) { return m.state, m.state != nil }
func (m *memory) Save(b []byte) error {
	m.state = b
	if m.left--; m.left == 0 {
		m.stop()
	}
	return nil
}

func TestResume(t *testing.T) {
	defer func(d time.Duration) { saveEvery = d }(saveEvery)
	saveEvery = 0
	d := wave(600, 6)
	opt := Options{Target: []string{"y"}, Tune: func(p *Plan) { small(p); p.Epochs = 9 }}
	whole, _ := train(t, d, opt)
	want, _ := whole.Parts()
	ctx, stop := context.WithCancel(context.Background())
	kept := &memory{left: 4, stop: stop}
	opt.Checkpoint = kept
	if _, _, err := Train(ctx, d, opt); genesis.KindOf(err) != genesis.Canceled {
		t.Fatalf("a stopped training returns %v", err)
	}
	kept.stop = func() {}
	m, r := train(t, d, opt)
	if !m.Resumed() || len(r.Curve) != r.Epochs {
		t.Errorf("resumed: %v, %d points for %d epochs", m.Resumed(), len(r.Curve), r.Epochs)
	}
	got, _ := m.Parts()
	for name := range want {
		if !bytes.Equal(got[name], want[name]) {
			t.Errorf("%s differs after a resumed training", name)
		}
	}
	// Another training's state is left alone.
	opt.Seed = 77
	if m, _ := train(t, d, opt); m.Resumed() {
		t.Error("a training resumed from the state of another")
	}
}

func TestCancel(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	opt := Options{Target: []string{"y"}, Progress: func(e genesis.Event) {
		if e.Done == 2 {
			stop()
		}
	}}
	_, _, err := Train(ctx, wave(2000, 7), opt)
	if genesis.KindOf(err) != genesis.Canceled || !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestUnusualRows(t *testing.T) {
	d := wave(3000, 8)
	for i := range d.Batch.Cols[0].Floats {
		d.Batch.Cols[0].Floats[i] += 5 // away from 0
	}
	m, r := train(t, d, Options{Target: []string{"y"}})
	if *r.OOD.Untouched > 0.05 {
		t.Errorf("%g of untouched rows are flagged", *r.OOD.Untouched)
	}
	b := &format.Batch{Rows: d.Batch.Rows, Cols: slices.Clone(d.Batch.Cols)}
	b.Cols[0].Floats = slices.Clone(b.Cols[0].Floats)
	for i := range b.Cols[0].Floats {
		b.Cols[0].Floats[i] *= 10
	}
	out, err := m.Predict(b, d.Columns, 0, 2)
	if err != nil {
		t.Fatal(err)
	}
	flagged := 0
	for i, v := range out.Cols[4].Ints {
		flagged += int(v)
		if (v == 1) != (out.Cols[5].Floats[i] > 1) {
			t.Fatalf("row %d: flag %d, score %g", i, v, out.Cols[5].Floats[i])
		}
	}
	if share := float64(flagged) / float64(b.Rows); share < 0.95 {
		t.Errorf("with one feature times ten %g of the rows are flagged", share)
	}
}

// TestWrongUnitWithinTheRange multiplies small values by ten: they stay among
// the ordinary ones, but no longer fit the other column, which shows in
// logarithms only, because both span three decades.
func TestWrongUnitWithinTheRange(t *testing.T) {
	r := nn.NewRand(17)
	const n = 2000
	a, b, y := make([]float64, n), make([]float64, n), make([]float64, n)
	for i := range n {
		size := math.Exp(7 * r.Float64())
		a[i], b[i] = size*math.Exp(0.2*r.Normal()), size*math.Exp(0.2*r.Normal())
		y[i] = math.Log(size) + 0.1*r.Normal()
	}
	var bd builder
	d := bd.floats("a", genesis.Feature, a).floats("b", genesis.Feature, b).floats("y", genesis.Target, y).Data
	m, rep := train(t, d, Options{Target: []string{"y"}, Tune: func(p *Plan) { small(p); p.Epochs = 4 }})
	if *rep.OOD.Untouched > 0.05 || *rep.OOD.Scaled < 0.99 {
		t.Errorf("flagged untouched %g, times ten %g", *rep.OOD.Untouched, *rep.OOD.Scaled)
	}
	plain := *m.ood
	plain.Logs.Precision = nil
	m.ood = &plain
	if share, ok := m.scaledShare(taskOf(t, d, "y"), 0, rows(200)); !ok || share > 0.9 {
		t.Errorf("without logarithms %g are found: this test shows nothing", share)
	}
}

func taskOf(t *testing.T, d Data, target string) *task {
	t.Helper()
	k, err := newTask(d, Options{Target: []string{target}}.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func rows(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// mixed is a table with every kind of column and two targets.
func mixed(n int) Data {
	r := nn.NewRand(21)
	color, size, at := make([]string, n), make([]float64, n), make([]int64, n)
	y, class, note := make([]float64, n), make([]string, n), make([]string, n)
	angle := make([]float64, n)
	for i := range n {
		color[i] = []string{"red", "green", "blue", ""}[r.Intn(4)]
		size[i], angle[i] = r.Normal(), 360*r.Float64()
		at[i] = int64(i) * 3600 * 1e6 * 5
		y[i] = size[i] + 3*indicator64(color[i] == "red") - 2*indicator64(color[i] == "") +
			2*math.Sin(2*math.Pi*float64(at[i]/3600e6%24)/24) + 2*math.Cos(angle[i]*math.Pi/180) + 0.1*r.Normal()
		class[i] = "low"
		if y[i] > 2 {
			class[i] = "High!"
		} else if y[i] > 0 {
			class[i] = "mid"
		}
		if r.Intn(4) == 0 {
			class[i] = ""
		}
		if r.Intn(5) == 0 {
			y[i] = math.NaN()
		}
		if r.Intn(6) == 0 {
			size[i] = math.NaN()
		}
		note[i] = "free text " + string(rune('a'+i%26))
	}
	var b builder
	b.texts("color", genesis.Categorical, genesis.Feature, color).floats("size", genesis.Feature, size)
	b.column(genesis.Column{Name: "at", Type: genesis.Timestamp, Role: genesis.Time}, format.Vector{Kind: format.Timestamp, Ints: at})
	b.column(genesis.Column{Name: "bearing", Type: genesis.Float, Semantic: genesis.Angle, Role: genesis.Feature}, format.Vector{Kind: format.Float, Floats: angle})
	b.texts("note", genesis.Text, genesis.Feature, note)
	b.floats("y", genesis.Target, y).texts("class", genesis.Categorical, genesis.Target, class)
	return b.Data
}

func indicator64(b bool) float64 { return float64(indicator(b)) }

func TestMixedColumnsAndTargets(t *testing.T) {
	d := mixed(3000)
	m, r := train(t, d, Options{Target: []string{"y", "class"}, Tune: func(p *Plan) { small(p); p.Hidden, p.Epochs = []int{64, 64}, 40 }})
	y, class := r.Targets[0], r.Targets[1]
	if r2 := y.Scores["test"][byNet][metricR2]; r2 < 0.75 {
		t.Errorf("y: R² %g: some kind of column is not learned from", r2)
	}
	if class.Task != "multiclass" || class.Scores["test"][byNet][metricAccuracy] < 0.75 {
		t.Errorf("class: %v %v", class.Task, class.Scores["test"])
	}
	if c := class.Coverage; c.Actual < 0.85 || c.Width > 2 {
		t.Errorf("class sets: %+v", *c)
	}
	if !slices.ContainsFunc(r.Notes, func(s string) bool { return strings.Contains(s, `"note"`) }) {
		t.Errorf("notes do not tell that free text is left out: %q", r.Notes)
	}
	var names []string
	for _, c := range m.Outputs() {
		names = append(names, c.Name)
	}
	want := "y_predicted y_low y_high y_sd class_predicted class_p_high class_p_low class_p_mid class_set ood ood_score"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("outputs %s\nwant    %s", got, want)
	}
	out, err := m.Predict(d.Batch, d.Columns, 0.9, 2)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		sum := out.Cols[5].Floats[i] + out.Cols[6].Floats[i] + out.Cols[7].Floats[i]
		if math.Abs(sum-1) > 1e-5 {
			t.Fatalf("row %d: probabilities sum to %g", i, sum)
		}
	}
}

func TestBinary(t *testing.T) {
	r := nn.NewRand(31)
	const n = 1500
	x, y := make([]float64, n), make([]int64, n)
	for i := range n {
		x[i] = r.Normal()
		if math.Abs(x[i])+0.2*r.Normal() > 0.7 {
			y[i] = 1
		}
	}
	var b builder
	b.floats("x", genesis.Feature, x)
	b.column(genesis.Column{Name: "ill", Type: genesis.Boolean, Role: genesis.Target}, format.Vector{Kind: format.Bool, Ints: y})
	m, rep := train(t, b.Data, Options{Target: []string{"ill"}})
	s := rep.Targets[0].Scores["test"]
	if s[byNet][metricAUC] < 0.95 || s[byRidge][metricAUC] > 0.7 {
		t.Errorf("net %v, ridge %v", s[byNet], s[byRidge])
	}
	if c := m.Outputs()[0]; c.Type != genesis.Boolean || c.Name != "ill_predicted" {
		t.Errorf("output %+v", c)
	}
}

func TestRefusals(t *testing.T) {
	d := wave(200, 12)
	constant := wave(200, 12)
	constant.Batch.Cols[2].Floats = make([]float64, 200)
	for name, c := range map[string]struct {
		d   Data
		opt Options
	}{
		"no target":        {d, Options{}},
		"unknown target":   {d, Options{Target: []string{"z"}}},
		"unknown feature":  {d, Options{Target: []string{"y"}, Features: []string{"q"}}},
		"constant target":  {constant, Options{Target: []string{"y"}}},
		"too few rows":     {wave(10, 1), Options{Target: []string{"y"}}},
		"parts do not fit": {Data{d.Columns, d.Batch, d.Parts[:5]}, Options{Target: []string{"y"}}},
	} {
		if _, _, err := Train(context.Background(), c.d, c.opt); genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("%s: error %v, want one of kind invalid", name, err)
		}
	}
	m, _ := train(t, d, Options{Target: []string{"y"}, Tune: func(p *Plan) { small(p); p.Epochs = 1 }})
	if _, err := m.Predict(d.Batch, d.Columns[1:], 0.9, 1); genesis.KindOf(err) != genesis.Invalid || !strings.Contains(err.Error(), `"a"`) {
		t.Errorf("a missing column gives %v", err)
	}
}

func TestBaseline(t *testing.T) {
	p, err := Baseline(context.Background(), wave(2000, 13), Options{Target: []string{"y"}})
	if err != nil {
		t.Fatal(err)
	}
	if p.Margin < 0.5 || p.Net >= p.Trivial || p.Rows == 0 || p.Metric != "rmse" {
		t.Errorf("proof %+v", p)
	}
}

func TestGroupsStayTogether(t *testing.T) {
	d := wave(1000, 14)
	groups := make([]string, 1000)
	for i := range groups {
		groups[i] = string(rune('A' + i/50))
	}
	b := builder{d}
	b.texts("site", genesis.Categorical, genesis.Group, groups)
	tk, err := newTask(b.Data, Options{Target: []string{"y"}}.withDefaults())
	if err != nil {
		t.Fatal(err)
	}
	side := map[string]string{}
	note := func(rows []int, what func(r int) string) {
		for _, r := range rows {
			g := groups[tk.raw[r]]
			if old, ok := side[g]; ok && old != what(r) {
				t.Fatalf("group %s is in %s and %s", g, old, what(r))
			}
			side[g] = what(r)
		}
	}
	note(tk.calibration, func(int) string { return "calibration" })
	note(tk.fitRows, func(r int) string { return "fold " + string(rune('0'+tk.fold[r]%10)) })
}

// FuzzLoad requires that whatever loads also predicts.
func FuzzLoad(f *testing.F) {
	d := wave(200, 15)
	m, _ := train(f, d, Options{Target: []string{"y"}, Tune: func(p *Plan) { small(p); p.Members, p.Hidden, p.Epochs = 1, []int{4}, 1 }})
	parts, _ := m.Parts()
	f.Add(parts[partModel], parts[partWeights])
	f.Add([]byte(`{"format":1,"members":1,"network":{"hidden":[999999999]}}`), []byte{})
	f.Add([]byte(`{"format":9}`), parts[partWeights])
	f.Add(parts[partModel], parts[partWeights][:len(parts[partWeights])/2])
	f.Fuzz(func(t *testing.T, doc, weights []byte) {
		if len(doc) > 1<<16 || len(weights) > 1<<16 {
			return
		}
		m, err := Load(map[string][]byte{partModel: doc, partWeights: weights})
		if err != nil {
			if k := genesis.KindOf(err); k != genesis.Invalid && k != genesis.Unsupported {
				t.Fatalf("error of kind %s: %v", k, err)
			}
			return
		}
		b := &format.Batch{Rows: 3, Cols: d.Batch.Cols}
		if _, err := m.Predict(b, d.Columns, 0.9, 1); err != nil && genesis.KindOf(err) != genesis.Invalid {
			t.Fatal(err)
		}
	})
}

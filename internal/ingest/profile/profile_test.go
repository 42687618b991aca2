package profile

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

func floats(xs ...float64) *format.Vector { return &format.Vector{Kind: format.Float, Floats: xs} }

func texts(xs ...string) *format.Vector {
	return textVector(len(xs), func(i int) string { return xs[i] })
}

func withNulls(v *format.Vector, rows ...int) *format.Vector {
	v.Nulls = format.NewBitmap(v.Len())
	for _, r := range rows {
		v.Nulls.Set(r)
	}
	return v
}

// one profiles a single column without a target.
func one(col genesis.Column, vs ...*format.Vector) genesis.ColumnProfile {
	t := NewTable("t", []genesis.Column{col}, "")
	var rows int64
	for _, v := range vs {
		t.Column(0).Add(v, nil)
		rows += int64(v.Len())
	}
	return t.Result(rows, 0).Columns[0]
}

// slice cuts rows lo…hi out of a vector.
func slice(v *format.Vector, lo, hi int) *format.Vector {
	out := &format.Vector{Kind: v.Kind, Buf: v.Buf}
	switch v.Kind {
	case format.Text:
		out.Spans = v.Spans[lo:hi]
	case format.Float:
		out.Floats = v.Floats[lo:hi]
	default:
		out.Ints = v.Ints[lo:hi]
	}
	if v.Nulls != nil {
		out.Nulls = format.NewBitmap(hi - lo)
		for i := lo; i < hi; i++ {
			if v.Nulls.Get(i) {
				out.Nulls.Set(i - lo)
			}
		}
	}
	return out
}

func TestSmallNumericColumnIsExact(t *testing.T) {
	p := one(genesis.Column{Name: "x", Type: genesis.Float},
		withNulls(floats(1, 2, 99, 2, math.Inf(1), math.NaN(), math.Copysign(0, -1), 0, 5), 2))
	if p.Count != 8 || p.Nulls != 1 {
		t.Errorf("count %d, nulls %d; want 8, 1", p.Count, p.Nulls)
	}
	if p.Distinct != 6 || p.DistinctError != 0 { // 1 2 +Inf NaN 0 5
		t.Errorf("distinct %d ± %g, want 6 exactly", p.Distinct, p.DistinctError)
	}
	if *p.Min != 0 || *p.Max != 5 || math.Abs(*p.Mean-10.0/6) > 1e-15 {
		t.Errorf("min %g max %g mean %g", *p.Min, *p.Max, *p.Mean)
	}
	if want := math.Sqrt((34 - 100.0/6) / 5); math.Abs(*p.SD-want) > 1e-12 {
		t.Errorf("sd %g, want %g", *p.SD, want)
	}
	if p.QuantileError != 0 {
		t.Errorf("quantile error %g of six values, want 0", p.QuantileError)
	}
	want := []genesis.ValueCount{{Value: "2", Count: 2}, {Value: "0", Count: 2}}
	if diff := cmp.Diff(want, p.Top[:2]); diff != "" {
		t.Errorf("top (-want +got):\n%s", diff)
	}
	if _, err := json.Marshal(p); err != nil {
		t.Errorf("a profile with infinities cannot be written: %v", err)
	}
}

func TestLargeOffsetDoesNotCancel(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	xs := make([]float64, 100_000)
	var exact moments
	for i := range xs {
		d := r.NormFloat64()
		exact.add([]float64{d})
		xs[i] = 1e9 + d
	}
	p := one(genesis.Column{Name: "x", Type: genesis.Float}, floats(xs...))
	want, _ := exact.sd()
	if math.Abs(*p.SD/want-1) > 1e-6 {
		t.Errorf("sd %v about 1e9, want %v", *p.SD, want)
	}
}

func TestQuantilesKeepTheirStatedError(t *testing.T) {
	shapes := map[string]func(i int, r *rand.Rand) float64{
		"normal":     func(_ int, r *rand.Rand) float64 { return r.NormFloat64() },
		"rising":     func(i int, _ *rand.Rand) float64 { return float64(i) },
		"falling":    func(i int, _ *rand.Rand) float64 { return -float64(i) },
		"heavy":      func(_ int, r *rand.Rand) float64 { return math.Exp(4 * r.NormFloat64()) },
		"few values": func(_ int, r *rand.Rand) float64 { return float64(r.IntN(7)) },
		"sawtooth":   func(i int, _ *rand.Rand) float64 { return float64(i % 1000) },
	}
	for name, at := range shapes {
		for _, columns := range []int{1, 1000, 10_000} {
			r := rand.New(rand.NewPCG(5, 6))
			xs := make([]float64, 400_000)
			for i := range xs {
				xs[i] = at(i, r)
			}
			n := newNumeric(false, sizeFor(columns))
			n.addFloats(floats(xs...))
			var p genesis.ColumnProfile
			n.describe(&p)
			slices.Sort(xs)
			checkRanks(t, name, xs, p)
		}
	}
}

func checkRanks(t *testing.T, name string, sorted []float64, p genesis.ColumnProfile) {
	t.Helper()
	if p.QuantileError <= 0 || p.QuantileError > .06 {
		t.Errorf("%s: stated error %g", name, p.QuantileError)
	}
	n := float64(len(sorted))
	for _, q := range p.Quantiles {
		lo, _ := slices.BinarySearch(sorted, q.Value)
		hi, _ := slices.BinarySearch(sorted, math.Nextafter(q.Value, math.Inf(1)))
		below := float64(lo)/n - p.QuantileError
		above := float64(hi)/n + p.QuantileError
		if q.P < below || q.P > above {
			t.Errorf("%s: quantile %g has rank %g…%g, beyond ±%g", name, q.P, float64(lo)/n, float64(hi)/n, p.QuantileError)
		}
	}
}

func TestDistinctEstimate(t *testing.T) {
	for _, n := range []int{4096, 4097, 20_000, 1_000_000} {
		xs := make([]int64, n)
		for i := range xs {
			xs[i] = int64(i) * 1000
		}
		v := &format.Vector{Kind: format.Int, Ints: xs}
		p := one(genesis.Column{Name: "x", Type: genesis.Integer}, v, v)
		if (p.DistinctError == 0) != (n <= 4096) {
			t.Errorf("%d distinct: error stated %g", n, p.DistinctError)
		}
		if off := math.Abs(float64(p.Distinct)/float64(n) - 1); off > 4*p.DistinctError {
			t.Errorf("%d distinct: estimated %d, %.1f standard errors off", n, p.Distinct, off/p.DistinctError)
		}
	}
}

func TestHistogramCountsExactly(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	gen := map[string]func(i int) float64{
		"normal":    func(int) float64 { return r.NormFloat64() },
		"sentinels": func(i int) float64 { return map[bool]float64{true: -9999, false: r.Float64()}[i%100 == 0] },
		"zero then small": func(i int) float64 {
			return map[bool]float64{true: 0, false: 1e-300 * r.Float64()}[i < 5000]
		},
		"widest":    func(i int) float64 { return math.MaxFloat64 * (2*r.Float64() - 1) },
		"smallest":  func(i int) float64 { return 5e-324 * float64(r.IntN(1000)) },
		"one value": func(int) float64 { return 42 },
		"huge step": func(i int) float64 { return 1e16 + float64(2*r.IntN(3)) },
	}
	for name, at := range gen {
		xs := make([]float64, 20_000)
		for i := range xs {
			xs[i] = at(i)
		}
		bins := one(genesis.Column{Name: "x", Type: genesis.Float}, floats(xs...)).Histogram
		if len(bins) > maxBins || len(bins) == 0 {
			t.Fatalf("%s: %d bins", name, len(bins))
		}
		var total int64
		for i, b := range bins {
			total += b.Count
			var want int64
			for _, x := range xs {
				if x >= b.Low && (x < b.High || i == len(bins)-1 && x <= b.High) {
					want++
				}
			}
			if b.Count != want {
				t.Errorf("%s: bin %g…%g counts %d, want %d", name, b.Low, b.High, b.Count, want)
			}
		}
		if total != int64(len(xs)) {
			t.Errorf("%s: %d counted of %d", name, total, len(xs))
		}
	}
}

func TestTopValuesAfterOverflow(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	xs := make([]float64, 300_000)
	count := 0
	for i := range xs {
		xs[i] = r.Float64()
		if i > 50_000 && i%20 == 0 { // begins late: not among the first 4096
			xs[i] = -9999
			count++
		}
	}
	p := one(genesis.Column{Name: "x", Type: genesis.Float}, floats(xs...))
	if len(p.Top) != 1 || p.Top[0].Value != "-9999" {
		t.Fatalf("top is %v, want -9999 alone", p.Top)
	}
	if got := p.Top[0].Count; got > int64(count) || float64(got) < .98*float64(count) {
		t.Errorf("-9999 counted %d times of %d", got, count)
	}
}

func TestBatchesDoNotMatter(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	n := 30_000
	xs, is, ws := make([]float64, n), make([]int64, n), make([]string, n)
	for i := range n {
		xs[i], is[i] = r.NormFloat64(), int64(i)*1e6+int64(r.IntN(3))
		ws[i] = strings.Repeat("w", 1+r.IntN(9)) + string(rune('a'+r.IntN(26)))
	}
	cols := []genesis.Column{
		{Name: "y", Type: genesis.Float}, {Name: "x", Type: genesis.Float},
		{Name: "t", Type: genesis.Timestamp}, {Name: "w", Type: genesis.Categorical},
	}
	vs := []*format.Vector{
		floats(xs...), withNulls(floats(slices.Clone(xs)...), 1, 70, 9000),
		{Kind: format.Timestamp, Ints: is}, texts(ws...),
	}
	profile := func(cut int) genesis.TableProfile {
		tab := NewTable("t", cols, "y")
		for lo := 0; lo < n; lo += cut {
			hi := min(n, lo+cut)
			for j, v := range vs {
				tab.Column(j).Add(slice(v, lo, hi), slice(vs[0], lo, hi))
			}
		}
		return tab.Result(int64(n), 0)
	}
	want := profile(n)
	for _, cut := range []int{1, 63, 4096, 5000} {
		if diff := cmp.Diff(want, profile(cut)); diff != "" {
			t.Errorf("batches of %d change the profile (-whole +cut):\n%s", cut, diff)
		}
	}
}

func TestPersonColumnNamesNoValue(t *testing.T) {
	p := one(genesis.Column{Name: "mail", Type: genesis.Text, Semantic: genesis.Person},
		texts("ada@example.org", "ada@example.org", "bob@example.org"))
	out, _ := json.Marshal(p)
	if strings.Contains(string(out), "example.org") || p.Top != nil {
		t.Errorf("a person-like column shows values: %s", out)
	}
	if p.Distinct != 2 {
		t.Errorf("distinct %d, want 2", p.Distinct)
	}
	born := one(genesis.Column{Name: "born", Type: genesis.Integer, Semantic: genesis.Person},
		&format.Vector{Kind: format.Int, Ints: []int64{1970, 1980}})
	if born.Top != nil {
		t.Errorf("a person-like number shows values: %v", born.Top)
	}
}

func TestTextColumn(t *testing.T) {
	p := one(genesis.Column{Name: "s", Type: genesis.Categorical}, texts("b", "a", "ccc", "a", ""))
	want := genesis.ColumnProfile{
		Name: "s", Count: 5, Distinct: 4,
		Top:     []genesis.ValueCount{{Value: "a", Count: 2}, {Value: "b", Count: 1}, {Value: "ccc", Count: 1}, {Value: "", Count: 1}},
		Lengths: &genesis.LengthRange{Min: 0, Max: 3},
	}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("profile (-want +got):\n%s", diff)
	}
	long := one(genesis.Column{Name: "s", Type: genesis.Text}, texts(strings.Repeat("é", 500)))
	if got := long.Top[0].Value; got != strings.Repeat("é", 128)+"…" {
		t.Errorf("a long text is shown as %q", got)
	}
}

func TestTimes(t *testing.T) {
	const minute = int64(60e6)
	ten := func(i ...int64) []int64 {
		out := make([]int64, len(i))
		for k, x := range i {
			out[k] = 10 * minute * x
		}
		return out
	}
	tests := []struct {
		name  string
		times []int64
		step  string
		gaps  []genesis.Gap
	}{
		{"rising", ten(0, 1, 2, 3, 6, 7), "10m0s", []genesis.Gap{{From: "1970-01-01T00:30:00Z", To: "1970-01-01T01:00:00Z"}}},
		{"falling", ten(7, 6, 3, 2, 1, 0), "10m0s", []genesis.Gap{{From: "1970-01-01T00:30:00Z", To: "1970-01-01T01:00:00Z"}}},
		{"two stations", ten(0, 1, 2, 5, 6, 0, 1, 2, 3, 4), "10m0s", nil},
		{"two stations, one gap", ten(0, 1, 2, 5, 6, 0, 1, 2, 6, 7, 8), "10m0s", []genesis.Gap{{From: "1970-01-01T00:20:00Z", To: "1970-01-01T00:50:00Z"}}},
		{"repeated", ten(0, 0, 1, 1, 2), "10m0s", nil},
		{"no pace", ten(0, 1, 3, 7, 20), "", nil},
		{"one", ten(4), "", nil},
	}
	for _, test := range tests {
		p := one(genesis.Column{Name: "t", Type: genesis.Timestamp}, &format.Vector{Kind: format.Timestamp, Ints: test.times})
		if p.Step != test.step {
			t.Errorf("%s: step %q, want %q", test.name, p.Step, test.step)
		}
		if diff := cmp.Diff(test.gaps, p.Gaps); diff != "" {
			t.Errorf("%s: gaps (-want +got):\n%s", test.name, diff)
		}
		if p.GapCount != int64(len(test.gaps)) {
			t.Errorf("%s: gap count %d, want %d", test.name, p.GapCount, len(test.gaps))
		}
	}
	d := one(genesis.Column{Name: "d", Type: genesis.Date}, &format.Vector{Kind: format.Date, Ints: []int64{0, 1, 2, 19000}})
	if d.First != "1970-01-01" || d.Last != "2022-01-08" || d.Step != "24h0m0s" || d.GapCount != 1 {
		t.Errorf("dates: %q…%q step %q, %d gaps", d.First, d.Last, d.Step, d.GapCount)
	}
}

func TestGapsBeyondTheNamedOnesAreCounted(t *testing.T) {
	var ts []int64
	at := int64(0)
	for i := range 1000 {
		at += 1e6
		if i%20 == 19 {
			at += int64(i) * 1e6
		}
		ts = append(ts, at)
	}
	p := one(genesis.Column{Name: "t", Type: genesis.Timestamp}, &format.Vector{Kind: format.Timestamp, Ints: ts})
	if p.GapCount != 50 || len(p.Gaps) != maxGaps {
		t.Errorf("%d gaps counted, %d named; want 50, %d", p.GapCount, len(p.Gaps), maxGaps)
	}
	if want := "1970-01-01T"; !strings.HasPrefix(p.Gaps[0].From, want) {
		t.Errorf("first gap %v", p.Gaps[0])
	}
}

func TestAssociation(t *testing.T) {
	near := cmpopts.EquateApprox(1e-9, 1e-12)
	num := func(n string) genesis.Column { return genesis.Column{Name: n, Type: genesis.Float} }
	cat := func(n string) genesis.Column { return genesis.Column{Name: n, Type: genesis.Categorical} }
	x, y := floats(1, 2, 3, 4), floats(2, 4, 6, 9)
	tests := []struct {
		name      string
		col, goal genesis.Column
		v, target *format.Vector
		want      *genesis.Association
	}{
		{"numbers", num("x"), num("y"), x, y, &genesis.Association{Measure: "pearson", Value: 0.9943767126843, Rows: 4}},
		{"missing pairs", num("x"), num("y"), withNulls(floats(1, 2, 3, 4, 7), 4), floats(2, 4, 6, 9, 0), &genesis.Association{Measure: "pearson", Value: 0.9943767126843, Rows: 4}},
		{"category", cat("x"), num("y"), texts("a", "a", "b", "b"), floats(1, 3, 5, 7), &genesis.Association{Measure: "eta2", Value: 0.8, Rows: 4}},
		{"category target", num("x"), cat("y"), floats(1, 3, 5, 7), texts("a", "a", "b", "b"), &genesis.Association{Measure: "eta2", Value: 0.8, Rows: 4}},
		{"categories", cat("x"), cat("y"), texts("a", "a", "b", "b"), texts("u", "u", "v", "v"), &genesis.Association{Measure: "cramers-v", Value: 1, Rows: 4}},
		{"independent", cat("x"), cat("y"), texts("a", "a", "b", "b"), texts("u", "v", "u", "v"), &genesis.Association{Measure: "cramers-v", Value: 0, Rows: 4}},
		{"constant", num("x"), num("y"), floats(1, 1, 1, 1), y, nil},
		{"free text", genesis.Column{Name: "x", Type: genesis.Text}, num("y"), texts("a", "b", "c", "d"), y, nil},
	}
	for _, test := range tests {
		tab := NewTable("t", []genesis.Column{test.col, test.goal}, "y")
		tab.Column(0).Add(test.v, test.target)
		tab.Column(1).Add(test.target, test.target)
		got := tab.Result(int64(test.v.Len()), 0).Columns
		if diff := cmp.Diff(test.want, got[0].Association, near); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
		if got[1].Association != nil {
			t.Errorf("%s: the target is associated with itself", test.name)
		}
	}
}

func TestTooManyCategoriesHaveNoAssociation(t *testing.T) {
	n := 5000
	names := textVector(n, func(i int) string { return strings.Repeat("x", i%7) + string(rune(0x4e00+i)) })
	ys := make([]float64, n)
	for i := range ys {
		ys[i] = float64(i)
	}
	tab := NewTable("t", []genesis.Column{{Name: "x", Type: genesis.Categorical}, {Name: "y", Type: genesis.Float}}, "y")
	tab.Column(0).Add(names, floats(ys...))
	if a := tab.Result(int64(n), 0).Columns[0].Association; a != nil {
		t.Errorf("5000 categories of 5000 rows: %+v, want none", a)
	}
}

func TestCollidingKeysStayBounded(t *testing.T) {
	tab := tally{max: 4096}
	rejected := 0
	for k, n := uint64(0), 0; n < 300; k++ {
		h := mix(k)
		if h&0x1ff != 7 { // all want one slot of the first 512
			continue
		}
		n++
		if _, ok := tab.count(k, h, 1); !ok {
			rejected++
		}
	}
	if tab.n+rejected != 300 {
		t.Errorf("%d kept and %d rejected of 300 keys", tab.n, rejected)
	}
	sum := int64(0)
	for _, e := range tab.entries() {
		sum += e.count
	}
	if sum != int64(tab.n) {
		t.Errorf("entries count %d, keys %d", sum, tab.n)
	}
}

func TestEmptyColumn(t *testing.T) {
	for _, typ := range []genesis.Type{genesis.Float, genesis.Integer, genesis.Boolean, genesis.Timestamp, genesis.Date, genesis.Text} {
		got := one(genesis.Column{Name: "x", Type: typ})
		if diff := cmp.Diff(genesis.ColumnProfile{Name: "x"}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", typ, diff)
		}
	}
}

func FuzzFloats(f *testing.F) {
	f.Add([]byte("0123456789abcdef"), uint8(3))
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0xf0, 0x7f, 1, 0, 0, 0, 0, 0, 0, 0}, uint8(1))
	f.Fuzz(func(t *testing.T, raw []byte, repeat uint8) {
		var xs []float64
		for i := 0; i+8 <= len(raw); i += 8 {
			var b uint64
			for _, c := range raw[i : i+8] {
				b = b<<8 | uint64(c)
			}
			xs = append(xs, math.Float64frombits(b))
		}
		vs := make([]*format.Vector, 1+repeat%4)
		for i := range vs {
			vs[i] = floats(xs...)
		}
		p := one(genesis.Column{Name: "x", Type: genesis.Float}, vs...)
		if _, err := json.Marshal(p); err != nil {
			t.Fatal(err)
		}
		var in int64
		for _, b := range p.Histogram {
			in += b.Count
		}
		if in > p.Count {
			t.Fatalf("histogram counts %d of %d values", in, p.Count)
		}
	})
}

package split

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

func TestParse(t *testing.T) {
	tests := []struct {
		in   string
		want Spec
	}{
		{"random", Spec{Name: "random", Kind: Random}},
		{"group:station", Spec{Name: "group-station", Kind: Group, Column: "station"}},
		{"time:t", Spec{Name: "time-t", Kind: Time, Column: "t"}},
		{"stratify:y", Spec{Name: "stratify-y", Kind: Stratify, Column: "y"}},
		{"import:/data/cv", Spec{Name: "import", Kind: Import, Dir: "/data/cv"}},
		{"import:c:/cv?by=formula,t", Spec{Name: "import", Kind: Import, Dir: "c:/cv", By: []string{"formula", "t"}}},
	}
	for _, test := range tests {
		got, err := Parse(test.in)
		if err != nil {
			t.Errorf("%q: %v", test.in, err)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", test.in, diff)
		}
		if got.String() != test.in {
			t.Errorf("%q prints as %q", test.in, got.String())
		}
	}
	for _, in := range []string{"", "random:x", "group", "group:", "time: ", "import:", "import:?by=a", "import:d?by=,", "scaffold:x"} {
		if got, err := Parse(in); genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("%q: %+v, %v; want an invalid error", in, got, err)
		}
	}
}

func TestOptions(t *testing.T) {
	ok := genesis.PrepareOptions{Split: []string{"random", "group:g"}, Fractions: []float64{.7, .3}, Seed: 5}
	specs, err := FromOptions(ok)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]float64{.7, 0, .3}, specs[1].Fractions); diff != "" {
		t.Errorf("fractions (-want +got):\n%s", diff)
	}
	bad := []genesis.PrepareOptions{
		{Split: []string{"random", "random"}},
		{Split: []string{"random"}, Folds: 1},
		{Split: []string{"random"}, Folds: MaxFolds + 1},
		{Split: []string{"random"}, Folds: -2},
		{Split: []string{"random"}, Fractions: []float64{1}},
		{Split: []string{"random"}, Fractions: []float64{.5, .6}},
		{Split: []string{"random"}, Fractions: []float64{0, 1}},
		{Split: []string{"random"}, Fractions: []float64{1.5, -.5}},
		{Split: []string{"random"}, Fractions: []float64{math.NaN(), .5, .5}},
	}
	for _, opt := range bad {
		if _, err := FromOptions(opt); genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("%+v: %v, want an invalid error", opt, err)
		}
	}
}

// table is a made table of n rows: ids by number, groups of uneven size, times
// with ties, classes of uneven share, and every tenth row a copy of the one
// before but for its id.
type table struct {
	ids, contents []Identity
	group, time   *format.Vector
	class, number *format.Vector
}

func makeTable(n int) table {
	r := rand.New(rand.NewPCG(1, 9))
	t := table{group: &format.Vector{Kind: format.Text}, time: &format.Vector{Kind: format.Timestamp},
		class: &format.Vector{Kind: format.Text}, number: &format.Vector{Kind: format.Float}}
	for i := range n {
		t.ids = append(t.ids, identityOf(fmt.Appendf(nil, "row %d", i)))
		content := identityOf(fmt.Appendf(nil, "content %d", i))
		if i%10 == 9 {
			content = t.contents[i-1]
		}
		t.contents = append(t.contents, content)
		appendText(t.group, fmt.Sprintf("g%d", int(math.Sqrt(float64(r.IntN(n+1))))))
		t.time.Ints = append(t.time.Ints, int64(r.IntN(n/3+1)))
		class, number := []string{"common", "common", "common", "rare"}[r.IntN(4)], r.NormFloat64()
		if i%10 == 9 { // a copy has the class and the number, though here not the group and time, of its original
			class, number = string(t.class.Bytes(i-1)), t.number.Floats[i-1]
		}
		appendText(t.class, class)
		t.number.Floats = append(t.number.Floats, number)
	}
	return t
}

func appendText(v *format.Vector, s string) {
	v.Spans = append(v.Spans, format.Span{Start: uint32(len(v.Buf)), End: uint32(len(v.Buf) + len(s))})
	v.Buf = append(v.Buf, s...)
}

func (t table) key(kind string) *format.Vector {
	switch kind {
	case Group:
		return t.group
	case Time:
		return t.time
	case Stratify:
		return t.class
	case "number":
		return t.number
	}
	return nil
}

// assign splits the first n rows in batches.
func assign(t testing.TB, tab table, n, batch int, spec Spec, key *format.Vector, withID bool) *Result {
	t.Helper()
	a, err := New(spec, Env{Temp: t.TempDir(), Memory: 1 << 14}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for lo := 0; lo < n; lo += batch {
		hi := min(n, lo+batch)
		r := Rows{IDs: tab.contents[lo:hi]}
		if withID {
			r.IDs, r.Contents = tab.ids[lo:hi], tab.contents[lo:hi]
		}
		if key != nil {
			r.Key = cutVector(key, lo, hi)
		}
		r.Group, r.Time = cutVector(tab.group, lo, hi), cutVector(tab.time, lo, hi)
		if err := a.Observe(r); err != nil {
			t.Fatal(err)
		}
	}
	res, err := a.Assign()
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Parts) != n {
		t.Fatalf("%d parts of %d rows", len(res.Parts), n)
	}
	return res
}

func cutVector(v *format.Vector, lo, hi int) *format.Vector {
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

func TestAppendedRowsNeverMoveOldOnes(t *testing.T) {
	tab := makeTable(3000)
	for _, kind := range []string{Random, Group} {
		for _, folds := range []int{0, 5} {
			for _, withID := range []bool{false, true} {
				spec := Spec{Kind: kind, Seed: 7, Folds: folds}
				old := assign(t, tab, 1777, 1777, spec, tab.key(kind), withID)
				all := assign(t, tab, 3000, 3000, spec, tab.key(kind), withID)
				if !slices.Equal(old.Parts, all.Parts[:1777]) {
					t.Errorf("%s, %d folds, id %t: an old row moved", kind, folds, withID)
				}
			}
		}
	}
}

func TestRandomIgnoresTheOrderOfRows(t *testing.T) {
	tab := makeTable(500)
	res := assign(t, tab, 500, 500, Spec{Kind: Random}, nil, false)
	byID := map[Identity]genesis.Part{}
	for i, id := range tab.contents {
		byID[id] = res.Parts[i]
	}
	slices.Reverse(tab.contents)
	again := assign(t, tab, 500, 500, Spec{Kind: Random}, nil, false)
	for i, id := range tab.contents {
		if again.Parts[i] != byID[id] {
			t.Fatalf("row %d moved when the order was reversed", i)
		}
	}
}

func TestSplitsKeepTheirPromises(t *testing.T) {
	const n = 6000
	tab := makeTable(n)
	for _, kind := range []string{Random, Group, Time, Stratify, "number"} {
		for _, folds := range []int{0, 4} {
			for _, withID := range []bool{false, true} {
				spec := Spec{Kind: kind, Seed: 3, Folds: folds}
				if kind == "number" {
					spec.Kind = Stratify
				}
				name := fmt.Sprintf("%s, %d folds, id %t", kind, folds, withID)
				res := assign(t, tab, n, n, spec, tab.key(kind), withID)
				small := assign(t, tab, n, 701, spec, tab.key(kind), withID)
				if diff := cmp.Diff(res, small); diff != "" {
					t.Errorf("%s: batches change the split:\n%s", name, diff)
				}
				checkShares(t, name, res, spec, n)
				if kind != Time && kind != Group {
					checkTogether(t, name, res.Parts, tab.contents)
				}
			}
		}
	}
}

func checkShares(t *testing.T, name string, res *Result, spec Spec, n int) {
	t.Helper()
	tolerance := map[string]float64{Random: .02, Group: .12, Time: .002, Stratify: .002}[spec.Kind]
	if spec.Kind == Stratify && spec.Folds > 0 {
		tolerance = .01 // whole runs of equal rows take turns
	}
	want := map[string]float64{"train": .8, "validation": .1, "test": .1}
	if spec.Folds > 0 {
		want = map[string]float64{"fold-0": .25, "fold-1": .25, "fold-2": .25, "fold-3": .25}
	}
	for part, share := range want {
		got := float64(res.Split.Counts[part]) / float64(n)
		if math.Abs(got-share) > tolerance {
			t.Errorf("%s: %s has a share of %.3f, want %.3f ± %g", name, part, got, share, tolerance)
		}
	}
	if len(res.Split.Counts) != len(want) {
		t.Errorf("%s: counts %v", name, res.Split.Counts)
	}
}

func checkTogether(t *testing.T, name string, parts []genesis.Part, contents []Identity) {
	t.Helper()
	first := map[Identity]genesis.Part{}
	for i, id := range contents {
		if p, ok := first[id]; ok && p != parts[i] {
			t.Errorf("%s: equal rows stand in %d and %d", name, p, parts[i])
			return
		}
		first[id] = parts[i]
	}
}

func leak(res *Result, name string) (genesis.LeakCheck, bool) {
	for _, c := range res.Split.Leaks {
		if c.Name == name {
			return c, true
		}
	}
	return genesis.LeakCheck{}, false
}

func TestLeakChecks(t *testing.T) {
	tab := makeTable(2000)
	tests := []struct {
		kind          string
		passed, fails []string
	}{
		{Random, []string{"duplicates", "parts"}, []string{"group", "time"}},
		{Group, []string{"group", "parts"}, []string{"time", "duplicates"}}, // the copies are of other groups
		{Time, []string{"time", "parts"}, []string{"group", "duplicates"}},
		{Stratify, []string{"duplicates", "parts"}, []string{"group", "time"}},
	}
	for _, test := range tests {
		res := assign(t, tab, 2000, 300, Spec{Kind: test.kind}, tab.key(test.kind), true)
		for _, name := range test.passed {
			if c, ok := leak(res, name); !ok || !c.Passed {
				t.Errorf("%s: %s does not pass: %+v", test.kind, name, c)
			}
		}
		for _, name := range test.fails {
			if c, ok := leak(res, name); !ok || c.Passed || c.Detail == "" {
				t.Errorf("%s: %s does not fail: %+v", test.kind, name, c)
			}
		}
	}
}

func TestFeatureTwinsLeakTheTarget(t *testing.T) {
	tab := makeTable(1000)
	w := NewWatcher()
	w.Observe(Rows{IDs: tab.ids, Features: tab.contents})
	parts := make([]genesis.Part, 1000)
	for i := range parts {
		parts[i] = genesis.Train + genesis.Part(i%2)
	}
	checks := w.Judge(parts, Spec{Kind: Import})
	var got genesis.LeakCheck
	for _, c := range checks {
		if c.Name == "target" {
			got = c
		}
	}
	if got.Passed || !strings.Contains(got.Detail, "200 of 1000") {
		t.Errorf("a tenth of the rows repeat the features of the row before: %+v", got)
	}
}

func TestEmptyPartIsReported(t *testing.T) {
	tab := makeTable(50)
	for i := range tab.group.Spans {
		tab.group.Spans[i] = tab.group.Spans[0]
	}
	res := assign(t, tab, 50, 50, Spec{Kind: Group, Column: "g"}, tab.group, false)
	if c, _ := leak(res, "parts"); c.Passed {
		t.Errorf("one group in three parts: %+v", c)
	}
}

func TestTimeCuts(t *testing.T) {
	us := func(days ...int64) *format.Vector {
		v := &format.Vector{Kind: format.Timestamp}
		for _, d := range days {
			v.Ints = append(v.Ints, d*86400e6)
		}
		return v
	}
	T, V, E, U := genesis.Train, genesis.Validation, genesis.Test, genesis.Unassigned
	tests := []struct {
		name string
		key  *format.Vector
		spec Spec
		want []genesis.Part
		cut  []string
	}{
		{"even", us(3, 0, 1, 2), Spec{Fractions: []float64{.5, .25, .25}}, []genesis.Part{E, T, T, V}, []string{"1970-01-03T00:00:00Z", "1970-01-04T00:00:00Z"}},
		{"ties stay together", us(0, 1, 1, 1, 2, 3), Spec{Fractions: []float64{.4, .4, .2}}, []genesis.Part{T, T, T, T, V, E}, []string{"1970-01-03T00:00:00Z", "1970-01-04T00:00:00Z"}},
		{"last tie is large", us(0, 1, 1, 1, 1, 1), Spec{Fractions: []float64{.8, 0, .2}}, []genesis.Part{T, E, E, E, E, E}, []string{"1970-01-02T00:00:00Z"}},
		{"one time", us(5, 5, 5), Spec{}, []genesis.Part{T, T, T}, nil},
		{"folds", us(3, 0, 1, 2), Spec{Folds: 2}, []genesis.Part{2, 1, 1, 2}, []string{"1970-01-03T00:00:00Z"}},
		{"numbers", &format.Vector{Kind: format.Float, Floats: []float64{-1, 2.5, math.NaN(), 0}}, Spec{Fractions: []float64{.6, 0, .4}}, []genesis.Part{T, E, U, T}, []string{"2.5"}},
	}
	for _, test := range tests {
		test.spec.Kind, test.spec.Column = Time, "t"
		a, err := New(test.spec, Env{Temp: t.TempDir(), Memory: 64}, nil)
		if err != nil {
			t.Fatal(err)
		}
		ids := make([]Identity, test.key.Len())
		if err := a.Observe(Rows{IDs: ids, Key: test.key}); err != nil {
			t.Fatal(err)
		}
		res, err := a.Assign()
		if err != nil {
			t.Fatal(err)
		}
		a.Close()
		if diff := cmp.Diff(test.want, res.Parts); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
		if !slices.Equal(test.cut, res.Split.Cut) {
			t.Errorf("%s: cut %q, want %q", test.name, res.Split.Cut, test.cut)
		}
	}
}

func TestColumnsThatCannotBeSplitBy(t *testing.T) {
	a, err := New(Spec{Kind: Time, Column: "name"}, Env{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Observe(Rows{IDs: make([]Identity, 1), Key: makeTable(1).class}); !errors.Is(err, &genesis.Error{Kind: genesis.Invalid}) {
		t.Errorf("text as time: %v", err)
	}
	if err := a.Observe(Rows{IDs: make([]Identity, 1)}); !errors.Is(err, &genesis.Error{Kind: genesis.Invalid}) {
		t.Errorf("no column: %v", err)
	}
	if _, err := New(Spec{Kind: Import}, Env{}, nil); genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("an import is assigned: %v", err)
	}
}

func TestMissingKeys(t *testing.T) {
	tab := makeTable(100)
	tab.group.Nulls = format.NewBitmap(100)
	tab.group.Nulls.Set(4)
	tab.class.Nulls = tab.group.Nulls
	g := assign(t, tab, 100, 100, Spec{Kind: Group, Column: "g"}, tab.group, false)
	if g.Parts[4] != genesis.Unassigned || g.Split.Counts["unassigned"] != 1 {
		t.Errorf("a row without a group is in part %d; counts %v", g.Parts[4], g.Split.Counts)
	}
	s := assign(t, tab, 100, 100, Spec{Kind: Stratify, Column: "c"}, tab.class, false)
	if s.Parts[4] == genesis.Unassigned {
		t.Error("a row without a class is in no part")
	}
}

func TestStrataHaveEqualShares(t *testing.T) {
	tab := makeTable(4000)
	res := assign(t, tab, 4000, 500, Spec{Kind: Stratify, Column: "c"}, tab.class, false)
	seen := map[string]map[genesis.Part]float64{}
	for i, p := range res.Parts {
		class := string(tab.class.Bytes(i))
		if seen[class] == nil {
			seen[class] = map[genesis.Part]float64{}
		}
		seen[class][p]++
	}
	for class, n := range seen {
		total := n[genesis.Train] + n[genesis.Validation] + n[genesis.Test]
		if got := n[genesis.Test] / total; math.Abs(got-.1) > .003 {
			t.Errorf("class %s: %.4f of its rows are in test, want .1", class, got)
		}
	}
}

func TestAssignmentOfKnownRows(t *testing.T) {
	// The place of a row is part of the stored format: it may not change.
	var h hasher
	var got []string
	for i := range 8 {
		h.cell(fmt.Appendf(nil, "%d", i))
		h.missing()
		h.cell([]byte("x"))
		id := h.sum()
		got = append(got, fmt.Sprintf("%x %.6f", id[:4], id.u(42)))
	}
	if diff := cmp.Diff(known, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestTwinsAreSampledTogether(t *testing.T) {
	const limit = 1 << 12
	tw := twins{limit: limit}
	for i := range int64(4 * limit) {
		tw.add(scatter(uint64(i/2)), i)
	}
	if tw.hashes == 0 || tw.rows != 0 || len(tw.kept) > limit || tw.sampled() == "" {
		t.Fatalf("halved %d and %d times, kept %d", tw.hashes, tw.rows, len(tw.kept))
	}
	tw.runs(func(run []twin) {
		if len(run) != 2 {
			t.Fatalf("a run of %d, want both twins", len(run))
		}
	})
	one := twins{limit: limit}
	for i := range int64(4 * limit) {
		one.add(12, i)
	}
	if len(one.kept) == 0 || len(one.kept) > limit {
		t.Errorf("%d rows of one hash are kept", len(one.kept))
	}
}

func TestHashValues(t *testing.T) {
	zero := math.Copysign(0, -1)
	b := &format.Batch{Rows: 4, Cols: []format.Vector{
		{Kind: format.Float, Floats: []float64{0, zero, .92, .9199999999999999}},
		{Kind: format.Text},
		{Kind: format.Int, Ints: []int64{1, 1, 1 << 60, 1<<60 + 1}},
	}}
	for _, s := range []string{"a", "a", "b", "b"} {
		appendText(&b.Cols[1], s)
	}
	exact := HashValues(nil, b, []int{0, 1})
	if exact[0] != exact[1] || exact[2] == exact[3] || exact[0] == exact[2] {
		t.Error("exact: −0 is not 0, or two numbers are one")
	}
	rounded := HashRows(nil, b, []int{0, 1})
	if rounded[0] != rounded[1] || rounded[2] != rounded[3] {
		t.Error("rounded: numbers equal to twelve digits differ")
	}
	if ids := HashRows(nil, b, []int{2}); ids[2] == ids[3] {
		t.Error("large integers are rounded")
	}
	if a, b := HashValues(nil, b, []int{0, 9}), HashValues(nil, b, []int{9, 0}); a[0] == b[0] {
		t.Error("the place of a missing cell does not matter")
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"random", "group:a", "import:d?by=x,y", "time:", "import:?by=", "stratify: é"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		spec, err := Parse(s)
		if err != nil {
			return
		}
		again, err := Parse(spec.String())
		if err != nil {
			t.Fatalf("%q prints as %q, which is refused: %v", s, spec, err)
		}
		if diff := cmp.Diff(spec, again); diff != "" {
			t.Fatalf("%q changes when printed and read: %s", s, diff)
		}
	})
}

var known = []string{
	"4df18c12 0.322842", "ac20fcb4 0.521621", "12ee6ada 0.172095", "cc7b281e 0.045876",
	"125064c8 0.120355", "972a58fe 0.339941", "d2237f1d 0.236702", "8e0be76d 0.835526",
}

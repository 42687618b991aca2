package infer

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis/internal/format"
)

// TestMergeIsSequential cuts random columns at random places and decides the
// pieces together.
func TestMergeIsSequential(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	pools := [][]string{
		{"1", "2", "3", "-9999", "NA", ""},
		{"1.5", "2.25", "-9999.9", "12 kW", "13 kW", "<0.01", "n/a"},
		{"2018-01-01", "2018-02-30", "01/02/2018", "13/02/2018", "x"},
		{"1,5", "2,25", "1.234,5", "1,234"},
		{"red", "green", "NA", "CCO", "Fe2O3", "a@b.org", "Alice Smith", "1-Sep"},
		{"007", "018", "1e400", "inf", "0x1F", "#DIV/0!", "00:15"},
	}
	for trial := range 300 {
		pool := pools[r.IntN(len(pools))]
		cells := make([]string, r.IntN(400))
		unique := r.IntN(4) == 0
		for i := range cells {
			if cells[i] = pool[r.IntN(len(pool))]; unique {
				cells[i] += fmt.Sprint(r.IntN(2000))
			}
		}
		raw := format.RawColumn{Name: []string{"x", "power (kW)", "id", "date"}[r.IntN(4)]}
		bytes := []int{0, 4096}[r.IntN(2)]
		one := decider(raw, bytes)
		one.Observe(vector(cells...))
		parts := decider(raw, bytes)
		for rest := cells; len(rest) > 0; {
			n := 1 + r.IntN(len(rest))
			p := decider(raw, bytes)
			p.Observe(vector(rest[:n]...))
			parts.Merge(p)
			rest = rest[n:]
		}
		want, got := one.Decide(int64(len(cells))), parts.Decide(int64(len(cells)))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("trial %d, %d cells of %q: merged is not sequential (-sequential +merged):\n%s", trial, len(cells), pool, diff)
		}
		if one.sketch.distinct() != parts.sketch.distinct() || one.sketch.repeated() != parts.sketch.repeated() || one.values != parts.values {
			t.Fatalf("trial %d: sketches differ", trial)
		}
	}
}

func decider(raw format.RawColumn, bytes int) *Decider {
	d := NewDecider(raw, raw.Name)
	if bytes > 0 {
		d.Bound(bytes)
	}
	return d
}

func TestMergeKeepsLines(t *testing.T) {
	raw := format.RawColumn{Name: "x"}
	d, o := decider(raw, 0), decider(raw, 0)
	d.ObserveLines(vector("1", "2", "3", "4", "5", "6", "7", "8", "9", "10"), []int64{5, 6, 7, 8, 9, 10, 11, 12, 13, 14})
	o.ObserveLines(vector("11", "12", "13", "14", "15", "16", "17", "18", "19", "0x1F"), []int64{20, 21, 22, 23, 24, 25, 26, 27, 28, 29})
	d.Merge(o)
	got := d.Decide(20)
	if len(got.Findings) != 1 || got.Findings[0].Code != "not-a-number" || !cmp.Equal(got.Findings[0].Rows, []int64{29}) {
		t.Errorf("findings are %+v, want one not-a-number on line 29", got.Findings)
	}
}

func TestSketchEstimates(t *testing.T) {
	for _, n := range []int{0, 1, 1000, 1024, 5000, 200_000} {
		s := sketch{size: sketchSize}
		for i := range n {
			s.add(hash(fmt.Append(nil, "cell ", i)), 1)
		}
		got := float64(s.distinct())
		if tolerance := 0.15 * float64(n); got < float64(n)-tolerance || got > float64(n)+tolerance {
			t.Errorf("%d distinct cells are estimated as %v", n, got)
		}
		if s.repeated() != 0 {
			t.Errorf("of %d distinct cells a share of %v repeats", n, s.repeated())
		}
		if n <= sketchSize && (!s.exact() || s.distinct() != int64(n)) {
			t.Errorf("%d distinct cells are not counted exactly", n)
		}
	}
}

func TestMemoryIsBounded(t *testing.T) {
	d := NewDecider(format.RawColumn{Name: "x"}, "x")
	for i := range 50 {
		cells := make([]string, 2000)
		for j := range cells {
			cells[j] = fmt.Sprintf("%d m%d NA%d 2018-01-%02d <%d", i, j, i*j, j%31, j)
		}
		d.Observe(vector(cells...))
	}
	if d.words.list != nil || len(d.sketch.slots) > 4*sketchSize || len(d.units) > unitLimit {
		t.Errorf("a decider of 100,000 different cells keeps %d words, %d sketch slots, %d units", len(d.words.list), len(d.sketch.slots), len(d.units))
	}
}

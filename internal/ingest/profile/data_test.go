package profile

import (
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/testdata"
)

// TestTransformer profiles two columns of a real hourly series; the expected
// figures were computed with Python's statistics module.
func TestTransformer(t *testing.T) {
	f, err := os.Open(filepath.Join(testdata.Dir(t), "energy/ett_h1_transformer/ETTh1.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at := &format.Vector{Kind: format.Timestamp}
	load, oil := floats(), floats()
	for _, line := range lines[1:] {
		when, err := time.Parse(time.DateTime, line[0])
		if err != nil {
			t.Fatal(err)
		}
		at.Ints = append(at.Ints, when.UnixMicro())
		load.Floats = append(load.Floats, parse(t, line[1]))
		oil.Floats = append(oil.Floats, parse(t, line[7]))
	}
	tab := NewTable("etth1", []genesis.Column{
		{Name: "date", Type: genesis.Timestamp}, {Name: "hufl", Type: genesis.Float}, {Name: "ot", Type: genesis.Float},
	}, "ot")
	for j, v := range []*format.Vector{at, load, oil} {
		tab.Column(j).Add(v, oil)
	}
	p := tab.Result(int64(len(lines)-1), 0)
	date, hufl, ot := p.Columns[0], p.Columns[1], p.Columns[2]
	if date.First != "2016-07-01T00:00:00Z" || date.Last != "2018-06-26T19:00:00Z" || date.Step != "1h0m0s" || date.GapCount != 0 {
		t.Errorf("date: %s … %s every %s, %d gaps", date.First, date.Last, date.Step, date.GapCount)
	}
	if date.Distinct < 17246 || date.Distinct > 17594 || date.DistinctError == 0 {
		t.Errorf("date: %d ± %g distinct, want about 17420", date.Distinct, date.DistinctError)
	}
	close := func(what string, got, want float64) {
		if math.Abs(got-want) > 1e-9*math.Abs(want) {
			t.Errorf("%s is %v, want %v", what, got, want)
		}
	}
	close("mean", *ot.Mean, 13.324671589881696)
	close("sd", *ot.SD, 8.566946318051135)
	close("min", *ot.Min, -4.079999923706056)
	close("max", *ot.Max, 46.00699996948242)
	close("association", hufl.Association.Value, 0.059916471897374764)
	if ot.Distinct != 669 || ot.DistinctError != 0 {
		t.Errorf("%d ± %g distinct, want 669", ot.Distinct, ot.DistinctError)
	}
}

func parse(t *testing.T, s string) float64 {
	x, err := strconv.ParseFloat(s, 64)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

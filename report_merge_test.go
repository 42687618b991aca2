package genesis

import (
	"encoding/json"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func exactly(n float64) Amount { return Amount{Value: &n} }
func orMore(n float64) Amount  { return Amount{Value: &n, AtLeast: true} }

var fewOnes = Amount{Few: true}

// reportOf is one of a node, with figures.
func reportOf(node NodeID, figures ...Figure) *Report {
	from := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	return &Report{Format: ReportFormat, Node: node, Institution: "of " + string(node), Quarter: "2026Q4", From: from, Until: from.AddDate(0, 3, 0), Complete: true,
		Log: ReportLog{Origin: AuditOrigin(node, 1)}, Figures: figures}
}

// TestMergeReports: what adds up is added, what may be the same thing twice is not, and
// what a report does not tell exactly no sum tells either.
func TestMergeReports(t *testing.T) {
	people := func(now Amount, groups ...FigureGroup) Figure {
		return Figure{ID: "people", Unit: "people", Now: now, Before: exactly(7), Groups: groups}
	}
	in := func(name string, n Amount) FigureGroup { return FigureGroup{By: "institution", Name: name, Now: n} }
	figure := func(id, unit string, now Amount) Figure { return Figure{ID: id, Unit: unit, Now: now} }
	a := reportOf("alder", people(exactly(12), in("X", exactly(7)), in(OtherGroups, exactly(5))), figure("opened", "versions", exactly(3)),
		figure("institutions", "institutions", exactly(2)), figure("time-to-access", "days", exactly(3)), figure("checks", "percent", exactly(50)), figure("old", "", exactly(2)))
	b := reportOf("birch", people(fewOnes, in(OtherGroups, fewOnes)), figure("opened", "versions", exactly(2)), figure("institutions", "institutions", exactly(3)))
	c := reportOf("cedar", people(orMore(8), in("Y", exactly(8))), figure("opened", "versions", exactly(0)), figure("institutions", "institutions", exactly(1)))
	c.Complete, c.Notes = false, []string{"no compute"}
	m, err := MergeReports([]*Report{b, c, a})
	if err != nil {
		t.Fatal(err)
	}
	text := func(a Amount) string {
		b, _ := json.Marshal(a)
		return string(b)
	}
	got := map[string]string{}
	for _, f := range m.Figures {
		got[f.ID] = text(f.Together)
		for _, g := range f.Groups {
			got[f.ID+" "+g.Name] = text(g.Together)
		}
	}
	want := map[string]string{
		"people":                text(orMore(12 + 1 + 8)),
		"people X":              text(orMore(7)), // among the others of birch there may be more of X
		"people Y":              text(orMore(8)),
		"people " + OtherGroups: text(orMore(5 + 1)),
		"opened":                text(exactly(5)),
		"institutions":          text(orMore(3)),
		"time-to-access":        "{}",
		"checks":                "{}",
		"old":                   text(orMore(2)), // others may not count it yet
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if m.Complete || len(m.Nodes) != 3 || m.Nodes[0].Node != "alder" || m.Figures[0].Nodes[2].Value == nil || *m.Figures[0].Nodes[2].Value != 8 || text(m.Figures[0].Before) != text(exactly(21)) {
		t.Errorf("%+v", m)
	}
	if diff := cmp.Diff([]string{"cedar: no compute"}, m.Notes); diff != "" {
		t.Error(diff)
	}
	if one, err := MergeReports([]*Report{a}); err != nil || text(one.Figures[2].Together) != text(exactly(2)) {
		t.Errorf("of one node: %+v %v", one, err)
	}
}

// TestMergedReportsAreChecked: a report comes from another node, and is taken for nothing
// that it cannot be.
func TestMergedReportsAreChecked(t *testing.T) {
	for name, x := range map[string]struct {
		kind  ErrorKind
		spoil func(r *Report)
	}{
		"another quarter":    {Invalid, func(r *Report) { r.Quarter, r.From, r.Until = "2026Q3", r.From.AddDate(0, -3, 0), r.From }},
		"no quarter":         {Invalid, func(r *Report) { r.Quarter = "soon" }},
		"another time":       {Invalid, func(r *Report) { r.Until = r.Until.AddDate(0, 0, 1) }},
		"a format to come":   {Unsupported, func(r *Report) { r.Format = 2 }},
		"the same node":      {Exists, func(r *Report) { r.Node, r.Log.Origin = "alder", AuditOrigin("alder", 2) }},
		"the log of another": {Invalid, func(r *Report) { r.Log.Origin = AuditOrigin("alder", 1) }},
		"no node":            {Invalid, func(r *Report) { r.Node, r.Log.Origin = "", AuditOrigin("", 1) }},
		"a figure twice":     {Invalid, func(r *Report) { r.Figures = append(r.Figures, r.Figures[0]) }},
		"a group twice":      {Invalid, func(r *Report) { r.Figures[0].Groups = []FigureGroup{{By: "x"}, {By: "x"}} }},
		"below zero":         {Invalid, func(r *Report) { r.Figures[0].Now = exactly(-1) }},
		"a group below zero": {Invalid, func(r *Report) { r.Figures[0].Groups = []FigureGroup{{Now: exactly(-1)}} }},
		"no number":          {Invalid, func(r *Report) { r.Figures[0].Before = exactly(math.NaN()) }},
		"too large":          {Invalid, func(r *Report) { r.Figures[0].Now = exactly(1e300) }},
		"few, and how many":  {Invalid, func(r *Report) { r.Figures[0].Now = Amount{Value: new(2.0), Few: true} }},
		"another unit":       {Invalid, func(r *Report) { r.Figures[0].Unit = "bytes" }},
		"too many figures": {Invalid, func(r *Report) {
			for i := range 300 {
				r.Figures = append(r.Figures, Figure{ID: fmt.Sprint(i)})
			}
		}},
	} {
		r := reportOf("birch", Figure{ID: "opened", Unit: "versions", Now: exactly(1)})
		x.spoil(r)
		if _, err := MergeReports([]*Report{reportOf("alder", Figure{ID: "opened", Unit: "versions", Now: exactly(1)}), r}); KindOf(err) != x.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := MergeReports(nil); KindOf(err) != Invalid {
		t.Error(err)
	}
}

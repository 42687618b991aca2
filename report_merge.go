package genesis

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// Bounds of what is put together: reports come from other nodes.
const (
	MaxMerged      = 1000   // reports
	mostFigures    = 200    // of one report
	mostGroups     = 10_000 // of one figure
	mostOfAnything = 1e18   // so that no sum overflows
)

// MergedReport is what several nodes did in a quarter, from a report of each. It knows
// nothing that these do not say.
type MergedReport struct {
	Format   int            `json:"format"`
	Quarter  Quarter        `json:"quarter"`
	From     time.Time      `json:"from"`
	Complete bool           `json:"complete"` // all of them are
	Nodes    []MergedNode   `json:"nodes"`    // in order of their ids
	Figures  []MergedFigure `json:"figures"`
	Notes    []string       `json:"notes,omitempty"`
}

// MergedNode is a node whose report was put together with others.
type MergedNode struct {
	Node        NodeID    `json:"node"`
	Institution string    `json:"institution"`
	Until       time.Time `json:"until"`
	Complete    bool      `json:"complete"`
	Made        time.Time `json:"made"`
	Log         ReportLog `json:"log"`
}

// MergedFigure is one figure of all nodes.
type MergedFigure struct {
	ID       string        `json:"id"`
	Part     string        `json:"part"`
	Title    string        `json:"title"`
	What     string        `json:"what"`
	Unit     string        `json:"unit,omitempty"`
	Together Amount        `json:"together"` // absent: it does not add up
	Before   Amount        `json:"before"`
	Nodes    []Amount      `json:"nodes"` // of each node, as its report has it
	Groups   []MergedGroup `json:"groups,omitempty"`
}

// MergedGroup is a part of a figure.
type MergedGroup struct {
	By       string   `json:"by"`
	Name     string   `json:"name"`
	Together Amount   `json:"together"`
	Nodes    []Amount `json:"nodes"`
}

// whole says how a figure of several nodes comes together: medians and shares do not, and
// what several nodes may count of the same is at least what one of them has.
func whole(id, unit string) func([]Amount) Amount {
	switch {
	case unit == "days", unit == "percent":
		return func([]Amount) Amount { return Amount{} }
	case id == "institutions", id == "agreement-texts":
		return most
	}
	return add
}

// add is a sum. What is not told exactly counts as the least that it can be: so nobody
// learns more from the sum than from the reports.
func add(all []Amount) Amount {
	sum, exact := 0.0, true
	for _, a := range all {
		least, is := a.least()
		sum, exact = sum+least, exact && is
	}
	return Amount{Value: &sum, AtLeast: !exact}
}

// most is the largest of some numbers that may be of the same things.
func most(all []Amount) Amount {
	largest, exact, some := 0.0, true, 0
	for _, a := range all {
		least, is := a.least()
		if largest, exact = max(largest, least), exact && is; least > 0 {
			some++
		}
	}
	return Amount{Value: &largest, AtLeast: !exact || some > 1}
}

// least is the smallest number that an amount can be, and whether it is just that.
func (a Amount) least() (n float64, exact bool) {
	switch {
	case a.Few:
		return 1, false
	case a.Value == nil:
		return 0, false
	}
	return *a.Value, !a.AtLeast
}

// MergeReports puts together reports of several nodes of one quarter. Errors: Invalid,
// Unsupported, Exists (two are of one node).
func MergeReports(reports []*Report) (*MergedReport, error) {
	if len(reports) == 0 || len(reports) > MaxMerged {
		return nil, &Error{Op: "merge reports", Kind: Invalid, Msg: fmt.Sprintf("there are %d reports", len(reports)), Hint: fmt.Sprintf("name one to %d", MaxMerged)}
	}
	reports = slices.SortedFunc(slices.Values(reports), func(a, b *Report) int { return cmp.Compare(a.Node, b.Node) })
	m := &MergedReport{Format: ReportFormat, Quarter: reports[0].Quarter, Complete: true}
	for i, r := range reports {
		if err := r.check(); err != nil {
			return nil, err
		}
		switch {
		case r.Quarter != m.Quarter:
			return nil, r.wrong(Invalid, fmt.Sprintf("is of %s, and that of %s of %s", r.Quarter, reports[0].Node, m.Quarter), "put together reports of one quarter")
		case i > 0 && r.Node == reports[i-1].Node:
			return nil, r.wrong(Exists, "is there twice", "name one report of each node")
		}
		m.From, m.Complete = r.From, m.Complete && r.Complete
		m.Nodes = append(m.Nodes, MergedNode{r.Node, r.Institution, r.Until, r.Complete, r.Made, r.Log})
		for _, note := range r.Notes {
			m.Notes = append(m.Notes, string(r.Node)+": "+note)
		}
	}
	return m, m.merge(reports)
}

// merge puts figures together, in the order in which the reports have them.
func (m *MergedReport) merge(reports []*Report) error {
	at := map[string]int{}
	before := [][]Amount{}
	for i, r := range reports {
		for _, f := range r.Figures {
			k, there := at[f.ID]
			if !there {
				k, at[f.ID] = len(m.Figures), len(m.Figures)
				m.Figures = append(m.Figures, MergedFigure{ID: f.ID, Part: f.Part, Title: f.Title, What: f.What, Unit: f.Unit, Nodes: make([]Amount, len(reports))})
				before = append(before, make([]Amount, len(reports)))
			}
			if unit := m.Figures[k].Unit; unit != f.Unit {
				return r.wrong(Invalid, fmt.Sprintf("counts %q in %q, and others in %q", f.ID, f.Unit, unit), "have the reports made by the same version of the program")
			}
			m.Figures[k].Nodes[i], before[k][i] = f.Now, f.Before
		}
	}
	for k := range m.Figures {
		f := &m.Figures[k]
		together := whole(f.ID, f.Unit)
		f.Together, f.Before = together(f.Nodes), together(before[k])
		f.Groups = mergeGroups(f.ID, reports, together)
	}
	return nil
}

// mergeGroups puts the groups of a figure together: by what they are, the largest first.
func mergeGroups(id string, reports []*Report, together func([]Amount) Amount) (all []MergedGroup) {
	type name struct{ by, name string }
	at, order := map[name]int{}, map[string]int{}
	rest := map[string][]bool{} // nodes that have put some groups together
	for i, r := range reports {
		for _, g := range r.figure(id).Groups {
			if _, there := order[g.By]; !there {
				order[g.By], rest[g.By] = len(order), make([]bool, len(reports))
			}
			k, there := at[name{g.By, g.Name}]
			if !there {
				k, at[name{g.By, g.Name}] = len(all), len(all)
				all = append(all, MergedGroup{By: g.By, Name: g.Name, Nodes: make([]Amount, len(reports))})
			}
			all[k].Nodes[i] = g.Now
			rest[g.By][i] = rest[g.By][i] || g.Name == OtherGroups
		}
	}
	for k := range all {
		g := &all[k]
		for i, a := range g.Nodes {
			if a == (Amount{}) && !rest[g.By][i] { // else it may be among the others
				g.Nodes[i] = Amount{Value: new(float64)}
			}
		}
		g.Together = together(g.Nodes)
	}
	slices.SortStableFunc(all, func(a, b MergedGroup) int {
		x, _ := a.Together.least()
		y, _ := b.Together.least()
		return cmp.Or(cmp.Compare(order[a.By], order[b.By]), cmp.Compare(y, x), cmp.Compare(a.Name, b.Name))
	})
	return all
}

// figure is one of a report; the zero one if it is not there.
func (r *Report) figure(id string) Figure {
	if i := slices.IndexFunc(r.Figures, func(f Figure) bool { return f.ID == id }); i >= 0 {
		return r.Figures[i]
	}
	return Figure{}
}

func (r *Report) wrong(kind ErrorKind, msg, hint string) error {
	return &Error{Op: "merge reports", Kind: kind, Subject: "report of " + string(r.Node), Msg: msg, Hint: hint}
}

// check reports what of a report that somebody else made cannot be.
func (r *Report) check() error {
	again := "have it made again: genesis report --format json"
	if r.Format != ReportFormat {
		return r.wrong(Unsupported, fmt.Sprintf("has format %d, and this program reads %d", r.Format, ReportFormat), "use the newer program")
	}
	from, until, err := r.Quarter.Span()
	if err != nil {
		return err
	}
	_, own := AuditEpoch(r.Node, r.Log.Origin)
	switch {
	case CheckNode(r.Node) != nil:
		return r.wrong(Invalid, "names no node", again)
	case !own:
		return r.wrong(Invalid, fmt.Sprintf("was made from %q, which is no log of that node", r.Log.Origin), again)
	case !r.From.Equal(from) || !r.Until.After(from) || r.Until.After(until):
		return r.wrong(Invalid, "is of a time that is not in its quarter", again)
	case len(r.Figures) > mostFigures:
		return r.wrong(Invalid, fmt.Sprintf("has more than %d figures", mostFigures), again)
	}
	seen := map[string]bool{}
	for _, f := range r.Figures {
		switch {
		case f.ID == "" || seen[f.ID]:
			return r.wrong(Invalid, fmt.Sprintf("has two figures %q, or one without an id", f.ID), again)
		case len(f.Groups) > mostGroups:
			return r.wrong(Invalid, fmt.Sprintf("has more than %d groups of %q", mostGroups, f.ID), again)
		}
		seen[f.ID] = true
		amounts := []Amount{f.Now, f.Before}
		groups := map[[2]string]bool{}
		for _, g := range f.Groups {
			if k := [2]string{g.By, g.Name}; groups[k] {
				return r.wrong(Invalid, fmt.Sprintf("has a group of %q twice", f.ID), again)
			} else {
				groups[k] = true
			}
			amounts = append(amounts, g.Now)
		}
		if slices.ContainsFunc(amounts, func(a Amount) bool { return !a.possible() }) {
			return r.wrong(Invalid, fmt.Sprintf("has a number for %q that cannot be one", f.ID), again)
		}
	}
	return nil
}

// possible reports whether an amount can be one: nothing is counted below zero.
func (a Amount) possible() bool {
	if a.Value == nil {
		return !a.AtLeast
	}
	return !a.Few && *a.Value >= 0 && *a.Value <= mostOfAnything && !math.IsNaN(*a.Value)
}

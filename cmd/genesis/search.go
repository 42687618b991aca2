package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/opengenesis/genesis"
)

type searchCmd struct {
	Words       []string `arg:"" optional:"" help:"What to find: all of it. Quotes hold words together." placeholder:"WORDS"`
	Institution []string `help:"Of any of these institutions." placeholder:"NAME" sep:"none"`
	Node        []string `help:"At any of these nodes." placeholder:"ID"`
	Field       []string `help:"Of any of these fields." placeholder:"FIELD" sep:"none"`
	Tier        []string `help:"Open like this: public, registered, partner, controlled, restricted." placeholder:"TIER"`
	Kind        string   `help:"dataset or model." enum:"dataset,model," default:"" placeholder:"KIND"`
	Format      []string `help:"Made of files of any of these formats." placeholder:"FORMAT"`
	Task        []string `help:"For regression or classification." placeholder:"TASK"`
	License     []string `help:"Under any of these licences." placeholder:"ID"`
	Readiness   []string `help:"ready, nearly, partly or hardly: how many checks passed." placeholder:"BAND"`
	Variable    []string `help:"With this column, and this unit if given; may be repeated." placeholder:"NAME[:UNIT]" sep:"none"`
	Unit        []string `help:"With a column in any of these units (UCUM)." placeholder:"UNIT" sep:"none"`
	Challenge   []string `help:"Of any of these challenges." placeholder:"SLUG"`
	Time        string   `help:"About some of this time: 2018/2019-06." placeholder:"FROM/TO"`
	Place       string   `help:"About some of this box, or this place: west,south,east,north." placeholder:"BOX"`
	Rows        string   `help:"With so many rows: 1000.., ..1e6, 1000..20000." placeholder:"RANGE"`
	HasModel    *bool    `help:"With a model that was trained on it; --no-has-model: without." negatable:""`
	Facets      []string `help:"Count the hits by these; all for all." placeholder:"FACET"`
	Local       bool     `help:"Ask no other node."`
	Limit       int      `help:"At most so many; 200 is the most." default:"20" placeholder:"N"`
	After       string   `help:"Go on where a page ended." placeholder:"CURSOR"`
}

func (searchCmd) Help() string {
	return `Looks into names, titles, descriptions, columns and units, of this node and of the
others of its federation. The last lines say which nodes the answer covers, how long ago
each was last seen to have nothing more, and which did not answer, and why.

Facets: node, institution, field, kind, tier, license, readiness, challenge, format,
task, variable, unit.

Examples:

    genesis search wind speed
    genesis search '"power curve"' --variable wind_speed:m/s --rows 10000..
    genesis search turbine --institution NREL --facets field,unit
    genesis search kW --json`
}

// query is what the flags say.
func (cmd *searchCmd) query() (genesis.SearchQuery, error) {
	q := genesis.SearchQuery{Text: strings.Join(cmd.Words, " "), Limit: cmd.Limit, After: cmd.After, Local: cmd.Local,
		Filter: genesis.SearchFilter{Values: map[genesis.Facet][]string{}, HasModel: cmd.HasModel}}
	for f, values := range map[genesis.Facet][]string{genesis.FacetInstitution: cmd.Institution, genesis.FacetNode: cmd.Node, genesis.FacetField: cmd.Field,
		genesis.FacetTier: cmd.Tier, genesis.FacetFormat: cmd.Format, genesis.FacetTask: cmd.Task, genesis.FacetLicense: cmd.License,
		genesis.FacetReadiness: cmd.Readiness, genesis.FacetUnit: cmd.Unit, genesis.FacetChallenge: cmd.Challenge} {
		if slices.Contains(values, "") {
			return q, emptyFilter(string(f))
		}
		if len(values) > 0 {
			q.Filter.Values[f] = values
		}
	}
	if cmd.Kind != "" {
		q.Filter.Values[genesis.FacetKind] = []string{cmd.Kind}
	}
	if slices.Contains(cmd.Variable, "") {
		return q, emptyFilter("variable")
	}
	for _, v := range cmd.Variable {
		q.Filter.Variables = append(q.Filter.Variables, genesis.ParseVariable(v))
	}
	for _, f := range cmd.Facets {
		q.Facets = append(q.Facets, genesis.Facet(f))
	}
	if slices.Equal(cmd.Facets, []string{"all"}) {
		q.Facets = genesis.Facets
	}
	var err error
	if cmd.Time != "" {
		if q.Filter.Time, err = genesis.ParsePeriod(cmd.Time); err != nil {
			return q, err
		}
	}
	if cmd.Place != "" {
		box, err := genesis.ParseBox(cmd.Place)
		if err != nil {
			return q, err
		}
		q.Filter.Place = &box
	}
	q.Filter.MinRows, q.Filter.MaxRows, err = rowRange(cmd.Rows)
	return q, err
}

// emptyFilter is the error of a filter by nothing, as of a variable of a script that is not
// set: to leave it out would find everything.
func emptyFilter(flag string) error {
	return &genesis.Error{Op: "search", Kind: genesis.Invalid, Subject: "--" + flag, Msg: "is empty", Hint: "leave it out to find all"}
}

// rowRange reads "1000..20000", of which either end may be missing, or one number.
func rowRange(text string) (from, to int64, err error) {
	if text == "" {
		return 0, 0, nil
	}
	low, high, both := strings.Cut(text, "..")
	if !both {
		high = low
	}
	for _, end := range []struct {
		text string
		to   *int64
	}{{low, &from}, {high, &to}} {
		if end.text == "" {
			continue
		}
		n, err := strconv.ParseFloat(strings.ReplaceAll(end.text, ",", ""), 64)
		if err != nil || n < 0 || n > 1<<53 || n != float64(int64(n)) {
			return 0, 0, &genesis.Error{Op: "read rows", Kind: genesis.Invalid, Subject: text, Msg: "is not a range of row counts", Hint: "write 1000.., ..1e6 or 1000..20000"}
		}
		*end.to = int64(n)
	}
	if to > 0 && to < from {
		return 0, 0, &genesis.Error{Op: "read rows", Kind: genesis.Invalid, Subject: text, Msg: "ends before it begins"}
	}
	return from, to, nil
}

func (cmd *searchCmd) Run(a *app) error {
	q, err := cmd.query()
	if err != nil {
		return err
	}
	c, err := a.connect()
	if err != nil {
		return err
	}
	found, err := c.Search(a.ctx, q)
	if err != nil {
		return err
	}
	return a.print(found, func(p *printer) { printFound(p, found, a) })
}

func printFound(p *printer, r *genesis.SearchResult, a *app) {
	if len(r.Hits) == 0 {
		p.line("Nothing matches%s.", a.unsigned())
		for _, word := range meant(r.Suggestions) {
			p.line("Did you mean %s?", word)
		}
	}
	for i, h := range r.Hits {
		if i > 0 {
			p.line("")
		}
		printHit(p, h)
	}
	for _, f := range genesis.Facets {
		printFacet(p, f, r.Facets[f])
	}
	p.line("")
	if r.Total > 0 {
		p.line("%s", p.style.dim(foundText(r)))
	}
	printCoverage(p, r.Coverage)
	if r.Next != "" {
		p.line("%s", p.style.dim("more: --after "+r.Next))
	}
}

// meant are suggestions as a question: the words for each that was typed.
func meant(all []genesis.Suggestion) []string {
	var order []string
	words := map[string][]string{}
	for _, s := range all {
		if words[s.For] == nil {
			order = append(order, s.For)
		}
		words[s.For] = append(words[s.For], clean(s.Word))
	}
	var out []string
	for _, typed := range order {
		out = append(out, strings.Join(words[typed], ", ")+" (for "+clean(typed)+")")
	}
	return out
}

func foundText(r *genesis.SearchResult) string {
	if r.Total == 1 {
		return "1 hit"
	}
	text := count(int64(r.Total)) + " hits"
	if len(r.Hits) < r.Total && len(r.Hits) > 0 {
		text += ", " + strconv.Itoa(len(r.Hits)) + " shown"
	}
	return text
}

func printHit(p *printer, h genesis.Hit) {
	l := h.Listing
	title := l.Title
	if title == "" {
		title = string(l.Name)
	}
	p.line("%s  %s", p.style.bold(clean(title)), p.style.dim(word(h.Ref)))
	p.line("  %s", clean(describeHit(l)))
	if h.Snippet != "" && h.Snippet != "title: "+l.Title {
		p.line("  %s", marked(p.style, h.Snippet, h.Marks))
	}
	if at := elsewhere(h); at != "" {
		p.line("  %s", p.style.dim("also "+clean(at)))
	}
}

// describeHit says in one line what a version is.
func describeHit(l genesis.Listing) string {
	parts := []string{string(l.Kind)}
	add := func(text string) {
		if text != "" {
			parts = append(parts, text)
		}
	}
	add(l.Institution)
	add(l.Field)
	if l.Rows > 0 {
		add(count(l.Rows) + " rows")
	}
	if n := len(l.Variables) + l.More; n > 0 {
		add(count(int64(n)) + " columns")
	}
	add(l.License)
	if l.Number == 0 {
		add("draft")
	} else {
		add(string(l.Tier))
	}
	return strings.Join(parts, " · ")
}

// elsewhere names the other places of a hit.
func elsewhere(h genesis.Hit) string {
	var all []string
	for _, at := range h.Places {
		if at.Node != h.Listing.Node || at.Name != h.Listing.Name {
			all = append(all, genesis.Ref{Node: at.Node, Name: at.Name, Number: at.Number}.String())
		}
	}
	if len(all) > 5 {
		all = append(all[:5], fmt.Sprintf("and %d more places", len(all)-5))
	}
	return strings.Join(all, ", ")
}

// marked paints what matched in a snippet. Marks come from a node, and are not trusted.
func marked(s style, text string, marks []genesis.Mark) string {
	var b strings.Builder
	at := 0
	for _, m := range marks {
		if m.Start < at || m.End > len(text) || m.Start >= m.End {
			continue
		}
		b.WriteString(clean(text[at:m.Start]))
		b.WriteString(s.paint(codeYellow, clean(text[m.Start:m.End])))
		at = m.End
	}
	b.WriteString(clean(text[at:]))
	return b.String()
}

func printFacet(p *printer, f genesis.Facet, counts []genesis.FacetCount) {
	if len(counts) == 0 {
		return
	}
	p.heading(string(f))
	t := newTable("", ">")
	for _, c := range counts {
		t.row(c.Value, count(int64(c.Hits)))
	}
	t.print(p)
}

type similarCmd struct {
	Ref   string `arg:"" help:"What to compare with." placeholder:"REF"`
	Limit int    `help:"At most so many; 50 is the most." default:"10" placeholder:"N"`
}

func (similarCmd) Help() string {
	return `Finds versions that share variables, units and words with one, of whatever field and
institution, here and at other nodes, as far as you may know of them. REF may be at
another node, too. The last lines say which nodes the answer covers, as in a search.

Examples:

    genesis similar turbines
    genesis similar nrel/turbines --json`
}

func (cmd *similarCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	found, err := c.Similar(a.ctx, cmd.Ref, cmd.Limit)
	if err != nil {
		return err
	}
	return a.print(found, func(p *printer) {
		if len(found.Similar) == 0 {
			p.line("Nothing is like %s%s.", word(found.Of), a.unsigned())
		}
		for i, s := range found.Similar {
			if i > 0 {
				p.line("")
			}
			printHit(p, genesis.Hit{Ref: s.Ref, Listing: s.Listing})
			p.field("variables", strings.Join(s.Variables, ", "))
			p.field("units", strings.Join(s.Units, ", "))
			p.field("words", strings.Join(s.Words, ", "))
		}
		p.line("")
		printCoverage(p, found.Coverage)
	})
}

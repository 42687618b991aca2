package ingest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/ingest/infer"
	"github.com/opengenesis/genesis/internal/ingest/recipe"
)

// given returns the recipe's entry for the source table from.
func given(r *recipe.Recipe, from string) *recipe.Table {
	if r == nil {
		return nil
	}
	for i := range r.Tables {
		if r.Tables[i].From == from {
			return &r.Tables[i]
		}
	}
	return nil
}

// decide turns what the scan saw into a full recipe, laid over by the given
// one and by the options.
func (s *scan) decide(opt genesis.PrepareOptions) (*recipe.Recipe, []genesis.Finding, error) {
	out := &recipe.Recipe{Format: recipe.Format}
	if s.given != nil {
		out.Read, out.Splits, out.Strict = s.given.Read, s.given.Splits, s.given.Strict
	} else {
		out.Read = recipe.Read{Header: opt.Header, Delimiter: opt.Delimiter, Encoding: opt.Encoding, Sheets: opt.Sheets}
	}
	out.Strict = out.Strict || opt.Strict
	findings := append([]genesis.Finding(nil), s.bad...)
	names := map[string]bool{}
	for _, t := range s.tables {
		if len(t.raws) == 0 {
			continue
		}
		rt, fs, err := t.decide(given(s.given, t.from))
		if err != nil {
			return nil, nil, err
		}
		if rt.Name == "" {
			rt.Name = unique(tableName(t.from), names)
		}
		names[rt.Name] = true
		rt.Deduplicate = rt.Deduplicate || opt.Dedup
		for i := range fs {
			fs[i].Table = rt.Name
		}
		out.Tables = append(out.Tables, *rt)
		findings = append(findings, fs...)
	}
	if err := s.leftover(out); err != nil {
		return nil, nil, err
	}
	return out, findings, setTargets(out, opt.Target)
}

// leftover refuses a recipe that speaks of what the sources do not have: a
// misspelt entry would otherwise silently do nothing.
func (s *scan) leftover(out *recipe.Recipe) error {
	if s.given == nil {
		return nil
	}
	for _, rt := range s.given.Tables {
		got := given(out, rt.From)
		if got == nil {
			return recipeError(0, "the sources have no table %q; they have %s", rt.From, s.tableNames())
		}
		entries := got.Entries()
		for _, c := range rt.Columns {
			if entries.Column(c.Source, c.Nth) == nil {
				return recipeError(c.Line, "the sources have no column %q in table %q", c.Source, rt.Name)
			}
		}
	}
	return nil
}

func recipeError(line int, msg string, args ...any) error {
	text := fmt.Sprintf(msg, args...)
	if line > 0 {
		text = fmt.Sprintf("line %d: %s", line, text)
	}
	return &genesis.Error{Op: "apply recipe", Kind: genesis.Invalid, Msg: text, Hint: "compare it with the recipe of `genesis show NAME --json`"}
}

func (s *scan) tableNames() string {
	var names []string
	for _, t := range s.tables {
		names = append(names, fmt.Sprintf("%q", t.from))
	}
	return strings.Join(names, ", ")
}

// decide makes the recipe of one table.
func (t *table) decide(rt *recipe.Table) (*recipe.Table, []genesis.Finding, error) {
	out := &recipe.Table{From: t.from}
	if rt != nil {
		*out = *rt
		out.Columns = nil
	}
	names := infer.Names(t.raws)
	entries := rt.Entries()
	taken := map[string]bool{}
	var findings []genesis.Finding
	commas := slices.ContainsFunc(t.deciders, func(d *infer.Decider) bool { return d != nil && d.Commas() })
	for i, k := range keys(t.raws) {
		var c recipe.Column
		if t.deciders[i] != nil {
			t.decided = true
			t.deciders[i].BesideCommas = commas
			d := t.deciders[i].Decide(t.rows)
			t.deciders[i] = nil // wide tables have many, and nobody asks it again
			c = fromDecision(d, names[i])
			by := entries.Column(k.name, k.nth)
			for _, f := range d.Findings {
				if f.Code == "bare-number" && by != nil && by.BareUnit != "" {
					continue // the recipe says what is meant
				}
				f.Column = c.Name
				findings = append(findings, f)
			}
		}
		if joins[k.name] && t.raws[i].Unit == "" {
			c.Role = genesis.Ignore
		}
		c.Source = k.name
		if k.nth > 1 {
			c.Nth = k.nth
		}
		if rt != nil {
			overlay(&c, entries.Column(k.name, k.nth))
		}
		if c.Name == "" {
			c.Name = names[i]
		}
		out.Columns = append(out.Columns, c)
		taken[c.Name] = true
	}
	if rt == nil {
		oneTime(out)
	}
	return out, findings, nil
}

// joins are the columns by which readers of nested formats say how the rows of
// their tables belong together. They are nothing to learn from.
var joins = map[string]bool{"_row": true, "_parent": true, "_index": true}

// oneTime leaves the role of time to the first column that has it.
func oneTime(t *recipe.Table) {
	seen := map[genesis.Role]bool{}
	for i := range t.Columns {
		c := &t.Columns[i]
		if c.Role == genesis.Time || c.Role == genesis.ID {
			if seen[c.Role] {
				c.Role = genesis.Ignore
			}
			seen[c.Role] = true
		}
	}
}

func fromDecision(d infer.Decision, name string) recipe.Column {
	return recipe.Column{
		Name: name, Reading: d.Reading,
		Unit: d.Column.Unit, UnitSource: d.Column.UnitSource,
		Semantic: d.Column.Semantic, Role: d.Column.Role,
		Description: d.Column.Description, Evidence: d.Evidence, OtherForm: d.OtherForm,
	}
}

// overlay puts what a person wrote over what was decided.
func overlay(c *recipe.Column, by *recipe.Column) {
	if by == nil {
		return
	}
	decided := *c
	*c = *by
	c.Evidence = decided.Evidence
	fill(&c.Name, decided.Name)
	if by.Type == "" {
		c.Reading = decided.Reading
		if by.Missing != nil {
			c.Missing = by.Missing
		}
		if by.BareUnit != "" {
			c.BareUnit = by.BareUnit
		}
	}
	if by.Type == "" || !by.Decided() {
		fill(&c.Unit, decided.Unit)
		fill(&c.UnitSource, decided.UnitSource)
		fill(&c.Semantic, decided.Semantic)
		fill(&c.Role, decided.Role)
		fill(&c.Description, decided.Description)
	}
}

func fill[T ~string](dst *T, v T) {
	if *dst == "" {
		*dst = v
	}
}

// setTargets gives the columns named by --target their role.
func setTargets(r *recipe.Recipe, targets []string) error {
	for _, name := range targets {
		c := findColumn(r, name)
		if c == nil {
			return &genesis.Error{Op: "prepare", Kind: genesis.Invalid, Subject: name, Msg: "is to be the target but is no column",
				Hint: "the columns are " + strings.Join(columnNames(r), ", ")}
		}
		c.Role = genesis.Target
	}
	return nil
}

// findColumn finds a column by its name or by its header cell.
func findColumn(r *recipe.Recipe, name string) *recipe.Column {
	for _, match := range []func(*recipe.Column) bool{
		func(c *recipe.Column) bool { return c.Name == name },
		func(c *recipe.Column) bool { return c.Source == name },
		func(c *recipe.Column) bool { return strings.EqualFold(c.Source, name) },
	} {
		for i := range r.Tables {
			for j := range r.Tables[i].Columns {
				if c := &r.Tables[i].Columns[j]; !c.Drop && match(c) {
					return c
				}
			}
		}
	}
	return nil
}

func columnNames(r *recipe.Recipe) []string {
	var out []string
	for _, t := range r.Tables {
		for _, c := range t.Columns {
			if out = append(out, c.Name); len(out) == 40 {
				return append(out, "…")
			}
		}
	}
	return out
}

var notName = regexp.MustCompile(`[^a-z0-9]+`)

// tableName makes a table's name from the one its source gives it.
func tableName(from string) string {
	name := strings.Trim(notName.ReplaceAllString(strings.ToLower(from), "_"), "_")
	if name == "" {
		return "data"
	}
	return name[:min(len(name), 64)]
}

func unique(name string, taken map[string]bool) string {
	for n, base := 2, name; taken[name]; n++ {
		name = fmt.Sprintf("%s_%d", base, n)
	}
	return name
}

// badTally collects the rows a reader could not take apart.
type badTally struct {
	source string
	codes  []string
	found  map[string]*genesis.Finding
}

func (t *badTally) add(rows []format.BadRow) {
	for _, r := range rows {
		f := t.found[r.Code]
		if f == nil {
			if t.found == nil {
				t.found = map[string]*genesis.Finding{}
			}
			f = &genesis.Finding{ID: r.Code + ":" + t.source, Code: r.Code, Severity: genesis.Refusal, Source: t.source,
				Message: "rows were set aside: " + r.Msg, Hint: "they are in the table of rejects"}
			t.found[r.Code] = f
			t.codes = append(t.codes, r.Code)
		}
		f.Count++
		if len(f.Rows) < 20 {
			f.Rows = append(f.Rows, r.Line)
		}
	}
}

// findings reports the rows of which the reader has not told itself.
func (t *badTally) findings(told []genesis.Finding) []genesis.Finding {
	var out []genesis.Finding
	for _, code := range t.codes {
		if slices.ContainsFunc(told, func(f genesis.Finding) bool { return f.Code == code }) {
			continue
		}
		f := *t.found[code]
		f.Message = fmt.Sprintf("%d %s", f.Count, f.Message)
		out = append(out, f)
	}
	return out
}

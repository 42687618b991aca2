package ingest

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/ingest/infer"
	"github.com/opengenesis/genesis/internal/ingest/recipe"
	"github.com/opengenesis/genesis/internal/ingest/unit"
)

// Conformed reads raw files as the rows a model wants: its inputs under their
// names and in their units, and every other column as it was found.
type Conformed struct {
	Columns     []genesis.Column
	Conversions []string // "temp: [degF] → Cel"
	Findings    []genesis.Finding
	Rows        int64 // of the table

	env    Env
	ctx    context.Context
	scan   *scan
	in     *table
	out    *tableOut
	next   int // source to open next
	reader format.Reader
	source *source
	steady steady
}

// Conform opens files for a model whose inputs are want. A missing column, a
// column of another kind, or a unit that cannot be converted is an error of
// kind Invalid that names it.
func Conform(ctx context.Context, env Env, files []*format.Raw, want []genesis.Column) (*Conformed, error) {
	steady, err := watch(files)
	if err != nil {
		return nil, err
	}
	sources, err := openSources(ctx, env, files)
	if err != nil {
		return nil, err
	}
	s, err := newScan(ctx, env, sources, nil, format.Options{})
	if err != nil {
		return nil, err
	}
	rec, findings, err := s.decide(genesis.PrepareOptions{})
	if err != nil {
		s.close()
		return nil, err
	}
	c := &Conformed{ctx: ctx, env: env, scan: s, steady: steady, Findings: append(append(s.sourceFindings(), s.bad...), findings...)}
	if err := c.plan(rec, want); err != nil {
		s.close()
		return nil, err
	}
	return c, nil
}

func (c *Conformed) plan(rec *recipe.Recipe, want []genesis.Column) error {
	rt := bestTable(rec, want)
	if rt == nil {
		return conformError("", "the file holds no table", "")
	}
	var missing []string
	matched := map[*recipe.Column]bool{}
	for _, w := range want {
		rc := matchColumn(rt, w)
		if rc == nil || matched[rc] {
			missing = append(missing, spelled(w))
			continue
		}
		matched[rc] = true
		if err := c.fit(rc, w); err != nil {
			return err
		}
	}
	if len(missing) > 0 {
		return conformError("", "lacks what the model needs: "+strings.Join(missing, ", "),
			"the file's columns are "+strings.Join(columnNames(rec), ", "))
	}
	c.avoidClashes(rt, want, matched)
	for _, t := range c.scan.tables {
		if t.from == rt.From {
			c.in = t
		}
	}
	c.Rows = c.in.rows
	var err error
	if c.out, err = newTableOut(rt, c.in); err == nil {
		c.Columns = c.out.cols
	}
	return err
}

// avoidClashes renames other columns that stand in the way of a model's input.
func (c *Conformed) avoidClashes(rt *recipe.Table, want []genesis.Column, matched map[*recipe.Column]bool) {
	taken := map[string]bool{}
	for _, w := range want {
		taken[w.Name] = true
	}
	for i := range rt.Columns {
		if rc := &rt.Columns[i]; !matched[rc] {
			rc.Name = unique(rc.Name, taken)
			taken[rc.Name] = true
		}
	}
}

func conformError(column, msg, hint string) error {
	return &genesis.Error{Op: "predict", Kind: genesis.Invalid, Subject: column, Msg: msg, Hint: hint}
}

func spelled(w genesis.Column) string {
	if w.Unit != "" {
		return fmt.Sprintf("%s (%s)", w.Name, w.Unit)
	}
	return w.Name
}

// bestTable returns the table that has most of the wanted columns.
func bestTable(rec *recipe.Recipe, want []genesis.Column) *recipe.Table {
	var best *recipe.Table
	most := -1
	for i := range rec.Tables {
		n := 0
		for _, w := range want {
			if matchColumn(&rec.Tables[i], w) != nil {
				n++
			}
		}
		if n > most {
			best, most = &rec.Tables[i], n
		}
	}
	return best
}

// matchColumn finds a wanted column by its name or by the header it had in the
// model's own data.
func matchColumn(rt *recipe.Table, w genesis.Column) *recipe.Column {
	for _, match := range []func(c *recipe.Column) bool{
		func(c *recipe.Column) bool { return c.Name == w.Name },
		func(c *recipe.Column) bool { return c.Source == w.Name },
		func(c *recipe.Column) bool { return w.Original != "" && strings.EqualFold(c.Source, w.Original) },
	} {
		for i := range rt.Columns {
			if match(&rt.Columns[i]) {
				return &rt.Columns[i]
			}
		}
	}
	return nil
}

// fit makes a column readable as the model wants it.
func (c *Conformed) fit(rc *recipe.Column, w genesis.Column) error {
	c.orderDays(rc, w)
	rc.Name = w.Name
	for _, m := range w.Missing {
		if w.Type.Numeric() {
			m = infer.CodeLike(m, rc.Reading)
		}
		rc.Missing = appendNew(rc.Missing, m)
	}
	switch {
	case w.Type.Numeric() && !rc.Type.Numeric():
		return conformError(rc.Source, fmt.Sprintf("holds %s where the model needs numbers", rc.Type),
			"a few cells that are no numbers can be made missing: prepare the file with a recipe, then predict on its export")
	case w.Type == genesis.Timestamp && rc.Type != genesis.Timestamp && rc.Type != genesis.Date:
		return conformError(rc.Source, fmt.Sprintf("holds %s where the model needs times", rc.Type), "")
	case w.Type == genesis.Boolean && rc.Type != genesis.Boolean:
		return conformError(rc.Source, fmt.Sprintf("holds %s where the model needs true or false", rc.Type), "")
	case w.Type.Textual():
		rc.Reading = infer.Reading{Type: w.Type, Missing: rc.Missing}
		return nil
	}
	if w.Unit == "" || w.Unit == rc.Unit {
		return nil
	}
	if rc.Unit == "" {
		rc.Unit = w.Unit
		c.Findings = append(c.Findings, genesis.Finding{ID: "unit-assumed:" + w.Name, Code: "unit-assumed", Severity: genesis.Note, Column: w.Name,
			Message: fmt.Sprintf("states no unit; taken to be in %s, as the model's data were", w.Unit)})
		return nil
	}
	if _, err := unit.Convert(rc.Unit, w.Unit); err != nil {
		return conformError(rc.Source, fmt.Sprintf("is in %s, which cannot be converted to the model's %s", rc.Unit, w.Unit), "")
	}
	rc.Convert = w.Unit
	c.Conversions = append(c.Conversions, fmt.Sprintf("%s: %s → %s", w.Name, rc.Unit, w.Unit))
	return nil
}

// orderDays reads dates that fit both orders of day and month as the model's data
// were read: what a file means does not depend on which days it happens to hold.
func (c *Conformed) orderDays(rc *recipe.Column, w genesis.Column) {
	wanted, known := infer.DayFirst(w.DateForm)
	if !known || rc.OtherForm == "" {
		return
	}
	if got, _ := infer.DayFirst(rc.DateForm); got != wanted {
		rc.DateForm, rc.OtherForm = rc.OtherForm, rc.DateForm
	}
	c.Findings = slices.DeleteFunc(c.Findings, func(f genesis.Finding) bool { return f.Code == "ambiguous-date" && f.Column == rc.Name })
	c.Findings = append(c.Findings, genesis.Finding{ID: "date-order-assumed:" + w.Name, Code: "date-order-assumed", Severity: genesis.Note, Column: w.Name,
		Message: fmt.Sprintf("every date fits %s as well as %s; the first is taken, because the model's data were written so", rc.DateForm, rc.OtherForm)})
}

func appendNew(list []string, s string) []string {
	for _, x := range list {
		if x == s {
			return list
		}
	}
	return append(list, s)
}

// Index returns the position of the column called name, or −1.
func (c *Conformed) Index(name string) int {
	for j, col := range c.Columns {
		if col.Name == name {
			return j
		}
	}
	return -1
}

// Next returns the next rows, typed as Columns says, or io.EOF.
func (c *Conformed) Next() (*format.Batch, error) {
	for {
		if err := canceled(c.ctx, "predict"); err != nil {
			return nil, err
		}
		if c.reader == nil {
			if err := c.openNext(); err != nil {
				return nil, err
			}
		}
		b, err := c.reader.Next()
		if err == io.EOF {
			c.reader.Close()
			c.reader = nil
			continue
		}
		if err != nil {
			return nil, err
		}
		if b.Table >= len(c.source.tables) || len(b.Cols) > len(c.source.maps[b.Table]) {
			return nil, changed(c.source.stream.Name)
		}
		if c.source.tables[b.Table] != c.in || b.Rows == 0 {
			continue
		}
		return c.convert(b)
	}
}

func (c *Conformed) openNext() (err error) {
	if c.next == len(c.scan.sources) {
		if err := c.steady.check(); err != nil {
			return err
		}
		return io.EOF
	}
	c.source = c.scan.sources[c.next]
	c.next++
	c.reader, err = c.source.open(c.ctx, c.env, recipe.Read{}, format.Options{})
	return err
}

func (c *Conformed) convert(b *format.Batch) (*format.Batch, error) {
	raw := arrange(b, c.source.maps[b.Table], len(c.in.raws))
	vecs, bad, err := c.out.convert(c.env, b, raw)
	if err != nil {
		return nil, err
	}
	for _, r := range bad {
		c.out.rejected[r.column+"\x00"+r.rule]++
	}
	return &format.Batch{Rows: b.Rows, First: b.First, Cols: vecs}, nil
}

// Close ends the reading; Findings are complete then.
func (c *Conformed) Close() error {
	if c.reader != nil {
		c.reader.Close()
	}
	if c.out != nil {
		c.Findings = append(c.Findings, c.out.rejectFindings()...)
	}
	c.scan.close()
	number(c.Findings)
	return nil
}

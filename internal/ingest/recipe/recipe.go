package recipe

import (
	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/ingest/infer"
)

// Format is the format number of the recipes this program writes.
const Format = 1

// Recipe is the whole text.
type Recipe struct {
	Format int     `yaml:"format"`
	Read   Read    `yaml:"read,omitempty"`
	Tables []Table `yaml:"tables"`
	Splits []Split `yaml:"splits,omitempty"`
	Strict bool    `yaml:"strict,omitempty"` // refuse the first bad cell instead of setting it aside
}

// Read overrides what recognition finds in the files.
type Read struct {
	Header    string   `yaml:"header,omitempty"`
	Delimiter string   `yaml:"delimiter,omitempty"`
	Encoding  string   `yaml:"encoding,omitempty"`
	Sheets    []string `yaml:"sheets,omitempty,flow"`
}

// Table is what becomes of one table of the sources.
type Table struct {
	Name        string   `yaml:"name"`
	From        string   `yaml:"from,omitempty"` // the table's name in the source; empty: the only one
	Drop        bool     `yaml:"drop,omitempty"`
	Columns     []Column `yaml:"columns"`
	Summary     []string `yaml:"summary,omitempty,flow"` // labels of rows of sums or means, where a column has no words
	Derive      []Derive `yaml:"derive,omitempty"`
	Filter      []string `yaml:"filter,omitempty"` // CEL; rows for which one is not true are left out
	Rules       []Rule   `yaml:"rules,omitempty"`
	Deduplicate bool     `yaml:"deduplicate,omitempty"` // keep the first of rows whose source cells are all equal
}

// Column is what becomes of one column of a source table.
type Column struct {
	Source string `yaml:"source"`        // the header cell, verbatim
	Nth    int    `yaml:"nth,omitempty"` // 2 for the second column of that name
	Name   string `yaml:"name,omitempty"`
	Drop   bool   `yaml:"drop,omitempty"`

	infer.Reading `yaml:",inline"`

	Unit        string           `yaml:"unit,omitempty"`        // UCUM code of the cells as read
	UnitSource  string           `yaml:"unit_source,omitempty"` // as the source spells it
	Convert     string           `yaml:"convert,omitempty"`     // UCUM code to convert to
	Semantic    genesis.Semantic `yaml:"semantic,omitempty"`
	Role        genesis.Role     `yaml:"role,omitempty"`
	Description string           `yaml:"description,omitempty"`

	// Evidence holds, by YAML key, why the line says what it says. It is
	// printed as comments and not read back.
	Evidence map[string]string `yaml:"-"`
	Line     int               `yaml:"-"`
	// OtherForm is a form that reads every date as well as DateForm does.
	OtherForm string `yaml:"-"`
}

// Derive is a column computed from others of its row by a CEL expression.
type Derive struct {
	Name        string       `yaml:"name"`
	Expr        string       `yaml:"expr"`
	Type        genesis.Type `yaml:"type"`
	Unit        string       `yaml:"unit,omitempty"`
	Role        genesis.Role `yaml:"role,omitempty"`
	Description string       `yaml:"description,omitempty"`
	Line        int          `yaml:"-"`
}

// Rule is a condition on the values of a column, or, with Expr, on whole rows.
// Cells that break min, max, in or matches go to the rejects and become
// missing; rows that break not_null, unique or an expression go to the rejects
// whole.
type Rule struct {
	Column  string   `yaml:"column,omitempty"`
	Min     *float64 `yaml:"min,omitempty"`
	Max     *float64 `yaml:"max,omitempty"`
	In      []string `yaml:"in,omitempty,flow"`
	Matches string   `yaml:"matches,omitempty"` // RE2, anywhere in the value
	Unique  bool     `yaml:"unique,omitempty"`
	NotNull bool     `yaml:"not_null,omitempty"`
	Expr    string   `yaml:"expr,omitempty"`
	Line    int      `yaml:"-"`
}

// Split is a split to make of the first table, or of Table.
type Split struct {
	Name      string    `yaml:"name,omitempty"`
	By        string    `yaml:"by"` // random, group:COL, time:COL, stratify:COL, import:DIR
	Table     string    `yaml:"table,omitempty"`
	Fractions []float64 `yaml:"fractions,omitempty,flow"`
	Folds     int       `yaml:"folds,omitempty"`
	Seed      uint64    `yaml:"seed"`
	Line      int       `yaml:"-"`
}

// Table returns the table called name, or nil.
func (r *Recipe) Table(name string) *Table {
	for i := range r.Tables {
		if r.Tables[i].Name == name {
			return &r.Tables[i]
		}
	}
	return nil
}

// Entries finds the columns of a table by their header cell and which of that
// name they are.
type Entries map[entry]*Column

type entry struct {
	source string
	nth    int
}

// Entries returns what finds the table's columns; none for a nil table.
func (t *Table) Entries() Entries {
	if t == nil {
		return nil
	}
	e := make(Entries, len(t.Columns))
	for i := range t.Columns {
		c := &t.Columns[i]
		if k := (entry{c.Source, max(c.Nth, 1)}); e[k] == nil {
			e[k] = c
		}
	}
	return e
}

// Column returns the entry for the nth source column called source, or nil.
func (e Entries) Column(source string, nth int) *Column {
	return e[entry{source, max(nth, 1)}]
}

// Decided reports whether the entry says all that reading the column needs, so
// that nothing has to be inferred from its cells.
func (c *Column) Decided() bool { return c.Type != "" && c.Name != "" || c.Drop }

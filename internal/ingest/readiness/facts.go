package readiness

import (
	"fmt"
	"strings"

	"github.com/opengenesis/genesis"
)

// facts is the input with columns and their profiles side by side.
type facts struct {
	Input
	columns []column
	rows    int64
}

// column is a column of a table, with its profile where there is one.
type column struct {
	genesis.Column
	table   string
	digest  genesis.Digest
	profile *genesis.ColumnProfile
}

func newFacts(in Input) *facts {
	f := &facts{Input: in}
	for _, t := range in.Manifest.Tables {
		f.rows += t.Rows
		profile := f.profileOf(t.Name)
		for i, c := range t.Columns {
			f.columns = append(f.columns, column{c.Column, t.Name, c.Digest, columnProfile(profile, i, c.Name)})
		}
	}
	return f
}

func (f *facts) profileOf(table string) *genesis.TableProfile {
	for i := range f.Profile.Tables {
		if f.Profile.Tables[i].Name == table {
			return &f.Profile.Tables[i]
		}
	}
	return nil
}

// columnProfile finds a column's profile, at its own place as a rule.
func columnProfile(t *genesis.TableProfile, i int, name string) *genesis.ColumnProfile {
	if t == nil {
		return nil
	}
	if i < len(t.Columns) && t.Columns[i].Name == name {
		return &t.Columns[i]
	}
	for j := range t.Columns {
		if t.Columns[j].Name == name {
			return &t.Columns[j]
		}
	}
	return nil
}

// called returns the column's name, with its table where there are several.
func (f *facts) called(c column) string {
	if len(f.Manifest.Tables) > 1 && c.table != "" {
		return c.table + "." + c.Name
	}
	return c.Name
}

// select returns the columns for which keep holds.
func (f *facts) where(keep func(column) bool) []column {
	var out []column
	for _, c := range f.columns {
		if keep(c) {
			out = append(out, c)
		}
	}
	return out
}

// maxNamed is how many columns a piece of evidence names.
const maxNamed = 5

// names lists columns for evidence.
func (f *facts) names(cols []column) string {
	var out []string
	for i, c := range cols {
		if i == maxNamed {
			out = append(out, fmt.Sprintf("and %d more", len(cols)-maxNamed))
			break
		}
		out = append(out, f.called(c))
	}
	return strings.Join(out, ", ")
}

// none judges a set of offending columns among those asked.
func (f *facts) none(asked, bad []column, nothing, good, evil string) outcome {
	switch {
	case len(asked) == 0:
		return notApplicable(nothing)
	case len(bad) == 0:
		return pass(fmt.Sprintf("all %d %s", len(asked), good))
	}
	return fail(fmt.Sprintf("%d of %d %s: %s", len(bad), len(asked), evil, f.names(bad)))
}

func (f *facts) targets() []column {
	return f.where(func(c column) bool { return c.Role == genesis.Target })
}

// learnt reports whether a column takes part in learning.
func learnt(c column) bool { return c.Role == genesis.Feature || c.Role == genesis.Target }

func (f *facts) features() []column {
	return f.where(func(c column) bool { return c.Role == genesis.Feature })
}

func (f *facts) profiled() bool { return len(f.Profile.Tables) > 0 }

// quantile returns the profile's quantile p.
func quantile(c *genesis.ColumnProfile, p float64) (float64, bool) {
	for _, q := range c.Quantiles {
		if q.P == p {
			return q.Value, true
		}
	}
	return 0, false
}

func percent(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return 100 * float64(part) / float64(whole)
}

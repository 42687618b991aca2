package learn

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// minRows is the least number of training rows with a target.
const minRows = 20

// table gives access to a batch's vectors by column name.
type table struct {
	columns []genesis.Column
	batch   *format.Batch
}

// vector returns the values of column j; a batch may hold fewer columns than
// its table, whose values are then all missing.
func (t table) vector(j int) *format.Vector {
	if j < 0 || j >= len(t.batch.Cols) {
		return nil
	}
	return &t.batch.Cols[j]
}

func (t table) index(name string) int {
	return slices.IndexFunc(t.columns, func(c genesis.Column) bool { return c.Name == name })
}

// number returns value i of v as a number; false when it is missing or not a
// finite number.
func number(v *format.Vector, i int) (float64, bool) {
	if v == nil || v.Null(i) {
		return 0, false
	}
	switch v.Kind {
	case format.Float:
		x := v.Floats[i]
		return x, x-x == 0
	case format.Text:
		x, err := strconv.ParseFloat(string(v.Bytes(i)), 64)
		return x, err == nil && x-x == 0
	}
	return float64(v.Ints[i]), true
}

// label returns value i of v as text; false when it is missing.
func label(v *format.Vector, i int) (string, bool) {
	if v == nil || v.Null(i) {
		return "", false
	}
	switch v.Kind {
	case format.Text:
		return string(v.Bytes(i)), true
	case format.Float:
		return strconv.FormatFloat(v.Floats[i], 'g', -1, 64), true
	case format.Bool:
		return strconv.FormatBool(v.Ints[i] != 0), true
	}
	return strconv.FormatInt(v.Ints[i], 10), true
}

// choose returns the indexes of the columns to learn from, in table order, and
// notes on those left out.
func choose(t table, opt Options) ([]int, []string, error) {
	for _, name := range append(slices.Clone(opt.Target), opt.Features...) {
		if t.index(name) < 0 {
			return nil, nil, invalid(name, "there is no such column", "columns are named as `genesis show` lists them")
		}
	}
	var chosen []int
	var notes []string
	for j, c := range t.columns {
		if slices.Contains(opt.Target, c.Name) {
			continue
		}
		if opt.Features != nil {
			if slices.Contains(opt.Features, c.Name) {
				chosen = append(chosen, j)
			}
			continue
		}
		if why := leaveOut(c); why != "" {
			notes = append(notes, fmt.Sprintf("column %q is not learned from: %s", c.Name, why))
			continue
		}
		chosen = append(chosen, j)
	}
	return chosen, notes, nil
}

// leaveOut says why a column is no input, or "".
func leaveOut(c genesis.Column) string {
	switch c.Role {
	case genesis.ID, genesis.Group, genesis.Ignore, genesis.Weight, genesis.Qualifier, genesis.Target:
		return "its role is " + string(c.Role)
	}
	switch {
	case c.Semantic == genesis.Person:
		return "it holds personal data"
	case c.Semantic == genesis.SMILES:
		return "molecules are not understood yet"
	case c.Semantic == genesis.Formula:
		return ""
	case c.Type == genesis.Text:
		return "free text is not understood yet"
	case c.Type == genesis.Identifier:
		return "it names rows or things"
	}
	return ""
}

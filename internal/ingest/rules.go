package ingest

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/format/expr"
	"github.com/opengenesis/genesis/internal/ingest/recipe"
)

// cellRule is a condition on one value; it returns the name of the rule a
// value breaks, or "".
type cellRule func(v *format.Vector, i int) string

// cellRules compiles min, max, in and matches for a column.
func cellRules(rules []recipe.Rule, c genesis.Column) []cellRule {
	var out []cellRule
	for _, r := range rules {
		if r.Column != c.Name {
			continue
		}
		if r.Min != nil || r.Max != nil {
			out = append(out, rangeRule(r, c.Type))
		}
		if r.In != nil {
			out = append(out, inRule(r))
		}
		if r.Matches != "" {
			re := regexp.MustCompile(r.Matches) // checked when the recipe was read
			name := "matches " + r.Matches
			out = append(out, func(v *format.Vector, i int) string {
				if v.Kind == format.Text && re.Match(v.Bytes(i)) || v.Kind != format.Text && re.MatchString(plainValue(v, i)) {
					return ""
				}
				return name
			})
		}
	}
	return out
}

func rangeRule(r recipe.Rule, t genesis.Type) cellRule {
	return func(v *format.Vector, i int) string {
		var x float64
		switch v.Kind {
		case format.Float:
			x = v.Floats[i]
		case format.Text:
			return ""
		default:
			x = float64(v.Ints[i])
		}
		if r.Min != nil && !(x >= *r.Min) {
			return fmt.Sprintf("min %v", *r.Min)
		}
		if r.Max != nil && !(x <= *r.Max) {
			return fmt.Sprintf("max %v", *r.Max)
		}
		return ""
	}
}

func inRule(r recipe.Rule) cellRule {
	allowed := make(map[string]bool, len(r.In))
	for _, s := range r.In {
		allowed[s] = true
	}
	return func(v *format.Vector, i int) string {
		if v.Kind == format.Text && allowed[string(v.Bytes(i))] || v.Kind != format.Text && allowed[plainValue(v, i)] {
			return ""
		}
		return "in"
	}
}

// plainValue spells a value as a person would write it in a recipe.
func plainValue(v *format.Vector, i int) string {
	switch v.Kind {
	case format.Text:
		return string(v.Bytes(i))
	case format.Float:
		return strconv.FormatFloat(v.Floats[i], 'g', -1, 64)
	case format.Bool:
		return strconv.FormatBool(v.Ints[i] != 0)
	case format.Timestamp:
		return timestampText(v.Ints[i])
	case format.Date:
		return dateText(v.Ints[i])
	}
	return strconv.FormatInt(v.Ints[i], 10)
}

// rowExpr is a condition on a row, and how it is written.
type rowExpr struct {
	*expr.Expr
	text string
}

// rowRules are the conditions on whole rows.
type rowRules struct {
	filters []*expr.Expr
	exprs   []rowExpr
	notNull []int // columns
	unique  []uniqueRule
}

type uniqueRule struct {
	col  int
	seen *identitySet
}

func (t *tableOut) compileRows() error {
	r := &t.rows
	for _, text := range t.rt.Filter {
		e, err := compileExpr(text, 0, t.cols, genesis.Boolean)
		if err != nil {
			return err
		}
		r.filters = append(r.filters, e)
	}
	for _, rule := range t.rt.Rules {
		if err := t.compileRule(rule); err != nil {
			return err
		}
	}
	return nil
}

func (t *tableOut) compileRule(rule recipe.Rule) error {
	if rule.Expr != "" {
		e, err := compileExpr(rule.Expr, rule.Line, t.cols, genesis.Boolean)
		t.rows.exprs = append(t.rows.exprs, rowExpr{e, rule.Expr})
		return err
	}
	j, ok := t.index[rule.Column]
	if !ok {
		return recipeError(rule.Line, "there is no column %q to check", rule.Column)
	}
	if rule.NotNull {
		t.rows.notNull = append(t.rows.notNull, j)
	}
	if rule.Unique {
		t.rows.unique = append(t.rows.unique, uniqueRule{j, newIdentitySet(1024)})
	}
	return nil
}

func (r *rowRules) none() bool {
	return len(r.filters)+len(r.exprs)+len(r.notNull)+len(r.unique) == 0
}

// broken returns the rule that the row breaks, with the column at fault, or "".
func (r *rowRules) broken(x *row) (rule string, col int) {
	for _, j := range r.notNull {
		if x.vecs[j].Null(x.i) {
			return "not_null", j
		}
	}
	for _, u := range r.unique {
		if v := &x.vecs[u.col]; !v.Null(x.i) {
			var h rowHasher
			h.cell(v, x.i)
			if !u.seen.add(sum128(h.buf)) {
				return "unique", u.col
			}
		}
	}
	for _, e := range r.exprs {
		// A rule whose inputs are missing is not broken.
		if v, why, ok := e.Eval(x.Row); ok && v.Value() != true || why != "" {
			return e.text, -1
		}
	}
	return "", -1
}

// filtered reports whether a filter leaves the row out.
func (r *rowRules) filtered(x *row) bool {
	for _, e := range r.filters {
		if !e.True(x.Row) {
			return true
		}
	}
	return false
}

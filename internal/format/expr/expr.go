// Package expr is the language of rules, derived columns and filters: CEL, the Common
// Expression Language (https://cel.dev), over the columns of a row. A missing value is
// null, and an expression that needs it has no value either. What one evaluation may
// cost is bounded.
package expr

import (
	"fmt"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// costLimit bounds what one evaluation of an expression may cost, in CEL's own
// units; an ordinary expression costs a few dozen.
const costLimit = 1_000_000

// Expr is an expression, checked against columns. It is safe for concurrent use.
type Expr struct {
	text string
	prg  cel.Program
	fast condition // nil: it is interpreted
	used []string
}

// Compile checks text against the columns' types. want is the type that its value
// must have. The error is of kind Invalid and quotes the text.
func Compile(text string, cols []genesis.Column, want genesis.Type) (*Expr, error) {
	e, _, err := compile(text, cols, want, costLimit)
	return e, err
}

// filterCost is costLimit of filters: a fraction of a second at most.
const filterCost = 100_000

// growing are the functions whose values may be far larger than what they are made of,
// and are made before their cost is known.
var growing = map[string]bool{"replace": true, "join": true, "format": true}

// CompileFilter is Compile for what strangers ask a node to evaluate for each row: the
// expression is true or false, costs less, and calls no function of which one evaluation
// takes much memory.
func CompileFilter(text string, cols []genesis.Column) (*Expr, error) {
	e, checked, err := compile(text, cols, genesis.Boolean, filterCost)
	if err != nil {
		return nil, err
	}
	ast.PostOrderVisit(checked.NativeRep().Expr(), ast.NewExprVisitor(func(x ast.Expr) {
		if x.Kind() == ast.CallKind && growing[x.AsCall().FunctionName()] && err == nil {
			err = invalid(text, x.AsCall().FunctionName()+" is not for filters")
		}
	}))
	return e, err
}

func compile(text string, cols []genesis.Column, want genesis.Type, limit uint64) (*Expr, *cel.Ast, error) {
	opts := []cel.EnvOption{ext.Math(), ext.Strings()}
	for _, c := range cols {
		opts = append(opts, cel.Variable(c.Name, typeOf(c.Type)))
	}
	env, err := cel.NewEnv(opts...)
	if err != nil {
		return nil, nil, invalid(text, err.Error())
	}
	checked, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, nil, invalid(text, firstLine(issues.Err().Error()))
	}
	if out := checked.OutputType(); !fits(out, want) {
		return nil, nil, invalid(text, fmt.Sprintf("its value is of type %s, not %s", out, want))
	}
	prg, err := env.Program(checked, cel.CostLimit(limit), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, nil, invalid(text, err.Error())
	}
	return &Expr{text, prg, fast(checked, cols), identifiers(checked)}, checked, nil
}

func invalid(text, why string) error {
	return &genesis.Error{Op: "read expression", Kind: genesis.Invalid, Msg: fmt.Sprintf("expression %q: %s", text, why), Hint: hint(why)}
}

// hint says what to write in place of what people write who know other languages.
func hint(why string) string {
	switch {
	case strings.Contains(why, "undeclared reference"):
		return "only columns of the table have names here; texts stand in quotes; the language is CEL"
	case strings.Contains(why, "Syntax error"):
		return "write && and || for and and or, == for equal, \"…\" around texts; the language is CEL"
	case strings.Contains(why, "timestamp"):
		return "times and dates are compared with timestamp(\"2000-01-31T00:00:00Z\"); the language is CEL"
	}
	return "numbers of one expression must be of one type: write 1000.0 beside a float, or double(x); the language is CEL"
}

// identifiers returns the names that an expression looks at.
func identifiers(checked *cel.Ast) []string {
	var names []string
	seen := map[string]bool{}
	ast.PostOrderVisit(checked.NativeRep().Expr(), ast.NewExprVisitor(func(e ast.Expr) {
		if e.Kind() == ast.IdentKind && !seen[e.AsIdent()] {
			seen[e.AsIdent()] = true
			names = append(names, e.AsIdent())
		}
	}))
	return names
}

// Uses reports whether the expression looks at the column called name.
func (e *Expr) Uses(name string) bool {
	for _, used := range e.used {
		if used == name {
			return true
		}
	}
	return false
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return strings.TrimPrefix(s, "ERROR: ")
}

func typeOf(t genesis.Type) *cel.Type {
	switch t {
	case genesis.Integer:
		return cel.IntType
	case genesis.Float:
		return cel.DoubleType
	case genesis.Boolean:
		return cel.BoolType
	case genesis.Timestamp, genesis.Date:
		return cel.TimestampType
	}
	return cel.StringType
}

func fits(out *cel.Type, want genesis.Type) bool {
	if out.IsExactType(typeOf(want)) || out.IsExactType(cel.DynType) {
		return true
	}
	return want == genesis.Float && out.IsExactType(cel.IntType)
}

// Cells are what expressions look at: the cell of a column, by number, in a row.
type Cells interface {
	Null(col int, row uint64) bool
	Int(col int, row uint64) int64     // integers; microseconds or days since 1970; 0 and 1
	Float(col int, row uint64) float64 // numbers
	Text(col int, row uint64) []byte
}

// Row is the row that an expression is evaluated for: row At of Cells.
type Row struct {
	Cells Cells
	At    uint64
	index map[string]int
	types []genesis.Type
}

// NewRow returns a row of the columns.
func NewRow(cols []genesis.Column, cells Cells) *Row {
	r := &Row{Cells: cells, index: make(map[string]int, len(cols)), types: make([]genesis.Type, len(cols))}
	for i, c := range cols {
		r.index[c.Name], r.types[i] = i, c.Type
	}
	return r
}

// ResolveName returns the value of the column called name.
func (r *Row) ResolveName(name string) (any, bool) {
	col, ok := r.index[name]
	if !ok {
		return nil, false
	}
	return r.value(col), true
}

// Parent returns nil: columns are all there is.
func (r *Row) Parent() cel.Activation { return nil }

func (r *Row) value(col int) ref.Val {
	if r.Cells.Null(col, r.At) {
		return types.NullValue
	}
	switch r.types[col] {
	case genesis.Integer:
		return types.Int(r.Cells.Int(col, r.At))
	case genesis.Float:
		return types.Double(r.Cells.Float(col, r.At))
	case genesis.Boolean:
		return types.Bool(r.Cells.Int(col, r.At) != 0)
	case genesis.Timestamp:
		return types.Timestamp{Time: time.UnixMicro(r.Cells.Int(col, r.At)).UTC()}
	case genesis.Date:
		return types.Timestamp{Time: time.Unix(r.Cells.Int(col, r.At)*86400, 0).UTC()}
	}
	return types.String(r.Cells.Text(col, r.At))
}

// Eval returns the expression's value for a row; ok is false when it has none:
// an input is missing, or the arithmetic has no answer (why says so then).
func (e *Expr) Eval(r *Row) (v ref.Val, why string, ok bool) {
	out, _, err := e.prg.Eval(r)
	if err == nil && out != nil && out.Type() != types.NullType {
		return out, "", true
	}
	if err != nil && !strings.Contains(err.Error(), "no such overload") {
		return nil, err.Error(), false
	}
	return nil, "", false
}

// True reports whether the expression holds for a row.
func (e *Expr) True(r *Row) bool {
	if e.fast != nil {
		return e.fast(r.Cells, r.At) == yes
	}
	v, _, ok := e.Eval(r)
	return ok && v == types.True
}

// Holds is True for filters. An expression that costs too much for a row is an error, of
// kind Invalid, so that no row is left out for it.
func (e *Expr) Holds(r *Row) (bool, error) {
	if e.fast != nil {
		return e.True(r), nil
	}
	v, why, ok := e.Eval(r)
	if strings.HasPrefix(why, "operation cancelled") {
		return false, &genesis.Error{Op: "evaluate expression", Kind: genesis.Invalid, Msg: fmt.Sprintf("expression %q takes too long for a row", e.text), Hint: "ask for something simpler"}
	}
	return ok && v == types.True, nil
}

// Vectors are the cells of a batch.
type Vectors []format.Vector

// Null reports whether a cell has no value.
func (v Vectors) Null(col int, row uint64) bool { return v[col].Null(int(row)) }

// Int returns a cell of a vector of Ints.
func (v Vectors) Int(col int, row uint64) int64 { return v[col].Ints[row] }

// Float returns a cell of a vector of Floats.
func (v Vectors) Float(col int, row uint64) float64 { return v[col].Floats[row] }

// Text returns a cell of a vector of texts.
func (v Vectors) Text(col int, row uint64) []byte { return v[col].Bytes(int(row)) }

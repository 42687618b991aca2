package ingest

import (
	"fmt"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/ext"
	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// exprCost bounds what one evaluation of an expression may cost, in CEL's own
// units; an ordinary expression costs a few dozen.
const exprCost = 1_000_000

// expr is a CEL expression over the columns of a row. A missing value is null,
// and an expression that needs it has no value either.
type expr struct {
	text string
	prg  cel.Program
}

// compileExpr checks text against the columns' types. want is the type its
// value must have.
func compileExpr(text string, line int, cols []genesis.Column, want genesis.Type) (*expr, error) {
	opts := []cel.EnvOption{ext.Math(), ext.Strings()}
	for _, c := range cols {
		opts = append(opts, cel.Variable(c.Name, celType(c.Type)))
	}
	env, err := cel.NewEnv(opts...)
	if err != nil {
		return nil, recipeError(line, "%v", err)
	}
	ast, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, exprError(line, text, firstLine(issues.Err().Error()))
	}
	if out := ast.OutputType(); !fits(out, want) {
		return nil, exprError(line, text, fmt.Sprintf("its value is of type %s, not %s", out, want))
	}
	prg, err := env.Program(ast, cel.CostLimit(exprCost), cel.EvalOptions(cel.OptOptimize))
	if err != nil {
		return nil, exprError(line, text, err.Error())
	}
	return &expr{text, prg}, nil
}

func exprError(line int, text, why string) error {
	err := recipeError(line, "expression %q: %s", text, why).(*genesis.Error)
	err.Hint = "numbers of one expression must be of one type: write 1000.0 beside a float, or double(x); the language is CEL"
	return err
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return strings.TrimPrefix(s, "ERROR: ")
}

func celType(t genesis.Type) *cel.Type {
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
	if out.IsExactType(celType(want)) || out.IsExactType(cel.DynType) {
		return true
	}
	return want == genesis.Float && out.IsExactType(cel.IntType)
}

// row is the activation of one row: its columns by name.
type row struct {
	index map[string]int
	cols  []genesis.Column
	vecs  []format.Vector
	i     int
}

// ResolveName returns the value of the column called name.
func (r *row) ResolveName(name string) (any, bool) {
	j, ok := r.index[name]
	if !ok {
		return nil, false
	}
	return celValue(&r.vecs[j], r.cols[j].Type, r.i), true
}

// Parent returns nil: columns are all there is.
func (r *row) Parent() cel.Activation { return nil }

func celValue(v *format.Vector, t genesis.Type, i int) ref.Val {
	if v.Null(i) {
		return types.NullValue
	}
	switch v.Kind {
	case format.Int:
		return types.Int(v.Ints[i])
	case format.Float:
		return types.Double(v.Floats[i])
	case format.Bool:
		return types.Bool(v.Ints[i] != 0)
	case format.Timestamp:
		return types.Timestamp{Time: time.UnixMicro(v.Ints[i]).UTC()}
	case format.Date:
		return types.Timestamp{Time: time.Unix(v.Ints[i]*86400, 0).UTC()}
	}
	return types.String(v.Bytes(i))
}

// eval returns the expression's value for a row; ok is false when it has none:
// an input is missing, or the arithmetic has no answer (why says so then).
func (e *expr) eval(r *row) (v ref.Val, why string, ok bool) {
	out, _, err := e.prg.Eval(r)
	if err == nil && out != nil && out.Type() != types.NullType {
		return out, "", true
	}
	if err != nil && !strings.Contains(err.Error(), "no such overload") {
		return nil, err.Error(), false
	}
	return nil, "", false
}

// true reports whether the expression holds for a row.
func (e *expr) true(r *row) bool {
	v, _, ok := e.eval(r)
	return ok && v == types.True
}

// store puts a value into row i of a vector of type t; false when it does not
// fit.
func store(v *format.Vector, i int, t genesis.Type, x ref.Val) bool {
	switch x := x.(type) {
	case types.Int:
		if v.Kind == format.Float {
			v.Floats[i] = float64(x)
			return true
		}
		v.Ints[i] = int64(x)
		return v.Kind == format.Int
	case types.Double:
		if v.Kind != format.Float {
			return false
		}
		v.Floats[i] = float64(x)
	case types.Bool:
		if v.Kind != format.Bool {
			return false
		}
		if x {
			v.Ints[i] = 1
		}
	case types.Timestamp:
		switch v.Kind {
		case format.Timestamp:
			v.Ints[i] = x.UnixMicro()
		case format.Date:
			v.Ints[i] = floorDiv(x.Unix(), 86400)
		default:
			return false
		}
	case types.String:
		if v.Kind != format.Text || len(v.Buf)+len(x) > 1<<31 {
			return false
		}
		start := uint32(len(v.Buf))
		v.Buf = append(v.Buf, x...)
		v.Spans[i] = format.Span{Start: start, End: uint32(len(v.Buf))}
	default:
		return false
	}
	return true
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// blank returns a vector of n cells of type t, all missing.
func blank(t genesis.Type, n int) format.Vector {
	v := nulls(n)
	v.Kind = format.KindOf(t)
	switch v.Kind {
	case format.Text:
	case format.Float:
		v.Spans, v.Floats = nil, make([]float64, n)
	default:
		v.Spans, v.Ints = nil, make([]int64, n)
	}
	return v
}

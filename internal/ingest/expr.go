package ingest

import (
	"errors"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/format/expr"
)

// compileExpr checks the expression of a line of the recipe.
func compileExpr(text string, line int, cols []genesis.Column, want genesis.Type) (*expr.Expr, error) {
	e, err := expr.Compile(text, cols, want)
	var known *genesis.Error
	if errors.As(err, &known) {
		named := recipeError(line, "%s", known.Msg).(*genesis.Error)
		named.Hint = known.Hint
		return nil, named
	}
	return e, err
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

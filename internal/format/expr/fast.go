package expr

import (
	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/opengenesis/genesis"
)

// Most filters compare columns with constants. Those are evaluated without the
// interpreter, some twenty times as fast, with the same outcome: a test holds one
// against the other.

// truth is what a condition comes to: CEL's logic has a third value, that of an error.
type truth int8

const (
	no      truth = iota
	yes           //
	unknown       // a cell that it needs is missing
)

// condition is a compiled condition on a row.
type condition func(cells Cells, row uint64) truth

// fast compiles a checked expression, or returns nil if it is not of the kind.
func fast(checked *cel.Ast, cols []genesis.Column) condition {
	c := compiler{cols: make(map[string]int, len(cols)), types: make([]genesis.Type, len(cols))}
	for i, col := range cols {
		c.cols[col.Name], c.types[i] = i, col.Type
	}
	return c.condition(checked.NativeRep().Expr())
}

type compiler struct {
	cols  map[string]int
	types []genesis.Type
}

func (c *compiler) condition(e ast.Expr) condition {
	switch e.Kind() {
	case ast.IdentKind:
		return c.flag(e)
	case ast.CallKind:
		return c.call(e.AsCall())
	}
	return nil
}

// flag is a column of truth values.
func (c *compiler) flag(e ast.Expr) condition {
	col, ok := c.cols[e.AsIdent()]
	if !ok || c.types[col] != genesis.Boolean {
		return nil
	}
	return func(cells Cells, row uint64) truth {
		switch {
		case cells.Null(col, row):
			return unknown
		case cells.Int(col, row) != 0:
			return yes
		}
		return no
	}
}

func (c *compiler) call(call ast.CallExpr) condition {
	args := call.Args()
	switch call.FunctionName() {
	case operators.LogicalAnd, operators.LogicalOr:
		parts := make([]condition, len(args))
		for i, a := range args {
			if parts[i] = c.condition(a); parts[i] == nil {
				return nil
			}
		}
		if call.FunctionName() == operators.LogicalAnd {
			return joined(parts, no)
		}
		return joined(parts, yes)
	case operators.LogicalNot:
		inner := c.condition(args[0])
		if inner == nil {
			return nil
		}
		return func(cells Cells, row uint64) truth {
			switch inner(cells, row) {
			case yes:
				return no
			case no:
				return yes
			}
			return unknown
		}
	}
	return c.comparison(call)
}

// joined is and, which one no decides, or or, which one yes decides.
func joined(parts []condition, decides truth) condition {
	return func(cells Cells, row uint64) truth {
		out := yes - decides
		for _, part := range parts {
			switch t := part(cells, row); t {
			case decides:
				return decides
			case unknown:
				out = unknown
			}
		}
		return out
	}
}

// comparison compares a column with a constant, on either side.
func (c *compiler) comparison(call ast.CallExpr) condition {
	args := call.Args()
	if len(args) != 2 {
		return nil
	}
	op, left, right := call.FunctionName(), args[0], args[1]
	if left.Kind() == ast.LiteralKind {
		left, right = right, left
		op = mirrored[op]
	}
	if left.Kind() != ast.IdentKind || right.Kind() != ast.LiteralKind {
		return nil
	}
	col, ok := c.cols[left.AsIdent()]
	test, known := tests[op]
	if !ok || !known {
		return nil
	}
	missing := unknown // CEL: nothing is equal to null but null, and less is not defined
	switch op {
	case operators.Equals:
		missing = no
	case operators.NotEquals:
		missing = yes
	}
	var compare func(Cells, uint64) (less, equal bool)
	switch want := right.AsLiteral().(type) {
	case types.Int:
		if c.types[col] != genesis.Integer {
			return nil
		}
		k := int64(want)
		compare = func(cells Cells, row uint64) (bool, bool) { x := cells.Int(col, row); return x < k, x == k }
	case types.Double:
		return c.double(col, op, float64(want), missing)
	case types.String:
		if !c.types[col].Textual() {
			return nil
		}
		k := string(want)
		compare = func(cells Cells, row uint64) (bool, bool) {
			x := cells.Text(col, row)
			return string(x) < k, string(x) == k
		}
	default:
		return nil
	}
	return func(cells Cells, row uint64) truth {
		if cells.Null(col, row) {
			return missing
		}
		if less, equal := compare(cells, row); test(less, equal) {
			return yes
		}
		return no
	}
}

var mirrored = map[string]string{operators.Equals: operators.Equals, operators.NotEquals: operators.NotEquals, operators.Less: operators.Greater,
	operators.LessEquals: operators.GreaterEquals, operators.Greater: operators.Less, operators.GreaterEquals: operators.LessEquals}

var tests = map[string]func(less, equal bool) bool{
	operators.Equals:        func(_, equal bool) bool { return equal },
	operators.NotEquals:     func(_, equal bool) bool { return !equal },
	operators.Less:          func(less, _ bool) bool { return less },
	operators.LessEquals:    func(less, equal bool) bool { return less || equal },
	operators.Greater:       func(less, equal bool) bool { return !less && !equal },
	operators.GreaterEquals: func(less, _ bool) bool { return !less },
}

// double compares numbers as IEEE 754 does: with NaN all is false but !=.
func (c *compiler) double(col int, op string, k float64, missing truth) condition {
	if c.types[col] != genesis.Float || k != k {
		return nil
	}
	var test func(float64) bool
	switch op {
	case operators.Equals:
		test = func(x float64) bool { return x == k }
	case operators.NotEquals:
		test = func(x float64) bool { return x != k }
	case operators.Less:
		test = func(x float64) bool { return x < k }
	case operators.LessEquals:
		test = func(x float64) bool { return x <= k }
	case operators.Greater:
		test = func(x float64) bool { return x > k }
	default:
		test = func(x float64) bool { return x >= k }
	}
	return func(cells Cells, row uint64) truth {
		if cells.Null(col, row) {
			return missing
		}
		if test(cells.Float(col, row)) {
			return yes
		}
		return no
	}
}

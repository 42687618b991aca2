package unit

import (
	"math"
	"strconv"
	"strings"

	"github.com/opengenesis/genesis"
)

// maxCode bounds the codes and spellings that are looked at.
const maxCode = 200

// value is what a UCUM code means: a size in base units and a dimension, and
// for a scale the place of its zero.
type value struct {
	factor float64
	zero   float64
	dim    dims
	scale  bool // has an offset: stands alone, without exponent
}

// Valid reports whether code is a UCUM code this package understands.
func Valid(code string) bool {
	_, ok := eval(code)
	return ok
}

// Commensurable reports whether values in from can be converted to to.
func Commensurable(from, to string) bool {
	a, ok := eval(from)
	b, ok2 := eval(to)
	return ok && ok2 && a.dim == b.dim
}

// Convert returns the function that turns a number in the unit from into one
// in the unit to, both UCUM codes. Errors are of kind Invalid: a code that is
// not understood, or two of different dimension.
func Convert(from, to string) (func(float64) float64, error) {
	a, ok := eval(from)
	if !ok {
		return nil, unitError(from, "is not a unit code that is understood")
	}
	b, ok := eval(to)
	if !ok {
		return nil, unitError(to, "is not a unit code that is understood")
	}
	if a.dim != b.dim {
		return nil, unitError(from, "cannot be converted to "+to+": they measure different things")
	}
	if a == b {
		return func(x float64) float64 { return x }, nil
	}
	if a.zero == b.zero {
		return scaling(a.factor, b.factor), nil
	}
	return affine(a, b), nil
}

// scaling multiplies or divides by one number, whichever is the rounder, so
// that 1,500 m is 1.5 km exactly.
func scaling(a, b float64) func(float64) float64 {
	if q := b / a; q >= 1 && whole(q) {
		q = math.Round(q)
		return func(x float64) float64 { return x / q }
	}
	q := a / b
	if whole(q) {
		q = math.Round(q)
	}
	return func(x float64) float64 { return x * q }
}

// whole reports whether q is a whole number but for rounding.
func whole(q float64) bool { return math.Abs(q-math.Round(q)) <= 4e-15*q }

// affine converts between scales with different zeros. Sums in base units lose
// digits that readings do not have, which rounding to 12 places takes away.
func affine(a, b value) func(float64) float64 {
	shift := (a.zero - b.zero) / b.factor
	q := a.factor / b.factor
	return func(x float64) float64 {
		y := x*q + shift
		if r := math.Round(y*1e10) / 1e10; math.Abs(y) < 1e5 {
			return r
		}
		return y
	}
}

func unitError(subject, msg string) error {
	return &genesis.Error{Op: "convert unit", Kind: genesis.Invalid, Subject: subject, Msg: msg,
		Hint: "units are UCUM codes, for example Cel, m/s, kW.h, mbar"}
}

// eval reads a UCUM code.
func eval(code string) (value, bool) {
	if len(code) > maxCode || code == "" {
		return value{}, false
	}
	p := &codeReader{rest: code}
	v, ok := p.term(0)
	return v, ok && p.rest == "" && !math.IsInf(v.factor, 0) && v.factor > 0
}

// codeReader reads a UCUM code by recursive descent:
//
//	term = [ "/" ] component { ("." | "/") component }
//	component = "(" term ")" | annotation | number | atom [ exponent ] [ annotation ]
type codeReader struct{ rest string }

func (p *codeReader) term(depth int) (value, bool) {
	if depth > 8 {
		return value{}, false
	}
	v, divide, count := value{factor: 1}, p.take("/"), 0
	for {
		c, ok := p.component(depth)
		if !ok {
			return value{}, false
		}
		count++
		if v, ok = v.times(c, divide, count == 1 && !divide); !ok {
			return value{}, false
		}
		switch {
		case p.take("."):
			divide = false
		case p.take("/"):
			divide = true
		default:
			return v, true
		}
	}
}

func (p *codeReader) take(s string) bool {
	rest, ok := strings.CutPrefix(p.rest, s)
	if ok {
		p.rest = rest
	}
	return ok
}

func (p *codeReader) component(depth int) (value, bool) {
	if p.take("(") {
		v, ok := p.term(depth + 1)
		return v, ok && p.take(")")
	}
	if p.annotation() {
		return value{factor: 1}, true
	}
	code := p.symbol()
	if code == "" {
		n, ok := p.integer()
		return value{factor: float64(n)}, ok && n > 0
	}
	a, ok := lookup(code)
	if !ok {
		return value{}, false
	}
	v := value{factor: a.factor, zero: a.zero, dim: a.dim, scale: a.zero != 0}
	if n, ok := p.integer(); ok {
		if v, ok = v.power(n); !ok {
			return value{}, false
		}
	}
	p.annotation()
	return v, true
}

// annotation takes "{…}".
func (p *codeReader) annotation() bool {
	if !strings.HasPrefix(p.rest, "{") {
		return false
	}
	end := strings.IndexByte(p.rest, '}')
	if end < 0 {
		return false
	}
	p.rest = p.rest[end+1:]
	return true
}

// symbol takes an atom's code: everything up to an operator, an exponent or an
// annotation, with brackets taken whole.
func (p *codeReader) symbol() string {
	for _, power := range []string{"10*", "10^"} {
		if p.take(power) {
			return power
		}
	}
	i := 0
	for i < len(p.rest) {
		c := p.rest[i]
		if c == '[' {
			end := strings.IndexByte(p.rest[i:], ']')
			if end < 0 {
				return ""
			}
			i += end + 1
			continue
		}
		if strings.IndexByte("./(){}+-0123456789", c) >= 0 {
			break
		}
		i++
	}
	s := p.rest[:i]
	p.rest = p.rest[i:]
	return s
}

// integer takes an optionally signed exponent or factor.
func (p *codeReader) integer() (int, bool) {
	i := 0
	if i < len(p.rest) && (p.rest[i] == '-' || p.rest[i] == '+') {
		i++
	}
	start := i
	for i < len(p.rest) && p.rest[i] >= '0' && p.rest[i] <= '9' {
		i++
	}
	if i == start || i > 6 {
		return 0, false
	}
	n, err := strconv.Atoi(p.rest[:i])
	p.rest = p.rest[i:]
	return n, err == nil
}

// times multiplies or divides; a scale may only stand alone.
func (v value) times(c value, divide, first bool) (value, bool) {
	if first {
		return c, true
	}
	if v.scale || c.scale {
		return value{}, false
	}
	n := 1
	if divide {
		n = -1
	}
	w, ok := c.power(n)
	if !ok {
		return value{}, false
	}
	v.factor *= w.factor
	for i := range v.dim {
		d := int(v.dim[i]) + int(w.dim[i])
		if d < -60 || d > 60 {
			return value{}, false
		}
		v.dim[i] = int8(d)
	}
	return v, true
}

func (v value) power(n int) (value, bool) {
	if n == 1 {
		return v, true
	}
	if v.scale || n < -30 || n > 30 {
		return value{}, false
	}
	v.factor = math.Pow(v.factor, float64(n))
	for i := range v.dim {
		d := int(v.dim[i]) * n
		if d < -60 || d > 60 {
			return value{}, false
		}
		v.dim[i] = int8(d)
	}
	return v, true
}

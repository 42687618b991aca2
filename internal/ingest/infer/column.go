package infer

import (
	"math"
	"strconv"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// Kind returns how a vector holds values of type t.
func Kind(t genesis.Type) format.Kind {
	switch t {
	case genesis.Integer:
		return format.Int
	case genesis.Float:
		return format.Float
	case genesis.Boolean:
		return format.Bool
	case genesis.Timestamp:
		return format.Timestamp
	case genesis.Date:
		return format.Date
	}
	return format.Text
}

// Convert reads the cells of in into out, whose memory it uses again where it
// can. Each cell becomes a value, or null because the Reading says so, or null
// after a call of bad with its row in the vector and the rule it broke. When
// the Reading is Qualified and qualifier is not nil, it receives the marks.
// Text values of out share in's buffer.
func (c *Converter) Convert(in, out, qualifier *format.Vector, bad func(row int, rule string)) {
	n := in.Len()
	reset(out, Kind(c.reading.Type), n)
	if qualifier != nil {
		reset(qualifier, format.Text, n)
	}
	switch {
	case in.Kind != format.Text:
		c.typed(in, out, bad)
	case out.Kind == format.Text:
		c.text(in, out)
	default:
		c.cells(in, out, qualifier, bad)
	}
	if qualifier != nil && in.Kind != format.Text {
		for i := range n {
			null(qualifier, i, n)
		}
	}
}

// reset makes v an empty vector of a kind with n cells.
func reset(v *format.Vector, kind format.Kind, n int) {
	spans, ints, floats := v.Spans, v.Ints, v.Floats
	*v = format.Vector{Kind: kind}
	switch kind {
	case format.Text:
		v.Spans = grow(spans, n)
	case format.Float:
		v.Floats = grow(floats, n)
	default:
		v.Ints = grow(ints, n)
	}
}

func grow[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	s = s[:n]
	clear(s)
	return s
}

// null takes cell i's value away.
func null(v *format.Vector, i, n int) {
	if v.Nulls == nil {
		v.Nulls = format.NewBitmap(n)
	}
	v.Nulls.Set(i)
}

// text keeps the cells as they are.
func (c *Converter) text(in, out *format.Vector) {
	out.Buf = in.Buf
	copy(out.Spans, in.Spans)
	for i := range in.Spans {
		if in.Null(i) || c.missing(trim(in.Bytes(i))) {
			out.Spans[i] = format.Span{}
			null(out, i, len(in.Spans))
		}
	}
}

// cells reads text cells as numbers, times or booleans.
func (c *Converter) cells(in, out, qualifier *format.Vector, bad func(int, string)) {
	n := len(in.Spans)
	numeric := c.reading.Type.Numeric()
	for i := range in.Spans {
		b := trim(in.Bytes(i))
		if in.Null(i) || len(b) == 0 {
			null(out, i, n)
			c.noMark(qualifier, i, n)
			continue
		}
		v, rule := c.read(b)
		if c.meansNothing(b, v, rule, numeric) {
			null(out, i, n)
			c.noMark(qualifier, i, n)
			continue
		}
		if rule != "" {
			null(out, i, n)
			c.noMark(qualifier, i, n)
			bad(i, rule)
			continue
		}
		if out.Kind == format.Float {
			out.Floats[i] = v.f
		} else {
			out.Ints[i] = v.i
		}
		c.mark(qualifier, i, n, v.mark)
	}
}

// meansNothing reports whether a cell that was read as v, or broke rule, means
// "no value". Codes are compared as numbers, so that -9999 also is -9999.0; with
// numbers as they are written, whatever unit stands behind. A number behind a
// mark is a bound and no code.
func (c *Converter) meansNothing(b []byte, v value, rule string, numeric bool) bool {
	switch {
	case rule == "" && c.reading.Type == genesis.Integer:
		return c.codeInt(v.i)
	case (rule == "" || rule == OutOfRange || rule == NoUnit) && numeric && v.mark == "" && len(c.numbers) > 0 && c.code(v.raw):
		return true
	case v.mark != "" || v.unit:
	case rule == "" && numeric && !math.IsInf(v.f, 0) && v.f == v.f:
		return false
	}
	return c.missing(b)
}

func (c *Converter) noMark(q *format.Vector, i, n int) {
	if q != nil {
		null(q, i, n)
	}
}

// mark writes a qualifier.
func (c *Converter) mark(q *format.Vector, i, n int, mark string) {
	switch {
	case q == nil:
	case mark == "":
		null(q, i, n)
	default:
		start := uint32(len(q.Buf))
		q.Buf = append(q.Buf, mark...)
		q.Spans[i] = format.Span{Start: start, End: uint32(len(q.Buf))}
	}
}

// typed reads values that the source has typed already.
func (c *Converter) typed(in, out *format.Vector, bad func(int, string)) {
	n := in.Len()
	nan := c.words["NaN"]
	for i := range n {
		if in.Null(i) {
			null(out, i, n)
			continue
		}
		rule, absent := c.typedCell(in, out, i, nan)
		if absent || rule != "" {
			null(out, i, n)
		}
		if rule != "" {
			bad(i, rule)
		}
	}
}

func (c *Converter) typedCell(in, out *format.Vector, i int, nan bool) (rule string, absent bool) {
	if in.Kind == format.Float {
		return c.typedFloat(out, i, in.Floats[i], nan)
	}
	v := in.Ints[i]
	if in.Kind == format.Int && c.codeInt(v) {
		return "", true
	}
	switch out.Kind {
	case format.Float:
		out.Floats[i] = float64(v)
	case format.Text:
		appendText(out, i, spelledTyped(in.Kind, v))
	case format.Bool:
		if v != 0 && v != 1 {
			return NotABoolean, false
		}
		out.Ints[i] = v
	default:
		return c.typedInt(in.Kind, out, i, v), false
	}
	return "", false
}

// typedInt stores v, which has kind from, as an integer, a time or a date.
func (c *Converter) typedInt(from format.Kind, out *format.Vector, i int, v int64) string {
	switch {
	case from == out.Kind, out.Kind == format.Int:
		out.Ints[i] = v
	case from == format.Date && out.Kind == format.Timestamp:
		out.Ints[i] = v * dayMicros
	case from == format.Timestamp && out.Kind == format.Date:
		out.Ints[i] = int64(math.Floor(float64(v) / dayMicros))
	case from == format.Int:
		x, rule := c.time(strconv.AppendInt(nil, v, 10))
		out.Ints[i] = x.i
		return rule
	default:
		return NotATime
	}
	return ""
}

func (c *Converter) typedFloat(out *format.Vector, i int, f float64, nan bool) (rule string, absent bool) {
	if f != f && nan || c.code(f) {
		return "", true
	}
	switch out.Kind {
	case format.Float:
		out.Floats[i] = f
	case format.Text:
		appendText(out, i, strconv.AppendFloat(nil, f, 'g', -1, 64))
	case format.Int:
		if f != math.Trunc(f) {
			return NotWhole, false
		}
		if math.Abs(f) >= 1<<63 {
			return OutOfRange, false
		}
		out.Ints[i] = int64(f)
	case format.Bool:
		if f != 0 && f != 1 {
			return NotABoolean, false
		}
		out.Ints[i] = int64(f)
	default:
		x, rule := c.time(strconv.AppendFloat(nil, f, 'f', -1, 64))
		out.Ints[i] = x.i
		return rule, false
	}
	return "", false
}

func appendText(out *format.Vector, i int, b []byte) {
	start := uint32(len(out.Buf))
	out.Buf = append(out.Buf, b...)
	out.Spans[i] = format.Span{Start: start, End: uint32(len(out.Buf))}
}

// spelledTyped writes a typed value as text.
func spelledTyped(kind format.Kind, v int64) []byte {
	switch kind {
	case format.Bool:
		return strconv.AppendBool(nil, v == 1)
	case format.Date:
		return timeText(v * dayMicros)[:len("2006-01-02")]
	case format.Timestamp:
		return timeText(v)
	}
	return strconv.AppendInt(nil, v, 10)
}

func timeText(micros int64) []byte {
	return time.UnixMicro(micros).UTC().AppendFormat(nil, time.RFC3339Nano)
}

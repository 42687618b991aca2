package infer

import (
	"math"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// TestDigitsAreNotLost holds that a column whose numbers 64 bits cannot keep is
// kept otherwise, or says so.
func TestDigitsAreNotLost(t *testing.T) {
	small := numbered(60, "%d")
	for _, c := range []struct {
		name  string
		cells []string
		want  string
	}{
		{"whole numbers to the ends of 64 bits", many(4, "9223372036854775807", "-9223372036854775808", "9007199254740993", "4"), "integer"},
		{"a tenth beyond 64 bits", append(many(9, "9007199254740993", "17"), many(2, "18446744073709551615")...), "identifier role=ignore"},
		{"one beyond 64 bits", append(small, "18446744073709551615"), "integer !not-a-number"},
		{"beyond 2^53 among decimals", many(4, "9007199254740993", "1.5", "2"), "float !precision"},
		{"a power of two among decimals", many(4, "9007199254740992", "1.5", "2"), "float"},
		{"19 digits", many(4, "0.1234567890123456789", "1.5"), "float !precision"},
		{"17 digits and zeros", many(4, "0.30000000000000004", "0000.50000000000000000000000", "1.5"), "float"},
		{"underflow", many(4, "1e-400", "1.5", "0e-999", "5e-324"), "float !precision"},
		{"zeros before codes", many(4, "007", "1234", "5"), "integer !leading-zeros"},
		{"zeros before parts of times", many(4, "07", "12", "5"), "integer"},
		{"nanoseconds", many(4, "2020-01-01T00:00:00.123456789Z", "2020-01-01T00:00:01Z"), "timestamp role=time form=YYYY-MM-DDTHH:mm:ss.SSSZ zone=UTC !time-rounded"},
		{"nanoseconds that are zero", many(4, "2020-01-01T00:00:00.123456000Z", "2020-01-01T00:00:01Z"), "timestamp role=time form=YYYY-MM-DDTHH:mm:ss.SSSZ zone=UTC"},
	} {
		if have := summary(decide("v", "", c.cells...)); have != c.want {
			t.Errorf("%s: %s, want %s", c.name, have, c.want)
		}
	}
}

// TestPrecisionOverMerges holds that counting does not depend on how rows are
// dealt out.
func TestPrecisionOverMerges(t *testing.T) {
	cells := append(many(3, "9007199254740993", "1.5"), "2020-01-01T00:00:00.1234567Z")
	raw := format.RawColumn{Name: "v"}
	whole := NewDecider(raw, "v")
	whole.Observe(vector(cells...))
	first, second := NewDecider(raw, "v"), NewDecider(raw, "v")
	first.Observe(vector(cells[:3]...))
	second.Observe(vector(cells[3:]...))
	first.Merge(second)
	if whole.inexact != first.inexact || whole.fine != first.fine || whole.fineCount != first.fineCount || whole.inexact.whole != 3 {
		t.Errorf("%+v, want %+v", first.inexact, whole.inexact)
	}
}

// TestCodesAreExact holds that a code for "no value" takes no neighbour along.
func TestCodesAreExact(t *testing.T) {
	c, err := NewConverter(Reading{Type: genesis.Integer, Missing: []string{"9223372036854775807", "-9999", "1e20"}}, format.RawColumn{Name: "v"})
	if err != nil {
		t.Fatal(err)
	}
	var out format.Vector
	var bad []string
	c.Convert(vector("9223372036854775807", "9223372036854775806", "-9999", "-9999.0", "100000000000000000000", "9007199254740993.0", "9007199254740993", "1e18"),
		&out, nil, func(i int, rule string) { bad = append(bad, rule) })
	var have strings.Builder
	for i := range out.Ints {
		switch {
		case out.Null(i):
			have.WriteByte('-')
		case out.Ints[i] == math.MaxInt64-1, out.Ints[i] == 9007199254740993, out.Ints[i] == 1e18:
			have.WriteByte('v')
		default:
			have.WriteByte('?')
		}
	}
	if have.String() != "-v----vv" || len(bad) != 1 || bad[0] != OutOfRange {
		t.Errorf("%s %v, want -v----vv and one cell out of range", have.String(), bad)
	}
	var typed format.Vector
	c.Convert(&format.Vector{Kind: format.Int, Ints: []int64{math.MaxInt64, math.MaxInt64 - 1, -9999}}, &typed, nil, func(int, string) {})
	if !typed.Null(0) || typed.Null(1) || !typed.Null(2) {
		t.Error("typed codes are compared as floats")
	}
}

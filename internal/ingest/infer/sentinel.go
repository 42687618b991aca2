package infer

import (
	"math"
	"strings"
)

// A number means "no value" when it has the look of a code and lies far outside
// everything else:
//
//   - Looks: nothing but nines with at most one point (-9999, 999.9), or one of
//     the codes instruments and formats are known for (-7999, -9900, -32768,
//     1e20, 9.96921e36).
//   - Far: the gap to the nearest other number is a multiple of the others'
//     scale, which is the larger of their span and their magnitude. Negative
//     codes below numbers that are never negative need less of a gap. The more
//     digits and the more often, the less.
//
// A large whole number of one digit repeated, such as 77777 for an unlimited
// ceiling, is a code only if it is frequent too: it stands in a hundredth of
// the cells, and in ten of them, and is three times the next one.
//
// So -9999 among powers from 0 to 3600 is a code, and among elevations around
// -10000 m it is data. A column of nothing but one long negative code has no
// values.

// sentinels returns the codes among the extremes of n cells, and the bounds of
// the rest; ok is false when nothing is left.
func sentinels(x *extremes, n int64) (found []extreme, lo, hi float64, ok bool) {
	low, high := codesAt(x.low[:x.nlow]), codesAt(x.high[:x.nhigh])
	if low == x.nlow && x.nlow < keep { // all distinct values are listed, and all are codes
		return onlyCodes(x)
	}
	if low == x.nlow || high == x.nhigh {
		return nil, x.low[0].value, x.high[0].value, true
	}
	// From the innermost code outward: what is no code widens the rest.
	lo, hi = x.low[low].value, x.high[high].value
	accept := func(e extreme) {
		if far(e, lo, hi) || frequent(e, hi, n) {
			found = append(found, e)
			return
		}
		lo, hi = math.Min(lo, e.value), math.Max(hi, e.value)
	}
	for i := low - 1; i >= 0; i-- {
		accept(x.low[i])
	}
	for i := high - 1; i >= 0; i-- {
		accept(x.high[i])
	}
	return found, lo, hi, true
}

// codesAt counts the leading values that look like codes.
func codesAt(es []extreme) int {
	n := 0
	for n < len(es) && (codeDigits(es[n].value) > 0 || repdigit(es[n].value)) {
		n++
	}
	return n
}

// onlyCodes decides a column in which every number looks like a code.
func onlyCodes(x *extremes) ([]extreme, float64, float64, bool) {
	for _, e := range x.low[:x.nlow] {
		if e.value > 0 && e.value < 1e20 || codeDigits(e.value) < 4 {
			return nil, x.low[0].value, x.high[0].value, true
		}
	}
	return append([]extreme(nil), x.low[:x.nlow]...), 0, 0, false
}

// far reports whether a code lies far enough outside lo…hi.
func far(e extreme, lo, hi float64) bool {
	gap := math.Max(lo-e.value, e.value-hi)
	if gap <= 0 {
		return false
	}
	scale := math.Max(hi-lo, math.Max(math.Abs(lo), math.Abs(hi)))
	ratio := gap / scale
	digits := codeDigits(e.value)
	switch {
	case digits == 0:
		return false
	case math.Abs(e.value) >= 1e20:
		return ratio > 1e3
	case e.value > 0: // large positive numbers are often real
		return digits >= 3 && ratio >= 5 && e.count >= 2 || digits >= 5 && ratio >= 20
	case ratio >= 3 && digits >= 3:
		return true
	case lo >= 0: // the only negative number
		return digits >= 4 || digits >= 3 && e.count >= 2 || digits == 2 && e.count >= 3
	}
	return e.count >= 3 && ratio >= 0.5 && digits >= 3 || e.count >= 3 && ratio >= 2
}

// frequent reports whether e is a number of one digit repeated that stands in
// many of n cells, high above the others.
func frequent(e extreme, hi float64, n int64) bool {
	return repdigit(e.value) && e.count >= 10 && e.count*100 >= n && hi >= 0 && e.value >= 3*math.Max(hi, 1)
}

// repdigit reports whether v is a whole positive number of one digit repeated
// four times or more.
func repdigit(v float64) bool {
	if v < 1111 || v >= 1e10 || v != math.Trunc(v) {
		return false
	}
	s := spelledNumber(v)
	return strings.Trim(s, s[:1]) == ""
}

// codeDigits says how much v looks like a code: the number of its digits, 0
// when it does not.
func codeDigits(v float64) int {
	switch v {
	case -7999, -6999, -8888, -9900, -32768, 32767, -32767, 65535, -2147483648, 2147483647, 4294967295:
		return 4
	}
	if a := math.Abs(v); a >= 1e20 {
		return fillDigits(a)
	}
	s := spelledNumber(math.Abs(v))
	if len(s) > 10 || len(strings.Trim(s, "9.")) > 0 {
		return 0
	}
	digits := len(strings.Replace(s, ".", "", 1))
	if digits < 2 {
		return 0
	}
	return digits
}

// fillDigits recognises the fill values of numerical formats.
func fillDigits(a float64) int {
	for _, fill := range []float64{1e20, 1e30, 1e34, 1e35, 1e36, 1e37, 9.9692099683868690e36, 9.96921e36, 3.4028234663852886e38, 3.402823e38, 1.7976931348623157e308} {
		if math.Abs(a-fill) <= 1e-6*fill {
			return 9
		}
	}
	return 0
}

package find

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// unitSigns are signs by which a chunk is more than its words.
const unitSigns = "/%‰°℃℉²³⁻¹^·⋅*µμΩΩ"

var (
	numberPattern  = regexp.MustCompile(`^[+-]?\d+(\.\d+([eE][+-]?\d+)?|[eE][+-]?\d+)$`)
	productPattern = regexp.MustCompile(`^[A-Za-z]+(-?\d)?(\.[A-Za-z]+(-?\d)?)+$`) // W.m-2
)

// wholeTerm returns what a chunk is as a whole if that says more than its words, as
// units and decimal numbers do: "(W/m²)" is what "W.m-2" is. Else it returns "".
func wholeTerm(chunk string) string {
	if !hints(chunk) {
		return ""
	}
	s := bare(chunk)
	switch {
	case strings.ContainsAny(s, unitSigns):
		return cut(canonicalUnit(s))
	case numberPattern.MatchString(s):
		return cut(strings.ToLower(s))
	case strings.Contains(s, "-") && productPattern.MatchString(s):
		return cut(canonicalUnit(s))
	}
	return ""
}

// bare returns a chunk without brackets and punctuation around it.
func bare(chunk string) string { return strings.Trim(chunk, "()[]{}<>\"'`“”,.;:!?=") }

// hints reports whether a chunk could be a unit or a number: most are neither.
func hints(chunk string) bool {
	digit, point := false, false
	for i := range len(chunk) {
		switch c := chunk[i]; {
		case c >= utf8.RuneSelf || c == '/' || c == '%' || c == '^' || c == '*':
			return true
		case c >= '0' && c <= '9':
			digit = true
		case c == '.' || c == 'e' || c == 'E':
			point = true
		}
	}
	return digit && point
}

// listedUnit returns the term of a unit that stands in a listing, where W.m-2 has
// none of the signs that tell a unit from words.
func listedUnit(unit string) string {
	if strings.ContainsAny(unit, unitSigns+".") || strings.ContainsAny(unit, "0123456789") {
		return cut(canonicalUnit(unit))
	}
	return ""
}

var unitSpellings = strings.NewReplacer("**", "", "^", "", "−", "-", "⁻", "-", "·", ".", "⋅", ".", "*", ".", "μ", "u", "ω", "ohm",
	"°c", "cel", "degc", "cel", "°f", "[degf]", "degf", "[degf]", "°", "deg", " ", ".")

// canonicalUnit writes a unit as the product of its factors with exponents, in
// order: m/s, m·s⁻¹ and s-1.m are "m.s-1". It is no unit's meaning, only what its
// spellings have in common; of case it takes no notice, as words do not.
func canonicalUnit(unit string) string {
	s := unitSpellings.Replace(fold(strings.ReplaceAll(unit, "⁻", "-")))
	powers, order := map[string]int{}, []string{}
	for sign := 1; s != ""; {
		i := strings.IndexAny(s, "./")
		factor, rest, next := s, "", sign
		if i >= 0 {
			factor, rest = s[:i], s[i+1:]
			if next = 1; s[i] == '/' {
				next = -1
			}
		}
		base, power := splitFactor(factor)
		if base != "" && base != "1" {
			if _, ok := powers[base]; !ok {
				order = append(order, base)
			}
			powers[base] += sign * power
		}
		s, sign = rest, next
	}
	return joinFactors(order, powers)
}

// splitFactor takes the exponent from the end of a factor: m-2 is m and -2.
func splitFactor(factor string) (string, int) {
	base := strings.TrimRight(factor, "0123456789")
	digits := factor[len(base):]
	if digits == "" || base == "" || len(digits) > 3 {
		return factor, 1
	}
	power, _ := strconv.Atoi(digits) // at most three digits
	if b, ok := strings.CutSuffix(base, "-"); ok && b != "" {
		return b, -power
	}
	return strings.TrimSuffix(base, "+"), power
}

func joinFactors(bases []string, powers map[string]int) string {
	slices.SortFunc(bases, func(a, b string) int { return cmp.Compare(a, b) })
	var b strings.Builder
	for _, base := range bases {
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(base)
		if powers[base] != 1 {
			b.WriteString(strconv.Itoa(powers[base]))
		}
	}
	return b.String()
}

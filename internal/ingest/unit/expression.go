package unit

import (
	"strconv"
	"strings"
)

// expression takes a spelling apart into factors: symbols or words, each with
// an exponent, joined by ".", "*", "-", spaces or "/" ("per"). What follows a
// product's sign after a stroke ("W/m2.K") may stand above or below the line;
// that is refused, but for brackets: "W/(m2.K)".
func expression(s string) ([]factor, bool) {
	rest, closing := unbracket(s)
	var out []factor
	below := false
	for first := true; rest != ""; first = false {
		var op string
		op, rest = operator(rest)
		if op == "." && (first || below && !closing) || op == "" && !first {
			return nil, false
		}
		below = below || op == "/"
		fs, n, ok := token(rest)
		if !ok {
			return nil, false
		}
		for _, f := range fs {
			if below {
				if f.code == "mK" { // "W/mK" is meant as W/(m.K)
					return nil, false
				}
				f.exp = -f.exp
			}
			out = append(out, f)
		}
		rest = rest[n:]
	}
	return merge(out), len(out) > 0 && len(out) <= 12
}

// unbracket takes the brackets out of "a/(b.c)".
func unbracket(s string) (string, bool) {
	head, tail, ok := strings.Cut(s, "/(")
	if !ok || !strings.HasSuffix(tail, ")") || strings.ContainsAny(tail[:len(tail)-1], "()/") || strings.Contains(head, "/") {
		return s, false
	}
	return head + "/" + tail[:len(tail)-1], true
}

// operator takes what joins two factors: "/", or a product's sign, or "" at the
// start.
func operator(s string) (op, rest string) {
	t := strings.TrimLeft(s, " ")
	if lower := strings.ToLower(t); strings.HasPrefix(lower, "per ") {
		return "/", strings.TrimLeft(t[4:], " ")
	}
	if t != "" && strings.IndexByte("/.*-", t[0]) >= 0 {
		op := t[:1]
		if op != "/" {
			op = "."
		}
		return op, strings.TrimLeft(t[1:], " ")
	}
	if len(t) < len(s) {
		return ".", t
	}
	return "", t
}

// token takes one symbol or word with its exponent and says how long it was.
func token(s string) ([]factor, int, bool) {
	end := 0
	for end < len(s) && !strings.ContainsRune(" /.*^-+0123456789", rune(s[end])) {
		end++
	}
	if end == 0 {
		return nil, 0, false
	}
	fs, ok := single(s[:end])
	if !ok {
		return nil, 0, false
	}
	exp, n := exponent(s[end:])
	if n < 0 || exp < -9 || exp > 9 || exp == 0 {
		return nil, 0, false
	}
	out := make([]factor, len(fs))
	for i, f := range fs {
		out[i] = factor{f.code, f.exp * exp}
	}
	return out, end + n, true
}

// exponent reads "2", "^2", "-1", "^-1" at the start of s; 1 where there is none.
func exponent(s string) (exp, n int) {
	i := 0
	caret := strings.HasPrefix(s, "^")
	if caret {
		i++
	}
	start := i
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	digits := i
	for i < len(s) && s[i] >= '0' && s[i] <= '9' && i-digits < 2 {
		i++
	}
	if i == digits {
		if caret {
			return 0, -1
		}
		return 1, 0
	}
	e, err := strconv.Atoi(s[start:i])
	if err != nil {
		return 0, -1
	}
	return e, i
}

// single finds the factors of one symbol or word.
func single(s string) ([]factor, bool) {
	if fs, ok := symbols[s]; ok {
		return fs, true
	}
	if _, ok := lookup(s); ok && meant(s) {
		return []factor{{s, 1}}, true
	}
	lower := strings.ToLower(s)
	if code, ok := words[lower]; ok {
		return []factor{{code, 1}}, true
	}
	if code, ok := words[strings.TrimSuffix(lower, "s")]; ok {
		return []factor{{code, 1}}, true
	}
	return prefixed(s)
}

// prefixed finds a prefix before a symbol of our own: "kWh", "mAh", "kΩ", "mBar".
func prefixed(s string) ([]factor, bool) {
	for _, p := range []string{"k", "M", "G", "T", "m", "u", "n"} {
		rest, ok := strings.CutPrefix(s, p)
		if !ok {
			continue
		}
		fs, ok := symbols[rest]
		if !ok || rest == "M" || rest == "°" || rest == "°C" || rest == "degC" || rest == "cells" || rest == "counts" || rest == "hrs" || rest == "Sec" {
			continue
		}
		out := append([]factor(nil), fs...)
		if out[0].code = p + out[0].code; !Valid(out[0].code) {
			continue
		}
		return out, true
	}
	return nil, false
}

// meant reports whether people mean a valid UCUM code when they write it:
// nobody writes "as" for attoseconds or "ft" for femtotonnes.
func meant(code string) bool {
	if a, ok := atoms[code]; ok {
		return code != "B" && code != "ar" && code != "st" && a.factor != 0
	}
	prefix, base := code[:1], code[1:]
	if strings.HasPrefix(code, "da") {
		return false
	}
	switch base {
	case "a", "t", "u", "bar", "cal":
		return strings.Contains("kMGm", prefix) && !(prefix == "m" && (base == "a" || base == "t" || base == "u"))
	case "ar", "st", "sr", "G", "Cel":
		return false
	case "B":
		return prefix == "d"
	}
	if strings.Contains("YZEPTafdh", prefix) {
		return rare[code]
	}
	return true
}

// rare are the codes with a seldom prefix that people do write.
var rare = map[string]bool{"hPa": true, "dm": true, "dL": true, "dl": true, "fm": true, "fs": true, "fF": true, "fA": true, "aF": true, "PJ": true,
	"EJ": true, "TJ": true, "TW": true, "TeV": true, "PeV": true, "THz": true, "PW": true, "fmol": true, "hL": true, "fg": true, "fL": true, "TOhm": true}

// merge adds up the exponents of equal codes and drops what cancels.
func merge(fs []factor) []factor {
	var out []factor
next:
	for _, f := range fs {
		for i := range out {
			if out[i].code == f.code && out[i].exp*f.exp > 0 {
				out[i].exp += f.exp
				continue next
			}
		}
		out = append(out, f)
	}
	return out
}

// canonical writes factors as a UCUM code.
func canonical(fs []factor) string {
	var above, below []string
	for _, f := range fs {
		if f.exp > 0 {
			above = append(above, raised(f.code, f.exp))
		} else {
			below = append(below, raised(f.code, -f.exp))
		}
	}
	if len(above) > 0 {
		return strings.Join(append([]string{strings.Join(above, ".")}, below...), "/")
	}
	for i, f := range fs {
		below[i] = raised(f.code, f.exp)
	}
	return strings.Join(below, ".")
}

func raised(code string, n int) string {
	if n == 1 {
		return code
	}
	return code + strconv.Itoa(n)
}

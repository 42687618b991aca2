package infer

import (
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/ingest/unit"
)

// maxName is the longest column name, in bytes.
const maxName = 100

// Names returns the columns' names: snake_case, ASCII, beginning with a letter,
// unique, without the unit that the header states. Columns whose names would be
// the same keep their units ("control/V", "control/mA"), else are numbered _2,
// _3; columns without a name are c1, c2, … by position.
func Names(raw []format.RawColumn) []string {
	names := make([]string, len(raw))
	count := map[string]int{}
	for i, c := range raw {
		names[i] = Snake(unit.ReadHeader(c.Name).Name)
		count[names[i]]++
	}
	for i, c := range raw {
		if count[names[i]] > 1 && unit.ReadHeader(c.Name).UCUM != "" {
			names[i] = Snake(c.Name)
		}
	}
	taken := map[string]bool{}
	next := map[string]int{}
	for i, base := range names {
		if base == "" {
			base = "c" + strconv.Itoa(i+1)
		}
		name := base
		for n := max(next[base], 2); taken[name]; n++ {
			name = base + "_" + strconv.Itoa(n)
			next[base] = n + 1
		}
		taken[name] = true
		names[i] = name
	}
	return names
}

// Snake returns s as snake_case ASCII, "" when nothing of it is left. Words are
// what is between other characters, and the humps of CamelCase: ActivePower is
// active_power, but pH, mRNA and pIC50 are one word.
func Snake(s string) string {
	var b strings.Builder
	var last rune
	runes := []rune(ascii(s))
	word := 0 // letters in the current word
	for i, r := range runes {
		switch {
		case r == '_' || !isAlnum(byte(r)):
			if b.Len() > 0 && last != '_' {
				b.WriteByte('_')
				last = '_'
			}
			word = 0
			continue
		case hump(runes, i, word) && last != '_' && b.Len() > 0:
			b.WriteByte('_')
			word = 0
		}
		b.WriteRune(unicode.ToLower(r))
		last = r
		word++
		if b.Len() >= maxName {
			break
		}
	}
	return legal(strings.Trim(b.String(), "_"))
}

// hump reports whether a new word begins at runes[i] by its case.
func hump(runes []rune, i, word int) bool {
	if i == 0 || !unicode.IsUpper(runes[i]) {
		return false
	}
	prev := runes[i-1]
	follows := i+1 < len(runes) && unicode.IsLower(runes[i+1])
	if unicode.IsLower(prev) {
		return word > 1 && (follows || i+1 < len(runes) && unicode.IsUpper(runes[i+1]))
	}
	return follows && unicode.IsUpper(prev) && word > 1 && !(i+2 == len(runes) && runes[i+1] == 's')
}

// legal makes a name that may stand in an expression: CEL has reserved words,
// and names begin with a letter.
func legal(name string) string {
	if name == "" {
		return ""
	}
	if name[0]-'0' <= 9 {
		name = "c_" + name
	}
	switch name {
	case "true", "false", "null", "in", "as", "break", "const", "continue", "else", "for", "function", "if", "import", "let", "loop", "package",
		"namespace", "return", "var", "void", "while":
		return name + "_"
	}
	return name
}

var transliterate = strings.NewReplacer(
	"µ", "u", "μ", "u", "°", "deg", "º", "deg", "Å", "angstrom", "\u212b", "angstrom", "Ω", "ohm", "\u2126", "ohm", "%", " pct ", "‰", " permil ",
	"²", "2", "³", "3", "¹", "1", "⁻", "-", "Δ", "delta ", "∆", "delta ", "ß", "ss", "æ", "ae", "Æ", "Ae", "ø", "o", "Ø", "O", "ł", "l", "Ł", "L", "đ", "d", "þ", "th", "&", " and ",
	"α", "alpha", "β", "beta", "γ", "gamma", "Γ", "gamma", "δ", "delta", "ε", "epsilon", "ζ", "zeta", "η", "eta", "θ", "theta", "Θ", "theta", "ι", "iota", "κ", "kappa",
	"λ", "lambda", "Λ", "lambda", "ν", "nu", "ξ", "xi", "π", "pi", "Π", "pi", "ρ", "rho", "σ", "sigma", "Σ", "sigma", "τ", "tau", "φ", "phi", "Φ", "phi", "χ", "chi",
	"ψ", "psi", "Ψ", "psi", "ω", "omega", "'", "", "’", "",
)

// ascii writes s in ASCII: symbols by name, accents taken off, the rest as
// spaces.
func ascii(s string) string {
	s = norm.NFKD.String(transliterate.Replace(cut(s)))
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Mn, r):
			return -1
		case r < 0x80:
			return r
		}
		return ' '
	}, s)
}

// cut bounds what is looked at.
func cut(s string) string {
	if len(s) > 4*maxName {
		return strings.ToValidUTF8(s[:4*maxName], "")
	}
	return s
}

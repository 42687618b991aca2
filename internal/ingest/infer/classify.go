package infer

import (
	"bytes"
	"math"
	"strings"

	"github.com/opengenesis/genesis/internal/ingest/unit"
)

// cellClass says what a cell looks like on its own.
type cellClass uint8

const (
	cEmpty cellClass = iota
	cInt
	cFloat
	cWide     // an integer beyond 64 bits
	cTooLarge // 1e400
	cInf
	cGrouped   // digits with commas, points, spaces or apostrophes
	cUnit      // a number and a unit
	cQualified // <0.01
	cTime
	cClock   // a time of day alone
	cMissing // a word that often means "no value"
	cOdd     // nearly a number: 0x1F, 1_000, 1e
	cWord
	classes
)

// flag is something more that a cell that is no number may be.
type flag uint8

const (
	fSmiles    flag = iota // could be a molecule
	fBonds                 // and has what only molecules have
	fFormula               // could be a chemical formula
	fCounts                // of two elements or with a count
	fEmail                 //
	fPerson                // two or three capitalised words, one a given name
	fCode                  // one token with a digit in it
	fGene                  // a gene's name that a spreadsheet made a date
	fInjection             // begins like a spreadsheet formula
	fSSN                   // 123-45-6789
	fPair                  // two upper-case letters
	fMoney                 // $1,234.56
	flags
)

// cell is what classify found out.
type cell struct {
	class  cellClass
	flags  uint16
	groups uint8 // the groupings that read its number
	stamp  stamp
	point  float64 // the number with a decimal point
	comma  float64 // and with a decimal comma
	broken [2]bool // whether these have a decimal mark or an exponent
	unit   int     // where the unit begins; 0: there is none
	mark   int     // length of the qualifier
}

func (c *cell) has(f flag) bool { return c.flags>>f&1 != 0 }

func (c *cell) set(f flag, on bool) {
	if on {
		c.flags |= 1 << f
	}
}

// classify looks at a trimmed, non-empty cell that is no plain number.
func classify(b []byte) (c cell) {
	digit := b[0]-'0' <= 9
	if digit && len(b) >= 8 {
		if s, ok := readStamp(b); ok {
			return cell{class: cTime, stamp: s}
		}
	}
	if !digit && isMissing(b) {
		c.class = cMissing
		c.set(fPair, pair(b))
		return c
	}
	if _, ok := special(b); ok {
		return cell{class: cInf}
	}
	if len(b) <= maxNumber {
		if c.number(b) {
			return c
		}
		c = cell{}
	}
	if !digit || len(b) < 8 {
		if s, ok := readStamp(b); ok {
			return cell{class: cTime, stamp: s}
		}
	}
	if clockOnly(b) {
		return cell{class: cClock}
	}
	c.class = cWord
	c.describe(b)
	return c
}

// isMissing reports whether b, whatever its case, is among missingWords.
func isMissing(b []byte) bool {
	var buf [16]byte
	if len(b) > len(buf) {
		return false
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		buf[i] = c
	}
	return missingWords[string(buf[:len(b)])]
}

// maxNumber is the longest cell in which a number is looked for.
const maxNumber = 48

// number recognises what is a number but not a plain one.
func (c *cell) number(b []byte) bool {
	if n := qualifier(b); n > 0 {
		rest := trim(b[n:])
		*c = cell{class: cQualified, mark: n}
		if c.readings(rest) {
			return true
		}
		at := c.beforeUnit(rest)
		if at > 0 {
			c.unit = len(b) - len(rest) + at
		}
		return at > 0
	}
	if first := b[0]; first-'0' > 9 && first != '-' && first != '+' && first != '.' && first != ',' && first != 0xE2 {
		return false
	}
	if *c = (cell{class: cGrouped}); c.readings(b) {
		if (c.groups&pointReadings == 0 || math.IsInf(c.point, 0)) && (c.groups&commaReadings == 0 || math.IsInf(c.comma, 0)) {
			c.class = cTooLarge
		}
		return true
	}
	if odd(b) {
		c.class = cOdd
		return true
	}
	*c = cell{class: cUnit}
	c.unit = c.beforeUnit(b)
	return c.unit > 0
}

// beforeUnit reads the number at b's start that a unit follows, and returns
// where that begins; 0 where there are none.
func (c *cell) beforeUnit(b []byte) int {
	_, at, ok := leading(b)
	if ok && at < len(b) && unitLike(b[at:]) {
		c.readings(b[:at])
		return at
	}
	if end := numeral(b); end != at && end > 0 && end < len(b) && unitLike(b[end:]) && c.readings(b[:end]) {
		return end
	}
	return 0
}

// qualifier returns the length of the mark before a qualified number.
func qualifier(b []byte) int {
	if c := b[0]; c != '<' && c != '>' && c != '~' && c != '=' && c != 0xE2 {
		return 0
	}
	for _, mark := range []string{"<=", ">=", "=<", "=>", "≤", "≥", "≈", "<", ">", "~"} {
		if len(b) > len(mark) && string(b[:len(mark)]) == mark {
			return len(mark)
		}
	}
	return 0
}

// leading takes the plain number at b's start and returns where what follows
// begins.
func leading(b []byte) (v float64, at int, ok bool) {
	end := 0
	for end < len(b) && strings.IndexByte("+-0123456789.", b[end]) >= 0 && (end == 0 || b[end] != '-' && b[end] != '+') {
		end++
	}
	if end+1 < len(b) && b[end]|0x20 == 'e' { // an exponent, unless a unit begins with e
		for j := end + 2; j <= len(b); j++ {
			var d decimal
			if d.scan(b[:j]) {
				end = j
			}
		}
	}
	var d decimal
	kind, v := plain(b[:end], &d)
	return v, end, kind == isInt || kind == isFloat
}

// unitLike reports whether what follows a number is a unit.
func unitLike(b []byte) bool {
	s := trim(b)
	if len(s) == 0 || len(s) > 16 {
		return false
	}
	if c := s[0]; c-'0' <= 9 || c == '-' || c == '+' || c == '.' || c == ',' || c == ':' || c == '_' || c == '*' {
		return false
	}
	if len(s) == 1 && (s[0] == 'F' || s[0] == 'C') {
		return true
	}
	_, ok := unit.Parse(string(s))
	return ok
}

// odd recognises what people may mean as a number and what is none to us.
func odd(b []byte) bool {
	s := b
	if s[0] == '-' || s[0] == '+' {
		s = s[1:]
	}
	if len(s) > 2 && s[0] == '0' && s[1]|0x20 == 'x' {
		return len(bytes.Trim(s[2:], "0123456789abcdefABCDEF_")) == 0
	}
	if len(s) == 0 || s[0]-'0' > 9 {
		return false
	}
	if bytes.IndexByte(s, '_') > 0 {
		return len(bytes.Trim(s, "0123456789_.")) == 0
	}
	return len(s) > 1 && s[len(s)-1]|0x20 == 'e' && len(bytes.Trim(s[:len(s)-1], "0123456789.")) == 0
}

// describe sets the flags of a word.
func (c *cell) describe(b []byte) {
	if len(b) > 4096 {
		return
	}
	if smiles, bonds := smilesLike(b); smiles {
		c.set(fSmiles, true)
		c.set(fBonds, bonds)
	}
	if formula, counts := formulaLike(b); formula {
		c.set(fFormula, true)
		c.set(fCounts, counts)
	}
	c.set(fEmail, emailLike(b))
	c.set(fPerson, personLike(b))
	c.set(fCode, codeLike(b))
	c.set(fGene, geneLike(b))
	c.set(fInjection, b[0] == '=' || b[0] == '@' || (b[0] == '+' || b[0] == '-') && len(b) > 1)
	c.set(fSSN, ssnLike(b))
	c.set(fPair, pair(b))
	c.set(fMoney, moneyLike(b))
}

func pair(b []byte) bool {
	return len(b) == 2 && b[0] >= 'A' && b[0] <= 'Z' && b[1] >= 'A' && b[1] <= 'Z'
}

// missingWords are words, in lower case, that may mean "no value". Whether they
// do is decided for each column.
var missingWords = map[string]bool{}

func init() {
	for _, w := range []string{"na", "n/a", "n.a.", "n.a", "#n/a", "#na", "<na>", "nan", "-nan", "null", "nil", "none", "-", "--", "---", "----", "?", "??", ".", "..", "...",
		"*", "**", "missing", "not available", "not applicable", "not measured", "no data", "nodata", "no value", "nd", "n.d.", "n/d", "#null!", "#value!", "#ref!", "#div/0!",
		"#name?", "#num!", "\\n", "unknown", "unk", "undefined", "void", "—", "–", "(null)", "1.#qnan", "1.#ind", ".na.real", ".na.integer", ".na.character", "na_real_", "na_integer_", "na_character_", "-1.#ind", "bad", "error", "tbd", "invalid"} {
		missingWords[w] = true
	}
}

// spreadsheetError reports whether a missing word is an error of a spreadsheet.
func spreadsheetError(w string) bool {
	return strings.HasPrefix(w, "#") && (strings.HasSuffix(w, "!") || strings.HasSuffix(w, "?"))
}

// weakWord reports whether w means "no value" only among numbers.
func weakWord(w string) bool {
	switch strings.ToLower(w) {
	case "unknown", "unk", "none", "bad", "error", "void", "nd", "invalid", "tbd", "missing", "undefined", "*", "**", "nil":
		return true
	}
	return false
}

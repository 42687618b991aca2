package find

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// maxTerm is how many bytes of a word count: longer ones are found by their beginning.
const maxTerm = 64

// token is a word of a text as it is looked for, and where it stands.
type token struct {
	term       string
	start, end int  // bytes of the text
	whole      bool // of a chunk that says more than its words, as units do
}

// eachToken calls act for the words of a text in order, and after those of a
// chunk that is a unit or a number for the chunk as a whole.
func eachToken(text string, act func(token)) {
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRuneInString(text[at:])
		if unicode.IsSpace(r) {
			at += size
			continue
		}
		end := at + strings.IndexFunc(text[at:], unicode.IsSpace)
		if end < at {
			end = len(text)
		}
		chunk := text[at:end]
		eachWord(chunk, at, act)
		if term := wholeTerm(chunk); term != "" {
			said := bare(chunk)
			start := at + strings.Index(chunk, said)
			act(token{term: term, start: start, end: start + len(said), whole: true})
		}
		at = end
	}
}

// eachWord calls act for the runs of letters, digits and marks of a chunk: of
// wind_speed for "wind" and "speed". Scripts that do without spaces are taken in
// pairs of signs.
func eachWord(chunk string, at int, act func(token)) {
	start, dense := -1, false
	flush := func(end int) {
		if start >= 0 && start < end {
			if dense {
				eachPair(chunk[start:end], at+start, act)
			} else if term := fold(chunk[start:end]); term != "" {
				act(token{term: cut(term), start: at + start, end: at + end})
			}
		}
		start = -1
	}
	for i, r := range chunk {
		switch {
		case !inWord(r):
			flush(i)
		case start < 0:
			start, dense = i, isDense(r)
		case isDense(r) != dense && !unicode.IsMark(r):
			flush(i)
			start, dense = i, isDense(r)
		}
	}
	flush(len(chunk))
}

func inWord(r rune) bool {
	if r < utf8.RuneSelf {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
	}
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r)
}

// isDense reports whether a sign is of a script that puts no spaces between words.
func isDense(r rune) bool {
	return r >= 0x0E00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// eachPair calls act for each two signs that stand side by side, or for the only one.
func eachPair(run string, at int, act func(token)) {
	var starts []int
	for i := range run {
		starts = append(starts, i)
	}
	starts = append(starts, len(run))
	for i := 0; i+1 < len(starts); i++ {
		end := min(i+2, len(starts)-1)
		if end == i+1 && i > 0 {
			break
		}
		act(token{term: fold(run[starts[i]:starts[end]]), start: at + starts[i], end: at + starts[end]})
	}
}

var folder = cases.Fold()

// fold makes the same what reads the same: case, accents of Latin, Greek and
// Cyrillic letters, ligatures, widths, and the two code points of µ.
func fold(s string) string {
	ascii, lower := true, true
	for i := range len(s) {
		ascii = ascii && s[i] < utf8.RuneSelf
		lower = lower && (s[i] < 'A' || s[i] > 'Z')
	}
	switch {
	case ascii && lower:
		return s
	case ascii:
		return strings.ToLower(s)
	}
	bare := strings.Map(func(r rune) rune {
		if r >= 0x0300 && r <= 0x036F {
			return -1
		}
		return r
	}, norm.NFKD.String(strings.ToValidUTF8(s, "\uFFFD")))
	return norm.NFKC.String(folder.String(bare))
}

// cut shortens a term to what counts of it.
func cut(term string) string {
	if len(term) <= maxTerm {
		return term
	}
	end := maxTerm
	for !utf8.RuneStart(term[end]) {
		end--
	}
	return term[:end]
}

// terms returns the words of a text as they are looked for.
func terms(text string) []string {
	var all []string
	eachToken(text, func(t token) {
		if !t.whole {
			all = append(all, t.term)
		}
	})
	return all
}

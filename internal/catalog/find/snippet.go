package find

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/opengenesis/genesis"
)

// maxSnippet is about how many bytes of a long line are shown.
const maxSnippet = 240

const maxMarks = 100

// snippet returns the line of a listing that has most of the words that were asked
// for, of several the first, and where in it they are.
func snippet(l *genesis.Listing, needs []need) (string, []Mark) {
	if len(needs) == 0 {
		return "", nil
	}
	best, marks, most := line{}, []Mark(nil), 0
	eachLine(l, func(line line) {
		if most == len(needs) {
			return
		}
		found, n := marksOf(line, needs)
		if n > most {
			best, marks, most = line, found, n
		}
	})
	if most == 0 {
		return "", nil
	}
	return excerpt(best, marks)
}

// marksOf returns where a line has the words, and how many of them it has.
func marksOf(l line, needs []need) ([]Mark, int) {
	var marks []Mark
	has := make([]bool, len(needs))
	look := func(t token) {
		for i, n := range needs {
			if n.phrase != nil || t.term == "" || t.term != n.word && !(n.prefix && strings.HasPrefix(t.term, n.word)) {
				continue
			}
			has[i] = true
			if len(marks) < maxMarks {
				marks = append(marks, Mark{Start: t.start, End: t.end})
			}
			return
		}
	}
	eachToken(l.text, look)
	if l.level == inUnit {
		look(token{term: listedUnit(l.text), start: 0, end: len(l.text)})
	}
	n := 0
	for _, h := range has {
		if h {
			n++
		}
	}
	return marks, n
}

// joined returns marks in order, those that overlap as one.
func joined(marks []Mark) []Mark {
	slices.SortFunc(marks, func(a, b Mark) int { return a.Start - b.Start })
	out := marks[:1]
	for _, m := range marks[1:] {
		if last := &out[len(out)-1]; m.Start < last.End {
			last.End = max(last.End, m.End)
		} else {
			out = append(out, m)
		}
	}
	return out
}

// excerpt returns a line with its label, shortened to what is around the first mark.
func excerpt(l line, marks []Mark) (string, []Mark) {
	marks = joined(marks)
	from, to := 0, len(l.text)
	if to > maxSnippet {
		from = wordStart(l.text, max(0, marks[0].Start-maxSnippet/4))
		to = max(marks[0].End, wordStart(l.text, min(len(l.text), from+maxSnippet)))
	}
	var b strings.Builder
	b.WriteString(l.label + ": ")
	if from > 0 {
		b.WriteString("… ")
	}
	shift := b.Len() - from
	b.WriteString(clean(l.text[from:to]))
	if to < len(l.text) {
		b.WriteString("…")
	}
	var shown []Mark
	for _, m := range marks {
		if m.Start >= from && m.End <= to {
			shown = append(shown, Mark{Start: m.Start + shift, End: m.End + shift})
		}
	}
	return b.String(), shown
}

// clean makes a text one line, without moving anything in it.
func clean(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c < ' ' || c == 0x7F {
			b[i] = ' '
		}
	}
	return string(b)
}

// wordStart returns the beginning of the word at a place of a text, if that is near.
func wordStart(s string, at int) int {
	if at <= 0 || at >= len(s) {
		return at
	}
	for i := at; i > max(0, at-30); i-- {
		if r, _ := utf8.DecodeLastRuneInString(s[:i]); unicode.IsSpace(r) {
			return i
		}
	}
	for at > 0 && !utf8.RuneStart(s[at]) {
		at--
	}
	return at
}

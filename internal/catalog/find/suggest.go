package find

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/opengenesis/genesis"
)

const (
	maxSuggested = 50
)

// Suggest returns words that go on from the last word of a text, or that are up to two
// edits from it, one for words of fewer than six letters: only such as documents have
// that the asker may know of, nearest first, then those of most documents. Words of
// fewer than three letters have no suggestions.
func (ix *Index) Suggest(ctx context.Context, a Asker, text string, limit int) ([]Suggestion, error) {
	if len(text) > maxQueryBytes {
		return nil, invalid("the text is too long")
	}
	if err := a.check(); err != nil {
		return nil, err
	}
	words := terms(text)
	found := []Suggestion{}
	if len(words) == 0 || utf8.RuneCountInString(words[len(words)-1]) < prefixFrom {
		return found, nil
	}
	err := ix.read(func(s *snapshot) error {
		f := fuzzy{ctx: ctx, snapshot: s, view: s.view(a), word: []rune(words[len(words)-1]), found: map[string]*Suggestion{}}
		for i := range s.segs {
			if err := f.segment(i); err != nil {
				return err
			}
		}
		found = f.best(pageOf(limit, 10, maxSuggested))
		return nil
	})
	return found, err
}

// fuzzy looks for words like one.
type fuzzy struct {
	ctx context.Context
	*snapshot
	view  *view
	word  []rune
	found map[string]*Suggestion
	rows  [][]int // of the table of distances, by runes of the term at hand
}

func (f *fuzzy) most() int {
	if len(f.word) < 6 {
		return 1
	}
	return 2
}

// segment adds the words of a segment. It walks the dictionary in order as if that were
// a tree: where what a word begins with is too far off already, it goes on behind
// all words that begin so.
func (f *fuzzy) segment(i int) error {
	s := f.segs[i]
	prefix := term(kindWord, string(f.word))
	s.eachPrefix(prefix, func(at *cursor) bool {
		f.add(i, at, 0)
		return f.ctx.Err() == nil
	})
	f.rows = append(f.rows[:0], firstRow(len(f.word)))
	last := ""
	for c := s.seek(term(kindWord, "")); c.ok && c.term[0] == kindWord; {
		if f.ctx.Err() != nil {
			return &genesis.Error{Op: "suggest", Kind: genesis.Canceled, Msg: "was cancelled", Err: f.ctx.Err()}
		}
		text := string(c.term[1:])
		distance, skip := f.distance(last, text)
		last = text
		if distance <= f.most() && distance > 0 && !strings.HasPrefix(text, string(f.word)) {
			f.add(i, c, distance)
		}
		if skip == "" {
			c.next()
		} else if c = s.skip(c, term(kindWord, skip)); c == nil {
			return nil
		}
	}
	return nil
}

// skip goes on behind the terms that begin with a text.
func (s *segment) skip(c *cursor, prefix string) *cursor {
	for range 2 * blockTerms { // most often they are few
		if c.next(); !c.ok || !strings.HasPrefix(string(c.term), prefix) {
			return c
		}
	}
	return s.seek(prefix + "\xFF")
}

func firstRow(n int) []int {
	row := make([]int, n+1)
	for i := range row {
		row[i] = i
	}
	return row
}

// distance returns the edits between a term and the word. Where the beginning of the
// term is farther off than is of interest, it returns that beginning, too. Rows for
// what the term has in common with the last are there already.
func (f *fuzzy) distance(last, text string) (int, string) {
	common := 0
	for common < min(len(last), len(text)) && last[common] == text[common] {
		common++
	}
	for common > 0 && common < len(text) && !utf8.RuneStart(text[common]) {
		common--
	}
	depth := min(utf8.RuneCountInString(text[:common]), len(f.rows)-1)
	f.rows = f.rows[:depth+1]
	var before rune
	at := 0
	for i, r := range text {
		if at < depth {
			at, before = at+1, r
			continue
		}
		row, least := f.nextRow(at, before, r)
		f.rows = append(f.rows, row)
		if at, before = at+1, r; least > f.most() {
			return least, text[:i+utf8.RuneLen(r)]
		}
	}
	return f.rows[at][len(f.word)], ""
}

// nextRow returns the distances of a term that is one rune longer from all beginnings
// of the word, and the least of them: insertions, deletions, changes, and swaps of
// neighbours count one each (optimal string alignment).
func (f *fuzzy) nextRow(at int, before, r rune) ([]int, int) {
	row := make([]int, len(f.word)+1)
	row[0] = at + 1
	least := row[0]
	for j, w := range f.word {
		d := f.rows[at][j]
		if r != w {
			d = min(d, f.rows[at][j+1], row[j]) + 1
		}
		if at > 0 && j > 0 && r == f.word[j-1] && before == w {
			d = min(d, f.rows[at-1][j-1]+1)
		}
		row[j+1] = d
		least = min(least, d)
	}
	return row, least
}

// add counts the documents in view that have a word.
func (f *fuzzy) add(i int, c *cursor, distance int) {
	n := f.view.common(i, c.postings())
	if n == 0 {
		return
	}
	text := string(c.term[1:])
	if f.found[text] == nil {
		f.found[text] = &Suggestion{Word: text, Distance: distance}
	}
	f.found[text].Hits += n
}

// common returns how many documents in view have postings.
func (v *view) common(seg int, postings []byte) int {
	n := 0
	eachRun(postings, func(block int, r run) { n += r.common(v.docs[seg].block(block)) })
	return n
}

func (f *fuzzy) best(limit int) []Suggestion {
	all := make([]Suggestion, 0, len(f.found))
	for _, s := range f.found {
		if s.Word != string(f.word) || s.Distance > 0 {
			all = append(all, *s)
		}
	}
	slices.SortFunc(all, func(a, b Suggestion) int {
		return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(b.Hits, a.Hits), cmp.Compare(a.Word, b.Word))
	})
	return all[:min(limit, len(all))]
}

// Same reports whether two names of variables are the same to a filter.
func Same(a, b string) bool { return foldValue(a) == foldValue(b) }

// Near reports whether a value of a facet may be what somebody meant who typed another, and
// by how many edits they differ: case and accents do not count, and what goes on from what
// was typed is near.
func Near(typed, value string) (edits int, ok bool) {
	from, to := []rune(fold(cut(typed))), fold(cut(value))
	f := fuzzy{word: from, rows: [][]int{firstRow(len(from))}}
	if len(from) >= prefixFrom && strings.HasPrefix(to, string(from)) {
		return 0, true
	}
	edits, skipped := f.distance("", to)
	return edits, skipped == "" && edits <= f.most() && edits < len(from)
}

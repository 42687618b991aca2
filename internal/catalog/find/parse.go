package find

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/opengenesis/genesis"
)

// What a query may be, so that no asker costs others much.
const (
	maxQueryBytes = 4 << 10
	maxQueryWords = 32
	maxFilter     = 256 // values of one filter
	prefixFrom    = 3   // letters: too many words begin with fewer
)

// need is something that a document must have: a word, or words that follow each other.
type need struct {
	word   string
	prefix bool     // as the beginning of a word, too
	phrase []string // of which the words are needs of their own, before it
}

// parseText takes the text of a query apart. A quote that is not closed goes to the end.
func parseText(text string) ([]need, error) {
	if len(text) > maxQueryBytes {
		return nil, invalid(fmt.Sprintf("the query has %d bytes, and at most %d are possible", len(text), maxQueryBytes))
	}
	var needs []need
	quotes := strings.NewReplacer("“", `"`, "”", `"`, "„", `"`)
	for i, part := range strings.Split(quotes.Replace(strings.ToValidUTF8(text, "\uFFFD")), `"`) {
		if i%2 == 0 {
			needs = addWords(needs, part)
			continue
		}
		words := terms(part)
		if len(words) > maxQueryWords {
			return nil, tooMany(len(words))
		}
		for _, w := range words {
			needs = addNeed(needs, need{word: w})
		}
		if len(words) > 1 {
			needs = append(needs, need{phrase: words})
		}
	}
	if len(needs) > maxQueryWords {
		return nil, tooMany(len(needs))
	}
	return needs, nil
}

// addWords adds the words of a text. A chunk that is a unit or a number is looked
// for as a whole alone.
func addWords(needs []need, text string) []need {
	for chunk := range strings.FieldsSeq(text) {
		if whole := wholeTerm(chunk); whole != "" {
			needs = addNeed(needs, need{word: whole})
			continue
		}
		for _, word := range terms(chunk) {
			needs = addNeed(needs, need{word: word, prefix: isPrefix(word)})
		}
	}
	return needs
}

func isPrefix(term string) bool {
	r, _ := utf8.DecodeRuneInString(term)
	return isDense(r) || utf8.RuneCountInString(term) >= prefixFrom
}

func addNeed(needs []need, n need) []need {
	for i, other := range needs {
		if other.word == n.word && other.phrase == nil {
			needs[i].prefix = other.prefix && n.prefix
			return needs
		}
	}
	return append(needs, n)
}

func tooMany(n int) error {
	return invalid(fmt.Sprintf("the query has %d words, and at most %d are possible", n, maxQueryWords))
}

func invalid(msg string) error {
	return &genesis.Error{Op: "search", Kind: genesis.Invalid, Msg: msg}
}

// Check reports why nobody can be asked a query, or nil. Errors: Invalid.
func (q *Query) Check() error {
	if _, err := parseText(q.Text); err != nil {
		return err
	}
	return q.check()
}

// check reports why a query cannot be, whatever its text.
func (q *Query) check() error {
	if err := q.Asker.check(); err != nil {
		return err
	}
	for _, f := range q.Facets {
		if !slices.Contains(Facets, f) {
			return unknownFacet(f)
		}
	}
	for f, values := range q.Filter.Values {
		if !slices.Contains(Facets, f) {
			return unknownFacet(f)
		}
		if len(values) > maxFilter {
			return invalid(fmt.Sprintf("%d values of %s are asked for, and at most %d are possible", len(values), f, maxFilter))
		}
		if err := known(f, values); err != nil {
			return err
		}
	}
	if len(q.Filter.Variables) > maxQueryWords {
		return invalid(fmt.Sprintf("%d variables are asked for, and at most %d are possible", len(q.Filter.Variables), maxQueryWords))
	}
	if b := q.Filter.Place; b != nil && !(b.South <= b.North && b.South >= -90 && b.North <= 90 && b.West >= -180 && b.West <= 180 && b.East >= -180 && b.East <= 180) {
		return invalid("the place is no box of degrees: west, south, east, north")
	}
	return nil
}

// known refuses a value that no document can have, of the facets of which all values are
// known: to find nothing would say something else.
func known(f Facet, values []string) error {
	all := map[Facet][]string{Kind: {string(genesis.Dataset), string(genesis.Model)}, Tier: tierNames(), Readiness: {"ready", "nearly", "partly", "hardly"}}[f]
	for _, v := range values {
		if all != nil && !slices.Contains(all, v) {
			return &genesis.Error{Op: "search", Kind: genesis.Invalid, Subject: v, Msg: "is no " + string(f), Hint: "there are " + strings.Join(all, ", ")}
		}
	}
	return nil
}

func tierNames() []string {
	names := make([]string, len(genesis.Tiers))
	for i, t := range genesis.Tiers {
		names[i] = string(t)
	}
	return names
}

func unknownFacet(f Facet) error {
	names := make([]string, len(Facets))
	for i, f := range Facets {
		names[i] = string(f)
	}
	return &genesis.Error{Op: "search", Kind: genesis.Invalid, Subject: string(f), Msg: "is no facet", Hint: "there are " + strings.Join(names, ", ")}
}

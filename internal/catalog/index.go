package catalog

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"unicode"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// What a version is found by is bounded, so that a table of 100,000 columns does
// not swamp the index: name and card come first, columns as far as there is room.
const (
	maxTerms    = 20_000
	maxTermLen  = 64      // bytes
	maxTextLen  = 1 << 20 // bytes
	nameWeight  = 8
	titleWeight = 6
	wordWeight  = 5 // keywords
	nounWeight  = 3 // columns
	unitWeight  = 2
	textWeight  = 1 // descriptions and the rest of the card
)

// index makes text what a version is found by.
func (w writer) index(version int64, text string) error {
	have, err := textOf(w.ctx, w.tx, version)
	if err != nil || have == text {
		return err
	}
	if err := w.repost(version, termsOf(have), termsOf(text)); err != nil {
		return err
	}
	return w.exec(`INSERT INTO search_texts (version_id, body, sum) VALUES ($1, $2, $3)
		ON CONFLICT (version_id) DO UPDATE SET body = $2, sum = $3`, version, text, textSum(version, text))
}

// unindex lets a version no longer be found. Where the index is damaged, it is
// begun anew: that must not keep anybody from withdrawing or erasing.
func (w writer) unindex(version int64) error {
	text, err := textOf(w.ctx, w.tx, version)
	if err == nil {
		err = w.repost(version, termsOf(text), nil)
	}
	if isDamage(err) {
		err = w.dropIndex()
	}
	if err != nil {
		return err
	}
	for _, table := range []string{"search_texts", "search_stale"} {
		if err := w.exec("DELETE FROM "+table+" WHERE version_id = $1", version); err != nil {
			return err
		}
	}
	return nil
}

// dropIndex empties the index and notes that every version is to be added again.
func (w writer) dropIndex() error {
	for _, stmt := range []string{"DELETE FROM search_postings", "DELETE FROM search_texts", "DELETE FROM search_stale",
		"INSERT INTO search_stale (version_id) SELECT id FROM versions WHERE state IN ('draft', 'published')"} {
		if err := w.exec(stmt); err != nil {
			return err
		}
	}
	return nil
}

// isDamage reports whether err says that something stored is damaged.
func isDamage(err error) bool {
	return errors.As(err, new(*genesis.Error)) && genesis.KindOf(err) == genesis.Internal
}

func textSum(version int64, text string) string { return store.RowSum("text", version, text) }

// textOf returns what a version is found by, "" when it is not in the index.
func textOf(ctx context.Context, q queryer, version int64) (string, error) {
	var text, sum string
	err := q.QueryRowContext(ctx, "SELECT body, sum FROM search_texts WHERE version_id = $1", version).Scan(&text, &sum)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return "", nil
	case err == nil && sum != textSum(version, text):
		err = damagedRow("search_texts", version)
	}
	return text, err
}

// field is one line of what an asset is found by.
type field struct{ label, text string }

// document returns what an asset is found by, what matters most first.
func document(name genesis.Name, card genesis.Card, m genesis.Manifest) []field {
	doc := []field{
		{"name", string(name)},
		{"title", card.Title},
		{"keywords", strings.Join(card.Keywords, ", ")},
		{"field", card.Field},
		{"description", card.Description},
		{"creators", strings.Join(card.Creators, ", ")},
		{"institution", card.Institution},
		{"source", card.Source},
		{"citation", card.Citation},
	}
	for _, t := range m.Tables {
		doc = append(doc, field{"table", t.Name})
	}
	for _, t := range m.Tables {
		for _, col := range t.Columns {
			doc = append(doc, columnFields(col.Column)...)
		}
	}
	return slices.DeleteFunc(doc, func(f field) bool { return strings.TrimSpace(f.text) == "" })
}

func columnFields(c genesis.Column) []field {
	name := c.Name
	if c.Original != "" && c.Original != c.Name {
		name += " (" + c.Original + ")"
	}
	unit := c.Unit
	if c.UnitSource != "" && c.UnitSource != c.Unit {
		unit += " (" + c.UnitSource + ")"
	}
	return []field{
		{"column", name},
		{unitLabel + c.Name, unit},
		{"about " + c.Name, c.Description},
	}
}

// analyse returns a document as its text, a line a field, as far as there is room
// for its terms. All else about the index follows from this text.
func analyse(doc []field) string {
	terms := map[string]int{}
	var text strings.Builder
	for _, f := range doc {
		if len(terms) >= maxTerms {
			break
		}
		line := oneLine(f.label) + ": " + oneLine(f.text) + "\n"
		if text.Len()+len(line) > maxTextLen {
			continue // something shorter may still fit
		}
		addTerms(terms, f.text, weightOf(f.label))
		text.WriteString(line)
	}
	return text.String()
}

func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// termsOf returns the terms of a text with their weights.
func termsOf(text string) map[string]int {
	terms := map[string]int{}
	for line := range strings.Lines(text) {
		label, said, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		addTerms(terms, said, weightOf(label))
	}
	return terms
}

// weightOf returns how much the words of a line count, by its label.
func weightOf(label string) int {
	switch label {
	case "name":
		return nameWeight
	case "title":
		return titleWeight
	case "keywords", "field":
		return wordWeight
	case "table", "column":
		return nounWeight
	}
	if strings.HasPrefix(label, unitLabel) {
		return unitWeight
	}
	return textWeight
}

const unitLabel = "unit of "

// addTerms adds the terms of a text; of a term that is there the higher weight
// holds.
func addTerms(terms map[string]int, text string, weight int) {
	for chunk := range strings.FieldsSeq(text) {
		for _, term := range append(words(chunk), whole(chunk)) {
			if term != "" && len(term) <= maxTermLen && len(terms) < maxTerms {
				terms[term] = max(terms[term], weight)
			}
		}
	}
}

// words takes a text apart into its runs of letters and digits, in lower case:
// wind_speed is "wind" and "speed".
func words(s string) []string {
	return strings.FieldsFunc(lower(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) })
}

// whole returns a chunk without its brackets and punctuation if it says more
// than its words, as units do: "(m/s)" is "m/s". Else it returns "".
func whole(chunk string) string {
	s := strings.Trim(lower(chunk), "()[]{}<>\"'`,.;:!?=")
	if !strings.ContainsAny(s, "/%°²³^·*µ") {
		return ""
	}
	return s
}

// lower folds what looks alike: case, and the two code points of the sign µ.
func lower(s string) string {
	return strings.ReplaceAll(strings.ToLower(s), "μ", "µ")
}

// queryTerms takes a query apart. A chunk that looks like a unit is looked for as
// it stands, all others as their words.
func queryTerms(text string) []string {
	var terms []string
	add := func(term string) {
		if !slices.Contains(terms, term) {
			terms = append(terms, term)
		}
	}
	for chunk := range strings.FieldsSeq(strings.ToValidUTF8(text, " ")) {
		if unit := whole(chunk); unit != "" {
			add(unit)
			continue
		}
		for _, word := range words(chunk) {
			add(word)
		}
	}
	return terms
}

package catalog

import (
	"database/sql"
	"errors"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/opengenesis/genesis"
)

// What an asset is found by is bounded, so that a table of 100,000 columns does
// not swamp the index: name and card come first, columns as far as there is room.
const (
	maxTerms    = 20_000
	maxTermLen  = 64       // bytes
	maxTextLen  = 64 << 10 // bytes
	nameWeight  = 8
	titleWeight = 6
	wordWeight  = 5 // keywords
	nounWeight  = 3 // columns
	unitWeight  = 2
	textWeight  = 1 // descriptions and the rest of the card
)

// refresh makes an asset's current version, title and search terms follow from
// its versions and their cards.
func (c *Catalog) refresh(w writer, asset int64) error {
	all, err := versions(w.ctx, w.tx, "WHERE v.asset_id = $1 ORDER BY coalesce(v.number, 0) DESC, v.turn DESC LIMIT 1", asset)
	if err != nil || len(all) == 0 {
		return err
	}
	current := all[0]
	m, err := c.Manifest(w.ctx, current.Version)
	if err != nil {
		return err
	}
	var card genesis.Card
	err = readRecord(w.ctx, w.tx, current.Version, genesis.RecordCard, &card)
	if err != nil && !errors.Is(err, &genesis.Error{Kind: genesis.NotFound}) {
		return err
	}
	if err := w.exec("UPDATE assets SET current_version = $1, title = $2 WHERE id = $3", current.id, card.Title, asset); err != nil {
		return err
	}
	return w.index(asset, document(current.Name, card, m))
}

// index replaces the search terms of an asset by those of its document.
func (w writer) index(asset int64, doc []field) error {
	terms, text := analyse(doc)
	if same, err := w.indexed(asset, text); same || err != nil {
		return err
	}
	for _, stmt := range []string{"DELETE FROM search_terms WHERE asset_id = $1", "DELETE FROM search_texts WHERE asset_id = $1"} {
		if err := w.exec(stmt, asset); err != nil {
			return err
		}
	}
	if err := w.exec("INSERT INTO search_texts (asset_id, body) VALUES ($1, $2)", asset, text); err != nil {
		return err
	}
	insert, err := w.tx.PrepareContext(w.ctx, "INSERT INTO search_terms (asset_id, term, weight) VALUES ($1, $2, $3)")
	if err != nil {
		return err
	}
	defer insert.Close()
	for _, term := range slices.Sorted(maps.Keys(terms)) {
		if _, err := insert.ExecContext(w.ctx, asset, term, terms[term]); err != nil {
			return err
		}
	}
	return nil
}

// indexed reports whether the index holds just this text, as it does when a
// record changed that has no words in it. A text cut to its limit cannot tell.
func (w writer) indexed(asset int64, text string) (bool, error) {
	var have string
	err := w.tx.QueryRowContext(w.ctx, "SELECT body FROM search_texts WHERE asset_id = $1", asset).Scan(&have)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return have == text && len(text) < maxTextLen/2, err
}

// field is one line of what an asset is found by.
type field struct {
	label, text string
	weight      float64
}

// document returns what an asset is found by, what matters most first.
func document(name genesis.Name, card genesis.Card, m genesis.Manifest) []field {
	doc := []field{
		{"name", string(name), nameWeight},
		{"title", card.Title, titleWeight},
		{"keywords", strings.Join(card.Keywords, ", "), wordWeight},
		{"field", card.Field, wordWeight},
		{"description", card.Description, textWeight},
		{"creators", strings.Join(card.Creators, ", "), textWeight},
		{"institution", card.Institution, textWeight},
		{"source", card.Source, textWeight},
		{"citation", card.Citation, textWeight},
	}
	for _, t := range m.Tables {
		doc = append(doc, field{"table", t.Name, nounWeight})
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
		{"column", name, nounWeight},
		{"unit of " + c.Name, unit, unitWeight},
		{"about " + c.Name, c.Description, textWeight},
	}
}

// analyse returns the terms of a document with their weights, and its text, a
// line a field.
func analyse(doc []field) (map[string]float64, string) {
	terms := map[string]float64{}
	var text strings.Builder
	for _, f := range doc {
		if len(terms) < maxTerms {
			addTerms(terms, f.text, f.weight)
		}
		line := f.label + ": " + strings.Join(strings.Fields(f.text), " ") + "\n"
		if text.Len()+len(line) <= maxTextLen {
			text.WriteString(line)
		}
	}
	return terms, text.String()
}

// addTerms adds the terms of a text; of a term that is there the higher weight
// holds.
func addTerms(terms map[string]float64, text string, weight float64) {
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

package listings

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/catalog/find"
)

// Corpus is listings of a number of nodes.
type Corpus struct {
	*Vocabulary
	Nodes int
	Seed  uint64
}

// writer makes one listing.
type writer struct {
	*rand.Rand
	*Vocabulary
	word, variable *rand.Zipf
}

func (c *Corpus) writer(i int) writer {
	r := rand.New(rand.NewPCG(c.Seed, uint64(i)))
	return writer{r, c.Vocabulary, rand.NewZipf(r, 1.07, 4, uint64(len(c.words)-1)), rand.NewZipf(r, 1.2, 8, uint64(len(c.variables)-1))}
}

func choose[T any](w writer, of []T) T { return of[w.IntN(len(of))] }

// NodeID returns the id of a node.
func (c *Corpus) NodeID(n int) genesis.NodeID { return genesis.NodeID(fmt.Sprintf("node-%02d", n)) }

// At returns the document of a number.
func (c *Corpus) At(i int) find.Document {
	w := c.writer(i)
	node := i % c.Nodes
	d := find.Document{Listing: genesis.Listing{
		Format: genesis.ListingFormat, Node: c.NodeID(node), Name: w.name(i), Number: 1 + w.IntN(5), Kind: genesis.Dataset,
		Version: genesis.DigestOf(fmt.Appendf(nil, "%d %d", c.Seed, i)), Title: w.title(), Description: w.description(), Keywords: w.list(6),
		Creators: []string{w.person(), w.person()}, Institution: fmt.Sprintf("%s %s", choose(w, []string{"University of", "Institute for", "Laboratory"}), strings.ToUpper(madeUpWord(node*11+w.IntN(10)))),
		Field:   choose(w, []string{"energy", "energy", "climate", "materials", "materials", "biomedicine", "fusion", "genomics", "nuclear", "chemistry"}),
		License: choose(w, []string{"CC-BY-4.0", "CC-BY-4.0", "CC0-1.0", "MIT", "Apache-2.0", "BSD-3-Clause", ""}),
		Tier:    choose(w, []genesis.Tier{genesis.TierPublic, genesis.TierPublic, genesis.TierRegistered, genesis.TierPartner, genesis.TierControlled}),
		Formats: choose(w, [][]string{{"csv"}, {"csv", "xlsx"}, {"parquet"}, {"netcdf"}, {"hdf5"}, {"json"}}),
		Tasks:   choose(w, [][]string{{"regression"}, {"classification"}, {"forecasting"}, nil}),
		Rows:    int64(w.ExpFloat64() * 1e5), Bytes: int64(w.ExpFloat64() * 1e8), Published: time.Unix(1.7e9+int64(w.IntN(1e8)), 0).UTC(),
	}}
	c.details(w, &d, i)
	d.Classes = w.classes(c)
	return d
}

func (c *Corpus) details(w writer, d *find.Document, i int) {
	for range 3 + int(w.ExpFloat64()*8) {
		v := w.variables[w.variable.Uint64()]
		d.Variables = append(d.Variables, genesis.Listed{Name: v.name, Unit: v.unit, Role: genesis.Feature})
	}
	if w.IntN(2) == 0 {
		d.Ready = &genesis.Ready{Passed: 5 + w.IntN(10), Failed: w.IntN(4)}
	}
	if w.IntN(4) == 0 {
		d.Challenge = fmt.Sprintf("challenge-%02d", w.IntN(26))
	}
	if w.IntN(3) > 0 {
		d.Start = time.Date(1980+w.IntN(45), time.Month(1+w.IntN(12)), 1, 0, 0, 0, 0, time.UTC)
		d.End = d.Start.AddDate(0, 1+w.IntN(100), 0)
	}
	if w.IntN(5) < 2 {
		west, south := w.Float64()*350-180, w.Float64()*160-80
		d.Place = &genesis.Box{West: west, South: south, East: west + w.Float64()*10, North: south + w.Float64()*10}
	}
	if w.IntN(10) == 0 {
		d.Kind = genesis.Model
		if j := i - 1 - w.IntN(1000); j >= 0 {
			d.Inputs = []string{fmt.Sprintf("%s/%s", c.NodeID(j%c.Nodes), c.writer(j).name(j))}
		}
	}
}

// classes says who may know of a listing: most everybody, some the members, few those
// of one or two of them, and very few nobody who is not named.
func (w writer) classes(c *Corpus) []genesis.Class {
	switch n := w.IntN(100); {
	case n < 60:
		return []genesis.Class{genesis.ClassPublic}
	case n < 85:
		return []genesis.Class{genesis.ClassMembers}
	case n < 97:
		a, b := w.IntN(c.Nodes), w.IntN(c.Nodes)
		return []genesis.Class{genesis.ClassOf(c.NodeID(a)), genesis.ClassOf(c.NodeID(b))}
	}
	return nil
}

func (w writer) name(i int) genesis.Name {
	keep := func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}
	var parts []string
	for range 2 {
		if s := strings.Map(keep, w.words[w.word.Uint64()]); s != "" {
			parts = append(parts, s[:min(len(s), 20)])
		}
	}
	return genesis.Name(strings.Join(append(parts, fmt.Sprint(i)), "-"))
}

func (w writer) title() string {
	if w.IntN(4) == 0 && len(w.titles) > 0 {
		return strings.Join(append(strings.Fields(choose(w, w.titles)), w.list(2)...), " ")
	}
	return strings.Join(append(w.sentence(6), w.list(3)...), " ")
}

// sentence returns words that stand in a real text.
func (w writer) sentence(most int) []string {
	s := choose(w, w.sentences)
	from := w.IntN(max(1, len(s)-most))
	return append([]string(nil), s[from:min(len(s), from+most)]...)
}

func (w writer) description() string {
	var words []string
	for range 2 + w.IntN(6) {
		words = append(append(words, w.sentence(14)...), w.list(5)...)
		words[len(words)-1] += "."
	}
	return strings.Join(words, " ")
}

func (w writer) list(most int) []string {
	var all []string
	for range 1 + w.IntN(most) {
		all = append(all, w.words[w.word.Uint64()])
	}
	return all
}

func (w writer) person() string {
	return strings.ToUpper(madeUpWord(w.IntN(5000))[:1]) + ". " + madeUpWord(w.IntN(20000))
}

// Query is what somebody asks for.
type Query struct {
	Words  []string     // plain words, all of which must be there
	Prefix bool         // the last of them is the beginning of one
	Phrase bool         // the words follow each other
	Unit   string       // must be the unit of a variable
	All    bool         // the first 200 hits, in place of 20
	Tier   genesis.Tier // only those of it
}

// Query returns a query of a number, of words that some document has: one to three of
// title, description and variables.
func (c *Corpus) Query(n, documents int) Query {
	w := c.writer(-1 - n)
	d := c.At(w.IntN(documents))
	words := wordPattern.FindAllString(d.Title+" "+d.Description, -1)
	var q Query
	for range 1 + w.IntN(3) {
		word := choose(w, words)
		if strings.ContainsAny(word, "_+-") {
			continue
		}
		q.Words = append(q.Words, strings.ToLower(word))
	}
	if len(q.Words) == 0 {
		q.Words = []string{"data"}
	}
	last := &q.Words[len(q.Words)-1]
	switch w.IntN(10) {
	case 0, 1:
		if r := []rune(*last); len(r) > 4 {
			*last, q.Prefix = string(r[:3+w.IntN(len(r)-3)]), true
		}
	case 2:
		if i := w.IntN(len(words)); i+1 < len(words) && !strings.ContainsAny(words[i]+words[i+1], "_+-") {
			q.Words, q.Phrase = []string{strings.ToLower(words[i]), strings.ToLower(words[i+1])}, true
		}
	case 3:
		q.Unit = choose(w, d.Variables).Unit
	}
	if w.IntN(4) == 0 {
		q.Tier = genesis.TierPublic
	}
	return q
}

// Text returns the query as one types it.
func (q Query) Text() string {
	s := strings.Join(q.Words, " ")
	if q.Phrase {
		s = `"` + s + `"`
	}
	return s
}

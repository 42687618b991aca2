package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/blevesearch/bleve/v2"
	"github.com/blevesearch/bleve/v2/analysis/analyzer/custom"
	"github.com/blevesearch/bleve/v2/analysis/analyzer/keyword"
	"github.com/blevesearch/bleve/v2/analysis/token/lowercase"
	regex "github.com/blevesearch/bleve/v2/analysis/tokenizer/regexp"
	"github.com/blevesearch/bleve/v2/mapping"
	"github.com/blevesearch/bleve/v2/search/query"
	"github.com/opengenesis/genesis/internal/catalog/find"
	"github.com/opengenesis/genesis/test/bench/listings"
)

var plainWords = regexp.MustCompile(`[\p{L}\p{N}\p{M}]+`)

// plainText returns the words of all that a listing is found by.
func plainText(d *find.Document) string {
	parts := []string{string(d.Name), d.Title, strings.Join(d.Keywords, " "), d.Field, d.Challenge, d.Description, d.Institution,
		strings.Join(d.Creators, " "), strings.Join(d.Tasks, " "), strings.Join(d.Formats, " ")}
	for _, v := range d.Variables {
		parts = append(parts, v.Name, v.Unit)
	}
	return strings.Join(parts, "\n")
}

// bleveEngine is bleve with one field of text, and one for each facet and filter.
type bleveEngine struct {
	bleve.Index
	dir     string
	before  int // megabytes of the heap without it
	classes []string
	also    []string
}

type bleveListing struct {
	Text        string   `json:"text"`
	Institution string   `json:"institution"`
	Field       string   `json:"field"`
	Tier        string   `json:"tier"`
	Kind        string   `json:"kind"`
	Format      []string `json:"format"`
	Unit        []string `json:"unit"`
	Class       []string `json:"class"`
}

func bleveMapping() (mapping.IndexMapping, error) {
	m := bleve.NewIndexMapping()
	if err := m.AddCustomTokenizer("words", map[string]any{"type": regex.Name, "regexp": `[\p{L}\p{N}\p{M}]+`}); err != nil {
		return nil, err
	}
	if err := m.AddCustomAnalyzer("words", map[string]any{"type": custom.Name, "tokenizer": "words", "token_filters": []string{lowercase.Name}}); err != nil {
		return nil, err
	}
	text := bleve.NewTextFieldMapping()
	text.Analyzer, text.Store, text.IncludeInAll, text.DocValues = "words", false, false, false
	doc := bleve.NewDocumentStaticMapping()
	doc.AddFieldMappingsAt("text", text)
	for _, f := range []string{"institution", "field", "tier", "kind", "format", "unit", "class"} {
		value := bleve.NewTextFieldMapping()
		value.Analyzer, value.Store, value.IncludeInAll, value.IncludeTermVectors = keyword.Name, false, false, false
		doc.AddFieldMappingsAt(f, value)
	}
	m.DefaultMapping = doc
	return m, nil
}

func openBleve(c config, corpus *listings.Corpus) (engine, error) {
	m, err := bleveMapping()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(c.dir, "bleve")
	before, _ := memoryNow(dir)
	ix, err := bleve.New(dir, m)
	if err != nil {
		return nil, err
	}
	e := &bleveEngine{Index: ix, dir: dir, before: before}
	a := searched(corpus)
	for _, class := range a.Classes {
		e.classes = append(e.classes, string(class))
	}
	for _, id := range a.Also {
		e.also = append(e.also, string(id.Node)+"/"+string(id.Name))
	}
	return e, nil
}

func (e *bleveEngine) memory() int { return grown(e.dir, e.before) }

func (e *bleveEngine) load(c *listings.Corpus, n int) error {
	for i := 0; i < n; {
		b := e.NewBatch()
		for ; i < n && b.Size() < 1000; i++ {
			d := c.At(i)
			l := bleveListing{Text: plainText(&d), Institution: d.Institution, Field: d.Field, Tier: string(d.Tier), Kind: string(d.Kind), Format: d.Formats}
			for _, v := range d.Variables {
				l.Unit = append(l.Unit, v.Unit)
			}
			for _, class := range d.Classes {
				l.Class = append(l.Class, string(class))
			}
			if err := b.Index(string(d.Node)+"/"+string(d.Name), l); err != nil {
				return err
			}
		}
		if err := e.Batch(b); err != nil {
			return err
		}
	}
	return nil
}

func (e *bleveEngine) ask(q listings.Query) (found, error) {
	all := bleve.NewConjunctionQuery()
	if q.Phrase {
		p := bleve.NewPhraseQuery(q.Words, "text")
		all.AddQuery(p)
	} else {
		for _, w := range q.Words {
			all.AddQuery(bleveWord(w))
		}
	}
	for field, value := range map[string]string{"unit": q.Unit, "tier": string(q.Tier)} {
		if value != "" {
			all.AddQuery(bleveTerm(field, value))
		}
	}
	visible := bleve.NewDisjunctionQuery(query.NewDocIDQuery(e.also))
	for _, class := range e.classes {
		visible.AddQuery(bleveTerm("class", class))
	}
	all.AddQuery(visible)
	r := bleve.NewSearchRequestOptions(all, 20, 0, false)
	if q.All {
		r.Size = 200
	}
	for _, f := range []string{"institution", "field", "tier", "kind", "format"} {
		r.AddFacet(f, bleve.NewFacetRequest(f, 10))
	}
	result, err := e.Search(r)
	if err != nil {
		return found{}, err
	}
	f := found{total: int(result.Total)}
	for _, h := range result.Hits {
		f.ids = append(f.ids, h.ID)
	}
	return f, nil
}

// bleveWord matches what our index matches for a word.
func bleveWord(w string) query.Query {
	if utf8.RuneCountInString(w) < 3 {
		return bleveTerm("text", w)
	}
	p := bleve.NewPrefixQuery(w)
	p.SetField("text")
	return p
}

func bleveTerm(field, value string) query.Query {
	t := bleve.NewTermQuery(value)
	t.SetField(field)
	return t
}

func (e *bleveEngine) folder() string { return e.dir }

func (e *bleveEngine) close() { e.Close() }

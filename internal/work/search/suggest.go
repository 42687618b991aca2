package search

import (
	"context"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/catalog/find"
)

// maxMeant is for how many words of a query others are suggested.
const maxMeant = 5

// meant suggests words, and values of filters, for those of a query that nothing has.
func (a *attempt) meant(ctx context.Context, q genesis.SearchQuery, asked *asked) ([]genesis.Suggestion, error) {
	all, err := a.meantWords(ctx, q.Text)
	if err != nil {
		return nil, err
	}
	for _, f := range genesis.Facets {
		if len(q.Filter.Values[f]) == 0 {
			continue
		}
		more, err := a.meantValues(ctx, f, filter(q.Filter).Values[f], asked)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	var names []string
	for _, v := range q.Filter.Variables {
		names = append(names, v.Name)
	}
	if len(names) == 0 {
		return all, nil
	}
	more, err := a.meantValues(ctx, genesis.FacetVariable, names, asked)
	return append(all, more...), err
}

// meantValues suggests values of a facet like those that nothing has.
func (a *attempt) meantValues(ctx context.Context, f genesis.Facet, asked []string, others *asked) ([]genesis.Suggestion, error) {
	const looked = 1000
	found, err := a.index.SearchWith(ctx, find.Query{Asker: a.known.Asker, Facets: []genesis.Facet{f}, Values: looked, Limit: 1}, others.documents())
	if err != nil {
		return nil, err
	}
	counts := found.Facets[f]
	var all []genesis.Suggestion
	for _, typed := range asked[:min(len(asked), maxMeant)] {
		if slices.ContainsFunc(counts, func(c genesis.FacetCount) bool {
			return c.Value == typed || f == genesis.FacetVariable && find.Same(typed, c.Value)
		}) {
			continue
		}
		near := 0
		for _, c := range counts { // those that most have first
			if d, ok := find.Near(typed, c.Value); ok && near < 3 {
				near++
				all = append(all, genesis.Suggestion{For: typed, Word: c.Value, Distance: d, Hits: c.Hits})
			}
		}
	}
	return all, nil
}

func (a *attempt) meantWords(ctx context.Context, text string) ([]genesis.Suggestion, error) {
	var all []genesis.Suggestion
	words := strings.Fields(strings.ReplaceAll(text, `"`, " "))
	for _, word := range words[:min(len(words), maxMeant)] {
		found, err := a.index.Search(ctx, find.Query{Asker: a.known.Asker, Text: word, Limit: 1})
		if err != nil {
			return nil, err
		}
		if found.Total > 0 {
			continue
		}
		more, err := a.suggest(ctx, word, 3)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

func (a *attempt) suggest(ctx context.Context, text string, limit int) ([]genesis.Suggestion, error) {
	found, err := a.index.Suggest(ctx, a.known.Asker, text, limit)
	if err != nil {
		return nil, err
	}
	words := strings.Fields(text)
	all := []genesis.Suggestion{}
	for _, s := range found {
		all = append(all, genesis.Suggestion{For: words[len(words)-1], Word: s.Word, Distance: s.Distance, Hits: s.Hits})
	}
	return all, nil
}

// Suggest returns words for the last one of a text.
func (s *Searcher) Suggest(ctx context.Context, who genesis.Principal, text string, limit int) (*genesis.SuggestList, error) {
	out := &genesis.SuggestList{}
	err := s.try(ctx, who, func(a *attempt) (err error) {
		out.Suggestions, err = a.suggest(ctx, text, limit)
		return err
	})
	return out, err
}

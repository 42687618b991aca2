package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/opengenesis/genesis"
)

// searcher finds things, here and elsewhere.
type searcher interface {
	Search(ctx context.Context, who genesis.Principal, q genesis.SearchQuery) (*genesis.SearchResult, error)
	Suggest(ctx context.Context, who genesis.Principal, text string, limit int) (*genesis.SuggestList, error)
	Similar(ctx context.Context, who genesis.Principal, ref string, limit int) (*genesis.SimilarList, error)
}

// registerSearch declares the routes of [searcher].
func (s *server) registerSearch(a huma.API) {
	quick(s, a, weighs(2, repeats(op(http.MethodGet, "/v1/search", "search", "Find what matches, here and at other nodes"))), s.search)
	quick(s, a, op(http.MethodGet, "/v1/suggest", "suggest", "Words that may have been meant"), s.suggest)
	quick(s, a, weighs(2, op(http.MethodGet, "/v1/similar/{ref}", "similar", "Versions like one, by variables, units and words")), s.similar)
}

// searchInput is [genesis.SearchQuery] as parameters: genesis.SearchQuery.Params writes them.
type searchInput struct {
	Text        string   `query:"q" maxLength:"4000" doc:"words, and phrases in quotes, each of which must be there; without any, everything is found"`
	Node        []string `query:"node,explode" maxItems:"256" doc:"any of these, as of the filters that follow"`
	Institution []string `query:"institution,explode" maxItems:"256"`
	Field       []string `query:"field,explode" maxItems:"256"`
	Kind        []string `query:"kind,explode" maxItems:"256"`
	Tier        []string `query:"tier,explode" maxItems:"256"`
	License     []string `query:"license,explode" maxItems:"256"`
	Readiness   []string `query:"readiness,explode" maxItems:"256" doc:"ready, nearly, partly, hardly"`
	Challenge   []string `query:"challenge,explode" maxItems:"256"`
	Format      []string `query:"format,explode" maxItems:"256"`
	Task        []string `query:"task,explode" maxItems:"256"`
	Unit        []string `query:"unit,explode" maxItems:"256" doc:"UCUM"`
	Variable    []string `query:"variable,explode" maxItems:"32" doc:"NAME or NAME:UNIT; each of these"`
	MinRows     int64    `query:"min_rows" minimum:"0"`
	MaxRows     int64    `query:"max_rows" minimum:"0" doc:"0: no end"`
	Time        string   `query:"time" maxLength:"100" doc:"what overlaps a period: 2018-01/2018-12" example:"2018/2019"`
	Place       string   `query:"place" maxLength:"100" doc:"what overlaps a box: west,south,east,north" example:"-106,39,-105,40"`
	HasModel    string   `query:"has_model" enum:"true,false," doc:"whether some model was trained on it"`
	Facets      []string `query:"facets,explode" maxItems:"12" doc:"facets to count"`
	Values      int      `query:"values" minimum:"0" maximum:"1000" doc:"of each facet; 0: 10"`
	Limit       int      `query:"limit" minimum:"1" maximum:"200" default:"20"`
	After       string   `query:"after" maxLength:"2000" doc:"cursor: the next of the page before"`
	Local       bool     `query:"local" doc:"ask no other node"`
	Own         bool     `query:"own" doc:"for other nodes: what this node has that is in no class whose log the asker's node may follow"`
}

// query is what the parameters say. Errors: Invalid.
func (in *searchInput) query() (genesis.SearchQuery, error) {
	q := genesis.SearchQuery{Text: in.Text, Values: in.Values, Limit: in.Limit, Local: in.Local, Own: in.Own,
		Filter: genesis.SearchFilter{Values: map[genesis.Facet][]string{}, MinRows: in.MinRows, MaxRows: in.MaxRows}}
	for f, values := range map[genesis.Facet][]string{genesis.FacetNode: in.Node, genesis.FacetInstitution: in.Institution, genesis.FacetField: in.Field,
		genesis.FacetKind: in.Kind, genesis.FacetTier: in.Tier, genesis.FacetLicense: in.License, genesis.FacetReadiness: in.Readiness,
		genesis.FacetChallenge: in.Challenge, genesis.FacetFormat: in.Format, genesis.FacetTask: in.Task, genesis.FacetUnit: in.Unit} {
		if len(values) > 0 {
			q.Filter.Values[f] = values
		}
	}
	for _, v := range in.Variable {
		q.Filter.Variables = append(q.Filter.Variables, genesis.ParseVariable(v))
	}
	for _, f := range in.Facets {
		q.Facets = append(q.Facets, genesis.Facet(f))
	}
	if in.HasModel != "" {
		has := in.HasModel == "true"
		q.Filter.HasModel = &has
	}
	var err error
	if in.Time != "" {
		if q.Filter.Time, err = genesis.ParsePeriod(in.Time); err != nil {
			return q, err
		}
	}
	if in.Place != "" {
		box, err := genesis.ParseBox(in.Place)
		if err != nil {
			return q, err
		}
		q.Filter.Place = &box
	}
	return q, nil
}

func (s *server) search(ctx context.Context, who genesis.Principal, in *searchInput) (*genesis.SearchResult, error) {
	q, err := in.query()
	if err != nil {
		return nil, err
	}
	page := &PageInput{After: in.After}
	return turn(s, "search", page, func() (*genesis.SearchResult, error) {
		q.After = page.After
		return s.Service.Search(ctx, who, q)
	}, func(r *genesis.SearchResult) *string { return &r.Next })
}

type suggestInput struct {
	Text  string `query:"q" required:"true" maxLength:"4000" doc:"words for the last one of it are suggested"`
	Limit int    `query:"limit" minimum:"1" maximum:"50" default:"10"`
}

func (s *server) suggest(ctx context.Context, who genesis.Principal, in *suggestInput) (*genesis.SuggestList, error) {
	return s.Service.Suggest(ctx, who, in.Text, in.Limit)
}

type similarInput struct {
	RefInput
	Limit int `query:"limit" minimum:"1" maximum:"50" default:"10"`
}

func (s *server) similar(ctx context.Context, who genesis.Principal, in *similarInput) (*genesis.SimilarList, error) {
	return s.Service.Similar(ctx, who, in.Ref, in.Limit)
}

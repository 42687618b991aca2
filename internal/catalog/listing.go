package catalog

import (
	"context"
	"database/sql"
	"slices"
	"unicode/utf8"

	"github.com/opengenesis/genesis"
)

// VersionTx returns a version as a transaction has it. Errors: NotFound.
func (c *Catalog) VersionTx(ctx context.Context, tx *sql.Tx, v genesis.Version) (genesis.Version, error) {
	r, err := findRow(ctx, tx, v)
	return r.Version, err
}

// ListingTx returns what is shown of a version to whoever may discover it, made of its
// records as a transaction has them, and the versions that it was made from. Nothing in
// it was read off a cell: when and where its rows were is as the card says. Whose node it
// is, its tier, and which of its inputs may be named is for the caller to say. Errors:
// NotFound, Internal (damaged), Unsupported.
func (c *Catalog) ListingTx(ctx context.Context, tx *sql.Tx, v genesis.Version) (genesis.Listing, []genesis.Ref, error) {
	d := genesis.Description{Version: v}
	for kind, into := range map[genesis.RecordKind]any{
		genesis.RecordCard:       &d.Card,
		genesis.RecordReadiness:  &d.Readiness,
		genesis.RecordProvenance: &d.Provenance,
		genesis.RecordReport:     &d.Report,
	} {
		if err := readRecord(ctx, tx, v, kind, into); err != nil && genesis.KindOf(err) != genesis.NotFound {
			return genesis.Listing{}, nil, err
		}
	}
	var err error
	if d.Manifest, err = c.Manifest(ctx, v); err != nil {
		return genesis.Listing{}, nil, err
	}
	return listingOf(d), sourceRefs(d), nil
}

func listingOf(d genesis.Description) genesis.Listing {
	v, card := d.Version, d.Card
	l := genesis.Listing{Format: genesis.ListingFormat, Name: v.Name, Version: v.Digest, Number: v.Number, Kind: v.Kind,
		Title: card.Title, Description: card.Description, Keywords: card.Keywords, Creators: card.Creators,
		Institution: card.Institution, Field: card.Field, Challenge: card.Challenge, License: card.License, Place: card.Spatial,
		Rows: v.Rows, Bytes: v.Bytes, Variables: variables(d), Tasks: tasks(d)}
	if card.Temporal != nil {
		l.Start, l.End = card.Temporal.Start, card.Temporal.End
	}
	if d.Readiness != nil {
		l.Ready = &genesis.Ready{Passed: d.Readiness.Passed, Failed: d.Readiness.Failed}
	}
	if d.Provenance != nil {
		for _, s := range d.Provenance.Sources {
			l.Formats = append(l.Formats, s.Format)
		}
	}
	l.Formats = sorted(l.Formats)
	return l
}

// variables are the columns of a dataset, or what a model takes and predicts.
func variables(d genesis.Description) []genesis.Listed {
	var all []genesis.Listed
	add := func(table string, c genesis.Column, role genesis.Role) {
		all = append(all, genesis.Listed{Table: table, Name: c.Name, Unit: c.Unit, Semantic: string(c.Semantic), Role: role})
	}
	for _, t := range d.Manifest.Tables {
		table := t.Name
		if len(d.Manifest.Tables) == 1 {
			table = ""
		}
		for _, c := range t.Columns {
			add(table, c.Column, c.Role)
		}
	}
	if d.Report != nil {
		for _, c := range d.Report.Inputs {
			add("", c, c.Role)
		}
		for _, t := range d.Report.Targets {
			add("", t.Column, genesis.Target)
		}
	}
	return all
}

// tasks are what a dataset has targets for, or what a model does.
func tasks(d genesis.Description) []string {
	var all []string
	for _, t := range d.Manifest.Tables {
		for _, c := range t.Columns {
			switch {
			case c.Role != genesis.Target:
			case c.Type.Numeric():
				all = append(all, "regression")
			case c.Type.Textual() || c.Type == genesis.Boolean:
				all = append(all, "classification")
			}
		}
	}
	if d.Report != nil {
		for _, t := range d.Report.Targets {
			switch t.Task {
			case "regression":
				all = append(all, "regression")
			case "binary", "multiclass":
				all = append(all, "classification")
			}
		}
	}
	return sorted(all)
}

func sorted(words []string) []string {
	slices.Sort(words)
	return slices.DeleteFunc(slices.Compact(words), func(s string) bool { return s == "" })
}

// Bounds of what a listing says, in bytes and numbers: longer texts are cut.
const (
	maxPhrase      = 300
	maxDescription = 4 << 10
	maxItems       = 50
)

// EncodeListing returns the one text of a listing: canonical JSON of at most
// [genesis.MaxListing] bytes. Texts and lists that are too long are cut; of variables
// for which there is no room, the number is told. Errors: Invalid.
func EncodeListing(l genesis.Listing) ([]byte, error) {
	for _, s := range []*string{&l.Title, &l.Institution, &l.Field, &l.License} {
		*s = cut(*s, maxPhrase)
	}
	l.Description = cut(l.Description, maxDescription)
	for _, list := range []*[]string{&l.Keywords, &l.Creators, &l.Formats, &l.Tasks, &l.Inputs} {
		*list = cutList(*list)
	}
	vars := l.Variables
	l.Variables, l.More = nil, len(vars)
	text, err := genesis.CanonicalJSON(l)
	if err != nil {
		return nil, err
	}
	room := genesis.MaxListing - len(text) - len(`"variables":[],`)
	for _, v := range vars {
		v.Name, v.Table, v.Unit, v.Semantic = cut(v.Name, maxPhrase), cut(v.Table, maxPhrase), cut(v.Unit, maxPhrase), cut(v.Semantic, maxPhrase)
		text, err := genesis.CanonicalJSON(v)
		if err != nil {
			return nil, err
		}
		if room -= len(text) + 1; room < 0 {
			break
		}
		l.Variables = append(l.Variables, v)
	}
	l.More = len(vars) - len(l.Variables)
	return genesis.CanonicalJSON(l)
}

// cut shortens a text to at most a number of bytes.
func cut(s string, most int) string {
	const ellipsis = "…"
	if len(s) <= most {
		return s
	}
	end := most - len(ellipsis)
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + ellipsis
}

func cutList(all []string) []string {
	var short []string
	for _, s := range all[:min(len(all), maxItems)] {
		short = append(short, cut(s, maxPhrase))
	}
	return short
}

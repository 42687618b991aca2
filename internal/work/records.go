package work

import (
	"context"
	"database/sql"
	"fmt"
	"reflect"
	"sort"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/catalog"
	"github.com/opengenesis/genesis/internal/ingest/readiness"
)

// SetCard changes fields of a version's card, by their JSON names; a list is
// given with commas; an empty value clears the field.
func (s *Service) SetCard(ctx context.Context, who genesis.Principal, ref string, fields map[string]string) (*genesis.Card, error) {
	v, err := s.resolve(ctx, who, genesis.Steward, ref)
	if err != nil {
		return nil, err
	}
	var card genesis.Card
	err = s.DB.Tx(ctx, func(tx *sql.Tx) error {
		card, err = catalog.EditTx(ctx, tx, s.Catalog, v, genesis.RecordCard, s.by(who), func(c *genesis.Card) error {
			if err := setFields(c, fields); err != nil {
				return err
			}
			terms, err := s.Access.TermsTx(ctx, tx, v.Name, v.Digest) // those that this card will stand beside
			if genesis.KindOf(err) == genesis.NotFound {
				return nil
			}
			if err != nil {
				return err
			}
			return access.CheckCard(v.Name, terms, *c)
		})
		if err != nil {
			return err
		}
		return s.restate(ctx, tx, version{v.Name, v.Digest})
	})
	if err != nil {
		return nil, err
	}
	return &card, s.rescore(ctx, who, v)
}

func setFields(card *genesis.Card, fields map[string]string) error {
	for name, value := range fields {
		if err := setField(card, name, value); err != nil {
			return err
		}
	}
	return nil
}

// setField sets one field of a card by its JSON name.
func setField(card *genesis.Card, name, value string) error {
	rv := reflect.ValueOf(card).Elem()
	var known []string
	for i := range rv.NumField() {
		key, _, _ := strings.Cut(rv.Type().Field(i).Tag.Get("json"), ",")
		known = append(known, key)
		if key != name {
			continue
		}
		return setValue(rv.Field(i), name, value)
	}
	sort.Strings(known)
	return &genesis.Error{Op: "set card", Kind: genesis.Invalid, Subject: name, Msg: "is no field of a card", Hint: "the fields are " + strings.Join(known, ", ")}
}

// setValue sets a field of a card from its text.
func setValue(field reflect.Value, name, text string) error {
	text = strings.TrimSpace(text)
	switch at := field.Addr().Interface().(type) {
	case *[]string:
		*at = list(text)
	case **genesis.Period:
		return setParsed(at, text, genesis.ParsePeriod)
	case **genesis.Box:
		return setParsed(at, text, genesis.ParseBox)
	default:
		value, err := word(name, text)
		if err != nil {
			return err
		}
		field.SetString(value)
	}
	return nil
}

// setParsed sets what has a text form of its own; an empty text clears it.
func setParsed[T any](at **T, text string, parse func(string) (T, error)) error {
	if *at = nil; text == "" {
		return nil
	}
	v, err := parse(text)
	if err != nil {
		return err
	}
	*at = &v
	return nil
}

// word checks the value of a field that decides something against its vocabulary, and
// spells it as that does.
func word(field, value string) (string, error) {
	var words []string
	switch field {
	case "sensitivity":
		for _, s := range genesis.Sensitivities {
			words = append(words, string(s))
		}
	case "export_control":
		words = genesis.ExportStatuses
	}
	if field == "challenge" && value != "" {
		return value, genesis.CheckChallenge(value)
	}
	if words == nil || value == "" {
		return value, nil
	}
	for _, w := range words {
		if strings.EqualFold(w, strings.NewReplacer(" ", "_", "-", "_").Replace(value)) {
			return w, nil
		}
	}
	return "", &genesis.Error{Op: "set card", Kind: genesis.Invalid, Subject: field + "=" + value, Msg: "is not a word of the Genesis Mission Data Card",
		Hint: "write " + strings.Join(words, ", ")}
}

func list(value string) []string {
	var out []string
	for _, part := range strings.Split(value, ",") {
		if part = strings.TrimSpace(part); part != "" {
			out = append(out, part)
		}
	}
	return out
}

// Answer records what a person says about a finding. What was found is told to who may
// read the version.
func (s *Service) Answer(ctx context.Context, who genesis.Principal, ref, finding, answer string) (*genesis.Finding, error) {
	v, err := s.resolve(ctx, who, genesis.Steward, ref)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(answer) == "" {
		return nil, &genesis.Error{Op: "answer", Kind: genesis.Invalid, Subject: finding, Msg: "the answer is empty"}
	}
	var answered genesis.Finding
	_, err = catalog.Edit(ctx, s.Catalog, v, genesis.RecordFindings, s.by(who), func(list *[]genesis.Finding) error {
		for i := range *list {
			if f := &(*list)[i]; f.ID == finding {
				f.Answer, f.By = answer, s.by(who)
				answered = *f
				return nil
			}
		}
		return &genesis.Error{Op: "answer", Kind: genesis.NotFound, Subject: finding, Msg: fmt.Sprintf("is no finding of %s", ref),
			Hint: "`genesis show " + ref + "` lists the findings and their ids"}
	})
	if err != nil {
		return nil, err
	}
	if !s.preview(ctx, who, v) { // the finding itself quotes cells
		answered = genesis.Finding{ID: answered.ID, Answer: answered.Answer, By: answered.By}
	}
	return &answered, s.rescore(ctx, who, v)
}

// rescore runs the readiness checks again after a record changed.
func (s *Service) rescore(ctx context.Context, who genesis.Principal, v genesis.Version) error {
	d, err := s.Catalog.Describe(ctx, v, nil)
	if err != nil || d.Version.Kind != genesis.Dataset || d.Readiness == nil {
		return err
	}
	in := readiness.Input{Name: d.Version.Name, Manifest: d.Manifest, Card: d.Card, Findings: d.Findings, Splits: d.Splits, Recipe: d.Recipe, Proof: d.Readiness.Proof}
	if d.Profile != nil {
		in.Profile = *d.Profile
	}
	if d.Provenance != nil {
		in.Sources = d.Provenance.Sources
	}
	return s.DB.Tx(ctx, func(tx *sql.Tx) error {
		if err := s.Catalog.PutRecordTx(ctx, tx, d.Version, genesis.RecordReadiness, readiness.Check(in), s.by(who)); err != nil {
			return err
		}
		return s.restate(ctx, tx, version{v.Name, v.Digest})
	})
}

package work

import (
	"context"
	"slices"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/ingest"
	"github.com/opengenesis/genesis/internal/ingest/readiness"
	"github.com/opengenesis/genesis/internal/learn"
)

// readiness runs the checks over a dataset that is not in the catalogue yet.
func (w *Workbench) readiness(ctx context.Context, req genesis.PrepareRequest, card genesis.Card, res *ingest.Result, p genesis.Progress) (genesis.Readiness, error) {
	in := readiness.Input{
		Name: req.Name, Manifest: res.Manifest, Profile: res.Profile, Findings: res.Findings,
		Splits: res.Splits, Sources: res.Sources, Recipe: res.Recipe, Card: card,
	}
	if !req.Options.NoProof {
		proof, err := w.proof(ctx, res, p)
		if err != nil {
			return genesis.Readiness{}, err
		}
		in.Proof = proof
	}
	return readiness.Check(in), nil
}

// keepAnswers takes over what a person said about the same finding before, so that
// a replay does not ask again.
func keepAnswers(before, findings []genesis.Finding) {
	for _, old := range before {
		for i := range findings {
			if f := &findings[i]; f.ID == old.ID && old.Answer != "" {
				f.Answer, f.By = old.Answer, old.By
			}
		}
	}
}

// answered returns the findings of the newest version of a name that a person
// answered.
func (s *Service) answered(ctx context.Context, name genesis.Name) (list []genesis.Finding) {
	if v, err := s.Catalog.Resolve(ctx, genesis.Ref{Name: name}, nil); err == nil {
		_ = s.Catalog.Record(ctx, v, genesis.RecordFindings, &list) // none yet is no answers
	}
	return slices.DeleteFunc(list, func(f genesis.Finding) bool { return f.Answer == "" })
}

// card returns the card of the newest version of a name, if there is one.
func (s *Service) card(ctx context.Context, name genesis.Name) (c genesis.Card) {
	if v, err := s.Catalog.Resolve(ctx, genesis.Ref{Name: name}, nil); err == nil {
		_ = s.Catalog.Record(ctx, v, genesis.RecordCard, &c) // no card yet is an empty card
	}
	return c
}

// proof trains the baseline network of the last readiness check, or returns
// nil when no target is declared. That it cannot be trained is a finding of
// the check, not a failure to prepare.
func (w *Workbench) proof(ctx context.Context, res *ingest.Result, p genesis.Progress) (*genesis.Proof, error) {
	table, targets := targetsOf(res.Manifest)
	if len(targets) == 0 {
		return nil, nil
	}
	d, err := w.data(ctx, res.Manifest, res.Layout, table, nil, splitOf(res.Splits, table, ""), 0)
	if err == nil {
		var proof genesis.Proof
		if proof, err = learn.Baseline(ctx, *d, learn.Options{Target: targets[:1], Threads: w.Settings.Threads, Progress: p}); err == nil {
			return &proof, nil
		}
	}
	if ctx.Err() != nil {
		return nil, &genesis.Error{Op: "prepare", Kind: genesis.Canceled, Msg: "stopped before the end; nothing was kept", Err: err}
	}
	return &genesis.Proof{Target: targets[0], Err: err.Error()}, nil
}

// targetsOf returns the first table that declares targets, and their names.
func targetsOf(m genesis.Manifest) (string, []string) {
	for _, t := range m.Tables {
		var names []string
		for _, c := range t.Columns {
			if c.Role == genesis.Target {
				names = append(names, c.Name)
			}
		}
		if names != nil {
			return t.Name, names
		}
	}
	return "", nil
}

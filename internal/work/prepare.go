package work

import (
	"context"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/catalog"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/ingest"
	"github.com/opengenesis/genesis/internal/ingest/readiness"
	"github.com/opengenesis/genesis/internal/ingest/recipe"
	"github.com/opengenesis/genesis/internal/learn"
)

// Prepare makes a draft dataset version from raw files. files and splitFiles
// are req.Files and req.Options.SplitFiles, opened.
func (s *Service) Prepare(ctx context.Context, who genesis.Principal, req genesis.PrepareRequest, files, splitFiles []*format.Raw, p genesis.Progress) (*genesis.Prepared, error) {
	if err := genesis.CheckName(req.Name); err != nil {
		return nil, err
	}
	if err := s.may(ctx, who, genesis.Steward, req.Name); err != nil {
		return nil, err
	}
	var rec *recipe.Recipe
	if req.Recipe != "" {
		var err error
		if rec, err = recipe.Parse([]byte(req.Recipe)); err != nil {
			return nil, err
		}
	}
	started := time.Now().UTC()
	res, err := ingest.Prepare(ctx, s.env(p), files, rec, req.Options, splitFiles)
	if err != nil {
		return nil, err
	}
	s.keepAnswers(ctx, req.Name, res.Findings)
	ready, err := s.readiness(ctx, req, res, p)
	if err != nil {
		return nil, err
	}
	prov := genesis.Provenance{Sources: res.Sources, Recipe: genesis.DigestOf([]byte(res.Recipe)), Software: s.Software,
		Started: started, Ended: time.Now().UTC(), By: who.Subject}
	v, unchanged, err := s.commitDataset(ctx, who, req.Name, res, ready, prov, s.card(ctx, req.Name))
	if err != nil {
		return nil, err
	}
	return &genesis.Prepared{Version: v, Unchanged: unchanged, Manifest: res.Manifest, Findings: res.Findings,
		Readiness: ready, Splits: res.Splits, Recipe: res.Recipe}, nil
}

func (s *Service) commitDataset(ctx context.Context, who genesis.Principal, name genesis.Name, res *ingest.Result, ready genesis.Readiness, prov genesis.Provenance, card genesis.Card) (genesis.Version, bool, error) {
	return s.commit(ctx, catalog.Commit{
		Name: name, Kind: genesis.Dataset, Manifest: res.Manifest, Layout: res.Layout, By: s.by(who), Rows: res.Rows, Bytes: res.Bytes,
		Records: map[genesis.RecordKind]any{
			genesis.RecordRecipe:     res.Recipe,
			genesis.RecordProfile:    res.Profile,
			genesis.RecordReadiness:  ready,
			genesis.RecordSplits:     res.Splits,
			genesis.RecordProvenance: prov,
			genesis.RecordFindings:   res.Findings,
			genesis.RecordCard:       card,
		},
	})
}

// readiness runs the checks over a dataset that is not in the catalogue yet. A
// card that an earlier version of the same name has is taken over.
func (s *Service) readiness(ctx context.Context, req genesis.PrepareRequest, res *ingest.Result, p genesis.Progress) (genesis.Readiness, error) {
	in := readiness.Input{
		Name: req.Name, Manifest: res.Manifest, Profile: res.Profile, Findings: res.Findings,
		Splits: res.Splits, Sources: res.Sources, Recipe: res.Recipe, Card: s.card(ctx, req.Name),
	}
	if !req.Options.NoProof {
		proof, err := s.proof(ctx, res, p)
		if err != nil {
			return genesis.Readiness{}, err
		}
		in.Proof = proof
	}
	return readiness.Check(in), nil
}

// keepAnswers takes over what a person said about the same finding in the
// newest version of the name, so that a replay does not ask again.
func (s *Service) keepAnswers(ctx context.Context, name genesis.Name, findings []genesis.Finding) {
	var before []genesis.Finding
	if v, err := s.Catalog.Resolve(ctx, genesis.Ref{Name: name}, nil); err == nil {
		_ = s.Catalog.Record(ctx, v, genesis.RecordFindings, &before) // none yet is no answers
	}
	for _, old := range before {
		for i := range findings {
			if f := &findings[i]; f.ID == old.ID && old.Answer != "" {
				f.Answer, f.By = old.Answer, old.By
			}
		}
	}
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
func (s *Service) proof(ctx context.Context, res *ingest.Result, p genesis.Progress) (*genesis.Proof, error) {
	table, targets := targetsOf(res.Manifest)
	if len(targets) == 0 {
		return nil, nil
	}
	d, err := s.data(ctx, res.Manifest, res.Layout, table, nil, splitOf(res.Splits, table, ""), 0)
	if err == nil {
		var proof genesis.Proof
		if proof, err = learn.Baseline(ctx, *d, learn.Options{Target: targets[:1], Threads: s.Threads, Progress: p}); err == nil {
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

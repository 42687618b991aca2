package work

import (
	"context"
	"slices"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/catalog"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/ingest"
	"github.com/opengenesis/genesis/internal/ingest/readiness"
	"github.com/opengenesis/genesis/internal/ingest/recipe"
	"github.com/opengenesis/genesis/internal/learn"
	"github.com/opengenesis/genesis/internal/work/run"
)

// prepareTask is what computing a preparation takes.
type prepareTask struct {
	Request genesis.PrepareRequest
	Splits  int               // so many files, the last ones, are of splits to import
	Card    genesis.Card      // of the newest version of the name
	Before  []genesis.Finding // of that version, with what people said about them
}

// prepareOutcome is what it comes to.
type prepareOutcome struct {
	Result         ingest.Result
	Readiness      genesis.Readiness
	Started, Ended time.Time
}

// Prepare makes a draft dataset version from raw files. files and splitFiles
// are req.Files and req.Options.SplitFiles, opened.
func (s *Service) Prepare(ctx context.Context, who genesis.Principal, req genesis.PrepareRequest, files, splitFiles []*format.Raw, p genesis.Progress) (*genesis.Prepared, error) {
	asked, err := s.askPreparation(ctx, who, req, files, splitFiles)
	if err != nil {
		return nil, err
	}
	return attend[genesis.Prepared](ctx, s, who, asked, p)
}

func (s *Service) askPreparation(ctx context.Context, who genesis.Principal, req genesis.PrepareRequest, files, splitFiles []*format.Raw) (*asked, error) {
	if err := genesis.CheckName(req.Name); err != nil {
		return nil, err
	}
	if err := s.may(ctx, who, genesis.Steward, req.Name); err != nil {
		return nil, err
	}
	if _, err := recipeOf(req); err != nil {
		return nil, err
	}
	return &asked{kind: genesis.RunPrepare, request: req, subject: string(req.Name), files: slices.Concat(files, splitFiles),
		pinned: pinned{Prepare: &req, Splits: len(splitFiles)}}, nil
}

// recipeOf parses the recipe of a request, if it has one.
func recipeOf(req genesis.PrepareRequest) (*recipe.Recipe, error) {
	if req.Recipe == "" {
		return nil, nil
	}
	return recipe.Parse([]byte(req.Recipe))
}

// planPreparation gathers what the newest version of the name has that a new one
// takes over: its card, and answers, so that a replay does not ask again.
func (s *Service) planPreparation(ctx context.Context, pin pinned) (*prepareTask, error) {
	task := &prepareTask{Request: *pin.Prepare, Splits: pin.Splits, Card: s.card(ctx, pin.Prepare.Name)}
	if v, err := s.Catalog.Resolve(ctx, genesis.Ref{Name: pin.Prepare.Name}); err == nil {
		_ = s.Catalog.Record(ctx, v, genesis.RecordFindings, &task.Before) // none yet is no answers
	}
	return task, nil
}

// prepare does a preparation.
func (c *computer) prepare(ctx context.Context, task prepareTask, files []*format.Raw) (*prepareOutcome, error) {
	started := time.Now().UTC()
	rec, err := recipeOf(task.Request)
	if err != nil {
		return nil, err
	}
	n := len(files) - task.Splits
	res, err := ingest.Prepare(ctx, c.env(), files[:n], rec, task.Request.Options, files[n:])
	if err != nil {
		return nil, err
	}
	keepAnswers(task.Before, res.Findings)
	ready, err := c.readiness(ctx, task, res)
	return &prepareOutcome{Result: *res, Readiness: ready, Started: started, Ended: time.Now().UTC()}, err
}

// commitPreparation returns the act that makes a version of what was prepared.
func (s *Service) commitPreparation(ctx context.Context, r genesis.Run, pin pinned, out prepareOutcome) (*run.Act, error) {
	res, name := &out.Result, pin.Prepare.Name
	prov := genesis.Provenance{Sources: res.Sources, Recipe: genesis.DigestOf([]byte(res.Recipe)), Software: s.Software,
		Started: out.Started, Ended: out.Ended, By: r.By.Subject}
	in := catalog.Commit{
		Name: name, Kind: genesis.Dataset, Manifest: res.Manifest, Layout: res.Layout, By: r.By.Subject, Rows: res.Rows, Bytes: res.Bytes,
		Records: map[genesis.RecordKind]any{
			genesis.RecordRecipe:     res.Recipe,
			genesis.RecordProfile:    res.Profile,
			genesis.RecordReadiness:  out.Readiness,
			genesis.RecordSplits:     res.Splits,
			genesis.RecordProvenance: prov,
			genesis.RecordFindings:   res.Findings,
			genesis.RecordCard:       s.card(ctx, name),
		},
	}
	return s.version(ctx, in, func(v genesis.Version, unchanged bool) any {
		return genesis.Prepared{Version: v, Unchanged: unchanged, Manifest: res.Manifest, Findings: res.Findings,
			Readiness: out.Readiness, Splits: res.Splits, Recipe: res.Recipe}
	})
}

// readiness runs the checks over a dataset that is not in the catalogue yet. A
// card that an earlier version of the same name has is taken over.
func (c *computer) readiness(ctx context.Context, task prepareTask, res *ingest.Result) (genesis.Readiness, error) {
	in := readiness.Input{
		Name: task.Request.Name, Manifest: res.Manifest, Profile: res.Profile, Findings: res.Findings,
		Splits: res.Splits, Sources: res.Sources, Recipe: res.Recipe, Card: task.Card,
	}
	if !task.Request.Options.NoProof {
		proof, err := c.proof(ctx, res)
		if err != nil {
			return genesis.Readiness{}, err
		}
		in.Proof = proof
	}
	return readiness.Check(in), nil
}

// keepAnswers takes over what a person said about the same finding before.
func keepAnswers(before, findings []genesis.Finding) {
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
	if v, err := s.Catalog.Resolve(ctx, genesis.Ref{Name: name}); err == nil {
		_ = s.Catalog.Record(ctx, v, genesis.RecordCard, &c) // no card yet is an empty card
	}
	return c
}

// proof trains the baseline network of the last readiness check, or returns
// nil when no target is declared. That it cannot be trained is a finding of
// the check, not a failure to prepare.
func (c *computer) proof(ctx context.Context, res *ingest.Result) (*genesis.Proof, error) {
	table, targets := targetsOf(res.Manifest)
	if len(targets) == 0 {
		return nil, nil
	}
	d, err := c.data(ctx, res.Manifest, res.Layout, table, nil, splitOf(res.Splits, table, ""), 0)
	if err == nil {
		var proof genesis.Proof
		if proof, err = learn.Baseline(ctx, *d, learn.Options{Target: targets[:1], Threads: c.Threads, Progress: c.p}); err == nil {
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

package work

import (
	"context"
	"database/sql"
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

// Prepare makes a draft dataset version from raw files. files and splitFiles
// are req.Files and req.Options.SplitFiles, opened.
func (s *Service) Prepare(ctx context.Context, who genesis.Principal, req genesis.PrepareRequest, files, splitFiles []*format.Raw, p genesis.Progress) (*genesis.Prepared, error) {
	a, err := s.askPrepare(ctx, who, req, files, splitFiles)
	if err != nil {
		return nil, err
	}
	return do[genesis.Prepared](ctx, s, who, a, p)
}

// askPrepare allows a request to prepare.
func (s *Service) askPrepare(ctx context.Context, who genesis.Principal, req genesis.PrepareRequest, files, splitFiles []*format.Raw) (*asked, error) {
	if err := genesis.CheckName(req.Name); err != nil {
		return nil, err
	}
	if err := s.may(ctx, who, genesis.Steward, req.Name); err != nil {
		return nil, err
	}
	req.Files, req.Options.SplitFiles = withoutTokens(req.Files), withoutTokens(req.Options.SplitFiles)
	return &asked{kind: genesis.RunPrepare, subject: string(req.Name), request: req, files: slices.Concat(files, splitFiles)}, nil
}

// prepareTask is a request to prepare and what earlier versions of the same name
// pass on: their card, and what people answered.
type prepareTask struct {
	Request genesis.PrepareRequest `json:"request"`
	Card    genesis.Card           `json:"card"`
	Answers []genesis.Finding      `json:"answers,omitempty"`
}

func (s *Service) planPrepare(ctx context.Context, req genesis.PrepareRequest) *prepareTask {
	return &prepareTask{Request: req, Card: s.card(ctx, req.Name), Answers: s.answers(ctx, req.Name)}
}

// prepareOutcome is a dataset version that is not committed.
type prepareOutcome struct {
	Result    ingest.Result     `json:"result"`
	Readiness genesis.Readiness `json:"readiness"`
	Started   time.Time         `json:"started"`
}

// prepare computes a dataset version. The files of an imported split follow the
// raw files.
func (c *Computer) prepare(ctx context.Context, t *prepareTask, files []*format.Raw, p genesis.Progress) (*prepareOutcome, error) {
	out := &prepareOutcome{Started: time.Now().UTC()}
	var rec *recipe.Recipe
	if t.Request.Recipe != "" {
		var err error
		if rec, err = recipe.Parse([]byte(t.Request.Recipe)); err != nil {
			return nil, err
		}
	}
	n := len(files) - len(t.Request.Options.SplitFiles)
	if n < 0 {
		return nil, &genesis.Error{Op: "prepare", Kind: genesis.Internal, Msg: "it has fewer files than it names"}
	}
	res, err := ingest.Prepare(ctx, c.env(p), files[:n], rec, t.Request.Options, files[n:])
	if err != nil {
		return nil, err
	}
	keepAnswers(t.Answers, res.Findings)
	out.Result = *res
	out.Readiness, err = c.readiness(ctx, t, res, p)
	return out, err
}

// commitPrepared checks in what prepare computed, with what the worker has no
// say in: name, asker and provenance.
func (s *Service) commitPrepared(ctx context.Context, r genesis.Run, req genesis.PrepareRequest, out *prepareOutcome) (run.Act, error) {
	res := &out.Result
	if err := s.stored(ctx, blobsOf(res.Layout, res.Splits)); err != nil {
		return run.Act{}, err
	}
	prov := genesis.Provenance{Sources: res.Sources, Recipe: genesis.DigestOf([]byte(res.Recipe)), Software: s.Software,
		Started: out.Started, Ended: time.Now().UTC(), By: r.By.Subject}
	staged, err := s.Catalog.Stage(ctx, catalog.Commit{
		Name: req.Name, Kind: genesis.Dataset, Manifest: res.Manifest, Layout: res.Layout, By: r.By.Subject, Rows: res.Rows, Bytes: res.Bytes,
		Records: map[genesis.RecordKind]any{
			genesis.RecordRecipe:     res.Recipe,
			genesis.RecordProfile:    res.Profile,
			genesis.RecordReadiness:  out.Readiness,
			genesis.RecordSplits:     res.Splits,
			genesis.RecordProvenance: prov,
			genesis.RecordFindings:   res.Findings,
			genesis.RecordCard:       s.card(ctx, req.Name),
		},
	})
	if err != nil {
		return run.Act{}, err
	}
	return run.Act{Tx: func(ctx context.Context, tx *sql.Tx) (any, error) {
		v, unchanged, err := staged.CommitTx(ctx, tx)
		return &genesis.Prepared{Version: v, Unchanged: unchanged, Manifest: res.Manifest, Findings: res.Findings,
			Readiness: out.Readiness, Splits: res.Splits, Recipe: res.Recipe}, err
	}}, nil
}

// readiness runs the checks over a dataset that is not in the catalogue yet. A
// card that an earlier version of the same name has is taken over.
func (c *Computer) readiness(ctx context.Context, t *prepareTask, res *ingest.Result, p genesis.Progress) (genesis.Readiness, error) {
	in := readiness.Input{
		Name: t.Request.Name, Manifest: res.Manifest, Profile: res.Profile, Findings: res.Findings,
		Splits: res.Splits, Sources: res.Sources, Recipe: res.Recipe, Card: t.Card,
	}
	if !t.Request.Options.NoProof {
		proof, err := c.proof(ctx, res, p)
		if err != nil {
			return genesis.Readiness{}, err
		}
		in.Proof = proof
	}
	return readiness.Check(in), nil
}

// answers returns the findings of the newest version of the name, with what
// people said about them.
func (s *Service) answers(ctx context.Context, name genesis.Name) (before []genesis.Finding) {
	if v, err := s.Catalog.Resolve(ctx, genesis.Ref{Name: name}); err == nil {
		_ = s.Catalog.Record(ctx, v, genesis.RecordFindings, &before) // none yet is no answers
	}
	return slices.DeleteFunc(before, func(f genesis.Finding) bool { return f.Answer == "" })
}

// keepAnswers takes over what a person said about the same finding before, so
// that a replay does not ask again.
func keepAnswers(before, findings []genesis.Finding) {
	for _, old := range before {
		for i := range findings {
			if f := &findings[i]; f.ID == old.ID {
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
func (c *Computer) proof(ctx context.Context, res *ingest.Result, p genesis.Progress) (*genesis.Proof, error) {
	table, targets := targetsOf(res.Manifest)
	if len(targets) == 0 {
		return nil, nil
	}
	d, err := c.data(ctx, res.Manifest, res.Layout, table, nil, splitOf(res.Splits, table, ""), 0)
	if err == nil {
		var proof genesis.Proof
		if proof, err = learn.Baseline(ctx, *d, learn.Options{Target: targets[:1], Threads: c.Threads, Progress: p}); err == nil {
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

package work

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/catalog"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/work/run"
)

// OpenRuns lets the service do long work, as runs kept by a manager. c says where
// and within which limits; what runs do is the service's. Without c.Worker they
// compute in this process.
func (s *Service) OpenRuns(ctx context.Context, c run.Config) error {
	c.Node = s.Node
	c.DB, c.Plan, c.Commit, c.Watch, c.Hold, c.Fetch = s.DB, s.planRun, s.commitRun, s.watchRun, s.holdBlobs, s.fetchRun
	c.Changed = func(r genesis.Run) {
		if !s.home(r.By) {
			s.dropSent(r)
			s.clerk.look()
		}
	}
	c.Ended, c.Kept = s.runEnded, s.keptOf
	c.Settings, c.Soft = s.settings(), 8*s.Memory
	c.Compute = (&Workbench{Blobs: s.Blobs, Drivers: s.Drivers}).Compute
	s.clerk = newClerk(s)
	if err := s.openOutputs(ctx, filepath.Join(c.Dir, "outputs")); err != nil {
		return err
	}
	var err error
	if s.runs, err = run.Open(ctx, c); err == nil {
		s.clerk.start()
	}
	return err
}

// CloseRuns stops what runs; what can go on does at the next start.
func (s *Service) CloseRuns() error {
	if s.runs == nil {
		return nil
	}
	s.clerk.close()
	return s.runs.Close()
}

// PruneRuns removes runs that are kept no longer, and says how many.
func (s *Service) PruneRuns(ctx context.Context) (int64, error) {
	pruned, err := s.runs.Prune(ctx, false)
	return pruned.Runs, errors.Join(err, s.pruneOrders(ctx))
}

func (s *Service) settings() Settings {
	return Settings{Limits: s.Limits, Checkpoints: s.Temp, Memory: s.Memory, Threads: s.Threads, Software: s.Software}
}

// pinned is what a request came to when it was allowed: which version, and within
// which bounds.
type pinned struct {
	Version genesis.Version       `json:"version,omitzero"`
	Train   *genesis.TrainRequest `json:"train,omitempty"`    // with what was left open filled in
	Least   int                   `json:"least,omitempty"`    // 0: whoever asked may read what is learnt from
	MinRows int                   `json:"min_rows,omitempty"` // of each target
	Files   int                   `json:"files,omitempty"`
	Pull    *genesis.Ref          `json:"pull,omitempty"` // what is copied

	order string // id of the order of another node that it is decided for; "": none
}

// Prepare makes a draft dataset version from raw files. files and splitFiles
// are req.Files and req.Options.SplitFiles, opened.
func (s *Service) Prepare(ctx context.Context, who genesis.Principal, req genesis.PrepareRequest, files, splitFiles []*format.Raw, p genesis.Progress) (*genesis.Prepared, error) {
	return attached[genesis.Prepared](ctx, s, who, genesis.RunPrepare, req, append(append([]*format.Raw{}, files...), splitFiles...), len(files), p)
}

// Train makes a model version from a dataset version.
func (s *Service) Train(ctx context.Context, who genesis.Principal, req genesis.TrainRequest, p genesis.Progress) (*genesis.Trained, error) {
	return attached[genesis.Trained](ctx, s, who, genesis.RunTrain, req, nil, 0, p)
}

// Predict applies a model to the rows of raw files; the output is fetched with
// Output by its digest.
func (s *Service) Predict(ctx context.Context, who genesis.Principal, req genesis.PredictRequest, files []*format.Raw, p genesis.Progress) (*genesis.Predicted, error) {
	return attached[genesis.Predicted](ctx, s, who, genesis.RunPredict, req, files, len(files), p)
}

// attached submits a run and waits for it; when the caller goes, so does the run.
func attached[T any](ctx context.Context, s *Service, who genesis.Principal, kind genesis.RunKind, req any, files []*format.Raw, first int, p genesis.Progress) (*T, error) {
	text, err := json.Marshal(req)
	if err != nil {
		return nil, &genesis.Error{Op: string(kind), Kind: genesis.Invalid, Err: err}
	}
	r, done, err := s.submit(ctx, who, genesis.RunRequest{Kind: kind, Request: text}, files, first, true)
	defer done()
	if err != nil {
		return nil, err
	}
	id := r.ID
	if r.At != "" {
		r, err = s.attachedThere(ctx, who, r, p)
	} else if r, err = s.runs.Wait(ctx, id, p); err != nil {
		r, _ = s.runs.Cancel(context.WithoutCancel(ctx), id, who.Person()) // it has ended: then it says how
		if s.isSent(r) {
			err = errors.Join(err, s.outputs.remove(id)) // nobody is left to fetch it
		}
	}
	switch {
	case r.Error != nil:
		return nil, r.Error.Err()
	case r.State != genesis.RunDone && err != nil:
		return nil, err
	case r.State != genesis.RunDone:
		return nil, &genesis.Error{Op: string(kind), Kind: genesis.Unavailable, Subject: r.Subject, Msg: "the node stops; the run goes on when it is started again",
			Hint: "`genesis runs " + id + "` says how it stands"}
	}
	s.Access.Changed()
	var out T
	err = json.Unmarshal(r.Result, &out)
	if t, ok := any(&out).(*genesis.Trained); ok {
		t.At = r.At
	}
	return &out, err
}

// submit authorises a request and queues it. done lets go of the files, after the
// run of an attached one.
func (s *Service) submit(ctx context.Context, who genesis.Principal, req genesis.RunRequest, raws []*format.Raw, first int, wait bool) (_ genesis.Run, done func(), err error) {
	in := run.Inputs{Attached: wait, Owner: s.atHome(who)}
	done = func() {}
	if have, err := s.runs.Run(ctx, req.ID); err == nil && have.By.Person() == who.Person() && s.owns(who, have) {
		// Asking twice is asking once: it is not decided again, nor counted.
		r, err := s.runs.Submit(ctx, req, who, in)
		return r, done, err
	}
	if q, ref, is := s.sendsThere(req); is {
		r, err := s.order(ctx, who, req, q, ref, in)
		return r, done, err
	}
	pin := pinned{Files: first}
	if who, err = s.withProjects(ctx, who, req); err != nil {
		return genesis.Run{}, done, err
	}
	if in.Subject, err = s.allow(ctx, who, req, &pin); err != nil {
		return genesis.Run{}, done, err
	}
	in.Pinned = pin
	if in.Files, done, err = opened(ctx, raws); err != nil {
		return genesis.Run{}, done, err
	}
	r, err := s.runs.Submit(ctx, req, who, in)
	return r, done, err
}

// allow decides whether who may have a request run, and pins what it came to.
func (s *Service) allow(ctx context.Context, who genesis.Principal, req genesis.RunRequest, pin *pinned) (subject string, err error) {
	switch req.Kind {
	case genesis.RunPrepare:
		q, err := parse[genesis.PrepareRequest](req)
		if err == nil {
			err = genesis.CheckName(q.Name)
		}
		if err != nil {
			return "", err
		}
		if !s.home(who) {
			return "", ownFiles("prepare")
		}
		if err := s.inProject(ctx, who, q.Project); err != nil {
			return "", err
		}
		return string(q.Name), s.may(ctx, who, genesis.Steward, q.Name)
	case genesis.RunTrain:
		q, err := parse[genesis.TrainRequest](req)
		if err != nil {
			return "", err
		}
		return string(q.Name), s.allowTraining(ctx, who, q, pin)
	case genesis.RunPredict:
		q, err := parse[genesis.PredictRequest](req)
		if err != nil {
			return "", err
		}
		pin.Version, _, err = s.enterFor(ctx, who, genesis.Infer, q.Model, q.Project)
		if err == nil && pin.Version.Kind != genesis.Model {
			err = &genesis.Error{Op: "predict", Kind: genesis.Invalid, Subject: q.Model, Msg: "is a dataset, not a model", Hint: "`genesis train` makes a model of it"}
		}
		if err == nil {
			err = s.loggedOnly(ctx, pin.Version)
		}
		return string(pin.Version.Name), err
	case genesis.RunPull:
		q, err := parse[genesis.PullRequest](req)
		if err != nil {
			return "", err
		}
		return s.allowPull(ctx, who, q, pin)
	}
	return "", &genesis.Error{Op: "submit run", Kind: genesis.Invalid, Subject: string(req.Kind), Msg: "is no kind of run", Hint: "prepare, train, predict and pull are"}
}

func parse[T any](req genesis.RunRequest) (T, error) {
	var v T
	dec := json.NewDecoder(bytes.NewReader(req.Request))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		return v, &genesis.Error{Op: "submit run", Kind: genesis.Invalid, Subject: string(req.Kind), Msg: "its request is not one of this kind: " + err.Error(), Err: err}
	}
	return v, nil
}

// opened returns raw files as open files. What is not a file of the system, as in
// tests, is copied to one without a name.
func opened(ctx context.Context, raws []*format.Raw) (files []run.File, done func(), err error) {
	var close []func() error
	done = func() {
		for _, f := range close {
			f()
		}
	}
	for _, raw := range raws {
		f, ok := raw.At.(*os.File)
		if !ok {
			if f, err = spooled(ctx, raw); err != nil {
				return nil, done, err
			}
			close = append(close, f.Close)
		}
		files = append(files, run.File{Name: raw.Name, Open: f})
	}
	return files, done, nil
}

func spooled(ctx context.Context, raw *format.Raw) (*os.File, error) {
	f, err := os.CreateTemp("", "genesis-*")
	if err == nil {
		_ = os.Remove(f.Name())
		_, err = io.Copy(f, io.NewSectionReader(raw.At, 0, raw.Size))
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, &genesis.Error{Op: "read file", Kind: genesis.Unavailable, Subject: raw.Name, Msg: "cannot be copied", Err: err}
	}
	return f, nil
}

// planRun gathers what computing needs to know.
func (s *Service) planRun(ctx context.Context, r genesis.Run, pin json.RawMessage) (any, error) {
	var p pinned
	if err := json.Unmarshal(pin, &p); err != nil {
		return nil, err
	}
	req := genesis.RunRequest{Kind: r.Kind, Request: r.Request}
	switch r.Kind {
	case genesis.RunPrepare:
		q, err := parse[genesis.PrepareRequest](req)
		return prepareTask{Request: q, Files: p.Files, Answered: s.answered(ctx, q.Name), Card: s.card(ctx, q.Name), By: s.by(r.By)}, err
	case genesis.RunTrain:
		d, err := s.Catalog.Describe(ctx, p.Version, nil)
		if err != nil {
			return nil, err
		}
		l, err := s.Catalog.Layout(ctx, p.Version)
		return trainTask{Request: *p.Train, Version: p.Version, Manifest: d.Manifest, Layout: l, Splits: d.Splits, Least: p.Least, MinRows: p.MinRows, By: s.by(r.By)}, err
	case genesis.RunPull:
		return s.planPull(r)
	}
	q, err := parse[genesis.PredictRequest](req)
	if err != nil {
		return nil, err
	}
	l, err := s.Catalog.Layout(ctx, p.Version)
	t := predictTask{Request: q, Model: p.Version, Layout: l}
	if s.isSent(r) {
		t.Aside = s.outputs.path(r.ID)
	}
	return t, err
}

// commitRun returns the act that makes an outcome a version.
func (s *Service) commitRun(ctx context.Context, r genesis.Run, pin, outcome json.RawMessage) (run.Act, error) {
	var p pinned
	if err := json.Unmarshal(pin, &p); err != nil {
		return run.Act{}, nonsense(r, err)
	}
	switch r.Kind {
	case genesis.RunPrepare:
		var out prepareOutcome
		if err := json.Unmarshal(outcome, &out); err != nil {
			return run.Act{}, nonsense(r, err)
		}
		return s.commitDataset(ctx, r, &out)
	case genesis.RunTrain:
		var out trainOutcome
		if err := json.Unmarshal(outcome, &out); err != nil {
			return run.Act{}, nonsense(r, err)
		}
		return s.commitModel(ctx, r, p, &out)
	case genesis.RunPull:
		var out genesis.Verification
		if err := json.Unmarshal(outcome, &out); err != nil {
			return run.Act{}, nonsense(r, err)
		}
		return s.commitPull(ctx, r, p, &out)
	}
	var out genesis.Predicted
	if err := json.Unmarshal(outcome, &out); err != nil {
		return run.Act{}, nonsense(r, err)
	}
	out.Model = p.Version
	return run.Act{Tx: func(context.Context, *sql.Tx) (any, error) { return out, nil }}, nil
}

func nonsense(r genesis.Run, err error) error {
	return &genesis.Error{Op: string(r.Kind), Kind: genesis.Internal, Subject: r.ID, Msg: "its process answered with something else than an outcome", Err: err}
}

func (s *Service) commitDataset(ctx context.Context, r genesis.Run, out *prepareOutcome) (run.Act, error) {
	res := out.Result
	name := genesis.Name(r.Subject)
	in := catalog.Commit{
		Name: name, Kind: genesis.Dataset, Manifest: res.Manifest, Layout: res.Layout, By: s.by(r.By), Run: r.ID, Rows: res.Rows, Bytes: res.Bytes,
		Records: map[genesis.RecordKind]any{
			genesis.RecordRecipe:     res.Recipe,
			genesis.RecordProfile:    res.Profile,
			genesis.RecordReadiness:  out.Readiness,
			genesis.RecordSplits:     res.Splits,
			genesis.RecordProvenance: out.Provenance,
			genesis.RecordFindings:   res.Findings,
			genesis.RecordCard:       s.card(ctx, name),
		},
	}
	return s.staged(ctx, r, in, func(v genesis.Version, unchanged bool) any {
		return genesis.Prepared{Version: v, Unchanged: unchanged, Manifest: res.Manifest, Findings: res.Findings,
			Readiness: out.Readiness, Splits: res.Splits, Recipe: res.Recipe}
	})
}

func (s *Service) commitModel(ctx context.Context, r genesis.Run, p pinned, out *trainOutcome) (run.Act, error) {
	in := catalog.Commit{
		Name: genesis.Name(r.Subject), Kind: genesis.Model, Manifest: out.Manifest, Layout: out.Layout, Parents: []genesis.Version{p.Version}, By: s.by(r.By), Run: r.ID, Session: s.session(r.By), Bytes: out.Bytes,
		Records: map[genesis.RecordKind]any{genesis.RecordReport: out.Report, genesis.RecordProvenance: out.Provenance},
	}
	act, err := s.staged(ctx, r, in, func(v genesis.Version, _ bool) any {
		return genesis.Trained{Version: v, Report: out.Report, Resumed: out.Resumed}
	})
	known := act.Done
	act.Done = func() {
		known()
		if isCheckpoint(s.Temp, out.Checkpoint) {
			os.Remove(out.Checkpoint)
		}
	}
	return act, err
}

// staged stages a version and returns the act that commits it. What staging holds
// is let go of when the try is over.
func (s *Service) staged(ctx context.Context, r genesis.Run, in catalog.Commit, result func(genesis.Version, bool) any) (run.Act, error) {
	staged, err := s.Catalog.Stage(ctx, in)
	if err != nil {
		return run.Act{Done: func() {}}, err
	}
	context.AfterFunc(ctx, func() { _ = staged.Close() })
	return run.Act{Done: s.Access.Changed, Tx: func(ctx context.Context, tx *sql.Tx) (any, error) {
		v, unchanged, err := s.commitTx(ctx, tx, staged, in.Parents)
		if err == nil {
			err = s.madeFor(ctx, tx, r, v)
		}
		if err != nil {
			return nil, err
		}
		return result(v, unchanged), nil
	}}, nil
}

// holdBlobs keeps what a run writes from being swept before it is committed.
func (s *Service) holdBlobs(ctx context.Context) (release func(), err error) {
	unpin, err := s.Blobs.Pin(ctx)
	if err != nil {
		return nil, err
	}
	return func() { _ = unpin() }, nil // a pin is gone with the process at the latest
}

// watchRun ends a run when the access it needs does: to the very version it was
// allowed for, and to the name of what it makes.
func (s *Service) watchRun(ctx context.Context, r genesis.Run, pin json.RawMessage) (context.Context, func()) {
	asks, err := s.needs(ctx, r, pin)
	if err != nil {
		ended, end := context.WithCancelCause(ctx)
		end(err)
		return ended, func() {}
	}
	return s.watchAll(ctx, asks)
}

// needs returns what must be allowed while a run goes on. A training that was not
// bounded because its asker may read ends with the right to read.
func (s *Service) needs(ctx context.Context, r genesis.Run, pin json.RawMessage) ([]access.Ask, error) {
	var p pinned
	if err := json.Unmarshal(pin, &p); err != nil {
		return nil, nonsense(r, err)
	}
	project := s.projectOfRun(r)
	make := access.Ask{Principal: r.By, Action: genesis.Steward, Resource: access.Resource{Name: genesis.Name(r.Subject)}, Project: project}
	use := func(a genesis.Action, v genesis.Version) access.Ask { return s.askFor(r.By, a, resource(v), project) }
	if r.Kind == genesis.RunPrepare || r.Kind == genesis.RunPull {
		return []access.Ask{make}, nil
	}
	v, err := s.find(ctx, r.By, p.Version.Ref().String())
	if err != nil {
		return nil, err
	}
	if r.Kind == genesis.RunTrain {
		asks := []access.Ask{make, use(genesis.TrainOn, v)}
		if p.Least == 0 { // it was bounded for somebody who may read
			asks = append(asks, use(genesis.Read, v))
		}
		return asks, nil
	}
	return []access.Ask{use(genesis.Infer, v)}, nil
}

// Kept returns how many bytes are kept for a person's runs that are not ended.
func (s *Service) Kept(person genesis.PersonID) int64 { return s.runs.Kept(person) }

// SubmitRun queues a run that nobody waits for.
func (s *Service) SubmitRun(ctx context.Context, who genesis.Principal, req genesis.RunRequest, files, splitFiles []*format.Raw) (*genesis.Run, error) {
	r, done, err := s.submit(ctx, who, req, append(append([]*format.Raw{}, files...), splitFiles...), len(files), false)
	done()
	return pointed(s.told(ctx, who, r), err)
}

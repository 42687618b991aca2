package work

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"os"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/work/run"
)

// Start makes work durable: from here on preparing, training and predicting are
// runs, executed as Config.Execution says. Runs that a crash left go on.
func (s *Service) Start(ctx context.Context) error {
	c := s.Execution
	c.DB, c.Plan, c.Compute, c.Commit = s.DB, s.planRun, s.computer().Job, s.commitRun
	m, err := run.Open(ctx, c)
	if err == nil {
		s.runs = m
	}
	return err
}

// Close stops the runs. Those that nobody waits for go on at the next Start.
func (s *Service) Close() error {
	if s.runs == nil {
		return nil
	}
	return s.runs.Close()
}

// asked is a request for work that was allowed.
type asked struct {
	kind    genesis.RunKind
	subject string
	request any // without what serves once, such as tokens
	pinned  pinned
	files   []*format.Raw
}

// pinned is what a request's references meant when it was allowed.
type pinned struct {
	Version genesis.Version `json:"version"`
}

// withoutTokens are refs as they are kept: a token is used up when a run begins.
func withoutTokens(refs []genesis.FileRef) []genesis.FileRef {
	if refs == nil {
		return nil
	}
	out := make([]genesis.FileRef, len(refs))
	for i, r := range refs {
		out[i] = genesis.FileRef{Path: r.Path}
	}
	return out
}

// do has work done and waits for it; when the caller gives up, it is stopped.
func do[T any](ctx context.Context, s *Service, who genesis.Principal, a *asked, p genesis.Progress) (*T, error) {
	request, err := json.Marshal(a.request)
	if err != nil {
		return nil, err
	}
	if s.runs == nil {
		return direct[T](ctx, s, genesis.Run{Kind: a.kind, By: who, Subject: a.subject, Request: request}, a, p)
	}
	files, done, err := openFiles(a.files)
	defer done()
	if err != nil {
		return nil, err
	}
	r, err := s.runs.Submit(ctx, genesis.RunRequest{Kind: a.kind, Request: request}, who,
		run.Inputs{Subject: a.subject, Pinned: a.pinned, Files: files, Attached: true})
	if err != nil {
		return nil, err
	}
	id := r.ID
	if r, err = s.runs.Wait(ctx, id, p); ctx.Err() != nil {
		r, err = s.runs.Cancel(context.WithoutCancel(ctx), id)
	}
	if !r.State.Ended() {
		return nil, unfinished(r, err)
	}
	if r.Error != nil {
		return nil, r.Error.Err()
	}
	result := new(T)
	return result, json.Unmarshal(r.Result, result)
}

// unfinished is the error of a caller whose run has not ended.
func unfinished(r genesis.Run, err error) error {
	if err != nil {
		return err
	}
	return &genesis.Error{Op: string(r.Kind), Kind: genesis.Unavailable, Subject: r.Subject, Msg: "the node stops; the run goes on when it is started again",
		Hint: "`genesis runs show " + r.ID + "` says how far it is"}
}

// direct does work in this process, without a run.
func direct[T any](ctx context.Context, s *Service, r genesis.Run, a *asked, p genesis.Progress) (*T, error) {
	pin, err := json.Marshal(a.pinned)
	if err != nil {
		return nil, err
	}
	task, err := s.planRun(ctx, r, pin)
	if err != nil {
		return nil, err
	}
	out, err := s.computer().Compute(ctx, task.(Task), a.files, p)
	if err != nil {
		return nil, err
	}
	outcome, err := json.Marshal(out)
	if err != nil {
		return nil, err
	}
	act, err := s.commitRun(ctx, r, pin, outcome)
	if err != nil {
		return nil, err
	}
	var result any
	err = s.DB.Tx(ctx, func(tx *sql.Tx) error {
		result, err = act.Tx(ctx, tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	if act.Done != nil {
		act.Done()
	}
	return result.(*T), nil
}

// openFiles makes files those of a run. What is no file of the system is copied
// to one that has no name.
func openFiles(raws []*format.Raw) (files []run.File, done func(), err error) {
	var spooled []*os.File
	done = func() {
		for _, f := range spooled {
			f.Close()
		}
	}
	for _, r := range raws {
		f, ok := r.At.(*os.File)
		if !ok && r.Path == "" {
			if f, err = spool(r); err != nil {
				return nil, done, err
			}
			spooled = append(spooled, f)
		}
		files = append(files, run.File{Name: r.Name, Path: r.Path, Open: f})
	}
	return files, done, nil
}

func spool(r *format.Raw) (*os.File, error) {
	f, err := os.CreateTemp("", "genesis-*")
	if err == nil {
		defer os.Remove(f.Name())
		if _, err = io.Copy(f, io.NewSectionReader(r.At, 0, r.Size)); err == nil {
			return f, nil
		}
		f.Close()
	}
	return nil, &genesis.Error{Op: "spool", Kind: genesis.Unavailable, Subject: r.Name, Msg: "cannot be copied", Hint: "is there room on the disk?", Err: err}
}

// planRun returns the [Task] of a run.
func (s *Service) planRun(ctx context.Context, r genesis.Run, pin json.RawMessage) (any, error) {
	var t Task
	var at pinned
	err := json.Unmarshal(pin, &at)
	switch {
	case err != nil:
	case r.Kind == genesis.RunPrepare:
		var req genesis.PrepareRequest
		if err = json.Unmarshal(r.Request, &req); err == nil {
			t.Prepare = s.planPrepare(ctx, req)
		}
	case r.Kind == genesis.RunTrain:
		var req genesis.TrainRequest
		if err = json.Unmarshal(r.Request, &req); err == nil {
			t.Train, err = s.planTrain(ctx, req, at.Version)
		}
	case r.Kind == genesis.RunPredict:
		var req genesis.PredictRequest
		if err = json.Unmarshal(r.Request, &req); err == nil {
			t.Predict, err = s.planPredict(ctx, req, at.Version)
		}
	default:
		err = unknownKind(r.Kind)
	}
	return t, err
}

func unknownKind(k genesis.RunKind) error {
	return &genesis.Error{Op: "submit run", Kind: genesis.Invalid, Subject: string(k), Msg: "is no kind of run", Hint: "the kinds are prepare, train and predict"}
}

// commitRun returns the act that commits an outcome. Of what a worker says it
// takes the content alone.
func (s *Service) commitRun(ctx context.Context, r genesis.Run, pin, outcome json.RawMessage) (run.Act, error) {
	var out Outcome
	var at pinned
	if err := errors.Join(json.Unmarshal(pin, &at), json.Unmarshal(outcome, &out)); err != nil {
		return run.Act{}, nonsense(r, err)
	}
	switch {
	case r.Kind == genesis.RunPrepare && out.Prepare != nil:
		var req genesis.PrepareRequest
		if err := json.Unmarshal(r.Request, &req); err != nil {
			return run.Act{}, nonsense(r, err)
		}
		return s.commitPrepared(ctx, r, req, out.Prepare)
	case r.Kind == genesis.RunTrain && out.Train != nil:
		var req genesis.TrainRequest
		if err := json.Unmarshal(r.Request, &req); err != nil {
			return run.Act{}, nonsense(r, err)
		}
		return s.commitTrained(ctx, r, req, at.Version, out.Train)
	case r.Kind == genesis.RunPredict && out.Predict != nil:
		return s.commitPredicted(ctx, at.Version, out.Predict)
	}
	return run.Act{}, nonsense(r, nil)
}

func nonsense(r genesis.Run, err error) error {
	return &genesis.Error{Op: string(r.Kind), Kind: genesis.Internal, Subject: r.Subject, Msg: "the worker's outcome cannot be read", Err: err}
}

// stored checks that blobs are there before something is committed that names
// them: a worker that was killed may have said more than it wrote.
func (s *Service) stored(ctx context.Context, blobs []genesis.Blob) error {
	for _, b := range blobs {
		ok, err := s.Blobs.Has(ctx, b.Digest)
		if err == nil && !ok {
			err = &genesis.Error{Op: "commit", Kind: genesis.Internal, Subject: string(b.Digest), Msg: "the worker names bytes that it did not store"}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// blobsOf are the blobs of which a version consists.
func blobsOf(l genesis.Layout, splits []genesis.Split) (all []genesis.Blob) {
	for _, files := range l.Tables {
		for _, f := range files {
			all = append(all, f.Blob)
		}
	}
	for _, b := range l.Parts {
		all = append(all, b)
	}
	for _, sp := range splits {
		if sp.Assignment.Digest != "" {
			all = append(all, sp.Assignment)
		}
	}
	return all
}

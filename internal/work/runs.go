package work

import (
	"context"
	"database/sql"
	"encoding/json"
	"io"
	"log/slog"
	"os"
	"sync"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/catalog"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/work/run"
)

// Execution says how runs are executed. The zero value computes them in this process.
type Execution struct {
	Dir    string // a folder for logs and files of runs; "": a temporary one
	Limits run.Limits
	Worker []string // command of a child; nil: runs compute in this process
	Blobs  string   // where a child finds the blob store
	Soft   int64    // bytes to which a child's garbage collector keeps
	Resume bool     // go on, after a crash, also with runs whose caller waited
	Log    *slog.Logger
}

// managing is the manager, opened when it is first needed.
type managing struct {
	once sync.Once
	m    *run.Manager
	err  error
}

func (s *Service) manager() (*run.Manager, error) {
	s.runs.once.Do(func() { s.runs.m, s.runs.err = s.openRuns() })
	return s.runs.m, s.runs.err
}

func (s *Service) openRuns() (*run.Manager, error) {
	dir := s.Execution.Dir
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp(s.Temp, "runs-"); err != nil {
			return nil, &genesis.Error{Op: "open runs", Kind: genesis.Internal, Subject: s.Temp, Msg: "is no folder for temporary files", Err: err}
		}
	}
	return run.Open(context.Background(), run.Config{
		DB: s.DB, Dir: dir, Limits: s.Execution.Limits, Worker: s.Execution.Worker, Soft: s.Execution.Soft, ResumeAttached: s.Execution.Resume, Log: s.Execution.Log,
		Settings: Settings{Blobs: s.Execution.Blobs, Limits: s.Limits, Memory: s.Memory, Threads: s.Threads, Software: s.Software},
		Plan:     s.planRun, Compute: Computing(s.Blobs, s.Drivers), Commit: s.commitRun, Watch: s.watchRun,
	})
}

// StartRuns takes up the runs that an earlier process left unfinished.
func (s *Service) StartRuns() error {
	_, err := s.manager()
	return err
}

// CloseRuns stops all runs, and takes no further ones. It comes before the stores
// are closed.
func (s *Service) CloseRuns() error {
	s.runs.once.Do(func() {
		s.runs.err = &genesis.Error{Op: "submit run", Kind: genesis.Unavailable, Msg: "the node is about to stop", Hint: "try again"}
	})
	if s.runs.m == nil {
		return nil
	}
	return s.runs.m.Close()
}

// asked is a run that somebody may have done.
type asked struct {
	kind    genesis.RunKind
	request any
	subject string
	files   []*format.Raw
	pinned  pinned
}

// pinned is what a request came to when it was allowed: the very version it uses,
// whatever its name means later.
type pinned struct {
	Version genesis.Version         `json:"version,omitzero"` // learnt from, or applied
	Prepare *genesis.PrepareRequest `json:"prepare,omitempty"`
	Splits  int                     `json:"splits,omitempty"` // files of splits, the last ones
	Train   *genesis.TrainRequest   `json:"train,omitempty"`
	Least   int                     `json:"least,omitempty"`
	Predict *genesis.PredictRequest `json:"predict,omitempty"`
}

func pinnedOf(b json.RawMessage) (p pinned, err error) {
	if err = json.Unmarshal(b, &p); err != nil {
		err = &genesis.Error{Op: "read run", Kind: genesis.Internal, Msg: "what was kept of its request does not parse", Err: err}
	}
	return p, err
}

// planRun is what a try of a run is to do.
func (s *Service) planRun(ctx context.Context, r genesis.Run, b json.RawMessage) (any, error) {
	pin, err := pinnedOf(b)
	if err != nil {
		return nil, err
	}
	switch r.Kind {
	case genesis.RunPrepare:
		return s.planPreparation(ctx, pin)
	case genesis.RunTrain:
		return s.planTraining(ctx, pin)
	}
	return s.planPrediction(ctx, pin)
}

// watchRun ends a run's context when its asker may no longer have it done.
func (s *Service) watchRun(ctx context.Context, r genesis.Run, b json.RawMessage) (context.Context, func()) {
	pin, err := pinnedOf(b)
	if err != nil {
		ctx, stop := context.WithCancelCause(ctx)
		stop(err)
		return ctx, func() {}
	}
	var releases []func()
	for _, ask := range needs(r, pin) {
		var release func()
		ctx, release = s.Access.Watch(ctx, ask)
		releases = append(releases, release)
	}
	return ctx, func() {
		for _, release := range releases {
			release()
		}
	}
}

// commitRun returns the act that commits what a run came to.
func (s *Service) commitRun(ctx context.Context, r genesis.Run, b, outcome json.RawMessage) (*run.Act, error) {
	pin, err := pinnedOf(b)
	if err != nil {
		return nil, err
	}
	switch r.Kind {
	case genesis.RunPrepare:
		out, err := read[prepareOutcome](outcome)
		if err != nil {
			return nil, err
		}
		return s.commitPreparation(ctx, r, pin, out)
	case genesis.RunTrain:
		out, err := read[trainOutcome](outcome)
		if err != nil {
			return nil, err
		}
		return s.commitTraining(ctx, r, pin, out)
	}
	out, err := read[genesis.Predicted](outcome)
	if err != nil {
		return nil, err
	}
	return s.commitPrediction(ctx, pin, out)
}

func read[T any](b json.RawMessage) (v T, err error) {
	if err = json.Unmarshal(b, &v); err != nil {
		err = &genesis.Error{Op: "read outcome", Kind: genesis.Internal, Msg: "what the run computed does not parse", Err: err}
	}
	return v, err
}

// version returns the act that adds a version, and tells what the asker gets.
func (s *Service) version(ctx context.Context, in catalog.Commit, tell func(v genesis.Version, unchanged bool) any) (*run.Act, error) {
	staged, err := s.Catalog.Stage(ctx, in)
	if err != nil {
		return nil, err
	}
	return &run.Act{
		Do: func(ctx context.Context, tx *sql.Tx) (run.Result, error) {
			v, unchanged, err := s.Catalog.CommitTx(ctx, tx, staged)
			if err != nil {
				return run.Result{}, err
			}
			return run.Result{Value: tell(v, unchanged)}, nil
		},
		Done: func(bool) { _ = staged.Close() }, // what it held is let go of at the end of the process at the latest
	}, nil
}

// attend has a run done, waits for it, and stops it when the caller goes.
func attend[T any](ctx context.Context, s *Service, who genesis.Principal, a *asked, p genesis.Progress) (*T, error) {
	m, err := s.manager()
	if err != nil {
		return nil, err
	}
	request, err := json.Marshal(a.request)
	if err != nil {
		return nil, err
	}
	files, done, err := s.openFiles(a.files)
	defer done()
	if err != nil {
		return nil, err
	}
	r, err := m.Submit(ctx, genesis.RunRequest{Kind: a.kind, Request: request}, who,
		run.Inputs{Subject: a.subject, Pinned: a.pinned, Files: files, Attached: true})
	if err != nil {
		return nil, err
	}
	if r, err = m.Wait(ctx, r.ID, p); genesis.KindOf(err) == genesis.Canceled {
		// Its files are the caller's, so it has to be over before this returns.
		r, err = m.Cancel(context.WithoutCancel(ctx), r.ID)
	}
	if err != nil && !r.State.Ended() {
		return nil, err
	}
	return resultOf[T](r)
}

// resultOf returns the result of a run that is over, or its error.
func resultOf[T any](r genesis.Run) (*T, error) {
	switch {
	case r.Error != nil:
		return nil, r.Error.Err()
	case r.State != genesis.RunDone:
		return nil, &genesis.Error{Op: string(r.Kind), Kind: genesis.Unavailable, Subject: r.Subject, Msg: "the node stops; it goes on when the node is started again",
			Hint: "`genesis runs " + r.ID + "` says how it stands"}
	}
	v, err := read[T](r.Result)
	return &v, err
}

// openFiles makes open files of raw ones: a child reads descriptors, not memory.
func (s *Service) openFiles(raws []*format.Raw) (files []run.File, done func(), err error) {
	var spilled []*os.File
	done = func() {
		for _, f := range spilled {
			f.Close()
		}
	}
	for _, raw := range raws {
		f, ok := raw.At.(*os.File)
		if !ok {
			if f, err = s.spill(raw); err != nil {
				return nil, done, err
			}
			spilled = append(spilled, f)
		}
		files = append(files, run.File{Name: raw.Name, Open: f})
	}
	return files, done, nil
}

// spill writes bytes to a file without a name.
func (s *Service) spill(raw *format.Raw) (*os.File, error) {
	f, err := os.CreateTemp(s.Temp, "raw-*")
	if err == nil {
		os.Remove(f.Name())
		_, err = io.Copy(f, io.NewSectionReader(raw.At, 0, raw.Size))
	}
	if err != nil {
		f.Close()
		return nil, &genesis.Error{Op: "read", Kind: genesis.Unavailable, Subject: raw.Name, Msg: "cannot be copied to a temporary file", Err: err}
	}
	return f, nil
}

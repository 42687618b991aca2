package work

import (
	"context"
	"encoding/json"
	"io"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/work/run"
)

// overseer reports whether who sees the runs of others.
func overseer(who genesis.Principal) bool {
	return who.Has(genesis.DutySteward) || who.Has(genesis.DutyOperator)
}

// Runs lists runs, newest first.
func (s *Service) Runs(ctx context.Context, who genesis.Principal, q genesis.RunQuery) (*genesis.RunPage, error) {
	m, err := s.manager()
	if err != nil {
		return nil, err
	}
	of := run.Query{Person: who.Person(), State: q.State, Kind: q.Kind, After: q.After, Limit: q.Limit}
	if q.All && overseer(who) {
		of.Person = ""
	}
	page, err := m.List(ctx, of)
	if err != nil {
		return nil, err
	}
	for i := range page.Runs {
		page.Runs[i] = shown(who, page.Runs[i])
	}
	return &page, nil
}

// Run returns a run with its request and result.
func (s *Service) Run(ctx context.Context, who genesis.Principal, id string) (*genesis.Run, error) {
	r, _, err := s.visible(ctx, who, id)
	if err != nil {
		return nil, err
	}
	told := shown(who, r)
	return &told, nil
}

// FollowRun tells p the run's log from an offset in bytes on, and its progress,
// until it is ended, and returns it. When ctx ends the run goes on.
func (s *Service) FollowRun(ctx context.Context, who genesis.Principal, id string, from int64, p genesis.Progress) (*genesis.Run, error) {
	_, m, err := s.visible(ctx, who, id)
	if err != nil {
		return nil, err
	}
	r, err := m.Follow(ctx, id, from, p)
	if err != nil {
		return nil, err
	}
	told := shown(who, r)
	return &told, nil
}

// RunLog returns the run's log and its size.
func (s *Service) RunLog(ctx context.Context, who genesis.Principal, id string) (io.ReadCloser, int64, error) {
	_, m, err := s.visible(ctx, who, id)
	if err != nil {
		return nil, 0, err
	}
	return m.OpenLog(id)
}

// CancelRun stops a run and returns it, ended.
func (s *Service) CancelRun(ctx context.Context, who genesis.Principal, id string) (*genesis.Run, error) {
	_, m, err := s.visible(ctx, who, id)
	if err != nil {
		return nil, err
	}
	r, err := m.Cancel(ctx, id)
	if err != nil {
		return nil, err
	}
	told := shown(who, r)
	return &told, nil
}

// SubmitRun queues work that nobody waits for. files and splitFiles are those
// that the request names, opened; the node makes copies of them.
func (s *Service) SubmitRun(ctx context.Context, who genesis.Principal, req genesis.RunRequest, files, splitFiles []*format.Raw) (*genesis.Run, error) {
	m, err := s.manager()
	if err != nil {
		return nil, err
	}
	a, err := s.ask(ctx, who, req, files, splitFiles)
	if err != nil {
		return nil, err
	}
	if req.Request, err = json.Marshal(a.request); err != nil {
		return nil, err
	}
	open, done, err := openFiles(a.files)
	defer done()
	if err != nil {
		return nil, err
	}
	r, err := m.Submit(ctx, req, who, run.Inputs{Subject: a.subject, Pinned: a.pinned, Files: open})
	if err != nil {
		return nil, err
	}
	told := shown(who, r)
	return &told, nil
}

// ask allows a request for a run.
func (s *Service) ask(ctx context.Context, who genesis.Principal, req genesis.RunRequest, files, splitFiles []*format.Raw) (*asked, error) {
	switch req.Kind {
	case genesis.RunPrepare:
		r, err := decoded[genesis.PrepareRequest](req)
		if err != nil {
			return nil, err
		}
		return s.askPrepare(ctx, who, r, files, splitFiles)
	case genesis.RunTrain:
		r, err := decoded[genesis.TrainRequest](req)
		if err != nil {
			return nil, err
		}
		return s.askTrain(ctx, who, r)
	case genesis.RunPredict:
		r, err := decoded[genesis.PredictRequest](req)
		if err != nil {
			return nil, err
		}
		return s.askPredict(ctx, who, r, files)
	}
	return nil, unknownKind(req.Kind)
}

func decoded[T any](req genesis.RunRequest) (v T, err error) {
	if err := json.Unmarshal(req.Request, &v); err != nil {
		return v, &genesis.Error{Op: "submit run", Kind: genesis.Invalid, Subject: string(req.Kind), Msg: "its request cannot be read", Err: err}
	}
	return v, nil
}

func (s *Service) manager() (*run.Manager, error) {
	if s.runs == nil {
		return nil, &genesis.Error{Op: "find run", Kind: genesis.Unsupported, Msg: "this node keeps no runs"}
	}
	return s.runs, nil
}

// visible returns a run that who may know of: to others it does not exist.
func (s *Service) visible(ctx context.Context, who genesis.Principal, id string) (genesis.Run, *run.Manager, error) {
	m, err := s.manager()
	if err != nil {
		return genesis.Run{}, nil, err
	}
	r, err := m.Run(ctx, id)
	if err == nil && !mine(who, r) && !overseer(who) {
		return genesis.Run{}, nil, run.NotFound(id)
	}
	return r, m, err
}

func mine(who genesis.Principal, r genesis.Run) bool {
	return who.SignedIn() && r.By.Person() == who.Person()
}

// shown is what who gets to see of a run: an operator who is not its asker sees
// that it runs, not what it is about; values of cells are for stewards.
func shown(who genesis.Principal, r genesis.Run) genesis.Run {
	if !mine(who, r) && !who.Has(genesis.DutySteward) {
		r.Request, r.Result = nil, nil
	}
	if r.Error != nil && r.Error.Value != "" && !who.Has(genesis.DutySteward) {
		p := *r.Error
		p.Value = ""
		r.Error = &p
	}
	return r
}

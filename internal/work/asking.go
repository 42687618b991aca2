package work

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"slices"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/work/run"
)

// SubmitRun queues a run that nobody waits for; files and splitFiles are those that
// its request names, opened, and are copied. Asked again with the same id it returns
// the run there is. Errors: those of the work's own beginning; Conflict (the id is
// another request's), Unavailable (too many wait).
func (s *Service) SubmitRun(ctx context.Context, who genesis.Principal, req genesis.RunRequest, files, splitFiles []*format.Raw) (*genesis.Run, error) {
	m, err := s.manager()
	if err != nil {
		return nil, err
	}
	in := run.Inputs{}
	if have, err := s.Run(ctx, who, req.ID); err != nil || have.By.Person() != who.Person() {
		a, err := s.ask(ctx, who, req, files, splitFiles)
		if err != nil {
			return nil, err
		}
		opened, done, err := s.openFiles(a.files)
		defer done()
		if err != nil {
			return nil, err
		}
		in = run.Inputs{Subject: a.subject, Pinned: a.pinned, Files: opened}
	}
	r, err := m.Submit(ctx, req, who, in)
	if err != nil {
		return nil, err
	}
	return told(who, r), nil
}

// ask decides whether somebody may have a run done.
func (s *Service) ask(ctx context.Context, who genesis.Principal, req genesis.RunRequest, files, splitFiles []*format.Raw) (*asked, error) {
	switch req.Kind {
	case genesis.RunPrepare:
		r, err := requestOf[genesis.PrepareRequest](req)
		if err != nil {
			return nil, err
		}
		return s.askPreparation(ctx, who, r, files, splitFiles)
	case genesis.RunTrain:
		r, err := requestOf[genesis.TrainRequest](req)
		if err != nil {
			return nil, err
		}
		return s.askTraining(ctx, who, r)
	case genesis.RunPredict:
		r, err := requestOf[genesis.PredictRequest](req)
		if err != nil {
			return nil, err
		}
		return s.askPrediction(ctx, who, r, files)
	}
	return nil, &genesis.Error{Op: "submit run", Kind: genesis.Invalid, Subject: string(req.Kind), Msg: "is not a kind of run", Hint: "prepare, train and predict are"}
}

// requestOf reads the request of a run; a field that it does not know is an error.
func requestOf[T any](req genesis.RunRequest) (v T, err error) {
	dec := json.NewDecoder(bytes.NewReader(req.Request))
	dec.DisallowUnknownFields()
	if err = dec.Decode(&v); err != nil {
		err = &genesis.Error{Op: "submit run", Kind: genesis.Invalid, Subject: string(req.Kind), Msg: "its request does not parse: " + err.Error(), Err: err}
	}
	return v, err
}

// seesAll reports whether somebody may see the runs of all, and their outputs.
func seesAll(who genesis.Principal) bool {
	return who.Has(genesis.DutyOperator) || who.Has(genesis.DutySteward)
}

// told is a run as somebody is told of it: cells that an error names are for
// stewards.
func told(who genesis.Principal, r genesis.Run) *genesis.Run {
	if r.Error != nil && !who.Has(genesis.DutySteward) {
		e := *r.Error
		e.Value = ""
		r.Error = &e
	}
	return &r
}

// Runs returns a page of runs, newest first: one's own, or everybody's to operators
// and stewards.
func (s *Service) Runs(ctx context.Context, who genesis.Principal, q genesis.RunQuery) (*genesis.RunPage, error) {
	m, err := s.manager()
	if err != nil {
		return nil, err
	}
	if !seesAll(who) {
		if who.Person() == "" || q.Person != "" && q.Person != who.Person() {
			return &genesis.RunPage{Runs: []genesis.Run{}}, nil
		}
		q.Person = who.Person()
	}
	page, err := m.List(ctx, q)
	if err != nil {
		return nil, err
	}
	page.Runs = slices.Clone(page.Runs)
	for i := range page.Runs {
		page.Runs[i] = *told(who, page.Runs[i])
	}
	return &page, nil
}

// Run returns a run. What is not there and what is another's is not found in the
// same words.
func (s *Service) Run(ctx context.Context, who genesis.Principal, id string) (*genesis.Run, error) {
	m, err := s.seen(ctx, who, id)
	if err != nil {
		return nil, err
	}
	r, err := m.Run(ctx, id)
	if err != nil {
		return nil, err
	}
	return told(who, r), nil
}

// seen returns the manager if somebody may see a run of it.
func (s *Service) seen(ctx context.Context, who genesis.Principal, id string) (*run.Manager, error) {
	m, err := s.manager()
	if err != nil {
		return nil, err
	}
	r, err := m.Run(ctx, id)
	if err == nil && !seesAll(who) && (who.Person() == "" || r.By.Person() != who.Person()) {
		err = run.Missing(id)
	}
	return m, err
}

// FollowRun tells p the lines of a run's log from an offset on, and its progress,
// until it is ended.
func (s *Service) FollowRun(ctx context.Context, who genesis.Principal, id string, from int64, p genesis.Progress) (*genesis.Run, error) {
	m, err := s.seen(ctx, who, id)
	if err != nil {
		return nil, err
	}
	r, err := m.Follow(ctx, id, from, p)
	if err != nil {
		return nil, err
	}
	return told(who, r), nil
}

// CancelRun stops a run and waits until it is ended. Errors: Conflict (it has ended
// otherwise).
func (s *Service) CancelRun(ctx context.Context, who genesis.Principal, id string) (*genesis.Run, error) {
	m, err := s.seen(ctx, who, id)
	if err != nil {
		return nil, err
	}
	r, err := m.Cancel(ctx, id)
	if err != nil {
		return nil, err
	}
	return told(who, r), nil
}

// RunLog returns the log of a run, and its size.
func (s *Service) RunLog(ctx context.Context, who genesis.Principal, id string) (io.ReadCloser, int64, error) {
	m, err := s.seen(ctx, who, id)
	if err != nil {
		return nil, 0, err
	}
	return m.OpenLog(id)
}

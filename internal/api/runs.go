package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// runner keeps runs.
type runner interface {
	SubmitRun(ctx context.Context, who genesis.Principal, req genesis.RunRequest, files, splitFiles []*format.Raw) (*genesis.Run, error)
	Run(ctx context.Context, who genesis.Principal, id string) (*genesis.Run, error)
	Runs(ctx context.Context, who genesis.Principal, all bool, state genesis.RunState, after string, limit int) (*genesis.RunPage, error)
	FollowRun(ctx context.Context, who genesis.Principal, id string, from int64, p genesis.Progress) (*genesis.Run, error)
	CancelRun(ctx context.Context, who genesis.Principal, id string) (*genesis.Run, error)
	RunLog(ctx context.Context, who genesis.Principal, id string) (io.ReadCloser, int64, error)
}

// registerRuns declares the routes of [runner].
func (s *server) registerRuns(a huma.API) {
	get, post := http.MethodGet, http.MethodPost
	quick(s, a, op(get, "/v1/runs", "runs", "List runs, newest first"), s.listRuns)
	quick(s, a, creates(op(post, "/v1/runs", "submit-run", "Queue a run that nobody waits for")), s.submitRun)
	quick(s, a, op(get, "/v1/runs/{id}", "run", "One run, with its result or error"), ofID(s.Service.Run))
	long(s, a, op(get, "/v1/runs/{id}/events", "follow-run", "The log and progress of a run, until it is ended"), s.followRun)
	bytesOf(s, a, op(get, "/v1/runs/{id}/log", "run-log", "The log of a run so far"), s.runLog)
	quick(s, a, op(post, "/v1/runs/{id}/cancel", "cancel-run", "Stop a run"), ofID(s.Service.CancelRun))
}

type listRunsInput struct {
	PageInput
	All   bool   `query:"all" doc:"everybody's, for operators"`
	State string `query:"state" enum:"sent,queued,running,canceling,done,failed,canceled"`
}

func (s *server) listRuns(ctx context.Context, who genesis.Principal, in *listRunsInput) (*genesis.RunPage, error) {
	return turn(s, "runs", &in.PageInput, func() (*genesis.RunPage, error) {
		return s.Service.Runs(ctx, who, in.All, genesis.RunState(in.State), in.After, in.Limit)
	}, func(p *genesis.RunPage) *string {
		p.Runs = orEmpty(p.Runs)
		return &p.Next
	})
}

type submitRunInput struct {
	SessionInput
	Body genesis.RunRequest
}

// filesNamed are the files that a request of some kind names.
type filesNamed struct {
	Files   []genesis.FileRef `json:"files"`
	Options struct {
		SplitFiles []genesis.FileRef `json:"split_files"`
	} `json:"options"`
}

func (s *server) submitRun(ctx context.Context, who genesis.Principal, in *submitRunInput) (*genesis.Run, error) {
	if in.Body.ID != "" {
		if _, err := s.Service.Run(ctx, who, in.Body.ID); err == nil { // its files came the first time
			return s.Service.SubmitRun(ctx, who, in.Body, nil, nil)
		}
	}
	var named filesNamed
	if in.Body.Kind != genesis.RunTrain {
		if err := json.Unmarshal(in.Body.Request, &named); err != nil {
			return nil, &genesis.Error{Op: "submit run", Kind: genesis.Invalid, Msg: "its request is not one of this kind: " + err.Error()}
		}
	}
	raws, done, err := s.take(ctx, who, "submit run", in.Session, named.Files)
	defer done()
	if err != nil {
		return nil, err
	}
	splits, splitsDone, err := s.take(ctx, who, "submit run", in.Session, named.Options.SplitFiles)
	defer splitsDone()
	if err != nil {
		return nil, err
	}
	return s.Service.SubmitRun(ctx, who, in.Body, raws, splits)
}

type followRunInput struct {
	IDInput
	From int64 `query:"from" minimum:"0" doc:"bytes of the log to pass over"`
}

func (s *server) followRun(ctx context.Context, who genesis.Principal, in *followRunInput, p genesis.Progress) (*genesis.Run, error) {
	return s.Service.FollowRun(ctx, who, in.ID, in.From, p)
}

func (s *server) runLog(ctx context.Context, who genesis.Principal, in *IDInput) (*content, error) {
	r, size, err := s.Service.RunLog(ctx, who, in.ID)
	if err == nil && r == nil {
		err = notYet("read log")
	}
	if err != nil {
		return nil, err
	}
	return &content{Type: "text/plain; charset=utf-8", Size: size, Write: func(w io.Writer) error {
		defer r.Close()
		_, err := io.Copy(w, r)
		return err
	}}, nil
}

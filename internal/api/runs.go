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

// runner keeps runs that nobody waits for.
type runner interface {
	SubmitRun(ctx context.Context, who genesis.Principal, req genesis.RunRequest, files, splitFiles []*format.Raw) (*genesis.Run, error)
	Runs(ctx context.Context, who genesis.Principal, q genesis.RunQuery) (*genesis.RunPage, error)
	Run(ctx context.Context, who genesis.Principal, id string) (*genesis.Run, error)
	FollowRun(ctx context.Context, who genesis.Principal, id string, from int64, p genesis.Progress) (*genesis.Run, error)
	CancelRun(ctx context.Context, who genesis.Principal, id string) (*genesis.Run, error)
	RunLog(ctx context.Context, who genesis.Principal, id string) (io.ReadCloser, int64, error)
}

// registerRuns declares the routes of [runner].
func (s *server) registerRuns(a huma.API) {
	get, post := http.MethodGet, http.MethodPost
	quick(s, a, op(get, "/v1/runs", "runs", "List runs, newest first"), s.runs)
	quick(s, a, weighs(4, creates(op(post, "/v1/runs", "submit-run", "Queue a run that nobody waits for"))), s.submitRun)
	quick(s, a, op(get, "/v1/runs/{id}", "run", "One run, with its request and result"), s.run)
	long(s, a, op(get, "/v1/runs/{id}/events", "follow-run", "Log and progress of a run, until it is ended"), s.followRun)
	bytesOf(s, a, op(get, "/v1/runs/{id}/log", "run-log", "The log of a run, as far as it goes"), s.runLog)
	quick(s, a, op(post, "/v1/runs/{id}/cancel", "cancel-run", "Stop a run; the answer comes when it is ended"), s.cancelRun)
}

type runsInput struct {
	PageInput
	Person string `query:"person" maxLength:"200" doc:"of this person alone: nrel/ada"`
	State  string `query:"state" enum:"queued,running,done,failed,canceled"`
	Kind   string `query:"kind" enum:"prepare,train,predict"`
}

func (s *server) runs(ctx context.Context, who genesis.Principal, in *runsInput) (*genesis.RunPage, error) {
	page, err := s.Service.Runs(ctx, who, genesis.RunQuery{Person: genesis.PersonID(in.Person), State: genesis.RunState(in.State),
		Kind: genesis.RunKind(in.Kind), After: in.After, Limit: in.Limit})
	if page != nil {
		page.Runs = orEmpty(page.Runs)
	}
	return page, err
}

type submitInput struct {
	SessionInput
	Body genesis.RunRequest
}

func (s *server) submitRun(ctx context.Context, who genesis.Principal, in *submitInput) (*genesis.Run, error) {
	if in.Body.ID != "" {
		if _, err := s.Service.Run(ctx, who, in.Body.ID); err == nil { // its files were handed over already
			return s.Service.SubmitRun(ctx, who, in.Body, nil, nil)
		}
	}
	files, splits := filesOf(in.Body)
	raws, done, err := s.take(ctx, who, string(in.Body.Kind), in.Session, files)
	defer done()
	if err != nil {
		return nil, err
	}
	splitRaws, splitsDone, err := s.take(ctx, who, string(in.Body.Kind), in.Session, splits)
	defer splitsDone()
	if err != nil {
		return nil, err
	}
	return s.Service.SubmitRun(ctx, who, in.Body, raws, splitRaws)
}

// filesOf returns the files that a request names. What does not parse names none:
// the service says what is wrong with it.
func filesOf(req genesis.RunRequest) (files, splits []genesis.FileRef) {
	var named struct {
		Files   []genesis.FileRef `json:"files"`
		Options struct {
			SplitFiles []genesis.FileRef `json:"split_files"`
		} `json:"options"`
	}
	_ = json.Unmarshal(req.Request, &named)
	return named.Files, named.Options.SplitFiles
}

func (s *server) run(ctx context.Context, who genesis.Principal, in *IDInput) (*genesis.Run, error) {
	return s.Service.Run(ctx, who, in.ID)
}

type followInput struct {
	IDInput
	From int64 `query:"from" minimum:"0" doc:"leave out so many bytes of the log"`
}

func (s *server) followRun(ctx context.Context, who genesis.Principal, in *followInput, p genesis.Progress) (*genesis.Run, error) {
	return s.Service.FollowRun(ctx, who, in.ID, in.From, p)
}

func (s *server) runLog(ctx context.Context, who genesis.Principal, in *IDInput) (*content, error) {
	r, size, err := s.Service.RunLog(ctx, who, in.ID)
	if err == nil && r == nil {
		err = notYet("run-log")
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

func (s *server) cancelRun(ctx context.Context, who genesis.Principal, in *IDInput) (*genesis.Run, error) {
	return s.Service.CancelRun(ctx, who, in.ID)
}

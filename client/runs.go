package client

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/opengenesis/genesis"
)

func run(id string) string { return "/v1/runs/" + url.PathEscape(id) }

// Runs returns one page of runs, newest first.
func (c *Client) Runs(ctx context.Context, q genesis.RunQuery) (*genesis.RunPage, error) {
	v := url.Values{}
	set(v, "person", string(q.Person))
	set(v, "state", string(q.State))
	set(v, "kind", string(q.Kind))
	return get[genesis.RunPage](ctx, c, "/v1/runs", page(v, q.After, q.Limit))
}

// Run returns a run, with its request and result.
func (c *Client) Run(ctx context.Context, id string) (*genesis.Run, error) {
	return get[genesis.Run](ctx, c, run(id), nil)
}

// SubmitRun queues a run that nobody waits for. request is a
// [genesis.PrepareRequest], [genesis.TrainRequest] or [genesis.PredictRequest];
// an id makes asking twice the same as asking once.
func (c *Client) SubmitRun(ctx context.Context, id string, kind genesis.RunKind, request any) (*genesis.Run, error) {
	b, err := json.Marshal(request)
	if err != nil {
		return nil, &genesis.Error{Op: "write request", Kind: genesis.Invalid, Err: err}
	}
	return post[genesis.Run](ctx, c, "/v1/runs", genesis.RunRequest{ID: id, Kind: kind, Request: b})
}

// FollowRun tells p the lines of a run's log from an offset on, and its progress,
// until it is ended.
func (c *Client) FollowRun(ctx context.Context, id string, from int64, p genesis.Progress) (*genesis.Run, error) {
	q := url.Values{}
	if from > 0 {
		q.Set("from", strconv.FormatInt(from, 10))
	}
	return long[genesis.Run](ctx, c, http.MethodGet, run(id)+"/events", q, nil, p)
}

// RunLog writes the log of a run to w and returns how many bytes it has.
func (c *Client) RunLog(ctx context.Context, id string, w io.Writer) (int64, error) {
	return c.bytes(ctx, run(id)+"/log", nil, meter{w: w, stage: "fetching"})
}

// CancelRun stops a run and waits until it is ended.
func (c *Client) CancelRun(ctx context.Context, id string) (*genesis.Run, error) {
	return post[genesis.Run](ctx, c, run(id)+"/cancel", nil)
}

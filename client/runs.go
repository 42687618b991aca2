package client

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/opengenesis/genesis"
)

func runPath(id string) string { return "/v1/runs/" + url.PathEscape(id) }

// SubmitRun queues a run that nobody waits for. With an id of the caller's own,
// asking twice is asking once.
func (c *Client) SubmitRun(ctx context.Context, req genesis.RunRequest) (*genesis.Run, error) {
	return post[genesis.Run](ctx, c, "/v1/runs", req)
}

// Runs returns one page of runs, newest first: one's own, or all, for operators.
func (c *Client) Runs(ctx context.Context, all bool, state genesis.RunState, after string, limit int) (*genesis.RunPage, error) {
	v := url.Values{}
	setBool(v, "all", all)
	set(v, "state", string(state))
	return get[genesis.RunPage](ctx, c, "/v1/runs", page(v, after, limit))
}

// Run returns one run, with its result or error.
func (c *Client) Run(ctx context.Context, id string) (*genesis.Run, error) {
	return get[genesis.Run](ctx, c, runPath(id), nil)
}

// FollowRun tells p the log of a run, from an offset in bytes on, and its progress
// until it is ended.
func (c *Client) FollowRun(ctx context.Context, id string, from int64, p genesis.Progress) (*genesis.Run, error) {
	q := url.Values{}
	if from > 0 {
		q.Set("from", strconv.FormatInt(from, 10))
	}
	return long[genesis.Run](ctx, c, http.MethodGet, runPath(id)+"/events", q, nil, p)
}

// May returns what one may do with a version now, also with one of another node.
func (c *Client) May(ctx context.Context, ref string) (*genesis.May, error) {
	return get[genesis.May](ctx, c, version(ref)+"/may", nil)
}

// CancelRun stops a run.
func (c *Client) CancelRun(ctx context.Context, id string) (*genesis.Run, error) {
	return post[genesis.Run](ctx, c, runPath(id)+"/cancel", nil)
}

// RunLog writes the log of a run so far to w and returns how many bytes it has.
func (c *Client) RunLog(ctx context.Context, id string, w io.Writer) (int64, error) {
	return c.bytes(ctx, runPath(id)+"/log", nil, meter{w: w, stage: "fetching"})
}

package client

import (
	"context"
	"net/http"

	"github.com/opengenesis/genesis"
)

// Pull copies a version of another node to this one.
func (c *Client) Pull(ctx context.Context, req genesis.PullRequest, p genesis.Progress) (*genesis.Pulled, error) {
	return long[genesis.Pulled](ctx, c, http.MethodPost, "/v1/pull", nil, req, p)
}

package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/opengenesis/genesis"
)

// AuditCheckpoints says whose checkpoints the node keeps.
func (c *Client) AuditCheckpoints(ctx context.Context) (*genesis.WitnessedList, error) {
	return get[genesis.WitnessedList](ctx, c, "/v1/audit/checkpoints", nil)
}

// AuditPeers holds the node's audit log against the checkpoints that members keep of it.
// What does not hold is in the result, not an error.
func (c *Client) AuditPeers(ctx context.Context, p genesis.Progress) (*genesis.PeerWitnesses, error) {
	return long[genesis.PeerWitnesses](ctx, c, http.MethodPost, "/v1/audit/peers", nil, nil, p)
}

// Reconcile compares what the node and a peer keep of their acts with each other. What
// differs is in the result, not an error.
func (c *Client) Reconcile(ctx context.Context, req genesis.ReconcileRequest, p genesis.Progress) (*genesis.Reconciliation, error) {
	return long[genesis.Reconciliation](ctx, c, http.MethodPost, "/v1/audit/reconcile", nil, req, p)
}

// Report returns what the node did in a quarter; "" is this one.
func (c *Client) Report(ctx context.Context, q genesis.Quarter, p genesis.Progress) (*genesis.Report, error) {
	v := url.Values{}
	set(v, "quarter", string(q))
	return long[genesis.Report](ctx, c, http.MethodGet, "/v1/report", v, nil, p)
}

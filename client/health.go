package client

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
)

// Health is whether a node takes requests, and why not.
type Health struct {
	Ready  bool          `json:"ready"`
	Checks []HealthCheck `json:"checks"`
}

// HealthCheck is one thing a node needs.
type HealthCheck struct {
	Name  string `json:"name"`
	OK    bool   `json:"ok"`
	Error string `json:"error,omitempty"` // on the home's socket alone
}

// maxHealth bounds the answer.
const maxHealth = 1 << 20

// Health asks the node whether it is ready. A node that says it is not is no
// error.
func (c *Client) Health(ctx context.Context) (*Health, error) {
	req, err := c.request(ctx, http.MethodGet, "/readyz", nil, nil)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, broken(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusServiceUnavailable {
		return nil, problemOf(resp)
	}
	var h Health
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxHealth)).Decode(&h); err != nil {
		return nil, broken(ctx, err)
	}
	return &h, nil
}

package client

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"

	"github.com/opengenesis/genesis"
)

// Inspect says what files are and hold, from a sample; nothing is stored.
func (c *Client) Inspect(ctx context.Context, req genesis.InspectRequest, p genesis.Progress) (*genesis.Inspection, error) {
	return long[genesis.Inspection](ctx, c, http.MethodPost, "/v1/inspect", nil, req, p)
}

// Prepare makes a draft dataset version from files handed over before.
func (c *Client) Prepare(ctx context.Context, req genesis.PrepareRequest, p genesis.Progress) (*genesis.Prepared, error) {
	return long[genesis.Prepared](ctx, c, http.MethodPost, "/v1/prepare", nil, req, p)
}

// Train makes a model version from a dataset version.
func (c *Client) Train(ctx context.Context, req genesis.TrainRequest, p genesis.Progress) (*genesis.Trained, error) {
	return long[genesis.Trained](ctx, c, http.MethodPost, "/v1/train", nil, req, p)
}

// Predict applies a model to files handed over before. The predictions are
// fetched with [Client.Output].
func (c *Client) Predict(ctx context.Context, req genesis.PredictRequest, p genesis.Progress) (*genesis.Predicted, error) {
	return long[genesis.Predicted](ctx, c, http.MethodPost, "/v1/predict", nil, req, p)
}

// Verify re-hashes everything a version consists of. Damage is in the result,
// not an error.
func (c *Client) Verify(ctx context.Context, ref string, p genesis.Progress) (*genesis.Verification, error) {
	return long[genesis.Verification](ctx, c, http.MethodPost, version(ref)+"/verify", nil, nil, p)
}

// Diff compares two versions.
func (c *Client) Diff(ctx context.Context, from, to string, p genesis.Progress) (*genesis.Diff, error) {
	return long[genesis.Diff](ctx, c, http.MethodGet, "/v1/diff", url.Values{"from": {from}, "to": {to}}, nil, p)
}

// Backup copies the node's home to an absolute path on the node's machine.
func (c *Client) Backup(ctx context.Context, req genesis.BackupRequest, p genesis.Progress) (*genesis.Backup, error) {
	return long[genesis.Backup](ctx, c, http.MethodPost, "/v1/admin/backup", nil, req, p)
}

// long makes a request that is answered with lines of events and a last line
// with the outcome. An answer without that line is an error.
func long[T any](ctx context.Context, c *Client, method, path string, q url.Values, in any, p genesis.Progress) (*T, error) {
	resp, err := c.do(ctx, method, path, q, in)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return readLines[T](ctx, resp.Body, p)
}

// readLines reads an answer of lines to its outcome. A line is complete only
// with its line feed: a cut one is not taken, even if it happens to parse.
func readLines[T any](ctx context.Context, body io.Reader, p genesis.Progress) (*T, error) {
	r := bufio.NewReader(&io.LimitedReader{R: body, N: maxAnswer})
	for {
		b, err := r.ReadBytes('\n')
		if err != nil {
			return nil, broken(ctx, err)
		}
		var line genesis.Line[T]
		if err := json.Unmarshal(b, &line); err != nil {
			return nil, broken(ctx, err)
		}
		switch {
		case line.Error != nil:
			return nil, line.Error.Err()
		case line.Result != nil:
			return line.Result, nil
		case line.Event != nil:
			p.Send(*line.Event)
		}
	}
}

package client

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"net/url"

	"github.com/opengenesis/genesis"
)

// ExportOptions choose what Export writes.
type ExportOptions struct {
	Table   string   // empty: the first
	Format  string   // "parquet" (if empty) or "csv"
	Columns []string // nil: all
}

// Export writes a table of a version to w. After an error w holds a part that
// must not be used.
func (c *Client) Export(ctx context.Context, ref string, opt ExportOptions, w io.Writer, p genesis.Progress) error {
	q := url.Values{}
	set(q, "table", opt.Table)
	set(q, "format", opt.Format)
	for _, name := range opt.Columns {
		q.Add("columns", name)
	}
	_, err := c.bytes(ctx, version(ref)+"/export", q, meter{w: w, stage: "exporting", p: p})
	return err
}

// Output writes the bytes of a prediction output to w and checks them against
// the blob's digest.
func (c *Client) Output(ctx context.Context, b genesis.Blob, w io.Writer, p genesis.Progress) error {
	hash := sha256.New()
	out := meter{w: io.MultiWriter(w, hash), stage: "fetching", total: b.Size, most: max(b.Size, 1), p: p}
	if _, err := c.bytes(ctx, "/v1/blobs/"+url.PathEscape(string(b.Digest)), nil, out); err != nil {
		return err
	}
	if got := genesis.DigestSum(hash.Sum(nil)); got != b.Digest {
		return &genesis.Error{Op: "fetch", Kind: genesis.Internal, Subject: string(b.Digest), Msg: "arrived with other bytes than its digest names"}
	}
	return nil
}

// bytes copies the answer of a GET to out.
func (c *Client) bytes(ctx context.Context, path string, q url.Values, out meter) (int64, error) {
	resp, err := c.do(ctx, http.MethodGet, path, q, nil)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	n, err := io.Copy(&out, resp.Body)
	var local *writeError
	switch {
	case err == nil:
		return n, nil
	case errors.As(err, &local):
		return n, local.err
	}
	return n, c.whyBroken(ctx, resp.Header.Get("Genesis-Stream"), err)
}

// whyBroken asks the node why a stream broke off.
func (c *Client) whyBroken(ctx context.Context, stream string, err error) error {
	if stream == "" || ctx.Err() != nil {
		return broken(ctx, err)
	}
	_, reason := quick[struct{}](ctx, c, http.MethodGet, "/v1/streams/"+url.PathEscape(stream), nil, nil)
	if reason == nil || genesis.KindOf(reason) == genesis.NotFound || genesis.KindOf(reason) == genesis.Unavailable {
		return broken(ctx, err)
	}
	return reason
}

// writeError is an error of the writer that bytes go to, not of the connection.
type writeError struct{ err error }

func (e *writeError) Error() string { return e.err.Error() }

// meter passes bytes on and reports how many.
type meter struct {
	w     io.Writer
	stage string
	done  int64
	total int64
	most  int64 // that are taken; 0: all that come
	p     genesis.Progress
}

func (m *meter) Write(b []byte) (int, error) {
	if m.most > 0 && m.done+int64(len(b)) > m.most { // a node that goes on and on would fill the disk
		return 0, &writeError{&genesis.Error{Op: "fetch", Kind: genesis.Internal, Msg: "the node sends more bytes than it said", Hint: "tell its operator"}}
	}
	n, err := m.w.Write(b)
	if err != nil {
		return n, &writeError{err}
	}
	m.done += int64(n)
	m.p.Send(genesis.Event{Stage: m.stage, Done: m.done, Total: m.total, Unit: "bytes"})
	return n, nil
}

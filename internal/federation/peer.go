package federation

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/federation/charter"
	"github.com/opengenesis/genesis/internal/guest"
)

const (
	askTimeout = 30 * time.Second
	maxAnswer  = 4 << 20 // of what is not the charter
	maxProblem = 64 << 10

	// proofHeader says which node asks for drafts: a message of it.
	proofHeader = "Genesis-Node"
)

// newHTTP returns a client for other nodes: it follows no redirect, because the
// charter says where a node is. Deadlines are those of what is asked.
func newHTTP(inner http.RoundTripper) *http.Client {
	return &http.Client{Transport: inner, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// question is one request to another node.
type question struct {
	method, base string
	path         string // below the version of the API
	proof, etag  string
	body         any
	most         int64
}

// ask sends it, in the version of the API that both nodes speak. 304 gives no bytes and no
// error. Errors: Unavailable (does not answer), Unsupported (they speak none in common),
// what the other node says, Invalid (too large an answer).
func (f *Federation) ask(ctx context.Context, q question) (answer []byte, header http.Header, err error) {
	p, err := f.speaksAt(ctx, q.base)
	if err != nil {
		return nil, nil, err
	}
	q.path = p.path(q.path)
	return f.fetch(ctx, q)
}

// fetch is ask, at a path that has no version to choose.
func (f *Federation) fetch(ctx context.Context, q question) (answer []byte, header http.Header, err error) {
	if err := f.mayReach(q.base); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req, err := q.request(ctx)
	if err != nil {
		return nil, nil, err
	}
	resp, err := f.http.Do(req)
	if err != nil {
		return nil, nil, unreached(q.base, err)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotModified:
		return nil, http.Header{"Etag": {q.etag}}, nil
	case resp.StatusCode != http.StatusOK:
		return nil, nil, problem("", q.base, resp)
	}
	answer, err = guest.Read(ctx, q.base, resp.Body, q.most)
	return answer, resp.Header, err
}

func (q question) request(ctx context.Context) (*http.Request, error) {
	var body io.Reader
	if q.body != nil {
		text, err := json.Marshal(q.body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, q.method, q.base+q.path, body)
	if err != nil {
		return nil, refusal("ask node", genesis.Invalid, q.base, "is not the URL of a node", "")
	}
	for name, value := range map[string]string{proofHeader: q.proof, "If-None-Match": q.etag} {
		if value != "" {
			req.Header.Set(name, value)
		}
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// mayReach refuses URLs that a node must not be made to ask: in the clear, and on its
// own machine unless it is known to others there alone.
func (f *Federation) mayReach(base string) error {
	if err := charter.CheckURL(base); err != nil {
		return refusal("ask node", genesis.Invalid, "", err.Error(), "")
	}
	if charter.Loopback(base) && !charter.Loopback(f.Self.URL) {
		return refusal("ask node", genesis.Invalid, base, "is on this machine, and this node is not", "")
	}
	return nil
}

func unreached(base string, err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return &genesis.Error{Op: "ask node", Kind: genesis.Unavailable, Subject: base, Msg: "it does not answer: " + err.Error(), Hint: "try again later", Err: err}
}

// problem is what another node says is wrong. It is told as that node's word. What it has
// not is named as it is here, with the node, if that is known: the URL is not what is missing.
func problem(node genesis.NodeID, base string, resp *http.Response) error {
	text, _ := io.ReadAll(io.LimitReader(resp.Body, maxProblem)) // what came is told
	var p genesis.Problem
	e := &genesis.Error{Op: "ask node", Kind: genesis.Unavailable, Subject: base, Msg: "it answers " + resp.Status}
	if json.Unmarshal(text, &p) == nil && p.Detail != "" {
		e.Msg, e.Hint = "it says: "+line(p.Detail), line(p.Hint)
		if slices.Contains(told, p.Kind) {
			e.Kind = p.Kind
		}
		if e.Kind == genesis.Permission && p.Code == genesis.CodeBadIssuer {
			e.Err = guest.ErrStranger
		}
		if e.Kind == genesis.NotFound && node != "" {
			e.Op, e.Subject = "look up", strings.TrimSuffix(string(node)+"/"+line(p.Subject), "/")
		}
	}
	return e
}

// told are the kinds of another node's errors that are passed on as such.
var told = []genesis.ErrorKind{genesis.Invalid, genesis.NotFound, genesis.Gone, genesis.Exists, genesis.Permission, genesis.Conflict, genesis.Unsupported}

// line makes a text from elsewhere one short line.
func line(s string) string {
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
	if len(s) > 300 {
		s = strings.ToValidUTF8(s[:300], "") + "…"
	}
	return s
}

// askJSON reads a JSON answer.
func askJSON[T any](ctx context.Context, f *Federation, q question) (T, error) {
	var v T
	if q.most == 0 {
		q.most = maxAnswer
	}
	text, _, err := f.ask(ctx, q)
	if err != nil {
		return v, err
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return v, refusal("ask node", genesis.Invalid, q.base, "its answer is not what was asked for", "is it a Genesis node, and not too old?")
	}
	return v, nil
}

// charterAt fetches the charter that a node has; nil, if it is the one of the ETag.
func (f *Federation) charterAt(ctx context.Context, base, etag string) (*charter.Bundle, string, error) {
	text, header, err := f.ask(ctx, question{method: http.MethodGet, base: base, path: "/federation/charter", etag: etag, most: charter.MaxBundle})
	if err != nil {
		return nil, "", err
	}
	etag = header.Get("ETag")
	if text == nil {
		return nil, etag, nil
	}
	b, err := charter.Parse(text)
	if err != nil {
		return nil, "", err
	}
	return &b, etag, nil
}

// descriptorAt fetches the descriptor of a node, which says what it speaks, and the key
// that signed it.
func (f *Federation) descriptorAt(ctx context.Context, base string) (genesis.Descriptor, genesis.NodeKey, error) {
	text, _, err := f.fetch(ctx, question{method: http.MethodGet, base: base, path: "/.well-known/genesis", most: 128 << 10})
	if err != nil {
		return genesis.Descriptor{}, genesis.NodeKey{}, err
	}
	return readDescriptor(string(bytes.TrimSpace(text)))
}

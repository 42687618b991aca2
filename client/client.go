package client

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"

	"github.com/opengenesis/genesis"
)

// maxAnswer bounds a JSON answer, so that a hostile node cannot fill memory.
const maxAnswer = 1 << 30

// Client talks to one node. It is safe for concurrent use.
type Client struct {
	http    *http.Client
	base    string // without a final slash
	token   string
	purpose string
	session *session
}

// New returns a client of the node whose API is at base: "https://host". Without one of the
// caller's it has an HTTP client that follows no redirect: a token and a password are for
// the machine that was named, and for no other.
func New(base string, h *http.Client) *Client {
	if h == nil {
		h = &http.Client{CheckRedirect: noRedirect}
	}
	return &Client{http: h, base: strings.TrimSuffix(base, "/")}
}

// WithToken returns a client that signs its requests with a personal or service
// token, or that of a session. A token goes over TLS, or to this machine, alone.
func (c *Client) WithToken(token string) *Client {
	signed := *c
	signed.token = token
	return &signed
}

// WithPurpose returns a client that says what its requests are for: conditions of
// grants may ask for it, and the audit log keeps it.
func (c *Client) WithPurpose(text string) *Client {
	told := *c
	told.purpose = text
	return &told
}

// mayTell reports whether a token is safe on the way to a host.
func mayTell(u *url.URL) bool {
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// Close ends the session with a local node, which may then leave.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	if c.session != nil {
		return c.session.close()
	}
	return nil
}

// Node says what the node is.
func (c *Client) Node(ctx context.Context) (*genesis.NodeInfo, error) {
	return get[genesis.NodeInfo](ctx, c, "/v1/node", nil)
}

// ListPage returns one page of assets in name order. kind "" means all; after
// is the Next of the page before; limit 0 leaves it to the node.
func (c *Client) ListPage(ctx context.Context, kind genesis.Kind, after string, limit int) (*genesis.ListPage, error) {
	q := url.Values{}
	set(q, "kind", string(kind))
	set(q, "after", after)
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	return get[genesis.ListPage](ctx, c, "/v1/assets", q)
}

// List yields all assets in name order, page by page.
func (c *Client) List(ctx context.Context, kind genesis.Kind) iter.Seq2[genesis.Asset, error] {
	return func(yield func(genesis.Asset, error) bool) {
		after := ""
		for {
			page, err := c.ListPage(ctx, kind, after, 0)
			if err != nil {
				yield(genesis.Asset{}, err)
				return
			}
			for _, a := range page.Assets {
				if !yield(a, nil) {
					return
				}
			}
			if page.Next == "" || page.Next == after {
				return
			}
			after = page.Next
		}
	}
}

// Search returns what matches a query, best first, with the nodes that the answer covers.
func (c *Client) Search(ctx context.Context, q genesis.SearchQuery) (*genesis.SearchResult, error) {
	return get[genesis.SearchResult](ctx, c, "/v1/search", q.Params())
}

// Suggest returns words for the last one of a text: those that go on from it, and those
// that may have been meant.
func (c *Client) Suggest(ctx context.Context, text string, limit int) (*genesis.SuggestList, error) {
	q := url.Values{"q": {text}}
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	return get[genesis.SuggestList](ctx, c, "/v1/suggest", q)
}

// Similar returns versions like one, most alike first.
func (c *Client) Similar(ctx context.Context, ref string, limit int) (*genesis.SimilarList, error) {
	q := url.Values{}
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	return get[genesis.SimilarList](ctx, c, "/v1/similar/"+url.PathEscape(ref), q)
}

// Describe returns everything the node says about a version.
func (c *Client) Describe(ctx context.Context, ref string) (*genesis.Description, error) {
	return get[genesis.Description](ctx, c, version(ref), nil)
}

// SetCard changes fields of a version's card by their JSON names; lists are
// given with commas, an empty value clears the field.
func (c *Client) SetCard(ctx context.Context, ref string, fields map[string]string) (*genesis.Card, error) {
	return quick[genesis.Card](ctx, c, http.MethodPatch, version(ref)+"/card", nil, fields)
}

// Answer records what a person says about a finding.
func (c *Client) Answer(ctx context.Context, ref, finding, answer string) (*genesis.Finding, error) {
	path := version(ref) + "/findings/" + url.PathEscape(finding)
	return quick[genesis.Finding](ctx, c, http.MethodPost, path, nil, map[string]string{"answer": answer})
}

// version is the path of a version: a ref is one segment.
func version(ref string) string { return "/v1/versions/" + url.PathEscape(ref) }

func set(q url.Values, key, value string) {
	if value != "" {
		q.Set(key, value)
	}
}

func get[T any](ctx context.Context, c *Client, path string, q url.Values) (*T, error) {
	return quick[T](ctx, c, http.MethodGet, path, q, nil)
}

// quick makes a request that is answered with JSON.
func quick[T any](ctx context.Context, c *Client, method, path string, q url.Values, in any) (*T, error) {
	resp, err := c.do(ctx, method, path, q, in)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var out T
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(&out); err != nil {
		return nil, broken(ctx, err)
	}
	return &out, nil
}

// do sends a request and returns the response, or the problem it is.
func (c *Client) do(ctx context.Context, method, path string, q url.Values, in any) (*http.Response, error) {
	req, err := c.request(ctx, method, path, q, in)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreached(ctx, err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, problemOf(resp)
}

func (c *Client) request(ctx context.Context, method, path string, q url.Values, in any) (*http.Request, error) {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return nil, &genesis.Error{Op: "write request", Kind: genesis.Invalid, Err: err}
		}
		body = strings.NewReader(string(b))
	}
	target := c.base + path
	if len(q) > 0 {
		target += "?" + q.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, &genesis.Error{Op: "write request", Kind: genesis.Invalid, Subject: target, Err: err}
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, c.sign(req)
}

// sign says who asks.
func (c *Client) sign(req *http.Request) error {
	if c.session != nil {
		req.Header.Set("Genesis-Session", c.session.id)
	}
	if c.purpose != "" {
		req.Header.Set("Genesis-Purpose", c.purpose)
	}
	if c.token == "" {
		return nil
	}
	if !mayTell(req.URL) {
		return c.inTheClear("the token")
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	return nil
}

func (c *Client) inTheClear(what string) error {
	return &genesis.Error{Op: "reach node", Kind: genesis.Invalid, Subject: c.base, Msg: "would get " + what + " in the clear", Hint: "use the node's https:// URL"}
}

// maySignIn refuses to sign in where a password, or the token that is the answer, would go
// over a network in the clear.
func (c *Client) maySignIn(what string) error {
	if u, err := url.Parse(c.base); err == nil && c.session == nil && !mayTell(u) {
		return c.inTheClear(what)
	}
	return nil
}

// problemOf reads the error that a response is.
func problemOf(resp *http.Response) error {
	var p genesis.Problem
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20)) // what is cut off does not parse
	if json.Unmarshal(b, &p) != nil || p.Detail == "" {
		p = genesis.Problem{Detail: "the node answered " + resp.Status}
		if resp.StatusCode == http.StatusBadRequest && strings.Contains(string(b), "HTTPS server") { // the words of net/http
			p.Hint = "it speaks https: write https:// in its URL"
		}
	}
	if p.Status == 0 {
		p.Status = resp.StatusCode
	}
	return p.Err()
}

// unreached is the error of a node from which no answer came at all.
func (c *Client) unreached(ctx context.Context, err error) error {
	e := &genesis.Error{Op: "reach node", Kind: genesis.Unavailable, Subject: c.base, Err: err}
	var known *genesis.Error
	var unknown *net.DNSError
	var untrusted *tls.CertificateVerificationError
	var plain tls.RecordHeaderError
	switch {
	case ctx.Err() != nil:
		return broken(ctx, err)
	case errors.As(err, &known): // of the way there: the home does not vouch
		return known
	case errors.As(err, &unknown):
		e.Msg, e.Hint = "no machine of that name is known", "is the URL spelt right, and this machine on the network?"
	case errors.Is(err, syscall.ECONNREFUSED):
		e.Msg, e.Hint = "nobody listens there", "is the node started (`genesis serve`), and the port right?"
	case errors.As(err, &untrusted):
		e.Msg, e.Hint = "its certificate is not trusted here", "add the authority that signed it to this machine's, or name its file in $SSL_CERT_FILE"
	case errors.As(err, &plain), strings.Contains(err.Error(), "HTTP response to HTTPS client"):
		e.Msg, e.Hint = "it does not speak https", "write http:// for a node on this machine; one elsewhere needs a certificate"
	default:
		return broken(ctx, err)
	}
	return e
}

// broken is the error of a connection that did not carry a whole answer.
func broken(ctx context.Context, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return &genesis.Error{Kind: genesis.Canceled, Msg: "canceled", Err: ctx.Err()}
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return &genesis.Error{Kind: genesis.Unavailable, Msg: "took too long", Err: ctx.Err()}
	}
	var known *genesis.Error
	if errors.As(err, &known) {
		return known
	}
	return &genesis.Error{Kind: genesis.Unavailable, Msg: "the connection to the node broke off before the answer was whole",
		Hint: "run the command again", Err: err}
}

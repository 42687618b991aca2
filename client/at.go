package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
)

const (
	renewEarly = time.Minute      // before a session ends, another is asked for
	renewAgain = 5 * time.Second  // when that failed
	clockOff   = 30 * time.Second // by which clocks differ that are worth correcting
	tokenTime  = 30 * time.Second // in which both nodes answer
)

// At returns a client of another node of the federation, at which the node of c vouches
// for whoever c speaks for. Nothing is asked of a person: sessions begin, are renewed and
// sign their requests by themselves, for as long as c is open. Errors: NotFound (no member
// of that id), Invalid (its URL is none that a session is safe on the way to).
func (c *Client) At(ctx context.Context, node genesis.NodeID) (*Client, error) {
	info, err := c.Node(ctx)
	if err != nil {
		return nil, err
	}
	if node == info.Node {
		return c, nil
	}
	members, err := c.Members(ctx)
	if err != nil {
		return nil, err
	}
	for _, m := range members.Members {
		if m.ID == node {
			return c.guestAt(m)
		}
	}
	e := &genesis.Error{Op: "reach node", Kind: genesis.NotFound, Subject: string(node), Msg: "is no member of the federation of " + string(info.Node), Hint: "`genesis members` lists them"}
	if len(members.Members) <= 1 {
		e.Msg, e.Hint = string(info.Node)+" is in no federation", "`genesis federation join` joins one; --at takes the URL of a node, too"
	}
	return nil, e
}

func (c *Client) guestAt(m genesis.Member) (*Client, error) {
	at, err := url.Parse(m.URL)
	if err != nil || at.Host == "" || !mayTell(at) {
		return nil, &genesis.Error{Op: "reach node", Kind: genesis.Invalid, Subject: string(m.ID), Msg: "its URL in the charter, " + m.URL + ", is not one that begins with https://", Hint: "tell its operator"}
	}
	inner := http.DefaultTransport
	if c.session == nil && c.http.Transport != nil { // not the socket's
		inner = c.http.Transport
	}
	g := &guest{home: c, node: m.ID, at: at, inner: inner, secret: make([]byte, genesis.PeerKeySize), now: time.Now, turn: make(chan struct{}, 1)}
	_, _ = rand.Read(g.secret) // never fails
	out := New(m.URL, &http.Client{Transport: g, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }})
	out.purpose = c.purpose
	return out, nil
}

// guest is a way to another node: it signs what goes there. It is safe for concurrent
// use.
type guest struct {
	home   *Client
	node   genesis.NodeID
	at     *url.URL
	inner  http.RoundTripper
	secret []byte
	now    func() time.Time

	turn chan struct{} // held by who asks for a session

	mu      sync.Mutex
	session string
	renew   time.Time     // when to ask for the next; by this machine's clock, whatever it shows
	offset  time.Duration // of the node's clock from this one's
}

// triesOfGuest is how often a request is sent: this machine's clock may be wrong, and the
// session may have ended.
const triesOfGuest = 3

// RoundTrip signs a request and sends it; again where the session had ended, or this
// machine's clock is wrong, or both.
func (g *guest) RoundTrip(r *http.Request) (*http.Response, error) {
	session, err := g.current(r.Context(), "")
	if err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, err
	}
	for try := 1; ; try++ {
		resp, err := g.send(r, session)
		if err != nil || resp.StatusCode != http.StatusUnauthorized || try == triesOfGuest {
			return resp, err
		}
		code, ok := refusalOf(resp)
		if !ok || r.Body != nil && r.GetBody == nil {
			return resp, nil
		}
		switch {
		case g.correct(resp.Header.Get("Date")):
		case code == genesis.CodeNotYet:
			return resp, nil
		default:
			if session, err = g.current(r.Context(), session); err != nil {
				return nil, err
			}
		}
		if r, err = repeat(r); err != nil {
			return nil, err
		}
		resp.Body.Close()
	}
}

// CloseIdleConnections closes those to the node.
func (g *guest) CloseIdleConnections() {
	if idle, ok := g.inner.(interface{ CloseIdleConnections() }); ok {
		idle.CloseIdleConnections()
	}
}

// refusalOf reads why a request was refused, and whether that can be mended. The body
// stays to be read.
func refusalOf(resp *http.Response) (genesis.PeerCode, bool) {
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(b))
	var p genesis.Problem
	if err != nil || json.Unmarshal(b, &p) != nil {
		return "", false
	}
	return p.Code, p.Code == genesis.CodeExpired || p.Code == genesis.CodeNotYet || p.Code == genesis.CodeUnknown
}

func repeat(r *http.Request) (*http.Request, error) {
	again := r.Clone(r.Context())
	if r.GetBody == nil {
		return again, nil
	}
	var err error
	again.Body, err = r.GetBody()
	return again, err
}

// send signs a request of a session and sends it.
func (g *guest) send(r *http.Request, session string) (*http.Response, error) {
	signed := r.Clone(r.Context())
	if signed.URL.Host != g.at.Host || signed.URL.Scheme != g.at.Scheme {
		return nil, &genesis.Error{Op: "reach node", Kind: genesis.Invalid, Subject: string(g.node), Msg: "the request is for another machine"}
	}
	signed.Header.Set("Authorization", "Bearer "+session)
	g.mu.Lock()
	proof := genesis.PeerProof{Created: g.now().Add(g.offset), Nonce: rand.Text()}
	g.mu.Unlock()
	path := strings.TrimPrefix(signed.URL.EscapedPath(), strings.TrimSuffix(g.at.EscapedPath(), "/"))
	proof.Sign(signed, path, g.secret)
	resp, err := g.inner.RoundTrip(signed)
	if err == nil {
		resp.Body = g.keep(resp.Body)
	}
	return resp, err
}

// correct sets the clock by the node's, and reports whether it was wrong.
func (g *guest) correct(date string) bool {
	there, err := http.ParseTime(date)
	if err != nil {
		return false
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	off := there.Sub(g.now().Add(g.offset))
	if off.Abs() < clockOff {
		return false
	}
	g.offset += off
	return true
}

// current returns a session that has not ended, and is not the one that did. Many may
// ask: one gets it, the others wait for that.
func (g *guest) current(ctx context.Context, ended string) (string, error) {
	if session := g.good(ended); session != "" {
		return session, nil
	}
	select {
	case g.turn <- struct{}{}:
		defer func() { <-g.turn }()
	case <-ctx.Done():
		return "", broken(ctx, ctx.Err())
	}
	if session := g.good(ended); session != "" {
		return session, nil
	}
	return g.begin(ctx)
}

func (g *guest) good(ended string) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.session == ended || !g.now().Before(g.renew) {
		return ""
	}
	return g.session
}

// begin has the home vouch and exchanges that for a session.
func (g *guest) begin(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, tokenTime)
	defer cancel()
	token, err := post[genesis.PeerToken](ctx, g.home, "/v1/tokens/peer", genesis.PeerTokenRequest{Audience: g.node, Key: genesis.Thumbprint(g.secret)})
	if err != nil {
		return "", err
	}
	there := New(g.at.String(), &http.Client{Transport: g.inner, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }})
	resp, err := there.do(ctx, http.MethodPost, "/v1/exchange", nil, genesis.ExchangeRequest{Token: token.Token, Key: g.secret})
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var made genesis.PeerSession
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&made); err != nil {
		return "", broken(ctx, err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	lasts := made.Expires.Sub(now)
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil { // by the clock that it ends by
		lasts = made.Expires.Sub(date)
	}
	lasts = min(max(lasts, 0), time.Hour)
	g.session, g.renew = made.Session, now.Add(max(lasts-renewEarly, lasts/2))
	return made.Session, nil
}

// keep renews the session for as long as an answer is being read: what it brings ends
// with the last session.
func (g *guest) keep(body io.ReadCloser) io.ReadCloser {
	k := &kept{ReadCloser: body, g: g}
	k.wait()
	return k
}

type kept struct {
	io.ReadCloser
	g *guest

	mu    sync.Mutex
	timer *time.Timer
	done  bool
}

func (k *kept) wait() {
	k.g.mu.Lock()
	due := k.g.renew.Sub(k.g.now())
	k.g.mu.Unlock()
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.done {
		k.timer = time.AfterFunc(max(due, renewAgain), k.renew)
	}
}

// renew asks for the next session. If there is none now, there may be one soon;
// who reads is told by the node when it was the last.
func (k *kept) renew() {
	_, _ = k.g.current(context.Background(), "")
	k.wait()
}

func (k *kept) Read(b []byte) (int, error) {
	n, err := k.ReadCloser.Read(b)
	if err != nil {
		k.stop()
	}
	return n, err
}

func (k *kept) Close() error {
	k.stop()
	return k.ReadCloser.Close()
}

func (k *kept) stop() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.done = true
	k.timer.Stop()
}

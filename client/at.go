package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/guest"
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
	there := New(m.URL, &http.Client{Transport: inner, CheckRedirect: noRedirect})
	session := guest.New(guest.Config{At: at, Send: inner.RoundTrip, Begin: func(ctx context.Context, secret []byte) (genesis.PeerSession, string, error) {
		return c.exchange(ctx, there, m.ID, secret)
	}})
	out := New(m.URL, &http.Client{Transport: transport{session, inner}, CheckRedirect: noRedirect})
	out.purpose = c.purpose
	return out, nil
}

// noRedirect is of a client of another node: the charter says where that is.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// exchange has the home vouch and exchanges that for a session there.
func (c *Client) exchange(ctx context.Context, there *Client, node genesis.NodeID, secret []byte) (made genesis.PeerSession, date string, err error) {
	token, err := post[genesis.PeerToken](ctx, c, "/v1/tokens/peer", genesis.PeerTokenRequest{Audience: node, Key: genesis.Thumbprint(secret)})
	if err != nil {
		return made, "", err
	}
	resp, err := there.do(ctx, http.MethodPost, "/v1/exchange", nil, genesis.ExchangeRequest{Token: token.Token, Key: secret})
	if err != nil {
		return made, "", err
	}
	text, err := guest.Read(ctx, string(node), resp.Body, maxSession)
	if err == nil {
		err = json.Unmarshal(text, &made)
	}
	if err != nil {
		return made, "", broken(ctx, err)
	}
	return made, resp.Header.Get("Date"), nil
}

// maxSession bounds what a node answers when a session begins, in bytes.
const maxSession = 1 << 20

// transport has requests go in the sessions of a guest.
type transport struct {
	*guest.Session
	inner http.RoundTripper
}

// RoundTrip is of [http.RoundTripper].
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) { return t.Do(r) }

// CloseIdleConnections closes those to the node.
func (t transport) CloseIdleConnections() {
	if idle, ok := t.inner.(interface{ CloseIdleConnections() }); ok {
		idle.CloseIdleConnections()
	}
}

package federation

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"sync"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/guest"
)

// Vouch gives this node's word at another node, for itself or for one of its people, bound
// to the secret of that thumbprint.
type Vouch func(ctx context.Context, audience genesis.NodeID, thumbprint string) (genesis.PeerToken, error)

// door is a way to another node, this node's own or of one of its people. It is safe for
// concurrent use.
type door struct {
	f     *Federation
	node  genesis.NodeID
	vouch Vouch

	mu      sync.Mutex
	session *guest.Session // at the URL that the charter has of the node
}

func (f *Federation) door(node genesis.NodeID, vouch Vouch) *door {
	return &door{f: f, node: node, vouch: vouch}
}

// Get returns the body of what is at a path of the other node, as of package mirror.
func (d *door) Get(ctx context.Context, path string) (io.ReadCloser, error) {
	resp, err := d.get(ctx, path, nil)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// get returns what is at a path of the other node (escaped, below the version of the API
// that both speak), whole or the part that the header asks for. What the other node
// refuses is an error.
func (d *door) get(ctx context.Context, path string, header http.Header) (*http.Response, error) {
	m, ok := d.f.Member(d.node)
	if !ok {
		return nil, refusal("ask node", genesis.Unavailable, string(d.node), "is not vouched for by the charter now", "")
	}
	if err := d.f.mayReach(m.URL); err != nil {
		return nil, err
	}
	for again := true; ; again = false {
		p, err := d.f.speaks(ctx, m)
		if err != nil {
			return nil, err
		}
		resp, err := d.send(ctx, m.URL, p.path(path), header)
		if err != nil {
			return nil, err
		}
		switch {
		case resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusPartialContent && header.Get("Range") != "":
			return resp, nil
		case resp.StatusCode == http.StatusNotFound && again && d.f.speaksOtherwise(ctx, m, p):
			resp.Body.Close()
		default:
			defer resp.Body.Close()
			err := problem(d.node, m.URL, resp)
			d.f.doubts.went(d.node, err)
			return nil, err
		}
	}
}

// send sends one request in a session.
func (d *door) send(ctx context.Context, base, path string, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
	if err != nil {
		return nil, refusal("ask node", genesis.Invalid, base, "is not the URL of a node", "")
	}
	maps.Copy(req.Header, header)
	s, err := d.at(base)
	if err != nil {
		return nil, err
	}
	resp, err := s.Do(req)
	if known := (*genesis.Error)(nil); err != nil && !errors.As(err, &known) {
		err = unreached(base, err)
	}
	return resp, err
}

// at is the session at the node's URL.
func (d *door) at(base string) (*guest.Session, error) {
	u, err := url.Parse(base)
	if err != nil {
		return nil, refusal("ask node", genesis.Invalid, base, "is not the URL of a node", "")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.session == nil || d.session.At.String() != u.String() {
		d.session = guest.New(guest.Config{At: u, Send: d.f.http.Do, Now: d.f.Now, Begin: func(ctx context.Context, secret []byte) (genesis.PeerSession, string, error) {
			return d.exchange(ctx, base, secret)
		}})
	}
	return d.session, nil
}

// exchange has this node vouch, and exchanges that for a session.
func (d *door) exchange(ctx context.Context, base string, secret []byte) (s genesis.PeerSession, date string, err error) {
	token, err := d.vouch(ctx, d.node, genesis.Thumbprint(secret))
	if err != nil {
		return s, "", err
	}
	defer func() { d.f.doubts.went(d.node, err) }()
	text, header, err := d.f.ask(ctx, question{method: http.MethodPost, base: base, path: "/exchange", most: maxAnswer,
		body: genesis.ExchangeRequest{Token: token.Token, Key: secret}})
	if err != nil {
		return s, "", err
	}
	if json.Unmarshal(text, &s) != nil {
		return s, "", refusal("ask node", genesis.Unavailable, base, "what it answers is no session", "")
	}
	return s, header.Get("Date"), nil
}

// String names the way for logs.
func (d *door) String() string { return "door to " + string(d.node) }

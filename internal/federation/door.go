package federation

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
)

// Vouch gives this node's word at another node, for itself or for one of its people, bound
// to the secret of that thumbprint.
type Vouch func(ctx context.Context, audience genesis.NodeID, thumbprint string) (genesis.PeerToken, error)

const (
	renewEarly = time.Minute      // before a session ends, another is asked for
	clockOff   = 30 * time.Second // by which clocks differ that are worth correcting
)

// door is a way to another node, this node's own or of one of its people: requests are those of a session that the other
// node gave it, and renewed by itself. It is safe for concurrent use.
type door struct {
	f      *Federation
	node   genesis.NodeID
	vouch  Vouch
	secret []byte

	turn    chan struct{} // held by who asks for a session
	mu      sync.Mutex
	session string
	renew   time.Time     // when to ask for the next, by this node's clock
	offset  time.Duration // of the other node's clock from this one's
}

func (f *Federation) door(node genesis.NodeID, vouch Vouch) *door {
	d := &door{f: f, node: node, vouch: vouch, secret: make([]byte, genesis.PeerKeySize), turn: make(chan struct{}, 1)}
	_, _ = rand.Read(d.secret) // never fails
	return d
}

// Get returns the body of what is at a path of the other node, as of package mirror.
func (d *door) Get(ctx context.Context, path string) (io.ReadCloser, error) {
	resp, err := d.get(ctx, path, nil)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// get returns what is at a path of the other node, whole or the part that the header
// asks for. What the other node refuses is an error.
func (d *door) get(ctx context.Context, path string, header http.Header) (*http.Response, error) {
	m, ok := d.f.Member(d.node)
	if !ok {
		return nil, refusal("ask node", genesis.Unavailable, string(d.node), "is not vouched for by the charter now", "")
	}
	if err := d.f.mayReach(m.URL); err != nil {
		return nil, err
	}
	for again := true; ; again = false {
		session, err := d.current(ctx, m)
		if err != nil {
			return nil, err
		}
		resp, err := d.send(ctx, m.URL, path, session, header)
		if err != nil {
			return nil, err
		}
		switch {
		case resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusPartialContent && header.Get("Range") != "":
			return resp, nil
		case resp.StatusCode == http.StatusUnauthorized && again:
			d.correct(resp.Header.Get("Date"))
			d.forget(session)
			resp.Body.Close()
		default:
			defer resp.Body.Close()
			return nil, problem(question{base: m.URL}, resp)
		}
	}
}

// send sends one signed request.
func (d *door) send(ctx context.Context, base, path, session string, header http.Header) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
	if err != nil {
		return nil, refusal("ask node", genesis.Invalid, base, "is not the URL of a node", "")
	}
	below, err := url.Parse(path)
	if err != nil {
		return nil, refusal("ask node", genesis.Invalid, path, "is not a path", "")
	}
	maps.Copy(req.Header, header)
	req.Header.Set("Authorization", "Bearer "+session)
	d.mu.Lock()
	proof := genesis.PeerProof{Created: d.f.Now().Add(d.offset), Nonce: rand.Text()}
	d.mu.Unlock()
	proof.Sign(req, below.EscapedPath(), d.secret)
	resp, err := d.f.http.Do(req)
	if err != nil {
		return nil, unreached(base, err)
	}
	return resp, nil
}

// current is a session that lasts some time yet.
func (d *door) current(ctx context.Context, m genesis.Member) (string, error) {
	if s := d.good(); s != "" {
		return s, nil
	}
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return "", unreached(m.URL, ctx.Err())
	}
	if s := d.good(); s != "" { // another one asked meanwhile
		return s, nil
	}
	if _, _, err := d.f.speaks(ctx, m); err != nil {
		return "", err
	}
	token, err := d.vouch(ctx, d.node, genesis.Thumbprint(d.secret))
	if err != nil {
		return "", err
	}
	began := d.f.Now()
	answer, _, err := d.f.ask(ctx, question{method: http.MethodPost, base: m.URL, path: "/v1/exchange", most: maxAnswer,
		body: genesis.ExchangeRequest{Token: token.Token, Key: d.secret}})
	if err != nil {
		return "", err
	}
	var s genesis.PeerSession
	if err := json.Unmarshal(answer, &s); err != nil || s.Session == "" || strings.ContainsFunc(s.Session, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", refusal("ask node", genesis.Unavailable, m.URL, "what it answers is no session", "")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.session, d.renew = s.Session, began.Add(sessionFor-renewEarly)
	return d.session, nil
}

// sessionFor is how long a session lasts that another node gives, at least.
const sessionFor = 15 * time.Minute

func (d *door) good() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.f.Now().Before(d.renew) {
		return d.session
	}
	return ""
}

// forget drops a session that the other node does not take any more.
func (d *door) forget(session string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.session == session {
		d.session, d.renew = "", time.Time{}
	}
}

// correct sets the clock by the other node's, where they differ.
func (d *door) correct(date string) {
	there, err := http.ParseTime(date)
	if err != nil {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if off := there.Sub(d.f.Now().Add(d.offset)); off.Abs() >= clockOff {
		d.offset += off
	}
}

// String names the way for logs, without its secret.
func (d *door) String() string { return fmt.Sprintf("door to %s", d.node) }

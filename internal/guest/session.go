package guest

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
	longest    = time.Hour        // that a session is taken to last, whatever the node says
	clockOff   = 30 * time.Second // by which clocks differ that are worth correcting
	beginTime  = 30 * time.Second // in which both nodes answer
)

// tries is how often a request is sent: this machine's clock may be wrong, and the session
// may have ended.
const tries = 3

// Config is what a Session works with.
type Config struct {
	At *url.URL // of the other node: what is asked is below it
	// Begin has the home vouch for whoever asks, by a token bound to the secret, and
	// exchanges that at the other node. It returns the date by that node's clock, too: the
	// header of its answer.
	Begin func(ctx context.Context, secret []byte) (s genesis.PeerSession, date string, err error)
	Send  func(*http.Request) (*http.Response, error) // carries a request that is signed
	Now   func() time.Time                            // nil: time.Now
}

// Session is a way to another node: it begins sessions there, renews them, and signs the
// requests that it sends. It is safe for concurrent use.
type Session struct {
	Config
	secret []byte
	turn   chan struct{} // held by who asks for a session

	mu     sync.Mutex
	token  string
	renew  time.Time     // when to ask for the next; by this machine's clock, whatever it shows
	offset time.Duration // of the node's clock from this one's
}

// New returns a Session that asks for nothing before the first request.
func New(c Config) *Session {
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Session{Config: c, secret: make([]byte, genesis.PeerKeySize), turn: make(chan struct{}, 1)}
	_, _ = rand.Read(s.secret) // never fails
	return s
}

// Do signs a request and sends it; again where the session had ended, or this machine's
// clock is wrong, or both. While its answer is read the session is renewed: what it brings
// ends with the last session.
func (s *Session) Do(r *http.Request) (*http.Response, error) {
	token, err := s.current(r.Context(), "")
	if err != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, err
	}
	for try := 1; ; try++ {
		resp, err := s.send(r, token)
		if err != nil || resp.StatusCode != http.StatusUnauthorized || try == tries {
			return resp, err
		}
		code, ok := refusalOf(resp)
		if !ok || r.Body != nil && r.GetBody == nil {
			return resp, nil
		}
		switch {
		case s.correct(resp.Header.Get("Date")):
		case code == genesis.CodeNotYet:
			return resp, nil
		default:
			if token, err = s.current(r.Context(), token); err != nil {
				return nil, err
			}
		}
		if r, err = repeat(r); err != nil {
			return nil, err
		}
		resp.Body.Close()
	}
}

// refusalOf reads why a request was refused, and whether another session, or this one by
// another clock, may do: the home may have replaced the key with which it vouched for this
// one. The body stays to be read.
func refusalOf(resp *http.Response) (genesis.PeerCode, bool) {
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20)) // what is cut off does not parse
	resp.Body.Close()
	resp.Body = io.NopCloser(bytes.NewReader(b))
	var p genesis.Problem
	if err != nil || json.Unmarshal(b, &p) != nil {
		return "", false
	}
	switch p.Code {
	case genesis.CodeExpired, genesis.CodeNotYet, genesis.CodeUnknown, genesis.CodeBadKey:
		return p.Code, true
	}
	return p.Code, false
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
func (s *Session) send(r *http.Request, token string) (*http.Response, error) {
	signed := r.Clone(r.Context())
	if signed.URL.Host != s.At.Host || signed.URL.Scheme != s.At.Scheme {
		return nil, s.failed(genesis.Invalid, "the request is for another machine, "+signed.URL.Host, nil)
	}
	signed.Header.Set("Authorization", "Bearer "+token)
	s.mu.Lock()
	proof := genesis.PeerProof{Created: s.Now().Add(s.offset), Nonce: rand.Text()}
	s.mu.Unlock()
	path := strings.TrimPrefix(signed.URL.EscapedPath(), strings.TrimSuffix(s.At.EscapedPath(), "/"))
	proof.Sign(signed, path, s.secret)
	resp, err := s.Send(signed)
	if err == nil {
		resp.Body = s.keep(resp.Body)
	}
	return resp, err
}

// correct sets the clock by the node's, and reports whether it was wrong.
func (s *Session) correct(date string) bool {
	there, err := http.ParseTime(date)
	if err != nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	off := there.Sub(s.Now().Add(s.offset))
	if off.Abs() < clockOff {
		return false
	}
	s.offset += off
	return true
}

// current returns a session that has not ended, and is not the one that did. Many may
// ask: one gets it, the others wait for that.
func (s *Session) current(ctx context.Context, ended string) (string, error) {
	if token := s.good(ended); token != "" {
		return token, nil
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if token := s.good(ended); token != "" {
		return token, nil
	}
	return s.begin(ctx)
}

func (s *Session) good(ended string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token == ended || !s.Now().Before(s.renew) {
		return ""
	}
	return s.token
}

// begin has a session begin, and works out when the next has to: a node says how long it
// lasts, which is at most fifteen minutes and never beyond the session at home.
func (s *Session) begin(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, beginTime)
	defer cancel()
	made, date, err := s.Begin(ctx, s.secret)
	if err != nil {
		return "", err
	}
	if made.Session == "" || strings.ContainsFunc(made.Session, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", s.failed(genesis.Unavailable, "what it answers is no session", nil)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.Now()
	lasts := made.Expires.Sub(now)
	if there, err := http.ParseTime(date); err == nil { // by the clock that it ends by
		lasts = made.Expires.Sub(there)
	}
	lasts = min(max(lasts, 0), longest)
	s.token, s.renew = made.Session, now.Add(max(lasts-renewEarly, lasts/2))
	return made.Session, nil
}

func (s *Session) failed(kind genesis.ErrorKind, msg string, err error) error {
	return &genesis.Error{Op: "reach node", Kind: kind, Subject: s.At.String(), Msg: msg, Err: err}
}

// String names the way for logs, without its secret.
func (s *Session) String() string { return "session at " + s.At.Host }

package client

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

// allies are a home that vouches for anybody, and another node that checks proofs.
type allies struct {
	*testing.T
	home, there *httptest.Server

	mu      sync.Mutex
	now     func() time.Time // of the other node
	lasts   time.Duration    // of its sessions
	vouched int
	secrets map[string][]byte // by session
	ended   map[string]bool
	nonces  map[string]bool
	refused error // what the home says
}

func newAllies(t *testing.T) *allies {
	a := &allies{T: t, now: time.Now, lasts: 15 * time.Minute, secrets: map[string][]byte{}, ended: map[string]bool{}, nonces: map[string]bool{}}
	a.there = httptest.NewServer(http.HandlerFunc(a.serveThere))
	a.home = httptest.NewServer(http.HandlerFunc(a.serveHome))
	t.Cleanup(a.home.Close)
	t.Cleanup(a.there.Close)
	return a
}

func send(w http.ResponseWriter, v any) { _ = json.NewEncoder(w).Encode(v) }

func problem(w http.ResponseWriter, err error) {
	p := genesis.ProblemOf(err, true)
	w.WriteHeader(p.Status)
	send(w, p)
}

func (a *allies) serveHome(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch r.URL.Path {
	case "/v1/node":
		send(w, genesis.NodeInfo{Node: "here"})
	case "/v1/members":
		send(w, genesis.MemberList{Members: []genesis.Member{{ID: "here"}, {ID: "there", URL: a.there.URL + "/"}, {ID: "plain", URL: "http://data.example.edu"}}})
	case "/v1/tokens/peer":
		var req genesis.PeerTokenRequest
		_ = json.NewDecoder(r.Body).Decode(&req)
		if a.refused != nil || r.Header.Get("Authorization") != "Bearer mine" {
			problem(w, a.refused)
			return
		}
		a.vouched++
		send(w, genesis.PeerToken{Token: req.Key})
	}
}

var proofPattern = regexp.MustCompile(`^genesis=\(.*\);created=(\d+);nonce="(.+)";alg="hmac-sha256"$`)

func (a *allies) serveThere(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w.Header().Set("Date", a.now().UTC().Format(http.TimeFormat))
	if r.URL.Path == "/v1/exchange" {
		var req genesis.ExchangeRequest
		_ = json.NewDecoder(r.Body).Decode(&req)
		if genesis.Thumbprint(req.Key) != req.Token || r.Header.Get("Authorization") != "" {
			a.Errorf("the exchange has %+v", req)
		}
		session := fmt.Sprint("gen_g_", len(a.secrets))
		a.secrets[session] = req.Key
		send(w, genesis.PeerSession{Session: session, Expires: a.now().Add(a.lasts)})
		return
	}
	session := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	refuse := func(code genesis.PeerCode) {
		problem(w, &genesis.Error{Kind: genesis.Permission, Code: code, Msg: string(code)})
	}
	said := proofPattern.FindStringSubmatch(r.Header.Get("Signature-Input"))
	if said == nil {
		refuse(genesis.CodeMalformed)
		return
	}
	seconds, _ := strconv.ParseInt(said[1], 10, 64)
	p := genesis.PeerProof{Created: time.Unix(seconds, 0), Nonce: said[2]}
	sum := p.Sum(r, r.URL.EscapedPath(), a.secrets[session])
	switch {
	case r.Header.Get("Signature") != "genesis=:"+base64.StdEncoding.EncodeToString(sum)+":":
		refuse(genesis.CodeBadProof)
	case p.Created.After(a.now().Add(time.Minute)):
		refuse(genesis.CodeNotYet)
	case p.Created.Before(a.now().Add(-time.Minute)) || a.ended[session]:
		refuse(genesis.CodeExpired)
	case a.nonces[p.Nonce]:
		refuse(genesis.CodeReplayed)
	default:
		a.nonces[p.Nonce] = true
		b, _ := io.ReadAll(r.Body)
		send(w, genesis.Principal{Subject: "ada", Node: "here", Purpose: r.Header.Get("Genesis-Purpose") + string(b)})
	}
}

func (a *allies) at() *Client {
	a.Helper()
	c, err := New(a.home.URL, nil).WithToken("mine").WithPurpose("wakes").At(a.Context(), "there")
	if err != nil {
		a.Fatal(err)
	}
	return c
}

func (a *allies) times(want int, what string) {
	a.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.vouched != want {
		a.Errorf("%s: the home vouched %d times, want %d", what, a.vouched, want)
	}
}

func TestAt(t *testing.T) {
	a := newAllies(t)
	c := a.at()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			who, err := c.WhoAmI(t.Context())
			if err != nil || who.Subject != "ada" || who.Purpose != "wakes" {
				t.Errorf("%+v %v", who, err)
			}
		})
	}
	wg.Wait()
	a.times(1, "twenty at once")
	if _, err := c.Describe(t.Context(), "~ada/net@2"); err != nil { // a path that is escaped
		t.Error(err)
	}
	a.mu.Lock()
	for session := range a.secrets {
		a.ended[session] = true
	}
	a.mu.Unlock()
	if _, err := c.Answer(t.Context(), "x", "f", "yes"); err != nil { // with a body, which is sent again
		t.Errorf("after its session was ended: %v", err)
	}
	a.times(2, "another session")
	for id, kind := range map[genesis.NodeID]genesis.ErrorKind{"absent": genesis.NotFound, "plain": genesis.Invalid} {
		if _, err := New(a.home.URL, nil).At(t.Context(), id); genesis.KindOf(err) != kind {
			t.Errorf("%s: %v", id, err)
		}
	}
	a.mu.Lock()
	a.refused = &genesis.Error{Op: "vouch", Kind: genesis.Permission, Msg: "this account is disabled"}
	a.mu.Unlock()
	if _, err := a.at().WhoAmI(t.Context()); genesis.KindOf(err) != genesis.Permission || !strings.Contains(err.Error(), "disabled") {
		t.Errorf("whom the home does not vouch for: %v", err)
	}
}

// TestAtRenews: before a session ends another begins, also while an answer is being read.
func TestAtRenews(t *testing.T) {
	a := newAllies(t)
	a.lasts = 4 * time.Second // renewed after two
	c := a.at()
	resp, err := c.do(t.Context(), http.MethodGet, "/v1/whoami", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	time.Sleep(6 * time.Second) // an answer renews every five seconds at most
	a.times(2, "while an answer is read")
	resp.Body.Close()
	a.times(2, "when it was read")
}

// TestAtClocks: a machine whose clock is a day off is told so once, and is understood.
func TestAtClocks(t *testing.T) {
	for _, off := range []time.Duration{24 * time.Hour, -24 * time.Hour} {
		a := newAllies(t)
		a.now = func() time.Time { return time.Now().Add(off) }
		c := a.at()
		for range 3 {
			if _, err := c.WhoAmI(t.Context()); err != nil {
				t.Errorf("%s: %v", off, err)
			}
		}
		a.times(1, off.String())
		a.mu.Lock()
		for session := range a.secrets { // and then it ends, and the clock is wrong in another way
			a.ended[session] = true
		}
		a.now = time.Now
		a.mu.Unlock()
		if _, err := c.WhoAmI(t.Context()); err != nil {
			t.Errorf("%s, and ended: %v", off, err)
		}
		a.times(2, "both at once")
	}
}

// TestAtSignsForOneNode: what another node redirects to is not followed, and nothing that
// is signed goes to another machine.
func TestAtSignsForOneNode(t *testing.T) {
	a := newAllies(t)
	stranger := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was asked") }))
	defer stranger.Close()
	c := a.at()
	c.base = stranger.URL
	if _, err := c.WhoAmI(t.Context()); genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("%v", err)
	}
}

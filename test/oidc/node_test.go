package oidc

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access/identity"
	"github.com/opengenesis/genesis/internal/store"
)

// node is a node that serves signing in and nothing else.
type node struct {
	*identity.Identity
	url      string
	provider *provider
	wire     *wire

	mu      sync.Mutex
	offset  time.Duration
	logs    bytes.Buffer
	events  []identity.Event
	changes int
	got     genesis.NewToken // the last session
}

var owner = genesis.Principal{Subject: "local", Duties: genesis.Duties}

// startNode starts a provider and a node that knows it as "campus".
func startNode(t *testing.T, change ...func(*identity.Provider)) *node {
	t.Helper()
	n := &node{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { n.serve(w, r) }))
	t.Cleanup(server.Close)
	n.url = server.URL
	n.provider = startProvider(t, n.url)
	n.wire = &wire{provider: n.provider}
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte(clientPassword+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	campus := identity.Provider{ID: "campus", Issuer: n.provider.issuer, ClientID: secretClient, ClientSecretFile: secret}
	for _, f := range change {
		f(&campus)
	}
	db, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	n.Identity, err = identity.Open(t.Context(), identity.Config{DB: db, Node: "nrel", Providers: []identity.Provider{campus}, External: n.url,
		Now: n.now, HTTP: &http.Client{Transport: n.wire}, Log: slog.New(slog.NewTextHandler(&n.logs, nil)), Record: n.record, Changed: n.changed})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

func (n *node) now() time.Time {
	n.mu.Lock()
	defer n.mu.Unlock()
	return time.Now().Add(n.offset)
}

// wait moves the node's clock.
func (n *node) wait(d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.offset += d
}

func (n *node) record(_ context.Context, _ *sql.Tx, e identity.Event) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.events = append(n.events, e)
	return nil
}

func (n *node) changed() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.changes++
}

// serve is what the API does with the two calls.
func (n *node) serve(w http.ResponseWriter, r *http.Request) {
	fail := func(err error) {
		http.Error(w, err.Error(), genesis.KindOf(err).HTTPStatus())
	}
	switch r.URL.Path {
	case "/auth/start":
		to, cookie, err := n.StartOIDC(r.Context(), "campus", r.URL.Query().Get("next"))
		if err != nil {
			fail(err)
			return
		}
		http.SetCookie(w, &http.Cookie{Name: "flow", Value: cookie, Path: identity.CallbackPath, HttpOnly: true, SameSite: http.SameSiteLaxMode})
		http.Redirect(w, r, to, http.StatusFound)
	case identity.CallbackPath:
		cookie := ""
		if c, err := r.Cookie("flow"); err == nil {
			cookie = c.Value
		}
		token, next, err := n.FinishOIDC(r.Context(), cookie, r.URL.Query())
		if err != nil {
			fail(err)
			return
		}
		n.mu.Lock()
		n.got = token
		n.mu.Unlock()
		http.Redirect(w, r, next, http.StatusFound)
	default:
		io.WriteString(w, "welcome to "+r.URL.String())
	}
}

// browser follows redirects and fills in the provider's form.
type browser struct {
	*http.Client
	t *testing.T
	n *node
	// callback sees, and may change, the way back to the node.
	callback func(*url.URL)
}

func (n *node) browser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{Client: &http.Client{Jar: jar}, t: t, n: n}
	b.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if b.callback != nil && strings.HasPrefix(r.URL.String(), n.url+identity.CallbackPath) {
			b.callback(r.URL)
		}
		return nil
	}
	return b
}

var formID = regexp.MustCompile(`name="id" value="([^"]*)"`)

// page is where a browser ended up.
type page struct {
	status int
	path   string
	text   string
}

func (b *browser) read(resp *http.Response, err error) page {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return page{resp.StatusCode, resp.Request.URL.RequestURI(), strings.TrimSpace(string(text))}
}

// signIn goes all the way, from the node to the provider and back.
func (b *browser) signIn(user, next string) page {
	b.t.Helper()
	form := b.read(b.Get(b.n.url + "/auth/start?next=" + url.QueryEscape(next)))
	id := formID.FindStringSubmatch(form.text)
	if id == nil {
		return form
	}
	return b.read(b.PostForm(b.n.provider.issuer+"/login/username", url.Values{"id": {id[1]}, "username": {user}, "password": {password}}))
}

// in signs somebody in and returns who they are.
func (n *node) in(t *testing.T, user string) genesis.Principal {
	t.Helper()
	if p := n.browser(t).signIn(user, "/datasets?q=wind"); p.status != http.StatusOK || p.path != "/datasets?q=wind" {
		t.Fatalf("signing in ends at %+v\n%s", p, n.logs.String())
	}
	p, err := n.Authenticate(t.Context(), n.got.Secret)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// out fails unless signing in is refused with a status and words.
func (n *node) out(t *testing.T, status int, words string) {
	t.Helper()
	p := n.browser(t).signIn(ada, "/")
	if p.status != status || !strings.Contains(p.text, words) {
		t.Errorf("signing in ends with %d %q, want %d %q", p.status, p.text, status, words)
	}
}

// wire is between the node and the provider. Its functions change what goes
// over it.
type wire struct {
	provider *provider
	form     func(url.Values)     // of the token request
	claims   func(map[string]any) // of the ID token, signed again
	token    func(string) string  // the ID token as it is sent
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasSuffix(r.URL.Path, "/token") {
		return http.DefaultTransport.RoundTrip(r)
	}
	if w.form != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, err
		}
		w.form(form)
		r = r.Clone(r.Context())
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(form.Encode())), int64(len(form.Encode()))
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil || w.claims == nil && w.token == nil || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	defer resp.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return nil, err
	}
	raw, _ := answer["id_token"].(string)
	if w.claims != nil {
		raw = w.sign(raw)
	}
	if w.token != nil {
		raw = w.token(raw)
	}
	if answer["id_token"] = raw; raw == "" {
		delete(answer, "id_token")
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return nil, err
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	resp.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return resp, nil
}

// sign changes the claims of an ID token, and signs it with the provider's key.
func (w *wire) sign(raw string) string {
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
	if err != nil {
		panic(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		panic(err)
	}
	w.claims(claims)
	payload, err = json.Marshal(claims)
	if err != nil {
		panic(err)
	}
	w.provider.mu.Lock()
	k := w.provider.key
	w.provider.mu.Unlock()
	return signed(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: k.private, KeyID: k.id}}, payload)
}

func signed(k jose.SigningKey, payload []byte) string {
	signer, err := jose.NewSigner(k, nil)
	if err != nil {
		panic(err)
	}
	object, err := signer.Sign(payload)
	if err != nil {
		panic(err)
	}
	text, err := object.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return text
}

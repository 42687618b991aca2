package web

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access/identity"
)

// fakeDoor lets in whoever knows the password, and keeps who signed out.
type fakeDoor struct {
	out  []genesis.PersonID
	fail error // what everything answers
}

const password = "a long and harmless password"

func (d *fakeDoor) SignInMethods(context.Context) genesis.SignInMethods {
	return genesis.SignInMethods{Password: true, Providers: []genesis.SignInProvider{{ID: "campus", Name: "Campus <login>"}}}
}

func (d *fakeDoor) SignIn(_ context.Context, _ string, req genesis.SignInRequest) (*genesis.NewToken, error) {
	if d.fail != nil {
		return nil, d.fail
	}
	if req.Password != password {
		return nil, &genesis.Error{Op: "sign in", Kind: genesis.Permission, Subject: req.Subject, Msg: "the name or the password is wrong"}
	}
	return fresh(), nil
}

func fresh() *genesis.NewToken {
	return &genesis.NewToken{Secret: "secret", Token: genesis.Token{Expires: time.Now().Add(time.Hour)}}
}

func (d *fakeDoor) SignOut(_ context.Context, who genesis.Principal) error {
	d.out = append(d.out, who.Person())
	return nil
}

func (d *fakeDoor) AnswerDevice(context.Context, genesis.Principal, string, bool) error {
	return d.fail
}

func (d *fakeDoor) StartOIDC(context.Context, string, string) (string, string, error) {
	return "https://login.example.edu/authorize", "state", d.fail
}

func (d *fakeDoor) FinishOIDC(context.Context, string, map[string][]string) (*genesis.NewToken, string, error) {
	return fresh(), "https://evil.example/", d.fail
}

// site is the pages, and a browser that follows nothing.
type site struct {
	*testing.T
	door   *fakeDoor
	url    string
	log    bytes.Buffer
	client *http.Client
}

// open serves the pages; whoever brings a session is ada.
func open(t *testing.T, secure bool) *site {
	t.Helper()
	s := &site{T: t, door: &fakeDoor{}}
	type key struct{}
	mux := http.NewServeMux()
	c := Cookies{Secure: secure}
	Register(mux, Config{Door: s.door, Node: "nrel", Cookies: c, Log: slog.New(slog.NewTextHandler(&s.log, nil)), Caller: func(ctx context.Context) genesis.Principal {
		p, _ := ctx.Value(key{}).(genesis.Principal)
		return p
	}})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.Session(r) != "" {
			r = r.WithContext(context.WithValue(r.Context(), key{}, genesis.Principal{Subject: "ada", Node: "nrel", Credential: "old"}))
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	s.url, s.client = srv.URL, &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return s
}

// ask makes a request with headers given as pairs and returns the answer with its
// body.
func (s *site) ask(method, path string, form url.Values, header ...string) (*http.Response, string) {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), method, s.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.Fatal(err)
	}
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := s.client.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.Fatal(err)
	}
	return resp, string(b)
}

const (
	plainSession  = "genesis_session=secret"
	secureSession = "__Host-genesis_session=secret"
)

// TestCookies: every cookie of every page is for this host, for requests and not for
// scripts, and does not come along when another site posts; where the node is reached
// over TLS, for TLS alone.
func TestCookies(t *testing.T) {
	for _, secure := range []bool{true, false} {
		s := open(t, secure)
		seen := map[string]bool{}
		for _, r := range []struct {
			method, path string
			form         url.Values
		}{
			{"POST", "/signin", url.Values{"subject": {"ada"}, "password": {password}}},
			{"POST", "/signout", nil},
			{"GET", "/signin/with/campus", nil},
			{"GET", "/auth/callback", nil},
		} {
			resp, _ := s.ask(r.method, r.path, r.form)
			if len(resp.Cookies()) == 0 {
				t.Errorf("%s %s sets no cookie", r.method, r.path)
			}
			for _, c := range resp.Cookies() {
				seen[strings.TrimPrefix(c.Name, "__Host-")] = true
				if c.Secure != secure || strings.HasPrefix(c.Name, "__Host-") != secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
					t.Errorf("secure %v: %s %s sets %s", secure, r.method, r.path, c)
				}
			}
		}
		if len(seen) != 2 {
			t.Errorf("the cookies are %v", seen)
		}
	}
}

// TestCookieOfAnotherName: over TLS a session counts only under the name that no
// other host can set.
func TestCookieOfAnotherName(t *testing.T) {
	c := Cookies{Secure: true}
	for cookie, want := range map[string]string{secureSession: "secret", plainSession: ""} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Cookie", cookie)
		if got := c.Session(r); got != want {
			t.Errorf("%s gives %q", cookie, got)
		}
	}
}

// TestSignInEndsTheOldSession: the session that a browser has ends when it signs in
// again, and nobody is signed out by a password that is wrong.
func TestSignInEndsTheOldSession(t *testing.T) {
	s := open(t, false)
	s.ask("POST", "/signin", url.Values{"subject": {"ada"}, "password": {"wrong"}}, "Cookie", plainSession)
	s.ask("POST", "/signin", url.Values{"subject": {"ada"}, "password": {password}})
	if len(s.door.out) != 0 {
		t.Errorf("signed out: %v", s.door.out)
	}
	s.ask("POST", "/signin", url.Values{"subject": {"ada"}, "password": {password}}, "Cookie", plainSession)
	s.ask("GET", "/auth/callback", nil, "Cookie", plainSession)
	if want := []genesis.PersonID{"nrel/ada", "nrel/ada"}; !slices.Equal(s.door.out, want) {
		t.Errorf("signed out: %v, want %v", s.door.out, want)
	}
}

// TestSignOut: it is on every page of somebody who is signed in, and the browser
// forgets what it kept.
func TestSignOut(t *testing.T) {
	s := open(t, false)
	for _, path := range []string{"/signin", "/device"} {
		if _, page := s.ask("GET", path, nil, "Cookie", plainSession); !strings.Contains(page, `<form method="post" action="/signout">`) {
			t.Errorf("%s has no way out:\n%s", path, page)
		}
	}
	resp, _ := s.ask("POST", "/signout", nil, "Cookie", plainSession)
	i := slices.IndexFunc(resp.Cookies(), func(c *http.Cookie) bool { return c.Name == sessionCookie })
	if i < 0 || resp.Cookies()[i].MaxAge >= 0 || resp.Header.Get("Clear-Site-Data") != `"cache", "storage"` || len(s.door.out) != 1 {
		t.Errorf("signed out %v with %v", s.door.out, resp.Header)
	}
}

// TestSilentSignIn: a link on another site does not begin a sign-in, which the
// provider might end without asking anybody.
func TestSilentSignIn(t *testing.T) {
	s := open(t, false)
	for site, status := range map[string]int{"cross-site": 200, "same-site": 200, "same-origin": 303, "none": 303} {
		resp, _ := s.ask("GET", "/signin/with/campus?next=/device", nil, "Sec-Fetch-Site", site)
		if resp.StatusCode != status || len(resp.Cookies()) > 0 != (status == 303) {
			t.Errorf("%s: %s, %v", site, resp.Status, resp.Cookies())
		}
	}
}

// TestWrongCode: whoever mistypes a code is told that, not that something is hidden.
func TestWrongCode(t *testing.T) {
	s := open(t, false)
	s.door.fail = &genesis.Error{Op: "answer terminal", Kind: genesis.NotFound, Msg: "no terminal waits with this code"}
	resp, page := s.ask("POST", "/device", url.Values{"code": {"ABCD-EFGH"}, "answer": {"approve"}}, "Cookie", plainSession)
	if resp.StatusCode != 404 || !strings.Contains(page, "the code is wrong or has expired") || strings.Contains(page, "not for you") || !strings.Contains(page, `value="ABCD-EFGH"`) {
		t.Errorf("%s:\n%s", resp.Status, page)
	}
}

// TestTextIsText: what people typed is text wherever it appears.
func TestTextIsText(t *testing.T) {
	s := open(t, false)
	const hostile = `"><script>alert(1)</script><b a='`
	for _, r := range []struct {
		method, path string
		form         url.Values
		cookie       string
	}{
		{"POST", "/signin", url.Values{"subject": {hostile}, "password": {hostile}, "next": {"/" + hostile}}, "x=y"},
		{"GET", "/signin?" + url.Values{"next": {"/" + hostile}}.Encode(), nil, "x=y"},
		{"GET", "/device?" + url.Values{"code": {hostile}}.Encode(), nil, plainSession},
	} {
		_, page := s.ask(r.method, r.path, r.form, "Cookie", r.cookie)
		if !strings.Contains(page, "alert") || strings.Contains(page, "<script") || strings.Contains(page, "<b ") {
			t.Errorf("%s %s:\n%s", r.method, r.path, page)
		}
	}
	if _, page := s.ask("GET", "/signin", nil); !strings.Contains(page, "Campus &lt;login&gt;") {
		t.Errorf("the provider's name is markup:\n%s", page)
	}
}

// TestNextStaysHere: nobody is sent to another site but to a provider.
func TestNextStaysHere(t *testing.T) {
	s := open(t, false)
	for next, want := range map[string]string{"/device?code=X": "/device?code=X", "": "/signin", "https://evil.example": "/signin", "//evil.example": "/signin",
		`/\evil.example`: "/signin", "javascript:alert(1)": "/signin", "data:text/html,x": "/signin", "/\n/evil": "/signin", "evil": "/signin"} {
		resp, _ := s.ask("POST", "/signin", url.Values{"subject": {"ada"}, "password": {password}, "next": {next}})
		if got := resp.Header.Get("Location"); got != want {
			t.Errorf("%q leads to %q", next, got)
		}
	}
	if resp, _ := s.ask("GET", "/auth/callback", nil); resp.Header.Get("Location") != "/signin" {
		t.Errorf("from the provider on to %s", resp.Header.Get("Location"))
	}
}

// TestPagesAreSelfContained: no scripts, no plugins, nothing from elsewhere, nothing
// kept; passwords are masked, and password managers may fill them in.
func TestPagesAreSelfContained(t *testing.T) {
	s := open(t, false)
	foreign := regexp.MustCompile(`(?i)<(script|object|embed|applet|iframe|base)|\son[a-z]+=|(src|href|action)="(https?:)?//|javascript:|<style|style="`)
	for path, cookie := range map[string]string{"/signin": "x=y", "/device": plainSession} {
		resp, page := s.ask("GET", path, nil, "Cookie", cookie)
		if found := foreign.FindString(page); found != "" || resp.StatusCode != 200 {
			t.Errorf("%s: %s, has %q", path, resp.Status, found)
		}
		csp := resp.Header.Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"} {
			if !strings.Contains(csp, want) || strings.Contains(csp, "unsafe") {
				t.Errorf("%s: the policy is %q", path, csp)
			}
		}
		if resp.Header.Get("Cache-Control") != "no-store" || resp.Header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%s: %v", path, resp.Header)
		}
	}
	_, page := s.ask("GET", "/signin", nil)
	field := regexp.MustCompile(`<input id="password"[^>]*>`).FindString(page)
	if !strings.Contains(field, `type="password"`) || !strings.Contains(field, `autocomplete="current-password"`) || strings.Contains(field, "onpaste") {
		t.Errorf("the field of the password is %s", field)
	}
}

// TestTroubleIsLogged: why somebody cannot sign in is in the log with its cause, and
// not on the page; wrong passwords and guesses that are cut short are not trouble.
func TestTroubleIsLogged(t *testing.T) {
	cause := errors.New("x509: certificate signed by unknown authority")
	for name, c := range map[string]struct {
		err    error
		logged bool
	}{
		"provider":  {&genesis.Error{Op: "sign in", Kind: genesis.Unavailable, Subject: "campus", Msg: "does not answer", Err: cause}, true},
		"disk":      {&genesis.Error{Op: "sign in", Kind: genesis.Internal, Msg: "broken", Err: cause}, true},
		"too often": {&genesis.Error{Op: "sign in", Kind: genesis.Unavailable, Msg: "too often", Err: identity.TooMany(1500 * time.Millisecond)}, false},
		"wrong":     {&genesis.Error{Op: "sign in", Kind: genesis.Permission, Msg: "wrong"}, false},
	} {
		for _, r := range [][2]string{{"POST", "/signin"}, {"GET", "/signin/with/campus"}, {"GET", "/auth/callback"}} {
			s := open(t, false)
			s.door.fail = c.err
			resp, page := s.ask(r[0], r[1], url.Values{"subject": {"ada"}, "password": {password}})
			status, wait := genesis.KindOf(c.err).HTTPStatus(), ""
			if name == "too often" {
				status, wait = http.StatusTooManyRequests, "2"
			}
			if got := resp.Header.Get("Retry-After"); got != wait {
				t.Errorf("%s at %s: to come again in %q, want %q", name, r[1], got, wait)
			}
			if resp.StatusCode != status || strings.Contains(page, "x509") {
				t.Errorf("%s at %s: %s\n%s", name, r[1], resp.Status, page)
			}
			if log := s.log.String(); strings.Contains(log, "x509") != c.logged || (log != "") != c.logged || strings.Contains(log, password) {
				t.Errorf("%s at %s is logged as %q", name, r[1], log)
			}
		}
	}
}

// TestNoFolderIsListed: files are served by name, their folder is not.
func TestNoFolderIsListed(t *testing.T) {
	s := open(t, false)
	for path, status := range map[string]int{"/static/door.css": 200, "/static/": 404, "/static": 404, "/templates/": 404} {
		if resp, body := s.ask("GET", path, nil); resp.StatusCode != status || strings.Contains(body, "<pre>") {
			t.Errorf("%s: %s\n%s", path, resp.Status, body)
		}
	}
}

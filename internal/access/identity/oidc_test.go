package identity

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/opengenesis/genesis"
)

// answers is a provider in a map: path to body. What is missing is not found.
type answers map[string]string

func (a answers) RoundTrip(r *http.Request) (*http.Response, error) {
	resp := &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Header: http.Header{"Content-Type": {"application/json"}}, Request: r}
	body, ok := a[r.URL.Path]
	if !ok {
		resp.StatusCode, resp.Status = http.StatusNotFound, "404 Not Found"
	}
	resp.Body = io.NopCloser(strings.NewReader(body))
	return resp, nil
}

const wellKnown = "/.well-known/openid-configuration"

func discovery(change func(map[string]any)) string {
	doc := map[string]any{"issuer": "https://login.example.edu", "authorization_endpoint": "https://login.example.edu/auth",
		"token_endpoint": "https://login.example.edu/token", "jwks_uri": "https://login.example.edu/keys"}
	if change != nil {
		change(doc)
	}
	text, _ := json.Marshal(doc)
	return string(text)
}

var campus = Provider{ID: "campus", Issuer: "https://login.example.edu", ClientID: "genesis"}

func withProvider(p Provider, a answers) func(*Config) {
	return func(c *Config) { c.Providers, c.HTTP = []Provider{p}, &http.Client{Transport: a} }
}

func TestProviderConfig(t *testing.T) {
	w := open(t)
	for name, change := range map[string]func(*Provider){
		"id":               func(p *Provider) { p.ID = "Our Campus" },
		"no issuer":        func(p *Provider) { p.Issuer = "" },
		"http":             func(p *Provider) { p.Issuer = "http://login.example.edu" },
		"user in issuer":   func(p *Provider) { p.Issuer = "https://a:b@login.example.edu" },
		"no client":        func(p *Provider) { p.ClientID = "" },
		"prompt":           func(p *Provider) { p.Prompt = "none" },
		"negative":         func(p *Provider) { p.Remember = -1 },
		"by address":       func(p *Provider) { p.SubjectClaim = "email" },
		"by user name":     func(p *Provider) { p.SubjectClaim = "preferred_username" },
		"admit":            func(p *Provider) { p.Admit = "claims." },
		"admit no truth":   func(p *Provider) { p.Admit = `"yes"` },
		"empty rule":       func(p *Provider) { p.Rules = []Rule{{Student: true}} },
		"no variable":      func(p *Provider) { p.Rules = []Rule{{When: `"x" in groups`, Student: true}} },
		"long rule":        func(p *Provider) { p.Rules = []Rule{{When: strings.Repeat("true||", 1000) + "true", Student: true}} },
		"no consequence":   func(p *Provider) { p.Rules = []Rule{{When: "true"}} },
		"no such duty":     func(p *Provider) { p.Rules = []Rule{{When: "true", Duties: []genesis.Duty{"king"}}} },
		"no such class":    func(p *Provider) { p.Rules = []Rule{{When: "true", Citizenship: "martian"}} },
		"no such sureness": func(p *Provider) { p.Rules = []Rule{{When: "true", Assurance: "very"}} },
		"refuses":          func(p *Provider) { p.Rules = []Rule{{When: "true", Vetting: genesis.VettingRefused}} },
	} {
		t.Run(name, func(t *testing.T) {
			p := campus
			change(&p)
			_, err := Open(t.Context(), Config{DB: w.db, Node: "nrel", Record: w.record, External: "https://data.example.edu", Providers: []Provider{p}})
			wants(t, err, genesis.Invalid, nil)
			if !strings.Contains(err.Error(), p.ID) {
				t.Errorf("%v does not name the provider", err)
			}
		})
	}
}

func TestProvidersAreListed(t *testing.T) {
	lab := campus
	lab.ID, lab.Title = "a-lab", "The Laboratory"
	w := open(t, func(c *Config) { c.Providers = []Provider{campus, lab} })
	equal(t, w.Providers(), []ProviderInfo{{"a-lab", "The Laboratory"}, {"campus", "campus"}})
	equal(t, open(t).Providers(), []ProviderInfo{})
}

// TestDiscoveryRefuses serves discovery documents that are not to be followed.
func TestDiscoveryRefuses(t *testing.T) {
	for name, body := range map[string]string{
		"nothing":            "",
		"no JSON":            "<html>",
		"another issuer":     discovery(func(d map[string]any) { d["issuer"] = "https://other.example" }),
		"http keys":          discovery(func(d map[string]any) { d["jwks_uri"] = "http://login.example.edu/keys" }),
		"http token":         discovery(func(d map[string]any) { d["token_endpoint"] = "http://login.example.edu/token" }),
		"http authorization": discovery(func(d map[string]any) { d["authorization_endpoint"] = "javascript:alert(1)" }),
		"http userinfo":      discovery(func(d map[string]any) { d["userinfo_endpoint"] = "file:///etc/passwd" }),
		"no keys":            discovery(func(d map[string]any) { delete(d, "jwks_uri") }),
		"too long":           discovery(func(d map[string]any) { d["more"] = strings.Repeat("x", providerBytes) }),
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, withProvider(campus, answers{wellKnown: body}))
			_, _, err := w.StartOIDC(t.Context(), "campus", "/")
			wants(t, err, genesis.Unavailable, nil)
			if !strings.Contains(err.Error(), "campus") {
				t.Errorf("%v does not name the provider", err)
			}
		})
	}
	w := open(t, withProvider(campus, answers{wellKnown: discovery(nil)}))
	if _, _, err := w.StartOIDC(t.Context(), "campus", "/"); err != nil {
		t.Errorf("a good one: %v", err)
	}
}

// TestRedirectsAreNotFollowed keeps a provider from sending the node elsewhere.
func TestRedirectsAreNotFollowed(t *testing.T) {
	asked := []string{}
	c := guarded(&http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		asked = append(asked, r.URL.Host)
		return &http.Response{StatusCode: http.StatusFound, Header: http.Header{"Location": {"http://169.254.169.254/"}}, Body: http.NoBody, Request: r}, nil
	})})
	resp, err := c.Get("https://login.example.edu/keys")
	if err != nil || resp.StatusCode != http.StatusFound || !slices.Equal(asked, []string{"login.example.edu"}) {
		t.Errorf("%v, asked %v", err, asked)
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestCertificatesOfProviders: a provider whose certificate nobody trusts is asked
// for nothing.
func TestCertificatesOfProviders(t *testing.T) {
	asked := false
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0) // says that the handshake failed
	srv.StartTLS()
	defer srv.Close()
	w := open(t, func(c *Config) { c.Providers = []Provider{{ID: "campus", Issuer: srv.URL, ClientID: "genesis"}} })
	_, _, err := w.StartOIDC(t.Context(), "campus", "/")
	wants(t, err, genesis.Unavailable, nil)
	var unknown x509.UnknownAuthorityError
	if !errors.As(err, &unknown) || asked {
		t.Errorf("asked %v: %v", asked, err)
	}
}

func TestSecureURL(t *testing.T) {
	for u, want := range map[string]bool{
		"https://login.example.edu": true, "https://login.example.edu/realms/x": true, "http://localhost:8080": true, "http://127.0.0.1:1": true, "http://[::1]:1": true,
		"http://login.example.edu": false, "http://localhost.example.edu": false, "http://127.0.0.1.example.edu": false, "https://": false, "login.example.edu": false,
		"https://a@login.example.edu": false, "https://login.example.edu/#x": false, "ftp://localhost": false, "": false, "https://%zz": false,
	} {
		if got := secureURL(u); got != want {
			t.Errorf("%q: %v, want %v", u, got, want)
		}
	}
}

func TestReadKeys(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Skip("this mode makes no weak keys: ", err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set := func(keys ...any) []byte {
		text, err := json.Marshal(map[string]any{"keys": keys})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	good := jose.JSONWebKey{Key: &curve.PublicKey, KeyID: "good", Use: "sig"}
	keys, err := readKeys(set(jose.JSONWebKey{Key: &weak.PublicKey, KeyID: "weak"}, jose.JSONWebKey{Key: &curve.PublicKey, KeyID: "enc", Use: "enc"},
		jose.JSONWebKey{Key: curve, KeyID: "private"}, jose.JSONWebKey{Key: []byte("a secret of both"), KeyID: "oct"}, map[string]any{"kty": "new"}, good))
	if err != nil || len(keys) != 1 || keys[0].KeyID != "good" {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	for _, bad := range []string{"", "[]", "{}", `{"keys":[]}`, `{"keys":[7]}`} {
		if _, err := readKeys([]byte(bad)); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

// TestKeysLast holds how long keys do that cannot be asked for again.
func TestKeysLast(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "k"}}})
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	object, err := signer.Sign([]byte("{}"))
	if err != nil {
		t.Fatal(err)
	}
	token, err := object.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_000_000, 0)
	there := answers{"/keys": string(text)}
	s := newKeySet("https://login.example.edu/keys", &http.Client{Transport: there}, func() time.Time { return now })
	verify := func() error {
		_, err := s.VerifySignature(t.Context(), token)
		return err
	}
	if err := verify(); err != nil {
		t.Fatal(err)
	}
	delete(there, "/keys")
	now = now.Add(keysLast - time.Second)
	if err := verify(); err != nil {
		t.Errorf("within a day: %v", err)
	}
	now = now.Add(time.Hour)
	if err := verify(); !errors.Is(err, errKeys) {
		t.Errorf("after a day: %v", err)
	}
	there["/keys"] = string(text)
	now = now.Add(time.Minute)
	if err := verify(); err != nil {
		t.Errorf("when they are there again: %v", err)
	}
}

func TestBackoff(t *testing.T) {
	var b backoff
	now := time.Unix(0, 0)
	var waits []time.Duration
	for range 9 {
		b.failed(now)
		waits = append(waits, b.next.Sub(now))
		if b.ready(b.next.Add(-1)) || !b.ready(b.next) {
			t.Error("not ready when it should be")
		}
	}
	s := time.Second
	equal(t, waits, []time.Duration{s, 2 * s, 4 * s, 8 * s, 16 * s, 32 * s, 60 * s, 60 * s, 60 * s})
}

func TestSpent(t *testing.T) {
	var s spent
	now := time.Unix(1000, 0)
	if !s.take("a", now.Add(time.Minute), now) || s.take("a", now.Add(time.Minute), now) {
		t.Error("a state is not spent once")
	}
	for n := len(s.states); n < mostSpent; n++ {
		s.take(fmt.Sprint(n), now.Add(time.Minute), now)
	}
	if s.take("one more", now.Add(time.Minute), now) {
		t.Error("there is no limit")
	}
	if !s.take("later", now.Add(time.Hour), now.Add(2*time.Minute)) || len(s.states) != 1 {
		t.Errorf("%d states stay", len(s.states))
	}
}

func TestSubjects(t *testing.T) {
	a := subjectOf("https://login.example.edu", "1")
	if err := genesis.CheckSubject(a); err != nil || !derivedSubject.MatchString(a) {
		t.Errorf("%s: %v", a, err)
	}
	const pinned = "u-4zsk7zvogvx7j2fryoen" // must never change: accounts hang on it
	if a != pinned {
		t.Errorf("the subject is %s, and was %s", a, pinned)
	}
	if a == subjectOf("https://login.example.ed", "u1") || a == subjectOf("https://login.example.edu", "2") {
		t.Error("two people have one subject")
	}
	sub, oid := provider{Provider: Provider{SubjectClaim: "sub"}}, provider{Provider: Provider{SubjectClaim: "oid"}}
	if sub.outside("1") == oid.outside("1") {
		t.Error("one claim passes for another")
	}
}

// TestRulesOnlyGive holds that rules that cannot be evaluated do not hold, cost
// little, and do not undo others.
func TestRulesOnlyGive(t *testing.T) {
	p := campus
	p.Rules = []Rule{
		{When: `claims.missing == "x"`, Duties: []genesis.Duty{genesis.DutyOfficer}},
		{When: `claims.groups > 3`, Assurance: genesis.AssuranceMFA},
		{When: `claims.groups`, Student: true},
		{When: `claims.many.all(a, claims.many.all(b, claims.many.all(c, a + b + c != "x")))`, Citizenship: genesis.USCitizen},
		{When: `"wind" in claims.groups`, Duties: []genesis.Duty{genesis.DutySteward}},
	}
	compiled, err := compileRules(p)
	if err != nil {
		t.Fatal(err)
	}
	many := make([]any, 500)
	for n := range many {
		many[n] = strings.Repeat("y", 100)
	}
	began := time.Now()
	f, admitted := compiled.apply(t.Context(), claims{"groups": []any{"wind"}, "many": many})
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it took %s", took)
	}
	equal(t, f.duties, list[genesis.Duty]{genesis.DutySteward})
	if !admitted || f.assurance != genesis.AssurancePassword || f.student || f.citizenship != "" {
		t.Errorf("%+v", f)
	}
}

func TestClaims(t *testing.T) {
	c, err := readClaims([]byte(`{"a":"x","list":["x",7,"y","\u0000",null],"n":7,"long":"` + strings.Repeat("x", 300) + `"}`))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, c.texts("list", 10), []string{"x", "y"})
	equal(t, c.texts("list", 1), []string{"x"})
	equal(t, c.texts("a", 10), []string{"x"})
	equal(t, c.texts("n", 10), []string{})
	equal(t, []string{c.text("a", 10), c.text("n", 10), c.text("long", 200), c.text("missing", 10)}, []string{"x", "", "", ""})
	for _, bad := range []string{"", "null", "[]", `{"a":`} {
		if _, err := readClaims([]byte(bad)); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
}

// FuzzFinishOIDC brings any cookie and any answer. None gets a session, and none
// is answered with anything but a refusal.
func FuzzFinishOIDC(f *testing.F) {
	w := open(f, withProvider(campus, answers{wellKnown: discovery(nil)}))
	_, cookie, err := w.StartOIDC(context.Background(), "campus", "/")
	if err != nil {
		f.Fatal(err)
	}
	f.Add("", "")
	f.Add(cookie, "state=x&code=y")
	f.Add(cookie[:len(cookie)-1], "state=&error=access_denied")
	f.Add("sealed1:AAAA", "code=%00&state=%ff")
	f.Fuzz(func(t *testing.T, cookie, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		_, _, err = w.FinishOIDC(t.Context(), cookie, q)
		wants(t, err, genesis.Permission, BadProof)
	})
}

// FuzzCallback goes past the cookie: whatever the provider's answer says, without
// a provider that takes the code back there is no session.
func FuzzCallback(f *testing.F) {
	w := open(f, withProvider(campus, answers{wellKnown: discovery(nil)}))
	p := w.providers["campus"]
	f.Add("code=x")
	f.Add("error=access_denied&error_description=no")
	f.Add("code=x&iss=https%3A%2F%2Flogin.example.edu")
	f.Fuzz(func(t *testing.T, query string) {
		q, err := url.ParseQuery(query)
		if err != nil {
			return
		}
		_, err = w.fromProvider(t.Context(), p, flow{Provider: "campus", Verifier: "v", Nonce: "n"}, q)
		wants(t, err, genesis.Permission, BadProof)
		if words := q.Get("error"); len(words) > 45 && strings.Contains(err.Error(), words) {
			t.Errorf("%v repeats what a stranger says", err)
		}
	})
}

// FuzzLocalPath holds that a browser that is sent to a path that is taken stays
// on the node, as net/url and browsers (which read \ as /) see it.
func FuzzLocalPath(f *testing.F) {
	for _, s := range []string{"/", "/a?b=c#d", "//evil", `/\evil`, "/%2f/evil", "/\t/evil", "http://evil", "/..//evil"} {
		f.Add(s)
	}
	base, _ := url.Parse("https://data.example.edu/auth/callback")
	f.Fuzz(func(t *testing.T, next string) {
		if !localPath(next) {
			return
		}
		browser := strings.NewReplacer(`\`, "/", "\t", "", "\n", "", "\r", "").Replace(next)
		u, err := base.Parse(browser)
		if err != nil || u.Host != base.Host || u.Scheme != base.Scheme || strings.HasPrefix(browser, "//") {
			t.Errorf("%q leads to %v, %v", next, u, err)
		}
	})
}

// FuzzRule compiles any rule and applies it to claims: it is refused, or it ends
// soon in yes or no.
func FuzzRule(f *testing.F) {
	for _, s := range []string{`"a" in claims.groups`, `claims.acr == "x"`, "true", `claims.?a.orValue("") == "b"`, `claims.groups.exists(g, g.matches("^a+$"))`, `[1,2].map(x, x*x) == []`} {
		f.Add(s, `{"groups":["a"],"acr":"x"}`)
	}
	f.Fuzz(func(t *testing.T, when, body string) {
		p := campus
		p.Admit, p.Rules = when, []Rule{{When: when, Student: true}}
		compiled, err := compileRules(p)
		if err != nil {
			wants(t, err, genesis.Invalid, nil)
			return
		}
		c, err := readClaims([]byte(body))
		if err != nil {
			return
		}
		facts, admitted := compiled.apply(t.Context(), c)
		if facts.student != admitted {
			t.Errorf("one expression says %v and %v", facts.student, admitted)
		}
	})
}

// FuzzIDToken verifies any ID token.
func FuzzIDToken(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, nil)
	if err != nil {
		f.Fatal(err)
	}
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "k", Use: "sig"}}})
	if err != nil {
		f.Fatal(err)
	}
	w := open(f, withProvider(campus, answers{wellKnown: discovery(nil), "/keys": string(keys)}))
	p := w.providers["campus"]
	d, err := p.discover(context.Background())
	if err != nil {
		f.Fatal(err)
	}
	now := w.clock.now().Unix()
	good := fmt.Sprintf(`{"iss":"https://login.example.edu","aud":"genesis","sub":"1","nonce":"n","iat":%d,"exp":%d}`, now, now+60)
	f.Add(good, "")
	f.Add(strings.Replace(good, `"genesis"`, `["genesis","x"]`, 1), "")
	f.Add(`{"exp":1e400}`, "a.b.c")
	f.Add(`{}`, "eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, body, raw string) {
		if raw == "" { // what is fuzzed is what the provider signs
			object, err := signer.Sign([]byte(body))
			if err != nil {
				return
			}
			if raw, err = object.CompactSerialize(); err != nil {
				return
			}
		} else {
			body = ""
		}
		c, err := p.verify(t.Context(), d, raw, "n")
		if err != nil {
			wants(t, err, genesis.Permission, BadProof)
			if body == good {
				t.Errorf("a good token is refused: %v", err)
			}
			return
		}
		if body == "" || c["iss"] != campus.Issuer || c["nonce"] != "n" {
			t.Errorf("accepted: %s %s", body, raw)
		}
		// what follows from accepted claims can be written
		a := account{Account: genesis.Account{Subject: "x"}}
		if _, err := p.outsideOf(c); err == nil {
			a.Name = c.text("name", 200)
			if err := checkFields("test", "x", &a.Name, nil, nil, nil); err != nil {
				t.Error(err)
			}
		}
	})
}

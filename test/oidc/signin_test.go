package oidc

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access/identity"
)

func TestSignIn(t *testing.T) {
	for name, change := range map[string]func(*identity.Provider){
		"with a secret": func(*identity.Provider) {},
		"public client": func(p *identity.Provider) { p.ClientID, p.ClientSecretFile = publicClient, "" },
	} {
		t.Run(name, func(t *testing.T) {
			n := startNode(t, change, func(p *identity.Provider) { p.UserInfo = true })
			p := n.in(t, ada)
			if !regexp.MustCompile(`^u-[a-z2-7]{20}$`).MatchString(p.Subject) || p.Node != "nrel" || p.Assurance != genesis.AssurancePassword || p.Duties != nil {
				t.Errorf("%+v", p)
			}
			a, err := n.Account(t.Context(), p.Subject)
			if err != nil || a.Name != "Ada Lovelace" || a.Email != "ada@campus.example.edu" || a.Provider != n.provider.issuer {
				t.Errorf("%+v, %v", a, err)
			}
			if again := n.in(t, ada); again.Subject != p.Subject || again.Credential == p.Credential {
				t.Errorf("the second time she is %+v", again)
			}
			// Bob has claimed her address. It gives him nothing.
			if other := n.in(t, bob); other.Subject == p.Subject {
				t.Errorf("bob is %s, and so is ada", other.Subject)
			}
			accounts, _, err := n.Accounts(t.Context(), "")
			if err != nil || len(accounts) != 2 {
				t.Errorf("%d accounts, %v", len(accounts), err)
			}
		})
	}
}

// TestPKCE looks at what the browser and the wire carry.
func TestPKCE(t *testing.T) {
	n := startNode(t)
	to, cookie, err := n.StartOIDC(t.Context(), "campus", "/")
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 || len(q.Get("nonce")) < 22 || len(q.Get("state")) < 22 || q.Get("response_type") != "code" ||
		q.Get("scope") != "openid profile email" || q.Get("redirect_uri") != n.url+identity.CallbackPath {
		t.Errorf("the browser is sent to %s", to)
	}
	for _, secret := range []string{q.Get("state"), q.Get("nonce")} {
		if strings.Contains(cookie, secret) {
			t.Error("the cookie is not sealed")
		}
	}
	verifier := ""
	n.wire.form = func(form url.Values) { verifier = form.Get("code_verifier") }
	n.in(t, ada)
	if len(verifier) < 43 || strings.Contains(to, verifier) {
		t.Errorf("the verifier is %q", verifier)
	}
}

// TestBadProof changes one thing at a time. Each is refused in words of its own.
func TestBadProof(t *testing.T) {
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	claim := func(name string, v any) func(*node, *browser) {
		return func(n *node, _ *browser) { n.wire.claims = func(c map[string]any) { c[name] = v } }
	}
	ago := func(d time.Duration) float64 { return float64(time.Now().Add(d).Unix()) }
	for name, tt := range map[string]struct {
		tamper func(*node, *browser)
		words  string
	}{
		"state": {func(_ *node, b *browser) {
			b.callback = func(u *url.URL) { set(u, "state", "another") }
		}, "(state)"},
		"no state": {func(_ *node, b *browser) {
			b.callback = func(u *url.URL) { set(u, "state", "") }
		}, "(state)"},
		"no cookie": {func(n *node, b *browser) {
			b.callback = func(u *url.URL) {
				b.Jar.SetCookies(u, []*http.Cookie{{Name: "flow", Value: "", Path: identity.CallbackPath, MaxAge: -1}})
			}
		}, "this browser has not begun"},
		"cookie of another sign-in": {func(n *node, b *browser) {
			b.callback = func(u *url.URL) {
				_, cookie, err := n.StartOIDC(t.Context(), "campus", "/")
				if err != nil {
					t.Error(err)
				}
				b.Jar.SetCookies(u, []*http.Cookie{{Name: "flow", Value: cookie, Path: identity.CallbackPath}})
			}
		}, "(state)"},
		"too slow":     {func(n *node, b *browser) { b.callback = func(*url.URL) { n.wait(11 * time.Minute) } }, "longer than ten minutes"},
		"no code":      {func(_ *node, b *browser) { b.callback = func(u *url.URL) { set(u, "code", "") } }, "has no code"},
		"made-up code": {func(_ *node, b *browser) { b.callback = func(u *url.URL) { set(u, "code", "made-up") } }, "does not take its own code back"},
		"error": {func(_ *node, b *browser) {
			b.callback = func(u *url.URL) { set(u, "error", "access_denied") }
		}, "did not let you in: access_denied"},
		"error with words": {func(_ *node, b *browser) {
			b.callback = func(u *url.URL) { set(u, "error", "<script>call 555</script>") }
		}, "did not let you in: an error"},
		"iss parameter": {func(_ *node, b *browser) {
			b.callback = func(u *url.URL) { set(u, "iss", "https://other.example") }
		}, "from another provider"},
		"verifier": {func(n *node, _ *browser) {
			n.wire.form = func(f url.Values) { f.Set("code_verifier", strings.Repeat("x", 43)) }
		}, "does not take its own code back: invalid_grant"},
		"no verifier": {func(n *node, _ *browser) {
			n.wire.form = func(f url.Values) { f.Del("code_verifier") }
		}, "does not take its own code back"},
		"nonce":       {claim("nonce", "another"), "(nonce)"},
		"no nonce":    {claim("nonce", nil), "(nonce)"},
		"audience":    {claim("aud", "another"), "(audience)"},
		"no audience": {claim("aud", nil), "(audience)"},
		"many, no azp": {func(n *node, _ *browser) {
			n.wire.claims = func(c map[string]any) { c["aud"] = []string{secretClient, "other"}; delete(c, "azp") }
		}, "(azp)"},
		"azp":              {claim("azp", "another"), "(azp)"},
		"issuer":           {claim("iss", "https://other.example"), "of another issuer"},
		"expired":          {claim("exp", ago(-2*time.Minute)), "has expired"},
		"expiry is null":   {claim("exp", nil), "cannot be read"},
		"never expires":    {func(n *node, _ *browser) { n.wire.claims = func(c map[string]any) { delete(c, "exp") } }, "has expired"},
		"issued long ago":  {claim("iat", ago(-time.Hour)), "was not issued during"},
		"issued tomorrow":  {claim("iat", ago(24*time.Hour)), "was not issued during"},
		"not yet":          {claim("nbf", ago(time.Hour)), "not valid yet"},
		"no subject":       {claim("sub", nil), "who it is about"},
		"subject no text":  {claim("sub", 7), "cannot be read"},
		"no ID token":      {func(n *node, _ *browser) { n.wire.token = func(string) string { return "" } }, "has no ID token"},
		"not a token":      {func(n *node, _ *browser) { n.wire.token = func(string) string { return "a.b.c" } }, "by a method that is not accepted"},
		"alg none":         {func(n *node, _ *browser) { n.wire.token = none }, "by a method that is not accepted"},
		"alg none, signed": {func(n *node, _ *browser) { n.wire.token = noneSigned }, "by a method that is not accepted"},
		"signed with the client's secret": {func(n *node, _ *browser) {
			n.wire.token = func(raw string) string {
				return signed(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(clientPassword + "................")}, payload(raw))
			}
		}, "by a method that is not accepted"},
		"signed by a stranger": {func(n *node, _ *browser) {
			n.wire.token = func(raw string) string {
				return signed(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: stranger, KeyID: n.provider.key.id}}, payload(raw))
			}
		}, "was not signed by the provider"},
		"changed after signing": {func(n *node, _ *browser) {
			n.wire.token = func(raw string) string {
				parts := strings.Split(raw, ".")
				parts[1] = base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(payload(raw)), "id-1", "id-2", 1)))
				return strings.Join(parts, ".")
			}
		}, "was not signed by the provider"},
	} {
		t.Run(name, func(t *testing.T) {
			n := startNode(t)
			b := n.browser(t)
			tt.tamper(n, b)
			p := b.signIn(ada, "/")
			if p.status != http.StatusForbidden || !strings.Contains(p.text, tt.words) {
				t.Errorf("it ends with %d %q, want 403 %q", p.status, p.text, tt.words)
			}
			if strings.Contains(p.text, "script") || strings.Contains(n.logs.String(), "script") {
				t.Error("words of a stranger are repeated")
			}
			if accounts, _, err := n.Accounts(t.Context(), ""); err != nil || len(accounts) != 0 {
				t.Errorf("%d accounts were made, %v", len(accounts), err)
			}
			for _, e := range n.events {
				if e.Outcome != genesis.Refused || e.Actor != "" {
					t.Errorf("recorded: %+v", e)
				}
			}
		})
	}
}

func set(u *url.URL, name, value string) {
	q := u.Query()
	q.Set(name, value)
	u.RawQuery = q.Encode()
}

func payload(raw string) []byte {
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(raw, ".")[1])
	if err != nil {
		panic(err)
	}
	return b
}

// none says that a token needs no signature, and leaves it out.
func none(raw string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + strings.Split(raw, ".")[1] + "."
}

// noneSigned says so and leaves the signature in.
func noneSigned(raw string) string { return none(raw) + strings.Split(raw, ".")[2] }

// TestClocksMayDiffer holds that a minute is forgiven, and no more (TestBadProof).
func TestClocksMayDiffer(t *testing.T) {
	n := startNode(t)
	n.wire.claims = func(c map[string]any) {
		c["exp"], c["iat"], c["nbf"] = float64(time.Now().Unix()-50), float64(time.Now().Unix()+50), float64(time.Now().Unix()+50)
	}
	n.in(t, ada)
}

// TestProviderTokensStayHere: the provider's ID token is for the node; the browser, the
// log and the journal see nothing of it.
func TestProviderTokensStayHere(t *testing.T) {
	n := startNode(t)
	var token string
	n.wire.token = func(raw string) string { token = raw; return raw }
	b := n.browser(t)
	p := b.signIn(ada, "/")
	if p.status != http.StatusOK || token == "" {
		t.Fatalf("%+v", p)
	}
	here, err := url.Parse(n.url + identity.CallbackPath)
	if err != nil {
		t.Fatal(err)
	}
	seen := p.path + p.text + n.logs.String() + n.got.Secret
	for _, c := range b.Jar.Cookies(here) {
		seen += c.String()
	}
	for _, e := range n.events {
		seen += string(e.Detail)
	}
	for _, part := range strings.Split(token, ".")[1:] { // what it says, and its signature
		if strings.Contains(seen, part) {
			t.Errorf("a part of the ID token is seen outside: %s", part)
		}
	}
}

// TestOnce goes back to the node a second time.
func TestOnce(t *testing.T) {
	n := startNode(t)
	b := n.browser(t)
	var back *url.URL
	b.callback = func(u *url.URL) { back = u }
	if p := b.signIn(ada, "/"); p.status != http.StatusOK {
		t.Fatalf("%+v", p)
	}
	if p := b.read(b.Get(back.String())); p.status != http.StatusForbidden || !strings.Contains(p.text, "already come back") {
		t.Errorf("the second time: %+v", p)
	}
}

func TestNextStaysHere(t *testing.T) {
	n := startNode(t)
	for _, next := range []string{"https://evil.example", "//evil.example", `/\evil.example`, "javascript:alert(1)", "/\n/evil", "evil", "/" + strings.Repeat("x", 2000)} {
		_, _, err := n.StartOIDC(t.Context(), "campus", next)
		if genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("%q: %v", next, err)
		}
	}
	if p := n.browser(t).signIn(ada, ""); p.path != "/" {
		t.Errorf("without one it ends at %+v", p)
	}
	if _, _, err := n.StartOIDC(t.Context(), "nowhere", "/"); genesis.KindOf(err) != genesis.NotFound {
		t.Errorf("an unknown provider: %v", err)
	}
}

// TestAnotherNodesCookie brings a cookie that this process did not seal.
func TestAnotherNodesCookie(t *testing.T) {
	n, other := startNode(t), startNode(t)
	_, cookie, err := other.StartOIDC(t.Context(), "campus", "/")
	if err != nil {
		t.Fatal(err)
	}
	_, _, err = n.FinishOIDC(t.Context(), cookie, url.Values{"state": {"x"}})
	if genesis.KindOf(err) != genesis.Permission || !strings.Contains(err.Error(), "this browser has not begun") {
		t.Error(err)
	}
}

package oidc

import (
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access/identity"
)

const unavailable = `sign in "campus": the provider does not answer as it should`

// TestKeyRotation changes the provider's key between sign-ins.
func TestKeyRotation(t *testing.T) {
	n := startNode(t)
	n.in(t, ada)
	n.in(t, ada)
	if got := n.provider.keysAt.Load(); got != 1 {
		t.Errorf("the keys were asked for %d times, want once", got)
	}
	n.provider.rotate(t)
	n.wait(11 * time.Second)
	n.in(t, ada)
	n.in(t, ada)
	if got := n.provider.keysAt.Load(); got != 2 {
		t.Errorf("after the rotation the keys were asked for %d times, want twice", got)
	}
	old := n.provider.key
	n.provider.rotate(t)
	n.wait(11 * time.Second)
	n.in(t, ada)
	n.provider.set(func() { n.provider.key, n.provider.hideKeys = old, true }) // signs with a key that was withdrawn
	n.out(t, http.StatusForbidden, "was not signed by the provider")
}

// TestUnknownKeysDoNotFlood signs in with keys that the provider does not
// publish: it is asked again, but not often.
func TestUnknownKeysDoNotFlood(t *testing.T) {
	n := startNode(t)
	n.in(t, ada)
	n.provider.set(func() { n.provider.hideKeys = true })
	n.provider.rotate(t)
	for range 5 {
		n.out(t, http.StatusForbidden, "was not signed by the provider")
	}
	if got := n.provider.keysAt.Load(); got != 1 {
		t.Errorf("the keys were asked for %d times, want once: ten seconds have not passed", got)
	}
	n.wait(11 * time.Second)
	for range 5 {
		n.out(t, http.StatusForbidden, "was not signed by the provider")
	}
	if got := n.provider.keysAt.Load(); got != 2 {
		t.Errorf("the keys were asked for %d times, want twice", got)
	}
}

// TestWithdrawnKey holds that a key the provider has withdrawn is good for an
// hour at most.
func TestWithdrawnKey(t *testing.T) {
	n := startNode(t)
	n.in(t, ada)
	n.provider.set(func() { n.provider.hideKeys = true })
	n.in(t, ada)
	n.wait(61 * time.Minute)
	n.wire.claims = func(c map[string]any) { // the provider's clock goes with the node's
		c["iat"], c["exp"] = float64(n.now().Unix()), float64(n.now().Add(time.Minute).Unix())
	}
	n.out(t, http.StatusForbidden, "was not signed by the provider")
}

func TestOutageAtStart(t *testing.T) {
	n := startNode(t)
	n.provider.down.Store(true)
	n.out(t, http.StatusServiceUnavailable, unavailable)
	n.provider.down.Store(false)
	n.out(t, http.StatusServiceUnavailable, unavailable) // it is too early to ask again
	n.wait(time.Second)
	n.provider.gone.Store(true)
	n.out(t, http.StatusServiceUnavailable, unavailable)
	n.provider.gone.Store(false)
	n.wait(time.Second)
	n.out(t, http.StatusServiceUnavailable, unavailable) // the second time it waits for two seconds
	if got := n.provider.askAt.Load(); got != 0 {
		t.Errorf("the provider was asked %d times meanwhile", got)
	}
	n.wait(time.Second)
	n.in(t, ada)
	n.in(t, ada)
	if got := n.provider.askAt.Load(); got != 1 {
		t.Errorf("the provider was asked %d times, want once", got)
	}
}

func TestOutageLater(t *testing.T) {
	n := startNode(t)
	p := n.in(t, ada)
	secret := n.got.Secret
	for name, outage := range map[string]func(bool){"answers 503": n.provider.down.Store, "is not there": n.provider.gone.Store} {
		t.Run(name, func(t *testing.T) {
			b := n.browser(t)
			b.callback = func(*url.URL) { outage(true) } // between the person's sign-in and the node's question
			page := b.signIn(ada, "/")
			outage(false)
			if page.status != http.StatusServiceUnavailable || !strings.Contains(page.text, unavailable) {
				t.Errorf("it ends at %+v", page)
			}
		})
	}
	n.provider.gone.Store(true)
	if again, err := n.Authenticate(t.Context(), secret); err != nil || again.Subject != p.Subject {
		t.Errorf("a session that was there: %+v, %v", again, err)
	}
	if _, err := n.CreateToken(t.Context(), p, genesis.TokenRequest{Name: "laptop"}); err != nil {
		t.Errorf("a session that was there: %v", err)
	}
	n.wait(2 * time.Hour) // what is known of the provider is old, and does
	if _, _, err := n.StartOIDC(t.Context(), "campus", "/"); err != nil {
		t.Error(err)
	}
	n.provider.gone.Store(false)
}

// TestKeysOutage needs a new key while the keys cannot be had.
func TestKeysOutage(t *testing.T) {
	n := startNode(t)
	n.in(t, ada)
	n.provider.rotate(t)
	n.wait(11 * time.Second)
	n.wire.token = func(raw string) string { n.provider.down.Store(true); return raw } // after the code was exchanged
	n.out(t, http.StatusServiceUnavailable, unavailable)
	n.provider.down.Store(false)
	n.wire.token = nil
	n.wait(time.Second)
	n.in(t, ada)
}

// TestLongAnswers serves more than a provider should say.
func TestLongAnswers(t *testing.T) {
	n := startNode(t)
	n.wire.token = func(string) string { return strings.Repeat("x", 2<<20) }
	n.out(t, http.StatusServiceUnavailable, unavailable)
	if text := n.logs.String(); len(text) > 10_000 {
		t.Errorf("the log has %d bytes of it", len(text))
	}
}

func TestWrongClientSecret(t *testing.T) {
	const wrong = "not the secret at all"
	n := startNode(t, func(p *identity.Provider) {
		if err := os.WriteFile(p.ClientSecretFile, []byte(wrong), 0o600); err != nil {
			t.Fatal(err)
		}
	})
	n.out(t, http.StatusForbidden, "does not take its own code back: invalid_client")
	if strings.Contains(n.logs.String(), wrong) || !strings.Contains(n.logs.String(), "invalid_client") {
		t.Errorf("the log is %s", n.logs.String())
	}
}

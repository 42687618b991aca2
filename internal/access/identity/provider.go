package identity

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/opengenesis/genesis"
	"golang.org/x/oauth2"
)

// Provider is an OpenID Connect provider at which people of this node sign in.
// docs/identity.md explains it with examples.
type Provider struct {
	ID               string   `yaml:"id" json:"id"`                                                     // in URLs and on the sign-in page: "campus"
	Title            string   `yaml:"title,omitempty" json:"title,omitempty"`                           // for people; default: ID
	Issuer           string   `yaml:"issuer" json:"issuer"`                                             // as the provider's discovery document spells it
	ClientID         string   `yaml:"client_id" json:"client_id"`                                       // as registered there
	ClientSecretFile string   `yaml:"client_secret_file,omitempty" json:"client_secret_file,omitempty"` // read at each sign-in; empty: a public client, held by PKCE alone
	Scopes           []string `yaml:"scopes,omitempty" json:"scopes,omitempty"`                         // besides openid; default: profile, email
	ACRValues        []string `yaml:"acr_values,omitempty" json:"acr_values,omitempty"`                 // asked of the provider, in order of preference
	Prompt           string   `yaml:"prompt,omitempty" json:"prompt,omitempty"`                         // login, select_account or consent, where the provider wants one
	UserInfo         bool     `yaml:"userinfo,omitempty" json:"userinfo,omitempty"`                     // ask the userinfo endpoint for claims that the ID token lacks
	// SubjectClaim holds what never changes about somebody, and is never given to
	// another; default sub.
	SubjectClaim string        `yaml:"subject_claim,omitempty" json:"subject_claim,omitempty"`
	GroupsClaim  string        `yaml:"groups_claim,omitempty" json:"groups_claim,omitempty"` // default groups
	Admit        string        `yaml:"admit,omitempty" json:"admit,omitempty"`               // CEL over claims: who may sign in; empty: whoever the provider knows
	Rules        []Rule        `yaml:"rules,omitempty" json:"rules,omitempty"`
	Remember     time.Duration `yaml:"remember,omitempty" json:"remember,omitempty"` // how long what rules give holds without signing in again; 30 days
}

// Rule says what follows from claims. Duties of all rules that hold add up;
// the surest assurance counts; the first citizenship does.
type Rule struct {
	When        string               `yaml:"when" json:"when"` // CEL over claims
	Duties      []genesis.Duty       `yaml:"duties,omitempty" json:"duties,omitempty"`
	Assurance   genesis.Assurance    `yaml:"assurance,omitempty" json:"assurance,omitempty"`
	Citizenship genesis.Citizenship  `yaml:"citizenship,omitempty" json:"citizenship,omitempty"`
	Student     bool                 `yaml:"student,omitempty" json:"student,omitempty"`
	Vetting     genesis.VettingState `yaml:"vetting,omitempty" json:"vetting,omitempty"` // vetted: the provider has
}

// ProviderInfo is a provider as a sign-in page shows it.
type ProviderInfo struct {
	ID    string `json:"id"`
	Title string `json:"title"`
}

// Providers lists the providers in the order of their ids.
func (i *Identity) Providers() []ProviderInfo {
	out := []ProviderInfo{}
	for _, p := range i.providers {
		out = append(out, ProviderInfo{p.ID, cmp.Or(p.Title, p.ID)})
	}
	slices.SortFunc(out, func(a, b ProviderInfo) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// provider is a Provider with what was found out about it.
type provider struct {
	Provider
	rules  rules
	client *http.Client
	now    func() time.Time

	turn  chan struct{} // one asks; held while reading and changing what follows
	busy  chan struct{} // few exchange codes at a time
	found *discovered
	at    time.Time
	retry backoff
}

// discovered is what a provider's discovery document says.
type discovered struct {
	*oidc.Provider
	keys  *keySet
	style oauth2.AuthStyle
}

const (
	providerTimeout = 10 * time.Second
	providerBytes   = 1 << 20 // most that one answer may be long
	discoveryAge    = time.Hour
	mostExchanges   = 16
)

var providerID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// addProviders checks and keeps the providers of a configuration.
func (i *Identity) addProviders(all []Provider, base *http.Client) error {
	client := guarded(base)
	for _, p := range all {
		if i.providers[p.ID] != nil {
			return invalid("open identity", p.ID, "there are two providers of this id")
		}
		made, err := newProvider(p, client, i.now)
		if err != nil {
			return err
		}
		i.providers[p.ID] = made
	}
	return nil
}

func newProvider(p Provider, client *http.Client, now func() time.Time) (*provider, error) {
	bad := func(msg string) error { return invalid("open identity", p.ID, msg) }
	switch {
	case !providerID.MatchString(p.ID):
		return nil, bad("the id of a provider is 1 to 32 of a-z, 0-9 and '-'")
	case !secureURL(p.Issuer):
		return nil, bad("the issuer of a provider is a URL that begins with https://")
	case p.ClientID == "":
		return nil, bad("the provider has no client_id")
	case !slices.Contains([]string{"", "login", "select_account", "consent"}, p.Prompt):
		return nil, bad("prompt is login, select_account or consent")
	case p.Remember < 0:
		return nil, bad("remember is a time like 720h")
	case slices.Contains(changeable, p.SubjectClaim):
		return nil, bad("subject_claim " + p.SubjectClaim + " can change, or be given to somebody else: take sub, or what the provider says is permanent")
	}
	p.SubjectClaim, p.GroupsClaim = cmp.Or(p.SubjectClaim, "sub"), cmp.Or(p.GroupsClaim, "groups")
	p.Remember = cmp.Or(p.Remember, 30*24*time.Hour)
	if p.Scopes == nil {
		p.Scopes = []string{"profile", "email"}
	}
	compiled, err := compileRules(p)
	if err != nil {
		return nil, err
	}
	return &provider{Provider: p, rules: compiled, client: client, now: now, turn: make(chan struct{}, 1), busy: make(chan struct{}, mostExchanges)}, nil
}

// changeable are claims that people may change, or that are given to others
// after them (OpenID Connect Core 1.0, section 5.7).
var changeable = []string{"email", "preferred_username", "upn", "name", "nickname", "phone_number", "unique_name"}

// unavailable says that a provider does not answer as it should.
func (p *provider) unavailable(err error) error {
	return &genesis.Error{Op: "sign in", Kind: genesis.Unavailable, Subject: p.ID, Msg: "the provider does not answer as it should",
		Hint: "try again in a minute; who is signed in stays so", Err: err}
}

var errWaiting = errors.New("the last question went unanswered, and it is too early for the next")

// discover returns what is known of the provider, and asks where nothing is, or
// it is old. Errors: Unavailable, Canceled.
func (p *provider) discover(ctx context.Context) (*discovered, error) {
	leave, err := enter(ctx, p.turn)
	if err != nil {
		return nil, err
	}
	defer leave()
	now := p.now()
	if p.found != nil && now.Sub(p.at) < discoveryAge {
		return p.found, nil
	}
	if !p.retry.ready(now) {
		if p.found != nil {
			return p.found, nil
		}
		return nil, p.unavailable(errWaiting)
	}
	found, err := p.ask(ctx)
	if err != nil {
		p.retry.failed(now)
		if p.found != nil {
			return p.found, nil
		}
		return nil, p.unavailable(err)
	}
	p.found, p.at, p.retry = found, now, backoff{}
	return found, nil
}

// enter takes one of the places of a channel, and returns what gives it back.
func enter(ctx context.Context, places chan struct{}) (func(), error) {
	select {
	case places <- struct{}{}:
		return func() { <-places }, nil
	case <-ctx.Done():
		return nil, &genesis.Error{Op: "sign in", Kind: genesis.Canceled, Msg: "stopped", Err: ctx.Err()}
	}
}

// ask reads the discovery document. Whoever asked first may leave: the answer is
// for all.
func (p *provider) ask(ctx context.Context) (*discovered, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), providerTimeout)
	defer cancel()
	found, err := oidc.NewProvider(oidc.ClientContext(ctx, p.client), p.Issuer)
	if err != nil {
		return nil, err
	}
	var more struct {
		JWKS    string   `json:"jwks_uri"`
		Methods []string `json:"token_endpoint_auth_methods_supported"`
	}
	if err := found.Claims(&more); err != nil {
		return nil, err
	}
	for _, u := range []string{found.Endpoint().AuthURL, found.Endpoint().TokenURL, more.JWKS} {
		if !secureURL(u) {
			return nil, fmt.Errorf("the discovery document names an endpoint that is not https: %q", u)
		}
	}
	if u := found.UserInfoEndpoint(); u != "" && !secureURL(u) {
		return nil, fmt.Errorf("the discovery document names an endpoint that is not https: %q", u)
	}
	d := &discovered{Provider: found, style: oauth2.AuthStyleInHeader}
	if p.ClientSecretFile == "" || len(more.Methods) > 0 && !slices.Contains(more.Methods, "client_secret_basic") {
		d.style = oauth2.AuthStyleInParams
	}
	if p.found != nil && p.found.keys.url == more.JWKS {
		d.keys = p.found.keys
	} else {
		d.keys = newKeySet(more.JWKS, p.client, p.now)
	}
	return d, nil
}

// oauth returns the client's side of the protocol.
func (p *provider) oauth(d *discovered, external string) (*oauth2.Config, error) {
	c := &oauth2.Config{ClientID: p.ClientID, RedirectURL: external + CallbackPath, Scopes: append([]string{oidc.ScopeOpenID}, p.Scopes...), Endpoint: d.Endpoint()}
	c.Endpoint.AuthStyle = d.style
	if p.ClientSecretFile == "" {
		return c, nil
	}
	secret, err := os.ReadFile(p.ClientSecretFile)
	if err != nil {
		return nil, fault("sign in", p.ID, err)
	}
	c.ClientSecret = strings.TrimSpace(string(secret))
	return c, nil
}

// backoff spaces out questions that go unanswered: 1 s, 2 s, 4 s, … 1 min.
type backoff struct {
	failures int
	next     time.Time
}

func (b *backoff) ready(now time.Time) bool { return !now.Before(b.next) }

func (b *backoff) failed(now time.Time) {
	b.next = now.Add(min(time.Minute, time.Second<<min(b.failures, 6)))
	b.failures++
}

// secureURL reports whether u is an https URL, or an http one of this machine,
// and nothing but scheme, host and path.
func secureURL(u string) bool {
	parsed, err := url.Parse(u)
	if err != nil || parsed.Host == "" || parsed.User != nil || parsed.Fragment != "" {
		return false
	}
	if parsed.Scheme == "https" {
		return true
	}
	ip := net.ParseIP(parsed.Hostname())
	return parsed.Scheme == "http" && (parsed.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}

// guarded returns a client that bounds what a provider answers, and goes nowhere
// but where it was sent.
func guarded(base *http.Client) *http.Client {
	c := &http.Client{Transport: bounded{http.DefaultTransport}, Timeout: providerTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if base != nil && base.Transport != nil {
		c.Transport = bounded{base.Transport}
	}
	return c
}

type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = &boundedBody{resp.Body, providerBytes}
	}
	return resp, err
}

type boundedBody struct {
	io.ReadCloser
	left int
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errors.New("the answer is longer than 1 MiB")
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

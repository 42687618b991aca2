package identity

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	"github.com/opengenesis/genesis"
	"golang.org/x/oauth2"
)

const (
	flowTime  = 10 * time.Minute // for signing in at the provider
	clockSkew = time.Minute      // that a provider's clock may be off
	flowUse   = "oidc"
	mostSpent = 100_000
)

// flow is a sign-in at a provider that has begun. The browser holds it sealed, in
// a cookie, so that beginning costs the node nothing.
type flow struct {
	Provider string    `json:"p"`
	State    string    `json:"s"`
	Nonce    string    `json:"n"`
	Verifier string    `json:"v"`
	Next     string    `json:"x"`
	Expires  time.Time `json:"e"`
}

// spent are the states of sign-ins that came back, so that none comes back twice.
type spent struct {
	mu     sync.Mutex
	states map[string]time.Time
}

// take spends a state, and reports whether that could be done.
func (s *spent) take(state string, expires, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.states == nil {
		s.states = map[string]time.Time{}
	}
	if len(s.states) >= mostSpent {
		for old, until := range s.states {
			if now.After(until) {
				delete(s.states, old)
			}
		}
	}
	if _, twice := s.states[state]; twice || len(s.states) >= mostSpent {
		return false
	}
	s.states[state] = expires
	return true
}

// StartOIDC begins a sign-in at a provider: the browser is sent to the URL, and
// keeps the cookie (HttpOnly, SameSite=Lax, for ten minutes) until it comes back
// to [CallbackPath]. next is where on this node to go afterwards. Errors: NotFound (provider),
// Invalid (next), Unavailable (the provider).
func (i *Identity) StartOIDC(ctx context.Context, id, next string) (redirectURL, stateCookie string, err error) {
	const op = "sign in"
	p := i.providers[id]
	if p == nil {
		return "", "", &genesis.Error{Op: op, Kind: genesis.NotFound, Subject: id, Msg: "there is no such provider"}
	}
	if next == "" {
		next = "/"
	}
	if !localPath(next) {
		return "", "", invalid(op, "", "after signing in one can only go to a path of this node")
	}
	d, err := p.discover(ctx)
	if err != nil {
		return "", "", err
	}
	client, err := p.oauth(d, i.external)
	if err != nil {
		return "", "", err
	}
	f := flow{Provider: id, State: randomBase62(secretRandom), Nonce: randomBase62(secretRandom), Verifier: oauth2.GenerateVerifier(), Next: next, Expires: i.now().Add(flowTime)}
	text, err := json.Marshal(f)
	if err != nil {
		return "", "", fault(op, id, err)
	}
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(f.Verifier), oidc.Nonce(f.Nonce)}
	if len(p.ACRValues) > 0 {
		options = append(options, oauth2.SetAuthURLParam("acr_values", strings.Join(p.ACRValues, " ")))
	}
	if p.Prompt != "" {
		options = append(options, oauth2.SetAuthURLParam("prompt", p.Prompt))
	}
	return client.AuthCodeURL(f.State, options...), i.cookies.seal(string(text), flowUse), nil
}

// localPath reports whether a browser that is sent to next stays on this node.
func localPath(next string) bool {
	u, err := url.Parse(next)
	if err != nil || len(next) > 1024 || u.IsAbs() || u.Host != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") {
		return false
	}
	return !strings.ContainsFunc(next, func(r rune) bool { return r == '\\' || r < ' ' || r == 0x7f })
}

// FinishOIDC ends a sign-in: the browser came back to [CallbackPath] with its cookie
// and the provider's answer. It returns the session and where to go. Errors:
// Permission (with a [Refusal] as its cause), Unavailable (naming the provider),
// Canceled.
func (i *Identity) FinishOIDC(ctx context.Context, stateCookie string, query url.Values) (genesis.NewToken, string, error) {
	f, err := i.readFlow(stateCookie, query)
	if err != nil {
		return genesis.NewToken{}, "", err
	}
	p := i.providers[f.Provider]
	if p == nil {
		return genesis.NewToken{}, "", badProof("", "this provider is not one of the node any more")
	}
	c, err := i.fromProvider(ctx, p, f, query)
	if refusal(err) == BadProof {
		i.log.Warn("identity: sign-in refused", "provider", p.ID, "error", err)
		err = i.refuseSignIn(ctx, "sign in", nil, "oidc "+p.ID, err)
	}
	if err != nil {
		return genesis.NewToken{}, "", err
	}
	token, err := i.admit(ctx, p, c)
	return token, f.Next, err
}

func badProof(provider, msg string) error {
	return &genesis.Error{Op: "sign in", Kind: genesis.Permission, Subject: provider, Msg: msg, Hint: "begin again", Err: BadProof}
}

// readFlow opens the cookie and holds the answer to it.
func (i *Identity) readFlow(cookie string, query url.Values) (flow, error) {
	var f flow
	if len(cookie) > 8192 {
		cookie = ""
	}
	text, err := i.cookies.openSealed(cookie, flowUse)
	if err != nil || json.Unmarshal([]byte(text), &f) != nil {
		return f, badProof("", "this browser has not begun to sign in here, or did before the node was started again")
	}
	state := query.Get("state")
	switch {
	case subtle.ConstantTimeCompare([]byte(state), []byte(f.State)) != 1:
		return f, badProof(f.Provider, "the answer is to another sign-in than the one that this browser began (state)")
	case !i.now().Before(f.Expires):
		return f, badProof(f.Provider, "signing in took longer than ten minutes")
	case !i.spent.take(f.State, f.Expires, i.now()):
		return f, badProof(f.Provider, "this sign-in has already come back")
	}
	return f, nil
}

// errorCode is how RFC 6749 spells an error; anything else is not repeated.
var errorCode = regexp.MustCompile(`^[a-z_]{1,40}$`)

func safeCode(code string) string {
	if errorCode.MatchString(code) {
		return code
	}
	return "an error"
}

// fromProvider exchanges the code of an answer for claims that the provider has
// signed for this sign-in.
func (i *Identity) fromProvider(ctx context.Context, p *provider, f flow, query url.Values) (claims, error) {
	if code := query.Get("error"); code != "" {
		return nil, badProof(p.ID, "the provider did not let you in: "+safeCode(code))
	}
	if iss := query.Get("iss"); iss != "" && iss != p.Issuer { // RFC 9207
		return nil, badProof(p.ID, "the answer is from another provider")
	}
	if query.Get("code") == "" || len(query.Get("code")) > 4096 {
		return nil, badProof(p.ID, "the provider's answer has no code")
	}
	d, err := p.discover(ctx)
	if err != nil {
		return nil, err
	}
	leave, err := enter(ctx, p.busy)
	if err != nil {
		return nil, err
	}
	defer leave()
	token, err := p.exchange(ctx, d, i.external, f, query.Get("code"))
	if err != nil {
		return nil, err
	}
	raw, _ := token.Extra("id_token").(string)
	c, err := p.verify(ctx, d, raw, f.Nonce)
	if err != nil || !p.UserInfo {
		return c, err
	}
	return c, p.addUserInfo(ctx, d, token, c)
}

// exchange turns the code into tokens, with the verifier that only this sign-in
// has (RFC 7636).
func (p *provider) exchange(ctx context.Context, d *discovered, external string, f flow, code string) (*oauth2.Token, error) {
	client, err := p.oauth(d, external)
	if err != nil {
		return nil, err
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, p.client)
	token, err := client.Exchange(ctx, code, oauth2.VerifierOption(f.Verifier))
	var answer *oauth2.RetrieveError
	switch {
	case err == nil:
		return token, nil
	case ctx.Err() != nil:
		return nil, &genesis.Error{Op: "sign in", Kind: genesis.Canceled, Subject: p.ID, Msg: "stopped", Err: ctx.Err()}
	case !errors.As(err, &answer):
		return nil, p.unavailable(err)
	case answer.Response == nil || answer.Response.StatusCode >= 500 || answer.Response.StatusCode == http.StatusTooManyRequests:
		return nil, p.unavailable(errors.New("the token endpoint answers with an error of the server"))
	}
	return nil, badProof(p.ID, "the provider does not take its own code back: "+safeCode(answer.ErrorCode))
}

// verify returns the claims of an ID token that was signed by the provider, for
// this node and this sign-in, now (OpenID Connect Core 1.0, section 3.1.3.7).
func (p *provider) verify(ctx context.Context, d *discovered, raw, nonce string) (claims, error) {
	if raw == "" {
		return nil, badProof(p.ID, "the provider's answer has no ID token")
	}
	if alg := algorithmOf(raw); !slices.Contains(algorithms, alg) {
		return nil, badProof(p.ID, "the ID token is signed by a method that is not accepted")
	}
	supported := make([]string, len(algorithms))
	for n, a := range algorithms {
		supported[n] = string(a)
	}
	keeper := &keeper{keys: d.keys}
	// Issuer, audience and times follow below, so that each is refused in words of
	// its own, and clocks may differ by a minute.
	v := oidc.NewVerifier(p.Issuer, keeper, &oidc.Config{SkipClientIDCheck: true, SkipExpiryCheck: true, SkipIssuerCheck: true, SupportedSigningAlgs: supported})
	token, err := v.Verify(ctx, raw)
	switch {
	case errors.Is(keeper.err, errKeys):
		return nil, p.unavailable(keeper.err)
	case genesis.KindOf(keeper.err) == genesis.Canceled:
		return nil, keeper.err
	case keeper.err != nil:
		return nil, badProof(p.ID, "the ID token was not signed by the provider")
	case err != nil:
		return nil, badProof(p.ID, "the ID token cannot be read")
	}
	c, err := readClaims(keeper.payload)
	if err != nil {
		return nil, badProof(p.ID, "the ID token cannot be read")
	}
	if msg := p.wrong(token, c, nonce); msg != "" {
		return nil, badProof(p.ID, msg)
	}
	return c, nil
}

// keeper asks a key set and keeps the answer, which go-oidc wraps without a way
// back.
type keeper struct {
	keys    *keySet
	payload []byte
	err     error
}

func (k *keeper) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	k.payload, k.err = k.keys.VerifySignature(ctx, token)
	return k.payload, k.err
}

// wrong says what a token that the provider signed does not hold, or "".
func (p *provider) wrong(t *oidc.IDToken, c claims, nonce string) string {
	now := p.now()
	azp, hasAzp := c["azp"].(string)
	notBefore, hasNotBefore := c["nbf"].(float64)
	switch {
	case t.Issuer != p.Issuer:
		return "the ID token is of another issuer"
	case !slices.Contains(t.Audience, p.ClientID):
		return "the ID token is for somebody else (audience)"
	case len(t.Audience) > 1 && !hasAzp || hasAzp && azp != p.ClientID:
		return "the ID token was given to somebody else (azp)"
	case t.Expiry.IsZero() || now.After(t.Expiry.Add(clockSkew)):
		return "the ID token has expired"
	case t.IssuedAt.IsZero() || t.IssuedAt.After(now.Add(clockSkew)) || t.IssuedAt.Before(now.Add(-flowTime-clockSkew)):
		return "the ID token was not issued during this sign-in; are the clocks right?"
	case hasNotBefore && notBefore > float64(now.Add(clockSkew).Unix()):
		return "the ID token is not valid yet; are the clocks right?"
	case subtle.ConstantTimeCompare([]byte(t.Nonce), []byte(nonce)) != 1:
		return "the ID token is for another sign-in (nonce)"
	case t.Subject == "" || len(t.Subject) > 255:
		return "the ID token does not say who it is about"
	}
	return ""
}

// algorithmOf returns what the header of a token says it is signed by.
func algorithmOf(raw string) jose.SignatureAlgorithm {
	head, _, _ := strings.Cut(raw, ".")
	b, err := base64URL.DecodeString(head)
	if err != nil {
		return ""
	}
	var h struct {
		Alg jose.SignatureAlgorithm `json:"alg"`
	}
	if json.Unmarshal(b, &h) != nil {
		return ""
	}
	return h.Alg
}

// addUserInfo adds the claims of the userinfo endpoint that the ID token does not
// have. What was signed is never replaced.
func (p *provider) addUserInfo(ctx context.Context, d *discovered, token *oauth2.Token, c claims) error {
	ctx = oidc.ClientContext(ctx, p.client)
	info, err := d.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return p.unavailable(errors.New("the userinfo endpoint answers with an error"))
	}
	if info.Subject != c["sub"] {
		return badProof(p.ID, "the userinfo endpoint speaks of somebody else")
	}
	more := claims{}
	if err := info.Claims(&more); err != nil {
		return badProof(p.ID, "the answer of the userinfo endpoint cannot be read")
	}
	for name, v := range more {
		if _, signed := c[name]; !signed {
			c[name] = v
		}
	}
	return nil
}

// derivedSubject matches what subjectOf returns; nobody else is named so.
var derivedSubject = regexp.MustCompile(`^u-[a-z2-7]{20}$`)

// subjectOf derives the name of somebody here from what never changes about them
// there: 100 bits of a hash of issuer and subject.
func subjectOf(issuer, outside string) string {
	sum := sha256.Sum256([]byte(issuer + "\x00" + outside))
	return "u-" + base32Lower.EncodeToString(sum[:])[:20]
}

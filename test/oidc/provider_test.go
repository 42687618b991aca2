package oidc

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	zitadel "github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// People and clients of the provider.
const (
	ada, bob       = "ada@campus", "bob@campus"
	password       = "verysecure"
	publicClient   = "genesis-public"
	secretClient   = "genesis"
	clientPassword = "the client's own secret"
)

// provider is a running OpenID Connect provider.
type provider struct {
	*storage.Storage
	issuer string
	keysAt atomic.Int64 // how often the keys were asked for
	askAt  atomic.Int64 // how often the discovery document was
	down   atomic.Bool  // everything answers 503
	gone   atomic.Bool  // connections are cut

	mu       sync.Mutex
	key      *key
	hideKeys bool // the key set lacks the present key
	claims   map[string]map[string]any
	info     map[string]map[string]any // in the userinfo answer alone
	acr      string
	amr      []string
}

// key is a key that signs, and its public half.
type key struct {
	id      string
	private *rsa.PrivateKey
}

func (k *key) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.RS256 }
func (k *key) Algorithm() jose.SignatureAlgorithm          { return jose.RS256 }
func (k *key) ID() string                                  { return k.id }
func (k *key) Use() string                                 { return "sig" }
func (k *key) Key() any                                    { return k.private }

type publicKey struct{ *key }

func (k publicKey) Key() any { return &k.private.PublicKey }

// users are known to the provider by ids that do not change.
type users map[string]*storage.User

func (u users) GetUserByID(id string) *storage.User { return u[id] }
func (u users) ExampleClientID() string             { return "nobody" }
func (u users) GetUserByUsername(name string) *storage.User {
	for _, user := range u {
		if user.Username == name {
			return user
		}
	}
	return nil
}

// startProvider starts a provider that lets people go back to a node.
func startProvider(t *testing.T, node string) *provider {
	t.Helper()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	people := users{
		"id-1": {ID: "id-1", Username: ada, Password: password, FirstName: "Ada", LastName: "Lovelace", Email: "ada@campus.example.edu", EmailVerified: true},
		"id-2": {ID: "id-2", Username: bob, Password: password, FirstName: "Bob", LastName: "B", Email: "ada@campus.example.edu", EmailVerified: true}, // the address of somebody else
	}
	back := node + "/auth/callback"
	p := &provider{Storage: storage.NewStorageWithClients(people, map[string]*storage.Client{
		publicClient: storage.NativeClient(publicClient, back), secretClient: storage.WebClient(secretClient, clientPassword, back)}),
		claims: map[string]map[string]any{}, info: map[string]map[string]any{}}
	p.rotate(t)
	server := httptest.NewUnstartedServer(nil)
	p.issuer = "http://" + server.Listener.Addr().String()
	handler := exampleop.SetupServer(p.issuer, p, quiet, false, op.WithLogger(quiet))
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case p.gone.Load():
			panic(http.ErrAbortHandler)
		case p.down.Load():
			http.Error(w, "maintenance", http.StatusServiceUnavailable)
			return
		case strings.HasSuffix(r.URL.Path, "/keys"):
			p.keysAt.Add(1)
		case strings.HasSuffix(r.URL.Path, "/openid-configuration"):
			p.askAt.Add(1)
		}
		handler.ServeHTTP(w, r)
	})
	server.Config.ErrorLog = slog.NewLogLogger(quiet.Handler(), slog.LevelError)
	server.Start()
	t.Cleanup(server.Close)
	return p
}

var keyNumber atomic.Int64

// rotate makes a new key; the old one is good no more.
func (p *provider) rotate(t *testing.T) {
	t.Helper()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p.set(func() { p.key = &key{id: "key-" + string(rune('a'+keyNumber.Add(1))), private: private} })
}

// set changes the provider while it runs.
func (p *provider) set(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

func (p *provider) SigningKey(context.Context) (op.SigningKey, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.key, nil
}

func (p *provider) KeySet(context.Context) ([]op.Key, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.key
	if p.hideKeys {
		private, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, err
		}
		k = &key{id: "another", private: private}
	}
	return []op.Key{publicKey{k}}, nil
}

// request is an authentication request with what the provider says about how
// somebody was recognised.
type request struct {
	*storage.AuthRequest
	acr string
	amr []string
}

func (r request) GetACR() string   { return r.acr }
func (r request) GetAMR() []string { return r.amr }

func (p *provider) wrap(r op.AuthRequest, err error) (op.AuthRequest, error) {
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return request{r.(*storage.AuthRequest), p.acr, p.amr}, nil
}

func (p *provider) AuthRequestByID(ctx context.Context, id string) (op.AuthRequest, error) {
	return p.wrap(p.Storage.AuthRequestByID(ctx, id))
}

func (p *provider) AuthRequestByCode(ctx context.Context, code string) (op.AuthRequest, error) {
	r, err := p.Storage.AuthRequestByCode(ctx, code)
	if wrapped, ok := r.(request); ok { // the example calls its own method
		return wrapped, err
	}
	return p.wrap(r, err)
}

func (p *provider) CreateAccessToken(ctx context.Context, r op.TokenRequest) (string, time.Time, error) {
	if wrapped, ok := r.(request); ok {
		r = wrapped.AuthRequest
	}
	return p.Storage.CreateAccessToken(ctx, r)
}

// SetUserinfoFromRequest adds claims to ID tokens.
func (p *provider) SetUserinfoFromRequest(ctx context.Context, info *zitadel.UserInfo, r op.IDTokenRequest, scopes []string) error {
	if err := p.Storage.SetUserinfoFromRequest(ctx, info, r, scopes); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, v := range p.claims[r.GetSubject()] {
		info.AppendClaims(name, v)
	}
	return nil
}

// SetUserinfoFromToken adds claims to the answer of the userinfo endpoint.
func (p *provider) SetUserinfoFromToken(ctx context.Context, info *zitadel.UserInfo, tokenID, subject, origin string) error {
	if err := p.Storage.SetUserinfoFromToken(ctx, info, tokenID, subject, origin); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, v := range p.info[subject] {
		info.AppendClaims(name, v)
	}
	return nil
}

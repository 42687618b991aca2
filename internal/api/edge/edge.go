package edge

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/trace"

	"github.com/opengenesis/genesis"
)

// Config says how strict an Edge is. Zero limits mean: not limited.
type Config struct {
	// Authenticate says who makes a request that came over the network: the
	// zero Principal is nobody. nil: everybody is nobody. Its errors refuse the
	// request: Permission is answered with 401.
	Authenticate func(*http.Request) (genesis.Principal, error)

	Node    genesis.NodeID // whose people are no guests; "": everybody's
	Hosts   []string       // names under which the node is reached; IP addresses and localhost always are
	Origins []string       // other sites whose pages may call: "https://host"
	Proxies []netip.Prefix // that are trusted to say for whom they ask
	Secure  bool           // browsers reach the node over TLS, which a proxy in front of it may end

	Body        int64   // bytes of a request's body
	Rate        float64 // requests a second of one caller
	Burst       int     // requests of one caller at once, beyond that
	Concurrency int     // weight of short requests at once
	Streams     int     // weight of long ones at once
	KeysMax     int     // idempotency keys that one person may use a day; 0: DefaultKeys

	Keys    KeyStore // of idempotency keys; nil: such requests are refused
	Checks  []Check  // what /readyz asks
	Metrics *Metrics // nil: nothing is measured
	Tracer  trace.Tracer
	Log     *slog.Logger // nil: nothing is logged
}

// Edge is the outside of a node. It is safe for concurrent use.
type Edge struct {
	Config
	draining  atomic.Bool
	admission admission
	shares    *shares
	callers   *buckets // people
	remotes   *buckets // addresses of those who did not sign in
	origins   *http.CrossOriginProtection
	flights   flights
	readiness readiness
}

// New returns an Edge. Errors: Invalid (an origin that is none).
func New(cfg Config) (*Edge, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.KeysMax == 0 {
		cfg.KeysMax = DefaultKeys
	}
	e := &Edge{Config: cfg, origins: http.NewCrossOriginProtection()}
	e.admission = admission{shortMax: cfg.Concurrency, streamMax: cfg.Streams}
	e.shares = newShares(cfg.Streams)
	e.callers = newBuckets(cfg.Rate, cfg.Burst, maxBuckets)
	e.remotes = newBuckets(cfg.Rate, cfg.Burst, maxBuckets)
	e.flights.running = map[string]string{}
	for _, origin := range cfg.Origins {
		if err := e.origins.AddTrustedOrigin(origin); err != nil {
			return nil, &genesis.Error{Op: "trust origin", Kind: genesis.Invalid, Subject: origin, Msg: `is not like "https://host"`, Err: err}
		}
	}
	return e, nil
}

// Route says how requests of one route are treated. The zero value is a short
// request whose answer is for its caller alone.
type Route struct {
	Weight  int  // of one request among those at once; 0 counts as 1
	Stream  bool // lasts as long as its work or its client: counted apart from short ones
	Creates bool // takes an Idempotency-Key
	Secret  bool // its answer is told once: never kept for a second asking
	RawBody bool // the handler reads a body of any length, as it comes
	Public  bool // the same answer for everybody, who may keep it
	Repeats bool // takes a parameter of its query more than once
	Health  bool // answered whatever state the node is in
}

// Handler returns mux behind the whole edge. routes has the patterns of mux
// whose Route is not the zero value.
func (e *Edge) Handler(mux *http.ServeMux, routes map[string]Route) http.Handler {
	find := func(r *http.Request) (string, Route) {
		_, pattern := mux.Handler(r)
		return pattern, routes[pattern]
	}
	return chain(found(mux),
		begin(find), e.behindProxy, e.observe, e.recover, e.headers, e.guard, e.admit,
		e.authenticate, e.limitRate, e.share, e.limitBody, e.conditional, e.once)
}

// middleware wraps a handler.
type middleware func(http.Handler) http.Handler

// chain wraps h, so that the first of ms is the first to see a request.
func chain(h http.Handler, ms ...middleware) http.Handler {
	for _, m := range slices.Backward(ms) {
		h = m(h)
	}
	return h
}

// Drain makes the node refuse everything new. What runs goes on.
func (e *Edge) Drain() { e.draining.Store(true) }

// exchange is what the edge knows of one request. It lives in the request's
// context, so that one value serves all parts.
type exchange struct {
	id      string
	pattern string // of the route: "GET /v1/versions/{ref}"; "" where there is none
	route   Route
	socket  bool
	began   time.Time
	out     *writer
	place   Route        // as what it counts among those that run; changed by slow alone
	slow    *waiting     // nil: not a short request
	kept    bool         // its deadline is moved on while nothing is written
	told    atomic.Int32 // see [Told]; 0: nothing
}

type exchangeKey struct{}

// of returns the exchange of a request that passed begin.
func of(ctx context.Context) *exchange {
	x, _ := ctx.Value(exchangeKey{}).(*exchange)
	return x
}

// RequestID returns the id of the request whose context ctx is, or "".
func RequestID(ctx context.Context) string {
	if x := of(ctx); x != nil {
		return x.id
	}
	return ""
}

type (
	principalKey struct{}
	socketKey    struct{}
)

// WithPrincipal says who makes the requests of ctx.
func WithPrincipal(ctx context.Context, who genesis.Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, who)
}

// PrincipalOf returns who makes a request; false where nobody found out.
func PrincipalOf(ctx context.Context) (genesis.Principal, bool) {
	who, ok := ctx.Value(principalKey{}).(genesis.Principal)
	return who, ok
}

// WithSocket marks connections over the home's own socket, whose callers the
// kernel names: [WithPrincipal] is for the listener there, and nothing in a
// request can overrule it.
func WithSocket(ctx context.Context) context.Context {
	return context.WithValue(ctx, socketKey{}, true)
}

// Socket reports whether a request came over the home's own socket.
func Socket(ctx context.Context) bool { return ctx.Value(socketKey{}) != nil }

//go:build linux || darwin

package node

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"time"

	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/api"
	"github.com/opengenesis/genesis/internal/api/edge"
	"github.com/opengenesis/genesis/internal/store"
	"github.com/opengenesis/genesis/internal/web"
	"github.com/opengenesis/genesis/internal/work/upload"
)

// What a Service may bring along, beside what it must. Without a database there
// are no uploads and no idempotency keys, without Authenticate everybody on the
// network is nobody.
type (
	withDB            interface{ DB() *store.DB }
	withClock         interface{ Clock() func() time.Time } // nil: time.Now
	withAuthenticator interface {
		Authenticate(*http.Request) (genesis.Principal, error)
	}
	withFiles interface {
		MayNameFile(ctx context.Context, who genesis.Principal, path string) error
	}
	withChecks   interface{ Checks() []edge.Check } // of /readyz
	withGauges   interface{ Gauges(*edge.Metrics) } // adds figures of its own
	withWatchers interface{ EndWatching() }         // of runs, who can come again
	withKept     interface {
		Kept(genesis.PersonID) int64 // bytes kept for a person's runs
	}
)

// perCore is how many short requests a core answers at once: enough to keep it
// busy while some wait for the disk, few enough that nobody waits long.
const perCore = 8

// equip puts together what stands in front of the service.
func (n *Node) equip(ctx context.Context, opt Options) (http.Handler, error) {
	c := n.home.Config
	cfg := edge.Config{
		Node: c.Node, Hosts: slices.Clone(c.Serve.Hosts), Body: c.Serve.Body, Rate: c.Serve.Rate.PerSecond, Burst: c.Serve.Rate.Burst,
		Concurrency: c.Serve.Concurrency, Streams: c.Serve.Streams, Metrics: edge.NewMetrics(), Log: n.log,
		Secure: cookies(c).Secure,
	}
	for _, s := range c.Serve.Proxies {
		if p, err := network(s); err == nil { // config.yaml was checked
			cfg.Proxies = append(cfg.Proxies, p)
		}
	}
	if cfg.Concurrency == 0 {
		cfg.Concurrency = perCore * runtime.GOMAXPROCS(0)
	}
	if u, err := url.Parse(c.URL); err == nil && c.URL != "" {
		cfg.Hosts = append(cfg.Hosts, u.Hostname())
		cfg.Origins = []string{c.URL}
	}
	if err := n.lend(ctx, &cfg); err != nil {
		return nil, err
	}
	if opt.Network && c.Telemetry.OTLP.Endpoint != "" {
		if err := n.trace(ctx, &cfg); err != nil {
			return nil, err
		}
	}
	cursorKey, err := n.home.secret("cursor.key")
	if err != nil {
		return nil, err
	}
	if n.edge, err = edge.New(cfg); err != nil {
		return nil, err
	}
	return api.New(api.Config{
		Service: n.service, Files: n.desk, Uploads: n.uploads, Edge: n.edge, Cursors: edge.NewCursors(cursorKey), Info: n.info(), Log: n.log,
		Routes: flightRoutes(),
		Pages: func(mux *http.ServeMux) {
			web.Register(mux, web.Config{Door: n.service, Node: c.Node, Cookies: cookies(c), Caller: caller, Log: n.log})
			n.registerFlight(mux)
		},
	}), nil
}

// caller returns who makes a request, as the edge found out; the zero Principal is
// nobody.
func caller(ctx context.Context) genesis.Principal {
	p, _ := edge.PrincipalOf(ctx)
	return p
}

// lend gives the edge what the service brings along.
func (n *Node) lend(ctx context.Context, cfg *edge.Config) error {
	if s, ok := n.service.(withAuthenticator); ok {
		cfg.Authenticate = s.Authenticate
	}
	if s, ok := n.service.(withChecks); ok {
		cfg.Checks = append(cfg.Checks, s.Checks()...)
	}
	if s, ok := n.service.(withGauges); ok {
		s.Gauges(cfg.Metrics)
	}
	s, ok := n.service.(withDB)
	if !ok {
		return nil
	}
	db, c := s.DB(), n.home.Config
	cfg.Keys = &edge.SQLKeys{DB: db}
	cfg.Checks = append(cfg.Checks, edge.Check{Name: "database", Do: db.Read().PingContext})
	uc := upload.Config{DB: db, Node: c.Node, Dir: n.home.Uploads(), Roots: c.Paths, Max: c.Uploads.Max, Quota: c.Uploads.Quota, Expire: c.Uploads.Expire}
	if s, ok := n.service.(withClock); ok {
		uc.Now = s.Clock()
	}
	if s, ok := n.service.(withKept); ok {
		uc.Held = s.Kept
	}
	var err error
	if s, ok := n.service.(withFiles); ok {
		uc.MayName = s.MayNameFile
	}
	n.uploads, err = upload.Open(ctx, uc)
	return err
}

// trace sends spans where the configuration says. What goes wrong with that is a
// line in the log.
func (n *Node) trace(ctx context.Context, cfg *edge.Config) error {
	c := n.home.Config
	var err error
	n.tracing, err = edge.NewTracing(ctx, edge.Tracing{Endpoint: c.Telemetry.OTLP.Endpoint, Share: c.Telemetry.OTLP.Share,
		Node: c.Node, Version: genesis.Build().Version})
	if err != nil {
		return err
	}
	log := n.log
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) { log.Warn("traces are not sent", "error", err) }))
	cfg.Tracer = n.tracing.Tracer("genesis")
	return nil
}

// stopTracing sends what is left, if the collector takes it soon.
func stopTracing(p *sdktrace.TracerProvider, log *slog.Logger) {
	if p == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), traceTimeout)
	defer cancel()
	if err := p.Shutdown(ctx); err != nil {
		log.Debug("the last traces were not sent", "error", err)
	}
}

package api

import (
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/api/edge"
	"github.com/opengenesis/genesis/internal/api/edge/apidoc"
	"github.com/opengenesis/genesis/internal/work/upload"
)

// SessionHeader names the session whose handed-over files a request may use.
const SessionHeader = "Genesis-Session"

// maxBody bounds a request's JSON unless Config says otherwise: a recipe and
// some ten thousand file names.
const maxBody = 64 << 20

// bodyTimeout bounds how long a client may take to send it. Tests shorten it.
var bodyTimeout = time.Minute

// Config is what an API is made of.
type Config struct {
	Service Service
	Files   files
	Uploads *upload.Store // nil: nothing can be uploaded
	Info    genesis.NodeInfo
	Edge    *edge.Edge            // what requests pass before they are here; nil: nothing, for tests
	Pages   func(*http.ServeMux)  // adds pages for browsers, and what is not HTTP's own; nil: nothing
	Routes  map[string]edge.Route // how the edge treats what Pages adds, by pattern
	Cursors *edge.Cursors         // nil: of a key that nobody else has
	Log     *slog.Logger          // nil: nothing is logged
}

// server holds what handlers need.
type server struct {
	Config
	broken *brokenStreams
	routes map[string]edge.Route
	opened opened
}

// New returns the handler of a node's whole HTTP interface.
func New(cfg Config) http.Handler {
	speakProblems()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Cursors == nil {
		cfg.Cursors = edge.NewCursors(freshKey())
	}
	s := &server{Config: cfg, broken: newBrokenStreams(), routes: map[string]edge.Route{}}
	mux := http.NewServeMux()
	a := humago.New(mux, humaConfig(cfg.Info))
	a.UseMiddleware(knownQuery(a))
	s.register(a)
	s.registerUploads(a)
	s.pages(mux, a)
	if s.Pages != nil {
		s.Pages(mux)
		maps.Copy(s.routes, s.Routes)
	}
	if cfg.Edge == nil {
		return s.recover(mux)
	}
	return cfg.Edge.Handler(mux, s.routes)
}

// pages adds what is not part of the API's document: the document itself, how
// to read it, and how the node is.
func (s *server) pages(mux *http.ServeMux, a huma.API) {
	for _, name := range []string{"/openapi.json", "/openapi.yaml", "/openapi-3.0.json", "/openapi-3.0.yaml"} {
		s.routes["GET "+name] = edge.Route{Public: true}
	}
	s.routes["GET "+apidoc.Page] = edge.Route{Public: true}
	s.routes["GET "+apidoc.Style] = edge.Route{Public: true}
	mux.Handle("GET "+apidoc.Page, apidoc.Handler(func() ([]byte, error) { return json.Marshal(a.OpenAPI()) }))
	mux.HandleFunc("GET "+apidoc.Style, apidoc.StyleSheet)
	mux.HandleFunc("GET /.well-known/genesis", s.descriptor)
	s.routes["GET /{$}"] = edge.Route{Public: true}
	mux.Handle("GET /{$}", http.RedirectHandler(apidoc.Page, http.StatusSeeOther)) // somebody who typed the address alone
	if s.Edge == nil {
		return
	}
	s.routes["GET /healthz"], s.routes["GET /readyz"] = edge.Route{Health: true}, edge.Route{Health: true}
	mux.HandleFunc("GET /healthz", s.Edge.Healthz)
	mux.HandleFunc("GET /readyz", s.Edge.Readyz)
	if s.Edge.Metrics != nil {
		s.routes["GET /metrics"] = edge.Route{Stream: true}
		mux.Handle("GET /metrics", onSocket(s.Edge.Metrics.Handler()))
	}
}

// onSocket hides what is for the owner of the home alone.
func onSocket(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, known := edge.PrincipalOf(r.Context()); known && edge.Socket(r.Context()) {
			next.ServeHTTP(w, r)
			return
		}
		edge.NotFound(w, r)
	})
}

// humaConfig turns off what huma would load from elsewhere (a documentation
// page from a CDN) or add to bodies (a $schema link).
func humaConfig(info genesis.NodeInfo) huma.Config {
	c := huma.DefaultConfig("Genesis node", info.Software.Version)
	c.DocsPath = ""
	c.SchemasPath = ""
	c.CreateHooks = nil
	c.Transformers = append(c.Transformers, nameRequest)
	c.Info.Description = "Makes raw files into AI-ready datasets, trains on them and predicts."
	c.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token": {Type: "http", Scheme: "bearer", Description: "A personal or service token, or one of genesis login"},
	}
	c.Security = []map[string][]string{{"token": {}}, {}}
	return c
}

// recover turns a panic of a handler into a logged error: one defect must not
// take the node down, and with it the work of others. The connection is cut,
// so that no half-written response looks whole.
func (s *server) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v != http.ErrAbortHandler {
				s.Log.Error("a request handler panicked", "method", r.Method, "path", r.URL.Path, "panic", v, "stack", stack())
			}
			panic(http.ErrAbortHandler)
		}()
		next.ServeHTTP(w, r)
	})
}

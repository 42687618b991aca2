package api

import (
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/opengenesis/genesis"
)

// SessionHeader names the session whose handed-over files a request may use.
const SessionHeader = "Genesis-Session"

// maxBody bounds a request's JSON: a recipe and some ten thousand file names.
const maxBody = 64 << 20

// bodyTimeout bounds how long a client may take to send it. Tests shorten it.
var bodyTimeout = time.Minute

// Config is what an API is made of.
type Config struct {
	Service Service
	Files   files
	Info    genesis.NodeInfo
	Log     *slog.Logger // nil: nothing is logged
}

// server holds what handlers need.
type server struct {
	Config
	broken *brokenStreams
}

// New returns the handler of a node's whole HTTP interface.
func New(cfg Config) http.Handler {
	speakProblems()
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &server{Config: cfg, broken: newBrokenStreams()}
	mux := http.NewServeMux()
	s.register(humago.New(mux, humaConfig(cfg.Info)))
	return s.recover(mux)
}

// humaConfig turns off what huma would load from elsewhere (a documentation
// page from a CDN) or add to bodies (a $schema link).
func humaConfig(info genesis.NodeInfo) huma.Config {
	c := huma.DefaultConfig("Genesis node", info.Software.Version)
	c.DocsPath = ""
	c.SchemasPath = ""
	c.CreateHooks = nil
	c.Info.Description = "Makes raw files into AI-ready datasets, trains on them and predicts."
	c.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
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

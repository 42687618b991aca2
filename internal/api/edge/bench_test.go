package edge

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
)

// BenchmarkEdge is what all of the edge costs a request, beside the same handler
// alone.
func BenchmarkEdge(b *testing.B) {
	handler := say(`{"node":"nrel","software":{"version":"1"}}`)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /x", handler)
	silent := Config{Authenticate: always(ada), Body: 1 << 20, Rate: 1e9, Burst: 1e9, Concurrency: 64, Log: slog.New(slog.DiscardHandler)}
	whole := silent
	whole.Metrics = NewMetrics()
	for _, c := range []struct {
		name string
		h    http.Handler
	}{
		{"handler alone", mux},
		{"edge", newRig(b, silent, nil, handler).handler},
		{"edge with metrics", newRig(b, whole, nil, handler).handler},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := httptest.NewRequest("GET", "/x", nil)
			r.Host = "localhost"
			w := &discard{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				c.h.ServeHTTP(w, r)
			}
		})
	}
}

// BenchmarkRefusal is what a request costs that is not let in.
func BenchmarkRefusal(b *testing.B) {
	g := newRig(b, Config{Concurrency: 1, Log: slog.New(slog.DiscardHandler), Metrics: NewMetrics()}, nil, say("{}"))
	g.admission.enter(Route{})
	r := httptest.NewRequest("GET", "/x", nil)
	r.Host = "localhost"
	w := &discard{header: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.header)
		g.handler.ServeHTTP(w, r)
	}
}

// BenchmarkOnce is a creating request under a fresh key: one synced commit.
func BenchmarkOnce(b *testing.B) {
	g := newRig(b, Config{Keys: &SQLKeys{DB: openDB(b, filepath.Join(b.TempDir(), "db"))}, Authenticate: always(ada), KeysMax: 1 << 30,
		Log: slog.New(slog.DiscardHandler)}, map[string]Route{"POST /x": {Creates: true}}, say("{}"))
	for i := 0; b.Loop(); i++ {
		r := httptest.NewRequest("POST", "/x", nil)
		r.Host = "localhost"
		r.Header.Set(KeyHeader, string(rune('a'+i%26))+string(rune('a'+i/26%26))+string(rune('a'+i/676%26))+string(rune('a'+i/17576%26)))
		g.handler.ServeHTTP(&discard{header: http.Header{}}, r)
	}
}

type discard struct{ header http.Header }

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

package edge

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

func TestSpans(t *testing.T) {
	rec := tracetest.NewSpanRecorder()
	tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(rec)).Tracer("test")
	g := newRig(t, Config{Tracer: tracer}, map[string]Route{"GET /v/{ref}": {}}, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "broken") {
			w.WriteHeader(500)
		}
	})
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	g.ask("GET", "/v/turbines", "", "Traceparent", parent, IDHeader, "my-request")
	g.ask("GET", "/v/broken", "", "Traceparent", "nonsense")
	g.ask("GET", "/healthz", "")
	spans := rec.Ended()
	if len(spans) != 2 {
		t.Fatalf("%d spans", len(spans))
	}
	first := spans[0]
	if first.Name() != "GET /v/{ref}" || first.Parent().TraceID().String() != "0af7651916cd43dd8448eb211c80319c" || !first.Parent().IsRemote() {
		t.Errorf("%s of %v", first.Name(), first.Parent())
	}
	got := map[string]string{}
	for _, a := range first.Attributes() {
		got[string(a.Key)] = a.Value.String()
		if strings.Contains(a.Value.String(), "turbines") {
			t.Error("a span names what was asked for")
		}
	}
	if got["http.route"] != "/v/{ref}" || got["http.response.status_code"] != "200" || got["genesis.request.id"] != "my-request" {
		t.Errorf("%v", got)
	}
	if spans[1].Status().Code.String() != "Error" || spans[1].Parent().IsValid() {
		t.Errorf("%v", spans[1].Status())
	}
}

// TestTracing sends spans to a collector, and to none: requests do not notice.
func TestTracing(t *testing.T) {
	arrived := make(chan string, 10)
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		arrived <- r.URL.Path + " " + string(b)
	}))
	defer collector.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(error) {}))
	for _, endpoint := range []string{collector.URL, gone.URL} {
		p, err := NewTracing(t.Context(), Tracing{Endpoint: endpoint, Share: 1, Node: "nrel"})
		if err != nil {
			t.Fatal(err)
		}
		g := newRig(t, Config{Tracer: p.Tracer("test")}, nil, say("{}"))
		began := time.Now()
		for range 5000 { // more than the queue holds
			if w := g.ask("GET", "/x", ""); w.Code != 200 {
				t.Fatalf("%d", w.Code)
			}
		}
		if took := time.Since(began); took > 20*time.Second {
			t.Errorf("requests wait for the collector: %v", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		_ = p.Shutdown(ctx)
		cancel()
	}
	if got := <-arrived; !strings.HasPrefix(got, "/v1/traces ") || !strings.Contains(got, "GET /x") || !strings.Contains(got, "nrel") {
		t.Errorf("the collector got %.100q", got)
	}
}

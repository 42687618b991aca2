package edge

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// observe writes a request's line, span and metrics, however it ends.
func (e *Edge) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := of(r.Context())
		ctx, span := e.span(r, x)
		if span != nil {
			r = r.WithContext(ctx)
		}
		leave := e.Metrics.enter(x)
		whole := false
		defer func() {
			took := time.Since(x.began)
			leave(r.Method, took, whole)
			endSpan(span, x, whole)
			e.logRequest(r, x, took, whole)
		}()
		next.ServeHTTP(w, r)
		whole = true
		if x.out.status == 0 {
			x.out.status = http.StatusOK // net/http says so for a handler that says nothing
		}
	})
}

// logRequest writes one line. The query stays out: it may hold what people look
// for. The person, too: who did what is the journal's to say.
func (e *Edge) logRequest(r *http.Request, x *exchange, took time.Duration, whole bool) {
	level := slog.LevelInfo
	if x.socket || x.route.Health {
		level = slog.LevelDebug
	}
	if !e.Log.Enabled(r.Context(), level) {
		return
	}
	e.Log.LogAttrs(r.Context(), level, "request",
		slog.String("request_id", x.id), slog.String("method", r.Method), slog.String("path", short(r.URL.Path, 200)),
		slog.String("route", routeOf(x.pattern)), slog.Int("status", x.status()), slog.Bool("whole", whole),
		slog.Int64("bytes", x.out.bytes), slog.Duration("took", took), slog.String("remote", remoteOf(r)))
}

// routeOf is a pattern's path; what has none shares one name, so that strangers
// cannot make up metrics.
func routeOf(pattern string) string {
	if _, path, ok := strings.Cut(pattern, " "); ok {
		return path
	}
	if pattern == "" {
		return "(none)"
	}
	return pattern
}

// remoteOf is the address of the other end.
func remoteOf(r *http.Request) string {
	if Socket(r.Context()) {
		return "socket"
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// span begins a request's span, as part of the trace the client names, if any.
func (e *Edge) span(r *http.Request, x *exchange) (context.Context, trace.Span) {
	if e.Tracer == nil || x.route.Health {
		return nil, nil
	}
	ctx := propagation.TraceContext{}.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
	method := methodOf(r.Method)
	return e.Tracer.Start(ctx, method+" "+routeOf(x.pattern), trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
		attribute.String("http.request.method", method), attribute.String("http.route", routeOf(x.pattern)), attribute.String("genesis.request.id", x.id)))
}

func endSpan(span trace.Span, x *exchange, whole bool) {
	if span == nil {
		return
	}
	span.SetAttributes(attribute.Int("http.response.status_code", x.status()), attribute.Int64("http.response.body.size", x.out.bytes))
	if !whole || x.status() >= 500 {
		span.SetStatus(codes.Error, "")
	}
	span.End()
}

// recover turns a panic of a handler into a logged error: one defect must not
// take the node down, and with it the work of others. The connection is cut, so
// that no half-written response looks whole.
func (e *Edge) recover(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			if v == nil {
				return
			}
			if v != http.ErrAbortHandler {
				e.Log.ErrorContext(r.Context(), "a request handler panicked", "request_id", RequestID(r.Context()),
					"method", r.Method, "path", r.URL.Path, "panic", v, "stack", string(debug.Stack()))
			}
			panic(http.ErrAbortHandler)
		}()
		next.ServeHTTP(w, r)
	})
}

package edge

import (
	"context"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"

	"github.com/opengenesis/genesis"
)

// Tracing says where spans go.
type Tracing struct {
	Endpoint string  // URL of an OTLP collector: "http://127.0.0.1:4318"
	Share    float64 // of the traces that are kept, 0 to 1
	Node     genesis.NodeID
	Version  string
}

// NewTracing returns a provider of tracers that sends spans to a collector over
// HTTP, and what ends it. Spans wait in a bounded queue and are dropped when it is
// full: a collector that is slow or gone costs the requests nothing. Whether a
// trace is kept is decided here, whatever a caller's traceparent says.
func NewTracing(ctx context.Context, t Tracing) (*sdktrace.TracerProvider, error) {
	target, err := url.JoinPath(t.Endpoint, "v1/traces")
	if err != nil {
		return nil, badCollector(t.Endpoint, err)
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(target),
		otlptracehttp.WithTimeout(5*time.Second), otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: false}))
	if err != nil {
		return nil, badCollector(t.Endpoint, err)
	}
	return sdktrace.NewTracerProvider(
		sdktrace.WithSampler(sdktrace.TraceIDRatioBased(t.Share)),
		sdktrace.WithBatcher(exporter, sdktrace.WithMaxQueueSize(2048), sdktrace.WithExportTimeout(5*time.Second)),
		sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "genesis"),
			attribute.String("service.version", t.Version), attribute.String("service.instance.id", string(t.Node)))),
	), nil
}

func badCollector(endpoint string, err error) error {
	return &genesis.Error{Op: "trace", Kind: genesis.Invalid, Subject: endpoint, Msg: "is not the URL of a collector", Err: err}
}

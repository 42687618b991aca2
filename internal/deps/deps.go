// Package deps holds the versions of modules that are about to be used.
// It goes when they are.
package deps

import (
	_ "github.com/cedar-policy/cedar-go"
	_ "github.com/cedar-policy/cedar-go/x/exp/schema/validate"
	_ "github.com/coreos/go-oidc/v3/oidc"
	_ "golang.org/x/mod/sumdb/tlog"
	_ "golang.org/x/mod/sumdb/note"
	_ "golang.org/x/crypto/argon2"
	_ "golang.org/x/oauth2"
	_ "golang.org/x/time/rate"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "go.opentelemetry.io/otel/sdk/trace"
	_ "go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	_ "github.com/go-jose/go-jose/v4/jwt"
)

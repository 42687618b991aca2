// Package oidc tests signing in by OpenID Connect against a real provider: that
// of zitadel/oidc, started in the test. A browser that follows redirects, a node
// that serves two paths, and a wire between node and provider that can be
// tampered with make up the rest.
package oidc

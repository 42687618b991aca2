package edge

import (
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
)

const (
	// maxURI bounds path and query together.
	maxURI = 8 << 10

	// maxFields bounds the header fields of a request; their bytes are the
	// server's to bound.
	maxFields = 100
)

// headers says what browsers must not do with an answer, and who may keep it.
// Handlers of pages set a Content-Security-Policy of their own.
func (e *Edge) headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h["X-Content-Type-Options"] = nosniff
		h["Content-Security-Policy"] = nothingAtAll
		h["Referrer-Policy"] = noReferrer
		h["Cross-Origin-Resource-Policy"] = sameOrigin
		h["Cross-Origin-Opener-Policy"] = sameOrigin
		h["X-Frame-Options"] = deny
		if e.Secure || r.TLS != nil {
			h["Strict-Transport-Security"] = strictTransport
		}
		if of(r.Context()).route.Public {
			h["Cache-Control"] = cachePublic
		} else {
			h["Cache-Control"], h["Vary"] = cachePrivate, varyByCaller
		}
		next.ServeHTTP(w, r)
	})
}

// Values of headers, made once; their capacity is their length, so that adding to
// one makes a new list.
var (
	nosniff         = []string{"nosniff"}
	nothingAtAll    = []string{"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"}
	noReferrer      = []string{"no-referrer"}
	sameOrigin      = []string{"same-origin"}
	deny            = []string{"DENY"}
	strictTransport = []string{"max-age=31536000; includeSubDomains"}
	cachePublic     = []string{"public, max-age=300"}
	cachePrivate    = []string{"private, no-store"}
	varyByCaller    = []string{"Authorization, Cookie"}
)

// guard refuses requests that no honest client makes.
func (e *Edge) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fields := 0
		for _, values := range r.Header {
			fields += len(values)
		}
		switch {
		case len(r.RequestURI) > maxURI:
			refuse(w, r, http.StatusRequestURITooLong, refusal("read request", "the URL is longer than 8 KiB", ""))
		case fields > maxFields:
			refuse(w, r, http.StatusRequestHeaderFieldsTooLarge, refusal("read request", "there are more than 100 header fields", ""))
		case !of(r.Context()).socket && !e.known(r.Host):
			refuse(w, r, http.StatusMisdirectedRequest, refusal("read request", "the node is not known under the name in Host",
				"the operator lists the node's names in config.yaml: url or serve.hosts"))
		case !of(r.Context()).route.Repeats && repeated(r.URL.RawQuery):
			refuse(w, r, http.StatusBadRequest, refusal("read request", "a parameter is there twice, or the query cannot be read", ""))
		case e.origins.Check(r) != nil:
			refuse(w, r, http.StatusForbidden, &genesis.Error{Op: "read request", Kind: genesis.Permission, Msg: "a page of another site may not do this in somebody's name"})
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// repeated reports whether a parameter is in a query more than once, so that nobody
// can mean one value and have another checked, or whether it cannot be read.
func repeated(query string) bool {
	if query == "" {
		return false
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return true
	}
	for _, v := range values {
		if len(v) > 1 {
			return true
		}
	}
	return false
}

func refusal(op, msg, hint string) error {
	return &genesis.Error{Op: op, Kind: genesis.Invalid, Msg: msg, Hint: hint}
}

// known reports whether the node answers to a host. A page can make a browser
// call a node on the person's own machine under a name of the page's choice, but
// not under an address.
func (e *Edge) known(host string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.TrimSuffix(strings.ToLower(strings.Trim(name, "[]")), ".")
	return name == "localhost" || net.ParseIP(name) != nil || slices.Contains(e.Hosts, name)
}

// limitBody bounds what is read of a body. Methods that have none may not bring
// one.
func (e *Edge) limitBody(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := of(r.Context())
		bodiless := r.Method == http.MethodGet || r.Method == http.MethodHead
		switch {
		case bodiless && r.ContentLength != 0:
			w.Header().Set("Connection", "close")
			refuse(w, r, http.StatusBadRequest, refusal("read request", "a request to read has no body", ""))
			return
		case e.Body > 0 && !x.route.RawBody && r.ContentLength > e.Body:
			w.Header().Set("Connection", "close")
			refuse(w, r, http.StatusRequestEntityTooLarge, tooLarge())
			return
		case e.Body > 0 && !x.route.RawBody && r.Body != nil:
			r.Body = http.MaxBytesReader(w, r.Body, e.Body)
		}
		next.ServeHTTP(w, r)
	})
}

func tooLarge() error {
	return refusal("read request", "the body is larger than this node takes", "files come in as uploads; the operator may raise serve.body")
}

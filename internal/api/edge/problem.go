package edge

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
)

// refuse answers with err. status 0 means that of its kind.
func refuse(w http.ResponseWriter, r *http.Request, status int, err error) {
	p := genesis.ProblemOf(err, false)
	var e *genesis.Error
	if errors.As(err, &e) && e.Kind == genesis.NotFound {
		p.Message, p.Detail = e.Msg, e.Error() // of paths, which everybody may know
	}
	if status != 0 {
		p.Status, p.Title = status, http.StatusText(status)
	}
	p.Request = RequestID(r.Context())
	if isCall(r) {
		refuseCall(w, r, p)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "private, no-store")
	h.Del("Content-Length")
	h.Del("Etag")
	if p.Status == http.StatusServiceUnavailable && h.Get("Retry-After") == "" {
		retryAfter(w, time.Second)
	}
	w.WriteHeader(p.Status)
	if r.Method != http.MethodHead {
		_ = json.NewEncoder(w).Encode(p) // a client that is gone needs no answer
	}
}

// retryAfter says when to come again, in whole seconds.
func retryAfter(w http.ResponseWriter, d time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(d.Seconds())))))
}

// found answers paths and methods that mux does not have with problems.
func found(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		probe := &silent{header: http.Header{}}
		h.ServeHTTP(probe, r)
		if probe.status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", probe.header.Get("Allow"))
			refuse(w, r, probe.status, &genesis.Error{Op: "find route", Kind: genesis.Invalid, Subject: r.Method,
				Msg: "is not a method of this path", Hint: "it takes " + probe.header.Get("Allow")})
			return
		}
		NotFound(w, r)
	})
}

// NotFound answers that there is no such path.
func NotFound(w http.ResponseWriter, r *http.Request) {
	if isCall(r) {
		refuse(w, r, 0, &genesis.Error{Op: "find method", Kind: genesis.Unsupported, Subject: short(r.URL.Path, 200), Msg: "there is no such method"})
		return
	}
	refuse(w, r, 0, &genesis.Error{Op: "find route", Kind: genesis.NotFound, Subject: short(r.URL.Path, 200),
		Msg: "there is no such path; this node speaks " + strings.Join(genesis.Spoken.APIs, " and "), Hint: "/openapi.json lists the paths"})
}

// silent learns what a handler would answer.
type silent struct {
	header http.Header
	status int
}

func (s *silent) Header() http.Header         { return s.header }
func (s *silent) WriteHeader(status int)      { s.status = status }
func (s *silent) Write(b []byte) (int, error) { return len(b), nil }

// short cuts s to at most n bytes.
func short(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}

package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/opengenesis/genesis"
)

// rig is an edge over one handler for "GET /x", "POST /x" and what else routes
// name.
type rig struct {
	*Edge
	handler http.Handler
	log     *locked
}

func newRig(t testing.TB, cfg Config, routes map[string]Route, do http.HandlerFunc) *rig {
	t.Helper()
	log := &locked{}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /x", do)
	mux.HandleFunc("POST /x", do)
	for pattern := range routes {
		if pattern != "GET /x" && pattern != "POST /x" {
			mux.HandleFunc(pattern, do)
		}
	}
	mux.HandleFunc("GET /healthz", e.Healthz)
	mux.HandleFunc("GET /readyz", e.Readyz)
	all := map[string]Route{"GET /healthz": {Health: true}, "GET /readyz": {Health: true}}
	for pattern, r := range routes {
		all[pattern] = r
	}
	return &rig{e, e.Handler(mux, all), log}
}

// locked is a buffer for many.
type locked struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

// ask makes a request with headers given as pairs.
func (g *rig) ask(method, target, body string, header ...string) *httptest.ResponseRecorder {
	return g.askIn(context.Background(), method, target, body, header...)
}

func (g *rig) askIn(ctx context.Context, method, target, body string, header ...string) *httptest.ResponseRecorder {
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	r := httptest.NewRequestWithContext(ctx, method, target, in)
	r.Host = "localhost"
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	g.handler.ServeHTTP(w, r)
	return w
}

func problemIn(t *testing.T, w *httptest.ResponseRecorder) genesis.Problem {
	t.Helper()
	var p genesis.Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Header().Get("Content-Type") != "application/problem+json" || p.Status != w.Code {
		t.Errorf("%d %v is no problem: %s", w.Code, w.Header(), w.Body)
	}
	return p
}

func say(text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, text)
	}
}

func TestRequestID(t *testing.T) {
	seen := ""
	g := newRig(t, Config{}, nil, func(_ http.ResponseWriter, r *http.Request) { seen = RequestID(r.Context()) })
	for id, taken := range map[string]bool{
		"": false, "short": false, "a-b_c.D9": true, strings.Repeat("x", 64): true, strings.Repeat("x", 65): false,
		"has space in it": false, "line\nfeed-x": false, "quote\"quote": false, "ümlaut-ümlaut": false,
	} {
		w := g.ask("GET", "/x", "", IDHeader, id)
		got := w.Header().Get(IDHeader)
		if (got == id) != taken || !wellFormedID(got) || got != seen || !strings.Contains(g.log.String(), "request_id="+got) {
			t.Errorf("%q becomes %q; the handler sees %q", id, got, seen)
		}
	}
	if p := problemIn(t, g.ask("GET", "/nothing", "", IDHeader, "my-request")); p.Request != "my-request" || p.Kind != genesis.NotFound {
		t.Errorf("%+v", p)
	}
}

func TestLogLeavesOutSecrets(t *testing.T) {
	g := newRig(t, Config{Authenticate: always(ada)}, nil, say("{}"))
	g.ask("GET", "/x?q=swordfish", "", "Authorization", "Bearer swordfish", "Cookie", "s=swordfish", "Referer", "https://x/swordfish")
	if line := g.log.String(); !strings.Contains(line, "path=/x") || strings.Contains(line, "swordfish") || strings.Contains(line, "ada") {
		t.Error(line)
	}
}

func TestHeaders(t *testing.T) {
	g := newRig(t, Config{}, map[string]Route{"GET /open": {Public: true}}, say("{}"))
	private, public := g.ask("GET", "/x", "").Header(), g.ask("GET", "/open", "").Header()
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Cache-Control": "private, no-store",
		"Vary": "Authorization, Cookie", "Referrer-Policy": "no-referrer", "Strict-Transport-Security": ""} {
		if got := private.Get(name); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	if public.Get("Cache-Control") != "public, max-age=300" || public.Get("Vary") != "" {
		t.Errorf("%v", public)
	}
	if got := g.ask("GET", "/nothing", "").Header().Get("Cache-Control"); got != "private, no-store" {
		t.Errorf("a problem may be kept: %s", got)
	}
}

// TestBrowserPolicy: on every answer, refusals too, browsers load nothing, put it in
// no frame and, where TLS is, come back over TLS alone. Nobody sets another policy by
// asking.
func TestBrowserPolicy(t *testing.T) {
	for _, secure := range []bool{false, true} {
		g := newRig(t, Config{Secure: secure}, nil, say("{}"))
		for _, w := range []*httptest.ResponseRecorder{g.ask("GET", "/x", ""), g.ask("GET", "/nothing", ""), g.ask("PUT", "/x", ""), g.ask("GET", "/x", "", "Host", "evil.example")} {
			csp := w.Header().Get("Content-Security-Policy")
			for _, want := range []string{"default-src 'none'", "base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'", "sandbox"} {
				if !strings.Contains(csp, want) {
					t.Errorf("%d: the policy is %q", w.Code, csp)
				}
			}
			hsts := ""
			if secure {
				hsts = "max-age=31536000; includeSubDomains"
			}
			if got := w.Header().Get("Strict-Transport-Security"); got != hsts {
				t.Errorf("%d, secure %v: %q", w.Code, secure, got)
			}
		}
	}
}

// TestNoOtherOrigin: no page of another site reads an answer, whatever it asks, and
// methods that nothing serves are refused: TRACE, which tells what was sent, too.
func TestNoOtherOrigin(t *testing.T) {
	g := newRig(t, Config{Origins: []string{"https://data.example.edu"}}, nil, say("{}"))
	for _, origin := range []string{"https://evil.example", "https://data.example.edu", "null"} {
		for method, status := range map[string]int{"GET": 200, "OPTIONS": 405, "TRACE": 405, "CONNECT": 405, "BREW": 405} {
			w := g.ask(method, "/x", "", "Origin", origin, "Access-Control-Request-Method", "POST", "X-Secret", "swordfish")
			if w.Code != status && w.Code != 403 || w.Code == 403 && method == "GET" {
				t.Errorf("%s from %s: %d", method, origin, w.Code)
			}
			for name := range w.Header() {
				if strings.HasPrefix(name, "Access-Control-") {
					t.Errorf("%s from %s: %s", method, origin, name)
				}
			}
			if strings.Contains(w.Body.String(), "swordfish") {
				t.Errorf("%s tells what was sent", method)
			}
		}
	}
}

// TestForwardedIsNotHeeded: who calls, from where and under which name is what the
// connection says, and not what a caller writes into a header.
func TestForwardedIsNotHeeded(t *testing.T) {
	g := newRig(t, Config{Rate: 0.001, Burst: 1, Hosts: []string{"data.example.edu"}}, nil, say("{}"))
	forwarded := func(i string) []string {
		return []string{"X-Forwarded-For", "198.51.100." + i, "X-Real-IP", "198.51.100." + i, "Forwarded", "for=198.51.100." + i, "True-Client-IP", "198.51.100." + i,
			"X-Forwarded-Host", "data.example.edu", "X-Forwarded-Proto", "https", "X-User-ID", "ada", "X-HTTP-Method-Override", "POST"}
	}
	if w := g.ask("GET", "/x", "", forwarded("1")...); w.Code != 200 || w.Header().Get("Strict-Transport-Security") != "" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
	if w := g.ask("GET", "/x", "", forwarded("2")...); w.Code != 429 {
		t.Errorf("another address in a header is another caller: %d", w.Code)
	}
	if w := g.ask("GET", "/x", "", append(forwarded("3"), "Host", "evil.example")...); w.Code != 421 {
		t.Errorf("a header gives the node another name: %d", w.Code)
	}
	if log := g.log.String(); strings.Contains(log, "198.51.100.") || !strings.Contains(log, "remote=192.0.2.1") {
		t.Error(log)
	}
}

// TestLogIsOneLine: whatever a stranger sends, a request is one line of the log that
// programs read, in both forms; what was refused has its line, too.
func TestLogIsOneLine(t *testing.T) {
	for name, form := range map[string]func(io.Writer) slog.Handler{
		"json": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
		"text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
	} {
		var log locked
		g := newRig(t, Config{Log: slog.New(form(&log)), Authenticate: byName, Body: 10, Rate: 0.001, Burst: 3}, nil, say("{}"))
		hostile := "/a%0Atime=2026%20level=INFO%20msg=forged%0D%1b%5B2J%22%7D"
		want := []int{404, 403, 421, 401, 413, 429}
		for i, w := range []*httptest.ResponseRecorder{
			g.ask("GET", hostile, ""), g.ask("POST", "/x", "", "Sec-Fetch-Site", "cross-site"), g.ask("GET", "/x", "", "Host", "evil.example\nx"),
			g.ask("GET", "/x", "", "Authorization", "Bearer wrong"), g.ask("POST", "/x", "0123456789a"), g.ask("GET", "/x", ""),
		} {
			if w.Code != want[i] {
				t.Errorf("%d, want %d", w.Code, want[i])
			}
		}
		lines := strings.Split(strings.TrimSuffix(log.String(), "\n"), "\n")
		if len(lines) != len(want) {
			t.Fatalf("%s: %d lines for %d requests:\n%s", name, len(lines), len(want), log.String())
		}
		for i, line := range lines {
			if strings.ContainsFunc(line, unicode.IsControl) {
				t.Errorf("%s: %q", name, line)
			}
			if name == "text" {
				continue
			}
			var entry struct {
				Time   time.Time
				Status int
				Msg    string
			}
			if err := json.Unmarshal([]byte(line), &entry); err != nil || entry.Status != want[i] || entry.Msg != "request" || entry.Time.IsZero() {
				t.Errorf("%s: %v", line, err)
			}
		}
	}
}

func TestGuard(t *testing.T) {
	g := newRig(t, Config{Hosts: []string{"data.example.edu"}, Origins: []string{"https://data.example.edu"}, Body: 10},
		map[string]Route{"POST /raw": {RawBody: true}}, func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				w.WriteHeader(499)
			}
		})
	many := []string{}
	for range maxFields + 1 {
		many = append(many, "X-Field", "x")
	}
	for name, c := range map[string]struct {
		method, target, body string
		header               []string
		status               int
	}{
		"name":              {"GET", "/x", "", []string{"Host", "data.example.edu"}, 200},
		"name with port":    {"GET", "/x", "", []string{"Host", "data.example.edu:8472"}, 200},
		"name in capitals":  {"GET", "/x", "", []string{"Host", "Data.Example.EDU."}, 200},
		"other name":        {"GET", "/x", "", []string{"Host", "evil.example"}, 421},
		"name as beginning": {"GET", "/x", "", []string{"Host", "data.example.edu.evil.example"}, 421},
		"no name":           {"GET", "/x", "", []string{"Host", ""}, 421},
		"address":           {"GET", "/x", "", []string{"Host", "192.0.2.7:80"}, 200},
		"v6 address":        {"GET", "/x", "", []string{"Host", "[2001:db8::1]:80"}, 200},
		"bare v6 address":   {"GET", "/x", "", []string{"Host", "[2001:db8::1]"}, 200},
		"localhost":         {"GET", "/x", "", []string{"Host", "localhost:9"}, 200},
		"long URL":          {"GET", "/x?" + strings.Repeat("a", maxURI), "", nil, 414},
		"many fields":       {"GET", "/x", "", many, 431},
		"reading with body": {"GET", "/x", "b", nil, 400},
		"body":              {"POST", "/x", "0123456789", nil, 200},
		"large body":        {"POST", "/x", "0123456789a", nil, 413},
		"raw body":          {"POST", "/raw", strings.Repeat("a", 1000), nil, 200},
		"other site":        {"POST", "/x", "", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		"other origin":      {"POST", "/x", "", []string{"Origin", "https://evil.example"}, 403},
		"own origin":        {"POST", "/x", "", []string{"Origin", "https://data.example.edu"}, 200},
		"reads cross-site":  {"GET", "/x", "", []string{"Sec-Fetch-Site", "cross-site"}, 200},
		"other method":      {"PUT", "/x", "", nil, 405},
	} {
		w := g.ask(c.method, c.target, c.body, c.header...)
		if w.Code != c.status {
			t.Errorf("%s: %d, want %d: %s", name, w.Code, c.status, w.Body)
		}
		if w.Code >= 400 {
			problemIn(t, w)
		}
	}
	w := g.askIn(WithSocket(t.Context()), "GET", "/x", "", "Host", "g")
	if w.Code != 200 {
		t.Errorf("the socket needs no name: %d", w.Code)
	}
}

// TestChunkedBody: a body whose length nobody says is bounded all the same.
func TestChunkedBody(t *testing.T) {
	var err error
	g := newRig(t, Config{Body: 10}, nil, func(_ http.ResponseWriter, r *http.Request) { _, err = io.Copy(io.Discard, r.Body) })
	srv := httptest.NewServer(g.handler)
	defer srv.Close()
	for length, whole := range map[int]bool{10: true, 11: false} {
		resp, doErr := http.Post(srv.URL+"/x", "text/plain", io.MultiReader(strings.NewReader(strings.Repeat("a", length)))) // of unknown length
		if doErr != nil {
			t.Fatal(doErr)
		}
		resp.Body.Close()
		var long *http.MaxBytesError
		if errors.As(err, &long) == whole {
			t.Errorf("%d bytes: %v", length, err)
		}
	}
}

func TestPanic(t *testing.T) {
	m := NewMetrics()
	g := newRig(t, Config{Metrics: m}, nil, func(http.ResponseWriter, *http.Request) { panic("a defect") })
	srv := httptest.NewServer(g.handler)
	defer srv.Close()
	if _, err := http.Get(srv.URL + "/x"); err == nil {
		t.Error("a panic gave an answer")
	}
	if log := g.log.String(); !strings.Contains(log, "a defect") || !strings.Contains(log, "edge_test.go") || !strings.Contains(log, "whole=false") {
		t.Error(log)
	}
	if text := metricsText(m); !strings.Contains(text, `genesis_http_requests_total{class="cut",method="GET",route="/x"} 1`) || !strings.Contains(text, "genesis_http_in_flight 0") {
		t.Error(text)
	}
}

func metricsText(m *Metrics) string {
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	return w.Body.String()
}

func TestMetrics(t *testing.T) {
	m := NewMetrics()
	m.Gauge("genesis_runs_queued", "Runs that wait.", func() float64 { return 7 })
	g := newRig(t, Config{Metrics: m}, nil, say("{}"))
	g.ask("GET", "/x", "")
	g.ask("GET", "/one-that-is-not", "")
	g.ask("GET", "/another", "")
	g.ask("BREW", "/x", "")
	text := metricsText(m)
	for _, want := range []string{
		`genesis_http_requests_total{class="2xx",method="GET",route="/x"} 1`,
		`genesis_http_requests_total{class="4xx",method="GET",route="(none)"} 2`,
		`genesis_http_requests_total{class="4xx",method="other",route="(none)"} 1`,
		`genesis_http_sent_bytes_total{route="/x"} 2`, "genesis_runs_queued 7", "go_goroutines", "genesis_http_request_seconds_bucket",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	(*Metrics)(nil).Gauge("x", "", nil) // measures nothing
}

var (
	ada = genesis.Principal{Subject: "ada", Node: "nrel"}
)

func always(who genesis.Principal) func(*http.Request) (genesis.Principal, error) {
	return func(*http.Request) (genesis.Principal, error) { return who, nil }
}

// byName takes the bearer token for the name, of this node or with another before it.
func byName(r *http.Request) (genesis.Principal, error) {
	name, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	switch {
	case !ok:
		return genesis.Principal{}, nil
	case name == "wrong":
		return genesis.Principal{}, &genesis.Error{Op: "sign in", Kind: genesis.Permission, Msg: "the token does not hold"}
	case name == "away":
		return genesis.Principal{}, &genesis.Error{Op: "sign in", Kind: genesis.Unavailable, Msg: "cannot look"}
	}
	node, subject := genesis.PersonID(name).Split("nrel")
	return genesis.Principal{Subject: subject, Node: node}, nil
}

func TestAuthenticate(t *testing.T) {
	g := newRig(t, Config{Authenticate: byName}, nil, func(w http.ResponseWriter, r *http.Request) {
		who, ok := PrincipalOf(r.Context())
		if !ok {
			io.WriteString(w, "unknown")
			return
		}
		io.WriteString(w, string(who.Person()))
	})
	for token, want := range map[string]string{"": "", "Bearer ada": "nrel/ada"} {
		if w := g.ask("GET", "/x", "", "Authorization", token); w.Code != 200 || w.Body.String() != want {
			t.Errorf("%q: %d %s", token, w.Code, w.Body)
		}
	}
	w := g.ask("GET", "/x", "", "Authorization", "Bearer wrong")
	if p := problemIn(t, w); w.Code != 401 || p.Kind != genesis.Permission || !strings.HasPrefix(w.Header().Get("WWW-Authenticate"), "Bearer") {
		t.Errorf("%d %+v", w.Code, p)
	}
	if w := g.ask("GET", "/x", "", "Authorization", "Bearer away"); w.Code != 503 || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d", w.Code)
	}
	// On the socket the kernel's word wins.
	kernel := WithPrincipal(WithSocket(t.Context()), genesis.Principal{Subject: "local", Node: "nrel"})
	if w := g.askIn(kernel, "GET", "/x", "", "Authorization", "Bearer ada"); w.Body.String() != "nrel/local" {
		t.Errorf("a token overrules the kernel: %s", w.Body)
	}
	if w := g.askIn(WithSocket(t.Context()), "GET", "/x", "", "Authorization", "Bearer ada"); w.Body.String() != "unknown" {
		t.Errorf("another user of this machine is %s", w.Body)
	}
}

func TestDrain(t *testing.T) {
	g := newRig(t, Config{}, nil, say("{}"))
	if w := g.ask("GET", "/readyz", ""); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	g.Drain()
	if w := g.ask("GET", "/x", ""); w.Code != 503 || w.Header().Get("Connection") != "close" || w.Header().Get("Retry-After") == "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if w := g.ask("GET", "/readyz", ""); w.Code != 503 || !strings.Contains(w.Body.String(), `{"name":"draining","ok":false}`) {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := g.ask("GET", "/healthz", ""); w.Code != 200 {
		t.Errorf("%d", w.Code)
	}
	if w := g.askIn(WithSocket(t.Context()), "GET", "/x", ""); w.Code != 503 {
		t.Errorf("on the socket: %d", w.Code)
	}
}

func TestReadiness(t *testing.T) {
	asked := 0
	var state error
	g := newRig(t, Config{Checks: []Check{
		{"journal", func(context.Context) error { asked++; return state }},
		{"slow", func(ctx context.Context) error { return nil }},
	}}, nil, say("{}"))
	if w := g.ask("GET", "/readyz", ""); w.Code != 200 || w.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	state = errors.New("disk /dev/sdx is full")
	if g.ask("GET", "/readyz", ""); asked != 1 {
		t.Errorf("asked %d times in a moment", asked)
	}
	g.readiness.at = time.Time{}
	w := g.ask("GET", "/readyz", "")
	var got Readiness
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 503 || got.Ready || got.Checks[0].OK || got.Checks[0].Error != "" || !got.Checks[1].OK {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := g.askIn(WithSocket(t.Context()), "GET", "/readyz", ""); !strings.Contains(w.Body.String(), "sdx") {
		t.Errorf("the operator is not told why: %s", w.Body)
	}
}

func TestReadinessDoesNotWait(t *testing.T) {
	// In FIPS mode randomness is measured from the clock, which stands still here.
	cryptotest.SetGlobalRandom(t, 1)
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, Config{Checks: []Check{{"stuck", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}}}, nil, say("{}"))
		began := time.Now()
		if w := g.ask("GET", "/readyz", ""); w.Code != 503 || time.Since(began) != checkTimeout {
			t.Errorf("%d after %v", w.Code, time.Since(began))
		}
	})
}

package edge

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
)

// asCall makes a request one over gRPC.
func asCall(r *http.Request) *http.Request {
	r.Proto, r.ProtoMajor, r.ProtoMinor = "HTTP/2.0", 2, 0
	r.Host = "localhost"
	r.Header.Set("Content-Type", "application/grpc+proto")
	return r
}

// TestCallsAreRefusedAsCalls: whatever part of the edge refuses, a client of gRPC is
// told in its terms, and log and metrics say what it amounts to.
func TestCallsAreRefusedAsCalls(t *testing.T) {
	forged := func(*http.Request) (genesis.Principal, error) {
		return genesis.Principal{}, &genesis.Error{Op: "sign in", Kind: genesis.Permission, Msg: "the token does not hold ä", Hint: "make another"}
	}
	for name, c := range map[string]struct {
		cfg    Config
		path   string
		change func(*http.Request)
		drain  bool
		times  int
		code   string
		status string
	}{
		"token":       {cfg: Config{Authenticate: forged}, code: "16", status: "401"},
		"rate":        {cfg: Config{Rate: 0.001, Burst: 1}, times: 2, code: "8", status: "429"},
		"drain":       {drain: true, code: "14", status: "503"},
		"host":        {change: func(r *http.Request) { r.Host = "else.example" }, code: "3", status: "421"},
		"path":        {path: "/another.Service/Method", code: "12", status: "501"},
		"body":        {cfg: Config{Body: 10}, change: func(r *http.Request) { r.ContentLength = 11 }, code: "3", status: "413"},
		"answered":    {code: "", status: "200"},
		"http/1":      {cfg: Config{Authenticate: forged}, change: func(r *http.Request) { r.ProtoMajor = 1 }, status: "401"},
		"web":         {cfg: Config{Authenticate: forged}, change: func(r *http.Request) { r.Header.Set("Content-Type", "application/grpc-web") }, status: "401"},
		"told":        {change: func(r *http.Request) { r.Header.Set("Told", "x") }, status: "410"},
		"other pages": {change: func(r *http.Request) { r.Header.Set("Origin", "https://evil.example") }, code: "7", status: "403"},
	} {
		m := NewMetrics()
		c.cfg.Metrics = m
		g := newRig(t, c.cfg, nil, func(_ http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Told") != "" {
				Told(r.Context(), http.StatusGone)
			}
		})
		if c.drain {
			g.Drain()
		}
		if c.path == "" {
			c.path = "/x"
		}
		var w *httptest.ResponseRecorder
		for range max(1, c.times) {
			r := asCall(httptest.NewRequest("POST", c.path, strings.NewReader("")))
			if c.change != nil {
				c.change(r)
			}
			w = httptest.NewRecorder()
			g.handler.ServeHTTP(w, r)
		}
		if got := w.Header().Get("Grpc-Status"); got != c.code {
			t.Errorf("%s: code %q, want %q; %d %s", name, got, c.code, w.Code, w.Body)
		}
		if c.code != "" && (w.Code != 200 || w.Body.Len() > 0 || w.Header().Get("Content-Type") != "application/grpc") {
			t.Errorf("%s: it is answered %d %v %q", name, w.Code, w.Header(), w.Body)
		}
		if log := g.log.String(); !strings.Contains(log, "status="+c.status) {
			t.Errorf("%s: the log does not say %s: %s", name, c.status, log)
		}
		figures := httptest.NewRecorder()
		m.Handler().ServeHTTP(figures, httptest.NewRequest("GET", "/metrics", nil))
		if want := `class="` + c.status[:1] + `xx"`; !strings.Contains(figures.Body.String(), want) {
			t.Errorf("%s: no figure of %s", name, want)
		}
		if name == "token" && w.Header().Get("Grpc-Message") != "sign in: the token does not hold %C3%A4%0Amake another" {
			t.Errorf("the message is %q", w.Header().Get("Grpc-Message"))
		}
	}
}

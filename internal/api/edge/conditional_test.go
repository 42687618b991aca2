package edge

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestConditional(t *testing.T) {
	g := newRig(t, Config{}, map[string]Route{"GET /s": {Stream: true}}, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Query().Get("status") != "" {
			w.WriteHeader(404)
		}
		io.WriteString(w, "{}"+r.URL.Query().Get("more"))
	})
	first := g.ask("GET", "/x", "")
	etag := first.Header().Get("Etag")
	if len(etag) != 26 || first.Header().Get("Content-Length") != "2" {
		t.Fatalf("%v", first.Header())
	}
	if other := g.ask("GET", "/x?more=1", "").Header().Get("Etag"); other == etag {
		t.Error("other bytes have the same tag")
	}
	for _, c := range []struct {
		method, target, header, value string
		status                        int
		body                          string
	}{
		{"GET", "/x", "If-None-Match", etag, 304, ""},
		{"HEAD", "/x", "If-None-Match", etag, 304, ""},
		{"GET", "/x", "If-None-Match", `"other", W/` + etag, 304, ""},
		{"GET", "/x", "If-None-Match", "*", 304, ""},
		{"GET", "/x", "If-None-Match", `"other"`, 200, "{}"},
		{"GET", "/x", "If-Match", etag, 200, "{}"},
		{"GET", "/x", "If-Match", "*", 200, "{}"},
		{"GET", "/x", "If-Match", "W/" + etag, 412, "problem"},
		{"GET", "/x", "If-Match", `"other"`, 412, "problem"},
		{"POST", "/x", "If-Match", etag, 501, "problem"},
		{"GET", "/x?status=404", "If-None-Match", "*", 404, "{}"},
		{"GET", "/s", "If-None-Match", etag, 200, "{}"},
	} {
		w := g.ask(c.method, c.target, "", c.header, c.value)
		if w.Code != c.status || c.body != "problem" && w.Body.String() != c.body {
			t.Errorf("%s %s %s %s: %d %s", c.method, c.target, c.header, c.value, w.Code, w.Body)
		}
		if c.body == "problem" {
			problemIn(t, w)
		}
		if w.Code == 304 && (w.Header().Get("Etag") != etag || w.Header().Get("Content-Type") != "" || w.Header().Get("Cache-Control") == "") {
			t.Errorf("%v", w.Header())
		}
	}
}

// TestLongAnswersAreNotHeld: what is longer than memory should hold goes through
// whole, without a tag.
func TestLongAnswersAreNotHeld(t *testing.T) {
	part := strings.Repeat("x", 1<<20)
	g := newRig(t, Config{}, nil, func(w http.ResponseWriter, _ *http.Request) {
		for range 6 {
			io.WriteString(w, part)
		}
	})
	if w := g.ask("GET", "/x", ""); w.Code != 200 || w.Body.Len() != 6<<20 || w.Header().Get("Etag") != "" {
		t.Errorf("%d, %d bytes, %v", w.Code, w.Body.Len(), w.Header())
	}
}

func TestFlushEndsHolding(t *testing.T) {
	g := newRig(t, Config{}, nil, func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "a")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		io.WriteString(w, "b")
	})
	if w := g.ask("GET", "/x", ""); w.Body.String() != "ab" || !w.Flushed || w.Header().Get("Etag") != "" {
		t.Errorf("%s %v", w.Body, w.Header())
	}
}

package edge

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

// TestBehindProxy: the caller's address is the last one in X-Forwarded-For that is no
// proxy's, on connections of proxies alone; what callers write before it counts for
// nothing, for the handlers, the limits and the log.
func TestBehindProxy(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8:1::/64")}
	g := newRig(t, Config{Proxies: proxies}, nil, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RemoteAddr) })
	for name, c := range map[string]struct {
		remote string
		told   []string
		want   string
	}{
		"no proxy":          {"192.0.2.1:99", []string{"198.51.100.7"}, "192.0.2.1:99"},
		"proxy":             {"10.1.2.3:99", []string{"198.51.100.7"}, "198.51.100.7:0"},
		"proxy says no":     {"10.1.2.3:99", nil, "10.1.2.3:99"},
		"forged before":     {"10.1.2.3:99", []string{"203.0.113.9, 198.51.100.7"}, "198.51.100.7:0"},
		"forged field":      {"10.1.2.3:99", []string{"203.0.113.9", "198.51.100.7"}, "198.51.100.7:0"},
		"two proxies":       {"10.1.2.3:99", []string{"203.0.113.9, 198.51.100.7, 10.9.9.9"}, "198.51.100.7:0"},
		"forged as a proxy": {"10.1.2.3:99", []string{"10.9.9.9, 198.51.100.7"}, "198.51.100.7:0"},
		"nobody but us":     {"10.1.2.3:99", []string{"10.9.9.9"}, "10.9.9.9:0"},
		"not an address":    {"10.1.2.3:99", []string{"198.51.100.7, unknown"}, "10.1.2.3:99"},
		"with a port":       {"10.1.2.3:99", []string{"198.51.100.7:4444"}, "198.51.100.7:0"},
		"v6 with a port":    {"10.1.2.3:99", []string{"[2001:db8:9::1]:4444"}, "[2001:db8:9::1]:0"},
		"rubbish before":    {"10.1.2.3:99", []string{"\x00evil, 10.9.9.9"}, "10.9.9.9:0"},
		"v6 proxy":          {"[2001:db8:1::5]:99", []string{"2001:db8:9::1"}, "[2001:db8:9::1]:0"},
		"mapped":            {"[::ffff:10.1.2.3]:99", []string{"::ffff:198.51.100.7"}, "198.51.100.7:0"},
	} {
		r := httptest.NewRequest("GET", "/x", nil)
		r.Host, r.RemoteAddr = "localhost", c.remote
		r.Header["X-Forwarded-For"] = c.told
		w := httptest.NewRecorder()
		g.handler.ServeHTTP(w, r)
		if got := w.Body.String(); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// TestLimitsBehindProxy: callers behind one proxy have a limit each.
func TestLimitsBehindProxy(t *testing.T) {
	g := newRig(t, Config{Rate: 0.001, Burst: 1, Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, nil, say("{}"))
	for _, c := range []struct {
		from   string
		status int
	}{{"198.51.100.1", 200}, {"198.51.100.2", 200}, {"198.51.100.1", 429}, {"203.0.113.5, 198.51.100.1", 429}} {
		if w := g.ask("GET", "/x", "", "X-Forwarded-For", c.from); w.Code != c.status {
			t.Errorf("%s: %d, want %d", c.from, w.Code, c.status)
		}
	}
}

package edge

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

func TestForwarded(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	tests := []struct{ name, peer, header, want string }{
		{"no proxy", "192.0.2.1:5", "", "192.0.2.1:5"},
		{"nobody believes a stranger", "192.0.2.1:5", "198.51.100.7", "192.0.2.1:5"},
		{"a proxy", "10.1.2.3:5", "198.51.100.7", "198.51.100.7:0"},
		{"a proxy that says nothing", "10.1.2.3:5", "", "10.1.2.3:5"},
		{"two proxies", "[::1]:5", "198.51.100.7, 10.9.9.9", "198.51.100.7:0"},
		{"what a client made up", "10.1.2.3:5", "203.0.113.9, 198.51.100.7", "198.51.100.7:0"},
		{"in several lines", "10.1.2.3:5", "203.0.113.9\n198.51.100.7,10.1.1.1", "198.51.100.7:0"},
		{"with a port", "10.1.2.3:5", "198.51.100.7:4444", "198.51.100.7:0"},
		{"IPv6", "10.1.2.3:5", "[2001:db8::1]:4444", "[2001:db8::1]:0"},
		{"IPv6 with a zone", "10.1.2.3:5", "fe80::1%eth0", "[fe80::1]:0"},
		{"IPv4 in IPv6", "[::ffff:10.1.2.3]:5", "::ffff:198.51.100.7", "198.51.100.7:0"},
		{"nonsense before a proxy", "10.1.2.3:5", "unknown, 10.4.4.4", "10.4.4.4:0"},
		{"nonsense", "10.1.2.3:5", "unknown", "10.1.2.3:5"},
		{"proxies alone", "10.1.2.3:5", "10.4.4.4, 10.5.5.5", "10.4.4.4:0"},
	}
	for _, tt := range tests {
		e, err := New(Config{Proxies: proxies})
		if err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.RemoteAddr = tt.peer
		for line := range strings.SplitSeq(tt.header, "\n") {
			if line != "" {
				r.Header.Add("X-Forwarded-For", line)
			}
		}
		got := ""
		e.forwarded(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got = r.RemoteAddr })).ServeHTTP(httptest.NewRecorder(), r)
		if got != tt.want || r.RemoteAddr != tt.peer {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

package edge

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// forwarded is the header field in which proxies say for whom they ask, each adding
// the address that it saw.
const forwarded = "X-Forwarded-For"

// behindProxy makes a request's address the caller's, where the connection is a
// proxy's that is trusted to say it. What others write into the field is not heeded:
// it is read from its end, where the proxies write, up to the first address that is
// no proxy's.
func (e *Edge) behindProxy(next http.Handler) http.Handler {
	if len(e.Proxies) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !of(r.Context()).socket {
			r.RemoteAddr = e.callerOf(r) // of begin's own copy of the request
		}
		next.ServeHTTP(w, r)
	})
}

func (e *Edge) callerOf(r *http.Request) string {
	here, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !e.proxied(here.Addr()) {
		return r.RemoteAddr
	}
	told := strings.Split(strings.Join(r.Header.Values(forwarded), ","), ",")
	caller := r.RemoteAddr
	for i := len(told) - 1; i >= 0; i-- {
		addr, err := netip.ParseAddr(bare(told[i]))
		if err != nil {
			break // nobody who is trusted wrote this
		}
		caller = net.JoinHostPort(addr.Unmap().WithZone("").String(), "0")
		if !e.proxied(addr) {
			break
		}
	}
	return caller
}

// bare is an address without the port and brackets that some proxies write.
func bare(hop string) string {
	hop = strings.TrimSpace(hop)
	if host, _, err := net.SplitHostPort(hop); err == nil {
		return host
	}
	return strings.Trim(hop, "[]")
}

// proxied reports whether an address is that of a trusted proxy.
func (e *Edge) proxied(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, p := range e.Proxies {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}

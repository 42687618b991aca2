package edge

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// forwarded makes the address of a request that a proxy of ours passes on that of
// whom it passes it on for, so that limits count people and not the proxy. Anybody
// can write the header: only what stands to the left of trusted proxies is believed.
func (e *Edge) forwarded(next http.Handler) http.Handler {
	if len(e.Proxies) == 0 {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if from := e.originator(r); from.IsValid() {
			told := *r
			told.RemoteAddr = netip.AddrPortFrom(from, 0).String()
			r = &told
		}
		next.ServeHTTP(w, r)
	})
}

// originator is the address nearest to us that is no proxy of ours; invalid where the
// connection itself is that.
func (e *Edge) originator(r *http.Request) (from netip.Addr) {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !e.proxy(peer.Addr()) {
		return netip.Addr{}
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) {
		hop = strings.TrimSpace(hop)
		if host, _, err := net.SplitHostPort(hop); err == nil {
			hop = host
		}
		addr, err := netip.ParseAddr(strings.Trim(hop, "[]"))
		if err != nil {
			return from
		}
		if from = addr.Unmap().WithZone(""); !e.proxy(from) {
			return from
		}
	}
	return from
}

func (e *Edge) proxy(a netip.Addr) bool {
	a = a.Unmap()
	return slices.ContainsFunc(e.Proxies, func(p netip.Prefix) bool { return p.Contains(a) })
}

package edge

import (
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/opengenesis/genesis"
)

// maxBuckets bounds the callers that are remembered; half of them are those who
// came last.
const maxBuckets = 20_000

// buckets holds a token bucket for each caller. There are two generations: when
// the young one is full it becomes the old one, and who comes back moves to the
// young. So memory is bounded and who calls often is not forgotten.
type buckets struct {
	limit rate.Limit
	burst int
	half  int

	mu         sync.Mutex
	young, old map[string]*rate.Limiter
}

func newBuckets(perSecond float64, burst, most int) *buckets {
	return &buckets{limit: rate.Limit(perSecond), burst: max(1, burst), half: max(1, most/2), young: map[string]*rate.Limiter{}}
}

// take returns 0 when a caller may go on, else how long it is too early.
func (b *buckets) take(caller string, now time.Time) time.Duration {
	if b.limit <= 0 {
		return 0
	}
	r := b.of(caller).ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now) // who is refused does not pay
	}
	return wait
}

func (b *buckets) of(caller string) *rate.Limiter {
	b.mu.Lock()
	defer b.mu.Unlock()
	l, ok := b.young[caller]
	if ok {
		return l
	}
	if l, ok = b.old[caller]; !ok {
		l = rate.NewLimiter(b.limit, b.burst)
	}
	if len(b.young) >= b.half {
		b.old, b.young = b.young, make(map[string]*rate.Limiter, b.half)
	}
	b.young[caller] = l
	return l
}

// authenticate finds out who asks. On the home's socket the kernel has said so.
func (e *Edge) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if of(r.Context()).socket {
			next.ServeHTTP(w, r)
			return
		}
		var who genesis.Principal
		if e.Authenticate != nil {
			var err error
			if who, err = e.Authenticate(r); err != nil {
				e.refuseCaller(w, r, err)
				return
			}
		}
		next.ServeHTTP(w, r.WithContext(WithPrincipal(r.Context(), who)))
	})
}

// refuseCaller answers who brought a credential that does not hold. That counts
// against their address, so that nobody tries many.
func (e *Edge) refuseCaller(w http.ResponseWriter, r *http.Request, err error) {
	if wait := e.remotes.take(network(r.RemoteAddr), time.Now()); wait > 0 {
		e.Metrics.refuse("rate")
		tooMany(w, r, "too many requests", wait)
		return
	}
	status := 0
	switch genesis.KindOf(err) {
	case genesis.Permission:
		status = http.StatusUnauthorized
		w.Header().Set("WWW-Authenticate", `Bearer realm="genesis"`)
	case genesis.Internal:
		e.Log.ErrorContext(r.Context(), "cannot tell who calls", "request_id", RequestID(r.Context()), "error", err)
	}
	refuse(w, r, status, err)
}

// limitRate bounds how often a caller asks: a person, or the address of those
// who did not sign in.
func (e *Edge) limitRate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := of(r.Context())
		if !x.socket && !x.route.Health {
			if wait := e.early(r); wait > 0 {
				e.Metrics.refuse("rate")
				tooMany(w, r, "too many requests", wait)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func (e *Edge) early(r *http.Request) time.Duration {
	if who, ok := PrincipalOf(r.Context()); ok && who.SignedIn() {
		return e.callers.take(string(who.Person()), time.Now())
	}
	return e.remotes.take(network(r.RemoteAddr), time.Now())
}

// network is whom an address belongs to: itself in IPv4, its /64 in IPv6, where
// one customer has all of those.
func network(addr string) string {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	ip := net.ParseIP(host)
	if ip == nil || ip.To4() != nil {
		return host
	}
	return ip.Mask(net.CIDRMask(64, 128)).String()
}

package edge

import (
	"net/http"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
)

// admission counts what runs now. Nobody waits: who does not fit is told at once,
// so that those who are in stay fast.
type admission struct {
	mu                  sync.Mutex
	short, stream       int // weight of what runs
	shortMax, streamMax int // 0: not limited
}

// enter takes a request in; if it reports true, leave must follow.
func (a *admission) enter(r Route) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	used, limit := a.pool(r)
	w := r.weight(limit)
	if limit > 0 && *used+w > limit {
		return false
	}
	*used += w
	return true
}

func (a *admission) leave(r Route) {
	a.mu.Lock()
	defer a.mu.Unlock()
	used, limit := a.pool(r)
	*used -= r.weight(limit)
}

func (a *admission) pool(r Route) (used *int, limit int) {
	if r.Stream {
		return &a.stream, a.streamMax
	}
	return &a.short, a.shortMax
}

// weight is never more than the limit: on a small node a heavy request runs
// alone.
func (r Route) weight(limit int) int {
	w := max(1, r.Weight)
	if limit > 0 {
		w = min(w, limit)
	}
	return w
}

// admit lets in what the node can do well at once, and nothing while it drains.
func (e *Edge) admit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := of(r.Context())
		switch {
		case x.route.Health:
		case e.draining.Load():
			e.Metrics.refuse("drain")
			w.Header().Set("Connection", "close")
			refuse(w, r, 0, &genesis.Error{Op: "reach node", Kind: genesis.Unavailable, Msg: "the node is about to stop", Hint: "try again"})
			return
		case x.socket:
		case !e.admission.enter(x.route):
			e.Metrics.refuse(map[bool]string{true: "streams", false: "concurrency"}[x.route.Stream])
			tooMany(w, r, "the node does as much at once as it may", time.Second)
			return
		default:
			defer e.admission.leave(x.route)
		}
		next.ServeHTTP(w, r)
	})
}

// tooMany answers 429.
func tooMany(w http.ResponseWriter, r *http.Request, msg string, wait time.Duration) {
	retryAfter(w, wait)
	refuse(w, r, http.StatusTooManyRequests, &genesis.Error{Op: "reach node", Kind: genesis.Unavailable, Msg: msg,
		Hint: "try again after the seconds in Retry-After"})
}

package edge

import (
	"net/http"
	"slices"
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
			x.place = x.route
			defer func() { e.admission.leave(x.place) }()
		}
		next.ServeHTTP(w, r)
	})
}

// leastShare is how many streams one caller may have however few there are.
const leastShare = 8

// shares are what single callers, and all strangers or guests together, have of the streams:
// so nobody takes them all, and strangers leave some to those who signed in, and guests to
// the people of this node.
type shares struct {
	mu       sync.Mutex
	each     int            // the most one caller may have; 0: not limited
	node     int            // the most of all people of one other node
	strange  int            // the most of all strangers, and of all guests
	by       map[string]int // by caller: who has none is not in it
	together map[string]int // by group
}

func newShares(streams int) *shares {
	s := &shares{by: map[string]int{}, together: map[string]int{}}
	if streams > 0 {
		s.each = min(streams, max(leastShare, streams/8))
		s.node = max(s.each, streams/2)
		s.strange = streams
		if streams > 1 {
			s.strange -= max(1, streams/4)
		}
	}
	return s
}

// caller is who asks, and with whom they share what these may have together.
type caller struct {
	name   string
	groups []string
}

// Groups of callers; another is the people of one node.
const (
	strangers = "strangers"
	guests    = "guests"
)

// enter takes a stream in for a caller; if it reports true, leave must follow.
func (s *shares) enter(c caller, r Route) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.weight(r)
	full := func(group string) bool { return s.together[group]+w > s.most(group) }
	if s.each > 0 && (s.by[c.name]+w > s.each || slices.ContainsFunc(c.groups, full)) {
		return false
	}
	s.add(c, w)
	return true
}

func (s *shares) leave(c caller, r Route) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.add(c, -s.weight(r))
}

func (s *shares) most(group string) int {
	if group == strangers || group == guests {
		return s.strange
	}
	return s.node
}

// weight is never more than one may have.
func (s *shares) weight(r Route) int { return min(r.weight(s.each), r.weight(s.strange)) }

func (s *shares) add(c caller, w int) {
	if s.by[c.name] += w; s.by[c.name] == 0 {
		delete(s.by, c.name)
	}
	for _, g := range c.groups {
		if s.together[g] += w; s.together[g] == 0 {
			delete(s.together, g)
		}
	}
}

// share lets a caller have so many streams at once: a person, or the address of those
// who did not sign in. Short requests are none until their client is slow.
func (e *Edge) share(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := of(r.Context())
		if x.socket || x.route.Health {
			next.ServeHTTP(w, r)
			return
		}
		c := e.caller(r)
		if !x.route.Stream {
			defer e.watch(x, c)()
			next.ServeHTTP(w, r)
			return
		}
		if !e.shares.enter(c, x.route) {
			e.Metrics.refuse("share")
			tooMany(w, r, "you have as much going on at once as one caller may", time.Second)
			return
		}
		defer e.shares.leave(c, x.route)
		next.ServeHTTP(w, r)
	})
}

// caller names who asks. A person's name and an address cannot be the same. How many people
// another node has is that node's word: what they may have they have together, too.
func (e *Edge) caller(r *http.Request) caller {
	who, ok := PrincipalOf(r.Context())
	switch {
	case !ok || !who.SignedIn():
		return caller{"address " + network(r.RemoteAddr), []string{strangers}}
	case e.guest(who):
		return caller{"person " + string(who.Person()), []string{guests, "people of " + string(who.Node)}}
	}
	return caller{name: "person " + string(who.Person())}
}

// guest reports whether somebody is of another node.
func (e *Edge) guest(who genesis.Principal) bool {
	return e.Node != "" && who.Node != "" && who.Node != e.Node
}

// sharing is for whom what is remembered for somebody counts: the people of another node are
// one.
func (e *Edge) sharing(who genesis.Principal) string {
	if e.guest(who) {
		return string(who.Node) + "/"
	}
	return string(who.Person())
}

// tooMany answers 429.
func tooMany(w http.ResponseWriter, r *http.Request, msg string, wait time.Duration) {
	retryAfter(w, wait)
	refuse(w, r, http.StatusTooManyRequests, &genesis.Error{Op: "reach node", Kind: genesis.Unavailable, Msg: msg,
		Hint: "try again after the seconds in Retry-After"})
}

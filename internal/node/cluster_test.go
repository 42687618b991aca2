//go:build linux || darwin

package node

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/federation/post"
)

// cluster is a federation of whole nodes in one process, over a network that a test
// breaks and with clocks that it sets.
type cluster struct {
	*testing.T
	line  *line
	towns map[genesis.NodeID]*town
	seats map[genesis.NodeID]*seat
	order []genesis.NodeID
}

// newCluster starts nodes and makes a federation of them, which the first holds.
func newCluster(t *testing.T, ids ...genesis.NodeID) *cluster {
	t.Helper()
	c := &cluster{T: t, line: &line{at: map[string]genesis.NodeID{}}, towns: map[genesis.NodeID]*town{}, seats: map[genesis.NodeID]*seat{}}
	for _, id := range ids {
		c.start(id)
	}
	first := c.towns[ids[0]]
	if _, err := first.works.CreateFederation(t.Context(), first.local, genesis.FederationRequest{Name: "test"}); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids[1:] {
		c.join(id)
	}
	for _, id := range ids {
		if _, err := c.towns[id].works.RefreshFederation(t.Context(), c.towns[id].local); err != nil {
			t.Fatal(err)
		}
	}
	return c
}

// start starts a node of its own at an address of its own, in which nobody has an
// account yet.
func (c *cluster) start(id genesis.NodeID) *town {
	c.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		c.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	c.line.add(id, l.Addr().String())
	clock := c.line.clock(id)
	at := &seat{path: c.TempDir(), edit: func(h *Home, o *Options) {
		h.Config.Node, h.Config.URL, h.Config.Institution, h.Config.Sector = id, url, fmt.Sprintf("The %s", id), genesis.Laboratory
		o.peers, o.now, o.pauses = c.line.from(id), clock.now, post.Pauses{First: 50 * time.Millisecond, Most: 500 * time.Millisecond}
	}}
	w := openTown(c.T, mustHome(c.T, at.path), at.edit)
	at.door.Store(&w.node.handler)
	c.seats[id] = at
	srv := &http.Server{Handler: at, ReadHeaderTimeout: time.Minute}
	go func() { _ = srv.Serve(l) }()
	c.Cleanup(func() { _ = srv.Close() })
	w.url = url
	c.towns[id] = w
	c.order = append(c.order, id)
	return w
}

// seat is where a node of a cluster is reached, whether it runs or not.
type seat struct {
	path string
	edit func(*Home, *Options)
	door atomic.Pointer[http.Handler] // nil: it does not run
}

// ServeHTTP has the node answer; of one that does not run the connection breaks.
func (s *seat) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := s.door.Load()
	if h == nil {
		panic(http.ErrAbortHandler)
	}
	(*h).ServeHTTP(w, r)
}

// stop stops a node, in the midst of what it does.
func (c *cluster) stop(id genesis.NodeID) {
	c.Helper()
	c.seats[id].door.Store(nil)
	if err := c.towns[id].node.close(); err != nil {
		c.Fatal(err)
	}
}

// restart starts a node again that was stopped, with its home as it was left.
func (c *cluster) restart(id genesis.NodeID) {
	c.Helper()
	at, w := c.seats[id], c.towns[id]
	h := mustHome(c.T, at.path)
	h.Config.Serve.Rate.PerSecond = 0
	opt := Options{Network: true}
	at.edit(h, &opt)
	n, err := Start(context.Background(), h, opt)
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() { _ = n.close() })
	w.node, w.works = n, n.service.(*works)
	at.door.Store(&n.handler)
}

// join has a node join the federation of the first.
func (c *cluster) join(id genesis.NodeID) {
	c.Helper()
	first, w := c.towns[c.order[0]], c.towns[id]
	invited, err := first.works.Invite(c.Context(), first.local, genesis.InviteRequest{Institution: fmt.Sprintf("The %s", id), Sector: genesis.Laboratory})
	if err != nil {
		c.Fatal(err)
	}
	if _, err := w.works.JoinFederation(c.Context(), w.local, genesis.MembershipRequest{Invitation: invited.Invitation}); err != nil {
		c.Fatal(err)
	}
}

// eventually waits until something holds.
func (c *cluster) eventually(what string, holds func() bool) {
	c.Helper()
	for began := time.Now(); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > 20*time.Second {
			c.Fatalf("after 20 s still not: %s", what)
		}
	}
}

// line is the network between nodes.
type line struct {
	mu     sync.Mutex
	at     map[string]genesis.NodeID // by address
	clocks map[genesis.NodeID]*clock
	// fault breaks requests: an error before they arrive, and one in place of the answer.
	fault func(from, to genesis.NodeID, r *http.Request) (before, after error)
}

func (l *line) add(id genesis.NodeID, addr string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.at[addr] = id
}

func (l *line) clock(id genesis.NodeID) *clock {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.clocks == nil {
		l.clocks = map[genesis.NodeID]*clock{}
	}
	l.clocks[id] = &clock{}
	return l.clocks[id]
}

// breaks has requests fail as f says; nil: none.
func (l *line) breaks(f func(from, to genesis.NodeID, r *http.Request) (before, after error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.fault = f
}

// cuts has nothing get from or to some nodes.
func (l *line) cuts(ids ...genesis.NodeID) {
	l.breaks(func(from, to genesis.NodeID, _ *http.Request) (error, error) {
		if slices.Contains(ids, from) || slices.Contains(ids, to) {
			return fmt.Errorf("no way from %s to %s", from, to), nil
		}
		return nil, nil
	})
}

// from is the network as a node sees it.
func (l *line) from(id genesis.NodeID) http.RoundTripper { return &end{l, id} }

type end struct {
	*line
	id genesis.NodeID
}

func (e *end) RoundTrip(r *http.Request) (*http.Response, error) {
	e.mu.Lock()
	to, fault := e.at[r.URL.Host], e.fault
	e.mu.Unlock()
	var before, after error
	if fault != nil {
		before, after = fault(e.id, to, r)
	}
	if before != nil {
		if r.Body != nil {
			r.Body.Close()
		}
		return nil, before
	}
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err == nil && after != nil {
		resp.Body.Close()
		return nil, after
	}
	return resp, err
}

// clock is a node's: the machine's, and how far it is off.
type clock struct {
	mu  sync.Mutex
	off time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.off)
}

// turn sets how far the clock is off.
func (c *clock) turn(off time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.off = off
}

//go:build linux || darwin

package node

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
)

// cluster is a federation of whole nodes in one process, over a network that a test
// breaks and with clocks that it sets.
type cluster struct {
	*testing.T
	line  *line
	towns map[genesis.NodeID]*town
	gates map[genesis.NodeID]*gate
	order []genesis.NodeID

	patient bool // people ask again where a node is busy
}

// sectorOf is what kind of institution has a node.
func sectorOf(id genesis.NodeID) genesis.Sector {
	switch id {
	case "mit":
		return genesis.University
	case "ornl":
		return genesis.Industry
	default:
		return genesis.Laboratory
	}
}

// newCluster starts nodes and makes a federation of them, which the first holds.
func newCluster(t *testing.T, ids ...genesis.NodeID) *cluster {
	t.Helper()
	c := &cluster{T: t, line: &line{at: map[string]genesis.NodeID{}}, towns: map[genesis.NodeID]*town{}, gates: map[genesis.NodeID]*gate{}}
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
	c.line.add(id, l.Addr().String())
	c.gates[id] = &gate{clock: c.line.clock(id)}
	srv := &http.Server{Handler: c.gates[id], ReadHeaderTimeout: time.Minute}
	go func() { _ = srv.Serve(l) }()
	c.Cleanup(func() { _ = srv.Close() })
	c.towns[id] = &town{T: c.T, url: "http://" + l.Addr().String(), local: access.Local(id), token: map[string]string{}, asset: map[string]string{}}
	c.order = append(c.order, id)
	c.open(id, c.TempDir())
	return c.towns[id]
}

// join has a node join the federation of the first.
func (c *cluster) join(id genesis.NodeID) {
	c.Helper()
	first, w := c.towns[c.order[0]], c.towns[id]
	invited, err := first.works.Invite(c.Context(), first.local, genesis.InviteRequest{Institution: fmt.Sprintf("The %s", id), Sector: sectorOf(id)})
	if err != nil {
		c.Fatal(err)
	}
	if _, err := w.works.JoinFederation(c.Context(), w.local, genesis.MembershipRequest{Invitation: invited.Invitation}); err != nil {
		c.Fatal(err)
	}
}

// patience is how long what must come about may take: much longer than it does, so that a
// busy machine is not taken for a node that hangs. The race detector makes it longer.
var patience = 20 * time.Second

// eventually waits until something holds.
func (c *cluster) eventually(what string, holds func() bool) {
	c.Helper()
	for began := time.Now(); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Since(began) > patience {
			c.Fatalf("after %s still not: %s", patience, what)
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
	over  chan struct{} // closed when another fault begins
	heard func(heard)   // gets what was asked and answered; nil: nobody listens
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
	if l.over != nil {
		close(l.over)
	}
	l.fault, l.over = f, make(chan struct{})
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
	to, fault, tap := e.at[r.URL.Host], e.fault, e.heard
	e.mu.Unlock()
	var said heard
	if tap != nil {
		said = overhear(to, r)
	}
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
	if err == nil && tap != nil && resp.StatusCode < 300 {
		tap(said)
	}
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

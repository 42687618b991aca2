package edge

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

func TestAdmission(t *testing.T) {
	short, heavy, stream := Route{}, Route{Weight: 3}, Route{Stream: true}
	a := &admission{shortMax: 4, streamMax: 1}
	for i, c := range []struct {
		r     Route
		leave bool
		in    bool
	}{
		{r: heavy, in: true}, {r: short, in: true}, {r: short}, {r: stream, in: true}, {r: stream}, {r: heavy},
		{r: heavy, leave: true}, {r: short, in: true}, {r: heavy}, {r: short, in: true}, {r: short, in: true}, {r: short},
		{r: stream, leave: true}, {r: stream, in: true},
	} {
		if c.leave {
			a.leave(c.r)
		} else if got := a.enter(c.r); got != c.in {
			t.Errorf("step %d: in is %v", i, got)
		}
	}
	alone := &admission{shortMax: 2}
	if !alone.enter(Route{Weight: 9}) || alone.enter(short) {
		t.Error("a request heavier than the node does not run alone")
	}
	if alone.leave(Route{Weight: 9}); alone.short != 0 {
		t.Errorf("%d are left", alone.short)
	}
	open := &admission{}
	for range 2 {
		if !open.enter(heavy) {
			t.Error("no limit is a limit")
		}
	}
}

// TestConcurrency: who does not fit is told at once, and room is given back
// however a request ends.
func TestConcurrency(t *testing.T) {
	started, end := make(chan struct{}, 8), make(chan struct{})
	m := NewMetrics()
	g := newRig(t, Config{Concurrency: 2, Streams: 1, Metrics: m}, map[string]Route{"GET /s": {Stream: true}}, func(_ http.ResponseWriter, r *http.Request) {
		started <- struct{}{}
		<-end
		if r.URL.RawQuery == "panic" {
			panic("a defect")
		}
	})
	var wg sync.WaitGroup
	for _, target := range []string{"/x", "/x?panic", "/s"} {
		wg.Go(func() {
			defer func() { _ = recover() }()
			g.ask("GET", target, "")
		})
		<-started
	}
	for _, target := range []string{"/x", "/s"} {
		w := g.ask("GET", target, "")
		if p := problemIn(t, w); w.Code != 429 || w.Header().Get("Retry-After") != "1" || p.Kind != genesis.Unavailable {
			t.Errorf("%s: %d %+v", target, w.Code, p)
		}
	}
	if w := g.ask("GET", "/healthz", ""); w.Code != 200 {
		t.Errorf("a busy node looks dead: %d", w.Code)
	}
	wg.Go(func() { g.askIn(WithSocket(t.Context()), "GET", "/x", "") })
	<-started // the owner is let in
	close(end)
	wg.Wait()
	if w := g.ask("GET", "/x", ""); w.Code != 200 {
		t.Errorf("room is not given back: %d", w.Code)
	}
}

// TestShares: one address, or one person, cannot take all streams, and strangers
// together cannot take those that are for people who signed in, nor the people of another
// node, however many it makes up, those of this node's.
func TestShares(t *testing.T) {
	const streams = 80
	started, end := make(chan struct{}, streams), make(chan struct{})
	g := newRig(t, Config{Node: "nrel", Streams: streams, Authenticate: byName, Metrics: NewMetrics()}, map[string]Route{"GET /s": {Stream: true}, "GET /h": {Stream: true, Weight: 4}}, func(http.ResponseWriter, *http.Request) {
		started <- struct{}{}
		<-end
	})
	var wg sync.WaitGroup
	ask := func(addr, who, target string) int {
		r := httptest.NewRequest("GET", target, nil)
		r.Host, r.RemoteAddr = "localhost", addr+":4711"
		if who != "" {
			r.Header.Set("Authorization", "Bearer "+who)
		}
		w := httptest.NewRecorder()
		g.handler.ServeHTTP(w, r)
		return w.Code
	}
	// takes begins n streams and returns how many are let in.
	takes := func(n int, addr, who, target string) (in int) {
		refused := make(chan int, n)
		for range n {
			wg.Go(func() {
				if code := ask(addr, who, target); code == 429 {
					refused <- code
				}
			})
			select {
			case <-started:
				in++
			case <-refused:
			}
		}
		return in
	}
	for _, c := range []struct {
		addr, who, target string
		want              int
	}{
		{"192.0.2.1", "", "/s", 10}, {"192.0.2.2", "", "/h", 2}, {"192.0.2.1", "ada", "/s", 10}, {"192.0.2.9", "ada", "/s", 0},
		{"192.0.2.3", "", "/s", 10}, {"192.0.2.4", "", "/s", 10}, {"192.0.2.5", "", "/s", 10}, {"192.0.2.6", "", "/s", 10}, {"192.0.2.7", "", "/s", 2},
		{"192.0.2.1", "bob", "/s", 10},
	} {
		if got := takes(12, c.addr, c.who, c.target); got != c.want {
			t.Errorf("%+v: %d are let in", c, got)
		}
	}
	close(end)
	wg.Wait()
	started, end = make(chan struct{}, streams), make(chan struct{})
	for _, c := range []struct {
		who  string
		want int
	}{{"mit/a", 10}, {"mit/b", 10}, {"mit/c", 10}, {"mit/d", 10}, {"mit/e", 0}, {"ornl/a", 10}, {"ornl/b", 10}, {"ornl/c", 0}, {"ada", 10}, {"bob", 10}} {
		if got := takes(12, "192.0.2.1", c.who, "/s"); got != c.want {
			t.Errorf("%+v: %d are let in", c, got)
		}
	}
	close(end)
	wg.Wait()
	if len(g.shares.by) != 0 || len(g.shares.together) != 0 || ask("192.0.2.1", "", "/s") != 200 {
		t.Errorf("room is not given back: %v", g.shares)
	}
	for streams, want := range map[int][2]int{0: {0, 0}, 1: {1, 1}, 2: {2, 1}, 4: {4, 3}, 1024: {128, 768}} {
		if s := newShares(streams); s.each != want[0] || s.strange != want[1] {
			t.Errorf("of %d: %d and %d", streams, s.each, s.strange)
		}
	}
}

func TestRate(t *testing.T) {
	g := newRig(t, Config{Rate: 0.5, Burst: 3, Authenticate: byName}, nil, say("{}"))
	codes := func(n int, header ...string) (ok, refused int) {
		for range n {
			w := g.ask("GET", "/x", "", header...)
			switch w.Code {
			case 200, 401:
				ok++
			case 429:
				refused++
				if s, err := strconv.Atoi(w.Header().Get("Retry-After")); err != nil || s < 1 || s > 2 {
					t.Errorf("Retry-After is %q", w.Header().Get("Retry-After"))
				}
			default:
				t.Errorf("%d", w.Code)
			}
		}
		return ok, refused
	}
	for _, who := range []string{"Bearer ada", "Bearer bob", ""} {
		if ok, refused := codes(5, "Authorization", who); ok != 3 || refused != 2 {
			t.Errorf("%q: %d, %d", who, ok, refused)
		}
	}
	// Wrong tokens use up what the address may do.
	if _, refused := codes(2, "Authorization", "Bearer wrong"); refused != 2 {
		t.Error("tokens can be tried without end")
	}
	for range 10 {
		if w := g.ask("GET", "/healthz", ""); w.Code != 200 {
			t.Errorf("health: %d", w.Code)
		}
		if w := g.askIn(WithSocket(t.Context()), "GET", "/x", ""); w.Code != 200 {
			t.Errorf("socket: %d", w.Code)
		}
	}
}

func TestBuckets(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	b := newBuckets(2, 2, 100)
	for i, want := range []time.Duration{0, 0, 500 * time.Millisecond, 500 * time.Millisecond} {
		if got := b.take("ada", now); got != want {
			t.Errorf("%d: wait %v", i, got)
		}
	}
	if got := b.take("ada", now.Add(time.Second)); got != 0 {
		t.Errorf("a second later: %v", got)
	}
	for i := range 10_000 {
		b.take(fmt.Sprint("stranger ", i), now)
		if i%20 == 0 {
			b.take("busy", now)
		}
	}
	if n := len(b.young) + len(b.old); n > 100 {
		t.Errorf("%d buckets", n)
	}
	if b.take("busy", now) == 0 {
		t.Error("who calls often is forgotten")
	}
}

func TestNetwork(t *testing.T) {
	for addr, want := range map[string]string{
		"192.0.2.1:80": "192.0.2.1", "[2001:db8:1:2:3::4]:80": "2001:db8:1:2::", "[2001:db8:1:2:9::9]:1": "2001:db8:1:2::", "x": "x",
		"[::ffff:192.0.2.1]:80": "::ffff:192.0.2.1",
	} {
		if got := network(addr); got != want {
			t.Errorf("%s: %s", addr, got)
		}
	}
}

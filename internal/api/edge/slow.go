package edge

import (
	"sync"
	"time"
)

// patience is for how long, all told, a short request may wait for its client: for more
// of the body, or for room for the answer.
const patience = time.Second

// waiting is a short request as far as it waits for its client. Who makes it wait too long
// gives up the place among the short ones, which are few, and takes one of their own share
// of the streams; where there is none they are cut off.
type waiting struct {
	late func() // called once, unless the request ended

	mu    sync.Mutex
	at    int // reads and writes that wait now
	since time.Time
	left  time.Duration
	timer *time.Timer // nil until the first waits
	over  bool        // it was late, or ended
}

// begin says that the request waits for its client until end.
func (p *waiting) begin() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at++; p.at > 1 || p.over {
		return
	}
	p.since = time.Now()
	if p.timer == nil {
		p.timer = time.AfterFunc(p.left, p.ring)
		return
	}
	p.timer.Reset(p.left)
}

func (p *waiting) end() {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at--; p.at > 0 || p.over {
		return
	}
	p.timer.Stop()
	p.left = max(0, p.left-time.Since(p.since))
}

func (p *waiting) ring() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.at > 0 && !p.over { // else it rang just when the wait ended
		p.over = true
		p.late()
	}
}

// stop ends it with the request: late is not called any more, nor does it run.
func (p *waiting) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	if p.timer != nil {
		p.timer.Stop()
	}
}

// watch makes a short request give up its place when its client is slow. What it returns
// must be called when the request ends.
func (e *Edge) watch(x *exchange, c caller) (stop func()) {
	long := Route{Stream: true}
	shared := false
	x.slow = &waiting{left: patience, late: func() {
		if shared = e.shares.enter(c, long); shared && e.admission.enter(long) {
			e.admission.leave(x.place)
			x.place = long
			return
		}
		e.Metrics.refuse("share")
		x.out.giveUp()
	}}
	return func() {
		x.slow.stop()
		if shared {
			e.shares.leave(c, long)
		}
	}
}

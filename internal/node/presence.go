package node

import (
	"context"
	"sync"
)

// presence counts who needs the node: sessions and running requests. Once it
// has been empty while the node wanted to leave, nobody enters any more.
type presence struct {
	mu      sync.Mutex
	n       int
	leaving bool
	changed chan struct{} // closed and replaced when n falls to 0
}

func newPresence() *presence { return &presence{changed: make(chan struct{})} }

// enter reports whether the node still takes someone in; if so, exit must follow.
func (p *presence) enter() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.leaving {
		return false
	}
	p.n++
	return true
}

func (p *presence) exit() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n--
	if p.n == 0 {
		close(p.changed)
		p.changed = make(chan struct{})
	}
}

// drain waits until nobody is present and shuts the door, at once if ctx ends.
func (p *presence) drain(ctx context.Context) error {
	for {
		p.mu.Lock()
		if p.n == 0 || ctx.Err() != nil {
			p.leaving = true
			p.mu.Unlock()
			return ctx.Err()
		}
		changed := p.changed
		p.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// count returns how many are present.
func (p *presence) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n
}

package flight

import (
	"context"
	"sync"
	"time"
)

type callKey struct{}

// call is one call. grpc.Server.ServeHTTP returns when a client goes away, while the
// method may still run; the edge must count it until it does not.
type call struct {
	mu      sync.Mutex
	running bool
	over    bool
	done    chan struct{} // closed when the method has returned
}

// enter says that the method runs; false if the call is over already.
func (c *call) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running = !c.over
	return c.running
}

// exit says that the method has returned.
func (c *call) exit() { close(c.done) }

// leave ends the call, and waits until its method does not run.
func (c *call) leave() {
	c.mu.Lock()
	c.over = true
	running := c.running
	c.mu.Unlock()
	if running {
		<-c.done
	}
}

// cutAfter is how long a reader has to take in why its stream ends.
const cutAfter = 250 * time.Millisecond

// abort has the connection cut soon: if the call is not over by then, or if what it
// wrote is not on its way.
func (c *call) abort(cut func(always bool)) {
	time.AfterFunc(cutAfter, func() {
		c.mu.Lock()
		over := c.over
		c.mu.Unlock()
		cut(!over)
	})
}

func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

package journal

import (
	"context"
	"sync"

	"github.com/opengenesis/genesis"
)

// item is an event on its way to the log.
type item struct {
	event   Event
	bytes   int
	segment uint64 // of the write-ahead log where it is
	fresh   bool   // its id was made by this process: no other entry has it
}

// queue holds events that are durable and not in the log yet. It is bounded by
// those who wait for room before they write ahead.
type queue struct {
	mu      sync.Mutex
	items   []item
	bytes   int
	pushed  int64         // since the start
	popped  int64         // since the start
	stalled error         // why the log takes none
	moved   chan struct{} // closed when items were taken, or stalled changed
}

// maxQueue is how many bytes of events may wait for the log.
const maxQueue = 32 << 20

// roughly is what an event takes in memory beside its texts.
const roughly = 512

func newQueue() *queue { return &queue{moved: make(chan struct{})} }

// push adds items and returns how many wait.
func (q *queue) push(items []item) int {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, it := range items {
		q.bytes += it.bytes + roughly
	}
	q.items = append(q.items, items...)
	q.pushed += int64(len(items))
	return len(q.items)
}

// peek returns the first items, which stay.
func (q *queue) peek(n int) []item {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.items[:min(n, len(q.items)):min(n, len(q.items))]
}

// pop takes the first items away.
func (q *queue) pop(n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, it := range q.items[:n] {
		q.bytes -= it.bytes + roughly
	}
	q.items = q.items[n:]
	q.popped += int64(n)
	q.wake(nil)
}

// stall notes why the log takes no entries, nil when it does.
func (q *queue) stall(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.wake(err)
}

func (q *queue) wake(err error) {
	q.stalled = err
	close(q.moved)
	q.moved = make(chan struct{})
}

// room waits until there is room. Errors: why the log takes nothing;
// Canceled.
func (q *queue) room(ctx context.Context) error {
	for {
		q.mu.Lock()
		full, stalled, moved := q.bytes > maxQueue, q.stalled, q.moved
		q.mu.Unlock()
		if !full {
			return nil
		}
		if stalled != nil {
			return stalled
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return &genesis.Error{Op: "record event", Kind: genesis.Canceled, Err: ctx.Err()}
		}
	}
}

// state returns the first segment that is still needed, 0 when none is, how
// many items were pushed and popped, and why none are taken.
func (q *queue) state() (segment uint64, pushed, popped int64, stalled error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.items) > 0 {
		segment = q.items[0].segment
	}
	return segment, q.pushed, q.popped, q.stalled
}

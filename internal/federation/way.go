package federation

import (
	"context"
	"io"
	"sync"

	"github.com/opengenesis/genesis"
)

// ways are the doors through which this node asks others in its own name, beside those of
// the mirror.
type ways struct {
	mu sync.Mutex
	of map[genesis.NodeID]*door
}

// Get reads what is at a path (below the version of the API) of another member's node, which this one asks in its own
// name. Errors: Unavailable, Unsupported (this node is not served), and what the other
// node says.
func (f *Federation) Get(ctx context.Context, node genesis.NodeID, path string) (io.ReadCloser, error) {
	if f.vouch == nil {
		return nil, refusal("ask node", genesis.Unsupported, string(node), "this node is not served, and asks no others", "genesis serve")
	}
	return f.way(node).Get(ctx, path)
}

// way is the door to a node. Those to former members are dropped.
func (f *Federation) way(node genesis.NodeID) *door {
	f.ways.mu.Lock()
	defer f.ways.mu.Unlock()
	if f.ways.of == nil {
		f.ways.of = map[genesis.NodeID]*door{}
	}
	for id := range f.ways.of {
		if _, still := f.Member(id); !still {
			delete(f.ways.of, id)
		}
	}
	d := f.ways.of[node]
	if d == nil {
		d = f.door(node, f.vouch)
		f.ways.of[node] = d
	}
	return d
}

// waiting says what waits for other nodes.
func (f *Federation) waiting(ctx context.Context) ([]genesis.Waiting, error) {
	if f.post == nil {
		return nil, nil
	}
	all, err := f.post.Status(ctx)
	if err != nil {
		return nil, err
	}
	told := make([]genesis.Waiting, len(all))
	for i, s := range all {
		told[i] = genesis.Waiting{Node: s.Peer, Messages: s.Waiting, Since: s.Oldest.UTC(), Failing: s.Failing.UTC(), Why: line(s.Why)}
		if s.Failing.IsZero() {
			told[i].Failing = s.Failing
		}
	}
	return told, nil
}

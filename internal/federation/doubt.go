package federation

import (
	"errors"
	"slices"
	"sync"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/guest"
)

// doubts are the members that did not know this node as one when they were asked last. They
// may not have heard of it yet; or it was removed, and has not heard of that.
type doubts struct {
	mu sync.Mutex
	by map[genesis.NodeID]bool
}

// went notes how a member answered.
func (d *doubts) went(node genesis.NodeID, err error) {
	stranger := errors.Is(err, guest.ErrStranger)
	if !stranger && err != nil {
		return // that tells nothing
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.by == nil {
		d.by = map[genesis.NodeID]bool{}
	}
	if stranger {
		d.by[node] = true
	} else {
		delete(d.by, node)
	}
}

// of are those of some members, in order.
func (d *doubts) of(members map[genesis.NodeID]genesis.Member) (all []genesis.NodeID) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for id := range d.by {
		if _, ok := members[id]; ok {
			all = append(all, id)
		}
	}
	slices.Sort(all)
	return all
}

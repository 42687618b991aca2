package work

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/ingest"
)

// Files are inspected in the node's own process, where nothing bounds what a run may
// hold, and somebody waits for the answer.
const (
	maxInspections   = 4 // at once
	maxOwnInspection = 2 // of one person
)

// inspectTime bounds one. Tests shorten it.
var inspectTime = 30 * time.Second

// inspections counts those that go on.
type inspections struct {
	mu  sync.Mutex
	all int
	by  map[genesis.PersonID]int
}

// enter takes one in; if it reports true, leave must follow.
func (i *inspections) enter(person genesis.PersonID) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.all >= maxInspections || i.by[person] >= maxOwnInspection {
		return false
	}
	if i.by == nil {
		i.by = map[genesis.PersonID]int{}
	}
	i.all++
	i.by[person]++
	return true
}

func (i *inspections) leave(person genesis.PersonID) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.all--
	if i.by[person]--; i.by[person] == 0 {
		delete(i.by, person)
	}
}

// Inspect says what files are and hold, from a sample; it stores nothing. It is
// for people of this node. Over the network few go on at once, and none for long:
// Unavailable.
func (s *Service) Inspect(ctx context.Context, who genesis.Principal, files []*format.Raw, opt genesis.PrepareOptions, p genesis.Progress) (*genesis.Inspection, error) {
	if _, err := s.decide(ctx, who, genesis.Discover, access.Resource{}); err != nil {
		return nil, homeOnly("inspect", who)
	}
	if s.atHome(who) {
		return ingest.Inspect(ctx, s.env(p), files, opt)
	}
	if !s.inspecting.enter(who.Person()) {
		return nil, &genesis.Error{Op: "inspect", Kind: genesis.Unavailable, Msg: "as many files are being inspected as may be at once", Hint: "try again in a moment, or prepare them: a run waits for its turn"}
	}
	defer s.inspecting.leave(who.Person())
	slow := errors.New("an inspection took too long")
	ctx, cancel := context.WithTimeoutCause(ctx, inspectTime, slow)
	defer cancel()
	out, err := ingest.Inspect(ctx, s.env(p), files, opt)
	if err != nil && errors.Is(context.Cause(ctx), slow) {
		return nil, &genesis.Error{Op: "inspect", Kind: genesis.Unavailable, Msg: "takes longer than the " + inspectTime.String() + " an inspection may",
			Hint: "prepare the files: a run has more time", Err: err}
	}
	return out, err
}

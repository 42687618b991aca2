package mirror

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/guest"
)

// sights are what the last round came to for each log. They change every minute, and are kept in
// memory: a node that has just begun knows it after its first round.
type sights struct {
	mu   sync.Mutex
	last map[genesis.NodeID]map[genesis.Class]sight
}

// sight is what the last round came to. That of no class is of what a node says of all its
// logs.
type sight struct {
	seen time.Time // when the log was last known to be all there is
	why  string    // it could not be read since; "": it could
}

const maxWhy = 1 << 10 // bytes of why a log could not be read: another node may have written it

func (l *sights) change(node genesis.NodeID, class genesis.Class, change func(*sight)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil {
		l.last = map[genesis.NodeID]map[genesis.Class]sight{}
	}
	if l.last[node] == nil {
		l.last[node] = map[genesis.Class]sight{}
	}
	one := l.last[node][class]
	change(&one)
	l.last[node][class] = one
}

// saw notes that a log was seen to its end.
func (l *sights) saw(node genesis.NodeID, class genesis.Class, at time.Time) {
	l.change(node, class, func(one *sight) { *one = sight{seen: at} })
}

// ended notes whether a round failed. One that was broken off says nothing.
func (l *sights) ended(ctx context.Context, node genesis.NodeID, class genesis.Class, err error) {
	if ctx.Err() != nil {
		return
	}
	why := ""
	if errors.Is(err, guest.ErrStranger) {
		why = guest.ErrStranger.Error()
	} else if err != nil {
		why = err.Error()
		why = strings.ToValidUTF8(why[:min(len(why), maxWhy)], "")
	}
	l.change(node, class, func(one *sight) { one.why = why })
}

// of is what the last round came to for a log. Whoever cannot read what a node says of its
// logs cannot read any of them.
func (l *sights) of(node genesis.NodeID, class genesis.Class) sight {
	l.mu.Lock()
	defer l.mu.Unlock()
	one := l.last[node][class]
	if why := l.last[node][genesis.ClassNone].why; why != "" {
		one.why = why
	}
	return one
}

// unread are the nodes of which no log could be read in the last round, and why.
func (l *sights) unread() map[genesis.NodeID]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[genesis.NodeID]string{}
	for node, logs := range l.last {
		if why := logs[genesis.ClassNone].why; why != "" {
			all[node] = why
		}
	}
	return all
}

// forget forgets what is known of a node's logs: they are begun anew, or not followed.
func (l *sights) forget(node genesis.NodeID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.last, node)
}

// tell adds what the last round came to to how a log stands. What contradicts what a node
// said before says more than that it could not be read.
func (l sight) tell(fresh *time.Time, standing *Standing, reason *string) {
	if l.seen.After(*fresh) {
		*fresh = l.seen.UTC()
	}
	if l.why != "" && *standing == Good {
		*standing, *reason = Failing, l.why
	}
}

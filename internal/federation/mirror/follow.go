package mirror

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/guest"
)

// follower follows one node.
type follower struct {
	m      *Mirror
	nudged chan struct{}
	stop   context.CancelFunc
	ended  chan struct{}

	mu     sync.Mutex
	member genesis.Member
	peer   Peer
	looks  []chan struct{} // closed after the next round that begins
}

func (m *Mirror) follower(member genesis.Member, p Peer) *follower {
	return &follower{m: m, member: member, peer: p, nudged: make(chan struct{}, 1), ended: make(chan struct{})}
}

// meet takes what the charter says of the node now.
func (f *follower) meet(member genesis.Member, p Peer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.member, f.peer = member, p
}

func (f *follower) met() (genesis.Member, Peer) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.member, f.peer
}

func (f *follower) nudge() {
	select {
	case f.nudged <- struct{}{}:
	default:
	}
}

// look has a round begin now, or after the one that goes on. What it returns is closed when
// that has ended.
func (f *follower) look() <-chan struct{} {
	ended := make(chan struct{})
	f.mu.Lock()
	f.looks = append(f.looks, ended)
	f.mu.Unlock()
	f.nudge()
	return ended
}

func (f *follower) takeLooks() []chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	looks := f.looks
	f.looks = nil
	return looks
}

// run goes round and round until ctx ends.
func (f *follower) run(ctx context.Context) {
	failures := 0
	for ctx.Err() == nil {
		looks := f.takeLooks()
		more, err := f.turn(ctx)
		for _, look := range looks {
			close(look)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			member, _ := f.met()
			f.m.cfg.Log.Warn("a node's catalogue cannot be followed", "node", member.ID, "failures", failures, "error", err)
			failures++
		default:
			failures = 0
		}
		if more && err == nil {
			continue // others had their turn
		}
		wait := pause(f.m.cfg.Interval, failures, rand.Float64())
		if errors.Is(err, guest.ErrStranger) { // it hears of this node within minutes
			wait = min(wait, soon(failures))
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-f.nudged:
		case <-ctx.Done():
		}
		timer.Stop()
	}
}

// maxPause is how long a node is left alone at most.
const maxPause = time.Hour

// pause is how long to wait after so many failures in a row: twice as long each time, and
// off by up to a quarter, at random, so that the nodes of a federation do not all come
// at once.
func pause(interval time.Duration, failures int, random float64) time.Duration {
	d := min(interval<<min(failures, 20), max(maxPause, interval))
	if d <= 0 {
		d = maxPause
	}
	return time.Duration(float64(d) * (0.75 + random/2))
}

// soon is when a node is asked again that does not know this one as a member: one that has
// just joined is not to wait for long, one that was removed is not to go on asking.
func soon(failures int) time.Duration { return time.Second << min(failures, 12) }

// turn waits for room and goes round once. more says that there is work left.
func (f *follower) turn(ctx context.Context) (more bool, err error) {
	select {
	case f.m.slots <- struct{}{}:
	case <-ctx.Done():
		return false, ctx.Err()
	}
	defer func() { <-f.m.slots }()
	return f.round(ctx)
}

// budget is how long one round may take before others have their turn. One in which so many
// answers took as long as they may has failed: who answers slowly, and declares a thousand
// epochs, would keep the place of others for hours.
const (
	budget     = time.Minute
	mostWaited = 20
)

// round looks at all logs of the node that this one may follow. One that does not check
// keeps no other from being followed.
func (f *follower) round(ctx context.Context) (more bool, err error) {
	following := ctx // ends when the node is not followed any more
	ctx, cancel := context.WithTimeout(ctx, mostWaited*f.m.cfg.Timeout)
	defer cancel()
	member, peer := f.met()
	g := fetcher{peer: peer, timeout: f.m.cfg.Timeout}
	served, err := g.list(ctx)
	if f.m.sights.ended(following, member.ID, genesis.ClassNone, err); err != nil {
		return false, err
	}
	deadline := time.Now().Add(budget)
	var errs []error
	for _, class := range f.m.classes() {
		l := &log{m: f.m, get: g, member: member, class: class, deadline: deadline}
		if served[class] == 0 { // nothing was stated to this class; or no more to us
			errs = append(errs, l.unlisted(ctx))
			continue
		}
		left, err := l.round(ctx, served[class])
		f.m.sights.ended(following, member.ID, class, err)
		more = more || left
		errs = append(errs, err)
	}
	return more, errors.Join(errs...)
}

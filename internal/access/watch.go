package access

import (
	"context"
	"errors"
	"time"

	"github.com/opengenesis/genesis"
)

// alive returns a principal as it is now.
type alive = func(context.Context, genesis.Principal) (genesis.Principal, error)

// pulse is how often a watched decision is asked again even when nothing was
// heard: clocks jump, and a condition may look at the time. It costs the cached
// answer.
const pulse = 500 * time.Millisecond

// Watch returns a context that ends, with the refusal as its cause, within a second
// of the decision turning: whatever serves bytes or works for somebody runs under
// it. It ends at once when the answer is no already. A decision that cannot be made
// ends it, too: what cannot be checked is not allowed. cancel releases what Watch
// holds.
func (d *Decider) Watch(ctx context.Context, ask Ask) (context.Context, func()) {
	return d.watch(ctx, ask, d.live)
}

// WatchLasting is Watch for what goes on when the credential with which it was begun has
// run out by itself in the meantime, as that of a training does which takes the night.
// It ends like anything else when the credential is revoked, or the person's right ends.
func (d *Decider) WatchLasting(ctx context.Context, ask Ask) (context.Context, func()) {
	if d.lasting == nil {
		return d.watch(ctx, ask, d.live)
	}
	return d.watch(ctx, ask, d.lasting)
}

func (d *Decider) watch(ctx context.Context, ask Ask, live alive) (context.Context, func()) {
	watched, end := context.WithCancelCause(ctx)
	cancel := func() { end(context.Canceled) }
	ask.At = time.Time{}
	rung := d.ringing()
	until, err := d.again(watched, ask, live)
	if err != nil {
		end(err)
		return watched, cancel
	}
	go func() {
		for err == nil {
			select {
			case <-watched.Done():
			case <-rung:
			case <-time.After(d.pause(until)):
			}
			if watched.Err() != nil {
				return
			}
			rung = d.ringing()
			if until, err = d.again(watched, ask, live); err != nil {
				err = turned(err, ask.Action)
			}
		}
		end(err)
	}()
	return watched, cancel
}

// turned is a decision's refusal for somebody who was allowed until now. They know of what
// they were at, so they are told that it ended, and not that there may be nothing. What is
// wrong with who they are, or what they came with, stays as it is.
func turned(err error, a genesis.Action) error {
	const over = "what allowed it was taken back, or has ended"
	var e *genesis.Error
	if !errors.As(err, &e) || e.Op != string(a) {
		return err
	}
	said := *e
	switch said.Err = err; e.Kind {
	case genesis.Private:
		said.Kind, said.Msg, said.Hint = genesis.Permission, over, "`genesis grants` lists what you hold"
	case genesis.Permission:
		said.Msg = over + ": " + e.Msg
	default:
		return err
	}
	return &said
}

// ringing returns a channel that is closed by the next change.
func (d *Decider) ringing() <-chan struct{} {
	d.bell.Lock()
	defer d.bell.Unlock()
	return d.rung
}

// pause is how long to wait for a decision that may change at until.
func (d *Decider) pause(until time.Time) time.Duration {
	if until.IsZero() {
		return pulse
	}
	return min(pulse, until.Sub(d.now()))
}

// again decides for the principal and the version as they are now. What they came for
// stays.
func (d *Decider) again(ctx context.Context, ask Ask, live alive) (time.Time, error) {
	if live != nil {
		now, err := live(ctx, ask.Principal)
		if err != nil {
			return time.Time{}, err
		}
		ask.Principal = now
	}
	if d.state != nil && ask.Resource.Version != "" {
		now, err := d.state(ctx, ask.Resource)
		if err != nil {
			return time.Time{}, err
		}
		ask.Resource.State = now
	}
	decision, err := d.Decide(ctx, ask)
	return decision.Until, err
}

package run

import (
	"context"
	"time"

	"github.com/opengenesis/genesis"
)

// find returns an unfinished run, or nil.
func (m *Manager) find(id string) *active {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.active[id]
}

// Wait calls p with every event until the run is ended, and returns it. Of what
// was said before it tells how far the run is. Errors: NotFound, Canceled (ctx ended; the run goes on).
func (m *Manager) Wait(ctx context.Context, id string, p genesis.Progress) (genesis.Run, error) {
	a := m.find(id)
	if a == nil {
		return m.Run(ctx, id)
	}
	defer a.listen(p)()
	a.catchUp(p)
	select {
	case <-a.ended:
		return a.Run(), nil
	case <-ctx.Done():
		return a.Run(), canceled("wait for run", id, ctx.Err())
	}
}

// Follow tells p the lines of the run's log from an offset on, those to come,
// too, and its progress, until the run is ended, and returns it. Errors as Wait.
func (m *Manager) Follow(ctx context.Context, id string, from int64, p genesis.Progress) (genesis.Run, error) {
	if checkID(id) != nil {
		return genesis.Run{}, NotFound(id)
	}
	t := &tail{path: m.logOf(id), offset: max(0, from)}
	a := m.find(id)
	if a == nil {
		r, err := m.Run(ctx, id)
		if err == nil {
			t.send(p)
		}
		return r, err
	}
	defer a.listen(p)()
	a.catchUp(p)
	for {
		more := a.log.watch()
		t.send(p)
		select {
		case <-more:
		case <-a.ended:
			t.send(p)
			return a.Run(), nil
		case <-ctx.Done():
			return a.Run(), canceled("follow run", id, ctx.Err())
		}
	}
}

// Cancel stops a run for somebody and waits until it is ended. One that is canceled
// already stays so. Errors: NotFound; Conflict (it has ended otherwise); Canceled
// (ctx ended; the run is stopping).
func (m *Manager) Cancel(ctx context.Context, id string, by genesis.PersonID) (genesis.Run, error) {
	m.mu.Lock()
	a := m.active[id]
	m.mu.Unlock()
	if a == nil {
		return canceledAs(m.Run(ctx, id))
	}
	m.dismiss(a, &asked{by})
	a.cancel(&asked{by})
	return canceledAs(m.Wait(ctx, id, nil))
}

// canceledAs is the outcome of canceling a run that ended as r.
func canceledAs(r genesis.Run, err error) (genesis.Run, error) {
	if err == nil && r.State != genesis.RunCanceled {
		err = &genesis.Error{Op: "cancel run", Kind: genesis.Conflict, Subject: r.ID, Msg: "it has ended already: " + string(r.State)}
	}
	return r, err
}

// Idle waits until no run is queued or running, or until ctx ends.
func (m *Manager) Idle(ctx context.Context) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		m.mu.Lock()
		n := len(m.active) + m.reserved
		m.mu.Unlock()
		if n == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

package run

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// Why a run's context ends.
var (
	errClosing  = errors.New("the node stops")
	errTooLong  = errors.New("took too long")
	errTooLarge = errors.New("held too much memory")
	errNonsense = errors.New("its process does not keep to the protocol")
	errGone     = errors.New("the run was ended elsewhere")
)

// asked is how a run ends that somebody canceled.
type asked struct{ by genesis.PersonID }

func (a *asked) Error() string { return "canceled by " + string(a.by) }

// isAsked reports whether somebody canceled the run.
func isAsked(cause error) bool {
	var a *asked
	return errors.As(cause, &a)
}

// crash is how a try ends whose process ended without an answer.
type crash struct{ how string }

func (c *crash) Error() string { return "its process ended without a result: " + c.how }

// firstPause is how long to wait before the second try; it doubles.
const firstPause = 100 * time.Millisecond

// start gives free places to the runs whose turn it is.
func (m *Manager) start() {
	m.mu.Lock()
	for !m.closed && m.running < m.cfg.Limits.Concurrent {
		a := m.queue.pop(m.atWork)
		if a == nil {
			break
		}
		a.leave()
		m.running++
		m.places[a.share]++
		m.work.Go(func() { m.execute(a) })
	}
	places := map[*active]int{}
	for _, a := range m.queue.all() {
		places[a] = m.queue.position(a)
	}
	m.mu.Unlock()
	for a, n := range places {
		a.event(genesis.Event{Stage: "waiting", Unit: "runs", Note: fmt.Sprintf("place %d in the queue", n)})
	}
}

// atWork reports whether people of another node have as many places as they may: half, so
// that the others are left for those of this one. The caller holds m.mu.
func (m *Manager) atWork(share genesis.PersonID) bool {
	return strings.HasSuffix(string(share), "/") && m.places[share] >= max(1, m.cfg.Limits.Concurrent/2)
}

// execute tries a run until it is ended, and gives its place to the next.
func (m *Manager) execute(a *active) {
	m.try(a)
	os.RemoveAll(m.tempOf(a.row.ID))
	m.mu.Lock()
	m.running--
	if m.places[a.share]--; m.places[a.share] == 0 {
		delete(m.places, a.share)
	}
	m.mu.Unlock()
	m.forget(a)
	m.start()
}

func (m *Manager) try(a *active) {
	for pause := firstPause; ; pause *= 2 {
		err := m.attempt(a)
		if err == nil {
			return
		}
		var c *crash
		if !errors.As(err, &c) || a.Run().Tries >= m.cfg.Limits.Tries {
			m.end(a, err)
			return
		}
		a.log.line(err.Error() + "; it is tried again")
		select {
		case <-time.After(pause):
		case <-a.ctx.Done():
		}
	}
}

// forget lets go of a run that is ended.
func (m *Manager) forget(a *active) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.active[a.row.ID] == a {
		delete(m.active, a.row.ID)
		m.releaseLocked(a.person, a.keeps)
	}
}

// attempt tries a run once, from planning to committing.
func (m *Manager) attempt(a *active) error {
	ctx, stop, release := m.guard(a)
	defer release()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := m.begin(ctx, a); err != nil {
		return because(ctx, err)
	}
	outcome, err := m.outcome(ctx, stop, a)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return err
	}
	return because(ctx, m.commit(ctx, a, outcome))
}

// because gives the reason of a context that ended in place of what followed.
func because(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// guard returns the context of one try: it ends with the run's, with the asker's
// access, and when its time is over. stop ends it for another reason.
func (m *Manager) guard(a *active) (ctx context.Context, stop context.CancelCauseFunc, release func()) {
	ctx, unwatch := m.watch(a)
	ctx, cancel := context.WithTimeoutCause(ctx, time.Duration(a.row.Seconds)*time.Second, errTooLong)
	ctx, stop = context.WithCancelCause(ctx)
	letGo := func() {}
	if m.cfg.Hold != nil && ctx.Err() == nil {
		held, err := m.cfg.Hold(ctx)
		if err != nil {
			stop(err)
		} else {
			letGo = held
		}
	}
	return ctx, stop, func() {
		stop(nil)
		cancel()
		unwatch()
		letGo()
	}
}

// watch returns the run's context, which ends with the asker's access, too.
func (m *Manager) watch(a *active) (context.Context, func()) {
	if m.cfg.Watch == nil {
		return a.ctx, func() {}
	}
	return m.cfg.Watch(a.ctx, a.Run(), a.row.pinned)
}

// waits returns how a is put into the queue, under mu. While it waits it is watched
// like one that runs: whoever may no longer have it done keeps no place, and is not
// told only when their turn comes.
func (m *Manager) waits(a *active) (queue func()) {
	ctx, unwatch := m.watch(a)
	return func() {
		m.active[a.row.ID] = a
		m.queue.push(a)
		stop := context.AfterFunc(ctx, func() { m.dismiss(a, context.Cause(ctx)) })
		a.leave = func() {
			stop()
			unwatch()
		}
	}
}

// dismiss ends a run that waits; one that no longer does ends by itself.
func (m *Manager) dismiss(a *active, cause error) {
	m.mu.Lock()
	waits := m.queue.remove(a)
	if waits {
		m.work.Add(1) // Close, which empties the queue, has to wait for this
		defer m.work.Done()
	}
	m.mu.Unlock()
	if !waits {
		return
	}
	m.end(a, cause)
	m.forget(a)
	m.start()
}

// begin makes the run a running one.
func (m *Manager) begin(ctx context.Context, a *active) error {
	now := time.Now().UTC().Truncate(time.Microsecond)
	err := m.cfg.DB.Tx(ctx, func(tx *sql.Tx) error {
		there, err := change(ctx, tx, a.row.ID, "state = 'running', tries = tries + 1, started_at = $2", store.Time(now))
		if err == nil && !there {
			err = errGone
		}
		return err
	})
	if err != nil {
		return err
	}
	a.update(func(r *genesis.Run) {
		r.State, r.Started, r.Progress = genesis.RunRunning, now, nil
		r.Tries++
	})
	a.log.line(fmt.Sprintf("try %d starts", a.Run().Tries))
	m.cfg.Changed(a.Run())
	return nil
}

func (m *Manager) tempOf(id string) string { return filepath.Join(m.workOf(id), "tmp") }

// outcome has the run computed.
func (m *Manager) outcome(ctx context.Context, stop context.CancelCauseFunc, a *active) (json.RawMessage, error) {
	files, done, err := a.open()
	if err != nil {
		return nil, err
	}
	defer done()
	if m.cfg.Fetch != nil {
		if err := m.cfg.Fetch(ctx, a.Run(), a.row.pinned, a.event); err != nil {
			return nil, err
		}
	}
	job, err := m.job(ctx, a)
	if err != nil {
		return nil, err
	}
	if m.cfg.Worker != nil {
		return m.child(ctx, stop, a, job, files)
	}
	outcome, err := m.cfg.Compute(ctx, job, files, a.event)
	if err != nil {
		return nil, err
	}
	return json.Marshal(outcome)
}

// job is what the next try is told, in a fresh temporary folder.
func (m *Manager) job(ctx context.Context, a *active) (Job, error) {
	temp := m.tempOf(a.row.ID)
	if err := errors.Join(os.RemoveAll(temp), os.MkdirAll(temp, 0o700)); err != nil {
		return Job{}, broken("start run", a.row.ID, err)
	}
	task, err := m.cfg.Plan(ctx, a.Run(), a.row.pinned)
	if err != nil {
		return Job{}, err
	}
	job := Job{Run: a.row.ID, Kind: a.row.Kind, Temp: temp, Memory: a.row.Memory, Soft: m.cfg.Soft}
	for _, in := range a.row.inputs {
		job.Files = append(job.Files, in.Name)
	}
	if job.Task, err = json.Marshal(task); err != nil {
		return Job{}, err
	}
	job.Settings, err = json.Marshal(m.cfg.Settings)
	return job, err
}

// commit makes the outcome and the run's end true together, unless the run is
// ended already.
func (m *Manager) commit(ctx context.Context, a *active, outcome json.RawMessage) error {
	act, err := m.cfg.Commit(ctx, a.Run(), a.row.pinned, outcome)
	if err != nil {
		return err
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	var result json.RawMessage
	err = m.cfg.DB.Tx(ctx, func(tx *sql.Tx) error {
		v, err := act.Tx(ctx, tx)
		if err != nil {
			return err
		}
		if result, err = json.Marshal(v); err != nil {
			return err
		}
		there, err := change(ctx, tx, a.row.ID, "state = 'done', ended_at = $2, result = $3", store.Time(now), string(result))
		if err == nil && !there {
			err = errGone
		}
		if err != nil {
			return err
		}
		return m.tellEnded(ctx, tx, a.Run(), genesis.RunDone, now)
	})
	if err != nil {
		return err
	}
	if act.Done != nil {
		act.Done()
	}
	a.log.line("done")
	m.settle(a, func(r *genesis.Run) { r.State, r.Ended, r.Result = genesis.RunDone, now, result })
	return nil
}

// end ends a run for a reason other than its result, or leaves it to the next
// start of the node.
func (m *Manager) end(a *active, cause error) {
	switch {
	case errors.Is(cause, errGone):
		m.takeOver(a)
		return
	case errors.Is(cause, errClosing):
		if cause = m.postpone(a); cause == nil {
			return
		}
	}
	state, e := verdict(a.row, cause)
	if e.Kind == genesis.Internal {
		m.cfg.Log.Error("a run failed", "run", a.row.ID, "error", e, "cause", e.Err)
	}
	problem := genesis.ProblemOf(e, true)
	now := time.Now().UTC().Truncate(time.Microsecond)
	if err := m.write(a.Run(), state, now, problem); err != nil { // the next start finds it unfinished
		m.cfg.Log.Error("the end of a run cannot be written", "run", a.row.ID, "error", err, "cause", errors.Unwrap(err))
	}
	if isAsked(cause) {
		a.log.line(cause.Error())
	} else {
		a.log.line(string(state) + ": " + problem.Detail)
	}
	m.settle(a, func(r *genesis.Run) { r.State, r.Ended, r.Error = state, now, &problem })
}

// postpone leaves a run to the next start of the node, or says why that is no use.
func (m *Manager) postpone(a *active) error {
	if err := m.unresumable(a.row); err != nil {
		return err
	}
	if err := m.requeue(context.Background(), a, 1); err != nil {
		return err
	}
	a.log.line("the node stops; it goes on when the node is started again")
	m.settle(a, nil)
	return nil
}

// write makes the end of a run durable, whatever became of its context.
func (m *Manager) write(r genesis.Run, state genesis.RunState, at time.Time, p genesis.Problem) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	ctx := context.Background()
	return m.cfg.DB.Tx(ctx, func(tx *sql.Tx) error {
		there, err := change(ctx, tx, r.ID, "state = $2, ended_at = $3, error = $4", string(state), store.Time(at), string(text))
		if err != nil || !there {
			return err
		}
		return m.tellEnded(ctx, tx, r, state, at)
	})
}

// tellEnded tells that a run ended, in the transaction in which it does.
func (m *Manager) tellEnded(ctx context.Context, tx *sql.Tx, r genesis.Run, state genesis.RunState, at time.Time) error {
	if m.cfg.Ended == nil {
		return nil
	}
	r.State, r.Ended = state, at
	return m.cfg.Ended(ctx, tx, r)
}

// takeOver makes memory say what the database does.
func (m *Manager) takeOver(a *active) {
	r, err := find(context.Background(), m.cfg.DB.Read(), a.row.ID)
	if err != nil {
		m.cfg.Log.Error("a run is lost", "run", a.row.ID, "error", err)
	}
	m.settle(a, func(now *genesis.Run) { *now = r.Run })
}

// settle wakes whoever waits for the run, and removes what only its work needed.
func (m *Manager) settle(a *active, set func(*genesis.Run)) {
	if set != nil {
		a.update(set)
		os.RemoveAll(m.workOf(a.row.ID))
	}
	a.log.close()
	a.cancel(nil)
	close(a.ended)
	m.cfg.Changed(a.Run())
}

// verdict says how a run ended and why, to people.
func verdict(r row, cause error) (genesis.RunState, *genesis.Error) {
	e := &genesis.Error{Op: string(r.Kind), Subject: r.Subject, Kind: genesis.Unavailable, Err: cause}
	logs := "`genesis logs " + r.ID + "` shows its last words"
	var known *genesis.Error
	var c *crash
	switch {
	case isAsked(cause):
		e.Kind, e.Msg = genesis.Canceled, cause.Error()+" before the end; nothing was kept"
		return genesis.RunCanceled, e
	case errors.As(cause, &known):
		return genesis.RunFailed, known
	case errors.Is(cause, errTooLong):
		e.Msg = fmt.Sprintf("took longer than the %s a run may take", time.Duration(r.Seconds)*time.Second)
		e.Hint = "raise runs.time in config.yaml, or give it less to do"
	case errors.Is(cause, errTooLarge):
		e.Msg = fmt.Sprintf("needed more than the %s of memory a run may hold", size(r.Memory))
		e.Hint = "raise runs.memory in config.yaml, or give it fewer rows or columns"
	case errors.Is(cause, context.Canceled):
		e.Kind, e.Msg = genesis.Permission, "the access it ran on was withdrawn; nothing was kept"
	case errors.As(cause, &c):
		e.Kind, e.Msg, e.Hint = genesis.Internal, c.Error(), logs
	default:
		e.Kind, e.Msg, e.Hint = genesis.Internal, cause.Error(), logs
	}
	return genesis.RunFailed, e
}

// size is a number of bytes for people.
func size(n int64) string {
	if n >= 1<<30 {
		return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

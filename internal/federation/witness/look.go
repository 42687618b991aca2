package witness

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/guest"
	"github.com/opengenesis/genesis/internal/store"
)

// Bounds of what another node may answer, in bytes.
const (
	maxState = 1 << 20
	maxKept  = 1 << 20
	maxPage  = 1 << 20
)

// strikesOut is how often in a row a signature or a proof may fail before that is more
// than an accident on the way.
const strikesOut = 2

// Look asks a member for the state of its audit log and keeps it, if it is proved to have
// grown from what is kept. What is wrong with the log is in what it returns; its error
// says why the member could not be asked. Errors: NotFound (it is not followed).
func (w *Witness) Look(ctx context.Context, node genesis.NodeID) (genesis.Witnessed, error) {
	p, err := w.find(node)
	if err != nil {
		return genesis.Witnessed{Node: node}, err
	}
	p.turn.Lock()
	defer p.turn.Unlock()
	err = w.look(ctx, p)
	var f *fault
	if errors.As(err, &f) {
		err = nil
	}
	p.went(err)
	all, listed := list(ctx, w.DB.Read())
	if err = errors.Join(err, listed); err != nil {
		return genesis.Witnessed{Node: node}, err
	}
	for _, one := range all {
		if one.Node == node {
			return one, nil
		}
	}
	return genesis.Witnessed{Node: node}, nil
}

// look is one turn. Errors: *fault, once it is kept.
func (w *Witness) look(ctx context.Context, p *peer) error {
	k, err := load(ctx, w.DB.Read(), p.id)
	if err != nil {
		return err
	}
	known, another := k.state, k.epoch > 0 && !p.signedBy(k.state)
	if another {
		known = state{}
	}
	a, err := w.state(ctx, p, known)
	if genesis.KindOf(err) == genesis.NotFound && known.epoch > 0 {
		return w.wrong(ctx, &k, &fault{genesis.WitnessBehind, fmt.Sprintf("it has no epoch %d any more", k.epoch), nil})
	}
	if err != nil {
		return err
	}
	got, err := prove(p.id, w.keys(p), known, a)
	var lost *fault
	switch {
	case err == nil && another:
		lost = &fault{genesis.WitnessRestored, fmt.Sprintf("the node has another key, and another log: that of before, with %d entries in epoch %d, is not gone on with", k.tree.N, k.epoch), got.note}
	case err == nil && got.ended != nil:
		lost, err = w.restored(ctx, p, k, got)
	}
	var f *fault
	switch {
	case errors.As(err, &f):
		return w.wrong(ctx, &k, f)
	case err != nil:
		return err
	case k.standing == genesis.WitnessForked && got.epoch == known.epoch:
		return &fault{k.standing, k.reason, nil} // it showed two histories: only a new epoch says which one holds
	}
	return w.take(ctx, &k, got.state, lost)
}

// state asks for the state of a log.
func (w *Witness) state(ctx context.Context, p *peer, from state) (*genesis.AuditState, error) {
	path := "/audit/state"
	if from.epoch > 0 {
		path += fmt.Sprintf("?epoch=%d&size=%d", from.epoch, from.tree.N)
	}
	b, err := w.get(ctx, p, path, maxState)
	if err != nil {
		return nil, err
	}
	return parseState(b)
}

func parseState(b []byte) (*genesis.AuditState, error) {
	var a genesis.AuditState
	if err := json.Unmarshal(b, &a); err != nil || len(a.Begun) > genesis.MaxEpochs {
		return nil, &genesis.Error{Op: "keep checkpoint", Kind: genesis.Invalid, Subject: "/audit/state", Msg: "the answer is not the state of a log", Err: err}
	}
	return &a, nil
}

// restored checks a log that went back and says so: the end that it declares must agree
// with what is kept from before that end. It returns what was lost by it.
func (w *Witness) restored(ctx context.Context, p *peer, k kept, got outcome) (*fault, error) {
	end := *got.ended
	lost := &fault{genesis.WitnessRestored, fmt.Sprintf("epoch %d had %d entries, and ended with %d, as it declares: the others were lost", k.epoch, k.tree.N, end.N), got.note}
	older, there, err := before(ctx, w.DB.Read(), p.id, k.epoch, end.N)
	if err != nil || !there || !p.signedBy(older) {
		return lost, err
	}
	a, err := w.state(ctx, p, older)
	if err != nil {
		return lost, err
	}
	again, err := prove(p.id, w.keys(p), older, a)
	if err == nil && (again.ended != nil || again.epoch < got.epoch) {
		err = &fault{genesis.WitnessForked, fmt.Sprintf("it declares an end of epoch %d, and answers otherwise when it is asked again", k.epoch), a.Checkpoint}
	}
	return lost, err
}

// take keeps a state that was proved.
func (w *Witness) take(ctx context.Context, k *kept, s state, lost *fault) error {
	now := w.Now()
	next := *k
	next.state, next.seen, next.strikes = s, now, 0
	if next.since.IsZero() {
		next.since = now
	}
	if next.standing != genesis.WitnessRestored {
		next.standing, next.reason = genesis.WitnessGood, ""
	}
	if lost != nil {
		next.standing, next.reason = lost.standing, lost.reason
	}
	err := w.DB.Tx(ctx, func(tx *sql.Tx) error {
		if lost != nil {
			if _, err := addEvidence(ctx, tx, k, lost, now); err != nil {
				return err
			}
		}
		if err := keepDay(ctx, tx, k.node, s, now); err != nil {
			return err
		}
		return next.save(ctx, tx)
	})
	if err == nil && lost != nil {
		w.Log.Warn("a node's audit log does not go on from what it was, and says so", "log", genesis.AuditOrigin(k.node, k.epoch), "reason", lost.reason)
	}
	return store.Error("keep checkpoint", string(k.node), err)
}

// wrong keeps what contradicts what is kept: at once where it is signed, and after a second
// time where it may be an accident on the way.
func (w *Witness) wrong(ctx context.Context, k *kept, f *fault) error {
	now := w.Now()
	next := *k
	fresh := false
	err := w.DB.Tx(ctx, func(tx *sql.Tx) (err error) {
		next = *k
		if f.standing == genesis.WitnessRefused {
			if next.strikes++; next.strikes < strikesOut {
				return next.save(ctx, tx)
			}
		}
		if next.standing != genesis.WitnessForked {
			next.standing, next.reason = f.standing, f.reason
		}
		if fresh, err = addEvidence(ctx, tx, k, f, now); err != nil {
			return err
		}
		return next.save(ctx, tx)
	})
	if err != nil {
		return store.Error("keep evidence", string(k.node), err)
	}
	if fresh {
		w.Log.Error("a node's audit log is not what it was", "node", k.node, "standing", f.standing, "reason", f.reason)
	}
	return f
}

// get returns what a member answers at a path, at most so many bytes of it.
func (w *Witness) get(ctx context.Context, p *peer, path string, most int64) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, w.Timeout)
	defer cancel()
	_, way := p.met()
	body, err := way.Get(ctx, path)
	if err != nil {
		if known := (*genesis.Error)(nil); !errors.As(err, &known) {
			err = &genesis.Error{Op: "ask node", Kind: genesis.Unavailable, Subject: string(p.id), Msg: "it does not answer", Err: err}
		}
		return nil, err
	}
	return guest.Read(ctx, string(p.id), body, most)
}

// said is what an error says, less what was done to what.
func said(err error) string {
	var known *genesis.Error
	if errors.As(err, &known) {
		return known.Msg
	}
	return err.Error()
}

// soon is when a member is asked again that could not be: first in seconds, for it may
// just not have heard yet that this node is a member, and then ever later.
func soon(fails int) time.Duration { return min(time.Second<<min(fails, 20), time.Hour) }

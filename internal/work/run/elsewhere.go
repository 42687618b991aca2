package run

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// maxElsewhere bounds the runs of one person that other nodes carry out and that have not
// ended.
const maxElsewhere = 100

// Elsewhere says of a run that another node carries it out, and why.
type Elsewhere struct {
	Node genesis.NodeID
	Why  string
}

// SendTx keeps, in the caller's transaction, a run that another node carries out: what
// tells that node of it belongs into the same one. Asked again with the same id, person
// and request it returns the run there is, and not fresh. Errors: Invalid (the id),
// Conflict (the id is that of another request), Unavailable (too many are not ended).
func (m *Manager) SendTx(ctx context.Context, tx *sql.Tx, req genesis.RunRequest, by genesis.Principal, in Inputs, at Elsewhere) (_ genesis.Run, fresh bool, err error) {
	r, err := newRow(req, by, in, Limits{})
	if err != nil {
		return genesis.Run{}, false, err
	}
	r.State, r.At, r.Why = genesis.RunSent, at.Node, at.Why
	have, err := find(ctx, tx, req.ID)
	if err == nil {
		return have.Run, false, sameRequest(have, r)
	}
	if genesis.KindOf(err) != genesis.NotFound {
		return genesis.Run{}, false, err
	}
	var open int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM runs WHERE node <> '' AND state IN ('sent', 'queued', 'running', 'canceling') AND person = $1",
		string(by.Person())).Scan(&open); err != nil {
		return genesis.Run{}, false, store.Error("submit run", req.ID, err)
	}
	if open >= maxElsewhere {
		return genesis.Run{}, false, &genesis.Error{Op: "submit run", Kind: genesis.Unavailable, Msg: fmt.Sprintf("%d runs of yours at other nodes are not ended yet", open),
			Hint: "try again when some have ended: `genesis runs` lists them, `genesis cancel` stops one"}
	}
	return r.Run, true, store.Error("submit run", req.ID, insert(ctx, tx, r))
}

// HearTx keeps, in the caller's transaction, what the node that carries a run out says of
// it, and reports whether that is news: what is older than what it said before, or
// comes after the end, is not. Errors: NotFound (it carries out no such run).
func (m *Manager) HearTx(ctx context.Context, tx *sql.Tx, from genesis.NodeID, told genesis.RunTold, at time.Time) (r genesis.Run, news bool, err error) {
	have, err := elsewhere(ctx, tx, from, told.Run)
	if err != nil || have.seen >= told.Seq || have.State.Ended() {
		return have.Run, false, err
	}
	state := told.State
	if have.State == genesis.RunCanceling && !state.Ended() {
		state = genesis.RunCanceling
	}
	problem := ""
	if told.Error != nil {
		b, err := json.Marshal(told.Error)
		if err != nil {
			return have.Run, false, err
		}
		problem = string(b)
	}
	_, err = tx.ExecContext(ctx, `UPDATE runs SET state = $2, tries = $3, started_at = $4, ended_at = $5, result = $6, error = $7, seen = $8, heard = $9 WHERE id = $1`,
		told.Run, string(state), told.Tries, instant(told.Started), instant(told.Ended), string(told.Result), problem, told.Seq, store.Time(at))
	if err != nil {
		return have.Run, false, store.Error("take message", told.Run, err)
	}
	r = have.Run
	r.State, r.Tries, r.Started, r.Ended, r.Result, r.Error, r.Heard = state, told.Tries, told.Started, told.Ended, told.Result, told.Error, at
	return r, true, nil
}

// instant is a time for the database; of what did not happen there is none.
func instant(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return store.Time(t)
}

// elsewhere finds a run that a node carries out. Errors: NotFound.
func elsewhere(ctx context.Context, q queryer, node genesis.NodeID, id string) (row, error) {
	r, err := find(ctx, q, id)
	if err == nil && (r.At == "" || r.At != node) {
		err = NotFound(id)
	}
	return r, err
}

// StopTx marks, in the caller's transaction, that the node that carries a run out is
// asked to stop it, and reports whether it was not before. Errors: NotFound.
func (m *Manager) StopTx(ctx context.Context, tx *sql.Tx, node genesis.NodeID, id string) (bool, error) {
	if _, err := elsewhere(ctx, tx, node, id); err != nil {
		return false, err
	}
	done, err := tx.ExecContext(ctx, "UPDATE runs SET state = 'canceling' WHERE id = $1 AND state IN ('sent', 'queued', 'running')", id)
	if err != nil {
		return false, store.Error("cancel run", id, err)
	}
	n, err := done.RowsAffected()
	return n == 1, err
}

// FailTx ends, in the caller's transaction, a run of which another node will say nothing
// any more, and reports whether it had not ended. Errors: NotFound.
func (m *Manager) FailTx(ctx context.Context, tx *sql.Tx, node genesis.NodeID, id string, why error, at time.Time) (genesis.Run, bool, error) {
	r, err := elsewhere(ctx, tx, node, id)
	if err != nil || r.State.Ended() {
		return r.Run, false, err
	}
	state := genesis.RunFailed
	if genesis.KindOf(why) == genesis.Canceled {
		state = genesis.RunCanceled
	}
	p := genesis.ProblemOf(why, true)
	text, err := json.Marshal(p)
	if err != nil {
		return r.Run, false, err
	}
	_, err = tx.ExecContext(ctx, "UPDATE runs SET state = $2, ended_at = $3, error = $4 WHERE id = $1", id, string(state), store.Time(at), string(text))
	r.State, r.Ended, r.Error = state, at, &p
	return r.Run, true, store.Error("end run", id, err)
}

// Open lists the runs that other nodes carry out and that have not ended, with what they
// were pinned to, oldest first.
func (m *Manager) Open(ctx context.Context) (all []Pending, err error) {
	rows, err := listRows(ctx, m.cfg.DB.Read(), rowColumns, "WHERE node <> '' AND state IN ('sent', 'queued', 'running', 'canceling') ORDER BY seq")
	for _, r := range rows {
		all = append(all, Pending{r.Run, r.pinned})
	}
	return all, err
}

// Pending is a run that has not ended.
type Pending struct {
	genesis.Run
	Pinned json.RawMessage
}

// HasTx reports whether there is a run of an id.
func (m *Manager) HasTx(ctx context.Context, tx *sql.Tx, id string) (bool, error) {
	_, err := find(ctx, tx, id)
	if genesis.KindOf(err) == genesis.NotFound {
		return false, nil
	}
	return err == nil, err
}

// CheckID reports why an id is none of a run, or nil.
func CheckID(id string) error { return checkID(id) }

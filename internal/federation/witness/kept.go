package witness

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/store"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	// format is the format number of what this program keeps.
	format = 1

	keptDays     = genesis.MaxKept - 1
	mostEvidence = 100 // of one node: more tell nothing more
)

// kept is what is kept of one log.
type kept struct {
	node genesis.NodeID
	state
	since, seen time.Time
	standing    genesis.WitnessStanding
	reason      string
	strikes     int
}

type querier interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}

// load reads what is kept of a node's log; of one of which nothing is, the epoch is 0.
func load(ctx context.Context, q querier, node genesis.NodeID) (kept, error) {
	k := kept{node: node}
	var number int
	var root string
	var since, seen int64
	err := q.QueryRowContext(ctx, "SELECT format, epoch, size, root, note, since, seen, standing, reason, strikes FROM witness_logs WHERE node = $1", string(node)).
		Scan(&number, &k.epoch, &k.tree.N, &root, &k.note, &since, &seen, &k.standing, &k.reason, &k.strikes)
	if errors.Is(err, sql.ErrNoRows) {
		return k, nil
	}
	if err == nil && number != format {
		return k, &genesis.Error{Op: "keep checkpoint", Kind: genesis.Unsupported, Subject: string(node), Msg: fmt.Sprintf("what is kept of it has format %d, and this program knows %d", number, format)}
	}
	if err == nil {
		k.since, k.seen = moment(since), moment(seen)
	}
	if err == nil && k.epoch > 0 {
		k.tree.Hash, err = tlog.ParseHash(root)
	}
	return k, store.Error("keep checkpoint", string(node), err)
}

func moment(t int64) time.Time {
	if t == 0 {
		return time.Time{}
	}
	return store.TimeAt(t)
}

func unmoment(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return store.Time(t)
}

func (k *kept) save(ctx context.Context, tx *sql.Tx) error {
	note := k.note
	if note == nil {
		note = []byte{}
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO witness_logs (node, format, epoch, size, root, note, since, seen, standing, reason, strikes)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (node) DO UPDATE SET format = $2, epoch = $3, size = $4, root = $5, note = $6, since = $7, seen = $8, standing = $9, reason = $10, strikes = $11`,
		string(k.node), format, k.epoch, k.tree.N, k.tree.Hash.String(), note, unmoment(k.since), unmoment(k.seen), string(k.standing), k.reason, k.strikes)
	return err
}

// dayOf numbers the days, in UTC.
func dayOf(t time.Time) int64 { return t.Unix() / (24 * 60 * 60) }

// keepDay makes a state the one that is kept of its day, and lets go of days long past.
func keepDay(ctx context.Context, tx *sql.Tx, node genesis.NodeID, s state, at time.Time) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO witness_days (node, day, epoch, size, root, note, at) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (node, day, epoch) DO UPDATE SET size = $4, root = $5, note = $6, at = $7`,
		string(node), dayOf(at), s.epoch, s.tree.N, s.tree.Hash.String(), s.note, store.Time(at))
	if err == nil {
		_, err = tx.ExecContext(ctx, "DELETE FROM witness_days WHERE day <= $1", dayOf(at)-keptDays)
	}
	if err == nil { // a node that begins epoch after epoch
		_, err = tx.ExecContext(ctx, `DELETE FROM witness_days WHERE node = $1 AND (day, epoch) IN
			(SELECT day, epoch FROM witness_days WHERE node = $1 ORDER BY day DESC, epoch DESC LIMIT -1 OFFSET $2)`, string(node), genesis.MaxKept)
	}
	return err
}

// before finds the latest state that is kept of an epoch and has at most so many entries.
func before(ctx context.Context, q querier, node genesis.NodeID, epoch int, size int64) (state, bool, error) {
	s := state{epoch: epoch}
	var root string
	err := q.QueryRowContext(ctx, "SELECT size, root, note FROM witness_days WHERE node = $1 AND epoch = $2 AND size <= $3 ORDER BY size DESC LIMIT 1",
		string(node), epoch, size).Scan(&s.tree.N, &root, &s.note)
	if errors.Is(err, sql.ErrNoRows) {
		return s, false, nil
	}
	if err == nil {
		s.tree.Hash, err = tlog.ParseHash(root)
	}
	return s, err == nil, store.Error("keep checkpoint", string(node), err)
}

// checkpoints are those that are kept of a node's log, newest first.
func checkpoints(ctx context.Context, q querier, node genesis.NodeID) ([]genesis.KeptCheckpoint, error) {
	rows, err := q.QueryContext(ctx, "SELECT note, at FROM witness_days WHERE node = $1 ORDER BY day DESC, epoch DESC LIMIT $2", string(node), genesis.MaxKept)
	if err != nil {
		return nil, store.Error("read checkpoints", string(node), err)
	}
	defer rows.Close()
	all := []genesis.KeptCheckpoint{}
	for rows.Next() {
		var k genesis.KeptCheckpoint
		var at int64
		if err := rows.Scan(&k.Checkpoint, &at); err != nil {
			return nil, store.Error("read checkpoints", string(node), err)
		}
		k.At = store.TimeAt(at)
		all = append(all, k)
	}
	return all, store.Error("read checkpoints", string(node), rows.Err())
}

// addEvidence keeps both checkpoints, once for each thing that a node says, and makes it
// evidence of this node, too. It reports whether that was new.
func addEvidence(ctx context.Context, tx *sql.Tx, k *kept, f *fault, at time.Time) (bool, error) {
	var have int
	err := tx.QueryRowContext(ctx, "SELECT count(*) FROM witness_evidence WHERE node = $1", string(k.node)).Scan(&have)
	if err != nil || have >= mostEvidence {
		return false, err
	}
	ours, theirs := k.note, f.note
	if theirs == nil {
		theirs = []byte(f.reason)
	}
	if ours == nil {
		ours = []byte{}
	}
	done, err := tx.ExecContext(ctx, `INSERT INTO witness_evidence (id, node, at, standing, reason, ours, theirs)
		SELECT coalesce(max(id), 0) + 1, $1, $2, $3, $4, $5, $6 FROM witness_evidence WHERE true ON CONFLICT (node, standing, theirs) DO NOTHING`,
		string(k.node), store.Time(at), string(f.standing), f.reason, ours, theirs)
	if err != nil {
		return false, err
	}
	n, err := done.RowsAffected()
	if err != nil || n == 0 {
		return false, err
	}
	return true, record(ctx, tx, k, f, at)
}

// record makes it an entry of the journal.
func record(ctx context.Context, tx *sql.Tx, k *kept, f *fault, at time.Time) error {
	detail, err := json.Marshal(map[string]string{"standing": string(f.standing), "reason": f.reason, "ours": short(k.note), "theirs": short(f.note)})
	if err != nil {
		return err
	}
	e := journal.Event{Time: at, Act: "fork", Outcome: genesis.Refused, Subject: "log " + genesis.AuditOrigin(k.node, max(k.epoch, 1)), Detail: detail}
	if f.standing == genesis.WitnessRestored { // it says so itself, and is followed
		e.Outcome = genesis.Done
	}
	return journal.Record(ctx, tx, e)
}

// short is a checkpoint as an entry has it: as it is, or its digest.
func short(note []byte) string {
	const most = 4 << 10
	if len(note) > most {
		return string(genesis.DigestOf(note))
	}
	return string(note)
}

// list says of which logs checkpoints are kept, by node.
func list(ctx context.Context, q querier) ([]genesis.Witnessed, error) {
	rows, err := q.QueryContext(ctx, `SELECT node, epoch, size, root, since, seen, standing, reason,
		(SELECT count(*) FROM witness_days d WHERE d.node = l.node), (SELECT count(*) FROM witness_evidence e WHERE e.node = l.node)
		FROM witness_logs l ORDER BY node`)
	if err != nil {
		return nil, store.Error("read checkpoints", "", err)
	}
	defer rows.Close()
	all := []genesis.Witnessed{}
	for rows.Next() {
		var w genesis.Witnessed
		var since, seen int64
		if err := rows.Scan(&w.Node, &w.Point.Epoch, &w.Point.Size, &w.Point.Root, &since, &seen, &w.Standing, &w.Reason, &w.Kept, &w.Evidence); err != nil {
			return nil, store.Error("read checkpoints", "", err)
		}
		if w.Since, w.Seen = moment(since), moment(seen); w.Point.Epoch == 0 {
			w.Point = genesis.AuditPoint{}
		}
		all = append(all, w)
	}
	return all, store.Error("read checkpoints", "", rows.Err())
}

package mirror

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/store"
)

// Evidence is what contradicts what a node said before: the checkpoint that was taken and
// the one that was refused, as they were signed.
type Evidence struct {
	Node   genesis.NodeID
	Class  genesis.Class
	At     time.Time
	Reason string
	Ours   []byte
	Theirs []byte
	By     genesis.NodeID // the member that showed it; "": it was seen here
}

// mostEvidence bounds what is kept of one log: a node that makes up a thousand states is
// shown by the first of them.
const mostEvidence = 100

// strikesOut is how many signatures in a row may fail before that is more than an
// accident on the way.
const strikesOut = 2

// forked refuses a log for good, until a new epoch declares the state that is known.
func (l *log) forked(ctx context.Context, h head, reason string, why error) error {
	if err := l.keepForked(ctx, h, reason, why); err != nil {
		return err
	}
	return l.refusal(reason)
}

// keepForked keeps a fork, and reports it where it proves itself: the reason of one that
// grew may be a proof of from what.
func (l *log) keepForked(ctx context.Context, h head, reason string, why error) error {
	shown := genesis.LogEvidence{Node: l.member.ID, Class: l.class, Reason: reason, First: l.st.note, Second: h.note}
	var p *parted
	if errors.As(why, &p) {
		shown.Prefix = p.prefix[:]
		for _, h := range p.proof {
			shown.Proof = append(shown.Proof, h[:])
		}
	}
	report := l.m.cfg.Report
	if contradicts(shown, l.member, l.m.cfg.Now()) != nil {
		report = nil
	}
	return l.keep(ctx, Forked, h.note, reason, func(ctx context.Context, tx *sql.Tx) error {
		if report == nil {
			return nil
		}
		return report(ctx, tx, shown)
	})
}

// refusal is the error of a log that contradicts itself.
func (l *log) refusal(reason string) error {
	return &genesis.Error{Op: "follow log", Kind: genesis.Conflict, Subject: l.origin(l.st.epoch), Msg: "the log contradicts what the node said before: " + reason,
		Hint: "its holder has to say what happened, and begin a new epoch from the state that was last common"}
}

// behind leaves a log alone that answers with an earlier state, until it answers with one
// that is not.
func (l *log) behind(ctx context.Context, note []byte, reason string) error {
	if err := l.keep(ctx, Behind, note, reason, nil); err != nil {
		return err
	}
	return &genesis.Error{Op: "follow log", Kind: genesis.Conflict, Subject: l.origin(l.st.epoch), Msg: reason}
}

// struck counts signatures that do not hold. Other errors are returned as they are.
func (l *log) struck(ctx context.Context, err error) error {
	var bad *unsigned
	if !errors.As(err, &bad) {
		return err
	}
	failed := l.save(ctx, func(s *state) { s.strikes++ })
	if failed == nil && l.st.strikes >= strikesOut && l.st.standing != Forked {
		failed = l.keep(ctx, Refused, bad.note, "its checkpoint is not signed by a key that the charter has of the node", nil)
	}
	return errors.Join(err, failed)
}

// keep keeps what contradicts, and notes in the journal and in the state that it does:
// once for each thing that a node says. report is told in the same transaction.
func (l *log) keep(ctx context.Context, standing Standing, theirs []byte, reason string, report func(context.Context, *sql.Tx) error) error {
	next := *l.st
	fresh := false
	err := l.m.cfg.DB.Tx(ctx, func(tx *sql.Tx) error {
		next = *l.st
		fresh = next.standing != standing
		if next.standing != Forked { // which only a new epoch ends
			next.standing, next.reason = standing, reason
		}
		kept, err := l.keepEvidence(ctx, tx, theirs, reason)
		if err != nil {
			return err
		}
		if fresh = fresh || kept; fresh {
			if err := l.record(ctx, tx, standing, theirs, reason); err != nil {
				return err
			}
		}
		if kept && report != nil {
			if err := report(ctx, tx); err != nil {
				return err
			}
		}
		return next.save(ctx, tx)
	})
	if err != nil {
		return store.Error("keep evidence", l.origin(l.st.epoch), err)
	}
	*l.st = next
	if !fresh {
		return nil
	}
	l.m.cfg.Log.Error("a node's log is refused", "log", l.origin(l.st.epoch), "standing", standing, "reason", reason)
	if report != nil && l.m.cfg.Reported != nil {
		l.m.cfg.Reported()
	}
	return nil
}

// keepEvidence keeps both checkpoints, unless they are kept already.
func (l *log) keepEvidence(ctx context.Context, tx *sql.Tx, theirs []byte, reason string) (bool, error) {
	if theirs == nil {
		return false, nil
	}
	return Evidence{Node: l.member.ID, Class: l.class, At: l.m.cfg.Now(), Reason: reason, Ours: l.st.note, Theirs: theirs}.insert(ctx, tx, mostEvidence)
}

// insert keeps evidence, unless there is as much of its log by the same witness, and
// reports whether it is new.
func (e Evidence) insert(ctx context.Context, tx *sql.Tx, most int) (bool, error) {
	var have int
	err := tx.QueryRowContext(ctx, "SELECT count(*) FROM mirror_evidence WHERE node = $1 AND class = $2 AND told_by = $3", string(e.Node), string(e.Class), string(e.By)).Scan(&have)
	if err != nil || have >= most {
		return false, err
	}
	done, err := tx.ExecContext(ctx, `INSERT INTO mirror_evidence (id, node, class, at, reason, ours, theirs, told_by)
		SELECT coalesce(max(id), 0) + 1, $1, $2, $3, $4, $5, $6, $7 FROM mirror_evidence WHERE true ON CONFLICT (node, class, theirs) DO NOTHING`,
		string(e.Node), string(e.Class), store.Time(e.At), e.Reason, notNull(e.Ours), e.Theirs, string(e.By))
	if err != nil {
		return false, err
	}
	n, err := done.RowsAffected()
	return n > 0, err
}

// record makes it evidence of this node, too.
func (l *log) record(ctx context.Context, tx *sql.Tx, standing Standing, theirs []byte, reason string) error {
	return l.m.record(ctx, tx, l.origin(l.st.epoch), map[string]string{"standing": string(standing), "reason": reason, "ours": short(l.st.note), "theirs": short(theirs)})
}

func (m *Mirror) record(ctx context.Context, tx *sql.Tx, origin string, says map[string]string) error {
	detail, err := json.Marshal(says)
	if err != nil {
		return err
	}
	e := journal.Event{Time: m.cfg.Now(), Outcome: genesis.Refused, Subject: "log " + origin, Detail: detail}
	e.Act = "fork"
	return journal.Record(ctx, tx, e)
}

// short is a checkpoint as an entry of the journal has it: as it is, or its digest.
func short(note []byte) string {
	const most = 4 << 10
	if len(note) > most {
		return string(genesis.DigestOf(note))
	}
	return string(note)
}

// Evidence returns what is kept of contradictions, oldest first.
func (m *Mirror) Evidence(ctx context.Context) ([]Evidence, error) {
	rows, err := m.cfg.DB.Read().QueryContext(ctx, "SELECT node, class, at, reason, ours, theirs, told_by FROM mirror_evidence ORDER BY id")
	if err != nil {
		return nil, store.Error("read evidence", "", err)
	}
	defer rows.Close()
	var all []Evidence
	for rows.Next() {
		var e Evidence
		var at int64
		if err := rows.Scan(&e.Node, &e.Class, &at, &e.Reason, &e.Ours, &e.Theirs, &e.By); err != nil {
			return nil, store.Error("read evidence", "", err)
		}
		e.At = store.TimeAt(at)
		all = append(all, e)
	}
	return all, store.Error("read evidence", "", rows.Err())
}

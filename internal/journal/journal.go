// Package journal records what happened, beside the act and in the same
// transaction, so that neither is ever without the other. Each entry carries the
// hash of all before it: an entry that was changed, removed or put in between is
// found by [Verify], which names the first that does not fit. What the chain
// alone cannot show is that its end was cut off; [Head] gives what an outside
// witness would have to keep for that.
//
// The hash of an entry is the SHA-256 of the canonical JSON (RFC 8785) of
//
//	{"format":1,"seq":2,"time":"2027-01-31T12:00:00.000001Z","actor":"local",
//	 "action":"commit","subject":"turbines","version":"sha256:…",
//	 "detail":{…},"previous":"sha256:…"}
//
// with the empty string as the previous hash of the first entry, and null for a
// detail that is missing.
package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// Format is the format number of the entries this program writes.
const Format = 1

// Event is one thing that happened. Seq and Hash are set by the journal.
type Event struct {
	Seq     int64           `json:"seq"`
	Time    time.Time       `json:"time"` // to the microsecond; zero: now
	Actor   string          `json:"actor"`
	Action  string          `json:"action"`  // "commit", "record", "publish", "decide"
	Subject string          `json:"subject"` // name of an asset
	Version genesis.Digest  `json:"version"`
	Detail  json.RawMessage `json:"detail"` // JSON, at most 64 KiB
	Hash    genesis.Digest  `json:"hash"`
}

const maxDetail = 64 << 10

// Record appends e in tx: it becomes durable with what tx does besides. Errors:
// Invalid (no actor or action; a detail that is no JSON or too long).
func Record(ctx context.Context, tx *sql.Tx, e Event) error {
	if err := check(&e); err != nil {
		return err
	}
	seq, previous, err := head(ctx, tx)
	if err != nil {
		return err
	}
	e.Seq = seq + 1
	if e.Hash, err = hash(e, Format, previous); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO journal (seq, format, at, actor, action, subject, version, detail, hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		e.Seq, Format, store.Time(e.Time), e.Actor, e.Action, e.Subject, string(e.Version), string(e.Detail), string(e.Hash))
	return store.Error("record event", e.Subject, err)
}

// check refuses an event that could not be read back, and fills in the time.
func check(e *Event) error {
	bad := func(msg string) error {
		return &genesis.Error{Op: "record event", Kind: genesis.Invalid, Subject: e.Subject, Msg: msg}
	}
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	switch {
	case e.Actor == "" || e.Action == "":
		return bad("it names no actor or no action")
	case len(e.Detail) > maxDetail:
		return bad(fmt.Sprintf("its detail is longer than %d bytes", maxDetail))
	case len(e.Detail) > 0 && !json.Valid(e.Detail):
		return bad("its detail is not JSON")
	}
	return nil
}

// queryer is what both a transaction and a pool of connections can do.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func head(ctx context.Context, q queryer) (int64, genesis.Digest, error) {
	var seq int64
	var hash genesis.Digest
	err := q.QueryRowContext(ctx, "SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1").Scan(&seq, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, "", nil
	}
	return seq, hash, store.Error("read journal", "", err)
}

// Head returns number and hash of the last entry, 0 and "" when there is none.
func Head(ctx context.Context, db *store.DB) (int64, genesis.Digest, error) {
	return head(ctx, db.Read())
}

// hash returns the hash of e after an entry whose hash is previous.
func hash(e Event, format int, previous genesis.Digest) (genesis.Digest, error) {
	text, err := genesis.CanonicalJSON(struct {
		Format   int             `json:"format"`
		Seq      int64           `json:"seq"`
		Time     string          `json:"time"`
		Actor    string          `json:"actor"`
		Action   string          `json:"action"`
		Subject  string          `json:"subject"`
		Version  genesis.Digest  `json:"version"`
		Detail   json.RawMessage `json:"detail"`
		Previous genesis.Digest  `json:"previous"`
	}{format, e.Seq, e.Time.UTC().Format("2006-01-02T15:04:05.000000Z"), e.Actor, e.Action, e.Subject, e.Version, detail(e), previous})
	if err != nil {
		return "", err
	}
	return genesis.DigestOf(text), nil
}

func detail(e Event) json.RawMessage {
	if len(e.Detail) == 0 {
		return json.RawMessage("null")
	}
	return e.Detail
}

// Query says which entries to list. The zero value lists the newest.
type Query struct {
	Subject genesis.Name // of this asset alone
	Before  int64        // older than this entry; 0: from the newest on
	Limit   int          // 0: 100; at most 1000
}

// List returns entries, newest first.
func List(ctx context.Context, db *store.DB, q Query) ([]Event, error) {
	if q.Before <= 0 {
		q.Before = 1<<63 - 1
	}
	if q.Limit <= 0 {
		q.Limit = 100
	}
	rows, err := db.Read().QueryContext(ctx, `SELECT seq, at, actor, action, subject, version, detail, hash FROM journal
		WHERE seq < $1 AND ($2 = '' OR subject = $2) ORDER BY seq DESC LIMIT $3`, q.Before, string(q.Subject), min(q.Limit, 1000))
	if err != nil {
		return nil, store.Error("read journal", string(q.Subject), err)
	}
	defer rows.Close()
	var all []Event
	for rows.Next() {
		e, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, store.Error("read journal", string(q.Subject), rows.Err())
}

func scan(rows *sql.Rows, more ...any) (Event, error) {
	var e Event
	var at int64
	var detail string
	err := rows.Scan(append([]any{&e.Seq, &at, &e.Actor, &e.Action, &e.Subject, &e.Version, &detail, &e.Hash}, more...)...)
	e.Time = store.TimeAt(at)
	if detail != "" {
		e.Detail = json.RawMessage(detail)
	}
	return e, store.Error("read journal", "", err)
}

// Verify computes the chain anew and returns the number of entries. Errors:
// Internal, naming the first entry that does not fit; Unsupported, when a newer
// program wrote one.
func Verify(ctx context.Context, db *store.DB) (int64, error) {
	rows, err := db.Read().QueryContext(ctx, `SELECT seq, at, actor, action, subject, version, detail, hash, format
		FROM journal ORDER BY seq`)
	if err != nil {
		return 0, store.Error("verify journal", "", err)
	}
	defer rows.Close()
	var n int64
	var previous genesis.Digest
	for rows.Next() {
		var format int
		e, err := scan(rows, &format)
		if err != nil {
			return n, err
		}
		if err := fits(e, format, n, previous); err != nil {
			return n, err
		}
		n, previous = e.Seq, e.Hash
	}
	return n, store.Error("verify journal", "", rows.Err())
}

// fits says why e cannot follow entry n, whose hash is previous.
func fits(e Event, format int, n int64, previous genesis.Digest) error {
	bad := func(kind genesis.ErrorKind, seq int64, msg string) error {
		return &genesis.Error{Op: "verify journal", Kind: kind, Subject: fmt.Sprintf("entry %d", seq), Msg: msg,
			Hint: "compare it with a backup of the home: somebody or the disk changed the database"}
	}
	if e.Seq != n+1 {
		return bad(genesis.Internal, n+1, fmt.Sprintf("it is missing: entry %d is followed by %d", n, e.Seq))
	}
	if format != Format {
		return bad(genesis.Unsupported, e.Seq, fmt.Sprintf("it has format %d, and this program reads %d", format, Format))
	}
	if want, err := hash(e, format, previous); err != nil || want != e.Hash {
		return bad(genesis.Internal, e.Seq, "it, or the chain before it, was changed after it was written")
	}
	return nil
}

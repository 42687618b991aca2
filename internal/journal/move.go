package journal

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// link is an entry of the hash chain in SQL that the audit log has taken the
// place of.
type link struct {
	seq, format, at                         int64
	actor, action, subject, version, detail string
	hash                                    genesis.Digest
}

// moved is the detail of the entry that goes before those of the chain.
type moved struct {
	Entries int            `json:"entries"`
	Head    genesis.Digest `json:"head"`             // hash of the last
	Broken  string         `json:"broken,omitempty"` // the first that does not fit
}

// moveChain puts the entries of the chain into the outbox, with their times and
// after one that names the head of the chain, and empties it.
func moveChain(ctx context.Context, db *store.DB) error {
	return db.Tx(ctx, func(tx *sql.Tx) error {
		chain, err := readChain(ctx, tx)
		if err != nil || len(chain) == 0 {
			return err
		}
		m := moved{Entries: len(chain), Head: chain[len(chain)-1].hash, Broken: brokenLink(chain)}
		detail, err := json.Marshal(m)
		if err != nil {
			return err
		}
		first := Event{ID: "move-" + m.Head.Hex(), Act: "move-journal", Detail: detail}
		if err := Record(ctx, tx, first); err != nil {
			return err
		}
		for _, l := range chain {
			if err := Record(ctx, tx, l.event()); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM journal")
		return err
	})
}

func (l link) event() Event {
	e := Event{ID: "chain-" + l.hash.Hex(), Time: store.TimeAt(l.at), Actor: genesis.PersonID(l.actor), Act: l.action,
		Subject: l.subject, Version: genesis.Digest(l.version)}
	if json.Valid([]byte(l.detail)) {
		e.Detail = json.RawMessage(l.detail)
	}
	return e
}

func readChain(ctx context.Context, tx *sql.Tx) ([]link, error) {
	rows, err := tx.QueryContext(ctx, "SELECT seq, format, at, actor, action, subject, version, detail, hash FROM journal ORDER BY seq")
	if err != nil {
		return nil, store.Error("read journal", "", err)
	}
	defer rows.Close()
	var all []link
	for rows.Next() {
		var l link
		if err := rows.Scan(&l.seq, &l.format, &l.at, &l.actor, &l.action, &l.subject, &l.version, &l.detail, &l.hash); err != nil {
			return nil, store.Error("read journal", "", err)
		}
		all = append(all, l)
	}
	return all, store.Error("read journal", "", rows.Err())
}

// brokenLink says which entry of the chain is the first that does not fit.
func brokenLink(chain []link) string {
	previous := genesis.Digest("")
	for i, l := range chain {
		if hash, err := l.compute(previous); err != nil || hash != l.hash || l.seq != int64(i)+1 {
			return fmt.Sprintf("entry %d", i+1)
		}
		previous = l.hash
	}
	return ""
}

// compute returns the hash of an entry: the SHA-256 of its canonical JSON with
// the hash before it.
func (l link) compute(previous genesis.Digest) (genesis.Digest, error) {
	detail := json.RawMessage(l.detail)
	if l.detail == "" {
		detail = json.RawMessage("null")
	}
	text, err := genesis.CanonicalJSON(map[string]any{"format": l.format, "seq": l.seq, "time": formatTime(store.TimeAt(l.at).Truncate(time.Microsecond)),
		"actor": l.actor, "action": l.action, "subject": l.subject, "version": l.version, "detail": detail, "previous": previous})
	return genesis.DigestOf(text), err
}

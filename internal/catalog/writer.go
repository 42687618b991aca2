package catalog

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/catalog/find"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/store"
)

// writer changes the catalogue in one transaction.
type writer struct {
	ctx context.Context
	tx  *sql.Tx
	by  string
	now time.Time
}

func (w writer) exec(query string, args ...any) error {
	_, err := w.tx.ExecContext(w.ctx, query, args...)
	return err
}

// next returns the next free key of a table.
func (w writer) next(table, column string) (int64, error) {
	var n int64
	err := w.tx.QueryRowContext(w.ctx, "SELECT coalesce(max("+column+"), 0) + 1 FROM "+table).Scan(&n)
	return n, err
}

// put writes the row of a version, new or read in this transaction. It writes all
// that can change, so that its sum covers nothing that was not read or set here.
func (w writer) put(r *row) error {
	number := sql.NullInt64{Int64: int64(r.Number), Valid: r.Number != 0}
	return w.exec(`INSERT INTO versions (id, asset_id, digest, number, state, turn, title, created_at, created_by, row_count, byte_count, sum)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (id) DO UPDATE SET number = $4, state = $5, turn = $6, title = $7, created_at = $8, created_by = $9,
			row_count = $10, byte_count = $11, sum = $12`,
		r.id, r.asset, string(r.Digest), number, string(r.State), r.turn, r.title, store.Time(r.Created), r.Creator, r.Rows, r.Bytes, r.sum())
}

// show makes a version's title follow from its card, and notes that it is found
// otherwise.
func (w writer) show(r *row, card genesis.Card) error {
	if r.title != card.Title {
		r.title = card.Title
		if err := w.put(r); err != nil {
			return err
		}
	}
	return w.touch(*r)
}

// touch notes that what is found of a version may be another.
func (w writer) touch(r row) error {
	return Touch(w.ctx, w.tx, AtOnce, find.ID{Name: r.Name, Version: r.Digest})
}

// cardOf returns the card of a version, empty where it has none.
func cardOf(ctx context.Context, tx *sql.Tx, r row) (genesis.Card, error) {
	var card genesis.Card
	err := readRecord(ctx, tx, r.Version, genesis.RecordCard, &card)
	if errors.Is(err, &genesis.Error{Kind: genesis.NotFound}) {
		err = nil
	}
	return card, err
}

// journal records what was done to a version.
func (w writer) journal(r row, action string, detail any) error {
	text, err := json.Marshal(detail)
	if err != nil {
		return &genesis.Error{Op: "record event", Kind: genesis.Internal, Subject: string(r.Name), Err: err}
	}
	return journal.Record(w.ctx, w.tx, journal.Event{Time: w.now, Actor: genesis.PersonID(w.by), Act: action,
		Subject: string(r.Name), Version: r.Digest, Detail: text})
}

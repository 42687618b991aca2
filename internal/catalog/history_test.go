package catalog

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// PutRecord is PutRecordTx in a transaction of its own.
func (c *Catalog) PutRecord(ctx context.Context, v genesis.Version, kind genesis.RecordKind, value any, by string) error {
	return c.db.Tx(ctx, func(tx *sql.Tx) error { return c.PutRecordTx(ctx, tx, v, kind, value, by) })
}

// Edition is a record as it held for some time.
type Edition struct {
	Number     int64
	Body       json.RawMessage
	Created    time.Time
	By         string
	Superseded time.Time // zero: it holds
}

// History returns all records of that kind a version had, newest first. Errors:
// NotFound (no such version), Internal (one is damaged).
func (c *Catalog) History(ctx context.Context, v genesis.Version, kind genesis.RecordKind) ([]Edition, error) {
	of, err := findRow(ctx, c.db.Read(), v)
	if err != nil {
		return nil, err
	}
	rows, err := c.db.Read().QueryContext(ctx, "SELECT "+recordColumns+" FROM records WHERE version_id = $1 AND kind = $2 ORDER BY edition DESC", of.id, string(kind))
	if err != nil {
		return nil, store.Error("read record", v.Ref().String(), err)
	}
	defer rows.Close()
	var all []Edition
	for rows.Next() {
		r, damage, err := scanRecord(rows.Scan)
		if err != nil {
			return nil, store.Error("read record", v.Ref().String(), err)
		}
		if damage != "" {
			return nil, &genesis.Error{Op: "read record", Kind: genesis.Internal, Subject: v.Ref().String(), Msg: editionDamage(r, damage)}
		}
		e := Edition{Number: r.edition, Body: json.RawMessage(r.text), Created: store.TimeAt(r.created), By: r.by}
		if r.superseded != 0 {
			e.Superseded = store.TimeAt(r.superseded)
		}
		all = append(all, e)
	}
	return all, store.Error("read record", v.Ref().String(), rows.Err())
}

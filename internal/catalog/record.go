package catalog

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

// RecordFormat is the format number of the records this program writes.
const RecordFormat = 1

// body is a record as it is stored.
type body struct {
	text   []byte
	digest genesis.Digest
}

// encodeRecord uses plain rather than canonical JSON: records hold 64-bit seeds,
// which canonical JSON would turn into strings that do not read back.
func encodeRecord(name genesis.Name, kind genesis.RecordKind, value any) (body, error) {
	bad := func(msg string, err error) (body, error) {
		return body{}, &genesis.Error{Op: "write record", Kind: genesis.Invalid, Subject: string(name), Msg: msg, Err: err}
	}
	if !knownRecord(kind) {
		return bad(fmt.Sprintf("%q is not a kind of record", kind), nil)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return bad(fmt.Sprintf("its %s record cannot be written as JSON: %v", kind, err), err)
	}
	return body{text: text, digest: genesis.DigestOf(text)}, nil
}

func knownRecord(kind genesis.RecordKind) bool {
	switch kind {
	case genesis.RecordCard, genesis.RecordRecipe, genesis.RecordProfile, genesis.RecordReadiness, genesis.RecordSplits,
		genesis.RecordProvenance, genesis.RecordFindings, genesis.RecordLayout, genesis.RecordReport:
		return true
	}
	return false
}

// record makes b the record of its kind that holds. The one before it stays, and
// nothing changes when it says the same.
func (w writer) record(r row, kind genesis.RecordKind, b body) error {
	var edition int64
	var have genesis.Digest
	err := w.tx.QueryRowContext(w.ctx, `SELECT edition, digest FROM records
		WHERE version_id = $1 AND kind = $2 AND superseded_at IS NULL`, r.id, string(kind)).Scan(&edition, &have)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if have == b.digest {
		return nil
	}
	if err := w.exec(`UPDATE records SET superseded_at = $1 WHERE version_id = $2 AND kind = $3 AND superseded_at IS NULL`,
		store.Time(w.now), r.id, string(kind)); err != nil {
		return err
	}
	return w.exec(`INSERT INTO records (version_id, kind, edition, format, body, digest, created_at, created_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		r.id, string(kind), edition+1, RecordFormat, string(b.text), string(b.digest), store.Time(w.now), w.by)
}

// Record reads the record of that kind that holds into the value that into
// points to. Errors: NotFound (no such version or record), Internal (damaged),
// Unsupported (a newer format).
func (c *Catalog) Record(ctx context.Context, v genesis.Version, kind genesis.RecordKind, into any) error {
	return readRecord(ctx, c.db.Read(), v, kind, into)
}

func readRecord(ctx context.Context, q queryer, v genesis.Version, kind genesis.RecordKind, into any) error {
	fail := func(errKind genesis.ErrorKind, msg string, err error) error {
		return &genesis.Error{Op: "read record", Kind: errKind, Subject: v.Ref().String(), Msg: fmt.Sprintf("its %s record %s", kind, msg), Err: err}
	}
	r, err := find(ctx, q, v)
	if err != nil {
		return err
	}
	var format int
	var text string
	var digest genesis.Digest
	err = q.QueryRowContext(ctx, `SELECT format, body, digest FROM records
		WHERE version_id = $1 AND kind = $2 AND superseded_at IS NULL`, r.id, string(kind)).Scan(&format, &text, &digest)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fail(genesis.NotFound, "is not there", nil)
	case err != nil:
		return store.Error("read record", v.Ref().String(), err)
	case format > RecordFormat:
		return newer("read record", v, format, RecordFormat)
	case genesis.DigestOf([]byte(text)) != digest:
		return fail(genesis.Internal, "is damaged: it no longer matches its digest", nil)
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fail(genesis.Internal, "is not what it should be", err)
	}
	return nil
}

// PutRecord makes value the record of that kind that holds, and journals it.
// Errors: NotFound (no such version), Invalid.
func (c *Catalog) PutRecord(ctx context.Context, v genesis.Version, kind genesis.RecordKind, value any, by string) error {
	_, err := edit(ctx, c, v, kind, by, func(*sql.Tx) (any, error) { return value, nil })
	return err
}

// Edit changes the record of that kind: change gets what holds now, or the zero
// T when there is none, and what it leaves there becomes the record. Two edits
// at once follow each other, so that none is lost; change may be called more
// than once. Errors as [Catalog.PutRecord], and those of change as they are.
func Edit[T any](ctx context.Context, c *Catalog, v genesis.Version, kind genesis.RecordKind, by string, change func(*T) error) (T, error) {
	return edit(ctx, c, v, kind, by, func(tx *sql.Tx) (T, error) {
		var value T
		err := readRecord(ctx, tx, v, kind, &value)
		if err != nil && genesis.KindOf(err) != genesis.NotFound {
			return value, err
		}
		return value, change(&value)
	})
}

func edit[T any](ctx context.Context, c *Catalog, v genesis.Version, kind genesis.RecordKind, by string, value func(*sql.Tx) (T, error)) (T, error) {
	var result T
	err := c.db.Tx(ctx, func(tx *sql.Tx) error {
		w := writer{ctx: ctx, tx: tx, by: by, now: time.Now()}
		r, err := find(ctx, tx, v)
		if err != nil {
			return err
		}
		if result, err = value(tx); err != nil {
			return err
		}
		b, err := encodeRecord(v.Name, kind, result)
		if err != nil {
			return err
		}
		if err := w.record(r, kind, b); err != nil {
			return err
		}
		if err := w.journal(r, "record", map[string]any{"kind": kind, "digest": b.digest}); err != nil {
			return err
		}
		if kind != genesis.RecordCard {
			return nil
		}
		return c.refresh(w, r.asset)
	})
	return result, err
}

// Edition is a record as it held for some time.
type Edition struct {
	Number     int64
	Body       json.RawMessage
	Created    time.Time
	By         string
	Superseded time.Time // zero: it holds
}

// History returns all records of that kind a version had, newest first.
func (c *Catalog) History(ctx context.Context, v genesis.Version, kind genesis.RecordKind) ([]Edition, error) {
	r, err := find(ctx, c.db.Read(), v)
	if err != nil {
		return nil, err
	}
	rows, err := c.db.Read().QueryContext(ctx, `SELECT edition, body, created_at, created_by, coalesce(superseded_at, 0)
		FROM records WHERE version_id = $1 AND kind = $2 ORDER BY edition DESC`, r.id, string(kind))
	if err != nil {
		return nil, store.Error("read record", v.Ref().String(), err)
	}
	defer rows.Close()
	var all []Edition
	for rows.Next() {
		var e Edition
		var text string
		var created, superseded int64
		if err := rows.Scan(&e.Number, &text, &created, &e.By, &superseded); err != nil {
			return nil, store.Error("read record", v.Ref().String(), err)
		}
		e.Body, e.Created = json.RawMessage(text), store.TimeAt(created)
		if superseded != 0 {
			e.Superseded = store.TimeAt(superseded)
		}
		all = append(all, e)
	}
	return all, store.Error("read record", v.Ref().String(), rows.Err())
}

// Verify checks the manifest of a version and all its records against their
// digests and returns what is damaged.
func (c *Catalog) Verify(ctx context.Context, v genesis.Version) ([]genesis.Damage, error) {
	r, err := find(ctx, c.db.Read(), v)
	if err != nil {
		return nil, err
	}
	var damage []genesis.Damage
	if _, err := c.Manifest(ctx, v); genesis.KindOf(err) == genesis.Canceled {
		return nil, err
	} else if err != nil {
		damage = append(damage, genesis.Damage{Blob: v.Digest, Msg: "the content manifest is damaged or missing"})
	}
	rows, err := c.db.Read().QueryContext(ctx, "SELECT kind, edition, body, digest FROM records WHERE version_id = $1 ORDER BY kind, edition", r.id)
	if err != nil {
		return nil, store.Error("verify records", v.Ref().String(), err)
	}
	defer rows.Close()
	for rows.Next() {
		var kind, text string
		var edition int64
		var digest genesis.Digest
		if err := rows.Scan(&kind, &edition, &text, &digest); err != nil {
			return nil, store.Error("verify records", v.Ref().String(), err)
		}
		if genesis.DigestOf([]byte(text)) != digest {
			damage = append(damage, genesis.Damage{Blob: digest, Msg: fmt.Sprintf("edition %d of the %s record no longer matches its digest", edition, kind)})
		}
	}
	return damage, store.Error("verify records", v.Ref().String(), rows.Err())
}

package catalog

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob/layout"
	"github.com/opengenesis/genesis/internal/store"
)

// RecordFormat is the format number of the records this program writes; of layouts
// it is [genesis.LayoutFormat].
const RecordFormat = 1

// formatOf returns the newest format of a kind of record that this program reads.
func formatOf(kind genesis.RecordKind) int {
	if kind == genesis.RecordLayout {
		return genesis.LayoutFormat
	}
	return RecordFormat
}

// body is a record as it is stored.
type body struct {
	format int
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
	b := body{format: RecordFormat, text: text, digest: genesis.DigestOf(text)}
	if l, ok := value.(genesis.Layout); ok && layout.Long(l) {
		return bad("its layout lists more files than a record may: they stand in pages, as a commit puts them", nil)
	} else if ok && len(l.Pages) > 0 { // programs that know of none must not take it for all there is
		b.format = genesis.LayoutFormat
	}
	return b, nil
}

func knownRecord(kind genesis.RecordKind) bool {
	switch kind {
	case genesis.RecordCard, genesis.RecordRecipe, genesis.RecordProfile, genesis.RecordReadiness, genesis.RecordSplits,
		genesis.RecordProvenance, genesis.RecordFindings, genesis.RecordLayout, genesis.RecordReport, genesis.RecordEnd:
		return true
	}
	return false
}

// recordRow is a record as the database keeps it.
type recordRow struct {
	version             int64
	kind                genesis.RecordKind
	edition             int64
	format              int
	text                string
	digest              genesis.Digest
	created, superseded int64 // superseded is 0 while the record holds
	by                  string
}

// sum covers the row but for its text, which has a digest.
func (r *recordRow) sum() string {
	return store.RowSum("record", r.version, string(r.kind), r.edition, r.format, string(r.digest), r.created, r.by, r.superseded)
}

// damage says what is wrong with the row, "" if nothing is.
func (r *recordRow) damage(sum string) string {
	switch {
	case r.sum() != sum:
		return "it no longer matches its sum"
	case genesis.DigestOf([]byte(r.text)) != r.digest:
		return "it no longer matches its digest"
	}
	return ""
}

const recordColumns = "version_id, kind, edition, format, body, digest, created_at, created_by, coalesce(superseded_at, 0), sum"

// scanRecord reads a row of recordColumns, and says what is wrong with it.
func scanRecord(scan func(...any) error) (r recordRow, damage string, err error) {
	var sum string
	err = scan(&r.version, &r.kind, &r.edition, &r.format, &r.text, &r.digest, &r.created, &r.by, &r.superseded, &sum)
	if err != nil {
		return r, "", err
	}
	return r, r.damage(sum), nil
}

// holding returns the record of that kind that holds. Errors: sql.ErrNoRows,
// Internal (damaged).
func holding(ctx context.Context, q queryer, of row, kind genesis.RecordKind) (recordRow, error) {
	r, damage, err := scanRecord(q.QueryRowContext(ctx, "SELECT "+recordColumns+` FROM records
		WHERE version_id = $1 AND kind = $2 AND superseded_at IS NULL`, of.id, string(kind)).Scan)
	if err == nil && damage != "" {
		err = &genesis.Error{Op: "read record", Kind: genesis.Internal, Subject: of.Ref().String(),
			Msg: fmt.Sprintf("its %s record is damaged: %s", kind, damage), Hint: "restore the catalogue from a backup"}
	}
	return r, err
}

// record makes b the record of its kind that holds. The one before it stays, and
// nothing changes when it says the same.
func (w writer) record(of row, kind genesis.RecordKind, b body) error {
	old, err := holding(w.ctx, w.tx, of, kind)
	if err == nil && old.digest == b.digest {
		return nil
	}
	if err == nil {
		old.superseded = store.Time(w.now)
		err = w.exec(`UPDATE records SET superseded_at = $1, sum = $2 WHERE version_id = $3 AND kind = $4 AND edition = $5`,
			old.superseded, old.sum(), of.id, string(kind), old.edition)
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	r := recordRow{version: of.id, kind: kind, edition: old.edition + 1, format: b.format, digest: b.digest, created: store.Time(w.now), by: w.by}
	return w.exec(`INSERT INTO records (version_id, kind, edition, format, body, digest, created_at, created_by, sum)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		of.id, string(kind), r.edition, r.format, string(b.text), string(r.digest), r.created, r.by, r.sum())
}

// Record reads the record of that kind that holds into the value that into
// points to. Errors: NotFound (no such version or record), Internal (damaged),
// Unsupported (a newer format).
func (c *Catalog) Record(ctx context.Context, v genesis.Version, kind genesis.RecordKind, into any) error {
	return readRecord(ctx, c.db.Read(), v, kind, into)
}

// RecordTx is Record in the caller's transaction.
func (c *Catalog) RecordTx(ctx context.Context, tx *sql.Tx, v genesis.Version, kind genesis.RecordKind, into any) error {
	return readRecord(ctx, tx, v, kind, into)
}

func readRecord(ctx context.Context, q queryer, v genesis.Version, kind genesis.RecordKind, into any) error {
	fail := func(errKind genesis.ErrorKind, msg string, err error) error {
		return &genesis.Error{Op: "read record", Kind: errKind, Subject: v.Ref().String(), Msg: fmt.Sprintf("its %s record %s", kind, msg), Err: err}
	}
	of, err := findRow(ctx, q, v)
	if err != nil {
		return err
	}
	r, err := holding(ctx, q, of, kind)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fail(genesis.NotFound, "is not there", nil)
	case err != nil:
		return store.Error("read record", v.Ref().String(), err)
	case r.format > formatOf(kind):
		return newer("read record", v, r.format, formatOf(kind))
	}
	if err := json.Unmarshal([]byte(r.text), into); err != nil {
		return fail(genesis.Internal, "is not what it should be", err)
	}
	return nil
}

// PutRecordTx makes value the record of that kind that holds, and journals it, in the
// caller's transaction. Errors: NotFound (no such version), Invalid, Conflict (the version
// was erased).
func (c *Catalog) PutRecordTx(ctx context.Context, tx *sql.Tx, v genesis.Version, kind genesis.RecordKind, value any, by string) error {
	b, err := encodeRecord(v.Name, kind, value)
	if err != nil {
		return err
	}
	w := writer{ctx: ctx, tx: tx, by: by, now: c.clock()}
	r, err := findRow(ctx, tx, v)
	if err != nil {
		return err
	}
	if r.State == genesis.Erased {
		return wrongState("write record", r, "")
	}
	if err := w.record(r, kind, b); err != nil {
		return err
	}
	if err := w.journal(r, "record", map[string]any{"kind": kind, "digest": b.digest}); err != nil {
		return err
	}
	switch kind {
	case genesis.RecordCard:
		card, err := cardOf(ctx, tx, r)
		if err != nil {
			return err
		}
		return w.show(&r, card)
	case genesis.RecordReadiness, genesis.RecordProvenance, genesis.RecordReport: // listings tell of these
		return w.touch(r)
	}
	return nil
}

// Edit changes the record of that kind: change gets what holds now, or the zero
// T when there is none, and what it leaves there becomes the record. Two edits
// at once follow each other, so that none is lost; change may be called more
// than once. Errors as [Catalog.PutRecordTx], and those of change as they are.
func Edit[T any](ctx context.Context, c *Catalog, v genesis.Version, kind genesis.RecordKind, by string, change func(*T) error) (T, error) {
	var value T
	err := c.db.Tx(ctx, func(tx *sql.Tx) (err error) {
		value, err = EditTx(ctx, tx, c, v, kind, by, change)
		return err
	})
	return value, err
}

// EditTx is Edit in the caller's transaction.
func EditTx[T any](ctx context.Context, tx *sql.Tx, c *Catalog, v genesis.Version, kind genesis.RecordKind, by string, change func(*T) error) (T, error) {
	var value T
	err := readRecord(ctx, tx, v, kind, &value)
	if err != nil && genesis.KindOf(err) != genesis.NotFound {
		return value, err
	}
	if err := change(&value); err != nil {
		return value, err
	}
	return value, c.PutRecordTx(ctx, tx, v, kind, value, by)
}

func editionDamage(r recordRow, damage string) string {
	return fmt.Sprintf("edition %d of the %s record is damaged: %s", r.edition, r.kind, damage)
}

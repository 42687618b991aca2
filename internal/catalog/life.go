package catalog

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// PublishOptions say how to publish.
type PublishOptions struct {
	By    string
	Force bool // although findings wait for an answer
}

// Publish is PublishTx in a transaction of its own.
func (c *Catalog) Publish(ctx context.Context, v genesis.Version, by string) (genesis.Version, error) {
	return c.inTx(ctx, func(tx *sql.Tx) (genesis.Version, error) {
		return c.PublishTx(ctx, tx, v, PublishOptions{By: by})
	})
}

// PublishTx gives a draft the asset's next number, in the caller's transaction; a
// version that is published stays as it is. Errors: NotFound; Conflict (withdrawn
// or erased; findings that ask wait for an answer, and it is not forced).
func (c *Catalog) PublishTx(ctx context.Context, tx *sql.Tx, v genesis.Version, o PublishOptions) (genesis.Version, error) {
	w := writer{ctx: ctx, tx: tx, by: o.By, now: c.clock()}
	r, err := findRow(ctx, tx, v)
	switch {
	case err != nil:
		return genesis.Version{}, err
	case r.State == genesis.Published:
		return r.Version, nil
	case r.State != genesis.Draft:
		return genesis.Version{}, wrongState("publish", r, "")
	}
	forced, err := w.questions(r, o.Force)
	if err != nil {
		return genesis.Version{}, err
	}
	err = tx.QueryRowContext(ctx, "SELECT coalesce(max(number), 0) + 1 FROM versions WHERE asset_id = $1", r.asset).Scan(&r.Number)
	if err != nil {
		return genesis.Version{}, store.Error("publish", v.Ref().String(), err)
	}
	r.State = genesis.Published
	if err := w.put(&r); err != nil {
		return genesis.Version{}, store.Error("publish", v.Ref().String(), err)
	}
	if err := w.touch(r); err != nil {
		return genesis.Version{}, err
	}
	detail, err := w.stated(r)
	if err != nil {
		return genesis.Version{}, err
	}
	if len(forced) > 0 {
		detail["unanswered"] = forced
	}
	return r.Version, w.journal(r, "publish", detail)
}

// stated is what is said of a version when it is published: the figures of the node's
// report are made from these entries alone.
func (w writer) stated(r row) (map[string]any, error) {
	card, err := cardOf(w.ctx, w.tx, r)
	if err != nil {
		return nil, err
	}
	detail := map[string]any{"number": r.Number, "kind": r.Kind, "rows": r.Rows, "bytes": r.Bytes}
	for name, text := range map[string]string{"field": card.Field, "challenge": card.Challenge, "institution": card.Institution} {
		if text = cut(text, maxStated); text != "" {
			detail[name] = text
		}
	}
	var ready genesis.Readiness
	err = readRecord(w.ctx, w.tx, r.Version, genesis.RecordReadiness, &ready)
	switch {
	case genesis.KindOf(err) == genesis.NotFound:
		return detail, nil
	case err != nil:
		return nil, err
	}
	detail["readiness"] = genesis.Ready{Passed: ready.Passed, Failed: ready.Failed}
	return detail, nil
}

// maxStated bounds the texts of a card in an entry of the journal, in bytes.
const maxStated = 200

// questions returns the ids of the findings that ask and wait for an answer, at
// most 100. Unless force is set, they are an error that says how to answer.
func (w writer) questions(r row, force bool) (ids []string, err error) {
	var findings []genesis.Finding
	err = readRecord(w.ctx, w.tx, r.Version, genesis.RecordFindings, &findings)
	if err != nil && genesis.KindOf(err) != genesis.NotFound {
		return nil, err
	}
	for _, f := range findings {
		if f.Severity == genesis.Ask && f.Answer == "" && len(ids) < 100 {
			ids = append(ids, f.ID)
		}
	}
	if len(ids) == 0 || force {
		return ids, nil
	}
	waiting := strings.Join(ids[:min(len(ids), 5)], ", ")
	if len(ids) > 5 {
		waiting += ", …"
	}
	return nil, &genesis.Error{Op: "publish", Kind: genesis.Conflict, Subject: r.Ref().String(),
		Msg:  fmt.Sprintf("%d of its findings wait for an answer: %s", len(ids), waiting),
		Hint: fmt.Sprintf("`genesis answer %s %s \"…\"` answers one", r.Name.Arg(), ids[0])}
}

// Withdraw is WithdrawTx in a transaction of its own.
func (c *Catalog) Withdraw(ctx context.Context, v genesis.Version, by, reason string) (genesis.Version, error) {
	return c.inTx(ctx, func(tx *sql.Tx) (genesis.Version, error) { return c.WithdrawTx(ctx, tx, v, by, reason) })
}

// WithdrawTx takes a published version back, in the caller's transaction: it keeps
// its number and all that is known of it, but a bare name no longer means it, and
// neither lists nor searches show it. A version that was withdrawn stays as it is.
// Errors: NotFound, Conflict (a draft; erased).
func (c *Catalog) WithdrawTx(ctx context.Context, tx *sql.Tx, v genesis.Version, by, reason string) (genesis.Version, error) {
	w := writer{ctx: ctx, tx: tx, by: by, now: c.clock()}
	r, err := findRow(ctx, tx, v)
	switch {
	case err != nil:
		return genesis.Version{}, err
	case r.State == genesis.Withdrawn:
		return r.Version, nil
	case r.State != genesis.Published:
		return genesis.Version{}, wrongState("withdraw", r, "only what is published can be withdrawn")
	}
	r.State = genesis.Withdrawn
	if err := w.put(&r); err != nil {
		return genesis.Version{}, store.Error("withdraw", v.Ref().String(), err)
	}
	if err := w.touch(r); err != nil {
		return genesis.Version{}, err
	}
	if err := w.end(r, reason); err != nil {
		return genesis.Version{}, err
	}
	return r.Version, w.journal(r, "withdraw", map[string]any{"number": r.Number, "reason": reason})
}

// EraseOptions say how to erase.
type EraseOptions struct {
	By     string
	Reason string
	// Purge asks that the bytes which this version alone needs be destroyed, too, by
	// [Catalog.Purge] after the transaction.
	Purge bool
}

// Erase is EraseTx in a transaction of its own.
func (c *Catalog) Erase(ctx context.Context, v genesis.Version, o EraseOptions) (genesis.Version, error) {
	return c.inTx(ctx, func(tx *sql.Tx) (genesis.Version, error) { return c.EraseTx(ctx, tx, v, o) })
}

// EraseTx makes a tombstone of a version, in the caller's transaction: name, digest,
// number, who made it and when stay, and what was made from what. Its records of
// all times and its title are gone; the bytes are
// collected when nothing refers to them. Of a version that was erased before, Purge
// alone has an effect. Errors: NotFound, Internal (a record that says which bytes to
// purge, or a page of it, is damaged; without Purge that is no obstacle).
func (c *Catalog) EraseTx(ctx context.Context, tx *sql.Tx, v genesis.Version, o EraseOptions) (genesis.Version, error) {
	w := writer{ctx: ctx, tx: tx, by: o.By, now: c.clock()}
	r, err := findRow(ctx, tx, v)
	if err != nil {
		return genesis.Version{}, err
	}
	if o.Purge {
		if err := c.condemn(w, r); err != nil {
			return genesis.Version{}, store.Error("erase", v.Ref().String(), err)
		}
	}
	if r.State != genesis.Erased {
		if err := w.erase(&r); err != nil {
			return genesis.Version{}, store.Error("erase", v.Ref().String(), err)
		}
		if o.Purge {
			o.Reason = "" // what an officer says of a spill is for the log
		}
		if err := w.end(r, o.Reason); err != nil {
			return genesis.Version{}, err
		}
	}
	return r.Version, w.journal(r, "erase", map[string]any{"number": r.Number, "reason": o.Reason, "purge": o.Purge})
}

func (w writer) erase(r *row) error {
	if err := w.touch(*r); err != nil {
		return err
	}
	if err := w.exec("DELETE FROM records WHERE version_id = $1", r.id); err != nil {
		return err
	}
	r.State, r.title, r.Rows, r.Bytes = genesis.Erased, "", 0, 0
	return w.put(r)
}

// maxReason is how long the reason of an end may be, in bytes.
const maxReason = 4000

// end keeps why a version is no longer there, for those who may know that it was.
func (w writer) end(r row, reason string) error {
	if reason == "" {
		return nil
	}
	if len(reason) > maxReason {
		return &genesis.Error{Op: "end version", Kind: genesis.Invalid, Subject: r.Ref().String(), Msg: fmt.Sprintf("the reason is longer than %d bytes", maxReason)}
	}
	b, err := encodeRecord(r.Name, genesis.RecordEnd, genesis.End{State: r.State, Reason: reason, At: w.now})
	if err == nil {
		err = w.record(r, genesis.RecordEnd, b)
	}
	return store.Error("end version", r.Ref().String(), err)
}

func wrongState(op string, r row, hint string) error {
	return &genesis.Error{Op: op, Kind: genesis.Conflict, Subject: r.Ref().String(), Msg: "it is " + string(r.State), Hint: hint}
}

// inTx runs one change of a version in a transaction.
func (c *Catalog) inTx(ctx context.Context, change func(*sql.Tx) (genesis.Version, error)) (v genesis.Version, err error) {
	err = c.db.Tx(ctx, func(tx *sql.Tx) error {
		v, err = change(tx)
		return err
	})
	if err != nil {
		return genesis.Version{}, err
	}
	return v, nil
}

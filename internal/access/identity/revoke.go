package identity

import (
	"context"
	"database/sql"
	"slices"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// overseer reports whether by takes away the credentials of others: operators
// and officers do.
func (i *Identity) overseer(by genesis.Principal) bool {
	return i.home(by) && by.Scopes == nil && (by.Has(genesis.DutyOperator) || by.Has(genesis.DutyOfficer))
}

// RevokeToken takes a session or a token back, with those that it made. When it
// returns, this process accepts them no more. People revoke their own, operators
// and officers anybody's; a narrowed token only itself. Errors: NotFound, Private
// (not one's own).
func (i *Identity) RevokeToken(ctx context.Context, by genesis.Principal, id string) error {
	const op = "revoke token"
	t, subject, err := tokenBy(ctx, i.db.Read(), op, id)
	if err != nil {
		return err
	}
	missing := &genesis.Error{Op: op, Kind: genesis.NotFound, Subject: id, Msg: "there is no such token"}
	if t == nil {
		return missing
	}
	own := i.home(by) && by.Subject == subject && (by.Scopes == nil || by.Credential == id)
	if !own && !i.overseer(by) {
		missing.Kind = genesis.Private
		return missing
	}
	return i.revoke(ctx, op, by, subject, "token", "WHERE id = $2", id)
}

// SignOut ends the session by which somebody came. Errors: Permission (not a
// session, or none any more).
func (i *Identity) SignOut(ctx context.Context, who genesis.Principal) error {
	const op = "sign out"
	if !i.home(who) {
		return i.signOutGuest(ctx, op, who)
	}
	t, err := i.valid(ctx, i.db.Read(), op, who)
	if err != nil {
		return err
	}
	if t.kind != string(genesis.SessionToken) {
		return refuse(op, who.Subject, "this is a token, not a session; it can be revoked")
	}
	return i.revoke(ctx, op, who, who.Subject, "sign-out", "WHERE id = $2", t.id)
}

// revoke takes tokens back that match, and all that they made, and records it.
func (i *Identity) revoke(ctx context.Context, op string, by genesis.Principal, subject, act, where string, arg any) error {
	var gone []string
	defer i.changed()
	defer func() { // also after an error: it may have come after the commit
		i.cache.drop(func(c *credential) bool { return c.account.Subject == subject || slices.Contains(gone, c.token.id) })
	}()
	return i.db.Tx(ctx, func(tx *sql.Tx) (err error) {
		gone, err = revokeRows(ctx, tx, store.Time(i.now()), where, arg)
		if err != nil {
			return store.Error(op, subject, err)
		}
		if len(gone) == 0 {
			return nil // were revoked before
		}
		return i.event(ctx, tx, i.actor(by), act, genesis.Done, subject, map[string]any{"change": "revoked", "tokens": gone})
	})
}

// revokeRows marks tokens and what they made as revoked, and returns their ids.
func revokeRows(ctx context.Context, tx *sql.Tx, at int64, where string, arg any) ([]string, error) {
	gone, err := store.Column[string](ctx, tx, `WITH RECURSIVE made (id) AS (
			SELECT id FROM tokens `+where+`
			UNION SELECT t.id FROM tokens t JOIN made m ON t.maker = m.id)
		UPDATE tokens SET revoked_at = $1 WHERE revoked_at IS NULL AND id IN (SELECT id FROM made) RETURNING id`, at, arg)
	return append([]string{}, gone...), err // a list, also where none was
}

// endSessions revokes the sessions of an account, but not the one that asks.
func (i *Identity) endSessions(ctx context.Context, tx *sql.Tx, account int64, but string) error {
	_, err := tx.ExecContext(ctx, "UPDATE tokens SET revoked_at = $1 WHERE account_id = $2 AND kind = 'session' AND revoked_at IS NULL AND id <> $3",
		store.Time(i.now()), account, but)
	return err
}

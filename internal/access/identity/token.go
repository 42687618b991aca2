package identity

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

const (
	usualDays  = 30
	mostDays   = 366
	mostScopes = 64
	// recently is how long ago somebody signed in who changes what they sign in
	// with.
	recently = 15 * time.Minute
	anytime  = time.Duration(0)
)

// CreateToken makes a token: a person's own, or, by an operator, one of a service
// account. It is never wider than the credential that by came with: its scopes,
// duties and assurance are within those of by now; one that a token makes ends
// no later than that token, and is revoked with it. Errors: Permission, Invalid,
// NotFound (the account), Conflict (the account has as many tokens as it may).
func (i *Identity) CreateToken(ctx context.Context, by genesis.Principal, r genesis.TokenRequest) (genesis.NewToken, error) {
	const op = "create token"
	r.Subject = cmp.Or(r.Subject, by.Subject)
	if !i.home(by) || !by.SignedIn() {
		return genesis.NewToken{}, refuse(op, r.Subject, "people make tokens at their own node")
	}
	if err := checkToken(op, r); err != nil {
		return genesis.NewToken{}, err
	}
	scopes, err := narrow(op, by.Scopes, r.Scopes)
	if err != nil {
		return genesis.NewToken{}, err
	}
	now := i.now()
	t := tokenRow{id: newID(), name: r.Name, scopes: scopes, assurance: string(by.Assurance), duties: ceiling[genesis.Duty]{true, by.Duties},
		signedIn: store.Time(now), created: store.Time(now), used: store.Time(now),
		expires: store.Time(now.Add(time.Duration(cmp.Or(r.Days, usualDays)) * 24 * time.Hour))}
	var out genesis.NewToken
	err = i.db.Tx(ctx, func(tx *sql.Tx) error {
		t := t
		a, err := find(ctx, tx, op, r.Subject)
		if err != nil {
			return err
		}
		if err := i.mayMake(op, by, a, &t); err != nil {
			return err
		}
		if err := i.heed(ctx, tx, op, by, r, &t); err != nil {
			return err
		}
		if err := i.hasRoom(ctx, tx, op, a); err != nil {
			return err
		}
		secret, hash := newSecret(genesis.TokenKind(t.kind))
		if err := insertToken(ctx, tx, &t, hash); err != nil {
			return store.Error(op, r.Subject, err)
		}
		out = genesis.NewToken{Token: t.view(a.Subject), Secret: secret}
		return i.event(ctx, tx, i.actor(by), "token", genesis.Done, a.Subject, map[string]any{"change": "created", "token": t.id, "kind": t.kind,
			"scopes": t.scopes.list, "expires": out.Token.Expires, "credential": by.Credential})
	})
	if err != nil {
		return genesis.NewToken{}, err
	}
	return out, nil
}

func checkToken(op string, r genesis.TokenRequest) error {
	switch {
	case strings.TrimSpace(r.Name) == "":
		return &genesis.Error{Op: op, Kind: genesis.Invalid, Subject: r.Subject, Msg: "the token has no name", Hint: "say what it is for, so that you know it in the list"}
	case len(r.Name) > 100 || !utf8.ValidString(r.Name) || strings.ContainsFunc(r.Name, unicode.IsControl):
		return invalid(op, r.Subject, "the name is longer than 100 bytes, or is not plain text")
	case r.Days < 0 || r.Days > mostDays:
		return invalid(op, r.Subject, fmt.Sprintf("a token is good for 1 to %d days", mostDays))
	case len(r.Scopes) > mostScopes:
		return invalid(op, r.Subject, fmt.Sprintf("a token has at most %d scopes", mostScopes))
	}
	for _, s := range r.Scopes {
		if err := genesis.CheckScope(s); err != nil {
			return err
		}
	}
	return nil
}

// narrow returns the scopes of a token that is asked for by a credential with
// scopes of its own (nil: none). Errors: Permission (one would be wider).
func narrow(op string, own, asked []genesis.Scope) (ceiling[genesis.Scope], error) {
	if own == nil {
		return ceiling[genesis.Scope]{len(asked) > 0, slices.Clone(asked)}, nil
	}
	if len(asked) == 0 {
		return ceiling[genesis.Scope]{true, slices.Clone(own)}, nil
	}
	for _, s := range asked {
		if !slices.ContainsFunc(own, func(o genesis.Scope) bool { return covers(o, s) }) {
			return ceiling[genesis.Scope]{}, refuse(op, string(s), "your own token does not have this scope, and cannot give it on")
		}
	}
	return ceiling[genesis.Scope]{true, slices.Clone(asked)}, nil
}

// covers reports whether whatever s allows, o allows, too.
func covers(o, s genesis.Scope) bool {
	action, _, narrowed := strings.Cut(string(s), ":")
	return o == s || narrowed && string(o) == action
}

// mayMake decides whose tokens by makes, and sets the kind.
func (i *Identity) mayMake(op string, by genesis.Principal, a *account, t *tokenRow) error {
	switch {
	case a.Disabled:
		return refused(Disabled, a.Subject)
	case a.Subject != by.Subject && !i.operator(by):
		return refuse(op, a.Subject, "only operators make tokens of services, and nobody makes those of other people")
	case a.Subject != by.Subject && !a.Service:
		return refuse(op, a.Subject, "nobody makes the tokens of other people")
	}
	t.account, t.kind = a.id, string(genesis.PersonalToken)
	if a.Service {
		t.kind = string(genesis.ServiceToken)
	}
	return nil
}

// heed holds a new token to the credential that makes it: that is valid, and what
// a token makes ends with it. Somebody on the home's socket has no credential.
func (i *Identity) heed(ctx context.Context, tx *sql.Tx, op string, by genesis.Principal, r genesis.TokenRequest, t *tokenRow) error {
	if by.Credential == "" && by.Subject == localSubject {
		return nil
	}
	maker, err := i.valid(ctx, tx, op, by)
	if err != nil {
		return err
	}
	t.signedIn, t.via = maker.signedIn, maker.via
	if maker.kind == string(genesis.SessionToken) {
		return nil
	}
	t.maker = sql.NullString{String: maker.id, Valid: true}
	if t.expires > maker.expires {
		if r.Days != 0 {
			return refuse(op, t.name, "your own token ends on "+store.TimeAt(maker.expires).Format(time.DateOnly)+", and cannot make one that lasts longer")
		}
		t.expires = maker.expires
	}
	return nil
}

func (i *Identity) hasRoom(ctx context.Context, tx *sql.Tx, op string, a *account) error {
	var n int
	err := tx.QueryRowContext(ctx, "SELECT count(*) FROM tokens WHERE account_id = $1 AND kind <> 'session' AND revoked_at IS NULL AND expires_at > $2",
		a.id, store.Time(i.now())).Scan(&n)
	if err != nil {
		return store.Error(op, a.Subject, err)
	}
	if n >= i.limits.Tokens {
		return &genesis.Error{Op: op, Kind: genesis.Conflict, Subject: a.Subject, Msg: fmt.Sprintf("there are %d tokens, and that is the most", n), Hint: "revoke those that are not used"}
	}
	return nil
}

// tokenBy returns the token of an id with the subject of its account, or nil.
func tokenBy(ctx context.Context, q queryer, op, id string) (*tokenRow, string, error) {
	var t tokenRow
	var subject string
	err := q.QueryRowContext(ctx, "SELECT "+tokenColumns+", a.subject FROM tokens t JOIN accounts a ON a.id = t.account_id WHERE t.id = $1", id).
		Scan(append(t.fields(), &subject)...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", store.Error(op, "", err)
	}
	return &t, subject, nil
}

// valid returns the token by which somebody came, when it is still good. Errors:
// Permission (with a [Refusal] as its cause).
func (i *Identity) valid(ctx context.Context, q queryer, op string, who genesis.Principal) (*tokenRow, error) {
	return i.validAt(ctx, q, op, who, i.now())
}

// validAt is valid at a time.
func (i *Identity) validAt(ctx context.Context, q queryer, op string, who genesis.Principal, at time.Time) (*tokenRow, error) {
	t, subject, err := tokenBy(ctx, q, op, who.Credential)
	switch {
	case err != nil:
		return nil, err
	case t == nil || subject != who.Subject || !i.home(who):
		return nil, refused(Unknown, who.Subject)
	case t.revoked.Valid:
		return nil, refused(Revoked, who.Subject)
	case store.Time(at) >= t.expires:
		return nil, refused(Expired, who.Subject)
	}
	return t, nil
}

// session returns the session by which somebody came, which is not narrowed, and
// in which they proved who they are within a time. Errors: Permission.
func (i *Identity) session(ctx context.Context, op string, who genesis.Principal, within time.Duration) (*tokenRow, error) {
	if who.Credential == "" || who.Scopes != nil {
		return nil, refuse(op, who.Subject, "that takes a session, which begins by signing in")
	}
	t, err := i.valid(ctx, i.db.Read(), op, who)
	if err != nil {
		return nil, err
	}
	if t.kind != string(genesis.SessionToken) {
		return nil, refuse(op, who.Subject, "that takes a session, which begins by signing in; a token does not do")
	}
	if within != anytime && i.now().Sub(store.TimeAt(t.signedIn)) > within {
		return nil, &genesis.Error{Op: op, Kind: genesis.Permission, Subject: who.Subject, Msg: "you signed in too long ago for that", Hint: "sign in again, then repeat it within a quarter of an hour"}
	}
	return t, nil
}

// Current returns somebody as they are now, by the credential with which they
// came: for work that goes on after the request that began it. Errors: Permission
// (with a [Refusal] as its cause: tell Expired from Revoked and Disabled).
func (i *Identity) Current(ctx context.Context, who genesis.Principal) (genesis.Principal, error) {
	if !i.home(who) {
		return i.currentGuest(ctx, who)
	}
	return i.current(ctx, who, i.now())
}

// outlives is for how long what was begun with a credential goes on after it ran out.
const outlives = 24 * time.Hour

// Lasting is Current for what outlives the credential that it was begun with, such as a
// stream: one that ran out by itself within a day does, one that was revoked does not. A
// guest's does where a later session of theirs goes on.
func (i *Identity) Lasting(ctx context.Context, who genesis.Principal) (genesis.Principal, error) {
	if !i.home(who) {
		return i.currentGuest(ctx, who)
	}
	return i.current(ctx, who, i.now().Add(-outlives))
}

// current is Current with a credential that was good at a time.
func (i *Identity) current(ctx context.Context, who genesis.Principal, at time.Time) (genesis.Principal, error) {
	const op = "sign in"
	if who.Credential == "" && who.Subject == localSubject && i.home(who) {
		return i.ofNode(ctx, who, i.now())
	}
	var now genesis.Principal
	err := i.db.Snapshot(ctx, func(tx *sql.Tx) error {
		a, err := find(ctx, tx, op, who.Subject)
		if genesis.KindOf(err) == genesis.NotFound {
			return refused(Unknown, who.Subject)
		} else if err != nil {
			return err
		}
		t, err := i.validAt(ctx, tx, op, who, at)
		if err != nil {
			return err
		}
		if a.Disabled {
			return refused(Disabled, who.Subject)
		}
		now = i.principal(t, a, i.now())
		return nil
	})
	if err != nil {
		return now, err
	}
	now.Projects, now.Purpose = who.Projects, who.Purpose
	return i.ofNode(ctx, now, i.now())
}

// Tokens returns a page of an account's sessions and tokens, newest first, and
// the cursor of the next page, "" after the last. Errors: Invalid (cursor),
// NotFound.
func (i *Identity) Tokens(ctx context.Context, subject, cursor string) ([]genesis.Token, string, error) {
	const op = "list tokens"
	created, id, err := tokenCursor(op, cursor)
	if err != nil {
		return nil, "", err
	}
	a, err := find(ctx, i.db.Read(), op, subject)
	if err != nil {
		return nil, "", err
	}
	rows, err := i.db.Read().QueryContext(ctx, "SELECT "+tokenColumns+` FROM tokens t WHERE t.account_id = $1
		AND (t.created_at < $2 OR t.created_at = $2 AND t.id > $3) ORDER BY t.created_at DESC, t.id LIMIT $4`, a.id, created, id, pageSize+1)
	if err != nil {
		return nil, "", store.Error(op, subject, err)
	}
	defer rows.Close()
	out := []genesis.Token{}
	for rows.Next() {
		var t tokenRow
		if err := rows.Scan(t.fields()...); err != nil {
			return nil, "", store.Error(op, subject, err)
		}
		out = append(out, t.view(subject))
	}
	next := ""
	if len(out) > pageSize {
		out = out[:pageSize]
		last := out[pageSize-1]
		next = writeCursor(strconv.FormatInt(store.Time(last.Created), 10) + ":" + last.ID)
	}
	return out, next, store.Error(op, subject, rows.Err())
}

func tokenCursor(op, cursor string) (int64, string, error) {
	if cursor == "" {
		return 1<<63 - 1, "", nil
	}
	text, err := readCursor(op, cursor)
	if err != nil {
		return 0, "", err
	}
	at, id, _ := strings.Cut(text, ":")
	created, err := strconv.ParseInt(at, 10, 64)
	if err != nil {
		return 0, "", invalid(op, "", "the cursor is not one that was given out")
	}
	return created, id, nil
}

package identity

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// Refusal is why somebody is not recognised. It is the cause of the
// [genesis.Error] that says so, for errors.Is and errors.As.
type Refusal string

const (
	Unknown       Refusal = "unknown"        // not a token of this node, or mistyped
	Expired       Refusal = "expired"        // by its date, or by not being used
	Revoked       Refusal = "revoked"        // taken back, or signed out
	Disabled      Refusal = "disabled"       // the account is
	WrongPassword Refusal = "wrong-password" // or no such person
	CodeNeeded    Refusal = "code-needed"    // the password was right; the second factor is missing
	WrongCode     Refusal = "wrong-code"     // of the second factor, or one that was used
	NotAdmitted   Refusal = "not-admitted"   // the provider knows them; this node does not take them
	BadProof      Refusal = "bad-proof"      // what came from a provider does not prove who it is
)

func (r Refusal) Error() string { return "sign-in refused: " + string(r) }

// refusal returns the cause of an error that is one, else "".
func refusal(err error) Refusal {
	var r Refusal
	errors.As(err, &r)
	return r
}

// refusals are what people are told.
var refusals = map[Refusal]struct{ msg, hint string }{
	Unknown:  {"this token is unknown here", "was it copied whole, and is it of this node?"},
	Expired:  {"this token has expired", "sign in again, or make a new token"},
	Revoked:  {"this token was revoked", "sign in again, or make a new token"},
	Disabled: {"this account is disabled", "ask the operators of the node"},
}

func refused(r Refusal, subject string) error {
	text := refusals[r]
	return &genesis.Error{Op: "sign in", Kind: genesis.Permission, Subject: subject, Msg: text.msg, Hint: text.hint, Err: r}
}

// credential is a token with its account, as they were read together.
type credential struct {
	token     tokenRow
	account   account
	principal genesis.Principal
	read      time.Time
	use       *use
}

// Authenticate returns who comes with a bearer: the secret of a session or of a
// token. The principal's slices are shared; do not change them. Errors: Permission
// (with a [Refusal] as its cause), Unavailable, Canceled, Internal.
func (i *Identity) Authenticate(ctx context.Context, bearer string) (genesis.Principal, error) {
	if len(bearer) != secretLength {
		return genesis.Principal{}, refused(Unknown, "")
	}
	hash, now := sha256.Sum256([]byte(bearer)), i.now()
	c := i.cache.fresh(hash, now)
	if c == nil {
		if !wellFormed(bearer) {
			return genesis.Principal{}, refused(Unknown, "")
		}
		var err error
		if c, err = i.readCredential(ctx, hash, now); err != nil {
			return genesis.Principal{}, err
		}
	}
	if c.expired(now) {
		return genesis.Principal{}, refused(Expired, c.account.Subject)
	}
	c.use.at(now)
	return c.principal, nil
}

// expired reports whether the token's date, or its patience, has run out.
func (c *credential) expired(now time.Time) bool {
	at := store.Time(now)
	return at >= c.token.expires || c.token.idle > 0 && at-c.use.last.Load() >= c.token.idle
}

// readCredential reads a credential that is neither revoked nor disabled, and
// keeps it for a second.
func (i *Identity) readCredential(ctx context.Context, hash [32]byte, now time.Time) (*credential, error) {
	generation := i.cache.generation()
	c := &credential{read: now}
	row := i.db.Read().QueryRowContext(ctx, `SELECT `+tokenColumns+`, `+accountColumns+`
		FROM tokens t JOIN accounts a ON a.id = t.account_id WHERE t.hash = $1`, hex.EncodeToString(hash[:]))
	err := row.Scan(slices.Concat(c.token.fields(), c.account.fields())...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, refused(Unknown, "")
	}
	if err != nil {
		return nil, store.Error("sign in", "", err)
	}
	if c.token.revoked.Valid {
		return nil, refused(Revoked, c.account.Subject)
	}
	if c.account.Disabled {
		return nil, refused(Disabled, c.account.Subject)
	}
	if c.principal, err = i.ofNode(ctx, i.principal(&c.token, &c.account, now), now); err != nil {
		return nil, err
	}
	i.cache.put(hash, c, generation)
	return c, nil
}

// principal is who comes with a token, now.
func (i *Identity) principal(t *tokenRow, a *account, now time.Time) genesis.Principal {
	a = a.through(t.via)
	p := genesis.Principal{
		Subject: a.Subject, Node: i.node, Credential: t.id,
		Assurance: genesis.Assurance(t.assurance), Scopes: t.scopes.list,
		Duties: a.dutiesAt(now), Vetting: a.vettingAt(now).State,
		Citizenship: a.citizenshipAt(now), Student: a.student(),
	}
	if t.duties.set {
		p.Duties = slices.DeleteFunc(p.Duties, func(d genesis.Duty) bool { return !slices.Contains(t.duties.list, d) })
	}
	p.Duties, p.Scopes = slices.Clip(p.Duties), slices.Clip(p.Scopes)
	if i.charter == nil {
		return p
	}
	if m, ok := i.charter.Member(i.node); ok {
		p.Institution, p.Sector = m.Institution, m.Sector
	}
	return p
}

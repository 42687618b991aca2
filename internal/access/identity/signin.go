package identity

import (
	"context"
	"database/sql"
	"encoding/hex"
	"maps"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// wrongPassword is what is said whatever was wrong: name or password.
func wrongPassword(op string) error {
	return &genesis.Error{Op: op, Kind: genesis.Permission, Msg: "the name or the password is wrong", Err: WrongPassword}
}

// Password signs somebody in by password, and by a code of their second factor
// where they have one: six digits, or a recovery code. Without the code the error
// has [CodeNeeded] as its cause. remote is the address they come from. Errors:
// Permission (with a [Refusal] as its cause), Unavailable (with [TooMany] as its
// cause, or a broken disk), Unsupported (in FIPS mode, a password set outside it),
// Canceled.
func (i *Identity) Password(ctx context.Context, subject, password, totp, remote string) (genesis.NewToken, error) {
	const op = "sign in"
	if genesis.CheckSubject(subject) != nil || len(password) > mostPassword || len(totp) > 64 {
		subject, password, totp = "", "", "" // cannot be anybody's; takes as long as any other
	}
	remote = remoteKey(remote)
	if err := i.take(i.attempts.remotes, op, remote); err != nil {
		return genesis.NewToken{}, err
	}
	if err := i.take(i.attempts.subjects, op, subject); err != nil {
		return genesis.NewToken{}, err
	}
	token, err := i.password(ctx, op, subject, password, totp)
	if goodAttempt(err) {
		i.attempts.remotes.giveBack(remote)
		i.attempts.subjects.giveBack(subject)
	}
	return token, err
}

// goodAttempt reports whether an attempt that ended so tells nothing to somebody
// who guesses.
func goodAttempt(err error) bool {
	return err == nil || refusal(err) == CodeNeeded || genesis.KindOf(err) == genesis.Unavailable || genesis.KindOf(err) == genesis.Internal
}

func (i *Identity) password(ctx context.Context, op, subject, password, totp string) (genesis.NewToken, error) {
	a, err := findWhere(ctx, i.db.Read(), op, "a.subject = $1", subject)
	if err != nil {
		return genesis.NewToken{}, err
	}
	hash := i.passwords.dummy
	usable := a != nil && a.password != "" && !a.Service
	if usable {
		hash = a.password
	}
	ok, stale, err := i.passwords.verify(ctx, op, normal(password), hash)
	if err != nil {
		return genesis.NewToken{}, err
	}
	if !ok || !usable {
		return genesis.NewToken{}, i.refuseSignIn(ctx, op, a, "password", wrongPassword(op))
	}
	fresh := ""
	if stale {
		if fresh, err = i.passwords.hash(ctx, op, normal(password)); err != nil {
			return genesis.NewToken{}, err
		}
	}
	return i.finishPassword(ctx, op, a, totp, fresh)
}

// refuseSignIn records why somebody was not let in and returns why.
func (i *Identity) refuseSignIn(ctx context.Context, op string, a *account, how string, why error) error {
	var subject string
	if a != nil {
		subject = a.Subject // never what was typed: it may be a password
	}
	err := i.db.Tx(ctx, func(tx *sql.Tx) error {
		return i.event(ctx, tx, i.person(subject), "sign-in", genesis.Refused, subject, map[string]any{"how": how, "reason": string(refusal(why))})
	})
	if err != nil {
		return err
	}
	return why
}

// finishPassword lets somebody in whose password was right. fresh replaces its
// hash, when it is not empty.
func (i *Identity) finishPassword(ctx context.Context, op string, known *account, totp, fresh string) (genesis.NewToken, error) {
	if known.TOTP && totp != "" {
		if err := i.take(i.attempts.codes, op, known.Subject); err != nil {
			return genesis.NewToken{}, err
		}
	}
	var out genesis.NewToken
	var no error
	err := i.db.Tx(ctx, func(tx *sql.Tx) error {
		a, err := find(ctx, tx, op, known.Subject)
		if err != nil {
			return err
		}
		assurance, how, why := i.factors(ctx, tx, op, a, known, totp)
		if no = why; no != nil {
			if refusal(no) == "" { // not a refusal: nothing was decided
				return no
			}
			return i.event(ctx, tx, i.person(a.Subject), "sign-in", genesis.Refused, a.Subject, map[string]any{"how": how, "reason": string(refusal(no))})
		}
		if fresh != "" {
			if _, err := tx.ExecContext(ctx, "UPDATE accounts SET password = $1 WHERE id = $2", fresh, a.id); err != nil {
				return err
			}
		}
		out, err = i.newSession(ctx, tx, a, session{assurance: assurance, how: how})
		return err
	})
	if err != nil {
		return genesis.NewToken{}, err
	}
	if no != nil {
		return genesis.NewToken{}, no
	}
	if known.TOTP {
		i.attempts.codes.giveBack(known.Subject)
	}
	return out, nil
}

// factors decides by how many factors somebody was recognised, and uses up the
// code of the second.
func (i *Identity) factors(ctx context.Context, tx *sql.Tx, op string, a, known *account, totp string) (genesis.Assurance, string, error) {
	switch {
	case a.password != known.password || a.TOTP != known.TOTP: // changed meanwhile
		return "", "password", wrongPassword(op)
	case a.Disabled:
		return "", "password", refused(Disabled, a.Subject)
	case !a.TOTP:
		return genesis.AssurancePassword, "password", nil
	case totp == "":
		return "", "password", &genesis.Error{Op: op, Kind: genesis.Permission, Subject: a.Subject,
			Msg: "a code of the second factor is needed", Hint: "six digits from the app that was set up, or a recovery code", Err: CodeNeeded}
	}
	how, err := i.useCode(ctx, tx, op, a, totp)
	if err != nil {
		return "", "password and code", err
	}
	return genesis.AssuranceMFA, "password and " + how, nil
}

// session is how a session begins.
type session struct {
	assurance genesis.Assurance
	how       string    // "password", "oidc", "device"
	via       string    // the derived name of a provider's person
	signedIn  time.Time // when they proved who they are; zero: now
	detail    map[string]any
}

// newSession makes a session of an account and records the sign-in.
func (i *Identity) newSession(ctx context.Context, tx *sql.Tx, a *account, s session) (genesis.NewToken, error) {
	secret, hash := newSecret(genesis.SessionToken)
	now := i.now()
	if s.signedIn.IsZero() {
		s.signedIn = now
	}
	t := tokenRow{id: newID(), account: a.id, kind: string(genesis.SessionToken), name: s.how, assurance: string(s.assurance), via: s.via, signedIn: store.Time(s.signedIn),
		created: store.Time(now), expires: store.Time(s.signedIn.Add(i.limits.Session)), idle: i.limits.Idle.Microseconds(), used: store.Time(now)}
	if err := insertToken(ctx, tx, &t, hash); err != nil {
		return genesis.NewToken{}, err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE accounts SET seen_at = $1 WHERE id = $2", t.created, a.id); err != nil {
		return genesis.NewToken{}, err
	}
	detail := map[string]any{"how": s.how, "assurance": s.assurance, "credential": t.id}
	maps.Copy(detail, s.detail)
	if err := i.event(ctx, tx, i.person(a.Subject), "sign-in", genesis.Done, a.Subject, detail); err != nil {
		return genesis.NewToken{}, err
	}
	return genesis.NewToken{Token: t.view(a.Subject), Secret: secret}, nil
}

func insertToken(ctx context.Context, tx *sql.Tx, t *tokenRow, hash [32]byte) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO tokens (id, hash, account_id, kind, name, scopes, duties, assurance, maker, via, signed_in_at, created_at, expires_at, idle, used_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
		t.id, hex.EncodeToString(hash[:]), t.account, t.kind, t.name, t.scopes, t.duties, t.assurance, t.maker, t.via, t.signedIn, t.created, t.expires, t.idle, t.used)
	return err
}

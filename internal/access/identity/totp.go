package identity

import (
	"context"
	"crypto/fips140"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base32"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// Codes are those of RFC 6238 in the form every app knows: HMAC-SHA-1, six
// digits, 30 seconds. One step before and after is taken, for clocks that are
// off by up to half a minute.
const (
	totpStep   = 30 * time.Second
	totpDigits = 6
	totpSkew   = 1
	totpBytes  = 20
)

// code returns the code of a step. HMAC-SHA-1 is permitted until the end of 2030
// (NIST SP 800-131A); Go's strictest mode, GODEBUG=fips140=only, would end the
// program nevertheless.
func code(secret []byte, step int64) string {
	var sum []byte
	fips140.WithoutEnforcement(func() {
		mac := hmac.New(sha1.New, secret)
		mac.Write(binary.BigEndian.AppendUint64(nil, uint64(step)))
		sum = mac.Sum(nil)
	})
	at := sum[len(sum)-1] & 0xf
	n := binary.BigEndian.Uint32(sum[at:]) & 0x7fffffff
	return fmt.Sprintf("%0*d", totpDigits, n%1_000_000)
}

// matchCode returns the step later than last whose code was given, and whether
// there is one.
func matchCode(secret []byte, given string, now time.Time, last int64) (int64, bool) {
	given = strings.ReplaceAll(given, " ", "")
	if _, err := strconv.ParseUint(given, 10, 32); err != nil || len(given) != totpDigits {
		return 0, false
	}
	current, found, ok := now.Unix()/int64(totpStep/time.Second), int64(0), false
	for step := current - totpSkew; step <= current+totpSkew; step++ {
		if subtle.ConstantTimeCompare([]byte(code(secret, step)), []byte(given)) == 1 && step > last && !ok {
			found, ok = step, true
		}
	}
	return found, ok
}

// TOTPSetup is a second factor that is about to be set up. It is told once.
type TOTPSetup struct {
	Secret string `json:"secret"` // base32, to type into an app
	URI    string `json:"uri"`    // otpauth://…, to show as a QR code
}

// SetupTOTP begins to set up a second factor of who asks, in place of one that
// was begun and not confirmed. It wants a session that began within a quarter of
// an hour; nothing changes until [Identity.ConfirmTOTP]. Errors: Permission,
// Conflict (there is one), Invalid (no password here).
func (i *Identity) SetupTOTP(ctx context.Context, who genesis.Principal) (TOTPSetup, error) {
	const op = "set up second factor"
	if _, err := i.session(ctx, op, who, recently); err != nil {
		return TOTPSetup{}, err
	}
	raw := randomBytes(totpBytes)
	secret := base32.StdEncoding.EncodeToString(raw)
	err := i.db.Tx(ctx, func(tx *sql.Tx) error {
		a, err := find(ctx, tx, op, who.Subject)
		if err != nil {
			return err
		}
		switch {
		case a.password == "":
			return invalid(op, who.Subject, "the account has no password here; its provider asks for more factors")
		case a.TOTP:
			return &genesis.Error{Op: op, Kind: genesis.Conflict, Subject: who.Subject, Msg: "there is a second factor", Hint: "take it away first: `genesis account set " + who.Subject + " --no-totp`"}
		}
		_, err = tx.ExecContext(ctx, "UPDATE accounts SET totp = $1, totp_step = 0 WHERE id = $2", i.sealer.seal(secret, sealUse(a)), a.id)
		return store.Error(op, who.Subject, err)
	})
	if err != nil {
		return TOTPSetup{}, err
	}
	return TOTPSetup{Secret: secret, URI: i.totpURI(who.Subject, secret)}, nil
}

func sealUse(a *account) string { return "totp " + a.Subject }

// totpURI is what apps read from a QR code.
func (i *Identity) totpURI(subject, secret string) string {
	v := url.Values{"secret": {secret}, "issuer": {"Genesis " + string(i.node)}, "algorithm": {"SHA1"},
		"digits": {strconv.Itoa(totpDigits)}, "period": {"30"}}
	u := url.URL{Scheme: "otpauth", Host: "totp", Path: "/Genesis " + string(i.node) + ":" + subject, RawQuery: strings.ReplaceAll(v.Encode(), "+", "%20")}
	return u.String()
}

const recoveryCodes = 10

// ConfirmTOTP ends the setting up by a code, and returns recovery codes, each of
// which is good for one sign-in. From now on a password alone does not sign in,
// and who has both is of assurance mfa. Other sessions of the account end. Errors:
// Permission (a wrong code, too), Conflict (nothing was begun), Unavailable (too many attempts).
func (i *Identity) ConfirmTOTP(ctx context.Context, who genesis.Principal, given string) ([]string, error) {
	const op = "set up second factor"
	if _, err := i.session(ctx, op, who, recently); err != nil {
		return nil, err
	}
	if err := i.take(i.attempts.codes, op, who.Subject); err != nil {
		return nil, err
	}
	defer i.cache.dropAccount(who.Subject)
	var codes []string
	err := i.db.Tx(ctx, func(tx *sql.Tx) error {
		a, err := find(ctx, tx, op, who.Subject)
		if err != nil {
			return err
		}
		if a.totp == "" || a.TOTP {
			return &genesis.Error{Op: op, Kind: genesis.Conflict, Subject: who.Subject, Msg: "no second factor is being set up"}
		}
		if err := i.takeStep(ctx, tx, op, a, given); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE accounts SET totp_confirmed = 1 WHERE id = $1", a.id); err != nil {
			return store.Error(op, who.Subject, err)
		}
		if codes, err = newRecovery(ctx, tx, a); err != nil {
			return store.Error(op, who.Subject, err)
		}
		if err := i.endSessions(ctx, tx, a.id, who.Credential); err != nil {
			return store.Error(op, who.Subject, err)
		}
		return i.event(ctx, tx, i.actor(who), "account", genesis.Done, who.Subject, map[string]any{"change": "second factor set up"})
	})
	if err != nil {
		return nil, err
	}
	i.attempts.codes.giveBack(who.Subject)
	i.changed()
	return codes, nil
}

// RemoveTOTP takes a second factor away: a person their own, in a session that
// was begun with it within a quarter of an hour; an operator anybody's, when it
// was lost. The account's other sessions end. Errors: Permission, NotFound.
func (i *Identity) RemoveTOTP(ctx context.Context, by genesis.Principal, subject string) error {
	const op = "remove second factor"
	if err := i.mayRemoveTOTP(ctx, op, by, subject); err != nil {
		return err
	}
	defer i.changed()
	defer i.cache.dropAccount(subject)
	return i.db.Tx(ctx, func(tx *sql.Tx) error {
		a, err := find(ctx, tx, op, subject)
		if err != nil {
			return err
		}
		if err := i.heedSignIn(op, by, a); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE accounts SET totp = '', totp_confirmed = 0, totp_step = 0 WHERE id = $1", a.id); err != nil {
			return store.Error(op, subject, err)
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM recovery_codes WHERE account_id = $1", a.id); err != nil {
			return store.Error(op, subject, err)
		}
		if err := i.endSessions(ctx, tx, a.id, by.Credential); err != nil {
			return store.Error(op, subject, err)
		}
		return i.event(ctx, tx, i.actor(by), "account", genesis.Done, subject, map[string]any{"change": "second factor removed"})
	})
}

func (i *Identity) mayRemoveTOTP(ctx context.Context, op string, by genesis.Principal, subject string) error {
	if by.Subject != subject {
		if !i.operator(by) {
			return refuse(op, subject, "only operators remove those of others")
		}
		return nil
	}
	if _, err := i.session(ctx, op, by, recently); err != nil {
		return err
	}
	if by.Assurance != genesis.AssuranceMFA {
		return refuse(op, subject, "sign in with the second factor to remove it; an operator can remove one that was lost")
	}
	return nil
}

// recoveryBytes make recovery codes too long to be found from their hash.
const recoveryBytes = 16

// newRecovery makes recovery codes in place of all before: 128 random bits each,
// in groups of four letters.
func newRecovery(ctx context.Context, tx *sql.Tx, a *account) ([]string, error) {
	if _, err := tx.ExecContext(ctx, "DELETE FROM recovery_codes WHERE account_id = $1", a.id); err != nil {
		return nil, err
	}
	var out []string
	for range recoveryCodes {
		c := base32Lower.EncodeToString(randomBytes(recoveryBytes))
		out = append(out, grouped(c))
		if _, err := tx.ExecContext(ctx, "INSERT INTO recovery_codes (account_id, hash) VALUES ($1, $2)", a.id, recoveryHash(c)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// grouped is how codes are told: abcd-efgh-….
func grouped(code string) string {
	var b strings.Builder
	for at := 0; at < len(code); at += 4 {
		if at > 0 {
			b.WriteByte('-')
		}
		b.WriteString(code[at:min(at+4, len(code))])
	}
	return b.String()
}

func recoveryHash(given string) string {
	sum := sha256.Sum256([]byte(strings.NewReplacer("-", "", " ", "").Replace(strings.ToLower(given))))
	return hex.EncodeToString(sum[:])
}

// useCode uses up a code, and says of which kind it was. Errors: Permission.
func (i *Identity) useCode(ctx context.Context, tx *sql.Tx, op string, a *account, given string) (string, error) {
	if len(strings.ReplaceAll(given, " ", "")) == totpDigits {
		return "totp", i.takeStep(ctx, tx, op, a, given)
	}
	done, err := tx.ExecContext(ctx, "DELETE FROM recovery_codes WHERE account_id = $1 AND hash = $2", a.id, recoveryHash(given))
	if err != nil {
		return "", store.Error(op, a.Subject, err)
	}
	if n, err := done.RowsAffected(); err != nil || n != 1 {
		return "recovery code", wrongCode(op, a.Subject)
	}
	return "recovery code", nil
}

// takeStep uses up the step of a code: it is not taken again.
func (i *Identity) takeStep(ctx context.Context, tx *sql.Tx, op string, a *account, given string) error {
	text, err := i.sealer.open(a.totp, sealUse(a))
	if err != nil {
		return fault(op, a.Subject, err)
	}
	secret, err := base32.StdEncoding.DecodeString(text)
	if err != nil {
		return fault(op, a.Subject, err)
	}
	step, ok := matchCode(secret, given, i.now(), a.totpStep)
	if !ok {
		return wrongCode(op, a.Subject)
	}
	_, err = tx.ExecContext(ctx, "UPDATE accounts SET totp_step = $1 WHERE id = $2", step, a.id)
	return store.Error(op, a.Subject, err)
}

func wrongCode(op, subject string) error {
	return &genesis.Error{Op: op, Kind: genesis.Permission, Subject: subject, Msg: "the code is wrong, or was used", Hint: "wait for the next one; is the clock right?", Err: WrongCode}
}

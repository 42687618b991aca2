package identity

import (
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// list is a list of words as the database keeps it: a JSON array.
type list[T ~string] []T

func (l *list[T]) Scan(v any) error {
	text, ok := v.(string)
	if !ok {
		return errors.New("a list is not text")
	}
	return json.Unmarshal([]byte(text), (*[]T)(l))
}

func (l list[T]) Value() (driver.Value, error) {
	if l == nil {
		l = list[T]{}
	}
	text, err := json.Marshal([]T(l))
	return string(text), err
}

// ceiling is a list that narrows when it is set, also when it is empty.
type ceiling[T ~string] struct {
	set  bool
	list []T
}

func (c *ceiling[T]) Scan(v any) error {
	if v == nil {
		*c = ceiling[T]{}
		return nil
	}
	c.set, c.list = true, []T{}
	return (*list[T])(&c.list).Scan(v)
}

func (c ceiling[T]) Value() (driver.Value, error) {
	if !c.set {
		return nil, nil
	}
	return list[T](c.list).Value()
}

// account is one row of accounts.
type account struct {
	genesis.Account // as given here; nothing of what a provider told
	id              int64
	created, seen   int64
	vettedAt, until int64
	asked           int64
	duties          list[genesis.Duty]
	groups          list[string]
	told            told
	password        string // hash, in the form of hasher
	totp            string // sealed
	totpStep        int64  // of the last code that was used
}

// told is what a provider said of somebody when they last signed in.
type told struct {
	duties      list[genesis.Duty]
	citizenship genesis.Citizenship
	student     bool
	vetted      bool
	until       int64
	via         string // the derived name of who signed in
	officer     bool   // whether they were ever said to be one
}

// same reports whether two providers' words give the same rights.
func (t told) same(other told) bool {
	return slices.Equal(t.duties, other.duties) && t.citizenship == other.citizenship && t.student == other.student && t.vetted == other.vetted
}

const accountColumns = `a.id, a.subject, a.name, a.email, a.service, a.disabled, a.created_at, a.seen_at,
	a.duties, a.citizenship, a.student, a.vetting, a.vetted_by, a.vetted_at, a.vetted_until, a.vetting_note, a.vetting_asked, a.vetting_ask,
	a.provider, a.told_groups, a.told_duties, a.told_citizenship, a.told_student, a.told_vetted, a.told_until, a.told_via, a.told_officer,
	a.password, a.totp, a.totp_confirmed, a.totp_step`

// fields are where accountColumns are scanned into.
func (a *account) fields() []any {
	return []any{&a.id, &a.Subject, &a.Name, &a.Email, &a.Service, &a.Disabled, &a.created, &a.seen,
		&a.duties, &a.Citizenship, &a.Student, &a.Vetting.State, &a.Vetting.By, &a.vettedAt, &a.until, &a.Vetting.Note, &a.asked, &a.Vetting.Ask,
		&a.Provider, &a.groups, &a.told.duties, &a.told.citizenship, &a.told.student, &a.told.vetted, &a.told.until, &a.told.via, &a.told.officer,
		&a.password, &a.totp, &a.TOTP, &a.totpStep}
}

// saying reports whether what the provider told still counts.
func (a *account) saying(now time.Time) bool { return store.Time(now) < a.told.until }

// through is the account for a credential: what a provider told counts where it began
// with that person's sign-in there, and for no password, nor for who else the account is
// linked to. The student mark gives no rights, and is everybody's.
func (a *account) through(via string) *account {
	if via != "" && via == a.told.via {
		return a
	}
	out := *a
	out.told = told{student: a.told.student}
	return &out
}

// everOfficer reports whether the person is an officer here, or a provider ever said so:
// they may be told to be one again.
func (a *account) everOfficer() bool {
	return a.told.officer || slices.Contains(a.duties, genesis.DutyOfficer) || slices.Contains(a.told.duties, genesis.DutyOfficer)
}

// dutiesAt are those given here and those that the provider told.
func (a *account) dutiesAt(now time.Time) []genesis.Duty {
	var out []genesis.Duty
	for _, d := range genesis.Duties {
		if slices.Contains(a.duties, d) || a.saying(now) && slices.Contains(a.told.duties, d) {
			out = append(out, d)
		}
	}
	return out
}

// citizenshipAt is what was found here, else what the provider told.
func (a *account) citizenshipAt(now time.Time) genesis.Citizenship {
	if a.Citizenship == "" && a.saying(now) {
		return a.told.citizenship
	}
	return a.Citizenship
}

// student holds until somebody says otherwise: it gives no rights that could
// lapse.
func (a *account) student() bool { return a.Student || a.told.student }

// vettingAt is what an officer found here. Where none has decided, the word of
// the provider counts.
func (a *account) vettingAt(now time.Time) genesis.Vetting {
	v := a.Vetting
	v.At, v.Until, v.Asked = timeAt(a.vettedAt), timeAt(a.until), timeAt(a.asked)
	v.State = a.here(now)
	decided := v.State == genesis.Vetted || v.State == genesis.VettingRefused
	if !decided && a.saying(now) && a.told.vetted {
		return genesis.Vetting{State: genesis.Vetted, Until: timeAt(a.told.until), Note: "said by " + a.Provider, Asked: v.Asked, Ask: v.Ask}
	}
	return v
}

// view is the account as it is shown.
func (a *account) view(now time.Time) genesis.Account {
	out := a.Account
	out.Duties, out.Citizenship, out.Student = a.dutiesAt(now), a.citizenshipAt(now), a.student()
	out.Vetting, out.Groups = a.vettingAt(now), []string(a.groups)
	out.Created, out.LastSeen = timeAt(a.created), timeAt(a.seen)
	return out
}

// timeAt is a time in the database, where 0 is none.
func timeAt(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return store.TimeAt(us)
}

// tokenRow is one row of tokens.
type tokenRow struct {
	id        string
	account   int64
	kind      string
	name      string
	scopes    ceiling[genesis.Scope]
	duties    ceiling[genesis.Duty]
	assurance string
	maker     sql.NullString
	via       string // the derived name by which a provider's person signed in who made it; "": they did not
	signedIn  int64  // when who made it had last proved who they are
	created   int64
	expires   int64
	idle      int64
	used      int64
	revoked   sql.NullInt64
}

const tokenColumns = `t.id, t.account_id, t.kind, t.name, t.scopes, t.duties, t.assurance, t.maker, t.via,
	t.signed_in_at, t.created_at, t.expires_at, t.idle, t.used_at, t.revoked_at`

func (t *tokenRow) fields() []any {
	return []any{&t.id, &t.account, &t.kind, &t.name, &t.scopes, &t.duties, &t.assurance, &t.maker, &t.via,
		&t.signedIn, &t.created, &t.expires, &t.idle, &t.used, &t.revoked}
}

// view is the token as it is listed.
func (t *tokenRow) view(subject string) genesis.Token {
	out := genesis.Token{ID: t.id, Subject: subject, Kind: genesis.TokenKind(t.kind), Name: t.name, Scopes: t.scopes.list,
		Created: store.TimeAt(t.created), Expires: store.TimeAt(t.expires)}
	if t.used > t.created {
		out.LastUsed = store.TimeAt(t.used)
	}
	if t.revoked.Valid {
		at := store.TimeAt(t.revoked.Int64)
		out.Revoked = &at
	}
	return out
}

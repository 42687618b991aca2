package identity

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// pageSize is how many accounts or tokens a page lists.
const pageSize = 100

// localSubject is the home's owner, who has no account.
const localSubject = "local"

// queryer is what both a transaction and a pool of connections can do.
type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// find returns the account of a subject. Errors: NotFound.
func find(ctx context.Context, q queryer, op, subject string) (*account, error) {
	a, err := findWhere(ctx, q, op, "a.subject = $1", subject)
	if err == nil && a == nil {
		return nil, &genesis.Error{Op: op, Kind: genesis.NotFound, Subject: subject, Msg: "there is no such account"}
	}
	return a, err
}

// findWhere returns the one account that matches, or nil.
func findWhere(ctx context.Context, q queryer, op, where string, args ...any) (*account, error) {
	var a account
	err := q.QueryRowContext(ctx, "SELECT "+accountColumns+" FROM accounts a WHERE "+where, args...).Scan(a.fields()...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, store.Error(op, "", err)
	}
	return &a, nil
}

// Account returns an account. Errors: NotFound.
func (i *Identity) Account(ctx context.Context, subject string) (genesis.Account, error) {
	a, err := find(ctx, i.db.Read(), "show account", subject)
	if err != nil {
		return genesis.Account{}, err
	}
	return a.view(i.now()), nil
}

// Accounts returns a page of accounts in the order of their subjects, and the
// cursor of the next page, "" after the last. Errors: Invalid (cursor).
func (i *Identity) Accounts(ctx context.Context, cursor string) ([]genesis.Account, string, error) {
	const op = "list accounts"
	after, err := readCursor(op, cursor)
	if err != nil {
		return nil, "", err
	}
	rows, err := i.db.Read().QueryContext(ctx, "SELECT "+accountColumns+" FROM accounts a WHERE a.subject > $1 ORDER BY a.subject LIMIT $2", after, pageSize+1)
	if err != nil {
		return nil, "", store.Error(op, "", err)
	}
	defer rows.Close()
	out := []genesis.Account{}
	for rows.Next() {
		var a account
		if err := rows.Scan(a.fields()...); err != nil {
			return nil, "", store.Error(op, "", err)
		}
		out = append(out, a.view(i.now()))
	}
	next := ""
	if len(out) > pageSize {
		out = out[:pageSize]
		next = writeCursor(out[pageSize-1].Subject)
	}
	return out, next, store.Error(op, "", rows.Err())
}

func writeCursor(after string) string { return base64.RawURLEncoding.EncodeToString([]byte(after)) }

func readCursor(op, cursor string) (string, error) {
	b, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || len(cursor) > 200 || !utf8.Valid(b) {
		return "", invalid(op, "", "the cursor is not one that was given out")
	}
	return string(b), nil
}

// operator reports whether by runs this node and came with a credential for it.
func (i *Identity) operator(by genesis.Principal) bool {
	return i.home(by) && by.Has(genesis.DutyOperator) && by.InScope(genesis.Operate, "")
}

// officer reports whether by is a security officer, with a token that lets them act
// as one.
func (i *Identity) officer(by genesis.Principal) bool {
	return i.home(by) && by.Has(genesis.DutyOfficer) && by.InScope(genesis.Operate, "")
}

// heedOfficer keeps operators from becoming officers by way of accounts: who is one,
// and how an officer signs in, is for officers, and for themselves.
func (i *Identity) heedOfficer(op string, by genesis.Principal, a *account, c genesis.AccountChange) error {
	was := slices.Contains(a.duties, genesis.DutyOfficer) // here: a duty that a rule gives is not made one that stays
	switch {
	case i.officer(by):
	case c.Duties != nil && was != slices.Contains(*c.Duties, genesis.DutyOfficer):
		return refuse(op, a.Subject, "only officers make others officers, or take that back")
	case c.Password != nil:
		return i.heedSignIn(op, by, a)
	}
	return nil
}

// heedWays keeps accounts to one way to sign in: what gives one another, so that two
// people could be in it, is done by officers. has: it has one.
func (i *Identity) heedWays(op string, by genesis.Principal, a *account, has bool) error {
	if has && !i.officer(by) {
		return refuse(op, a.Subject, "the account has a way to sign in, and only officers give it another")
	}
	return nil
}

// linkedAtAll reports whether an account is linked to anybody at a provider.
func linkedAtAll(ctx context.Context, tx *sql.Tx, op string, a *account) (bool, error) {
	var n int
	err := tx.QueryRowContext(ctx, "SELECT count(*) FROM account_links WHERE account_id = $1", a.id).Scan(&n)
	return n > 0, store.Error(op, a.Subject, err)
}

// heedPassword keeps who has a link from a password, unless there is one and its owner
// changes it.
func (i *Identity) heedPassword(ctx context.Context, tx *sql.Tx, op string, by genesis.Principal, a *account, hash string) error {
	if hash == "" || a.password != "" && by.Subject == a.Subject {
		return nil
	}
	has, err := linkedAtAll(ctx, tx, op, a)
	if err != nil {
		return err
	}
	return i.heedWays(op, by, a, has)
}

// heedSignIn keeps operators from signing in as officers, also by a provider's word: how
// one does is changed by officers, and by themselves.
func (i *Identity) heedSignIn(op string, by genesis.Principal, a *account) error {
	if a.everOfficer() && by.Subject != a.Subject && !i.officer(by) {
		return refuse(op, a.Subject, "only officers change how an officer signs in")
	}
	return nil
}

// CreateAccount makes an account. Errors: Permission (by is no operator), Invalid,
// Exists, Unavailable (too many sign-ins).
func (i *Identity) CreateAccount(ctx context.Context, by genesis.Principal, r genesis.AccountRequest) (genesis.Account, error) {
	const op = "create account"
	if !i.operator(by) {
		return genesis.Account{}, refuse(op, r.Subject, "only operators make accounts")
	}
	if slices.Contains(r.Duties, genesis.DutyOfficer) && !i.officer(by) {
		return genesis.Account{}, refuse(op, r.Subject, "only officers make others officers")
	}
	if err := checkAccount(op, r); err != nil {
		return genesis.Account{}, err
	}
	hash, err := i.hashNew(ctx, op, r.Subject, r.Password)
	if err != nil {
		return genesis.Account{}, err
	}
	a := account{Account: genesis.Account{Subject: r.Subject, Name: r.Name, Email: r.Email, Service: r.Service},
		created: store.Time(i.now()), duties: sorted(r.Duties), password: hash}
	err = i.db.Tx(ctx, func(tx *sql.Tx) error {
		if err := insertAccount(ctx, tx, op, &a); err != nil {
			return err
		}
		return i.event(ctx, tx, i.actor(by), "account", genesis.Done, r.Subject,
			map[string]any{"change": "created", "duties": a.duties, "service": r.Service, "password": hash != ""})
	})
	if err != nil {
		return genesis.Account{}, err
	}
	i.changed()
	return a.view(i.now()), nil
}

func checkAccount(op string, r genesis.AccountRequest) error {
	if err := genesis.CheckSubject(r.Subject); err != nil {
		return err
	}
	switch {
	case r.Subject == localSubject:
		return invalid(op, r.Subject, "that is the owner of the node's home, who needs no account")
	case r.Subject == genesis.NodeSubject:
		return invalid(op, r.Subject, "that is how a node names itself to others")
	case derivedSubject.MatchString(r.Subject):
		return invalid(op, r.Subject, "names like this are of people who come from a provider")
	case r.Service && r.Password != "":
		return invalid(op, r.Subject, "services have no password; make a token for it")
	}
	return checkFields(op, r.Subject, &r.Name, &r.Email, &r.Duties, nil)
}

// checkFields checks what is there of an account's fields.
func checkFields(op, subject string, name, email *string, duties *[]genesis.Duty, citizenship *genesis.Citizenship) error {
	for what, text := range map[string]*string{"name": name, "address": email} {
		if text != nil && (len(*text) > 200 || !utf8.ValidString(*text) || strings.ContainsFunc(*text, unicode.IsControl)) {
			return invalid(op, subject, "the "+what+" is longer than 200 bytes, or is not plain text")
		}
	}
	if duties != nil {
		for _, d := range *duties {
			if !slices.Contains(genesis.Duties, d) {
				return &genesis.Error{Op: op, Kind: genesis.Invalid, Subject: string(d), Msg: "is not a duty", Hint: "duties are steward, operator, officer and manager"}
			}
		}
	}
	if citizenship != nil && !slices.Contains(citizenships, *citizenship) {
		return &genesis.Error{Op: op, Kind: genesis.Invalid, Subject: string(*citizenship), Msg: "is not a class of citizenship",
			Hint: "classes are us-citizen, us-person and foreign-national; empty when not known"}
	}
	return nil
}

var citizenships = []genesis.Citizenship{genesis.CitizenshipUnknown, genesis.USCitizen, genesis.USPerson, genesis.ForeignNational}

// sorted returns duties in their order, each once.
func sorted(duties []genesis.Duty) list[genesis.Duty] {
	out := list[genesis.Duty]{}
	for _, d := range genesis.Duties {
		if slices.Contains(duties, d) {
			out = append(out, d)
		}
	}
	return out
}

// insertAccount adds a row and sets its id. Errors: Exists.
func insertAccount(ctx context.Context, tx *sql.Tx, op string, a *account) error {
	there, err := findWhere(ctx, tx, op, "a.subject = $1", a.Subject)
	if err != nil {
		return err
	}
	if there != nil {
		return &genesis.Error{Op: op, Kind: genesis.Exists, Subject: a.Subject, Msg: "there is an account of that name"}
	}
	if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(id), 0) + 1 FROM accounts").Scan(&a.id); err != nil {
		return store.Error(op, a.Subject, err)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO accounts (id, subject, name, email, service, created_at, duties, password)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, a.id, a.Subject, a.Name, a.Email, flag(a.Service), a.created, a.duties, a.password)
	return store.Error(op, a.Subject, err)
}

// flag is how a truth is kept.
func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// ChangeAccount changes an account. Operators change everything; a person
// changes their own name, address and password. Whoever they are, their own
// password takes the one before, and a session that is not older than a quarter of
// an hour. A new password ends the account's other sessions. Errors: Permission,
// Invalid, NotFound, Unavailable (too many sign-ins).
func (i *Identity) ChangeAccount(ctx context.Context, by genesis.Principal, subject string, c genesis.AccountChange) (genesis.Account, error) {
	const op = "change account"
	if err := i.mayChange(ctx, by, subject, c); err != nil {
		return genesis.Account{}, err
	}
	if err := checkFields(op, subject, c.Name, c.Email, c.Duties, c.Citizenship); err != nil {
		return genesis.Account{}, err
	}
	var hash string
	if c.Password != nil {
		var err error
		if hash, err = i.hashNew(ctx, op, subject, *c.Password); err != nil {
			return genesis.Account{}, err
		}
	}
	defer i.changed()
	defer i.cache.dropAccount(subject)
	var a *account
	err := i.db.Tx(ctx, func(tx *sql.Tx) (err error) {
		if a, err = find(ctx, tx, op, subject); err != nil {
			return err
		}
		if err := i.heedOfficer(op, by, a, c); err != nil {
			return err
		}
		if err := i.heedPassword(ctx, tx, op, by, a, hash); err != nil {
			return err
		}
		if a.Service && hash != "" {
			return invalid(op, subject, "services have no password; make a token for it")
		}
		detail := a.apply(c, hash)
		if err := updateAccount(ctx, tx, a); err != nil {
			return store.Error(op, subject, err)
		}
		if c.Password != nil {
			if err := i.endSessions(ctx, tx, a.id, by.Credential); err != nil {
				return store.Error(op, subject, err)
			}
		}
		return i.event(ctx, tx, i.actor(by), "account", genesis.Done, subject, detail)
	})
	if err != nil {
		return genesis.Account{}, err
	}
	return a.view(i.now()), nil
}

func (i *Identity) mayChange(ctx context.Context, by genesis.Principal, subject string, c genesis.AccountChange) error {
	const op = "change account"
	own := i.home(by) && by.Subject != "" && by.Subject == subject
	if own && c.Password != nil {
		if err := i.provesOwn(ctx, op, by, c.Current); err != nil {
			return err
		}
	}
	switch {
	case c.Duties != nil && own:
		return refuse(op, subject, "nobody changes their own duties")
	case c.Citizenship != nil && (own || !i.officer(by)):
		return refuse(op, subject, "officers say what the citizenship of others is")
	case i.operator(by) || c.Citizenship != nil && c == (genesis.AccountChange{Citizenship: c.Citizenship}):
		return nil
	case !i.home(by) || by.Subject == "" || by.Subject != subject:
		return refuse(op, subject, "only operators change the accounts of others")
	case by.Scopes != nil:
		return refuse(op, subject, "a narrowed token does not change accounts")
	case c.Duties != nil || c.Citizenship != nil || c.Student != nil || c.Disabled != nil:
		return refuse(op, subject, "only operators change duties, citizenship, student and disabled")
	}
	return nil
}

// provesOwn is for who changes what they sign in with: it takes a session that
// began a moment ago, and the password that is to go, where there is one. Wrong ones
// count as those of signing in do.
func (i *Identity) provesOwn(ctx context.Context, op string, by genesis.Principal, current string) error {
	if _, err := i.session(ctx, op, by, recently); err != nil {
		return err
	}
	a, err := find(ctx, i.db.Read(), op, by.Subject)
	if err != nil || a.password == "" {
		return err
	}
	if err := i.take(i.attempts.subjects, op, a.Subject); err != nil {
		return err
	}
	if len(current) > mostPassword {
		current = "" // cannot be anybody's
	}
	ok, _, err := i.passwords.verify(ctx, op, normal(current), a.password)
	if err != nil {
		return err
	}
	if !ok {
		return i.refuseSignIn(ctx, op, a, "change of password", &genesis.Error{Op: op, Kind: genesis.Permission, Subject: a.Subject,
			Msg: "the current password is not that", Hint: "who has forgotten it asks the operators of the node", Err: WrongPassword})
	}
	i.attempts.subjects.giveBack(a.Subject)
	return nil
}

// apply makes the change and returns what the journal says of it: which fields
// changed, and the new values of those that give rights.
func (a *account) apply(c genesis.AccountChange, hash string) map[string]any {
	detail, fields := map[string]any{"change": "changed"}, []string{}
	set := func(field string, asked bool, act func()) {
		if asked {
			act()
			fields = append(fields, field)
		}
	}
	set("name", c.Name != nil, func() { a.Name = *c.Name })
	set("email", c.Email != nil, func() { a.Email = *c.Email })
	set("duties", c.Duties != nil, func() { a.duties = sorted(*c.Duties); detail["duties"] = a.duties })
	set("citizenship", c.Citizenship != nil, func() { a.Citizenship = *c.Citizenship; detail["citizenship"] = a.Citizenship })
	set("student", c.Student != nil, func() { a.Student = *c.Student; detail["student"] = a.Student })
	set("disabled", c.Disabled != nil, func() { a.Disabled = *c.Disabled; detail["disabled"] = a.Disabled })
	set("password", c.Password != nil, func() { a.password = hash })
	detail["fields"] = fields
	return detail
}

func updateAccount(ctx context.Context, tx *sql.Tx, a *account) error {
	_, err := tx.ExecContext(ctx, `UPDATE accounts SET name = $1, email = $2, duties = $3, citizenship = $4, student = $5,
		disabled = $6, password = $7 WHERE id = $8`,
		a.Name, a.Email, a.duties, a.Citizenship, flag(a.Student), flag(a.Disabled), a.password, a.id)
	return err
}

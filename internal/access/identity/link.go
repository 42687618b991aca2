package identity

import (
	"context"
	"database/sql"
	"slices"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

const mostGroups = 200

// outsideOf returns what never changes about somebody at a provider. Values of a
// claim other than sub carry its name, so that one never passes for the other.
func (p *provider) outsideOf(c claims) (string, error) {
	value, ok := c[p.SubjectClaim].(string)
	if !ok || value == "" || len(value) > 255 {
		return "", badProof(p.ID, "the provider does not say who you are (claim "+p.SubjectClaim+")")
	}
	return p.outside(value), nil
}

func (p *provider) outside(value string) string {
	if p.SubjectClaim == "sub" {
		return value
	}
	return p.SubjectClaim + "=" + value
}

// admit lets somebody in of whom a provider has spoken: with the account that is
// linked to them, or with a new one.
func (i *Identity) admit(ctx context.Context, p *provider, c claims) (genesis.NewToken, error) {
	const op = "sign in"
	outside, err := p.outsideOf(c)
	if err != nil {
		return genesis.NewToken{}, err
	}
	f, admitted := p.rules.apply(ctx, c)
	var out genesis.NewToken
	var no error
	var a *account
	moved := false
	err = i.db.Tx(ctx, func(tx *sql.Tx) (err error) {
		known := false
		if a, known, err = i.accountOf(ctx, tx, op, p, outside); err != nil {
			return err
		}
		switch no = nil; {
		case a.Disabled:
			no = refused(Disabled, a.Subject)
		case !known && a.password != "": // it was unlinked, and got a password
			no = &genesis.Error{Op: op, Kind: genesis.Permission, Subject: p.ID, Msg: "your account was unlinked, and has a password now", Hint: "ask the officers of the node to link it again", Err: NotAdmitted}
		case !admitted:
			no = &genesis.Error{Op: op, Kind: genesis.Permission, Subject: p.ID, Msg: "the provider knows you, but this node does not take you in", Hint: "ask its operators", Err: NotAdmitted}
		}
		if no != nil {
			return i.event(ctx, tx, i.person(a.Subject), "sign-in", genesis.Refused, a.Subject, map[string]any{"how": "oidc", "provider": p.ID, "reason": string(refusal(no))})
		}
		if !known {
			if err := i.welcome(ctx, tx, op, p, outside, a); err != nil {
				return err
			}
		}
		before, via := a.told, subjectOf(p.Issuer, outside)
		if err := i.tell(ctx, tx, p, a, via, c, f); err != nil {
			return store.Error(op, a.Subject, err)
		}
		moved = !known || before.via != via || before.until <= store.Time(i.now()) || !before.same(a.told)
		out, err = i.newSession(ctx, tx, a, session{assurance: f.assurance, how: "oidc", via: via, detail: map[string]any{"provider": p.ID, "duties": f.duties}})
		return err
	})
	if a != nil {
		i.cache.dropAccount(a.Subject)
	}
	if moved {
		i.changed()
	}
	if err == nil {
		err = no
	}
	if err != nil {
		return genesis.NewToken{}, err
	}
	return out, nil
}

// accountOf returns the account of somebody at a provider, and whether it is
// linked to them. Who has none gets one that is not in the database yet.
func (i *Identity) accountOf(ctx context.Context, tx *sql.Tx, op string, p *provider, outside string) (*account, bool, error) {
	a, err := linked(ctx, tx, op, p.Issuer, outside)
	if a != nil || err != nil {
		return a, true, err
	}
	subject := subjectOf(p.Issuer, outside)
	a, err = findWhere(ctx, tx, op, "a.subject = $1", subject) // was unlinked
	if a != nil || err != nil {
		return a, false, err
	}
	return &account{Account: genesis.Account{Subject: subject}, created: store.Time(i.now())}, false, nil
}

// linked returns the account that is linked to somebody at a provider, or nil.
func linked(ctx context.Context, tx *sql.Tx, op, issuer, outside string) (*account, error) {
	return findWhere(ctx, tx, op, "a.id = (SELECT account_id FROM account_links WHERE issuer = $1 AND outside = $2)", issuer, outside)
}

// welcome links an account to somebody, and makes it where it is not there.
func (i *Identity) welcome(ctx context.Context, tx *sql.Tx, op string, p *provider, outside string, a *account) error {
	change := "linked"
	if a.id == 0 {
		change = "created"
		if err := insertAccount(ctx, tx, op, a); err != nil {
			return err
		}
	}
	if err := insertLink(ctx, tx, p.Issuer, outside, a.id, store.Time(i.now())); err != nil {
		return store.Error(op, a.Subject, err)
	}
	return i.event(ctx, tx, i.person(a.Subject), "account", genesis.Done, a.Subject, map[string]any{"change": change, "provider": p.ID})
}

func insertLink(ctx context.Context, tx *sql.Tx, issuer, outside string, account, at int64) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO account_links (issuer, outside, account_id, created_at) VALUES ($1, $2, $3, $4)", issuer, outside, account, at)
	return err
}

// tell writes what the provider says of somebody now. Name and address of an
// account that has a password here stay as they are.
func (i *Identity) tell(ctx context.Context, tx *sql.Tx, p *provider, a *account, via string, c claims, f facts) error {
	a.Provider = p.Issuer
	a.groups = c.texts(p.GroupsClaim, mostGroups)
	a.told = told{duties: f.duties, citizenship: f.citizenship, student: f.student, vetted: f.vetted, until: store.Time(i.now().Add(p.Remember)),
		via: via, officer: a.told.officer || slices.Contains(f.duties, genesis.DutyOfficer)}
	if name := c.text("name", 200); name != "" && (a.password == "" || a.Name == "") {
		a.Name = name
	}
	if email := c.text("email", 200); email != "" && c["email_verified"] != false && (a.password == "" || a.Email == "") {
		a.Email = email
	}
	_, err := tx.ExecContext(ctx, `UPDATE accounts SET name = $1, email = $2, provider = $3, told_groups = $4, told_duties = $5, told_citizenship = $6,
		told_student = $7, told_vetted = $8, told_until = $9, told_via = $10, told_officer = $11 WHERE id = $12`,
		a.Name, a.Email, a.Provider, a.groups, a.told.duties, a.told.citizenship, flag(f.student), flag(f.vetted), a.told.until, a.told.via, flag(a.told.officer), a.id)
	return err
}

// Link makes an account the one of somebody at a provider, whom it knows by the
// value of its subject claim. An account that has a password, or a link, gets another by
// officers alone. Errors: Permission (by is no operator, or no officer), NotFound, Exists
// (they have an account here), Invalid.
func (i *Identity) Link(ctx context.Context, by genesis.Principal, subject, provider, value string) error {
	const op = "link account"
	p := i.providers[provider]
	switch {
	case !i.operator(by):
		return refuse(op, subject, "only operators link accounts")
	case i.home(by) && by.Subject == subject && subject != "":
		return refuse(op, subject, "nobody links their own account: a token would become a sign-in")
	case p == nil:
		return &genesis.Error{Op: op, Kind: genesis.NotFound, Subject: provider, Msg: "there is no such provider"}
	case value == "" || len(value) > 255:
		return invalid(op, subject, "the provider's name for the person is 1 to 255 bytes")
	}
	return i.db.Tx(ctx, func(tx *sql.Tx) error {
		a, err := find(ctx, tx, op, subject)
		if err != nil {
			return err
		}
		if a.Service {
			return invalid(op, subject, "services do not sign in; make a token for it")
		}
		if err := i.heedSignIn(op, by, a); err != nil {
			return err
		}
		has, err := linkedAtAll(ctx, tx, op, a)
		if err != nil {
			return err
		}
		if err := i.heedWays(op, by, a, has || a.password != ""); err != nil {
			return err
		}
		other, err := linked(ctx, tx, op, p.Issuer, p.outside(value))
		if err != nil {
			return err
		}
		if other != nil {
			return &genesis.Error{Op: op, Kind: genesis.Exists, Subject: subject, Msg: "they have the account " + other.Subject + " already", Hint: "unlink that first"}
		}
		if err := insertLink(ctx, tx, p.Issuer, p.outside(value), a.id, store.Time(i.now())); err != nil {
			return store.Error(op, subject, err)
		}
		return i.event(ctx, tx, i.actor(by), "account", genesis.Done, subject, map[string]any{"change": "linked", "provider": p.ID})
	})
}

// Unlink undoes [Identity.Link], also for accounts that were made at the first
// sign-in; what the provider told of the account is forgotten, and its sessions
// end. Errors: Permission, NotFound.
func (i *Identity) Unlink(ctx context.Context, by genesis.Principal, subject, provider, value string) error {
	const op = "unlink account"
	p := i.providers[provider]
	switch {
	case !i.operator(by):
		return refuse(op, subject, "only operators unlink accounts")
	case i.home(by) && by.Subject == subject && subject != "":
		return refuse(op, subject, "nobody unlinks their own account: a token would become a sign-in")
	case p == nil:
		return &genesis.Error{Op: op, Kind: genesis.NotFound, Subject: provider, Msg: "there is no such provider"}
	}
	defer i.changed()
	defer i.cache.dropAccount(subject)
	return i.db.Tx(ctx, func(tx *sql.Tx) error {
		a, err := linked(ctx, tx, op, p.Issuer, p.outside(value))
		if err != nil {
			return err
		}
		if a == nil || a.Subject != subject {
			return &genesis.Error{Op: op, Kind: genesis.NotFound, Subject: subject, Msg: "is not linked to them"}
		}
		if err := i.heedSignIn(op, by, a); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "DELETE FROM account_links WHERE issuer = $1 AND outside = $2", p.Issuer, p.outside(value)); err != nil {
			return store.Error(op, subject, err)
		}
		if _, err := tx.ExecContext(ctx, "UPDATE accounts SET told_until = 0, told_student = 0 WHERE id = $1", a.id); err != nil {
			return store.Error(op, subject, err)
		}
		if err := i.endSessions(ctx, tx, a.id, ""); err != nil {
			return store.Error(op, subject, err)
		}
		return i.event(ctx, tx, i.actor(by), "account", genesis.Done, subject, map[string]any{"change": "unlinked", "provider": p.ID})
	})
}

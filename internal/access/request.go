package access

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// Bounds of requests.
const (
	maxOpen     = 100    // open requests of one person
	maxOfNode   = 10_000 // and of the people of another node
	maxMessages = 200    // of one request
)

// Ask takes up a request for access: r says what for; the rest is filled in. The
// caller has decided that the asker may ask. Where the terms have an agreement, its
// digest is how the asker accepts it. Errors: Invalid, Conflict (an agreement other
// than the one in force; a request for the same that is open), NotFound (the grant
// to renew, the project).
func (d *Decider) Ask(ctx context.Context, tx *sql.Tx, r genesis.AccessRequest) (genesis.AccessRequest, error) {
	return d.AskAs(ctx, tx, newID(), r)
}

// AskAs is Ask of a request that has an id already: it was made at the asker's home.
// Errors: as of Ask; Conflict, if the id is taken.
func (d *Decider) AskAs(ctx context.Context, tx *sql.Tx, id string, r genesis.AccessRequest) (genesis.AccessRequest, error) {
	r = genesis.AccessRequest{ID: id, Name: r.Name, Version: r.Version, By: r.By, Actions: r.Actions, Purpose: r.Purpose,
		Project: strings.TrimPrefix(r.Project, string(d.node)+"/"), Agreement: r.Agreement, Renews: r.Renews, State: genesis.RequestOpen, At: d.now().UTC()}
	if len(r.Actions) == 0 {
		r.Actions = []genesis.Action{genesis.Read}
	}
	if err := genesis.CheckName(r.Name); err != nil {
		return r, err
	}
	if msg, hint := requestWrong(r); msg != "" {
		return r, requestError(r, genesis.Invalid, msg, hint)
	}
	r.Actions = inOrder(r.Actions)
	for _, check := range []func(context.Context, *sql.Tx, genesis.AccessRequest) error{checkID, d.checkNode, d.checkAgreement, d.checkAskers, d.checkRenewal, d.checkOpen} {
		if err := check(ctx, tx, r); err != nil {
			return r, err
		}
	}
	r.By.Projects = nil // are for this decision, not for stewards to read
	body, err := encode(r)
	if err == nil {
		_, err = tx.ExecContext(ctx, `INSERT INTO policy_requests (seq, id, name, person, state, format, body)
			SELECT coalesce(max(seq), 0) + 1, $1, $2, $3, $4, $5, $6 FROM policy_requests`,
			r.ID, string(r.Name), d.canon(r.By.Person()), string(r.State), format, body)
	}
	return r, store.Error("request", string(r.Name), err)
}

func requestError(r genesis.AccessRequest, kind genesis.ErrorKind, msg, hint string) error {
	return &genesis.Error{Op: "request", Kind: kind, Subject: string(r.Name), Msg: msg, Hint: hint}
}

func requestWrong(r genesis.AccessRequest) (msg, hint string) {
	i := slices.IndexFunc(r.Actions, func(a genesis.Action) bool { return !slices.Contains(genesis.Grantable, a) })
	switch {
	case !r.By.SignedIn():
		return "nobody has signed in", "sign in"
	case i >= 0:
		return fmt.Sprintf("%q cannot be granted", r.Actions[i]), "these can: " + list(genesis.Grantable)
	case !text(r.Purpose):
		return fmt.Sprintf("a request states its purpose, in at most %d bytes", maxText), `say it with --purpose "…"`
	}
	return "", ""
}

// text reports whether s is something to read, and not too much of it.
func text(s string) bool {
	return strings.TrimSpace(s) != "" && len(s) <= maxText && utf8.ValidString(s)
}

// RequestTx is any request as a transaction has it, for what is not done for anybody.
func (d *Decider) RequestTx(ctx context.Context, tx *sql.Tx, id string) (genesis.AccessRequest, error) {
	r, err := one[genesis.AccessRequest](ctx, tx, "SELECT format, body FROM policy_requests WHERE id = $1", id)
	return r, missing(err, noRequest(id))
}

// RequestByID returns a request, to its asker and to those who steward what it
// asks for. Errors: NotFound, also for everybody else; Internal.
func (d *Decider) RequestByID(ctx context.Context, who genesis.Principal, id string) (genesis.AccessRequest, error) {
	r, _, err := d.party(ctx, d.db.Read(), who, id)
	return r, err
}

// side is what somebody is to a request.
type side struct{ asker, steward bool }

// party reads a request for one of its sides. To others there is none.
func (d *Decider) party(ctx context.Context, q querier, who genesis.Principal, id string) (genesis.AccessRequest, side, error) {
	r, err := one[genesis.AccessRequest](ctx, q, "SELECT format, body FROM policy_requests WHERE id = $1", id)
	if err != nil {
		return r, side{}, missing(err, noRequest(id))
	}
	mayAsk := who.InScope(genesis.Request, r.Name) || who.InScope(genesis.Steward, r.Name)
	s := side{asker: d.canon(who.Person()) == d.canon(r.By.Person()) && mayAsk}
	version := r.Version
	if version == "" {
		if version, err = newest(ctx, q, r.Name); err != nil {
			return r, side{}, err
		}
	}
	_, refusal := d.Decide(ctx, Ask{Principal: who, Action: genesis.Steward, Resource: Resource{Name: r.Name, Version: version, State: genesis.Published}})
	s.steward = refusal == nil
	if k := genesis.KindOf(refusal); k != "" && k != genesis.Private && k != genesis.Permission {
		return r, side{}, refusal
	}
	if !s.asker && !s.steward {
		return genesis.AccessRequest{}, side{}, noRequest(id)
	}
	return r, s, nil
}

func noRequest(id string) *genesis.Error {
	return &genesis.Error{Op: "read request", Kind: genesis.NotFound, Subject: id, Msg: "there is no such request", Hint: "`genesis requests` lists them"}
}

// newest returns the version of a name that was given terms last, "" without one:
// its terms say how surely a steward must be recognised to decide about all.
func newest(ctx context.Context, q querier, name genesis.Name) (genesis.Digest, error) {
	var version genesis.Digest
	err := q.QueryRowContext(ctx, "SELECT version FROM policy_terms WHERE name = $1 ORDER BY turn DESC LIMIT 1", string(name)).Scan(&version)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return version, store.Error("read request", string(name), err)
}

// edit changes an open request.
func (d *Decider) edit(ctx context.Context, tx *sql.Tx, who genesis.Principal, id string, act func(*genesis.AccessRequest, side) error) (genesis.AccessRequest, error) {
	r, s, err := d.party(ctx, tx, who, id)
	if err != nil {
		return r, err
	}
	if r.State != genesis.RequestOpen {
		return r, requestError(r, genesis.Conflict, fmt.Sprintf("the request is %s already", r.State), "")
	}
	if err := act(&r, s); err != nil {
		return r, err
	}
	body, err := encode(r)
	if err == nil {
		_, err = tx.ExecContext(ctx, "UPDATE policy_requests SET state = $1, body = $2 WHERE id = $3", string(r.State), body, id)
	}
	return r, store.Error("request", id, err)
}

// Message adds a message of the asker or of a steward to an open request. Errors:
// NotFound, Invalid, Conflict (decided already, or too many messages).
func (d *Decider) Message(ctx context.Context, tx *sql.Tx, who genesis.Principal, id, words string) (genesis.AccessRequest, error) {
	return d.edit(ctx, tx, who, id, func(r *genesis.AccessRequest, _ side) error {
		switch {
		case !text(words):
			return requestError(*r, genesis.Invalid, fmt.Sprintf("a message has something to read, in at most %d bytes", maxText), "")
		case len(r.Messages) >= maxMessages:
			return requestError(*r, genesis.Conflict, fmt.Sprintf("it has %d messages, which is the most", maxMessages), "decide it, or withdraw it")
		}
		r.Messages = append(r.Messages, genesis.Message{By: who.Person(), At: d.now().UTC(), Text: words})
		return nil
	})
}

// Approve answers a request with a grant. Nobody approves what they ask for
// themselves. Errors: NotFound, Permission, Conflict (decided already), and those of
// Grant.
func (d *Decider) Approve(ctx context.Context, tx *sql.Tx, who genesis.Principal, id string, a genesis.Approval) (genesis.AccessRequest, genesis.Grant, error) {
	var g genesis.Grant
	r, err := d.edit(ctx, tx, who, id, func(r *genesis.AccessRequest, s side) error {
		if err := d.stewardOnly(*r, s, who); err != nil {
			return err
		}
		g = genesis.Grant{Name: r.Name, Version: r.Version, To: d.receiver(*r), Actions: r.Actions, Until: a.Until, Condition: a.Condition,
			Licence: a.Licence, Purpose: r.Purpose, Agreement: r.Agreement, Request: r.ID, By: who.Person()}
		if len(a.Actions) > 0 {
			g.Actions = a.Actions
		}
		if i := slices.IndexFunc(g.Actions, func(a genesis.Action) bool { return !slices.Contains(r.Actions, a) }); i >= 0 {
			return &genesis.Error{Op: "approve request", Kind: genesis.Invalid, Subject: r.ID, Msg: fmt.Sprintf("%s was not asked for: %s was", g.Actions[i], list(r.Actions)),
				Hint: "what nobody asked for is given with `genesis grant`"}
		}
		var err error
		if g.Version == "" {
			if err := d.Stewards(ctx, who, g.Name); err != nil {
				return err
			}
		}
		if g, err = d.Grant(ctx, tx, g); err != nil {
			return err
		}
		d.decided(r, genesis.RequestApproved, who)
		r.Grant, r.Granted, r.Until, r.Condition = g.ID, g.Actions, g.Until, g.Condition
		return nil
	})
	return r, g, err
}

func (d *Decider) stewardOnly(r genesis.AccessRequest, s side, who genesis.Principal) error {
	if s.steward && (!s.asker || who.Subject == LocalSubject) {
		return nil
	}
	msg := "a steward decides it, not who asks"
	return &genesis.Error{Op: "decide request", Kind: genesis.Permission, Subject: r.ID, Msg: msg, Hint: "withdraw it, or add a message"}
}

func (d *Decider) decided(r *genesis.AccessRequest, state genesis.RequestState, who genesis.Principal) {
	now := d.now().UTC()
	r.State, r.Decided, r.DecidedBy = state, &now, who.Person()
}

// Deny answers a request with a reason. Errors: NotFound, Permission, Invalid (no
// reason), Conflict (decided already).
func (d *Decider) Deny(ctx context.Context, tx *sql.Tx, who genesis.Principal, id, reason string) (genesis.AccessRequest, error) {
	return d.edit(ctx, tx, who, id, func(r *genesis.AccessRequest, s side) error {
		if err := d.stewardOnly(*r, s, who); err != nil {
			return err
		}
		if !text(reason) {
			return requestError(*r, genesis.Invalid, fmt.Sprintf("who denies says why, in at most %d bytes", maxText), "")
		}
		d.decided(r, genesis.RequestDenied, who)
		r.Reason = reason
		return nil
	})
}

// Withdraw takes a request back. Errors: NotFound, Permission (not the asker),
// Conflict (decided already).
func (d *Decider) Withdraw(ctx context.Context, tx *sql.Tx, who genesis.Principal, id string) (genesis.AccessRequest, error) {
	return d.edit(ctx, tx, who, id, func(r *genesis.AccessRequest, s side) error {
		if !s.asker {
			return &genesis.Error{Op: "withdraw request", Kind: genesis.Permission, Subject: id, Msg: "only who asked withdraws it", Hint: "deny it"}
		}
		d.decided(r, genesis.RequestWithdrawn, who)
		return nil
	})
}

// RequestQuery says which requests to list, newest first. Empty fields match all: a
// steward's inbox is State open, a person's own requests are By, and those of somebody
// who stewards only what is theirs, with those for it, are Of.
type RequestQuery struct {
	Name  genesis.Name
	By    genesis.PersonID
	Of    genesis.PersonID
	State genesis.RequestState
	After string // cursor
	Limit int    // 0: 100; at most 1000
}

// Requests lists requests. next is the cursor of the next page, "" after the last.
// The caller has decided that its principal may see those that match. Errors:
// Invalid (the cursor).
func (d *Decider) Requests(ctx context.Context, q RequestQuery) (page []genesis.AccessRequest, next string, err error) {
	w := where{table: "policy_requests"}
	w.is("name", string(q.Name))
	w.is("person", d.canon(q.By))
	if q.Of != "" {
		from, to := d.ownNames(q.Of)
		w.add("(person = %s OR name >= %s AND name < %s)", d.canon(q.Of), from, to)
	}
	w.is("state", string(q.State))
	return paged(ctx, d.db.Read(), w, q.After, q.Limit, func(r genesis.AccessRequest) string { return r.ID })
}

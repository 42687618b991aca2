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

// checkNode bounds the open requests of the people of another node: how many people there
// are is that node's to say.
func (d *Decider) checkNode(ctx context.Context, tx *sql.Tx, r genesis.AccessRequest) error {
	node, _ := r.By.Person().Split(d.node)
	if node == d.node {
		return nil
	}
	var n int
	err := tx.QueryRowContext(ctx, "SELECT count(*) FROM policy_requests WHERE person >= $1 AND person < $2 AND state = $3",
		string(node)+"/", string(node)+"0", string(genesis.RequestOpen)).Scan(&n) // '0' follows '/'
	if err != nil {
		return store.Error("request", string(r.Name), err)
	}
	if n >= maxOfNode {
		return requestError(r, genesis.Conflict, fmt.Sprintf("%d requests of people of %s are open", n, node), "withdraw those that are not needed")
	}
	return nil
}

// checkID wants an id that no other request has.
func checkID(ctx context.Context, tx *sql.Tx, r genesis.AccessRequest) error {
	var n int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM policy_requests WHERE id = $1", r.ID).Scan(&n); err != nil {
		return store.Error("request", string(r.Name), err)
	}
	if n > 0 {
		return requestError(r, genesis.Conflict, "another request has the id "+r.ID, "")
	}
	return nil
}

// checkAgreement wants the agreement in force to be accepted.
func (d *Decider) checkAgreement(ctx context.Context, tx *sql.Tx, r genesis.AccessRequest) error {
	t, err := termsFor(ctx, tx, r)
	if err != nil {
		return err
	}
	if t == nil || t.Agreement == nil {
		return nil
	}
	switch r.Agreement {
	case t.Agreement.Digest:
		return nil
	case "":
		return requestError(r, genesis.Invalid, fmt.Sprintf("its agreement (%s) has to be accepted first", t.Agreement.Kind),
			fmt.Sprintf("read it, then accept it by its digest, %s", t.Agreement.Digest))
	}
	return requestError(r, genesis.Conflict, "the agreement accepted is not the one in force",
		fmt.Sprintf("read it, then accept it by its digest, %s", t.Agreement.Digest))
}

// termsFor returns the terms under which a request is made.
func termsFor(ctx context.Context, tx *sql.Tx, r genesis.AccessRequest) (*genesis.Terms, error) {
	if r.Version == "" {
		return latestTerms(ctx, tx, r.Name)
	}
	return readTerms(ctx, tx, assetKey{r.Name, r.Version})
}

// checkAskers wants whoever asks for a project to be in it.
func (d *Decider) checkAskers(ctx context.Context, tx *sql.Tx, r genesis.AccessRequest) error {
	if r.Project == "" {
		return nil
	}
	notTheirs := requestError(r, genesis.NotFound, fmt.Sprintf("there is no project %s of yours", r.Project), "")
	if _, is := elsewhere(r.Project); is {
		if slices.Contains(r.By.Projects, r.Project) {
			return nil
		}
		return notTheirs
	}
	p, err := readProject(ctx, tx, r.Project)
	if err != nil && genesis.KindOf(err) != genesis.NotFound {
		return err
	}
	if runs(p, r.At) && slices.ContainsFunc(members(p), func(m genesis.PersonID) bool { return d.canon(m) == d.canon(r.By.Person()) }) {
		return nil
	}
	return notTheirs
}

// checkRenewal wants the grant to renew to be theirs.
func (d *Decider) checkRenewal(ctx context.Context, tx *sql.Tx, r genesis.AccessRequest) error {
	if r.Renews == "" {
		return nil
	}
	g, err := readGrant(ctx, tx, r.Renews)
	if err != nil && genesis.KindOf(err) != genesis.NotFound {
		return err
	}
	if g.Name == r.Name && g.Revoked == nil && g.To == d.receiver(r) {
		return nil
	}
	return requestError(r, genesis.NotFound, fmt.Sprintf("there is no grant %s of yours to renew", r.Renews), "ask without --renews")
}

// receiver is to whom a grant that answers a request is made.
func (d *Decider) receiver(r genesis.AccessRequest) genesis.Grantee {
	if r.Project != "" {
		return grantee(genesis.ToProject, r.Project)
	}
	return d.canonGrantee(grantee(genesis.ToPerson, string(r.By.Person())))
}

// checkOpen bounds the open requests of one person.
func (d *Decider) checkOpen(ctx context.Context, tx *sql.Tx, r genesis.AccessRequest) error {
	rows, err := tx.QueryContext(ctx, "SELECT format, body FROM policy_requests WHERE person = $1 AND state = $2 ORDER BY seq",
		d.canon(r.By.Person()), string(genesis.RequestOpen))
	if err != nil {
		return store.Error("request", string(r.Name), err)
	}
	n, same := 0, ""
	err = each(rows, func(o genesis.AccessRequest) {
		n++
		if o.Name == r.Name && o.Version == r.Version && o.Project == r.Project && slices.Equal(o.Actions, r.Actions) {
			same = o.ID
		}
	})
	switch {
	case err != nil:
		return store.Error("request", string(r.Name), err)
	case same != "":
		return requestError(r, genesis.Conflict, fmt.Sprintf("your request %s for the same is open", same),
			fmt.Sprintf("`genesis say %s \"…\"` adds a message to it, `genesis deny %s --withdraw` takes it back", same, same))
	case n >= maxOpen:
		return requestError(r, genesis.Conflict, fmt.Sprintf("%d requests of yours are open", n), "withdraw those that you no longer need")
	}
	return nil
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
		r.Grant, r.Granted, r.Until = g.ID, g.Actions, g.Until
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
		node, subject := q.Of.Split(d.node)
		from, to := ownNames(subject)
		if node != d.node {
			from, to = "", "" // nothing here is theirs
		}
		w.add("(person = %s OR name >= %s AND name < %s)", d.canon(q.Of), from, to)
	}
	w.is("state", string(q.State))
	return paged(ctx, d.db.Read(), w, q.After, q.Limit, func(r genesis.AccessRequest) string { return r.ID })
}

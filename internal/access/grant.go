package access

import (
	"context"
	"crypto/rand"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// maxText is how long a purpose, a reason or a message may be, in bytes.
const maxText = 4000

// newID mints the id of a grant or a request. It is random, so that it tells
// nothing of how many there are.
func newID() string { return strings.ToLower(rand.Text()[:16]) }

// Grant makes a grant and returns it with its id. It works without a request. The
// caller has decided that g.By may steward the asset. Errors: Invalid (also: read
// of what is restricted), NotFound (a project), Unavailable (too many grants).
func (d *Decider) Grant(ctx context.Context, tx *sql.Tx, g genesis.Grant) (genesis.Grant, error) {
	now := d.now().UTC()
	g.ID, g.At, g.Revoked, g.RevokedBy, g.Reason = newID(), now, nil, "", ""
	if err := d.checkGrant(ctx, tx, &g, now); err != nil {
		return genesis.Grant{}, err
	}
	return g, insertGrant(ctx, tx, g)
}

func insertGrant(ctx context.Context, tx *sql.Tx, g genesis.Grant) error {
	body, err := encode(g)
	if err != nil {
		return store.Error("grant", string(g.Name), err)
	}
	until := sql.NullInt64{Int64: store.Time(g.Until), Valid: !g.Until.IsZero()}
	_, err = tx.ExecContext(ctx, `INSERT INTO policy_grants (seq, id, name, grantee, until, revoked, format, body)
		SELECT coalesce(max(seq), 0) + 1, $1, $2, $3, $4, 0, $5, $6 FROM policy_grants`,
		g.ID, string(g.Name), string(g.To), until, format, body)
	if err == nil {
		_, err = note(ctx, tx, changeGrant, g.ID, "")
	}
	return store.Error("grant", string(g.Name), err)
}

// Stewards decides whether somebody stewards all that a grant by bare name reaches:
// every version that has terms, of which one may ask for more than the newest does.
// Errors: those of Decide.
func (d *Decider) Stewards(ctx context.Context, who genesis.Principal, name genesis.Name) error {
	versions, err := published(ctx, d.db.Read(), name)
	if err != nil {
		return err
	}
	for _, v := range versions {
		if _, err := d.Decide(ctx, Ask{Principal: who, Action: genesis.Steward, Resource: Resource{Name: name, Version: v, State: genesis.Published}}); err != nil {
			return err
		}
	}
	return nil
}

// published are the versions of a name that have terms.
func published(ctx context.Context, q querier, name genesis.Name) ([]genesis.Digest, error) {
	all, err := store.Column[genesis.Digest](ctx, q, "SELECT version FROM policy_terms WHERE name = $1 ORDER BY turn", string(name))
	return all, store.Error("read terms", string(name), err)
}

// checkGrant checks a grant and brings it to the form in which it is stored.
func (d *Decider) checkGrant(ctx context.Context, tx *sql.Tx, g *genesis.Grant, now time.Time) error {
	if err := genesis.CheckName(g.Name); err != nil {
		return err
	}
	if g.Version != "" {
		if _, err := genesis.ParseDigest(string(g.Version)); err != nil {
			return err
		}
	}
	if err := genesis.CheckGrantee(g.To); err != nil {
		return err
	}
	if msg := grantWrong(*g, now); msg != "" {
		return &genesis.Error{Op: "grant", Kind: genesis.Invalid, Subject: string(g.Name), Msg: msg}
	}
	if g.Condition != "" {
		if _, err := compileCondition(g.Condition); err != nil {
			return err
		}
	}
	g.To = d.canonGrantee(g.To)
	g.Actions = inOrder(g.Actions)
	for _, check := range []func(context.Context, *sql.Tx, genesis.Grant, time.Time) error{d.checkProject, checkRestricted, d.checkRoom} {
		if err := check(ctx, tx, *g, now); err != nil {
			return err
		}
	}
	return nil
}

func grantWrong(g genesis.Grant, now time.Time) string {
	i := slices.IndexFunc(g.Actions, func(a genesis.Action) bool { return !slices.Contains(genesis.Grantable, a) })
	switch {
	case len(g.Actions) == 0:
		return "a grant names actions: " + list(genesis.Grantable)
	case i >= 0:
		return fmt.Sprintf("%q cannot be granted; these can: %s", g.Actions[i], list(genesis.Grantable))
	case g.By == "":
		return "a grant names who made it"
	case !g.Until.IsZero() && !g.Until.After(now):
		return "it would end before it begins"
	case len(g.Purpose) > maxText || len(g.Licence) > 200:
		return "its purpose or licence is too long"
	case strings.TrimSpace(g.Licence) != g.Licence:
		return "the licence is its number, without blanks around it"
	}
	return ""
}

// inOrder returns actions in their fixed order, each once.
func inOrder(actions []genesis.Action) []genesis.Action {
	return slices.DeleteFunc(slices.Clone(genesis.Grantable), func(a genesis.Action) bool { return !slices.Contains(actions, a) })
}

// canonGrantee names a person as decisions do.
func (d *Decider) canonGrantee(to genesis.Grantee) genesis.Grantee {
	kind, id := to.Split()
	switch kind {
	case genesis.ToPerson:
		return grantee(kind, d.canon(genesis.PersonID(id)))
	case genesis.ToProject:
		return grantee(kind, strings.TrimPrefix(id, string(d.node)+"/"))
	}
	return to
}

// elsewhere returns the node that a project's home is, where it is not this one.
func elsewhere(project string) (genesis.NodeID, bool) {
	home, _, is := strings.Cut(project, "/")
	return genesis.NodeID(home), is
}

func (d *Decider) checkProject(ctx context.Context, tx *sql.Tx, g genesis.Grant, now time.Time) error {
	kind, id := g.To.Split()
	if kind != genesis.ToProject {
		return nil
	}
	if home, is := elsewhere(id); is {
		return d.checkHome(g, home)
	}
	p, err := readProject(ctx, tx, id)
	if err != nil {
		return err
	}
	if !runs(p, now) {
		return &genesis.Error{Op: "grant", Kind: genesis.Invalid, Subject: string(g.Name), Msg: fmt.Sprintf("project %s has ended", id)}
	}
	return nil
}

// checkHome wants the home of a project to be a member: whether there is the project, it
// alone knows.
func (d *Decider) checkHome(g genesis.Grant, home genesis.NodeID) error {
	if _, ok := d.charter.Member(home); ok {
		return nil
	}
	return &genesis.Error{Op: "grant", Kind: genesis.Invalid, Subject: string(g.Name), Msg: fmt.Sprintf("%s, the home of that project, is no member of the federation", home), Hint: "`genesis members` lists them"}
}

// checkRestricted refuses to grant reading what is restricted: of one version, or
// of any that the grant would cover.
func checkRestricted(ctx context.Context, tx *sql.Tx, g genesis.Grant, now time.Time) error {
	if !slices.Contains(g.Actions, genesis.Read) {
		return nil
	}
	rows, err := tx.QueryContext(ctx, "SELECT format, body FROM policy_terms WHERE name = $1 AND ($2 = '' OR version = $2)", string(g.Name), string(g.Version))
	if err != nil {
		return store.Error("grant", string(g.Name), err)
	}
	restricted := false
	err = each(rows, func(t genesis.Terms) {
		if !grantable(t.TierAt(now), genesis.Read) {
			restricted = true
		}
	})
	if err != nil {
		return store.Error("grant", string(g.Name), err)
	}
	if !restricted {
		return nil
	}
	return &genesis.Error{Op: "grant", Kind: genesis.Invalid, Subject: string(g.Name),
		Msg:  "it is restricted: reading it cannot be granted, because its bytes never leave the node",
		Hint: "grant train, infer or evaluate, which work beside it; or a version that is not restricted"}
}

func (d *Decider) checkRoom(ctx context.Context, tx *sql.Tx, g genesis.Grant, now time.Time) error {
	var n int
	err := tx.QueryRowContext(ctx, "SELECT count(*) FROM policy_grants WHERE revoked = 0 AND (until IS NULL OR until > $1)", store.Time(now)).Scan(&n)
	if err != nil {
		return store.Error("grant", string(g.Name), err)
	}
	if n < d.room {
		return nil
	}
	return &genesis.Error{Op: "grant", Kind: genesis.Unavailable, Subject: string(g.Name),
		Msg: fmt.Sprintf("%d grants are in force, which is the most", n), Hint: "grant to institutions, sectors or projects instead of persons; revoke what is not needed"}
}

// Revoke ends a grant and the request that it answered, and returns it as it is then.
// Revoking again changes nothing. Errors: NotFound, Invalid (the reason is too long).
func (d *Decider) Revoke(ctx context.Context, tx *sql.Tx, id string, by genesis.PersonID, reason string) (genesis.Grant, error) {
	g, err := readGrant(ctx, tx, id)
	if err != nil || g.Revoked != nil {
		return g, err
	}
	if len(reason) > maxText {
		return g, &genesis.Error{Op: "revoke", Kind: genesis.Invalid, Subject: id, Msg: fmt.Sprintf("the reason is longer than %d bytes", maxText)}
	}
	now := d.now().UTC()
	g.Revoked, g.RevokedBy, g.Reason = &now, by, reason
	body, err := encode(g)
	if err == nil {
		_, err = tx.ExecContext(ctx, "UPDATE policy_grants SET revoked = 1, body = $1 WHERE id = $2", body, id)
	}
	if err == nil {
		_, err = note(ctx, tx, changeGrant, id, "")
	}
	if err == nil {
		err = endRequest(ctx, tx, g)
	}
	return g, store.Error("revoke", id, err)
}

// endRequest has the request that a grant answered end with it.
func endRequest(ctx context.Context, tx *sql.Tx, g genesis.Grant) error {
	if g.Request == "" {
		return nil
	}
	r, err := one[genesis.AccessRequest](ctx, tx, "SELECT format, body FROM policy_requests WHERE id = $1", g.Request)
	if genesis.KindOf(err) == genesis.NotFound {
		return nil
	}
	if err != nil || r.State != genesis.RequestApproved {
		return err
	}
	r.State, r.Ended, r.Reason = genesis.RequestEnded, g.Revoked, g.Reason
	body, err := encode(r)
	if err == nil {
		_, err = tx.ExecContext(ctx, "UPDATE policy_requests SET state = $1, body = $2 WHERE id = $3", string(r.State), body, r.ID)
	}
	return err
}

func readGrant(ctx context.Context, q querier, id string) (genesis.Grant, error) {
	g, err := one[genesis.Grant](ctx, q, "SELECT format, body FROM policy_grants WHERE id = $1", id)
	return g, missing(err, &genesis.Error{Op: "read grant", Kind: genesis.NotFound, Subject: id, Msg: "there is no such grant", Hint: "`genesis grants` lists them"})
}

// missing says in words that a row is not there.
func missing(err error, words *genesis.Error) error {
	if genesis.KindOf(err) == genesis.NotFound {
		return words
	}
	return err
}

// GrantByID returns a grant, also one that has ended. Errors: NotFound, Internal.
func (d *Decider) GrantByID(ctx context.Context, id string) (genesis.Grant, error) {
	return readGrant(ctx, d.db.Read(), id)
}

// GrantQuery says which grants to list, newest first. Empty fields match all.
type GrantQuery struct {
	Name   genesis.Name
	Owner  genesis.PersonID // names of one person's: "nrel/ada" for ~ada/…
	To     genesis.Grantee  // named so in the grant
	Active bool             // only those in force now
	After  string           // cursor
	Limit  int              // 0: 100; at most 1000
}

// Grants lists grants. next is the cursor of the next page, "" after the last; it
// stays right while grants are made and revoked. Errors: Invalid (the cursor).
func (d *Decider) Grants(ctx context.Context, q GrantQuery) (page []genesis.Grant, next string, err error) {
	w := where{table: "policy_grants"}
	w.add("(name NOT LIKE '%%/%%' OR name LIKE '~%%')") // what copies owe is for those whom it reaches
	w.is("name", string(q.Name))
	if q.Owner != "" {
		w.owned(d.ownNames(q.Owner))
	}
	if q.To != "" {
		w.is("grantee", string(d.canonGrantee(q.To)))
	}
	if q.Active {
		w.add("revoked = 0 AND (until IS NULL OR until > %s)", store.Time(d.now()))
	}
	return paged(ctx, d.db.Read(), w, q.After, q.Limit, func(g genesis.Grant) string { return g.ID })
}

// GrantsOf lists the grants in force that reach a person: by name, institution,
// sector or project. They are few; name limits them to one asset.
func (d *Decider) GrantsOf(ctx context.Context, p genesis.Principal, name genesis.Name) ([]genesis.Grant, error) {
	var all []genesis.Grant
	now := d.now()
	err := d.locked(ctx, d.gen.Load(), func() error {
		who := d.person(p, d.index)
		who.Projects, _ = d.index.current(who.Projects, now)
		for of, byGrantee := range d.index.grants {
			for _, to := range who.grantees() {
				for _, g := range byGrantee[to] {
					if g.Active(now) && (name == "" || of == name) {
						all = append(all, g.Grant)
					}
				}
			}
		}
		return nil
	})
	slices.SortFunc(all, func(a, b genesis.Grant) int {
		return strings.Compare(string(a.Name)+" "+a.ID, string(b.Name)+" "+b.ID)
	})
	return all, err
}

// Unmet lists the grants that reach who asks on what they ask about, but do not count now:
// their conditions do not hold.
func (d *Decider) Unmet(ctx context.Context, ask Ask) ([]genesis.Grant, error) {
	var all []genesis.Grant
	now := d.now()
	err := d.locked(ctx, d.gen.Load(), func() error {
		q, _, err := d.question(ctx, ask, now)
		if err != nil {
			return err
		}
		for _, g := range q.target.held.grants {
			if g.condition != nil && !g.condition.holds(q.target.who.Principal, now) {
				all = append(all, g.Grant)
			}
		}
		return nil
	})
	return all, err
}

// Expiring lists the grants in force that end within a time, soonest first, so
// that grantees and stewards are told before.
func (d *Decider) Expiring(ctx context.Context, within time.Duration) ([]genesis.Grant, error) {
	now := d.now()
	rows, err := d.db.Read().QueryContext(ctx, `SELECT format, body FROM policy_grants WHERE revoked = 0 AND until > $1 AND until <= $2
		AND (name NOT LIKE '%/%' OR name LIKE '~%') ORDER BY until, seq LIMIT $3`,
		store.Time(now), store.Time(now.Add(within)), maxPage)
	if err != nil {
		return nil, store.Error("list grants", "", err)
	}
	var all []genesis.Grant
	err = each(rows, func(g genesis.Grant) { all = append(all, g) })
	return all, store.Error("list grants", "", err)
}

package access

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

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
	ref := genesis.Ref{Name: r.Name}
	if r.By.Node != d.node {
		ref.Node = d.node // they have to say where it is
	}
	hint := fmt.Sprintf("read it with genesis terms %s --agreement, then accept it: --accept %s", ref.Arg(), t.Agreement.Digest)
	switch r.Agreement {
	case t.Agreement.Digest:
		return nil
	case "":
		return requestError(r, genesis.Invalid, fmt.Sprintf("its agreement (%s) has to be accepted first", t.Agreement.Kind), hint)
	}
	return requestError(r, genesis.Conflict, "the agreement accepted is not the one in force", hint)
}

// termsFor returns the terms under which a request is made.
func termsFor(ctx context.Context, tx *sql.Tx, r genesis.AccessRequest) (*genesis.Terms, error) {
	if r.Version == "" {
		return latestTerms(ctx, tx, r.Name)
	}
	return readTerms(ctx, tx, assetKey{r.Name, r.Version})
}

// AsksFor wants whoever asks another node for a project of this one to be in it. Who is in
// one of another node, that says. Errors: NotFound.
func (d *Decider) AsksFor(ctx context.Context, tx *sql.Tx, r genesis.AccessRequest) error {
	id, own := strings.CutPrefix(r.Project, string(d.node)+"/")
	if !own {
		return nil
	}
	r.Project = id
	return d.checkAskers(ctx, tx, r)
}

// checkAskers wants whoever asks for a project to be in it.
func (d *Decider) checkAskers(ctx context.Context, tx *sql.Tx, r genesis.AccessRequest) error {
	if r.Project == "" {
		return nil
	}
	notTheirs := requestError(r, genesis.NotFound, fmt.Sprintf("there is no project %s of yours", r.Project), "`genesis project list` lists them")
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

package access

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// What a copy of another node's version owes is kept as if that version were one of
// this node's: its terms, and the leaves of those who copied it as grants on it, under a
// name that begins with the node which said so: nrel/turbines. Nobody here stewards such a
// name. What one node says is under its own name, so that none speaks for another.

// foreign reports whether a name is of a version of another node.
func foreign(n genesis.Name) bool {
	return strings.Contains(string(n), "/") && !strings.HasPrefix(string(n), "~")
}

// refTo names a version. One that came by way of several nodes is named as at its own.
func refTo(k assetKey) genesis.Ref {
	r := genesis.Ref{Name: k.name, Digest: k.version}
	for foreign(r.Name) {
		node, rest, _ := strings.Cut(string(r.Name), "/")
		r.Node, r.Name = genesis.NodeID(node), genesis.Name(rest)
	}
	return r
}

// Bounds of what another node may say that a copy owes.
const (
	maxLeaves      = 1000
	maxForeignName = 512
)

// Copy is a version that was copied from another node.
type Copy struct {
	Child Resource
	Node  genesis.NodeID   // which said what is owed
	By    genesis.PersonID // who copied it: the leaves are theirs
	Owes  []genesis.Owed
}

// CheckOwed reports why what a node says that a copy owes cannot be taken, or nil. Errors:
// Invalid, Unsupported.
func CheckOwed(node genesis.NodeID, owes []genesis.Owed) error {
	if err := genesis.CheckNode(node); err != nil {
		return err
	}
	if len(owes) == 0 || len(owes) > maxSources+1 {
		return owedWrong(string(node), fmt.Sprintf("names %d versions that it owes to", len(owes)))
	}
	for _, o := range owes {
		if err := checkOwed(node, o); err != nil {
			return err
		}
	}
	return nil
}

func owedWrong(subject, msg string) error {
	return &genesis.Error{Op: "copy", Kind: genesis.Invalid, Subject: subject, Msg: msg, Hint: "tell the node's operator; nothing was kept"}
}

func checkOwed(node genesis.NodeID, o genesis.Owed) error {
	name := foreignName(node, o)
	if err := checkForeign(name); err != nil {
		return err
	}
	if _, err := genesis.ParseDigest(string(o.Version)); err != nil {
		return err
	}
	switch {
	case o.Kind != genesis.Dataset && o.Kind != genesis.Model:
		return owedWrong(string(name), fmt.Sprintf("is of kind %q", o.Kind))
	case o.Terms.Tier == genesis.TierRestricted:
		return owedWrong(string(name), "is restricted: its bytes do not leave its node")
	case len(o.Terms.Openings) > 0:
		return owedWrong(string(name), "has openings, which do not travel")
	case len(o.Leaves) > maxLeaves:
		return owedWrong(string(name), fmt.Sprintf("has more than %d leaves", maxLeaves))
	}
	if err := checkTerms(name, o.Terms); err != nil {
		return err
	}
	for _, l := range o.Leaves {
		if err := checkLeave(name, l); err != nil {
			return err
		}
	}
	return nil
}

// foreignName is how a version that a node names is called here.
func foreignName(node genesis.NodeID, o genesis.Owed) genesis.Name {
	return genesis.Name(string(node) + "/" + o.Name)
}

func checkForeign(n genesis.Name) error {
	rest := n
	for foreign(rest) {
		node, inner, _ := strings.Cut(string(rest), "/")
		if err := genesis.CheckNode(genesis.NodeID(node)); err != nil {
			return err
		}
		rest = genesis.Name(inner)
	}
	if len(n) > maxForeignName {
		return owedWrong(string(n[:maxForeignName]), "came by way of too many nodes")
	}
	return genesis.CheckName(rest)
}

func checkLeave(name genesis.Name, l genesis.Leave) error {
	g := genesis.Grant{Actions: l.Actions, Purpose: l.Purpose, Licence: l.Licence, By: "?"}
	if msg := grantWrong(g, time.Time{}); msg != "" {
		return owedWrong(string(name), msg)
	}
	if slices.ContainsFunc(l.Actions, func(a genesis.Action) bool { return !slices.Contains(carried, a) }) {
		return owedWrong(string(name), "has a leave to do something else than to use the copy")
	}
	if len(l.Grant) > 100 || strings.ContainsFunc(l.Grant, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return owedWrong(string(name), "has a leave by a grant without a proper id")
	}
	if _, is := elsewhere(l.Project); l.Project != "" && (!is || genesis.CheckProject(l.Project) != nil) {
		return owedWrong(string(name), "has a leave by a project without a proper id")
	}
	if l.Agreement != "" {
		if _, err := genesis.ParseDigest(string(l.Agreement)); err != nil {
			return err
		}
	}
	if l.Condition == "" {
		return nil
	}
	c, err := compileCondition(l.Condition)
	if err == nil && c.here {
		err = owedWrong(string(name), "has a leave on a condition about projects, whose ids mean others here")
	}
	return err
}

// Carry has a copy owe what its node says, in the transaction that makes it. What was said
// of the same versions before is replaced: the node that said it may open or close them.
// Of the leaves, those of whoever copies. Errors: as of CheckOwed; Unavailable (too many
// grants).
func (d *Decider) Carry(ctx context.Context, tx *sql.Tx, c Copy) error {
	if err := CheckOwed(c.Node, c.Owes); err != nil {
		return err
	}
	child := assetKey{c.Child.Name, c.Child.Version}
	sources := map[assetKey]source{}
	for _, o := range c.Owes {
		k := assetKey{foreignName(c.Node, o), o.Version}
		sources[k] = source{assetKey: k, kind: o.Kind}
		if err := setForeign(ctx, tx, k, o.Terms); err != nil {
			return err
		}
		if err := d.setLeaves(ctx, tx, k, c.By, o); err != nil {
			return err
		}
	}
	heirs, err := made(ctx, tx, c.Child)
	if err != nil {
		return err
	}
	for _, of := range append(heirs, child) {
		if err := insertSources(ctx, tx, of, sources); err != nil {
			return err
		}
	}
	return nil
}

// setForeign keeps the terms of another node's version.
func setForeign(ctx context.Context, tx *sql.Tx, k assetKey, t genesis.Terms) error {
	t.At = t.At.UTC()
	body, err := encode(t)
	if err != nil {
		return store.Error("copy", string(k.name), err)
	}
	turn, err := note(ctx, tx, changeAsset, string(k.name), string(k.version))
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO policy_terms (name, version, format, body, turn) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (name, version) DO UPDATE SET format = excluded.format, body = excluded.body, turn = excluded.turn`,
		string(k.name), string(k.version), format, body, turn)
	return store.Error("copy", string(k.name), err)
}

// setLeaves replaces the leaves of a person on a version of another node.
func (d *Decider) setLeaves(ctx context.Context, tx *sql.Tx, k assetKey, by genesis.PersonID, o genesis.Owed) error {
	now := d.now().UTC()
	to := d.canonGrantee(grantee(genesis.ToPerson, string(by)))
	var want []genesis.Grant
	for _, l := range o.Leaves {
		g := genesis.Grant{Name: k.name, Version: k.version, To: to, Actions: inOrder(l.Actions), Until: l.Until, Condition: l.Condition, Licence: l.Licence,
			Purpose: l.Purpose, Agreement: l.Agreement, By: o.Terms.By, Origin: l.Grant, Project: d.ownProject(l.Project)}
		if g.Active(now) {
			want = append(want, g)
		}
	}
	have, err := leavesOf(ctx, tx, k, to)
	if err != nil {
		return err
	}
	for _, g := range have {
		if i := slices.IndexFunc(want, func(w genesis.Grant) bool { return sameLeave(w, g) }); i >= 0 {
			want = slices.Delete(want, i, i+1)
		} else if _, err := d.Revoke(ctx, tx, g.ID, by, "it was copied anew"); err != nil {
			return err
		}
	}
	for _, g := range want {
		if err := d.checkRoom(ctx, tx, g, now); err != nil {
			return err
		}
		g.ID, g.At = newID(), now
		if err := insertGrant(ctx, tx, g); err != nil {
			return err
		}
	}
	return nil
}

// leavesOf are the leaves of somebody on a version of another node.
func leavesOf(ctx context.Context, q querier, k assetKey, to genesis.Grantee) ([]genesis.Grant, error) {
	rows, err := q.QueryContext(ctx, "SELECT format, body FROM policy_grants WHERE name = $1 AND grantee = $2 AND revoked = 0 ORDER BY seq", string(k.name), string(to))
	if err != nil {
		return nil, store.Error("copy", string(k.name), err)
	}
	var all []genesis.Grant
	err = each(rows, func(g genesis.Grant) {
		if g.Version == k.version {
			all = append(all, g)
		}
	})
	return all, store.Error("copy", string(k.name), err)
}

func sameLeave(a, b genesis.Grant) bool {
	return slices.Equal(a.Actions, b.Actions) && a.Until.Equal(b.Until) && a.Condition == b.Condition && a.Licence == b.Licence &&
		a.Purpose == b.Purpose && a.Agreement == b.Agreement && a.Origin == b.Origin && a.Project == b.Project && a.By == b.By
}

// EndLeaves ends what copies here owe to a grant that the node which made it took back. It
// returns the leaves that ended: what stands on them ends within a second of the commit.
func (d *Decider) EndLeaves(ctx context.Context, tx *sql.Tx, node genesis.NodeID, origin string, by genesis.PersonID, reason string) ([]genesis.Grant, error) {
	if origin == "" {
		return nil, nil
	}
	rows, err := tx.QueryContext(ctx, "SELECT format, body FROM policy_grants WHERE name >= $1 AND name < $2 AND revoked = 0 ORDER BY seq", string(node)+"/", string(node)+"0")
	if err != nil {
		return nil, store.Error("revoke", origin, err)
	}
	var ended []genesis.Grant
	err = each(rows, func(g genesis.Grant) {
		if g.Origin == origin {
			ended = append(ended, g)
		}
	})
	if err != nil {
		return nil, store.Error("revoke", origin, err)
	}
	for i, g := range ended {
		if ended[i], err = d.Revoke(ctx, tx, g.ID, by, reason); err != nil {
			return nil, err
		}
	}
	return ended, nil
}

// BindLeaves has what copies here owe to grants to a project end with it: of people who are
// not in it, at once, and of those who are, when it ends. It returns the leaves that ended.
func (d *Decider) BindLeaves(ctx context.Context, tx *sql.Tx, p genesis.Project, by genesis.PersonID) ([]genesis.Grant, error) {
	rows, err := tx.QueryContext(ctx, `SELECT format, body FROM policy_grants WHERE revoked = 0 AND instr(body, '"project":') > 0 ORDER BY seq`)
	if err != nil {
		return nil, store.Error("revoke", p.ID, err)
	}
	var all, ended []genesis.Grant
	err = each(rows, func(g genesis.Grant) {
		if g.Project == d.ownProject(p.ID) {
			all = append(all, g)
		}
	})
	if err != nil {
		return nil, store.Error("revoke", p.ID, err)
	}
	in := map[genesis.Grantee]bool{}
	for _, m := range append(slices.Clone(p.Members), p.Lead) {
		in[d.canonGrantee(grantee(genesis.ToPerson, string(m)))] = !p.Ended
	}
	for _, g := range all {
		reason := "they are not in project " + p.ID + " any more"
		switch until := sooner(g.Until, p.Until); {
		case p.Ended:
			reason = "project " + p.ID + " has ended"
		case in[g.To] && until.Equal(g.Until):
			continue
		case in[g.To]:
			reason = "project " + p.ID + " ends earlier"
			left := g
			left.ID, left.At, left.Until = newID(), d.now().UTC(), until
			if err := insertGrant(ctx, tx, left); err != nil {
				return nil, err
			}
		}
		if g, err = d.Revoke(ctx, tx, g.ID, by, reason); err != nil {
			return nil, err
		}
		ended = append(ended, g)
	}
	return ended, nil
}

// CheckCopied reports where terms would open a version more widely than a node from which
// it, or something that it was made from, was copied; nil if nowhere. It would open to
// nobody more: the terms would only promise it. Errors: Conflict, Internal.
func (d *Decider) CheckCopied(ctx context.Context, tx *sql.Tx, name genesis.Name, version genesis.Digest, t genesis.Terms) error {
	sources, err := readSources(ctx, tx, assetKey{name, version})
	if err != nil {
		return err
	}
	widest := t.Tier
	for _, o := range t.Openings {
		if o.Tier.Wider(widest) {
			widest = o.Tier
		}
	}
	for _, s := range sources {
		if !foreign(s.name) {
			continue
		}
		of, err := readTerms(ctx, tx, s.assetKey)
		if err != nil {
			return err
		}
		if of != nil && widest.Wider(of.Tier) {
			return &genesis.Error{Op: "set terms", Kind: genesis.Conflict, Subject: string(name),
				Msg:  fmt.Sprintf("it owes to %s, of which copies are %s: it cannot be %s here", refTo(s.assetKey), of.Tier, widest),
				Hint: "publish it as " + string(of.Tier) + " or narrower; only its own node can open it more, and what is copied after that is as wide"}
		}
	}
	return nil
}

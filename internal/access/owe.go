package access

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/opengenesis/genesis"
)

// carried are the actions that a copy lets people do without asking its owner: of these
// the owner says who may.
var carried = []genesis.Action{genesis.Read, genesis.TrainOn, genesis.Infer, genesis.Evaluate}

// Owed says what a copy owes that somebody takes away: to the version itself, and to all
// that it was made from. Who may do what with the copy elsewhere is decided there, by these
// words alone; so they are never wider than what is decided here: they open to everybody
// what everybody may do, by the policies of this node, too, and everything else to the
// person who asks, as far and as long as they may. The caller has decided that they may
// read it. Errors: Internal, Unavailable.
func (d *Decider) Owed(ctx context.Context, ask Ask) ([]genesis.Owed, error) {
	now := d.now()
	var all []owing
	var set *policies
	err := d.locked(ctx, d.gen.Load(), func() error {
		q, _, err := d.question(ctx, ask, now)
		if err != nil {
			return err
		}
		all, set = nil, q.policies
		for _, f := range append([]facts{q.target}, q.sources...) {
			all = append(all, owing{facts: f, leaves: d.leaves(q.policies, f)})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var owed []genesis.Owed
	err = d.db.Snapshot(ctx, func(tx *sql.Tx) error {
		owed = nil
		for _, o := range all {
			terms, err := d.openTo(ctx, tx, set, o.facts, now)
			if err != nil {
				return err
			}
			it := genesis.Owed{Name: string(o.name), Version: o.version, Kind: o.kind, Terms: terms, Leaves: o.leaves}
			if !readable(it) {
				return &genesis.Error{Op: "copy", Kind: genesis.Permission, Subject: string(ask.Resource.Name), Msg: "what lets them read it is a condition on projects of this node, which no other can tell",
					Hint: "read it here; or ask its steward for a grant that has no such condition"}
			}
			owed = append(owed, it)
		}
		return nil
	})
	return owed, err
}

// readable reports whether what a copy owes lets anybody read it.
func readable(o genesis.Owed) bool {
	return o.Terms.Tier != genesis.TierControlled || slices.ContainsFunc(o.Leaves, func(l genesis.Leave) bool { return slices.Contains(l.Actions, genesis.Read) })
}

// owing is one version that a copy owes to.
type owing struct {
	facts
	leaves []genesis.Leave
}

// leaves are what the asker may do with a thing because of who they are, and what their
// grants say. The caller holds d.mu.
func (d *Decider) leaves(set *policies, f facts) []genesis.Leave {
	var all []genesis.Leave
	for _, g := range f.held.grants {
		actions := slices.DeleteFunc(slices.Clone(carried), func(a genesis.Action) bool { return !slices.Contains(g.Actions, a) })
		if len(actions) == 0 || g.condition != nil && g.condition.here {
			continue
		}
		leave := genesis.Leave{Actions: actions, Until: g.Until, Condition: g.Condition, Licence: g.Licence, Purpose: g.Purpose, Agreement: g.Agreement, Grant: g.ID}
		if g.Origin != "" {
			leave.Grant = g.Origin
		}
		leave.Project = g.Project
		if kind, id := g.To.Split(); kind == genesis.ToProject {
			leave.Project, leave.Until = id, sooner(leave.Until, d.index.projects[id].Until)
		}
		if _, is := elsewhere(leave.Project); leave.Project != "" && !is {
			leave.Project = string(d.node) + "/" + leave.Project
		}
		all = append(all, leave)
	}
	bare := f
	bare.held = held{}
	actions := slices.DeleteFunc(slices.Clone(carried), func(a genesis.Action) bool { return !set.judge(bare, a).allowed })
	if len(actions) > 0 {
		all = append(all, genesis.Leave{Actions: actions})
	}
	return all
}

// openTo are the terms of a copy: those of the thing, with the tier that it has for
// everybody. Openings that lie ahead do not travel: they can be withdrawn.
func (d *Decider) openTo(ctx context.Context, tx *sql.Tx, set *policies, f facts, now time.Time) (genesis.Terms, error) {
	t := f.terms
	if f.tier == "" || t.By == "" { // a draft, and what was lowered without ever having had terms
		t = genesis.Terms{Sensitivity: genesis.Uncontrolled, ExportControl: genesis.NoExportControl, By: genesis.PersonID(f.creator), At: now.UTC()}
		if t.By == "" {
			t.By = LocalSubject
		}
	}
	t.Format, t.Partners, t.Openings, t.Training = genesis.TermsFormat, nil, nil, genesis.TrainingTerms{}
	node, subject := t.By.Split(d.node)
	t.By = genesis.PersonOf(node, subject)
	var err error
	if t.Tier, t.Hidden, err = d.generalTier(ctx, tx, set, f, t.Uses, now); err != nil {
		return t, err
	}
	return t, nil
}

// generalTier is the tier whose rules let everybody do no more than they may here: of the
// four actions each that is not marked otherwise. What the institution permits to some does
// not count, and where it forbids something to some, nobody has it for being anybody.
func (d *Decider) generalTier(ctx context.Context, tx *sql.Tx, set *policies, f facts, uses genesis.Uses, now time.Time) (tier genesis.Tier, hidden bool, err error) {
	of := Resource{Name: f.name, Version: f.version, State: f.state, Kind: f.kind}
	reach := func(a genesis.Action) Reach {
		var r Reach
		if err == nil {
			r, err = d.reach(ctx, tx, set.builtIn, Ask{Action: a, Resource: of, Outside: a != genesis.Discover}, now)
		}
		return r
	}
	tier = genesis.TierPublic
	for _, a := range carried {
		if a != genesis.Read && uses.Of(a) != genesis.UseYes {
			continue
		}
		switch r := reach(a); {
		case !r.Of(genesis.ClassMembers) || set.ownForbids(a):
			tier = genesis.TierControlled
		case a == genesis.Read && !r.Of(genesis.ClassPublic) && tier == genesis.TierPublic:
			tier = genesis.TierRegistered
		}
	}
	if tier == genesis.TierControlled {
		hidden = !reach(genesis.Discover).Of(genesis.ClassMembers) || set.ownForbids(genesis.Discover)
	}
	return tier, hidden, err
}

package access

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
)

// Outlook is what somebody may know of because of who they are, whatever there is:
// together with [Reach] of each version it says what a search may show without asking for
// each version. What they hold beside, [Decider.Leads] leads to.
type Outlook struct {
	Person  genesis.PersonID // as versions name who made them; "": nobody
	Classes []genesis.Class  // what everybody of these may know of, they may
	Home    bool             // they are of this node: Reach.Home is for them
	Steward bool             // of all of this node: Reach.Stewards is for them
	Narrow  []genesis.Name   // the token that they came with reaches these alone; nil: everything
	// Exact is false where Reach does not tell everything: an institution's own policies
	// may look at what is not known of a class. Then each version is to be decided.
	Exact bool
}

// Outlook returns that of somebody.
func (d *Decider) Outlook(who genesis.Principal) Outlook {
	d.mu.RLock()
	p, plain := d.person(who, d.index), !d.policies.own
	d.mu.RUnlock()
	_, vouched := vouched(d.charter, genesis.Principal{Node: d.node, Subject: LocalSubject})
	o := Outlook{Classes: []genesis.Class{genesis.ClassPublic}, Exact: plain && vouched}
	if p.SignedIn() {
		o.Person = genesis.PersonID(p.id)
	}
	var wide bool
	if o.Narrow, wide = narrowed(who); !wide && o.Narrow == nil {
		o.Narrow = []genesis.Name{} // it reaches nothing that is found
	}
	switch {
	case !p.registered || !wide:
		return o
	case p.Vetting == genesis.VettingRefused: // what is public is left, and to stewards more of that than to others
		o.Exact = o.Exact && !(p.home && p.Has(genesis.DutySteward))
		return o
	}
	o.Classes = append(o.Classes, genesis.ClassMembers, genesis.ClassOf(genesis.NodeID(p.member)))
	o.Home, o.Steward = p.home, p.home && p.Has(genesis.DutySteward)
	return o
}

// narrowed returns the assets that a token reaches, or that it reaches all.
func narrowed(who genesis.Principal) (names []genesis.Name, wide bool) {
	for _, s := range who.Scopes {
		act, only, narrow := strings.Cut(string(s), ":")
		switch {
		case act == string(genesis.Operate):
		case !narrow:
			return nil, true
		default:
			names = append(names, genesis.Name(only))
		}
	}
	return names, who.Scopes == nil
}

// Leads are names on which somebody holds grants, or of which something was made for a
// project of theirs, in order: to what they may know of
// beside their [Outlook] these lead, and their own. It is for [Decider.Decide] to say.
func (d *Decider) Leads(ctx context.Context, who genesis.Principal) ([]genesis.Name, error) {
	all := map[genesis.Name]bool{}
	var projects []string
	err := d.locked(ctx, d.gen.Load(), func() error {
		p := d.person(who, d.index)
		projects, _ = d.index.current(p.Projects, d.now())
		to := p.grantees()
		for name, byGrantee := range d.index.grants {
			if slices.ContainsFunc(to, func(g genesis.Grantee) bool { return len(byGrantee[g]) > 0 }) {
				all[name] = true
			}
		}
		return nil
	})
	for _, id := range projects {
		if err == nil {
			err = d.madeForProject(ctx, id, all)
		}
	}
	return slices.Sorted(maps.Keys(all)), err
}

// Generation moves on whenever something changes that decisions are made from. What
// follows from decisions holds as long as it stands, and their times.
func (d *Decider) Generation() uint64 { return d.gen.Load() }

//go:build linux || darwin

package node

import (
	"fmt"
	"slices"
	"time"

	"github.com/opengenesis/genesis"
)

// asset is what the model of a history knows of one dataset.
type asset struct {
	at       genesis.NodeID
	name     string
	state    genesis.State
	tier     genesis.Tier
	partners []string
	opens    time.Time // to public, from then on; zero: never
	hidden   bool
	grants   []lent
	said     map[string]int // acts that were acknowledged, which the owner's journal must have
	maybe    map[string]int // acts of which the answer was lost, which it may have
	csv      string         // what it has
	digest   genesis.Digest
	known    map[soul]bool                 // who could know of it at some time
	blunder  func(a *asset, may bool) bool // has the model be wrong; nil: it is not
}

// ref names its version: a draft has no number yet.
func (a *asset) ref() string {
	if a.state == genesis.Draft {
		return a.name
	}
	return a.name + "@1"
}

// lent is a grant that is in force.
type lent struct {
	id      string
	to      genesis.Grantee
	actions []genesis.Action
	until   time.Time
}

// soul is somebody with an account.
type soul struct {
	home genesis.NodeID
	name string
}

func (p soul) person() genesis.PersonID { return genesis.PersonID(string(p.home) + "/" + p.name) }

// reaches reports whether a grant at a node is to somebody.
func (l lent) reaches(p soul) bool {
	switch kind, id := l.to.Split(); kind {
	case genesis.ToPerson:
		return id == string(p.person())
	case genesis.ToInstitution:
		return id == string(p.home)
	default:
		return id == string(sectorOf(p.home))
	}
}

// tierAt is the tier in force by the owner's clock.
func (a *asset) tierAt(now time.Time) genesis.Tier {
	if !a.opens.IsZero() && !now.Before(a.opens) {
		return genesis.TierPublic
	}
	return a.tier
}

// may says whether somebody may do something by the owner's clock.
func (a *asset) may(p soul, action genesis.Action, now time.Time) bool {
	may := a.policy(p, action, now)
	if a.blunder != nil {
		return a.blunder(a, may)
	}
	return may
}

// policy says by docs/policy.md, and by nothing of the program, whether somebody who is no
// steward may do something by the owner's clock.
func (a *asset) policy(p soul, action genesis.Action, now time.Time) bool {
	tier := a.tierAt(now)
	holds, any := false, false
	for _, l := range a.grants {
		if l.reaches(p) && (l.until.IsZero() || now.Before(l.until)) {
			any = true
			holds = holds || slices.Contains(l.actions, action)
		}
	}
	partner := slices.Contains(a.partners, string(p.home)) || slices.Contains(a.partners, string(sectorOf(p.home)))
	if a.state == genesis.Draft || action != genesis.Discover && a.state != genesis.Published {
		return false
	}
	switch {
	case tier == genesis.TierPublic, tier == genesis.TierRegistered:
		return true
	case tier == genesis.TierPartner && partner:
		return true
	case action == genesis.Discover:
		return any || tier == genesis.TierControlled && !a.hidden
	case tier == genesis.TierRestricted && action == genesis.Read:
		return false
	}
	return holds
}

// listed is how a node that is not the owner mirrors an asset, by the owner's clock; "": it
// does not.
func (a *asset) listed(by genesis.NodeID, now time.Time) string {
	class, tier := "", a.tierAt(now)
	switch {
	case a.state != genesis.Published:
	case tier == genesis.TierPublic:
		class = "public"
	case tier == genesis.TierRegistered, tier == genesis.TierControlled && !a.hidden:
		class = "members"
	case a.may(soul{by, "?"}, genesis.Discover, now): // anybody there: no grant names them
		class = "to-" + string(by)
	}
	if class == "" {
		return ""
	}
	return fmt.Sprintf("%s %s/%s@1 %s", class, a.at, a.name, tier)
}

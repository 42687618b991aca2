package work

import (
	"cmp"
	"context"
	"slices"

	"github.com/opengenesis/genesis"
)

// learner is who trains without reading, as it is counted. People of another node are whom
// that node says: it can make up as many as it likes. So what all of them train on is
// compared, and who was not named here has no trainings of their own, but some of those
// that their node has.
type learner struct {
	id   genesis.PersonID // under whom trainings are counted: somebody, or "mit/", a node's people
	node genesis.NodeID   // another; "": this one
}

// learner finds out as whom somebody trains on a version.
func (s *Service) learner(ctx context.Context, who genesis.Principal, v genesis.Version) (learner, error) {
	l := learner{id: who.Person()}
	if s.home(who) {
		return l, nil
	}
	l.node = who.Node
	grants, err := s.Access.GrantsOf(ctx, who, v.Name)
	named := slices.ContainsFunc(grants, func(g genesis.Grant) bool {
		kind, _ := g.To.Split()
		return kind == genesis.ToPerson && slices.Contains(g.Actions, genesis.TrainOn) && cmp.Or(g.Version, v.Digest) == v.Digest
	})
	if !named {
		l.id = genesis.PersonID(l.node + "/")
	}
	return l, err
}

// together are the people whose trainings are compared with one another: the one, and
// those from first up to, and without, last.
func (l learner) together() (one genesis.PersonID, first, last string) {
	if l.node == "" {
		return l.id, "", ""
	}
	return l.id, string(l.node) + "/", string(l.node) + "0" // 0 comes after /
}

// have says who has trained on what theirs is compared with.
func (l learner) have() string {
	if l.node == "" {
		return "you have"
	}
	return "people of " + string(l.node) + " have"
}

// spent says who has spent the trainings of which theirs is one.
func (l learner) spent() string {
	if l.node != "" && l.id != genesis.PersonID(l.node+"/") {
		return "you have"
	}
	return l.have()
}

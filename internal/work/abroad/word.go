package abroad

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/opengenesis/genesis"
)

// The kinds of messages, as docs/federation.md has them.
const (
	KindRequest   = "request"
	KindSaid      = "request-said"
	KindWithdrawn = "request-withdrawn"
	KindState     = "request-state"
	KindGranted   = "granted"
	KindRevoked   = "revoked"
	KindProject   = "project"
)

// Asked is the body of a request, and of what its asker says and does later: By is the
// asker as their home vouches for them.
type Asked struct {
	By      genesis.Vouched    `json:"by"`
	Ask     genesis.AskRequest `json:"ask,omitzero"`
	Message *genesis.Message   `json:"message,omitempty"`
}

// Word is the body of what an owner says of a request, a grant or a project of its own.
type Word struct {
	Turn    int64                  `json:"turn,omitempty"`
	Request *genesis.AccessRequest `json:"request,omitempty"`
	Message *genesis.Message       `json:"message,omitempty"`
	Grant   *genesis.Grant         `json:"grant,omitempty"`
	Project *genesis.Project       `json:"project,omitempty"`
}

// Bounds of what another node may say.
const (
	maxText    = 4000
	maxShort   = 200
	maxTurn    = 1 << 53 // what JSON can say
	maxOfPeer  = 20_000  // rows of each sort that one node may have here
	maxOpen    = 100     // requests of one person that wait for an answer
	maxSaid    = 400     // messages of one request
	maxMembers = 10_000
	maxIn      = 100_000 // memberships of people here in all projects of one node
)

func bad(what string) error {
	return &genesis.Error{Op: "take message", Kind: genesis.Invalid, Msg: what}
}

func notTheirs(id string) error {
	return &genesis.Error{Op: "take message", Kind: genesis.NotFound, Subject: id, Msg: "there is nothing of this id that is yours to speak of"}
}

// text reports whether s is a text of at most n bytes, or none.
func text(s string, n int) bool { return len(s) <= n && utf8.ValidString(s) }

// ID reports whether s can be the id of a request or a grant.
func ID(s string) bool {
	return len(s) >= 16 && len(s) <= 64 && !strings.ContainsFunc(s, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' })
}

func checkTurn(turn int64) error {
	if turn <= 0 || turn >= maxTurn {
		return bad("its turn is none")
	}
	return nil
}

// states are those that an owner says.
var states = []genesis.RequestState{genesis.RequestOpen, genesis.RequestApproved, genesis.RequestDenied, genesis.RequestWithdrawn, genesis.RequestEnded}

// checkRequest reports what no owner may say of a request of somebody of this node.
func checkRequest(r *genesis.AccessRequest, peer, self genesis.NodeID) error {
	switch {
	case r == nil || !ID(r.ID):
		return bad("it has no request, or one without an id")
	case r.By.Node != self || genesis.CheckSubject(r.By.Subject) != nil:
		return bad("the request is nobody's of this node")
	case genesis.CheckName(r.Name) != nil || r.Version != "" && !digest(r.Version) || r.Agreement != "" && !digest(r.Agreement):
		return bad("what it asks for is no version")
	case !actions(r.Actions) || !actions(r.Granted):
		return bad("what it asks for cannot be granted")
	case !slices.Contains(states, r.State):
		return bad(fmt.Sprintf("%.40q is no state that an owner says", r.State))
	case !text(r.Purpose, maxText) || !text(r.Reason, maxText) || r.Project != "" && genesis.CheckProject(r.Project) != nil || !text(r.Grant, maxShort) || !text(r.Renews, maxShort):
		return bad("a text of it is too long, or its project is none")
	case r.DecidedBy != "" && !of(r.DecidedBy, peer, self):
		return bad("it was decided by somebody of another node")
	}
	return nil
}

// checkGrant reports what no owner may say of a grant.
func checkGrant(g *genesis.Grant, peer, self genesis.NodeID) error {
	switch {
	case g == nil || !ID(g.ID):
		return bad("it has no grant, or one without an id")
	case genesis.CheckName(g.Name) != nil || g.Version != "" && !digest(g.Version) || g.Agreement != "" && !digest(g.Agreement):
		return bad("what it grants is no version")
	case len(g.Actions) == 0 || !actions(g.Actions):
		return bad("what it grants cannot be granted")
	case !text(g.Purpose, maxText) || !text(g.Reason, maxText) || !text(g.Condition, maxText) || !text(g.Licence, maxShort) || !text(g.Request, maxShort):
		return bad("a text of it is too long")
	case g.Origin != "":
		return bad("it is of a copy, and no grant of its own")
	case genesis.CheckGrantee(g.To) != nil || g.Revoked == nil && !concerns(g.To, peer, self): // whoever copied by it may be here
		return bad(fmt.Sprintf("%.100q is nobody of this node", g.To))
	case g.By != "" && !of(g.By, peer, peer) || g.RevokedBy != "" && !of(g.RevokedBy, peer, peer):
		return bad("it was made by somebody of another node")
	}
	return nil
}

// concerns reports whether a grant of a peer reaches somebody of this node, or a project
// whose home this is.
func concerns(to genesis.Grantee, peer, self genesis.NodeID) bool {
	if genesis.CheckGrantee(to) != nil {
		return false
	}
	kind, id := to.Split()
	home, _, elsewhere := strings.Cut(id, "/")
	switch kind {
	case genesis.ToPerson, genesis.ToProject:
		return elsewhere && (genesis.NodeID(home) == self || kind == genesis.ToProject && genesis.NodeID(home) == peer)
	case genesis.ToInstitution:
		return genesis.NodeID(id) == self
	}
	return false
}

// checkProject reports what no node may say of a project of its own. It is told with its
// members of this node alone.
func checkProject(p *genesis.Project, peer, self genesis.NodeID) error {
	home, id, _ := strings.Cut(idOf(p), "/")
	switch {
	case p == nil || genesis.NodeID(home) != peer || genesis.CheckProject(p.ID) != nil || id == "":
		return bad("it has no project, or one of another node")
	case len(p.Members) > maxMembers:
		return bad("its project has too many members")
	case genesis.CheckPerson(p.Lead) != nil:
		return bad("its project has no lead")
	case !text(p.Title, maxText) || !text(p.Purpose, maxText) || !text(p.Agreement, maxText) || !text(p.Results, maxText) || !text(string(p.By), maxShort):
		return bad("a text of it is too long")
	case slices.ContainsFunc(p.Members, func(m genesis.PersonID) bool { return !of(m, self, self) }):
		return bad("it names members that are not of this node")
	case len(slices.Compact(slices.Sorted(slices.Values(p.Members)))) < len(p.Members): // who is bounded by how many there are
		return bad("it names a member twice")
	}
	return nil
}

func idOf(p *genesis.Project) string {
	if p == nil {
		return ""
	}
	return p.ID
}

// of reports whether a person is named in full, as of one of two nodes.
func of(p genesis.PersonID, a, b genesis.NodeID) bool {
	node, _ := p.Split("")
	return node != "" && (node == a || node == b) && genesis.CheckPerson(p) == nil
}

func digest(d genesis.Digest) bool {
	_, err := genesis.ParseDigest(string(d))
	return err == nil
}

func actions(all []genesis.Action) bool {
	return len(all) <= len(genesis.Grantable) && !slices.ContainsFunc(all, func(a genesis.Action) bool { return !slices.Contains(genesis.Grantable, a) })
}

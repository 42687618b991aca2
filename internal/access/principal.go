package access

import (
	"slices"
	"strings"

	"github.com/cedar-policy/cedar-go"
	"github.com/opengenesis/genesis"
)

// LocalSubject is the subject of the home's owner. No account may have it.
const LocalSubject = "local"

// Local is the home's owner on the home's own socket: steward, operator and
// officer. Whoever sits at the home's user account has its files, so they count as
// surely recognised.
func Local(node genesis.NodeID) genesis.Principal {
	return genesis.Principal{Subject: LocalSubject, Node: node, Duties: genesis.Duties, Assurance: genesis.AssuranceMFA}
}

// Charter lists the members of the federation, as all of them signed it. It must
// answer at once and be safe for concurrent use; whoever changes it calls
// [Decider.Changed].
type Charter interface {
	Member(genesis.NodeID) (genesis.Member, bool)
	Members() []genesis.Member
}

// Alone is the charter of a node that is in no federation: itself.
func Alone(m genesis.Member) Charter { return Chartered(m) }

// Chartered is a charter of these members.
func Chartered(members ...genesis.Member) Charter { return roll(members) }

type roll []genesis.Member

func (r roll) Members() []genesis.Member { return slices.Clone(r) }

func (r roll) Member(id genesis.NodeID) (genesis.Member, bool) {
	i := slices.IndexFunc(r, func(m genesis.Member) bool { return m.ID == id })
	if i < 0 {
		return genesis.Member{}, false
	}
	return r[i], true
}

// Complete returns p with institution and sector as the charter has them for
// their node; somebody of no member has neither, whatever they came with.
func Complete(c Charter, p genesis.Principal) genesis.Principal {
	m, _ := vouched(c, p)
	p.Institution, p.Sector = m.Institution, m.Sector
	if p.Institution == "" {
		p.Institution = string(m.ID)
	}
	return p
}

// vouched returns the member that vouches for p. A member whose id is the name of
// a sector could pass for all of it among the partners of an asset, and a subject
// with a slash for somebody of another node, so neither is vouched for.
func vouched(c Charter, p genesis.Principal) (genesis.Member, bool) {
	m, ok := c.Member(p.Node)
	if !ok || genesis.CheckSubject(p.Subject) != nil || slices.Contains(genesis.Sectors, genesis.Sector(m.ID)) {
		return genesis.Member{}, false
	}
	return m, true
}

// person is a principal as decisions see it: nothing here is as the asker says.
type person struct {
	genesis.Principal        // institution, sector and projects filled in, duties of home people only
	id                string // "ada" of this node, "ornl/bob" of another; "" nobody
	member            string // id of the charter's member
	registered        bool
	home, owner       bool
	abroad            genesis.NodeID // what people of other nodes call this one
	built             *cedar.Entity  // as policies see them
}

// person looks p up. Its home node may be empty, which means this one.
func (d *Decider) person(p genesis.Principal, ix *index) person {
	if p.Node == "" {
		p.Node = d.node
	}
	m, registered := vouched(d.charter, p)
	p = Complete(d.charter, p)
	who := person{Principal: p, registered: registered, member: string(m.ID), home: registered && p.Node == d.node}
	if !who.home {
		who.Duties = nil
	}
	if registered && !who.home {
		who.abroad = d.node
	}
	who.id = d.canon(p.Person())
	who.Projects = d.projectsOf(p, ix.memberOf[who.id])
	who.owner = who.home && p.Subject == LocalSubject && p.Has(genesis.DutySteward)
	return who
}

// projectsOf are the projects that a person is in: those of this node by its own table,
// whatever they came with; those of others as they came with them.
func (d *Decider) projectsOf(p genesis.Principal, own []string) []string {
	all := own
	for _, id := range p.Projects {
		if home, is := elsewhere(id); is && home != d.node && genesis.CheckProject(id) == nil {
			all = append(slices.Clip(all), id)
		}
	}
	return all
}

// ownProject is how a project is named in here: those of this node without it.
func (d *Decider) ownProject(id string) string { return strings.TrimPrefix(id, string(d.node)+"/") }

// among is the first of some projects that the person is in, "" if it is none.
func (p person) among(projects []string) string {
	i := slices.IndexFunc(projects, func(id string) bool { return slices.Contains(p.Projects, id) })
	if i < 0 || !p.registered {
		return ""
	}
	return projects[i]
}

// canon is how a person is named in here: people of this node without it, so that
// a node that is given a name later still knows its own.
func (d *Decider) canon(p genesis.PersonID) string {
	node, subject := p.Split(d.node)
	if node == d.node || node == "" {
		return subject
	}
	return string(node) + "/" + subject
}

// grantees are whom a grant may name to reach the person.
func (p person) grantees() []genesis.Grantee {
	if !p.registered {
		return nil
	}
	to := make([]genesis.Grantee, 0, 3+len(p.Projects))
	to = append(to, grantee(genesis.ToPerson, p.id), grantee(genesis.ToInstitution, p.member), grantee(genesis.ToSector, string(p.Sector)))
	for _, id := range p.Projects {
		to = append(to, grantee(genesis.ToProject, id))
	}
	return to
}

func grantee(kind genesis.GranteeKind, id string) genesis.Grantee {
	return genesis.Grantee(string(kind) + ":" + id)
}

// stewards reports whether the person stewards what is called name: by duty, or
// because it is their own. What is of another node nobody stewards here.
func (p person) stewards(name genesis.Name) bool {
	return !foreign(name) && (p.home && p.Has(genesis.DutySteward) || p.registered && p.id != "" && ownerOf(name) == p.id)
}

// toward is the person as one who asks for something of another node: to own this home
// excepts them from nothing there.
func (p person) toward(name genesis.Name) person {
	if p.owner && foreign(name) {
		p.owner = false
		p.built = p.entity()
	}
	return p
}

// ownerOf returns whose "~subject/name" or "~subject+node/name" a name is, as people are
// named in here, or "".
func ownerOf(name genesis.Name) string {
	return strings.TrimPrefix(string(name.Owner("")), "/")
}

// inScope reports whether the token p came with reaches so far. A token that
// lets somebody do anything to an asset lets them know that it exists.
func inScope(p genesis.Principal, a genesis.Action, name genesis.Name) bool {
	if p.InScope(a, name) {
		return true
	}
	return a == genesis.Discover && slices.ContainsFunc(p.Scopes, func(s genesis.Scope) bool {
		act, only, narrow := strings.Cut(string(s), ":")
		return act != string(genesis.Operate) && (!narrow || genesis.Name(only) == name)
	})
}

func personUID(id string) cedar.EntityUID { return cedar.NewEntityUID("Person", cedar.String(id)) }

// entity is the person as policies see them.
func (p person) entity() *cedar.Entity {
	return &cedar.Entity{UID: personUID(p.id), Attributes: cedar.NewRecord(cedar.RecordMap{
		"home":        cedar.Boolean(p.home),
		"owner":       cedar.Boolean(p.owner),
		"registered":  cedar.Boolean(p.registered),
		"member":      cedar.String(p.member),
		"sector":      cedar.String(p.Sector),
		"duties":      texts(p.Duties),
		"mfa":         cedar.Boolean(p.Assurance == genesis.AssuranceMFA),
		"vetting":     cedar.String(p.Vetting),
		"citizenship": cedar.String(p.Citizenship),
		"student":     cedar.Boolean(p.Student),
		"projects":    texts(p.Projects),
	})}
}

// texts is a Cedar set of strings.
func texts[S ~string](all []S) cedar.Set {
	values := make([]cedar.Value, len(all))
	for i, s := range all {
		values[i] = cedar.String(s)
	}
	return cedar.NewSet(values...)
}

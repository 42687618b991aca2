package identity

import (
	"context"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access/identity/vouch"
)

// Vouched is what this node says of somebody of its own in a message to another. It says
// what holds now. Errors: Permission, Unsupported (this node vouches for nobody),
// Unavailable (the charter is out of date).
func (i *Identity) Vouched(ctx context.Context, who genesis.Principal) (genesis.Vouched, error) {
	const op = "vouch"
	if !i.home(who) || !who.SignedIn() || who.Subject == genesis.NodeSubject {
		return genesis.Vouched{}, refuse(op, who.Subject, "a node vouches for its own people, and nobody of them is signed in")
	}
	signer, err := i.signer(op)
	if err != nil {
		return genesis.Vouched{}, err
	}
	now := i.now()
	if who, err = i.current(ctx, who, now); err != nil {
		return genesis.Vouched{}, err
	}
	scopes, err := abroad(op, who.Scopes, nil)
	if err != nil {
		return genesis.Vouched{}, err
	}
	v := genesis.Vouched{Subject: who.Subject, Scopes: scopes, Assurance: who.Assurance, Vetting: who.Vetting, Citizenship: who.Citizenship, Student: who.Student, Purpose: who.Purpose}
	v.Projects, err = i.memberships(ctx, op, signer, genesis.PersonOf(i.node, who.Subject), now)
	return v, err
}

// Believed is whom a member's node vouches for in a message that was verified as its.
// The id of the message stands for the credential by which they come. Errors: Permission
// (with a Code), Unavailable (the charter is out of date).
func (i *Identity) Believed(m genesis.PeerMessage, v genesis.Vouched) (genesis.Principal, error) {
	if err := i.upToDate("take message"); err != nil {
		return genesis.Principal{}, err
	}
	of, ok := i.member(m.From)
	if !ok {
		return genesis.Principal{}, guestRefusal(genesis.CodeBadIssuer, "message", "%s is no member of the federation", m.From)
	}
	if err := vouch.CheckPerson(v); err != nil {
		return genesis.Principal{}, err
	}
	p := genesis.Principal{Subject: v.Subject, Node: m.From, Institution: of.Institution, Sector: of.Sector, Credential: messageCredential + m.ID,
		Assurance: v.Assurance, Vetting: v.Vetting, Citizenship: v.Citizenship, Student: v.Student, Scopes: v.Scopes, Purpose: v.Purpose}
	for _, in := range i.checked(v.Projects, p.Person(), i.now()) {
		p.Projects = append(p.Projects, in.ID())
	}
	if len(p.Purpose) > maxPurpose {
		return genesis.Principal{}, guestRefusal(genesis.CodeMalformed, "message", "its purpose is longer than %d bytes", maxPurpose)
	}
	return p, nil
}

// maxPurpose bounds what somebody says that they ask for.
const maxPurpose = 1000

// ProjectToken says to whomever it may concern, for an hour at most and not beyond a time
// (zero: none), that somebody is in a project of this node. Errors: Unsupported (this node
// vouches for nobody), Unavailable (the charter is out of date).
func (i *Identity) ProjectToken(person genesis.PersonID, project string, until time.Time) (string, error) {
	const op = "vouch"
	signer, err := i.signer(op)
	if err != nil {
		return "", err
	}
	now := i.now()
	ends := now.Add(vouch.ProjectLife)
	if !until.IsZero() && until.Before(ends) {
		ends = until
	}
	text, err := signer.Membership(vouch.Membership{Home: i.node, Person: person, Project: project, Issued: vouch.At(now), Expires: vouch.At(ends)})
	if err != nil {
		return "", fault(op, string(person), err)
	}
	return text, nil
}

// InProject reads what another node says of somebody: in which project they are, "nrel/wind",
// and until when that holds. Errors: Permission (with a Code).
func (i *Identity) InProject(token string, person genesis.PersonID) (project string, until time.Time, err error) {
	m, err := i.checker().Membership(token, person, i.now())
	return m.ID(), m.Expires.Time, err
}

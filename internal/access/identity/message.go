package identity

import (
	"context"

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

package identity

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access/identity/vouch"
)

// PeerToken vouches for somebody of this node at another: what it says of them is what
// holds here now, and counts there no longer than the credential by which they came. It
// is narrowed like that credential, and further when asked to be. Errors: Permission,
// Invalid, Unsupported (this node vouches for nobody), Unavailable (the charter is out of
// date).
func (i *Identity) PeerToken(ctx context.Context, who genesis.Principal, r genesis.PeerTokenRequest) (genesis.PeerToken, error) {
	const op = "vouch"
	if !i.home(who) || !who.SignedIn() || who.Subject == genesis.NodeSubject {
		return genesis.PeerToken{}, refuse(op, who.Subject, "a node vouches for its own people, and nobody of them is signed in")
	}
	signer, audience, err := i.peer(op, r.Audience, r.Key)
	if err != nil {
		return genesis.PeerToken{}, err
	}
	now := i.now()
	until, signedIn, err := i.lasts(ctx, op, who, now)
	if err != nil {
		return genesis.PeerToken{}, err
	}
	if who, err = i.current(ctx, who, now); err != nil {
		return genesis.PeerToken{}, err
	}
	scopes, err := abroad(op, who.Scopes, r.Scopes)
	if err != nil {
		return genesis.PeerToken{}, err
	}
	w := i.word(audience.ID, who.Subject, r.Key, now)
	w.Assurance, w.Vetting, w.Citizenship, w.Student, w.Scopes = who.Assurance, who.Vetting, who.Citizenship, who.Student, scopes
	w.SignedIn, w.Until = vouch.At(signedIn), vouch.At(until)
	if w.Expires.After(w.Until.Time) {
		w.Expires = w.Until
	}
	if w.Projects, err = i.memberships(ctx, op, signer, w.Person(), now); err != nil {
		return genesis.PeerToken{}, err
	}
	return i.vouched(ctx, op, signer, audience, w, who.Credential)
}

// NodeToken lets this node ask another in its own name, as PeerToken lets its people.
// thumbprint is that of the secret it will sign its requests with. Errors: Invalid,
// Unsupported, Unavailable.
func (i *Identity) NodeToken(ctx context.Context, audience genesis.NodeID, thumbprint string) (genesis.PeerToken, error) {
	const op = "vouch"
	signer, m, err := i.peer(op, audience, thumbprint)
	if err != nil {
		return genesis.PeerToken{}, err
	}
	return i.vouched(ctx, op, signer, m, i.word(m.ID, genesis.NodeSubject, thumbprint, i.now()), "")
}

// peer finds what it takes to vouch at another node.
func (i *Identity) peer(op string, audience genesis.NodeID, thumbprint string) (s vouch.Signer, m genesis.Member, err error) {
	if s, err = i.signer(op); err != nil {
		return s, m, err
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(thumbprint)
	if err != nil || len(raw) != 32 {
		return s, m, &genesis.Error{Op: op, Kind: genesis.Invalid, Subject: string(audience), Msg: "key is not a thumbprint by SHA-256", Hint: "send that of the secret with which requests will be signed"}
	}
	if audience == i.node {
		return s, m, invalid(op, string(audience), "that is this node: no token is needed at home")
	}
	if m, ok := i.charter.Member(audience); ok {
		return s, m, nil
	}
	return s, m, &genesis.Error{Op: op, Kind: genesis.Invalid, Code: genesis.CodeBadAudience, Subject: string(audience), Msg: "is no member of the federation", Hint: "`genesis members` lists them"}
}

// signer signs what this node says of its people to other members.
func (i *Identity) signer(op string) (s vouch.Signer, err error) {
	if i.token != nil {
		s.ID, s.Key = i.token()
	}
	if s.ID == "" || i.charter == nil {
		return s, &genesis.Error{Op: op, Kind: genesis.Unsupported, Subject: string(i.node), Msg: "this node is in no federation, and vouches for nobody"}
	}
	if _, ok := i.charter.Member(i.node); !ok {
		return s, &genesis.Error{Op: op, Kind: genesis.Unsupported, Subject: string(i.node), Msg: "this node is no member of its federation any more, and vouches for nobody"}
	}
	return s, i.upToDate(op)
}

// dated is a charter that has to be signed anew from time to time.
type dated interface {
	Fresh() time.Time // until when it is current; zero: for ever
}

// upToDate refuses to go by a charter that is past its end: keys and members in it may
// have been taken back. What is done at home does not ask.
func (i *Identity) upToDate(op string) error {
	d, ok := i.charter.(dated)
	if !ok {
		return nil
	}
	if end := d.Fresh(); end.IsZero() || i.now().Before(end) {
		return nil
	}
	return &genesis.Error{Op: op, Kind: genesis.Unavailable, Subject: string(i.node), Msg: "the charter is past its end, " + d.Fresh().UTC().Format(time.RFC3339) + ": nobody is vouched for until a newer one arrives",
		Hint: "`genesis federation show --refresh` asks for it"}
}

// lasts is until when somebody's credential is good, and when they signed in.
func (i *Identity) lasts(ctx context.Context, op string, who genesis.Principal, now time.Time) (until, signedIn time.Time, err error) {
	if who.Credential == "" && who.Subject == localSubject { // on the home's socket: the kernel's word
		return now.Add(i.limits.Session), now, nil
	}
	t, err := i.valid(ctx, i.db.Read(), op, who)
	if err != nil {
		return until, signedIn, err
	}
	return timeAt(t.expires), timeAt(t.signedIn), nil
}

// abroad returns the scopes of a token for another node. A scope that names an asset
// means one of this node, so that it allows nothing at another. Errors: Permission,
// Invalid.
func abroad(op string, own, asked []genesis.Scope) ([]genesis.Scope, error) {
	if len(asked) > vouch.MaxScopes {
		return nil, invalid(op, "", fmt.Sprintf("a token has at most %d scopes", vouch.MaxScopes))
	}
	for _, s := range asked {
		if err := genesis.CheckScope(s); err != nil {
			return nil, err
		}
	}
	if own != nil {
		own = slices.DeleteFunc(slices.Clone(own), func(s genesis.Scope) bool { return strings.Contains(string(s), ":") })
		if len(own) == 0 {
			return nil, &genesis.Error{Op: op, Kind: genesis.Permission, Msg: "your token is narrowed to things of this node, and lets you do nothing at others", Hint: "`genesis login` signs in; a token with scopes that name no asset does as well"}
		}
	}
	scopes, err := narrow(op, own, asked)
	if err != nil || !scopes.set {
		return nil, err
	}
	if len(scopes.list) > vouch.MaxScopes {
		return nil, invalid(op, "", fmt.Sprintf("a token has at most %d scopes", vouch.MaxScopes))
	}
	return scopes.list, nil
}

// word begins a word about somebody of this node.
func (i *Identity) word(audience genesis.NodeID, subject, thumbprint string, now time.Time) vouch.Word {
	return vouch.Word{Issuer: i.node, Audience: audience, Subject: subject, ID: newID(), Issued: vouch.At(now), Begins: vouch.At(now),
		Expires: vouch.At(now.Add(vouch.TokenLife)), Confirm: vouch.Confirm{Thumbprint: thumbprint}}
}

// memberships are tokens of the projects that a person is in: those of this node, and
// those that other nodes told of, which have to hold still.
func (i *Identity) memberships(ctx context.Context, op string, signer vouch.Signer, person genesis.PersonID, now time.Time) ([]string, error) {
	var all []string
	if i.projects != nil {
		ids, err := i.projects(ctx, person)
		if err != nil {
			return nil, err
		}
		for _, id := range ids[:min(len(ids), vouch.MaxProjects)] {
			text, err := signer.Membership(vouch.Membership{Home: i.node, Person: person, Project: id, Issued: vouch.At(now), Expires: vouch.At(now.Add(vouch.ProjectLife))})
			if err != nil {
				return nil, fault(op, string(person), err)
			}
			all = append(all, text)
		}
	}
	told, err := i.toldOf(ctx, person, now)
	for _, m := range told {
		all = append(all, m.text)
	}
	return all[:min(len(all), vouch.MaxProjects)], err
}

// Memberships is another text after each change of what this node says of somebody's
// projects: a session at another node that was begun before says something else.
func (i *Identity) Memberships(ctx context.Context, person genesis.PersonID) (string, error) {
	var all []string
	for _, list := range []func(context.Context, genesis.PersonID) ([]string, error){i.projects, i.told} {
		if list == nil {
			continue
		}
		some, err := list(ctx, person)
		if err != nil {
			return "", err
		}
		all = append(all, some...)
	}
	return strings.Join(all, "\n"), nil
}

// membership is a project's token that was checked.
type membership struct {
	vouch.Membership
	text string
}

// toldOf are the memberships in projects of other nodes that their homes told of.
func (i *Identity) toldOf(ctx context.Context, person genesis.PersonID, now time.Time) ([]membership, error) {
	if i.told == nil {
		return nil, nil
	}
	texts, err := i.told(ctx, person)
	if err != nil {
		return nil, err
	}
	return i.checked(texts, person, now), nil
}

// checked are the memberships among tokens that hold. One that does not takes nothing
// else along: its node may have left, or have new keys. Projects of this node are in its
// own table, and nobody else speaks of them.
func (i *Identity) checked(texts []string, person genesis.PersonID, now time.Time) (all []membership) {
	for _, text := range texts[:min(len(texts), vouch.MaxProjects)] {
		if m, err := i.checker().Membership(text, person, now); err == nil && m.Home != i.node {
			all = append(all, membership{m, text})
		}
	}
	return all
}

func (i *Identity) checker() vouch.Checker { return vouch.Checker{Node: i.node, Member: i.member} }

// member looks a member up; without a charter there is none.
func (i *Identity) member(id genesis.NodeID) (genesis.Member, bool) {
	if i.charter == nil {
		return genesis.Member{}, false
	}
	return i.charter.Member(id)
}

// vouched signs a word and records to whom it was given, before it is.
func (i *Identity) vouched(ctx context.Context, op string, signer vouch.Signer, audience genesis.Member, w vouch.Word, credential string) (genesis.PeerToken, error) {
	text, err := signer.Word(w)
	if err != nil {
		return genesis.PeerToken{}, fault(op, w.Subject, err)
	}
	detail := map[string]any{"audience": w.Audience, "jti": w.ID, "key": signer.ID, "scopes": w.Scopes, "until": w.Until.Time, "projects": len(w.Projects), "credential": credential}
	err = i.db.Tx(ctx, func(tx *sql.Tx) error {
		return i.event(ctx, tx, i.person(w.Subject), "vouch", genesis.Done, w.Subject, detail)
	})
	if err != nil {
		return genesis.PeerToken{}, err
	}
	return genesis.PeerToken{Token: text, URL: audience.URL, Expires: w.Expires.Time}, nil
}

// ofNode completes a person of this node with the projects elsewhere that they are in.
func (i *Identity) ofNode(ctx context.Context, p genesis.Principal, now time.Time) (genesis.Principal, error) {
	if i.told == nil {
		return p, nil
	}
	told, err := i.toldOf(ctx, genesis.PersonOf(cmp.Or(p.Node, i.node), p.Subject), now)
	if err != nil {
		return p, err
	}
	p.Projects = nil
	for _, m := range told {
		p.Projects = append(p.Projects, m.ID())
	}
	return p, nil
}

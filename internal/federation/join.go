package federation

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/federation/charter"
)

// CreateFederation makes a federation of this node, which holds its charter.
func (f *Federation) CreateFederation(ctx context.Context, who genesis.Principal, req genesis.FederationRequest) (*genesis.FederationInfo, error) {
	if err := f.operates(ctx, who); err != nil {
		return nil, err
	}
	if err := f.ready("create federation"); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if c := f.view.Load().charter; c != nil {
		return nil, inOne("create federation", c)
	}
	key, err := f.Keys.Current(genesis.KeyCharter, genesis.Member{}, f.Now())
	if err != nil {
		return nil, err
	}
	c, err := charter.Create(req.Name, f.self(), key.Private, f.Now())
	if err != nil {
		return nil, err
	}
	if err := f.adopt(ctx, who, c, "create"); err != nil {
		return nil, err
	}
	return f.info(), nil
}

func inOne(op string, c *charter.Charter) error {
	return refusal(op, genesis.Exists, c.Name(), "this node is in this federation, or waits to be", "genesis federation show; genesis federation leave")
}

// ready refuses a node that others could not know or reach, with the lines that
// config.yaml lacks.
func (f *Federation) ready(op string) error {
	missing := ""
	if f.Self.ID == "local" || f.Self.ID == "" {
		missing += "; node: nrel"
	}
	if f.Self.URL == "" {
		missing += "; url: https://data.example.edu"
	}
	if f.Self.Sector == "" {
		missing += "; sector: laboratory"
	}
	if missing != "" {
		return refusal(op, genesis.Conflict, string(f.Self.ID), "others could not name or reach this node",
			"set in config.yaml, with values of your own, and start the node anew: "+missing[2:])
	}
	if err := charter.CheckURL(f.Self.URL); err != nil {
		return refusal(op, genesis.Conflict, string(f.Self.ID), err.Error(), "others reach a node over TLS: set url in config.yaml")
	}
	return charter.CheckMember(f.self())
}

// JoinFederation brings this node in with an invitation: it checks the charter against
// what the invitation says the federation is, and tells the holder who it is. Where the
// holders have to agree first, the node waits. Asked again, it asks the holder again.
func (f *Federation) JoinFederation(ctx context.Context, who genesis.Principal, req genesis.MembershipRequest) (*genesis.FederationInfo, error) {
	if err := f.operates(ctx, who); err != nil {
		return nil, err
	}
	inv, err := readInvitation(req.Invitation)
	if err != nil {
		return nil, err
	}
	if err := f.mayJoin(inv, req.As); err != nil {
		return nil, err
	}
	b, _, err := f.charterAt(ctx, inv.URL, "")
	if err != nil {
		return nil, err
	}
	c, err := charter.Verify(*b, inv.Root, f.Now())
	if err != nil {
		return nil, err
	}
	if _, ok := c.Member(f.Self.ID); ok && !f.isMineIn(c) {
		return nil, refusal("join", genesis.Exists, string(f.Self.ID), "another member of "+c.Name()+" has this id", "set another node in config.yaml")
	}
	self, err := f.sign(descriptorType, f.describe())
	if err != nil {
		return nil, err
	}
	answer, err := askJSON[genesis.CharterChange](ctx, f, question{method: http.MethodPost, base: inv.URL, path: "/federation/join", body: genesis.JoinRequest{Secret: inv.Secret, Descriptor: self}})
	if err != nil {
		return nil, err
	}
	if answer.Done {
		if c, err = f.later(ctx, inv.URL, c); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if known := f.view.Load().charter; known != nil && known.ID() != c.ID() {
		return nil, inOne("join", known)
	}
	if err := f.adopt(ctx, who, c, "join"); err != nil {
		return nil, err
	}
	return f.info(), nil
}

func (f *Federation) isMineIn(c *charter.Charter) bool {
	m, ok := c.Member(f.Self.ID)
	return ok && f.isMine(m)
}

// later fetches the charter again, after it changed.
func (f *Federation) later(ctx context.Context, base string, c *charter.Charter) (*charter.Charter, error) {
	b, _, err := f.charterAt(ctx, base, "")
	if err != nil {
		return nil, err
	}
	next, err := c.Update(*b, f.Now())
	if isReason(err, charter.NothingNewer) {
		return c, nil
	}
	return next, err
}

func (f *Federation) mayJoin(inv genesis.Invitation, as genesis.NodeID) error {
	v := f.view.Load()
	switch {
	case as != "" && as != f.Self.ID:
		return refusal("join", genesis.Conflict, string(as), fmt.Sprintf("this node is called %s", f.Self.ID),
			fmt.Sprintf("set in config.yaml and start the node anew: node: %s; its logs begin a new epoch then", as))
	case v.charter != nil && (v.member || v.charter.ID() != inv.Root):
		return inOne("join", v.charter)
	case inv.Node != "" && inv.Node != f.Self.ID:
		return refusal("join", genesis.Conflict, string(inv.Node), fmt.Sprintf("the invitation is for a node of this id, and this one is called %s", f.Self.ID),
			fmt.Sprintf("set in config.yaml and start the node anew: node: %s", inv.Node))
	}
	return f.ready("join")
}

// describe is the node as it asks to be taken in.
func (f *Federation) describe() genesis.Descriptor {
	m := f.self()
	return genesis.Descriptor{Format: genesis.DescriptorFormat, Node: m.ID, Institution: m.Institution, Sector: m.Sector, URL: m.URL,
		Software: genesis.Build(), APIs: f.Speaks.APIs, Entries: f.Speaks.Formats, Keys: m.Keys, At: f.Now().UTC()}
}

// Join takes a node in that was invited. It says who it is, by a descriptor that it
// signed, and has to answer at the URL it names with the same key.
func (f *Federation) Join(ctx context.Context, req genesis.JoinRequest) (*genesis.CharterChange, error) {
	d, _, err := readDescriptor(req.Descriptor)
	if err != nil {
		return nil, err
	}
	by := joiner(d)
	x, err := f.find(ctx, req.Secret, by)
	if err != nil {
		return nil, err
	}
	m := entryOf(x, d, f.Now())
	if err := f.welcome(ctx, x, m); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	c, err := f.held("join")
	if err != nil {
		return nil, err
	}
	if answer, ok := f.already(c, x, m); ok {
		return answer, nil
	}
	if _, taken := c.Member(m.ID); taken {
		return nil, refusal("join", genesis.Exists, string(m.ID), "another member has this id", "set another node in config.yaml")
	}
	ch := charter.Change{Put: &m}
	if _, err := c.Draft(ch, f.Now()); err != nil { // before the invitation is used up
		return nil, err
	}
	if f.desk.Draft != nil {
		return nil, refusal("join", genesis.Unavailable, c.Name(), "another change waits for the holders' signatures", "try again when it is done: the invitation is still good")
	}
	detail, err := json.Marshal(map[string]any{"what": "join", "node": m.ID, "url": m.URL, "institution": m.Institution})
	if err != nil {
		return nil, err
	}
	if err := f.use(ctx, x, by, f.event(nobody, "charter", "federation "+c.Name(), detail)); err != nil {
		return nil, err
	}
	return f.change(ctx, nobody, ch, x.hash)
}

// joiner is who uses an invitation: a node with a key.
func joiner(d genesis.Descriptor) string {
	for _, k := range d.Keys {
		if k.Use == genesis.KeyMessage {
			return string(d.Node) + "/" + string(genesis.DigestOf(k.Public))
		}
	}
	return string(d.Node)
}

// welcome refuses a node that could be no member, or is not at its URL.
func (f *Federation) welcome(ctx context.Context, x invited, m genesis.Member) error {
	if x.node != "" && x.node != m.ID {
		return refusal("join", genesis.Permission, string(m.ID), "the invitation is for a node with the id "+string(x.node), "")
	}
	if err := charter.CheckMember(m); err != nil {
		return err
	}
	there, _, err := f.descriptorAt(ctx, m.URL)
	if err != nil {
		return &genesis.Error{Op: "join", Kind: genesis.Conflict, Subject: m.URL, Msg: "the node that joins has to answer there, and: " + err.Error(),
			Hint: "serve it there (genesis serve), and join again", Err: err}
	}
	for _, k := range m.Keys {
		if k.Use == genesis.KeyMessage && (there.Node != m.ID || !slices.ContainsFunc(there.Keys, func(o genesis.NodeKey) bool { return o.Use == k.Use && o.ID == k.ID })) {
			return refusal("join", genesis.Conflict, m.URL, "another node answers there", "set url in config.yaml to where this node is reached")
		}
	}
	return nil
}

// already answers a node that asks again, because it did not hear the answer or waits.
func (f *Federation) already(c *charter.Charter, x invited, m genesis.Member) (*genesis.CharterChange, bool) {
	if known, ok := c.Member(m.ID); ok && slices.ContainsFunc(known.Keys, func(k genesis.NodeKey) bool {
		return slices.ContainsFunc(m.Keys, func(o genesis.NodeKey) bool { return k.Use == genesis.KeyMessage && o.Use == k.Use && o.ID == k.ID })
	}) {
		return &genesis.CharterChange{Done: true, Versions: c.Versions()}, true
	}
	if o := f.desk.Draft; o != nil && o.Invitation == x.hash {
		if told, err := f.told(c, o); err == nil {
			return &genesis.CharterChange{Versions: c.Versions(), Draft: told}, true
		}
	}
	return nil, false
}

package work

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/catalog"
	"github.com/opengenesis/genesis/internal/journal"
)

// evident are the actions of which every decision is recorded before anything
// follows from it. Of the others only refusals are: discovering leaves nothing
// but an answer, and what stewards, operators and officers do is recorded with the
// act itself.
var evident = []genesis.Action{genesis.Read, genesis.TrainOn, genesis.Infer, genesis.Evaluate}

// ask puts a question on behalf of who. Whoever does not sit at the home's own
// socket gets bytes out of the node.
func (s *Service) ask(who genesis.Principal, a genesis.Action, r access.Resource) access.Ask {
	return access.Ask{Principal: who, Action: a, Resource: r, Outside: !s.atHome(who)}
}

// atHome reports whether who sits at the home's own socket, and owns it.
func (s *Service) atHome(who genesis.Principal) bool {
	return who.Subject == access.LocalSubject && s.home(who)
}

// resource is a version as access knows it.
func resource(v genesis.Version) access.Resource {
	return access.Resource{Name: v.Name, Version: v.Digest, State: v.State, Kind: v.Kind, Creator: genesis.PersonID(v.Creator)}
}

// sight is what somebody may know of. A decision that could not be made hides the
// version and is kept, because an answer that leaves it out would not be true.
type sight struct {
	visible catalog.Visible
	failed  error
}

// sight returns what who may know of, for one call of the catalogue.
func (s *Service) sight(ctx context.Context, who genesis.Principal) *sight {
	out := &sight{}
	out.visible = func(v genesis.Version) bool {
		_, err := s.Access.Decide(ctx, s.ask(who, genesis.Discover, resource(v)))
		if err != nil && !isRefusal(err) && out.failed == nil {
			out.failed = unnamed(err)
		}
		return err == nil
	}
	return out
}

// or returns why the catalogue's answer is none, else err.
func (s *sight) or(err error) error {
	if s.failed != nil {
		return s.failed
	}
	return err
}

// isRefusal tells a refusal from a decision that could not be made.
func isRefusal(err error) bool {
	k := genesis.KindOf(err)
	return k == genesis.Private || k == genesis.Permission
}

// unnamed is err without its subject, which whoever asks may not know of.
func unnamed(err error) error {
	var known *genesis.Error
	if !errors.As(err, &known) {
		return err
	}
	bare := *known
	bare.Op, bare.Subject = "decide", ""
	return &bare
}

// find resolves a reference among what who may know of. What they may not know of
// is as if it were not there. A bare name of which nothing is published or in
// preparation means the newest version that was: its steward has to find it, and
// whoever may know that it was withdrawn or erased is told so.
func (s *Service) find(ctx context.Context, who genesis.Principal, ref string) (genesis.Version, error) {
	r, err := genesis.ParseRef(ref)
	if err != nil {
		return genesis.Version{}, err
	}
	if r.Node == s.Node {
		r.Node = ""
	}
	seen := s.sight(ctx, who)
	v, err := s.Catalog.Resolve(ctx, r, seen.visible)
	if genesis.KindOf(err) == genesis.NotFound && r.Number == 0 && r.Digest == "" {
		v, err = s.Catalog.Last(ctx, r.Name, seen.visible)
	}
	return v, seen.or(err)
}

// enter resolves a reference and decides whether who may do a to it.
func (s *Service) enter(ctx context.Context, who genesis.Principal, a genesis.Action, ref string) (genesis.Version, access.Decision, error) {
	return s.enterFor(ctx, who, a, ref, "")
}

// enterFor is enter for what is done for a project.
func (s *Service) enterFor(ctx context.Context, who genesis.Principal, a genesis.Action, ref, project string) (genesis.Version, access.Decision, error) {
	v, err := s.find(ctx, who, ref)
	if err != nil {
		return v, access.Decision{}, err
	}
	d, err := s.decideAsk(ctx, s.askFor(who, a, resource(v), project))
	return v, d, err
}

// resolve is enter for those who need the version alone.
func (s *Service) resolve(ctx context.Context, who genesis.Principal, a genesis.Action, ref string) (genesis.Version, error) {
	v, _, err := s.enter(ctx, who, a, ref)
	return v, err
}

// decide asks access, and makes the answer evidence: durable before it returns, so
// before the first byte. While there can be no evidence, nothing that needs it is
// allowed. The error is that of a refusal, or Unavailable.
func (s *Service) decide(ctx context.Context, who genesis.Principal, a genesis.Action, r access.Resource) (access.Decision, error) {
	return s.decideAsk(ctx, s.ask(who, a, r))
}

func (s *Service) decideAsk(ctx context.Context, ask access.Ask) (access.Decision, error) {
	d, refusal := s.Access.Decide(ctx, ask)
	if refusal != nil {
		return d, s.refused(ctx, ask.Principal, d, refusal)
	}
	if slices.Contains(evident, ask.Action) {
		return d, s.record(ctx, d)
	}
	return d, nil
}

// refused makes a refusal evidence, where it is to be, and returns what who is told. A
// decision that could not be made is none.
func (s *Service) refused(ctx context.Context, who genesis.Principal, d access.Decision, refusal error) error {
	if !isRefusal(refusal) {
		return refusal
	}
	if slices.Contains(evident, d.Action) || d.Action != genesis.Discover && who.SignedIn() {
		_ = s.record(ctx, d) // they are refused, with evidence or without
	}
	return s.gone(ctx, who, d, refusal)
}

// record makes a decision evidence. Many reads of one version share their entries.
func (s *Service) record(ctx context.Context, d access.Decision) error {
	if d.Action == genesis.Read && d.Allowed {
		_, err := s.Journal.Share(ctx, s.event(d))
		return err
	}
	return s.Journal.Append(ctx, s.event(d))
}

// event is a decision as the journal keeps it. That of a guest names the token by which
// their home vouched for them.
func (s *Service) event(d access.Decision) journal.Event {
	p := d.Principal
	e := journal.Event{Actor: p.Person(), Act: string(d.Action), Outcome: genesis.Refused, Subject: string(d.Resource.Name), Version: d.Resource.Version,
		Rule: d.Rule, Purpose: p.Purpose, Institution: p.Institution, Sector: p.Sector, Student: p.Student}
	if d.Allowed {
		e.Outcome = genesis.Allowed
	}
	e.Project = d.Project
	e.Detail = inSession(nil, s.session(p))
	if d.Resource.Name == "" {
		e.Subject = "node " + string(d.Resource.Part)
	}
	return e
}

// session is the id of the token by which another node vouched for somebody; "" for
// people of this node.
func (s *Service) session(who genesis.Principal) string {
	if s.home(who) {
		return ""
	}
	return who.Credential
}

// inSession adds a guest's session to the detail of an event.
func inSession(d json.RawMessage, session string) json.RawMessage {
	if session == "" {
		return d
	}
	var members map[string]json.RawMessage
	if d != nil && json.Unmarshal(d, &members) != nil { // not an object: say nothing wrong
		return d
	}
	if members == nil {
		members = map[string]json.RawMessage{}
	}
	members["session"] = json.RawMessage(strconv.Quote(session))
	return detail(members)
}

// gone makes the refusal of what was withdrawn an error of its own kind, for
// those who may know that it was there. It names what is there instead, if they may
// know of that.
func (s *Service) gone(ctx context.Context, who genesis.Principal, d access.Decision, refusal error) error {
	if genesis.KindOf(refusal) != genesis.Permission || d.Rule != "withdrawn" && d.Rule != "erased" {
		return refusal
	}
	e := &genesis.Error{Op: string(d.Action), Kind: genesis.Gone, Subject: string(d.Resource.Name), Msg: "it was " + d.Rule}
	var end genesis.End
	if err := s.Catalog.Record(ctx, genesis.Version{Name: d.Resource.Name, Digest: d.Resource.Version}, genesis.RecordEnd, &end); err == nil {
		e.Msg += ": " + end.Reason
	}
	if _, err := s.Catalog.Resolve(ctx, genesis.Ref{Name: d.Resource.Name}, s.sight(ctx, who).visible); err == nil {
		e.Hint = "`genesis show " + d.Resource.Name.Arg() + "` has the latest version"
	}
	return e
}

// may decides about a name of which there need be no version yet, and about the
// node itself.
func (s *Service) may(ctx context.Context, who genesis.Principal, a genesis.Action, name genesis.Name) error {
	if name != "" && a == genesis.Steward {
		return s.mayMake(ctx, who, name)
	}
	_, err := s.decide(ctx, who, a, access.Resource{Name: name})
	return err
}

// MayNameFile decides whether who may name a file at the node, which takes a steward
// of the node whose token is not narrowed to other things, and keeps that they did.
func (s *Service) MayNameFile(ctx context.Context, who genesis.Principal, path string) error {
	d, err := s.decide(ctx, who, genesis.Steward, access.Resource{})
	if isRefusal(err) {
		return &genesis.Error{Op: "open file", Kind: genesis.Permission, Subject: path, Msg: "only stewards of this node may name files at it", Hint: "upload the file", Err: err}
	}
	if err != nil {
		return err
	}
	e := s.event(d)
	e.Act, e.Outcome, e.Detail = "name-file", genesis.Done, detail(map[string]string{"path": path})
	return s.Journal.Append(ctx, e)
}

// mayMake decides whether who may make a version of a name. The refusal says the
// same whether or not there is such an asset.
func (s *Service) mayMake(ctx context.Context, who genesis.Principal, name genesis.Name) error {
	_, err := s.decide(ctx, who, genesis.Steward, access.Resource{Name: name})
	if !isRefusal(err) {
		return err
	}
	e := &genesis.Error{Op: "make version", Kind: genesis.Permission, Subject: string(name), Msg: "only stewards make assets of this name"}
	switch {
	case !who.SignedIn():
		e.Msg, e.Hint = "nobody is signed in", "`genesis login URL` signs in"
	case !who.InScope(genesis.Steward, name):
		e.Msg, e.Hint = "the token is narrowed to other things", fmt.Sprintf("to make something takes the scope steward, or steward:%s", name)
	default:
		e.Hint = "your own begin with your name: --name " + genesis.OwnName(who.Person(), s.Node, path.Base(string(name))).Arg()
	}
	return e
}

// home reports whether who is of this node.
func (s *Service) home(who genesis.Principal) bool { return who.Node == "" || who.Node == s.Node }

// by names who in the catalogue: people of this node by their subject.
func (s *Service) by(who genesis.Principal) string {
	if s.home(who) {
		return who.Subject
	}
	return string(who.Person())
}

// ownFiles refuses people of other nodes what is made of their own files: that belongs to
// their own node, and takes its disk.
func ownFiles(op string) error {
	return &genesis.Error{Op: op, Kind: genesis.Permission, Msg: "what is made of your own files is made at your own node", Hint: "give the command without --at"}
}

func homeOnly(op string, who genesis.Principal) error {
	e := &genesis.Error{Op: op, Kind: genesis.Permission, Msg: "that is for people of this node"}
	if !who.SignedIn() {
		e.Msg, e.Hint = "nobody is signed in", "`genesis login URL` signs in"
	}
	return e
}

// act does something in one transaction with its entry of the journal, and tells
// access that what it decides by may have changed, and other nodes what was put for them.
// do may fill in the entry.
func (s *Service) act(ctx context.Context, who genesis.Principal, name string, do func(*sql.Tx, *journal.Event) error) error {
	err := s.DB.Tx(ctx, func(tx *sql.Tx) error { return s.actIn(ctx, tx, who, name, do) })
	if err == nil {
		s.Access.Changed()
		s.wake()
	}
	return err
}

// actIn is act within a transaction; whose it is tells of the change.
func (s *Service) actIn(ctx context.Context, tx *sql.Tx, who genesis.Principal, name string, do func(*sql.Tx, *journal.Event) error) error {
	p := access.Complete(s.Charter, who)
	e := journal.Event{Actor: who.Person(), Act: name, Outcome: genesis.Done, Purpose: who.Purpose, Institution: p.Institution, Sector: p.Sector, Student: p.Student}
	if err := do(tx, &e); err != nil {
		return err
	}
	e.Detail = inSession(e.Detail, s.session(who))
	return journal.Record(ctx, tx, e)
}

// watchAll is Watch of several questions.
func (s *Service) watchAll(ctx context.Context, asks []access.Ask) (context.Context, func()) {
	var releases []func()
	for _, ask := range asks {
		var release func()
		ctx, release = s.Access.Watch(ctx, ask)
		releases = append(releases, release)
	}
	return ctx, func() {
		for _, release := range slices.Backward(releases) {
			release()
		}
	}
}

// detail is a value as the detail of a journal entry; what is too long for one is
// named by its digest.
func detail(v any) json.RawMessage {
	const most = 32 << 10
	b, err := json.Marshal(v)
	if err == nil && len(b) <= most {
		return b
	}
	b, _ = json.Marshal(map[string]genesis.Digest{"digest": genesis.DigestOf(b)})
	return b
}

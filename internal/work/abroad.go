package work

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/work/abroad"
)

// This is the side of the asker's home: what its people ask of other nodes, and what
// those say. owner.go is the other side.

// abroadHandlers take the messages of package abroad.
func (s *Service) abroadHandlers() handlers {
	return handlers{
		abroad.KindRequest: s.takeRequest, abroad.KindWithdrawn: s.takeWithdrawn, abroad.KindSaid: s.takeSaid,
		abroad.KindState: s.hearState, abroad.KindGranted: s.hearGrant, abroad.KindRevoked: s.hearGrant, abroad.KindProject: s.hearProject,
	}
}

// wake has what was put for other nodes sent.
func (s *Service) wake() {
	if s.Post != nil {
		s.Post.Wake()
	}
}

// askAbroad sends a request to another node, and keeps it. Whether that node is there does
// not matter.
func (s *Service) askAbroad(ctx context.Context, who genesis.Principal, ref genesis.Ref, req genesis.AskRequest) (*genesis.AccessRequest, error) {
	node := ref.Node
	ref.Node = ""
	by, err := s.vouched(ctx, "request", who, node)
	if err != nil {
		return nil, err
	}
	req.Ref = ref.String()
	if req.Project != "" && !strings.Contains(req.Project, "/") {
		req.Project = string(s.Node) + "/" + req.Project
	}
	r := genesis.AccessRequest{ID: abroad.NewID(), Node: node, Name: ref.Name, Version: ref.Digest, By: genesis.Principal{Subject: who.Subject, Node: s.Node},
		Actions: req.Actions, Purpose: req.Purpose, Project: req.Project, Agreement: req.Agreement, Renews: req.Renews, State: genesis.RequestPending, At: s.now().UTC()}
	if len(r.Actions) == 0 {
		r.Actions = []genesis.Action{genesis.Read}
	}
	if err := checkAsk(r); err != nil {
		return nil, err
	}
	return s.toAbroad(ctx, who, "request", func(tx *sql.Tx) (abroad.Request, *genesis.PeerMessage, error) {
		if err := s.Access.AsksFor(ctx, tx, r); err != nil { // before anything is sent
			return abroad.Request{}, nil, err
		}
		if err := s.abroad.Ask(ctx, tx, r); err != nil {
			return abroad.Request{}, nil, err
		}
		m, err := s.Post.Put(ctx, tx, node, abroad.KindRequest, r.ID, abroad.Asked{By: by, Ask: req})
		return abroad.Request{AccessRequest: r}, &m, err
	})
}

// checkAsk refuses what no node would take, so that nobody waits for the answer.
func checkAsk(r genesis.AccessRequest) error {
	i := slices.IndexFunc(r.Actions, func(a genesis.Action) bool { return !slices.Contains(genesis.Grantable, a) })
	fail := func(msg, hint string) error {
		return &genesis.Error{Op: "request", Kind: genesis.Invalid, Subject: string(r.Name), Msg: msg, Hint: hint}
	}
	switch {
	case i >= 0:
		return fail(fmt.Sprintf("%q cannot be granted", r.Actions[i]), "these can: "+listed(texts(genesis.Grantable)))
	case strings.TrimSpace(r.Purpose) == "" || len(r.Purpose) > maxWords:
		return fail(fmt.Sprintf("a request states its purpose, in at most %d bytes", maxWords), `say it with --purpose "…"`)
	}
	return nil
}

// maxWords bounds what is said in a request.
const maxWords = 4000

func texts[S ~string](all []S) []string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = string(s)
	}
	return out
}

// vouched is what this node says of somebody of its own in a message to another.
func (s *Service) vouched(ctx context.Context, op string, who genesis.Principal, node genesis.NodeID) (genesis.Vouched, error) {
	if !who.SignedIn() || !s.home(who) {
		return genesis.Vouched{}, homeOnly(op, who)
	}
	if !who.InScope(genesis.Request, "") {
		return genesis.Vouched{}, &genesis.Error{Op: op, Kind: genesis.Permission, Subject: string(node), Msg: "your token is narrowed to other things", Hint: "`genesis login` signs in; a token with the scope request does as well"}
	}
	if _, ok := s.Charter.Member(node); !ok || s.Post == nil || s.Identity == nil {
		return genesis.Vouched{}, &genesis.Error{Op: op, Kind: genesis.NotFound, Subject: string(node), Msg: "is no member of the federation of " + string(s.Node), Hint: "`genesis members` lists them"}
	}
	who.Purpose = "" // the request says what it is for
	return s.Identity.Vouched(ctx, who)
}

// toAbroad does something that another node is told, with its entry of the journal.
func (s *Service) toAbroad(ctx context.Context, who genesis.Principal, name string, do func(*sql.Tx) (abroad.Request, *genesis.PeerMessage, error)) (*genesis.AccessRequest, error) {
	var r abroad.Request
	err := s.act(ctx, who, name, func(tx *sql.Tx, e *journal.Event) error {
		var m *genesis.PeerMessage
		var err error
		if r, m, err = do(tx); err != nil {
			return err
		}
		e.Subject, e.Project = "node "+string(r.Node), r.Project
		e.Detail = detail(map[string]any{"request": r.ID, "message": m.ID, "ref": abroadRef(r), "actions": r.Actions, "agreement": r.Agreement})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return pointed(s.shownAbroad(ctx, r.AccessRequest))
}

func abroadRef(r abroad.Request) string {
	return genesis.Ref{Node: r.Node, Name: r.Name, Digest: r.Version}.String()
}

// shownAbroad adds to a request since when a message of it waits.
func (s *Service) shownAbroad(ctx context.Context, r genesis.AccessRequest) (genesis.AccessRequest, error) {
	if s.Post == nil {
		return r, nil
	}
	since, err := s.Post.Waits(ctx, r.ID)
	if !since.IsZero() {
		r.Waits = &since
	}
	return r, err
}

// Cursors of lists whose first part is of other nodes: the id of the last of those, or that
// what is here begins.
const (
	thereMark = "there:"
	hereMark  = "here"
)

// addAbroad adds to a page somebody's requests at other nodes, and reports whether there is
// room for those here; q is what is left to list.
func (s *Service) addAbroad(ctx context.Context, who genesis.Principal, q *access.RequestQuery, page *genesis.RequestPage) (bool, error) {
	after, there := strings.CutPrefix(q.After, thereMark)
	switch {
	case q.After == hereMark:
		q.After = ""
		return true, nil
	case q.After != "" && !there, !s.home(who), !who.InScope(genesis.Request, ""):
		return true, nil
	}
	all, last, more, err := s.abroad.Requests(ctx, abroad.Query{Subject: who.Subject, Name: q.Name, State: q.State, After: after, Limit: q.Limit})
	if err != nil {
		return false, err
	}
	for _, r := range all {
		r, err := s.shownAbroad(ctx, r)
		if err != nil {
			return false, err
		}
		page.Requests = append(page.Requests, r)
	}
	q.After, q.Limit = "", q.Limit-len(all)
	switch {
	case more:
		page.Next = thereMark + last
	case q.Limit <= 0:
		page.Next = hereMark
	}
	return !more && q.Limit > 0, nil
}

// ownAbroad returns a request that somebody of this node made at another. Errors:
// NotFound.
func (s *Service) ownAbroad(ctx context.Context, who genesis.Principal, id string) (abroad.Request, error) {
	if !who.SignedIn() || !s.home(who) || !who.InScope(genesis.Request, "") {
		return abroad.Request{}, &genesis.Error{Op: "read request", Kind: genesis.NotFound, Subject: id, Msg: "there is no such request", Hint: "`genesis requests` lists them"}
	}
	return s.abroad.Request(ctx, who.Subject, id)
}

// sayAbroad sends what an asker says to the other side.
func (s *Service) sayAbroad(ctx context.Context, who genesis.Principal, r abroad.Request, text string) (*genesis.AccessRequest, error) {
	by, err := s.vouched(ctx, "message", who, r.Node)
	if err != nil {
		return nil, err
	}
	said := genesis.Message{By: genesis.PersonOf(s.Node, who.Subject), At: s.now().UTC(), Text: text}
	return s.toAbroad(ctx, who, "message", func(tx *sql.Tx) (abroad.Request, *genesis.PeerMessage, error) {
		m, err := s.Post.Put(ctx, tx, r.Node, abroad.KindSaid, r.ID, abroad.Asked{By: by, Message: &said})
		if err != nil {
			return r, nil, err
		}
		said.ID = m.ID
		r, err := s.abroad.Say(ctx, tx, who.Subject, r.ID, said)
		return r, &m, err
	})
}

// withdrawAbroad takes a request back at the other node.
func (s *Service) withdrawAbroad(ctx context.Context, who genesis.Principal, r abroad.Request) (*genesis.AccessRequest, error) {
	by, err := s.vouched(ctx, "withdraw request", who, r.Node)
	if err != nil {
		return nil, err
	}
	return s.toAbroad(ctx, who, "withdraw-request", func(tx *sql.Tx) (abroad.Request, *genesis.PeerMessage, error) {
		r, err := s.abroad.Withdraw(ctx, tx, who.Subject, r.ID)
		if err != nil {
			return r, nil, err
		}
		m, err := s.Post.Put(ctx, tx, r.Node, abroad.KindWithdrawn, r.ID, abroad.Asked{By: by})
		return r, &m, err
	})
}

// heardOf is the evidence that another node said something: an act of its people, in its
// institution's name.
func (s *Service) heardOf(ctx context.Context, tx *sql.Tx, m genesis.PeerMessage, act string, by genesis.PersonID, project string, what map[string]any) error {
	if node, _ := by.Split(""); node != m.From {
		by = ""
	}
	peer, _ := s.Charter.Member(m.From)
	what["message"] = m.ID
	return journal.Record(ctx, tx, journal.Event{Actor: by, Act: act, Outcome: genesis.Done, Subject: "node " + string(m.From), Project: project,
		Institution: cmp.Or(peer.Institution, string(m.From)), Sector: peer.Sector, Detail: detail(what)})
}

// heardAs are the acts by which a request came to its state.
var heardAs = map[genesis.RequestState]string{genesis.RequestOpen: "request", genesis.RequestApproved: "approve", genesis.RequestDenied: "deny",
	genesis.RequestWithdrawn: "withdraw-request", genesis.RequestEnded: "revoke"}

// hearState takes what an owner says of a request.
func (s *Service) hearState(ctx context.Context, tx *sql.Tx, m genesis.PeerMessage) error {
	w, err := readMessage[abroad.Word](m)
	if err != nil {
		return err
	}
	if w.Request != nil && w.Request.ID != m.About {
		return &genesis.Error{Op: "take message", Kind: genesis.Invalid, Subject: m.About, Msg: "it is about one request, and speaks of another"}
	}
	r, err := s.abroad.Hear(ctx, tx, m.From, w)
	if err != nil {
		return err
	}
	return s.heardOf(ctx, tx, m, heardAs[r.Said], r.DecidedBy, r.Project, map[string]any{"request": r.ID, "of": r.By.Person(), "ref": abroadRef(r), "state": r.Said, "turn": r.Turn,
		"grant": r.Grant, "actions": r.Granted, "until": r.Until, "agreement": r.Agreement, "reason": r.Reason})
}

// hearGrant takes what an owner says of a grant.
func (s *Service) hearGrant(ctx context.Context, tx *sql.Tx, m genesis.PeerMessage) error {
	w, err := readMessage[abroad.Word](m)
	if err != nil {
		return err
	}
	if w.Grant != nil && (w.Grant.ID != m.About || (m.Kind == abroad.KindRevoked) != (w.Grant.Revoked != nil)) {
		return &genesis.Error{Op: "take message", Kind: genesis.Invalid, Subject: m.About, Msg: "it is about one grant, or end of one, and speaks of another"}
	}
	g, err := s.abroad.HearGrant(ctx, tx, m.From, w)
	if err != nil {
		return err
	}
	act, by := "grant", g.By
	if g.Revoked != nil {
		act, by = "revoke", g.RevokedBy
		if err := s.EndLeaves(ctx, tx, m.From, g.ID, g.Reason); err != nil { // of copies
			return err
		}
	}
	project := ""
	if kind, id := g.To.Split(); kind == genesis.ToProject {
		project = strings.TrimPrefix(id, string(s.Node)+"/")
	}
	return s.heardOf(ctx, tx, m, act, by, project, map[string]any{"grant": g.ID, "to": g.To, "ref": genesis.Ref{Node: m.From, Name: g.Name, Digest: g.Version}.String(),
		"actions": g.Actions, "until": g.Until, "reason": g.Reason, "request": g.Request, "turn": w.Turn})
}

// undeliveredAbroad keeps that another node did not take what somebody sent, and why.
func (s *Service) undeliveredAbroad(ctx context.Context, tx *sql.Tx, m genesis.PeerMessage, why error) error {
	act := map[string]string{abroad.KindRequest: "request", abroad.KindSaid: "message", abroad.KindWithdrawn: "withdraw-request"}[m.Kind]
	if act == "" {
		return nil // what was told only; the log has that it was refused
	}
	r, err := s.abroad.Undelivered(ctx, tx, m, whyText(why))
	if genesis.KindOf(err) == genesis.NotFound {
		return nil // a message of the owner's side: to whom it was about is in the log
	}
	if err != nil {
		return err
	}
	peer, _ := s.Charter.Member(m.To)
	return journal.Record(ctx, tx, journal.Event{Actor: r.By.Person(), Act: act, Outcome: genesis.Refused, Subject: "node " + string(m.To), Project: r.Project,
		Institution: peer.Institution, Sector: peer.Sector, Detail: detail(map[string]any{"request": r.ID, "message": m.ID, "ref": abroadRef(r), "reason": whyText(why)})})
}

// whyText is an error for whoever waits: what is wrong, and what to do about it.
func whyText(err error) string {
	text := err.Error()
	var e *genesis.Error
	if errors.As(err, &e) {
		text = cmp.Or(e.Msg, text)
		if e.Hint != "" {
			text += ": " + e.Hint
		}
	}
	return text
}

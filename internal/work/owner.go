package work

import (
	"context"
	"database/sql"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/work/abroad"
)

// This is the side of the node that owns what people of others ask for: it does for them
// what it does for those who come themselves, and tells their homes.

// evidenceWait bounds how long a decision about a message waits for room in the journal:
// the journal may wait for the transaction in which it is taken.
const evidenceWait = 5 * time.Second

// believed is whom a message is by, as their home vouches for them.
func (s *Service) believed(m genesis.PeerMessage, v genesis.Vouched) (genesis.Principal, error) {
	if s.Identity == nil {
		return genesis.Principal{}, homeOnly("take message", genesis.Principal{})
	}
	return s.Identity.Believed(m, v)
}

// takeRequest takes a request of somebody of another node.
func (s *Service) takeRequest(ctx context.Context, tx *sql.Tx, m genesis.PeerMessage) error {
	b, err := readMessage[abroad.Asked](m)
	if err != nil {
		return err
	}
	if !abroad.ID(m.About) {
		return &genesis.Error{Op: "take message", Kind: genesis.Invalid, Subject: m.About, Msg: "is not the id of a request"}
	}
	who, err := s.believed(m, b.By)
	if err != nil {
		return err
	}
	short, cancel := context.WithTimeout(ctx, evidenceWait)
	defer cancel()
	r, err := s.mayAsk(short, who, b.Ask)
	if err != nil {
		return err
	}
	return s.requestedIn(ctx, tx, who, "request", s.tellState, func(tx *sql.Tx) (genesis.AccessRequest, error) { return s.Access.AskAs(ctx, tx, m.About, r) })
}

// takeWithdrawn takes a request back for who asked.
func (s *Service) takeWithdrawn(ctx context.Context, tx *sql.Tx, m genesis.PeerMessage) error {
	b, err := readMessage[abroad.Asked](m)
	if err != nil {
		return err
	}
	who, err := s.believed(m, b.By)
	if err != nil {
		return err
	}
	return s.requestedIn(ctx, tx, who, "withdraw-request", s.tellState, func(tx *sql.Tx) (genesis.AccessRequest, error) { return s.Access.Withdraw(ctx, tx, who, m.About) })
}

// takeSaid takes what one side of a request says to the other.
func (s *Service) takeSaid(ctx context.Context, tx *sql.Tx, m genesis.PeerMessage) error {
	b, err := readMessage[abroad.Asked](m)
	if err != nil {
		return err
	}
	if b.By.Subject == "" {
		return s.hearSaid(ctx, tx, m, b.Message)
	}
	who, err := s.believed(m, b.By)
	if err != nil {
		return err
	}
	text := ""
	if b.Message != nil {
		text = b.Message.Text
	}
	return s.requestedIn(ctx, tx, who, "message", tellNobody, func(tx *sql.Tx) (genesis.AccessRequest, error) { return s.Access.Message(ctx, tx, who, m.About, text) })
}

// hearSaid takes what an owner's side says, or somebody of this node said there.
func (s *Service) hearSaid(ctx context.Context, tx *sql.Tx, m genesis.PeerMessage, said *genesis.Message) error {
	r, err := s.abroad.HearSaid(ctx, tx, m.From, m.About, said)
	if err != nil {
		return err
	}
	return s.heardOf(ctx, tx, m, "message", said.By, r.Project, map[string]any{"request": r.ID, "of": r.By.Person(), "ref": abroadRef(r)})
}

// tell has the home of an asker told of a request.
type tell func(ctx context.Context, tx *sql.Tx, r genesis.AccessRequest) error

func tellNobody(context.Context, *sql.Tx, genesis.AccessRequest) error { return nil }

// put keeps a message for a member; who is none any more is told nothing. Where too much
// waits for a node already, what it would be told is left out: an act at home, a
// revocation above all, does not depend on it.
func (s *Service) put(ctx context.Context, tx *sql.Tx, to genesis.NodeID, kind, about string, body any) error {
	if !s.isPeer(to) {
		return nil
	}
	_, err := s.Post.Put(ctx, tx, to, kind, about, body)
	if genesis.KindOf(err) == genesis.Unavailable {
		s.log().Warn("a node is not told", "node", to, "kind", kind, "about", about, "error", err)
		return nil
	}
	return err
}

// isPeer reports whether a node is another member, which can be told something.
func (s *Service) isPeer(node genesis.NodeID) bool {
	if node == "" || node == s.Node || s.Post == nil {
		return false
	}
	_, ok := s.Charter.Member(node)
	return ok
}

// tellState tells an asker's home how a request stands.
func (s *Service) tellState(ctx context.Context, tx *sql.Tx, r genesis.AccessRequest) error {
	if !s.isPeer(r.By.Node) {
		return nil
	}
	until := time.Time{}
	if r.State == genesis.RequestApproved {
		until = r.Until
	}
	turn, err := s.abroad.Next(ctx, tx, r.By.Node, abroad.OfRequest+r.ID, until)
	if err != nil {
		return err
	}
	r.Messages, r.By, r.Project = nil, genesis.Principal{Subject: r.By.Subject, Node: r.By.Node}, s.abroadProject(r.Project)
	return s.put(ctx, tx, r.By.Node, abroad.KindState, r.ID, abroad.Word{Turn: turn, Request: &r})
}

// tellSaid tells an asker's home what was said last about a request.
func (s *Service) tellSaid(ctx context.Context, tx *sql.Tx, r genesis.AccessRequest) error {
	if len(r.Messages) == 0 {
		return nil
	}
	return s.put(ctx, tx, r.By.Node, abroad.KindSaid, r.ID, abroad.Word{Message: &r.Messages[len(r.Messages)-1]})
}

// abroadProject is how a project is called at other nodes.
func (s *Service) abroadProject(id string) string {
	if id == "" || strings.Contains(id, "/") {
		return id
	}
	return string(s.Node) + "/" + id
}

// tellGrant tells the homes of those whom a grant reaches that it was made or taken back,
// and the home of who asked for it what became of that.
func (s *Service) tellGrant(ctx context.Context, tx *sql.Tx, g genesis.Grant) error {
	homes, err := s.homesOf(ctx, tx, g.To)
	if err != nil {
		return err
	}
	kind := abroad.KindGranted
	if g.Revoked != nil {
		kind = abroad.KindRevoked
		copied, err := s.abroad.Concerned(ctx, tx, abroad.OfGrant+g.ID)
		if err != nil {
			return err
		}
		homes = s.others(append(homes, copied...)...) // of a sector, or of another node's project, no more is known
	}
	told := g
	if of, id := g.To.Split(); of == genesis.ToProject {
		told.To = genesis.Grantee(string(of) + ":" + s.abroadProject(id))
	}
	for _, home := range homes {
		turn, err := s.abroad.Next(ctx, tx, home, abroad.OfGrant+g.ID, time.Time{})
		if err == nil {
			err = s.put(ctx, tx, home, kind, g.ID, abroad.Word{Turn: turn, Grant: &told})
		}
		if err != nil {
			return err
		}
	}
	if g.Revoked == nil || g.Request == "" {
		return nil
	}
	return s.tellEnded(ctx, tx, g.Request, *g.Revoked, g.Reason)
}

// tellEnded tells an asker's home that what was granted is over.
func (s *Service) tellEnded(ctx context.Context, tx *sql.Tx, request string, at time.Time, reason string) error {
	r, err := s.Access.RequestTx(ctx, tx, request)
	if err != nil {
		return skipMissing(err)
	}
	r.State, r.Ended, r.Reason = genesis.RequestEnded, &at, reason
	return s.tellState(ctx, tx, r)
}

// homesOf are the other members whose people a grant reaches, as far as it names them.
func (s *Service) homesOf(ctx context.Context, tx *sql.Tx, to genesis.Grantee) ([]genesis.NodeID, error) {
	kind, id := to.Split()
	home, _, is := strings.Cut(id, "/")
	switch kind {
	case genesis.ToPerson, genesis.ToProject:
		if is {
			return s.others(genesis.NodeID(home)), nil
		}
		if kind == genesis.ToPerson {
			return nil, nil
		}
		p, err := s.Access.ProjectTx(ctx, tx, id)
		if err != nil {
			return nil, skipMissing(err)
		}
		return s.others(homes(p)...), nil
	case genesis.ToInstitution:
		return s.others(genesis.NodeID(id)), nil
	}
	return nil, nil
}

// others are those of some nodes that are other members, each once and in order.
func (s *Service) others(nodes ...genesis.NodeID) []genesis.NodeID {
	var all []genesis.NodeID
	for _, n := range sortedOnce(nodes) {
		if s.isPeer(n) {
			all = append(all, n)
		}
	}
	return all
}

// TellOver tells askers' homes of grants that ended by themselves.
func (s *Service) TellOver(ctx context.Context) error {
	const some = 100
	for {
		n := 0
		err := s.DB.Tx(ctx, func(tx *sql.Tx) error {
			over, err := s.abroad.Over(ctx, tx, some)
			n = len(over)
			for _, t := range over {
				if err == nil {
					err = s.tellOver(ctx, tx, t)
				}
			}
			return err
		})
		if err != nil || n == 0 {
			return err
		}
		s.wake()
	}
}

func (s *Service) tellOver(ctx context.Context, tx *sql.Tx, t abroad.Told) error {
	id, is := strings.CutPrefix(t.Topic, abroad.OfRequest)
	if is {
		r, err := s.Access.RequestTx(ctx, tx, id)
		if err != nil {
			return err
		}
		if s.isPeer(r.By.Node) {
			return s.tellEnded(ctx, tx, id, r.Until, "its time is over")
		}
	}
	_, err := s.abroad.Next(ctx, tx, t.Peer, t.Topic, time.Time{}) // who is no member is told nothing
	return err
}

// mayAsk decides whether who may ask for something, and is what they ask.
func (s *Service) mayAsk(ctx context.Context, who genesis.Principal, req genesis.AskRequest) (genesis.AccessRequest, error) {
	v, d, err := s.enter(ctx, who, genesis.Request, req.Ref)
	if err != nil {
		return genesis.AccessRequest{}, err
	}
	r := genesis.AccessRequest{Name: v.Name, Actions: req.Actions, Purpose: req.Purpose, Project: req.Project,
		Agreement: req.Agreement, Renews: req.Renews}
	if ref, err := genesis.ParseRef(req.Ref); err == nil && (ref.Number != 0 || ref.Digest != "") {
		r.Version = v.Digest
	}
	by := d.Principal // of whom stewards are told what helps them to decide, and no more
	r.By = genesis.Principal{Subject: by.Subject, Node: by.Node, Institution: by.Institution, Sector: by.Sector, Vetting: by.Vetting, Projects: by.Projects}
	return r, nil
}

// requestedIn does something to a request with its entry of the journal, in a transaction.
func (s *Service) requestedIn(ctx context.Context, tx *sql.Tx, who genesis.Principal, name string, home tell, do func(*sql.Tx) (genesis.AccessRequest, error)) error {
	return s.actIn(ctx, tx, who, name, func(tx *sql.Tx, e *journal.Event) error {
		r, err := do(tx)
		if err != nil {
			return err
		}
		requestEvent(e, r)
		return home(ctx, tx, r)
	})
}

func requestEvent(e *journal.Event, r genesis.AccessRequest) {
	e.Subject, e.Version, e.Project = string(r.Name), r.Version, r.Project
	said := map[string]any{"request": r.ID, "of": r.By.Person(), "actions": r.Actions, "state": r.State, "grant": r.Grant, "agreement": r.Agreement, "reason": r.Reason}
	if !r.Until.IsZero() {
		said["until"] = r.Until
	}
	e.Detail = detail(said)
}

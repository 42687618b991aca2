package work

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/access/identity"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/work/run"
)

// Work goes to the data: a training on another node's data is carried out there. This
// file is the asker's side. The run is kept here in the transaction that puts the order,
// and from then on follows what the other node tells of it; order.go is that node's side.

// Kinds of the messages about runs.
const (
	messageRun      = "run"
	messageCancel   = "cancel"
	messageRunState = "run-state"
)

// mostSilent is after how long a run is given up of which nothing was heard: a message is
// tried for thirty days, and an order stands for seven.
const mostSilent = 40 * 24 * time.Hour

// mostQuiet is after how long an order is sent once more of which nothing was heard: the
// other node tells again, or has lost it, to a backup that is older.
const mostQuiet = 24 * time.Hour

// sentPin is what is remembered of an order.
type sentPin struct {
	Order genesis.RunOrder `json:"order"`
	Says  vouchedFor       `json:"says"`
}

// vouchedFor is what this node vouched for, and takes back when it no longer holds.
type vouchedFor struct {
	Vetting     genesis.VettingState `json:"vetting,omitempty"`
	Citizenship genesis.Citizenship  `json:"citizenship,omitempty"`
	Student     bool                 `json:"student,omitempty"`
	Projects    []string             `json:"projects,omitempty"` // of this node
}

// bell wakes whoever waits for news.
type bell struct {
	mu   sync.Mutex
	rung chan struct{}
}

// next returns a channel that is closed when the bell rings.
func (b *bell) next() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung == nil {
		b.rung = make(chan struct{})
	}
	return b.rung
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung != nil {
		close(b.rung)
	}
	b.rung = make(chan struct{})
}

// thereHandlers act upon messages about runs.
func (s *Service) thereHandlers() map[string]func(context.Context, *sql.Tx, genesis.PeerMessage) error {
	return map[string]func(context.Context, *sql.Tx, genesis.PeerMessage) error{
		messageRun: s.takeOrder, messageCancel: s.takeCancel, messageRunState: s.takeRunState,
	}
}

// sendsThere returns the reference of another node's data that a request is to learn from.
func (s *Service) sendsThere(req genesis.RunRequest) (q genesis.TrainRequest, ref genesis.Ref, is bool) {
	if req.Kind != genesis.RunTrain {
		return q, ref, false
	}
	q, err := parse[genesis.TrainRequest](req)
	if err != nil {
		return q, ref, false // whoever reads it next says what is wrong
	}
	ref, is = s.elsewhere(q.Dataset)
	return q, ref, is
}

// order has another node train on its data: run, message and evidence in one
// transaction.
func (s *Service) order(ctx context.Context, who genesis.Principal, req genesis.RunRequest, q genesis.TrainRequest, ref genesis.Ref, in run.Inputs) (genesis.Run, error) {
	const op = "order run"
	if !s.home(who) || !who.SignedIn() {
		return genesis.Run{}, homeOnly(op, who)
	}
	if s.Post == nil || s.Identity == nil {
		return genesis.Run{}, &genesis.Error{Op: op, Kind: genesis.Unsupported, Subject: q.Dataset, Msg: "this node sends no messages to others"}
	}
	if _, ok := s.Charter.Member(ref.Node); !ok {
		return genesis.Run{}, &genesis.Error{Op: op, Kind: genesis.NotFound, Subject: string(ref.Node), Msg: "is no member of the federation, as far as is known here", Hint: "`genesis federation show` lists them"}
	}
	if q.Name != "" {
		if err := genesis.CheckName(q.Name); err != nil {
			return genesis.Run{}, err
		}
	}
	why, err := s.place(ctx, who, q, ref)
	if err != nil {
		return genesis.Run{}, err
	}
	if req.ID == "" {
		req.ID = run.NewID()
	}
	in.Subject = ref.String()
	r, err := s.send(ctx, who, req, q, in, run.Elsewhere{Node: ref.Node, Why: why})
	if err != nil {
		return r, err
	}
	s.Post.Wake()
	return r, nil
}

// place decides where a training is carried out, and says why there.
func (s *Service) place(ctx context.Context, who genesis.Principal, q genesis.TrainRequest, ref genesis.Ref) (why string, err error) {
	switch q.Where {
	case genesis.TrainThere:
		return "you asked for it", nil
	case "":
	case genesis.TrainHere:
		return "", notHere(ref)
	default:
		return "", &genesis.Error{Op: "train", Kind: genesis.Invalid, Subject: q.Where, Msg: "is not where one trains", Hint: "here or there"}
	}
	asked, stop := context.WithTimeout(ctx, 5*time.Second)
	defer stop()
	may, err := s.May(asked, who, ref.String())
	switch {
	case genesis.KindOf(err) == genesis.Unavailable && ctx.Err() == nil:
		return fmt.Sprintf("%s does not answer now, and gets the order when it does", ref.Node), nil
	case err != nil:
		return "", err
	case may.Allows(genesis.Read):
		return "the data are there", nil // whoever wants to train here copies them first
	case !may.Allows(genesis.TrainOn):
		return "you may not read it, and it decides whether you may train on it", nil
	}
	return "you may train on it, but not read it", nil
}

// notHere is the answer to who wants to train here on what is elsewhere: a copy has a name
// of its own, and terms that its maker has to see.
func notHere(ref genesis.Ref) error {
	return &genesis.Error{Op: "train", Kind: genesis.Unsupported, Subject: ref.String(), Msg: "is not at this node", Hint: "copy it first: `genesis pull " + ref.String() + "`; or train where it is: --there"}
}

func (s *Service) send(ctx context.Context, who genesis.Principal, req genesis.RunRequest, q genesis.TrainRequest, in run.Inputs, at run.Elsewhere) (genesis.Run, error) {
	by, err := s.Identity.Vouched(ctx, who)
	if err != nil {
		return genesis.Run{}, err
	}
	says, err := s.standing(ctx, who)
	if err != nil {
		return genesis.Run{}, err
	}
	q.Where, q.Project = "", s.abroadProject(q.Project)
	text, err := json.Marshal(q)
	if err != nil {
		return genesis.Run{}, err
	}
	order := genesis.RunOrder{By: by, Run: genesis.RunRequest{ID: req.ID, Kind: req.Kind, Request: text}}
	in.Pinned = sentPin{order, says}
	var out genesis.Run
	err = s.DB.Tx(ctx, func(tx *sql.Tx) error {
		r, fresh, err := s.runs.SendTx(ctx, tx, req, who, in, at)
		if out = r; err != nil || !fresh {
			return err
		}
		m, err := s.Post.Put(ctx, tx, at.Node, messageRun, r.ID, order)
		if err != nil {
			return err
		}
		return s.recordRun(ctx, tx, who, "order", r.ID, map[string]any{"node": at.Node, "message": m.ID, "dataset": q.Dataset})
	})
	return out, err
}

// recordRun makes something evidence that happened to a run.
func (s *Service) recordRun(ctx context.Context, tx *sql.Tx, who genesis.Principal, act, id string, members map[string]any) error {
	p := access.Complete(s.Charter, who)
	members["run"] = id
	return journal.Record(ctx, tx, journal.Event{Actor: who.Person(), Act: act, Outcome: genesis.Done, Subject: "run " + id, Purpose: who.Purpose,
		Institution: p.Institution, Sector: p.Sector, Student: p.Student, Detail: detail(members)})
}

// standing is what this node says of somebody of its own now.
func (s *Service) standing(ctx context.Context, who genesis.Principal) (vouchedFor, error) {
	now, err := s.Identity.Lasting(ctx, who)
	if err != nil {
		return vouchedFor{}, err
	}
	projects, err := s.Access.ProjectsOf(ctx, genesis.PersonOf(s.Node, who.Subject))
	slices.Sort(projects)
	return vouchedFor{Vetting: now.Vetting, Citizenship: now.Citizenship, Student: now.Student, Projects: projects}, err
}

// standingByAccount is standing of somebody whose session ran out by itself.
func (s *Service) standingByAccount(ctx context.Context, who genesis.Principal) (vouchedFor, error) {
	a, err := s.Identity.Account(ctx, who.Subject)
	if genesis.KindOf(err) == genesis.NotFound || err == nil && a.Disabled {
		return vouchedFor{}, &genesis.Error{Op: "vouch", Kind: genesis.Permission, Subject: who.Subject, Msg: "the account is no more, or disabled"}
	}
	if err != nil {
		return vouchedFor{}, err
	}
	projects, err := s.Access.ProjectsOf(ctx, genesis.PersonOf(s.Node, who.Subject))
	slices.Sort(projects)
	return vouchedFor{Vetting: a.Vetting.State, Citizenship: a.Citizenship, Student: a.Student, Projects: projects}, err
}

// takeRunState keeps what another node says of a run that it carries out.
func (s *Service) takeRunState(ctx context.Context, tx *sql.Tx, m genesis.PeerMessage) error {
	told, err := readMessage[genesis.RunTold](m)
	if err == nil {
		err = told.Check()
	}
	if err == nil && told.Run != m.About {
		err = badBody(m, "it is about another run than the message")
	}
	if err != nil {
		return err
	}
	r, news, err := s.runs.HearTx(ctx, tx, m.From, told, s.now().UTC().Truncate(time.Microsecond))
	if err != nil || !news || !r.State.Ended() {
		return err
	}
	members := map[string]any{"node": m.From, "message": m.ID, "state": r.State}
	var made genesis.Trained
	if r.State == genesis.RunDone && json.Unmarshal(r.Result, &made) == nil {
		members["made"] = refAt(m.From, made.Version)
	}
	return s.recordRun(ctx, tx, r.By, "run-state", r.ID, members)
}

// refAt names a version of another node.
func refAt(node genesis.NodeID, v genesis.Version) string {
	ref := v.Ref()
	ref.Node = node
	return ref.String()
}

func badBody(m genesis.PeerMessage, msg string) error {
	return &genesis.Error{Op: "take message", Kind: genesis.Invalid, Subject: m.Kind, Msg: msg}
}

// undeliveredRun ends the run that waits for a message that was not taken.
func (s *Service) undeliveredRun(ctx context.Context, tx *sql.Tx, m genesis.PeerMessage, why error) error {
	if m.Kind != messageRun && (m.Kind != messageCancel || genesis.KindOf(why) != genesis.Unavailable) {
		return nil
	}
	r, ended, err := s.runs.FailTx(ctx, tx, m.To, m.About, why, s.now().UTC().Truncate(time.Microsecond))
	if err != nil || !ended {
		return notMissing(err)
	}
	return s.recordRun(ctx, tx, r.By, "run-state", r.ID, map[string]any{"node": m.To, "message": m.ID, "state": r.State})
}

// notMissing leaves out that a run is kept no longer.
func notMissing(err error) error {
	if genesis.KindOf(err) == genesis.NotFound {
		return nil
	}
	return err
}

// mindSent takes back the orders of those whom this node vouches for no longer, or for
// less, and gives up those of which nothing was heard.
func (s *Service) mindSent(ctx context.Context) error {
	pending, err := s.runs.Open(ctx)
	if err != nil {
		return err
	}
	s.clerk.forget(pending)
	for _, r := range pending {
		if s.now().Sub(r.Created) > mostSilent {
			err = errors.Join(err, s.giveUp(ctx, r.Run))
			continue
		}
		if s.clerk.quiet(r.Run) {
			err = errors.Join(err, s.askAgain(ctx, r))
		}
		if r.State == genesis.RunCanceling {
			continue
		}
		why, failed := s.lapsed(ctx, r)
		if failed == nil && why != "" {
			failed = s.takeBack(ctx, r.By, r.Run, why)
		}
		err = errors.Join(err, failed)
	}
	return err
}

// lapsed says what this node vouched for of whoever asked for a run and does not any
// more; "": nothing. A session that ran out by itself takes nothing back.
func (s *Service) lapsed(ctx context.Context, r run.Pending) (string, error) {
	var pin sentPin
	if err := json.Unmarshal(r.Pinned, &pin); err != nil {
		return "", err
	}
	before := pin.Says
	now, err := s.standing(ctx, r.By)
	var refused identity.Refusal
	if errors.As(err, &refused) && refused == identity.Expired {
		now, err = s.standingByAccount(ctx, r.By)
	}
	switch {
	case genesis.KindOf(err) == genesis.Permission:
		return "the home of whoever asked vouches for them no longer", nil
	case err != nil:
		return "", err
	}
	left := slices.DeleteFunc(slices.Clone(before.Projects), func(id string) bool { return slices.Contains(now.Projects, id) })
	if len(left) > 0 || now.Vetting != before.Vetting || now.Citizenship != before.Citizenship || now.Student != before.Student {
		return "what the home of whoever asked vouched for holds no longer", nil
	}
	return "", nil
}

// askAgain sends once more what was asked last about a run of which nothing was heard.
// Asking twice is asking once.
func (s *Service) askAgain(ctx context.Context, r run.Pending) error {
	var pin sentPin
	if err := json.Unmarshal(r.Pinned, &pin); err != nil {
		return err
	}
	kind, body := messageRun, any(pin.Order)
	if r.State == genesis.RunCanceling {
		kind, body = messageCancel, genesis.RunCancel{Run: r.ID}
	}
	err := s.DB.Tx(ctx, func(tx *sql.Tx) error {
		_, err := s.Post.Put(ctx, tx, r.At, kind, r.ID, body)
		return err
	})
	if err == nil {
		s.Post.Wake()
	}
	return err
}

// takeBack asks the node that carries a run out to stop it. by is who does.
func (s *Service) takeBack(ctx context.Context, by genesis.Principal, r genesis.Run, why string) error {
	err := s.DB.Tx(ctx, func(tx *sql.Tx) error {
		fresh, err := s.runs.StopTx(ctx, tx, r.At, r.ID)
		if err != nil || !fresh {
			return err
		}
		m, err := s.Post.Put(ctx, tx, r.At, messageCancel, r.ID, genesis.RunCancel{Run: r.ID, Reason: why})
		if err != nil {
			return err
		}
		return s.recordRun(ctx, tx, by, "cancel-run", r.ID, map[string]any{"node": r.At, "message": m.ID, "of": r.By.Person(), "reason": why})
	})
	if err == nil {
		s.Post.Wake()
		s.heard.ring()
	}
	return err
}

// giveUp ends a run of which nothing was heard for too long.
func (s *Service) giveUp(ctx context.Context, r genesis.Run) error {
	why := &genesis.Error{Op: string(r.Kind), Kind: genesis.Unavailable, Subject: r.Subject, Msg: fmt.Sprintf("%s has not said in %d days how it ended", r.At, int(mostSilent.Hours()/24)),
		Hint: "ask again; what it made meanwhile is at " + string(r.At)}
	err := s.DB.Tx(ctx, func(tx *sql.Tx) error {
		_, ended, err := s.runs.FailTx(ctx, tx, r.At, r.ID, why, s.now().UTC().Truncate(time.Microsecond))
		if err != nil || !ended {
			return err
		}
		return s.recordRun(ctx, tx, r.By, "run-state", r.ID, map[string]any{"node": r.At, "state": genesis.RunFailed})
	})
	s.heard.ring()
	return err
}

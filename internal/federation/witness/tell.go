package witness

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal"
)

// mostLooked bounds the entries that are looked at for one page of acts.
const mostLooked = 4000

// asks returns the member whose node asks. Nobody else is told anything here.
func (w *Witness) asks(op string, who genesis.Principal) (genesis.Member, error) {
	if who.Subject == genesis.NodeSubject && who.Node != w.Self && who.Node != "" {
		if m, ok := w.Member(who.Node); ok {
			return m, nil
		}
	}
	e := &genesis.Error{Op: op, Kind: genesis.Permission, Subject: string(w.Self), Msg: "this is for the nodes of members"}
	if !who.SignedIn() {
		e.Msg, e.Hint = "nobody is signed in", "a node asks in its own name"
	}
	return genesis.Member{}, e
}

// AuditState tells members' nodes, and officers of this one, the state of the audit log,
// and that it grew from one.
func (w *Witness) AuditState(ctx context.Context, who genesis.Principal, epoch int, size int64) (*genesis.AuditState, error) {
	if _, err := w.asks("read log", who); err != nil {
		if who.Subject == genesis.NodeSubject || w.MayLook(ctx, who) != nil {
			return nil, err
		}
	}
	return w.Journal.AuditState(epoch, size)
}

// AuditKept tells a member's node which checkpoints of its audit log are kept here.
func (w *Witness) AuditKept(ctx context.Context, who genesis.Principal) (*genesis.KeptList, error) {
	m, err := w.asks("read checkpoints", who)
	if err != nil {
		return nil, err
	}
	all, err := checkpoints(ctx, w.DB.Read(), m.ID)
	return &genesis.KeptList{Kept: all}, err
}

// SharedActs tells a member's node the acts of this node's log in which it took part. That
// it asked is in the log before it is told anything: once for a sequence of pages.
func (w *Witness) SharedActs(ctx context.Context, who genesis.Principal, q genesis.SharedQuery) (*genesis.SharedPage, error) {
	m, err := w.asks("reconcile", who)
	if err != nil {
		return nil, err
	}
	if q.From.IsZero() || !q.From.Before(q.Until) {
		return nil, &genesis.Error{Op: "reconcile", Kind: genesis.Invalid, Msg: "the period has no length", Hint: "from has to be before until"}
	}
	if q.After < 0 {
		if err := w.Journal.Settle(ctx); err != nil {
			return nil, err
		}
		detail, err := json.Marshal(q)
		if err != nil {
			return nil, err
		}
		e := journal.Event{Time: w.Now(), Actor: who.Person(), Act: "reconcile", Subject: "node " + string(m.ID), Institution: m.Institution, Sector: m.Sector, Detail: detail}
		if err := w.Journal.Append(ctx, e); err != nil {
			return nil, err
		}
	}
	return w.shared(ctx, m.ID, q)
}

// shared is a page of the acts of this node's log with another.
func (w *Witness) shared(ctx context.Context, with genesis.NodeID, q genesis.SharedQuery) (*genesis.SharedPage, error) {
	query := journal.ActQuery{Acts: slices.Compact([]string{q.Kind.Origin(), q.Kind.Receipt()}), Since: q.From, Until: q.Until, After: q.After, Limit: mostLooked}
	if q.Kind == genesis.SharedMessage {
		query.Subject = "node " + string(with)
	}
	all, err := w.Journal.Acts(ctx, query)
	if err != nil {
		return nil, err
	}
	page := &genesis.SharedPage{Acts: []genesis.SharedAct{}}
	for i, e := range all {
		act, is := sharedAct(q.Kind, with, w.Self, e)
		switch {
		case is && act.ID == "":
			page.Unknown++
		case is:
			page.Acts = append(page.Acts, act)
		}
		if full := len(page.Acts) == genesis.MaxShared; full && i < len(all)-1 || i == mostLooked-1 {
			page.Next = e.Seq
			return page, nil
		}
	}
	return page, nil
}

// sharedAct is an entry as the node is told it that took part in it. is is false where it
// did not; without an id, that is not known any more.
func sharedAct(kind genesis.SharedKind, with, self genesis.NodeID, e genesis.AuditEntry) (act genesis.SharedAct, is bool) {
	var d struct {
		Audience, JTI, Message, Kind, Pull, From string
		Digest                                   genesis.Digest
	}
	act = genesis.SharedAct{Seq: e.Seq, Time: e.Time, Act: e.Act, Outcome: e.Outcome}
	if e.Detail == nil || json.Unmarshal(e.Detail, &d) != nil {
		return act, e.Actor != "" || kind == genesis.SharedMessage // it was forgotten
	}
	switch {
	case kind == genesis.SharedMessage:
		act.ID, act.Kind, act.Digest = d.Message, d.Kind, d.Digest
		return act, true
	case kind == genesis.SharedPull:
		act.ID, act.Digest = d.Pull, e.Version
		return act, pulledWith(with, self, d.From, e)
	case e.Act == kind.Origin():
		act.ID = d.JTI
		return act, d.Audience == string(with)
	}
	act.ID = d.JTI
	node, _ := genesis.PersonID(e.Actor).Split(self)
	return act, node == with && d.JTI != "" // else no signature of that node was in it
}

// pulledWith reports whether a copy was made of a version of another node, or was let be
// made by one of its people.
func pulledWith(with, self genesis.NodeID, from string, e genesis.AuditEntry) bool {
	switch e.Outcome {
	case genesis.Done:
		ref, err := genesis.ParseRef(from)
		return err == nil && ref.Node == with
	case genesis.Allowed:
		node, _ := genesis.PersonID(e.Actor).Split(self)
		return node == with
	}
	return false
}

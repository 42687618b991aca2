package witness

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal"
)

const (
	mostActs    = 200_000 // of one sort, on one side
	mostPages   = 4_000   // of one sort, of the peer
	mostTime    = 10 * time.Minute
	mostText    = 256 // bytes of an id, and of a kind
	usualPeriod = 30 * 24 * time.Hour
)

// margin is how far beyond the period the counterpart of an act is looked for.
func margin(k genesis.SharedKind) time.Duration {
	if k != genesis.SharedToken {
		return underWay // a copy of much data takes its time, too
	}
	return 10 * time.Minute // a token lasts two, and clocks may differ
}

// Reconcile compares, for an officer, what this node and a peer have in their logs of acts
// in which both took part. What differs is in the answer; its error says why it could not
// be compared. That it was done, and what came of it, is an entry. Errors: Permission,
// NotFound, Invalid, Unavailable.
func (w *Witness) Reconcile(ctx context.Context, who genesis.Principal, req genesis.ReconcileRequest, p genesis.Progress) (*genesis.Reconciliation, error) {
	if err := w.MayLook(ctx, who); err != nil {
		return nil, err
	}
	peer, err := w.find(req.Peer)
	if err != nil {
		return nil, err
	}
	r := &genesis.Reconciliation{Peer: req.Peer, From: req.From.UTC(), Until: req.Until.UTC(), Found: []genesis.Discrepancy{}}
	now := w.Now().UTC()
	if r.Until.IsZero() || r.Until.After(now) {
		r.Until = now
	}
	if r.From.IsZero() {
		r.From = r.Until.Add(-usualPeriod)
	}
	if !r.From.Before(r.Until) {
		return nil, &genesis.Error{Op: "reconcile", Kind: genesis.Invalid, Subject: string(req.Peer), Msg: "the period has no length", Hint: "--since has to be before --until"}
	}
	err = w.reconcile(ctx, peer, r, p)
	if kept := w.reconciled(ctx, who, r, err); err == nil {
		err = kept
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (w *Witness) reconcile(ctx context.Context, peer *peer, r *genesis.Reconciliation, p genesis.Progress) error {
	ctx, cancel := context.WithTimeout(ctx, mostTime)
	defer cancel()
	if err := w.Journal.Settle(ctx); err != nil {
		return err
	}
	var err error
	if r.Log, err = w.Look(ctx, r.Peer); err != nil {
		return err
	}
	for _, kind := range genesis.SharedKinds {
		if err := w.compareKind(ctx, peer, kind, r, p); err != nil {
			return err
		}
	}
	return nil
}

// compareKind compares the acts of one sort.
func (w *Witness) compareKind(ctx context.Context, peer *peer, kind genesis.SharedKind, r *genesis.Reconciliation, p genesis.Progress) error {
	q := genesis.SharedQuery{Kind: kind, From: r.From.Add(-margin(kind)), Until: r.Until.Add(margin(kind)), After: -1}
	here, unknown, err := w.ours(ctx, r.Peer, q)
	if err != nil {
		return err
	}
	p.Send(genesis.Event{Stage: "asking " + string(r.Peer), Unit: "acts"})
	there, theirs, cut, err := w.theirs(ctx, peer, q, p)
	if err != nil {
		return err
	}
	c := comparison{kind: kind, peer: r.Peer, from: r.From, until: r.Until, now: w.Now(), cut: cut != "", unknownHere: unknown, unknownThere: theirs}
	c.taken = func(message string) bool {
		if w.Taken == nil || err != nil {
			return false
		}
		var is bool
		is, err = w.Taken(ctx, message)
		return is
	}
	c.compare(here, there)
	if err != nil {
		return err
	}
	r.Kinds, r.Unknown = append(r.Kinds, c.sums), r.Unknown+unknown+theirs
	if cut != "" && r.Cut == "" {
		r.Cut = cut
	}
	room := min(len(c.found), genesis.MaxFound-len(r.Found))
	r.Found, r.More = append(r.Found, c.found[:room]...), r.More+int64(len(c.found)-room)
	return nil
}

// reconciled keeps what came of it.
func (w *Witness) reconciled(ctx context.Context, who genesis.Principal, r *genesis.Reconciliation, failed error) error {
	told := map[string]any{"from": r.From, "until": r.Until, "kinds": r.Kinds, "cut": r.Cut, "log": r.Log.Standing}
	e := w.event(who, "reconcile", "node "+string(r.Peer))
	if failed != nil {
		e.Outcome, told = genesis.Refused, map[string]any{"from": r.From, "until": r.Until, "error": said(failed)}
	}
	var err error
	if e.Detail, err = json.Marshal(told); err != nil {
		return err
	}
	return w.Journal.Append(context.WithoutCancel(ctx), e)
}

func (w *Witness) event(who genesis.Principal, act, subject string) journal.Event {
	e := journal.Event{Time: w.Now(), Actor: who.Person(), Act: act, Outcome: genesis.Done, Subject: subject, Purpose: who.Purpose, Student: who.Student}
	if m, ok := w.Member(w.Self); ok {
		e.Institution, e.Sector = m.Institution, m.Sector
	}
	return e
}

// ours are the acts of this node's log with a peer, and how many are not known any more.
func (w *Witness) ours(ctx context.Context, with genesis.NodeID, q genesis.SharedQuery) (all []genesis.SharedAct, unknown int64, err error) {
	for {
		page, err := w.shared(ctx, with, q)
		if err != nil {
			return nil, 0, err
		}
		all, unknown = append(all, page.Acts...), unknown+page.Unknown
		if len(all) > mostActs {
			return nil, 0, &genesis.Error{Op: "reconcile", Kind: genesis.Invalid, Subject: string(with), Msg: fmt.Sprintf("the period has more than %d acts with it", mostActs), Hint: "choose a shorter one: --since 7d"}
		}
		if page.Next == 0 {
			return all, unknown, nil
		}
		q.After = page.Next
	}
}

// theirs are the acts of a peer's log with this node, as it tells them. cut says why they
// were not read to the end. Errors: that nothing could be read.
func (w *Witness) theirs(ctx context.Context, peer *peer, q genesis.SharedQuery, p genesis.Progress) (all []genesis.SharedAct, unknown int64, cut string, err error) {
	for pages := 0; ; pages++ {
		page, err := w.page(ctx, peer, q)
		switch {
		case err != nil && pages == 0 && genesis.KindOf(err) != genesis.Invalid:
			return nil, 0, "", err
		case err != nil:
			return all, unknown, said(err), nil
		}
		all, unknown = append(all, page.Acts...), unknown+page.Unknown
		p.Send(genesis.Event{Stage: "asking " + string(peer.id), Done: int64(len(all)), Unit: "acts"})
		switch {
		case page.Next == 0:
			return all, unknown, "", nil
		case len(all) > mostActs:
			return all, unknown, fmt.Sprintf("it tells of more than %d acts", mostActs), nil
		case pages == mostPages:
			return all, unknown, fmt.Sprintf("its answer has more than %d pages", mostPages), nil
		}
		q.After = page.Next
	}
}

// page asks for one page, and checks it.
func (w *Witness) page(ctx context.Context, peer *peer, q genesis.SharedQuery) (*genesis.SharedPage, error) {
	v := url.Values{"kind": {string(q.Kind)}, "from": {q.From.Format(time.RFC3339Nano)}, "until": {q.Until.Format(time.RFC3339Nano)}, "after": {strconv.FormatInt(q.After, 10)}}
	b, err := w.get(ctx, peer, "/audit/shared?"+v.Encode(), maxPage)
	if err != nil {
		return nil, err
	}
	page, err := parsePage(b, q)
	if err != nil {
		return nil, &genesis.Error{Op: "reconcile", Kind: genesis.Invalid, Subject: string(peer.id), Msg: "what it answers is no page of acts: " + err.Error(), Err: err}
	}
	return page, nil
}

// acts are read one by one: a text of empty ones would take many times its length in memory.
type acts []genesis.SharedAct

// UnmarshalJSON reads as many as may be.
func (a *acts) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return errors.New("its acts are no list")
	}
	for d.More() {
		if len(*a) == genesis.MaxShared {
			return fmt.Errorf("it has more than %d acts", genesis.MaxShared)
		}
		var one genesis.SharedAct
		if err := d.Decode(&one); err != nil {
			return err
		}
		*a = append(*a, one)
	}
	return nil
}

// parsePage reads a page that answers a question.
func parsePage(b []byte, q genesis.SharedQuery) (*genesis.SharedPage, error) {
	var text struct {
		Acts    acts
		Next    int64
		Unknown int64
	}
	if err := json.Unmarshal(b, &text); err != nil {
		return nil, err
	}
	page := &genesis.SharedPage{Acts: text.Acts, Next: text.Next, Unknown: text.Unknown}
	last := q.After
	for _, a := range page.Acts {
		if a.Seq <= last {
			return nil, fmt.Errorf("place %d stands behind place %d", a.Seq, last)
		}
		if why := wrongAct(a, q); why != "" {
			return nil, fmt.Errorf("at place %d %s", a.Seq, why)
		}
		last = a.Seq
	}
	switch {
	case page.Unknown < 0 || page.Unknown > mostLooked:
		return nil, errors.New("it says that more is not known than was looked at")
	case page.Next != 0 && (page.Next < last || page.Next <= q.After):
		return nil, fmt.Errorf("it goes on behind place %d, and is at %d", page.Next, last)
	}
	return page, nil
}

// wrongAct says why an act cannot be one of those that were asked for, or "".
func wrongAct(a genesis.SharedAct, q genesis.SharedQuery) string {
	switch {
	case !q.Kind.Begins(a) && !q.Kind.Takes(a):
		return fmt.Sprintf("there is an act %.40q that was not asked for", a.Act)
	case a.Time.Before(q.From) || !a.Time.Before(q.Until):
		return "there is an act of another time"
	case !slices.Contains([]genesis.Outcome{genesis.Allowed, genesis.Done, genesis.Refused}, a.Outcome):
		return "there is an act without an outcome"
	case a.ID == "" || !plain(a.ID) || !plain(a.Kind):
		return "there is an act whose id or kind cannot be one"
	case a.Digest != "":
		if _, err := genesis.ParseDigest(string(a.Digest)); err != nil {
			return "there is an act whose digest is none"
		}
	}
	return ""
}

// plain reports whether a text is a short one of printable ASCII.
func plain(s string) bool {
	return len(s) <= mostText && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

package abroad

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// Request is a request of somebody of this node at another. The owner's word counts;
// what the asker did since is shown until the owner has said what became of it.
type Request struct {
	genesis.AccessRequest
	Turn int64                `json:"-"`              // of the owner's latest word; 0: none was heard
	Said genesis.RequestState `json:"said,omitempty"` // by the owner; "": nothing yet
	New  bool                 `json:"-"`              // the owner's word is the first that is heard of it
}

// NewID mints the id of a request. It is random, so that no two nodes mint the same.
func NewID() string { return strings.ToLower(rand.Text()[:20]) }

func noRequest(id string) error {
	return &genesis.Error{Op: "read request", Kind: genesis.NotFound, Subject: id, Msg: "there is no such request", Hint: "`genesis requests` lists them"}
}

// Ask keeps a request as it is sent to another node. Errors: Conflict (too many wait there:
// another node's, which may have made some up, do not count).
func (s Store) Ask(ctx context.Context, tx *sql.Tx, r genesis.AccessRequest) error {
	var open int
	err := tx.QueryRowContext(ctx, "SELECT count(*) FROM abroad_requests WHERE person = $1 AND peer = $2 AND state IN ($3, $4)",
		r.By.Subject, string(r.Node), string(genesis.RequestPending), string(genesis.RequestOpen)).Scan(&open)
	if err != nil {
		return store.Error("request", string(r.Name), err)
	}
	if open >= maxOpen {
		return &genesis.Error{Op: "request", Kind: genesis.Conflict, Subject: string(r.Name), Msg: fmt.Sprintf("%d requests of yours at %s are open", open, r.Node), Hint: "withdraw those that you no longer need"}
	}
	return s.insert(ctx, tx, Request{AccessRequest: r})
}

func (s Store) insert(ctx context.Context, tx *sql.Tx, r Request) error {
	body, err := encode(r)
	if err == nil {
		_, err = tx.ExecContext(ctx, `INSERT INTO abroad_requests (seq, id, peer, person, state, turn, format, body)
			SELECT coalesce(max(seq), 0) + 1, $1, $2, $3, $4, $5, $6, $7 FROM abroad_requests`,
			r.ID, string(r.Node), r.By.Subject, string(r.State), r.Turn, format, body)
	}
	return store.Error("request", string(r.Name), err)
}

func (s Store) update(ctx context.Context, tx *sql.Tx, r Request) error {
	body, err := encode(r)
	if err == nil {
		_, err = tx.ExecContext(ctx, "UPDATE abroad_requests SET state = $1, turn = $2, body = $3 WHERE id = $4", string(r.State), r.Turn, body, r.ID)
	}
	return store.Error("request", r.ID, err)
}

func read(ctx context.Context, q querier, id string) (Request, error) {
	var r Request
	var turn int64
	var number int
	var body string
	err := q.QueryRowContext(ctx, "SELECT turn, format, body FROM abroad_requests WHERE id = $1", id).Scan(&turn, &number, &body)
	if errors.Is(err, sql.ErrNoRows) {
		return r, noRequest(id)
	}
	if err != nil {
		return r, store.Error("read request", id, err)
	}
	r, err = decode[Request](number, body)
	r.Turn = turn
	return r, err
}

// Request returns somebody's request. Errors: NotFound, also for everybody else.
func (s Store) Request(ctx context.Context, subject, id string) (Request, error) {
	r, err := read(ctx, s.DB.Read(), id)
	if err == nil && r.By.Subject != subject {
		return Request{}, noRequest(id)
	}
	return s.shown(r), err
}

// shown is a request as it stands now: what was granted may be over, whether or not its
// node could say so.
func (s Store) shown(r Request) Request {
	if r.State == genesis.RequestApproved && !r.Until.IsZero() && !s.Now().Before(r.Until) {
		until := r.Until
		r.State, r.Ended = genesis.RequestEnded, &until
	}
	return r
}

// Query says which requests to list, newest first. Empty fields match all.
type Query struct {
	Subject string
	Name    genesis.Name
	State   genesis.RequestState
	After   string // id of the last that was listed
	Limit   int
}

// Requests lists somebody's requests; last is the id of the last that was looked at, and
// more says whether there are others.
func (s Store) Requests(ctx context.Context, q Query) (page []genesis.AccessRequest, last string, more bool, err error) {
	before := int64(1) << 62
	if q.After != "" {
		err := s.DB.Read().QueryRowContext(ctx, "SELECT seq FROM abroad_requests WHERE id = $1 AND person = $2", q.After, q.Subject).Scan(&before)
		if errors.Is(err, sql.ErrNoRows) {
			return nil, "", false, &genesis.Error{Op: "list requests", Kind: genesis.Invalid, Subject: "cursor", Msg: "is not one that this node gave out", Hint: "start from the first page"}
		}
		if err != nil {
			return nil, "", false, store.Error("list requests", "", err)
		}
	}
	// One that is over by its date alone is in the table as it was told.
	states := []genesis.RequestState{q.State, q.State}
	if q.State == genesis.RequestEnded {
		states[1] = genesis.RequestApproved
	}
	rows, err := list[Request](ctx, s.DB.Read(), `SELECT format, body FROM abroad_requests WHERE person = $1 AND seq < $2 AND ($3 = '' OR state IN ($3, $4)) ORDER BY seq DESC LIMIT $5`,
		q.Subject, before, string(states[0]), string(states[1]), q.Limit+1)
	if err != nil {
		return nil, "", false, err
	}
	more = len(rows) > q.Limit
	for _, r := range rows[:min(len(rows), q.Limit)] {
		r = s.shown(r)
		if (q.Name == "" || r.Name == q.Name) && (q.State == "" || r.State == q.State) {
			page = append(page, r.AccessRequest)
		}
		last = r.ID
	}
	return page, last, more, nil
}

// edit changes a request of somebody that is not decided.
func (s Store) edit(ctx context.Context, tx *sql.Tx, subject, id string, act func(*Request) error) (Request, error) {
	r, err := read(ctx, tx, id)
	if err == nil && r.By.Subject != subject {
		err = noRequest(id)
	}
	if err != nil {
		return Request{}, err
	}
	if r.State != genesis.RequestPending && r.State != genesis.RequestOpen {
		return r, &genesis.Error{Op: "request", Kind: genesis.Conflict, Subject: string(r.Name), Msg: fmt.Sprintf("the request is %s already", r.State)}
	}
	if err := act(&r); err != nil {
		return r, err
	}
	return r, s.update(ctx, tx, r)
}

// Say keeps what an asker says to the other side. Errors: NotFound, Conflict (decided
// already; too many messages), Invalid.
func (s Store) Say(ctx context.Context, tx *sql.Tx, subject, id string, m genesis.Message) (Request, error) {
	return s.edit(ctx, tx, subject, id, func(r *Request) error {
		switch {
		case strings.TrimSpace(m.Text) == "" || !text(m.Text, maxText):
			return &genesis.Error{Op: "request", Kind: genesis.Invalid, Subject: string(r.Name), Msg: fmt.Sprintf("a message has something to read, in at most %d bytes", maxText)}
		case len(r.Messages) >= maxSaid/2:
			return &genesis.Error{Op: "request", Kind: genesis.Conflict, Subject: string(r.Name), Msg: fmt.Sprintf("it has %d messages, which is the most", len(r.Messages)), Hint: "withdraw it"}
		}
		r.Messages = append(r.Messages, m)
		return nil
	})
}

// Withdraw takes a request back, as far as this node is concerned. Errors: NotFound,
// Conflict.
func (s Store) Withdraw(ctx context.Context, tx *sql.Tx, subject, id string) (Request, error) {
	return s.edit(ctx, tx, subject, id, func(r *Request) error {
		r.State = genesis.RequestWithdrawn
		return nil
	})
}

// Hear takes up what an owner says of a request. One that is not known was made at the
// owner's node itself. Errors: Invalid, NotFound (of another node), Conflict (not the
// latest word).
func (s Store) Hear(ctx context.Context, tx *sql.Tx, peer genesis.NodeID, w Word) (Request, error) {
	if err := errors.Join(checkTurn(w.Turn), checkRequest(w.Request, peer, s.Node)); err != nil {
		return Request{}, first(err)
	}
	told := *w.Request
	r, err := read(ctx, tx, told.ID)
	switch {
	case genesis.KindOf(err) == genesis.NotFound:
		if err := room(ctx, tx, "abroad_requests", peer); err != nil {
			return r, err
		}
		r = Request{AccessRequest: genesis.AccessRequest{ID: told.ID, Node: peer, By: genesis.Principal{Subject: told.By.Subject, Node: s.Node}, At: told.At, Purpose: told.Purpose, Renews: told.Renews}, New: true}
		r.hear(w.Turn, told)
		return r, s.insert(ctx, tx, r)
	case err != nil:
		return r, err
	case r.Node != peer || r.By.Subject != told.By.Subject:
		return Request{}, notTheirs(told.ID)
	case w.Turn <= r.Turn:
		return r, late(told.ID, w.Turn, r.Turn)
	}
	r.hear(w.Turn, told)
	return r, s.update(ctx, tx, r)
}

// hear takes up the owner's word. What the asker wrote stays as they wrote it, and so does
// that they took it back, until the owner has said more than that it is open.
func (r *Request) hear(turn int64, told genesis.AccessRequest) {
	r.Turn, r.Said = turn, told.State
	if r.State != genesis.RequestWithdrawn || told.State != genesis.RequestOpen {
		r.State = told.State
	}
	r.Name, r.Version, r.Actions, r.Project, r.Agreement = told.Name, told.Version, told.Actions, told.Project, told.Agreement
	r.Grant, r.Granted, r.Until, r.Condition, r.Reason = told.Grant, told.Granted, told.Until, told.Condition, told.Reason
	r.Decided, r.DecidedBy, r.Ended = told.Decided, told.DecidedBy, told.Ended
}

// HearSaid takes up a message of the owner's side, or one that the asker wrote there.
func (s Store) HearSaid(ctx context.Context, tx *sql.Tx, peer genesis.NodeID, id string, m *genesis.Message) (Request, error) {
	r, err := read(ctx, tx, id)
	if genesis.KindOf(err) == genesis.NotFound || err == nil && r.Node != peer {
		return r, notTheirs(id)
	}
	if err != nil {
		return r, err
	}
	asker := genesis.PersonOf(s.Node, r.By.Subject)
	switch {
	case m == nil || !text(m.Text, maxText) || !of(m.By, peer, s.Node):
		return r, bad("it says nothing, or too much")
	case m.By != asker && !of(m.By, peer, peer):
		return r, bad("it is by somebody else")
	case len(r.Messages) >= maxSaid:
		return r, &genesis.Error{Op: "take message", Kind: genesis.Conflict, Subject: id, Msg: fmt.Sprintf("it has %d messages, which is the most", len(r.Messages))}
	}
	r.Messages = append(r.Messages, genesis.Message{By: m.By, At: m.At, Text: m.Text})
	return r, s.update(ctx, tx, r)
}

// Undelivered keeps that the other node did not take what this one sent of a request, and
// why. Errors: NotFound.
func (s Store) Undelivered(ctx context.Context, tx *sql.Tx, m genesis.PeerMessage, why string) (Request, error) {
	r, err := read(ctx, tx, m.About)
	if err != nil {
		return r, err
	}
	if r.Node != m.To {
		return r, noRequest(m.About)
	}
	why = strings.ToValidUTF8(why[:min(len(why), maxText)], "")
	switch m.Kind {
	case KindRequest:
		if r.Said != "" { // it did take it: its word came, and the receipt did not
			return r, nil
		}
		r.State, r.Reason = genesis.RequestRefused, why
	case KindSaid:
		if i := slices.IndexFunc(r.Messages, func(x genesis.Message) bool { return x.ID == m.ID }); i >= 0 {
			r.Messages[i].Refused = why
		}
	case KindWithdrawn:
		if r.State == genesis.RequestWithdrawn && r.Said != "" {
			r.State = r.Said
		}
	}
	return r, s.update(ctx, tx, r)
}

// first is the first of joined errors.
func first(err error) error {
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		return joined.Unwrap()[0]
	}
	return err
}

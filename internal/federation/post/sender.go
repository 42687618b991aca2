package post

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// States of a message that was put.
const (
	waits   = "waits"
	taken   = "taken"
	refused = "refused"
	expired = "expired"
)

// sender brings messages to one peer.
type sender struct {
	post *Post
	peer genesis.NodeID
	wake chan struct{}

	// of the one that is under way, for Status; guarded by Post.mu
	failed time.Time // since when nothing gets through; zero: all does
	why    string
}

// Start begins to send, and first what waited when the node stopped.
func (p *Post) Start(ctx context.Context) error {
	p.mu.Lock()
	p.ctx, p.stop = context.WithCancel(context.WithoutCancel(ctx))
	p.senders = map[genesis.NodeID]*sender{}
	p.mu.Unlock()
	running := p.ctx
	p.running.Go(func() { p.prune(running) })
	return p.wakeAll(ctx)
}

// Close ends sending. What waits is sent after the next Start.
func (p *Post) Close() error {
	p.mu.Lock()
	stop := p.stop
	p.mu.Unlock()
	if stop != nil {
		stop()
	}
	p.running.Wait()
	return nil
}

// Wake has messages sent that were put, or that a peer refused to answer until now.
func (p *Post) Wake() {
	p.mu.Lock()
	ctx := p.ctx
	p.mu.Unlock()
	if ctx == nil || ctx.Err() != nil {
		return
	}
	if err := p.wakeAll(ctx); err != nil && ctx.Err() == nil {
		p.Log.Warn("messages that wait cannot be read", "error", err)
	}
}

func (p *Post) wakeAll(ctx context.Context) error {
	rows, err := p.DB.Read().QueryContext(ctx, "SELECT DISTINCT peer FROM post_out WHERE state = $1", waits)
	if err != nil {
		return store.Error("send messages", "", err)
	}
	defer rows.Close()
	for rows.Next() {
		var peer genesis.NodeID
		if err := rows.Scan(&peer); err != nil {
			return store.Error("send messages", "", err)
		}
		p.sender(peer)
	}
	return store.Error("send messages", "", rows.Err())
}

// sender wakes the sender of a peer, and makes it where there is none.
func (p *Post) sender(peer genesis.NodeID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ctx == nil || p.ctx.Err() != nil {
		return
	}
	s := p.senders[peer]
	if s == nil {
		s = &sender{post: p, peer: peer, wake: make(chan struct{}, 1)}
		p.senders[peer] = s
		ctx := p.ctx
		p.running.Go(func() { s.run(ctx) })
	}
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// run sends what waits, whenever it is woken, and by itself while the peer is away.
func (s *sender) run(ctx context.Context) {
	pause := time.Duration(0)
	for {
		var again <-chan time.Time
		if pause > 0 {
			again = time.After(pause/2 + rand.N(pause/2+1))
		}
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-again:
		}
		err := s.sendAll(ctx)
		s.note(err)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			pause = 0
		case pause == 0:
			pause = s.post.Pauses.First
		default:
			pause = min(2*pause, s.post.Pauses.Most)
		}
	}
}

// note keeps for Status whether messages get through.
func (s *sender) note(err error) {
	s.post.mu.Lock()
	defer s.post.mu.Unlock()
	switch {
	case err == nil:
		s.failed, s.why = time.Time{}, ""
	case s.failed.IsZero():
		s.failed = s.post.Now()
		fallthrough
	default:
		s.why = err.Error()
	}
}

// mostHeld is how many matters a pass leaves for later before it takes the peer to be away.
const mostHeld = 64

// sendAll sends what waits, in order. A message that is to be tried again holds up those
// about the same matter, and no others, unless nobody answers at all: then it is the peer
// that is waited for. It returns the first error that a message has to wait for.
func (s *sender) sendAll(ctx context.Context) error {
	var held error
	matters := map[string]bool{}
	for after := int64(0); ; {
		place, m, payload, err := s.next(ctx, after)
		if err != nil || m == nil {
			return cmp.Or(err, held)
		}
		after = place
		if matters[m.About] {
			continue
		}
		if err := s.send(ctx, place, *m, payload); err != nil {
			held = cmp.Or(held, err)
			matters[m.About] = true
			if errors.Is(err, ErrAway) || len(matters) == mostHeld || ctx.Err() != nil {
				return held
			}
		}
	}
}

// next reads the message that waits longest of those put after a place.
func (s *sender) next(ctx context.Context, after int64) (place int64, m *Message, payload []byte, err error) {
	err = s.post.DB.Read().QueryRowContext(ctx, "SELECT place, payload FROM post_out WHERE peer = $1 AND state = $2 AND place > $3 ORDER BY place LIMIT 1",
		string(s.peer), waits, after).Scan(&place, &payload)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil, nil, nil
	}
	if err != nil {
		return 0, nil, nil, store.Error("send message", string(s.peer), err)
	}
	m = &Message{}
	if err := json.Unmarshal(payload, m); err != nil {
		return 0, nil, nil, &genesis.Error{Op: "send message", Kind: genesis.Internal, Subject: string(s.peer), Msg: "a message that waits is damaged", Err: err}
	}
	return place, m, payload, nil
}

// send sends one message, and keeps what came of it. An error says that it is to be
// tried again.
func (s *sender) send(ctx context.Context, place int64, m Message, payload []byte) error {
	p := s.post
	if p.Now().Sub(m.At) > lasts {
		return s.giveUp(ctx, place, m, expired, &genesis.Error{Op: "send message", Kind: genesis.Unavailable, Subject: string(s.peer), Msg: "the node was not to be reached for 30 days"})
	}
	member, ok := p.Charter.Member(s.peer)
	if !ok {
		return &genesis.Error{Op: "send message", Kind: genesis.Unavailable, Subject: string(s.peer), Msg: "is no member of the federation now", Err: ErrAway}
	}
	digest := genesis.DigestOf(payload)
	receipt, err := s.bring(ctx, member, &m, payload)
	if lasting(err) {
		return s.giveUp(ctx, place, m, refused, err)
	}
	if err == nil {
		err = p.checkReceipt(member, m, digest, receipt)
	}
	if err != nil {
		return err
	}
	_, err = s.end(ctx, place, taken, "", receipt, nil)
	return err
}

// bring writes a message in the format that its receiver reads, signs it, and sends it.
func (s *sender) bring(ctx context.Context, to genesis.Member, m *Message, payload []byte) (receipt []byte, err error) {
	format, err := s.post.Format(ctx, to)
	if err != nil {
		return nil, err
	}
	if payload, err = inFormat(payload, m.Format, format); err != nil {
		return nil, &genesis.Error{Op: "send message", Kind: genesis.Internal, Subject: string(s.peer), Err: err}
	}
	m.Format = format
	text, err := s.post.sign(typeMessage, payload)
	if err != nil {
		return nil, &genesis.Error{Op: "send message", Kind: genesis.Internal, Subject: string(s.peer), Err: err}
	}
	return s.post.Send(ctx, to, text)
}

// checkReceipt reports whether a member's receipt is one of a message.
func (p *Post) checkReceipt(from genesis.Member, m Message, digest genesis.Digest, text []byte) error {
	fail := func(msg string) error {
		return &genesis.Error{Op: "send message", Kind: genesis.Unavailable, Subject: string(from.ID), Msg: msg}
	}
	s, err := parse(typeReceipt, text)
	if err != nil {
		return fail("its receipt cannot be read")
	}
	if err := verify(s, from, p.Now()); err != nil {
		return fail("its receipt is not signed by it")
	}
	var r Receipt
	if json.Unmarshal(s.Payload, &r) != nil || r.Format != m.Format || r.ID != m.ID || r.From != m.From || r.To != m.To || r.Digest != digest {
		return fail("its receipt is of another message")
	}
	return nil
}

// giveUp keeps that a message is not tried any more, and tells why.
func (s *sender) giveUp(ctx context.Context, place int64, m Message, state string, why error) error {
	p := s.post
	changed, err := s.end(ctx, place, state, why.Error(), nil, func(tx *sql.Tx) error {
		if p.Undelivered == nil {
			return nil
		}
		return p.Undelivered(ctx, tx, m, why)
	})
	if changed && p.Changed != nil {
		p.Changed(m.Kind)
	}
	return err
}

// end keeps what came of a message, once.
func (s *sender) end(ctx context.Context, place int64, state, reason string, receipt []byte, also func(*sql.Tx) error) (changed bool, err error) {
	err = s.post.DB.Tx(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, "UPDATE post_out SET state = $1, reason = $2, receipt = $3, ended = $4 WHERE place = $5 AND state = $6",
			state, reason, receipt, store.Time(s.post.Now()), place, waits)
		if err != nil {
			return err
		}
		n, err := result.RowsAffected()
		if err != nil || n == 0 {
			return err
		}
		changed = true
		if also == nil {
			return nil
		}
		return also(tx)
	})
	return changed, store.Error("send message", string(s.peer), err)
}

// prune forgets, daily, what was done with long ago; the journal has it for ever.
func (p *Post) prune(ctx context.Context) {
	tick := time.NewTicker(24 * time.Hour)
	defer tick.Stop()
	for {
		before := store.Time(p.Now().Add(-kept))
		err := p.DB.Tx(ctx, func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, "DELETE FROM post_in WHERE received < $1", before); err != nil {
				return err
			}
			_, err := tx.ExecContext(ctx, "DELETE FROM post_out WHERE state <> $1 AND ended < $2", waits, before)
			return err
		})
		if err != nil && ctx.Err() == nil {
			p.Log.Warn("old messages cannot be removed", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Status is how it stands with the messages to one peer.
type Status struct {
	Peer    genesis.NodeID `json:"peer"`
	Waiting int            `json:"waiting"`
	Oldest  time.Time      `json:"oldest,omitzero"` // of those that wait
	Failing time.Time      `json:"failing,omitzero"`
	Why     string         `json:"why,omitempty"`
}

// Waits is since when a message about something waits; zero: none does.
func (p *Post) Waits(ctx context.Context, about string) (time.Time, error) {
	var oldest sql.NullInt64
	err := p.DB.Read().QueryRowContext(ctx, "SELECT min(created) FROM post_out WHERE about = $1 AND state = $2", about, waits).Scan(&oldest)
	if err != nil || !oldest.Valid {
		return time.Time{}, store.Error("read messages", about, err)
	}
	return store.TimeAt(oldest.Int64), nil
}

// Status returns how it stands with all peers for whom something waits, by peer.
func (p *Post) Status(ctx context.Context) ([]Status, error) {
	rows, err := p.DB.Read().QueryContext(ctx, "SELECT peer, count(*), min(created) FROM post_out WHERE state = $1 GROUP BY peer ORDER BY peer", waits)
	if err != nil {
		return nil, store.Error("read messages", "", err)
	}
	defer rows.Close()
	var all []Status
	for rows.Next() {
		var s Status
		var oldest int64
		if err := rows.Scan(&s.Peer, &s.Waiting, &oldest); err != nil {
			return nil, store.Error("read messages", "", err)
		}
		s.Oldest = store.TimeAt(oldest)
		p.mu.Lock()
		if one := p.senders[s.Peer]; one != nil {
			s.Failing, s.Why = one.failed, one.why
		}
		p.mu.Unlock()
		all = append(all, s)
	}
	return all, store.Error("read messages", "", rows.Err())
}

package work

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
	"github.com/opengenesis/genesis/internal/work/run"
)

// maxOrders bounds the orders of one node that are not ended.
const maxOrders = 1000

// ordersKept is for how long an order is known after its end: longer than a message with
// the same id could come.
const ordersKept = 90 * 24 * time.Hour

// States of an order for a run.
const (
	orderTaken     = "taken"     // it is to be decided
	orderSubmitted = "submitted" // there is a run
	orderEnded     = "ended"     // its end was told
)

// order is an order of another node for a run here.
type order struct {
	run      string
	node     genesis.NodeID
	message  string
	asker    genesis.Principal // nobody: it was canceled before it came
	request  genesis.RunRequest
	state    string
	canceled bool
}

const orderColumns = "run, node, message, asker, request, state, canceled"

func scanOrder(scan func(...any) error) (o order, err error) {
	var asker, request string
	if err = scan(&o.run, &o.node, &o.message, &asker, &request, &o.state, &o.canceled); err != nil {
		return o, err
	}
	if asker != "" {
		err = json.Unmarshal([]byte(asker), &o.asker)
	}
	if err == nil && request != "" {
		err = json.Unmarshal([]byte(request), &o.request)
	}
	return o, err
}

// orderTx finds the order for a run; nil: there is none.
func orderTx(ctx context.Context, tx *sql.Tx, id string) (*order, error) {
	o, err := scanOrder(tx.QueryRowContext(ctx, "SELECT "+orderColumns+" FROM run_orders WHERE run = $1", id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &o, store.Error("find order", id, err)
}

// takeOrder keeps the order of another node, in the transaction that takes the message.
// What takes long in deciding it comes after; see decideOrder.
func (s *Service) takeOrder(ctx context.Context, tx *sql.Tx, m genesis.PeerMessage) error {
	body, err := readOrder(m)
	if err != nil {
		return err
	}
	who, err := s.believed(m, body.By)
	if err != nil {
		return err
	}
	have, err := orderTx(ctx, tx, body.Run.ID)
	switch {
	case err != nil:
		return err
	case have != nil && have.node == m.From && have.asker.Subject == "":
		return s.endEarly(ctx, tx, m, who)
	case have != nil && have.node == m.From && have.asker.Person() == who.Person() && bytes.Equal(have.request.Request, body.Run.Request):
		return s.tellAgain(ctx, tx, *have) // its home has heard nothing for long
	case have != nil:
		return takenID(body.Run.ID)
	}
	if there, err := s.runs.HasTx(ctx, tx, body.Run.ID); err != nil || there {
		return errors.Join(err, takenID(body.Run.ID))
	}
	var open int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM run_orders WHERE state <> $1 AND node = $2", orderEnded, string(m.From)).Scan(&open); err != nil {
		return store.Error("take order", body.Run.ID, err)
	}
	if open >= maxOrders {
		return &genesis.Error{Op: "take order", Kind: genesis.Conflict, Subject: body.Run.ID, Msg: "too many orders of your node are not ended", Hint: "ask again when some have: `genesis runs` lists yours"}
	}
	if who, err = s.Identity.Stand(ctx, tx, m, body.By); err != nil {
		return err
	}
	if err := s.putOrder(ctx, tx, m, who, body.Run); err != nil {
		return err
	}
	return s.recordRun(ctx, tx, who, "order", body.Run.ID, map[string]any{"node": m.From, "message": m.ID})
}

// readOrder reads the body of an order.
func readOrder(m genesis.PeerMessage) (genesis.RunOrder, error) {
	body, err := readMessage[genesis.RunOrder](m)
	switch {
	case err != nil:
		return body, err
	case run.CheckID(body.Run.ID) != nil || body.Run.ID != m.About:
		return body, badBody(m, "it is about another run than the message, or one that cannot be")
	case body.Run.Kind != genesis.RunTrain:
		return body, &genesis.Error{Op: "take order", Kind: genesis.Unsupported, Subject: string(body.Run.Kind), Msg: "is not what another node may have done here", Hint: "train is"}
	}
	q, err := parse[genesis.TrainRequest](body.Run)
	if err != nil {
		return body, err
	}
	ref, err := genesis.ParseRef(q.Dataset)
	if err == nil && ref.Node != m.To {
		err = &genesis.Error{Op: "take order", Kind: genesis.Invalid, Subject: q.Dataset, Msg: "is not at this node"}
	}
	if err == nil && q.Name != "" {
		err = genesis.CheckName(q.Name)
	}
	return body, err
}

func takenID(id string) error {
	return &genesis.Error{Op: "take order", Kind: genesis.Conflict, Subject: id, Msg: "is the id of another run", Hint: "leave the id out to get a new one"}
}

func (s *Service) putOrder(ctx context.Context, tx *sql.Tx, m genesis.PeerMessage, who genesis.Principal, req genesis.RunRequest) error {
	asker, err := json.Marshal(who)
	if err != nil {
		return err
	}
	request, err := json.Marshal(req)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO run_orders (run, node, message, asker, request, state, taken_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
		req.ID, string(m.From), m.ID, string(asker), string(request), orderTaken, store.Time(s.now()))
	return store.Error("take order", req.ID, err)
}

// takeCancel keeps that an order is taken back, in the transaction that takes the message.
// One that has not come yet is taken back in advance.
func (s *Service) takeCancel(ctx context.Context, tx *sql.Tx, m genesis.PeerMessage) error {
	body, err := readMessage[genesis.RunCancel](m)
	if err == nil && (run.CheckID(body.Run) != nil || body.Run != m.About) {
		err = badBody(m, "it is about another run than the message, or one that cannot be")
	}
	if err != nil {
		return err
	}
	have, err := orderTx(ctx, tx, body.Run)
	switch {
	case err != nil:
		return err
	case have == nil:
		return s.cancelEarly(ctx, tx, m, body.Run)
	case have.node != m.From:
		return run.NotFound(body.Run)
	case have.state == orderEnded:
		return s.tellAgain(ctx, tx, *have)
	case have.canceled:
		return nil
	}
	if _, err := tx.ExecContext(ctx, "UPDATE run_orders SET canceled = 1 WHERE run = $1", body.Run); err != nil {
		return store.Error("take order", body.Run, err)
	}
	return s.recordRun(ctx, tx, have.asker, "cancel-run", body.Run, map[string]any{"node": m.From, "message": m.ID})
}

// cancelEarly keeps that an order is taken back which has not come.
func (s *Service) cancelEarly(ctx context.Context, tx *sql.Tx, m genesis.PeerMessage, id string) error {
	var n int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM run_orders WHERE node = $1 AND asker = ''", string(m.From)).Scan(&n); err != nil {
		return store.Error("take order", id, err)
	}
	if n >= maxOrders {
		return &genesis.Error{Op: "take order", Kind: genesis.Conflict, Subject: id, Msg: "your node took back too many orders that never came"}
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO run_orders (run, node, message, asker, request, state, canceled, taken_at, ended_at) VALUES ($1, $2, $3, '', '', $4, 1, $5, $5)",
		id, string(m.From), m.ID, orderEnded, store.Time(s.now()))
	return store.Error("take order", id, err)
}

// endEarly answers an order that was taken back before it came.
func (s *Service) endEarly(ctx context.Context, tx *sql.Tx, m genesis.PeerMessage, who genesis.Principal) error {
	if err := s.recordRun(ctx, tx, who, "order", m.About, map[string]any{"node": m.From, "message": m.ID, "canceled": true}); err != nil {
		return err
	}
	return s.tellTx(ctx, tx, order{run: m.About, node: m.From}, ended(m.About, canceledEarly(m.About), s.now()))
}

func canceledEarly(id string) error {
	return &genesis.Error{Op: "train", Kind: genesis.Canceled, Subject: id, Msg: "canceled before it began"}
}

// ended is what is told of an order that no run came of.
func ended(id string, why error, at time.Time) genesis.RunTold {
	p := genesis.ProblemOf(why, false)
	state := genesis.RunFailed
	if p.Kind == genesis.Canceled {
		state = genesis.RunCanceled
	}
	return genesis.RunTold{Run: id, State: state, Error: &p, Ended: at.UTC().Truncate(time.Microsecond)}
}

// tellTx puts what is told of a run, under the next number: the time, so that it is higher
// than before also when the node was restored from a backup.
func (s *Service) tellTx(ctx context.Context, tx *sql.Tx, o order, t genesis.RunTold) error {
	state, end := orderSubmitted, any(nil)
	if t.State.Ended() {
		state, end = orderEnded, store.Time(s.now())
	}
	text, err := json.Marshal(t)
	if err != nil {
		return err
	}
	err = tx.QueryRowContext(ctx, "UPDATE run_orders SET seq = max(seq + 1, $2), told = $3, tries = $4, state = $5, ended_at = $6, last = $7 WHERE run = $1 RETURNING seq",
		o.run, s.now().UnixMilli(), string(t.State), t.Tries, state, end, string(text)).Scan(&t.Seq)
	if err != nil {
		return store.Error("tell of run", o.run, err)
	}
	_, err = s.Post.Put(ctx, tx, o.node, messageRunState, o.run, t)
	return err
}

// tellAgain puts once more what was told last, if anything was and that does not wait to
// be sent as it is: asking again and again fills no queue.
func (s *Service) tellAgain(ctx context.Context, tx *sql.Tx, o order) error {
	if since, err := s.Post.Waits(ctx, o.run); err != nil || !since.IsZero() {
		return err
	}
	var text string
	err := tx.QueryRowContext(ctx, "SELECT last FROM run_orders WHERE run = $1", o.run).Scan(&text)
	if err != nil || text == "" {
		return store.Error("tell of run", o.run, err)
	}
	var last genesis.RunTold
	if err := json.Unmarshal([]byte(text), &last); err != nil {
		return store.Error("tell of run", o.run, err)
	}
	return s.tellTx(ctx, tx, o, last)
}

// pruneOrders forgets orders that ended long ago.
func (s *Service) pruneOrders(ctx context.Context) error {
	return s.DB.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM run_orders WHERE state = $1 AND ended_at < $2", orderEnded, store.Time(s.now().Add(-ordersKept)))
		return store.Error("prune runs", "", err)
	})
}

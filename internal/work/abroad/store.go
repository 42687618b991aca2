package abroad

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// format is the format number of what this package stores as JSON.
const format = 1

// Store is what this node was told, and what it told. It is safe for concurrent use.
type Store struct {
	DB   *store.DB
	Node genesis.NodeID
	Now  func() time.Time
}

// querier is a transaction or a pool of connections.
type querier interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}

// Topics of what is told.
const (
	OfRequest = "request "
	OfGrant   = "grant "
	OfProject = "project "
)

// Next is the turn of this node's next word to a peer about a topic: greater than the one
// before, and not less than the time, so that a node that was restored goes on above.
// until is when a grant that is told ends by itself; zero: it does not, or nobody has to
// be told.
func (s Store) Next(ctx context.Context, tx *sql.Tx, peer genesis.NodeID, topic string, until time.Time) (int64, error) {
	ends := sql.NullInt64{Int64: store.Time(until), Valid: !until.IsZero()}
	var turn int64
	err := tx.QueryRowContext(ctx, `INSERT INTO abroad_told (peer, topic, turn, until) VALUES ($1, $2, $3, $4)
		ON CONFLICT (peer, topic) DO UPDATE SET until = excluded.until,
			turn = CASE WHEN abroad_told.turn >= excluded.turn THEN abroad_told.turn + 1 ELSE excluded.turn END
		RETURNING turn`, string(peer), topic, store.Time(s.Now()), ends).Scan(&turn)
	return turn, store.Error("tell node", string(peer), err)
}

// Knows reports whether a peer was ever told of a topic.
func (s Store) Knows(ctx context.Context, tx *sql.Tx, peer genesis.NodeID, topic string) (bool, error) {
	var n int
	err := tx.QueryRowContext(ctx, "SELECT count(*) FROM abroad_told WHERE peer = $1 AND topic = $2", string(peer), topic).Scan(&n)
	return n > 0, store.Error("tell node", string(peer), err)
}

// Hands notes that a peer has something that stands on a topic of which it may never have
// been told: it is to hear of its end.
func (s Store) Hands(ctx context.Context, tx *sql.Tx, peer genesis.NodeID, topic string) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO abroad_told (peer, topic, turn) VALUES ($1, $2, 0) ON CONFLICT (peer, topic) DO NOTHING", string(peer), topic)
	return store.Error("tell node", string(peer), err)
}

// Concerned are the peers that were told of a topic, or have what stands on it.
func (s Store) Concerned(ctx context.Context, tx *sql.Tx, topic string) ([]genesis.NodeID, error) {
	all, err := store.Column[genesis.NodeID](ctx, tx, "SELECT peer FROM abroad_told WHERE topic = $1 ORDER BY peer", topic)
	return all, store.Error("tell nodes", topic, err)
}

// Told is something that a peer was told.
type Told struct {
	Peer  genesis.NodeID
	Topic string
}

// Over lists some of what was told to end at a time that has come, and was not told since.
func (s Store) Over(ctx context.Context, tx *sql.Tx, limit int) ([]Told, error) {
	rows, err := tx.QueryContext(ctx, "SELECT peer, topic FROM abroad_told WHERE until <= $1 ORDER BY until, peer, topic LIMIT $2", store.Time(s.Now()), limit)
	if err != nil {
		return nil, store.Error("tell nodes", "", err)
	}
	defer rows.Close()
	var all []Told
	for rows.Next() {
		var t Told
		if err := rows.Scan(&t.Peer, &t.Topic); err != nil {
			return nil, store.Error("tell nodes", "", err)
		}
		all = append(all, t)
	}
	return all, store.Error("tell nodes", "", rows.Err())
}

// room refuses the word of a peer that has said too much already.
func room(ctx context.Context, tx *sql.Tx, table string, peer genesis.NodeID) error {
	return roomFor(ctx, tx, table, peer, 1, maxOfPeer)
}

// roomFor is room for so many more rows, of so many at most.
func roomFor(ctx context.Context, tx *sql.Tx, table string, peer genesis.NodeID, more, most int) error {
	var n int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM "+table+" WHERE peer = $1", string(peer)).Scan(&n); err != nil {
		return store.Error("take message", string(peer), err)
	}
	if n+more > most {
		return &genesis.Error{Op: "take message", Kind: genesis.Conflict, Subject: string(peer), Msg: fmt.Sprintf("it has told of %d such things here, and %d are the most", n, most)}
	}
	return nil
}

// late is the error of a word that is not the latest.
func late(id string, turn, have int64) error {
	return &genesis.Error{Op: "take message", Kind: genesis.Conflict, Subject: id, Msg: fmt.Sprintf("its turn is %d, and %d was heard of already", turn, have)}
}

// decode reads what encode wrote.
func decode[T any](number int, body string) (T, error) {
	var v T
	if number != format {
		return v, &genesis.Error{Op: "read what was told", Kind: genesis.Unsupported, Msg: fmt.Sprintf("it is of format %d, and this program knows %d", number, format)}
	}
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		return v, &genesis.Error{Op: "read what was told", Kind: genesis.Internal, Msg: "what is stored is damaged", Err: err}
	}
	return v, nil
}

func encode(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

// kept reads the one row (turn, format, body) of a query; turn 0: there is none.
func kept[T any](ctx context.Context, q querier, query string, args ...any) (turn int64, v T, err error) {
	var number int
	var body string
	switch err := q.QueryRowContext(ctx, query, args...).Scan(&turn, &number, &body); {
	case errors.Is(err, sql.ErrNoRows):
		return 0, v, nil
	case err != nil:
		return 0, v, store.Error("read what was told", "", err)
	}
	v, err = decode[T](number, body)
	return turn, v, err
}

// list reads the rows (format, body) of a query.
func list[T any](ctx context.Context, q querier, query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, store.Error("read what was told", "", err)
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		var number int
		var body string
		if err := rows.Scan(&number, &body); err != nil {
			return nil, store.Error("read what was told", "", err)
		}
		v, err := decode[T](number, body)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, store.Error("read what was told", "", rows.Err())
}

package work

import (
	"context"
	"database/sql"
	"encoding/json"
	"maps"

	"github.com/opengenesis/genesis"
)

// handlers act upon messages of other nodes by their kind.
type handlers = map[string]func(context.Context, *sql.Tx, genesis.PeerMessage) error

// Handlers act upon the messages of other nodes, by kind, each in the transaction that
// keeps it as taken. What they refuse for good is told to the sender.
func (s *Service) Handlers() map[string]func(context.Context, *sql.Tx, genesis.PeerMessage) error {
	all := handlers{}
	maps.Copy(all, s.abroadHandlers())
	maps.Copy(all, s.thereHandlers())
	return all
}

// Undelivered has whoever waits for the answer to a message know that there will be none.
func (s *Service) Undelivered(ctx context.Context, tx *sql.Tx, m genesis.PeerMessage, why error) error {
	if err := s.undeliveredAbroad(ctx, tx, m, why); err != nil {
		return err
	}
	return s.undeliveredRun(ctx, tx, m, why)
}

// readMessage reads the body of a message.
func readMessage[T any](m genesis.PeerMessage) (T, error) {
	var v T
	if err := json.Unmarshal(m.Body, &v); err != nil {
		return v, &genesis.Error{Op: "take message", Kind: genesis.Invalid, Subject: m.Kind, Msg: "its body is not one of this kind", Err: err}
	}
	return v, nil
}

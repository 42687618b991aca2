package abroad

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// HearGrant takes up what an owner says of a grant. Errors: Invalid, Conflict (not the
// latest word).
func (s Store) HearGrant(ctx context.Context, tx *sql.Tx, peer genesis.NodeID, w Word) (genesis.Grant, error) {
	if err := errors.Join(checkTurn(w.Turn), checkGrant(w.Grant, peer, s.Node)); err != nil {
		return genesis.Grant{}, first(err)
	}
	g := *w.Grant
	g.Node = peer
	turn, had, err := kept[genesis.Grant](ctx, tx, "SELECT turn, format, body FROM abroad_grants WHERE peer = $1 AND id = $2", string(peer), g.ID)
	switch {
	case err != nil:
		return g, err
	case w.Turn <= turn:
		return g, late(g.ID, w.Turn, turn)
	case turn > 0 && had.To != g.To:
		return g, bad("it was made to somebody else before")
	case turn == 0:
		if err := room(ctx, tx, "abroad_grants", peer); err != nil {
			return g, err
		}
	}
	body, err := encode(g)
	if err == nil {
		_, err = tx.ExecContext(ctx, `INSERT INTO abroad_grants (peer, id, grantee, turn, format, body) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (peer, id) DO UPDATE SET turn = excluded.turn, format = excluded.format, body = excluded.body`,
			string(peer), g.ID, string(g.To), w.Turn, format, body)
	}
	return g, store.Error("take message", g.ID, err)
}

// mostGrants bounds how many grants elsewhere are listed for somebody.
const mostGrants = 1000

// Grants lists the grants of other nodes that reach somebody of this node who is in these
// projects elsewhere, as they were told: those in force, or also those that have ended.
func (s Store) Grants(ctx context.Context, subject string, projects []string, ended bool) ([]genesis.Grant, error) {
	to := []string{"person:" + string(genesis.PersonOf(s.Node, subject)), "institution:" + string(s.Node)}
	for _, p := range projects {
		if !strings.Contains(p, "/") {
			p = string(s.Node) + "/" + p
		}
		to = append(to, "project:"+p)
	}
	var all []genesis.Grant
	now := s.Now()
	for _, grantee := range to {
		some, err := list[genesis.Grant](ctx, s.DB.Read(), "SELECT format, body FROM abroad_grants WHERE grantee = $1 ORDER BY turn DESC LIMIT $2", grantee, mostGrants)
		if err != nil {
			return nil, err
		}
		all = append(all, slices.DeleteFunc(some, func(g genesis.Grant) bool { return !ended && !g.Active(now) })...)
	}
	return all[:min(len(all), mostGrants)], nil
}

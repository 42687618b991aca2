package abroad

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"

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
		err := room(ctx, tx, "abroad_grants", peer)
		if genesis.KindOf(err) == genesis.Conflict && g.Revoked != nil {
			return g, nil // it is not kept, and ends what was copied by it all the same
		}
		if err != nil {
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

// Revoked reports whether a peer said that it took a grant back.
func (s Store) Revoked(ctx context.Context, tx *sql.Tx, peer genesis.NodeID, id string) (bool, error) {
	turn, g, err := kept[genesis.Grant](ctx, tx, "SELECT turn, format, body FROM abroad_grants WHERE peer = $1 AND id = $2", string(peer), id)
	return turn > 0 && g.Revoked != nil, err
}

// mostGrants bounds how many grants elsewhere are listed for somebody.
const mostGrants = 1000

// Grants lists the grants of other nodes that reach somebody of this node, who is in these
// projects of it, and in those elsewhere that were told of: those in force, or also those
// that have ended. Where there are more than are listed, these are the latest of each node,
// so that none keeps out those of another.
func (s Store) Grants(ctx context.Context, subject string, projects []string, ended bool) ([]genesis.Grant, error) {
	to := []any{subject, mostGrants, "person:" + string(genesis.PersonOf(s.Node, subject)), "institution:" + string(s.Node)}
	for _, p := range projects {
		to = append(to, "project:"+string(s.Node)+"/"+p)
	}
	marks := "$3"
	for i := range len(to) - 3 {
		marks += fmt.Sprintf(", $%d", i+4)
	}
	all, err := list[genesis.Grant](ctx, s.DB.Read(), `SELECT g.format, g.body FROM (SELECT peer, id, place FROM (
			SELECT peer, id, row_number() OVER (PARTITION BY peer ORDER BY turn DESC, id) AS place FROM abroad_grants
			WHERE grantee IN (`+marks+`) OR grantee IN (SELECT 'project:' || peer || '/' || project FROM abroad_members WHERE subject = $1 AND ended = 0))
			ORDER BY place, peer LIMIT $2) f
		JOIN abroad_grants g ON g.peer = f.peer AND g.id = f.id ORDER BY f.place, f.peer`, to...)
	now := s.Now()
	return slices.DeleteFunc(all, func(g genesis.Grant) bool { return !ended && !g.Active(now) }), err
}

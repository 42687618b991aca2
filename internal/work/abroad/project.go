package abroad

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// HearProject takes up what the home of a project says of it, and who of this node is in
// it: whoever is not any more has no token of it from now on. Errors: Invalid, Conflict
// (not the latest word).
func (s Store) HearProject(ctx context.Context, tx *sql.Tx, peer genesis.NodeID, w Word) (genesis.Project, error) {
	if err := errors.Join(checkTurn(w.Turn), checkProject(w.Project, peer, s.Node)); err != nil {
		return genesis.Project{}, first(err)
	}
	p := *w.Project
	_, id, _ := strings.Cut(p.ID, "/")
	turn, _, err := kept[genesis.Project](ctx, tx, "SELECT turn, format, body FROM abroad_projects WHERE peer = $1 AND id = $2", string(peer), id)
	switch {
	case err != nil:
		return p, err
	case w.Turn <= turn:
		return p, late(p.ID, w.Turn, turn)
	case turn == 0:
		if err := room(ctx, tx, "abroad_projects", peer); err != nil {
			return p, err
		}
	}
	body, err := encode(p)
	if err == nil {
		_, err = tx.ExecContext(ctx, `INSERT INTO abroad_projects (peer, id, turn, format, body) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (peer, id) DO UPDATE SET turn = excluded.turn, format = excluded.format, body = excluded.body`, string(peer), id, w.Turn, format, body)
	}
	if err == nil {
		err = setMembers(ctx, tx, peer, id, p)
	}
	return p, store.Error("take message", p.ID, err)
}

// setMembers makes those whom a project names its members of this node. Who stays keeps
// their token.
func setMembers(ctx context.Context, tx *sql.Tx, peer genesis.NodeID, id string, p genesis.Project) error {
	tokens := map[string]struct {
		text  string
		until int64
	}{}
	rows, err := tx.QueryContext(ctx, "SELECT subject, token, until FROM abroad_members WHERE peer = $1 AND project = $2", string(peer), id)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var subject, token string
		var until int64
		if err := rows.Scan(&subject, &token, &until); err != nil {
			return err
		}
		tokens[subject] = struct {
			text  string
			until int64
		}{token, until}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM abroad_members WHERE peer = $1 AND project = $2", string(peer), id); err != nil {
		return err
	}
	if len(p.Members) > len(tokens) { // a word that takes somebody out is heard in any case
		if err := roomFor(ctx, tx, "abroad_members", peer, len(p.Members), maxIn); err != nil {
			return err
		}
	}
	for _, m := range p.Members {
		_, subject := m.Split("")
		had := tokens[subject]
		if p.Ended {
			had.text, had.until = "", 0
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO abroad_members (subject, peer, project, token, until, ended) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (subject, peer, project) DO NOTHING`, subject, string(peer), id, had.text, had.until, p.Ended)
		if err != nil {
			return err
		}
	}
	return nil
}

// Project is one of another node, with its members of this node. Errors: NotFound.
func (s Store) Project(ctx context.Context, tx *sql.Tx, peer genesis.NodeID, id string) (genesis.Project, error) {
	turn, p, err := kept[genesis.Project](ctx, tx, "SELECT turn, format, body FROM abroad_projects WHERE peer = $1 AND id = $2", string(peer), id)
	if err == nil && turn == 0 {
		err = &genesis.Error{Op: "read project", Kind: genesis.NotFound, Subject: string(peer) + "/" + id, Msg: "was not told of here"}
	}
	return p, err
}

// pageBytes bounds what of projects is read at once.
const pageBytes = 4 << 20

// Projects lists, in order of id, projects elsewhere that people of this node are in or
// were when they ended; of one person alone, unless subject is "". They are named in full,
// and list their members of this node. after is the id of the last one before; more says
// that there are others after the last.
func (s Store) Projects(ctx context.Context, subject, after string, limit int) (all []genesis.Project, more bool, err error) {
	whose := " AND m.subject = $3"
	if subject == "" {
		whose = " AND $3 = ''"
	}
	rows, err := s.DB.Read().QueryContext(ctx, `SELECT format, body FROM abroad_projects p WHERE peer || '/' || id > $1
			AND EXISTS (SELECT 1 FROM abroad_members m WHERE m.peer = p.peer AND m.project = p.id`+whose+`)
		ORDER BY peer || '/' || id LIMIT $2`, after, limit+1, subject)
	if err != nil {
		return nil, false, store.Error("read projects", subject, err)
	}
	defer rows.Close()
	for size := 0; rows.Next(); {
		var number int
		var body string
		if err := rows.Scan(&number, &body); err != nil {
			return nil, false, store.Error("read projects", subject, err)
		}
		if size += len(body); len(all) == limit || len(all) > 0 && size > pageBytes {
			return all, true, nil
		}
		p, err := decode[genesis.Project](number, body)
		if err != nil {
			return nil, false, err
		}
		all = append(all, p)
	}
	return all, false, store.Error("read projects", subject, rows.Err())
}

// What of projects goes into one word about somebody: so many tokens, each of at most so
// many bytes. One that a node makes longer than it has to be says nothing.
const (
	mostTokens = 32
	MaxToken   = 1 << 10
)

// Tokens are the tokens of the projects elsewhere that somebody is in now: where there are
// more than fit, some of each node, so that none keeps out those of another.
func (s Store) Tokens(ctx context.Context, subject string) ([]string, error) {
	all, err := store.Column[string](ctx, s.DB.Read(), `SELECT token FROM (SELECT token, peer, project, row_number() OVER (PARTITION BY peer ORDER BY project) AS place
			FROM abroad_members WHERE subject = $1 AND until > $2 AND length(token) <= $3)
		ORDER BY place, peer LIMIT $4`, subject, store.Time(s.Now()), MaxToken, mostTokens)
	return all, store.Error("read projects", subject, err)
}

// Ending are the nodes of projects whose members here have no token beyond a time.
func (s Store) Ending(ctx context.Context, at time.Time) ([]genesis.NodeID, error) {
	all, err := store.Column[genesis.NodeID](ctx, s.DB.Read(), "SELECT DISTINCT peer FROM abroad_members WHERE until <= $1 AND ended = 0 ORDER BY peer", store.Time(at))
	return all, store.Error("read projects", "", err)
}

// SetToken keeps a token of somebody who is in a project. Of others there is nothing to
// keep: they are not in it, as far as was told, or it has ended since the token was asked for.
func (s Store) SetToken(ctx context.Context, tx *sql.Tx, subject string, peer genesis.NodeID, project, token string, until time.Time) error {
	_, err := tx.ExecContext(ctx, "UPDATE abroad_members SET token = $1, until = $2 WHERE subject = $3 AND peer = $4 AND project = $5 AND until < $2 AND ended = 0",
		token, store.Time(until), subject, string(peer), project)
	return store.Error("keep token", subject, err)
}

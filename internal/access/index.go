package access

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// format is the format number of what this package stores as JSON.
const format = 1

// maxGrants is how many grants may be active at once; they are held in memory.
const maxGrants = 100_000

// grant is a grant as decisions use it.
type grant struct {
	genesis.Grant
	condition *condition // nil: none
}

// index holds what decisions need at hand: the active grants by asset and
// grantee, and who is in which project. It follows the database by the rows of
// policy_changes that it has not seen.
type index struct {
	gen      uint64 // generation up to which it is known to have followed
	turn     int64  // last row of policy_changes it has seen
	grants   map[genesis.Name]map[genesis.Grantee][]*grant
	byID     map[string]*grant
	projects map[string]genesis.Project
	memberOf map[string][]string // canonical person → projects, sorted
	purposes int                 // active grants whose condition looks at the purpose
	swept    time.Time
	compiled map[string]*condition
}

func newIndex() *index {
	return &index{grants: map[genesis.Name]map[genesis.Grantee][]*grant{}, byID: map[string]*grant{},
		projects: map[string]genesis.Project{}, memberOf: map[string][]string{}, compiled: map[string]*condition{}}
}

// change is a row of policy_changes.
type change struct {
	turn      int64
	kind, key string
	version   string
}

// The kinds of change.
const (
	changeAsset   = "asset"
	changeGrant   = "grant"
	changeProject = "project"
)

// note adds a row to policy_changes and returns its turn.
func note(ctx context.Context, tx *sql.Tx, kind, key, version string) (int64, error) {
	var turn int64
	if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(turn), 0) + 1 FROM policy_changes").Scan(&turn); err != nil {
		return turn, store.Error("note change", key, err)
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO policy_changes (turn, kind, key, version) VALUES ($1, $2, $3, $4)", turn, kind, key, version)
	return turn, store.Error("note change", key, err)
}

// load fills an empty index.
func (d *Decider) load(ctx context.Context) error {
	return d.db.Snapshot(ctx, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(turn), 0) FROM policy_changes").Scan(&d.index.turn); err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, "SELECT format, body FROM policy_grants WHERE revoked = 0 AND (until IS NULL OR until > $1) ORDER BY seq", store.Time(d.now()))
		if err != nil {
			return err
		}
		if err := each(rows, func(g genesis.Grant) { d.index.add(g) }); err != nil {
			return err
		}
		rows, err = tx.QueryContext(ctx, "SELECT format, body FROM policy_projects ORDER BY id")
		if err != nil {
			return err
		}
		return each(rows, func(p genesis.Project) { d.index.project(d, p) })
	})
}

// each decodes the rows (format, body) of a query.
func each[T any](rows *sql.Rows, act func(T)) error {
	defer rows.Close()
	for rows.Next() {
		var number int
		var body string
		if err := rows.Scan(&number, &body); err != nil {
			return err
		}
		v, err := decode[T](number, body)
		if err != nil {
			return err
		}
		act(v)
	}
	return rows.Err()
}

// decode reads what encode wrote.
func decode[T any](number int, body string) (T, error) {
	var v T
	if number != format {
		return v, &genesis.Error{Op: "read policy", Kind: genesis.Unsupported, Msg: fmt.Sprintf("it is of format %d, and this program knows %d", number, format)}
	}
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		return v, &genesis.Error{Op: "read policy", Kind: genesis.Internal, Msg: "what is stored is damaged", Err: err}
	}
	return v, nil
}

func encode(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

// follow brings the index up to generation gen. The caller holds d.mu.
func (d *Decider) follow(ctx context.Context, gen uint64) error {
	err := d.db.Snapshot(ctx, func(tx *sql.Tx) error {
		changes, err := changesSince(ctx, tx, d.index.turn)
		if err != nil {
			return err
		}
		for _, c := range changes {
			if err := d.apply(ctx, tx, c); err != nil {
				return err
			}
			d.index.turn = c.turn
		}
		return nil
	})
	if err != nil {
		return store.Error("decide", "", err)
	}
	d.index.sweep(d.now())
	d.index.gen = gen
	return nil
}

func changesSince(ctx context.Context, tx *sql.Tx, turn int64) ([]change, error) {
	rows, err := tx.QueryContext(ctx, "SELECT turn, kind, key, version FROM policy_changes WHERE turn > $1 ORDER BY turn", turn)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []change
	for rows.Next() {
		var c change
		if err := rows.Scan(&c.turn, &c.kind, &c.key, &c.version); err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, rows.Err()
}

func (d *Decider) apply(ctx context.Context, tx *sql.Tx, c change) error {
	switch c.kind {
	case changeAsset:
		d.assets.drop(assetKey{genesis.Name(c.key), genesis.Digest(c.version)})
	case changeGrant:
		d.index.remove(c.key)
		g, err := one[genesis.Grant](ctx, tx, "SELECT format, body FROM policy_grants WHERE id = $1", c.key)
		if err != nil {
			return err
		}
		if g.Active(d.now()) {
			d.index.add(g)
		}
	case changeProject:
		p, err := one[genesis.Project](ctx, tx, "SELECT format, body FROM policy_projects WHERE id = $1", c.key)
		if err != nil {
			return err
		}
		d.index.project(d, p)
	}
	return nil
}

// querier is a transaction or a pool of connections.
type querier interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
}

// one decodes the row (format, body) of a query that has exactly one.
func one[T any](ctx context.Context, q querier, query, key string) (T, error) {
	var number int
	var body string
	if err := q.QueryRowContext(ctx, query, key).Scan(&number, &body); err != nil {
		var none T
		return none, store.Error("read policy", key, err)
	}
	return decode[T](number, body)
}

func (ix *index) add(g genesis.Grant) {
	held := &grant{Grant: g}
	if g.Condition != "" {
		held.condition = ix.compile(g.Condition)
		if held.condition.purpose {
			ix.purposes++
		}
	}
	byGrantee := ix.grants[g.Name]
	if byGrantee == nil {
		byGrantee = map[genesis.Grantee][]*grant{}
		ix.grants[g.Name] = byGrantee
	}
	byGrantee[g.To] = append(byGrantee[g.To], held)
	ix.byID[g.ID] = held
}

// compile returns the condition for a text, compiled once. One that this program
// cannot compile never holds.
func (ix *index) compile(text string) *condition {
	if c := ix.compiled[text]; c != nil {
		return c
	}
	c, err := compileCondition(text)
	if err != nil {
		c = &condition{}
	}
	ix.compiled[text] = c
	return c
}

func (ix *index) remove(id string) {
	g := ix.byID[id]
	if g == nil {
		return
	}
	delete(ix.byID, id)
	if g.condition != nil && g.condition.purpose {
		ix.purposes--
	}
	byGrantee := ix.grants[g.Name]
	left := slices.DeleteFunc(slices.Clone(byGrantee[g.To]), func(o *grant) bool { return o == g })
	if byGrantee[g.To] = left; len(left) == 0 {
		delete(byGrantee, g.To)
	}
	if len(byGrantee) == 0 {
		delete(ix.grants, g.Name)
	}
}

// sweep forgets, once an hour, grants that ended by themselves, and conditions
// that nothing uses any more.
func (ix *index) sweep(now time.Time) {
	if now.Sub(ix.swept) < time.Hour {
		return
	}
	ix.swept = now
	used := map[string]*condition{}
	for id, g := range ix.byID {
		if !g.Active(now) {
			ix.remove(id)
		} else if g.condition != nil {
			used[g.Condition] = g.condition
		}
	}
	ix.compiled = used
}

// project takes up the present state of a project.
func (ix *index) project(d *Decider, p genesis.Project) {
	for _, m := range members(ix.projects[p.ID]) {
		who := d.canon(m)
		left := slices.DeleteFunc(slices.Clone(ix.memberOf[who]), func(id string) bool { return id == p.ID })
		if ix.memberOf[who] = left; len(left) == 0 {
			delete(ix.memberOf, who)
		}
	}
	delete(ix.projects, p.ID)
	if p.Ended {
		return
	}
	ix.projects[p.ID] = p
	for _, m := range members(p) {
		who := d.canon(m)
		if ids := ix.memberOf[who]; !slices.Contains(ids, p.ID) {
			ids = append(slices.Clone(ids), p.ID)
			slices.Sort(ids)
			ix.memberOf[who] = ids
		}
	}
}

// members are the lead and the members of a project.
func members(p genesis.Project) []genesis.PersonID {
	if p.ID == "" {
		return nil
	}
	return append([]genesis.PersonID{p.Lead}, p.Members...)
}

// current are those of a person's projects that have not ended by themselves at a
// time, and when the first of them will.
func (ix *index) current(ids []string, now time.Time) (in []string, until time.Time) {
	for _, id := range ids {
		end := ix.projects[id].Until
		if !end.IsZero() && !now.Before(end) {
			continue
		}
		in, until = append(in, id), sooner(until, end)
	}
	return in, until
}

// sooner is the earlier of two times, of which zero means never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

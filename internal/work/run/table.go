package run

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// row is a run as the database has it.
type row struct {
	genesis.Run
	seq      int64
	attached bool
	seen     int64 // number of what the node that carries it out said last
	inputs   []input
	pinned   json.RawMessage
}

// input is a raw file of a run. Path is where it can be opened again; empty: it
// was handed over open.
type input struct {
	Name string `json:"name"`
	Path string `json:"path,omitempty"`
}

// rowColumns are what scanRow reads: first those of a listing, then the rest.
const (
	listColumns = `id, seq, kind, subject, state, attached, tries, memory, seconds, created_at,
		coalesce(started_at, 0), coalesce(ended_at, 0), asker, error, node, why, seen, heard`
	rowColumns = listColumns + `, files, request, pinned, result`
)

func scanRow(scan func(...any) error, whole bool) (row, error) {
	var r row
	var created, started, ended, heard int64
	var asker, problem, files, request, pinned, result string
	into := []any{&r.ID, &r.seq, &r.Kind, &r.Subject, &r.State, &r.attached, &r.Tries, &r.Memory, &r.Seconds, &created, &started, &ended, &asker, &problem, &r.At, &r.Why, &r.seen, &heard}
	if whole {
		into = append(into, &files, &request, &pinned, &result)
	}
	if err := scan(into...); err != nil {
		return r, err
	}
	r.Created, r.Started, r.Ended, r.Heard = store.TimeAt(created), timeAt(started), timeAt(ended), timeAt(heard)
	r.Request, r.pinned, r.Result = rawJSON(request), rawJSON(pinned), rawJSON(result)
	return r, errors.Join(read(asker, &r.By), read(problem, &r.Error), read(files, &r.inputs))
}

// timeAt leaves the zero time of what did not happen yet.
func timeAt(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return store.TimeAt(us)
}

func rawJSON(text string) json.RawMessage {
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}

// read decodes a column that is empty for nothing.
func read(text string, into any) error {
	if text == "" {
		return nil
	}
	return json.Unmarshal([]byte(text), into)
}

// queryer is what both a transaction and a pool of connections can do.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// find returns a run by its id. NotFound.
func find(ctx context.Context, q queryer, id string) (row, error) {
	r, err := scanRow(q.QueryRowContext(ctx, "SELECT "+rowColumns+" FROM runs WHERE id = $1", id).Scan, true)
	if errors.Is(err, sql.ErrNoRows) {
		return r, NotFound(id)
	}
	return r, store.Error("find run", id, err)
}

// insert adds a run, last in order.
func insert(ctx context.Context, tx *sql.Tx, r *row) error {
	asker, err := json.Marshal(r.By)
	if err != nil {
		return err
	}
	files, err := json.Marshal(r.inputs)
	if err != nil {
		return err
	}
	if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(seq), 0) + 1 FROM runs").Scan(&r.seq); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO runs (id, seq, kind, subject, person, state, attached, tries, memory, seconds, created_at, asker, files, request, pinned, node, why)
		VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
		r.ID, r.seq, string(r.Kind), r.Subject, string(r.By.Person()), string(r.State), r.attached, r.Memory, r.Seconds, store.Time(r.Created),
		string(asker), string(files), string(r.Request), string(r.pinned), string(r.At), r.Why)
	return err
}

// change updates a run of this node's own that is not ended, and reports whether it was not.
func change(ctx context.Context, tx *sql.Tx, id, set string, args ...any) (bool, error) {
	res, err := tx.ExecContext(ctx, "UPDATE runs SET "+set+" WHERE id = $1 AND state IN ('queued', 'running') AND node = ''", append([]any{id}, args...)...)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

// Query says which runs to list. The zero value lists all.
type Query struct {
	Person genesis.PersonID // of this person; "": of all
	State  genesis.RunState // "": in any
	Kind   genesis.RunKind  // "": of any
	After  string           // the Next of the page before
	Limit  int              // 0: 100; at most 1000
}

// List returns a page of runs, newest first, without their requests and results.
// The cursor stays right while runs are added. Errors: Invalid (a cursor that is
// none).
func (m *Manager) List(ctx context.Context, q Query) (genesis.RunPage, error) {
	before, err := cursor(q.After)
	if err != nil {
		return genesis.RunPage{}, err
	}
	if q.Limit <= 0 {
		q.Limit = 100
	}
	q.Limit = min(q.Limit, 1000)
	rows, err := listRows(ctx, m.cfg.DB.Read(), listColumns, `WHERE seq < $1 AND ($2 = '' OR person = $2) AND ($3 = '' OR state = $3) AND ($4 = '' OR kind = $4)
		ORDER BY seq DESC LIMIT $5`, before, string(q.Person), string(q.State), string(q.Kind), q.Limit+1)
	if err != nil {
		return genesis.RunPage{}, err
	}
	page := genesis.RunPage{Runs: []genesis.Run{}}
	if len(rows) > q.Limit {
		rows = rows[:q.Limit]
		page.Next = strconv.FormatInt(rows[q.Limit-1].seq, 10)
	}
	for _, r := range rows {
		page.Runs = append(page.Runs, m.live(r.Run))
	}
	return page, nil
}

func listRows(ctx context.Context, q queryer, columns, where string, args ...any) ([]row, error) {
	found, err := q.QueryContext(ctx, "SELECT "+columns+" FROM runs "+where, args...)
	if err != nil {
		return nil, store.Error("list runs", "", err)
	}
	defer found.Close()
	var all []row
	for found.Next() {
		r, err := scanRow(found.Scan, columns == rowColumns)
		if err != nil {
			return nil, store.Error("list runs", "", err)
		}
		all = append(all, r)
	}
	return all, store.Error("list runs", "", found.Err())
}

// cursor reads the Next of a page.
func cursor(s string) (int64, error) {
	if s == "" {
		return 1<<63 - 1, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 || strconv.FormatInt(n, 10) != s {
		return 0, &genesis.Error{Op: "list runs", Kind: genesis.Invalid, Subject: s, Msg: "is not a cursor", Hint: "use the next of the page before"}
	}
	return n, nil
}

// Run returns a run with its request and result. NotFound.
func (m *Manager) Run(ctx context.Context, id string) (genesis.Run, error) {
	r, err := find(ctx, m.cfg.DB.Read(), id)
	return m.live(r.Run), err
}

// live adds to a run what only memory knows: progress and place in the queue.
func (m *Manager) live(r genesis.Run) genesis.Run {
	if r.State.Ended() {
		return r
	}
	m.mu.Lock()
	a := m.active[r.ID]
	r.Position = m.queue.position(a)
	m.mu.Unlock()
	if a != nil {
		r.Progress = a.Run().Progress
	}
	return r
}

// sameOutput is how many runs of one person with the same output are told apart.
const sameOutput = 100

// Made returns the runs of a person that put out the bytes, newest first.
func (m *Manager) Made(ctx context.Context, d genesis.Digest, person genesis.PersonID) ([]genesis.Run, error) {
	all, err := listRows(ctx, m.cfg.DB.Read(), rowColumns, `WHERE kind = 'predict' AND state = 'done' AND person = $1 AND instr(result, $2) > 0
		ORDER BY seq DESC LIMIT $3`, string(person), `"output":{"digest":"`+string(d)+`"`, sameOutput)
	if err != nil {
		return nil, store.Error("find output", string(d), err)
	}
	runs := make([]genesis.Run, len(all))
	for i, r := range all {
		runs[i] = r.Run
	}
	return runs, nil
}

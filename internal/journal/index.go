package journal

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// index finds entries of the audit log. It holds nothing that is not in the
// log, and can be made from it at any time.
type index struct {
	path string
	mu   sync.RWMutex // held for writing while the file is exchanged
	db   *store.DB
	size atomic.Int64 // entries indexed
}

func openIndex(ctx context.Context, path string) (*index, error) {
	db, err := store.OpenWith(ctx, path, store.Schema{Migrations: store.Sub(schemas, "schema/index"), Derived: true})
	if err != nil {
		return nil, err
	}
	x := &index{path: path, db: db}
	var last int64
	if err := db.Read().QueryRowContext(ctx, "SELECT coalesce(max(seq), -1) FROM entries").Scan(&last); err != nil {
		db.Close()
		return nil, store.Error("open index", path, err)
	}
	x.size.Store(last + 1)
	return x, nil
}

func (x *index) close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.db.Close()
}

// columns are what the index has of an entry.
type columns struct {
	seq                                          int64
	id                                           string
	at                                           int64
	actor, act, outcome, owner, subject, project string
}

const columnNames = "seq, id, at, actor, act, outcome, owner, subject, project"

func columnsOf(seq int64, e *entry) columns {
	return columns{seq, e.ID, store.Time(e.at()), e.Actor, e.Act, string(e.Outcome), e.Owner, e.Subject, e.Project}
}

func (c *columns) row() []any {
	return []any{c.seq, c.id, c.at, c.actor, c.act, c.outcome, c.owner, c.subject, c.project}
}

func (c *columns) pointers() []any {
	return []any{&c.seq, &c.id, &c.at, &c.actor, &c.act, &c.outcome, &c.owner, &c.subject, &c.project}
}

// add indexes entries that follow those that are there. Those that are there
// already stay.
func (x *index) add(ctx context.Context, all []columns) error {
	if len(all) == 0 {
		return nil
	}
	rows := make([][]any, len(all))
	for i := range all {
		rows[i] = all[i].row()
	}
	x.mu.RLock()
	defer x.mu.RUnlock()
	err := x.db.Tx(ctx, func(tx *sql.Tx) error {
		return bulk(ctx, tx, "INSERT INTO entries ("+columnNames+") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (seq) DO NOTHING", rows)
	})
	if err == nil {
		x.size.Store(all[len(all)-1].seq + 1)
	}
	return err
}

// has returns which of the ids are in the log.
func (x *index) has(ctx context.Context, ids []string) (map[string]bool, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	found := map[string]bool{}
	for chunk := range slices.Chunk(ids, 500) {
		args := make([]any, len(chunk))
		for i, id := range chunk {
			args[i] = id
		}
		rows, err := x.db.Read().QueryContext(ctx, "SELECT id FROM entries WHERE id IN ("+placeholders(1, len(chunk))+")", args...)
		if err != nil {
			return nil, store.Error("read index", "", err)
		}
		for rows.Next() {
			var id string
			if err = rows.Scan(&id); err != nil {
				break
			}
			found[id] = true
		}
		if err = errors.Join(err, rows.Err(), rows.Close()); err != nil {
			return nil, store.Error("read index", "", err)
		}
	}
	return found, nil
}

// read returns the rows that a condition selects.
func (x *index) read(ctx context.Context, where string, args ...any) ([]columns, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	rows, err := x.db.Read().QueryContext(ctx, "SELECT "+columnNames+" FROM entries WHERE "+where, args...)
	if err != nil {
		return nil, store.Error("read index", "", err)
	}
	defer rows.Close()
	var all []columns
	for rows.Next() {
		var c columns
		if err := rows.Scan(c.pointers()...); err != nil {
			return nil, store.Error("read index", "", err)
		}
		all = append(all, c)
	}
	return all, store.Error("read index", "", rows.Err())
}

// number returns what a query gives one number of, or missing when it gives none.
func (x *index) number(ctx context.Context, missing int64, query string, args ...any) (int64, error) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	var n sql.NullInt64
	err := x.db.Read().QueryRowContext(ctx, query, args...).Scan(&n)
	if err != nil || !n.Valid {
		return missing, store.Error("read index", "", err)
	}
	return n.Int64, nil
}

// drop removes rows of entries that are not in the log.
func (x *index) drop(ctx context.Context, size int64) error {
	err := x.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM entries WHERE seq >= $1", size)
		return err
	})
	if err == nil {
		x.size.Store(min(size, x.size.Load()))
	}
	return err
}

// replace makes the index anew, with fill, and puts it in the place of the old
// one once it is whole.
func (x *index) replace(ctx context.Context, fill func(*index) error) error {
	fresh := x.path + ".new"
	if err := removeDatabase(fresh); err != nil {
		return err
	}
	made, err := openIndex(ctx, fresh)
	if err != nil {
		return err
	}
	if err = fill(made); err == nil {
		err = made.db.Flush(ctx)
	}
	if err = errors.Join(err, made.close()); err != nil {
		return store.Error("rebuild index", x.path, err)
	}
	return x.exchange(ctx, fresh)
}

// exchange puts another file in place. Nobody reads meanwhile.
func (x *index) exchange(ctx context.Context, fresh string) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.db != nil {
		x.db.Close()
	}
	if err := removeDatabase(x.path); err != nil {
		return err
	}
	if err := os.Rename(fresh, x.path); err != nil {
		return &genesis.Error{Op: "rebuild index", Kind: genesis.Unavailable, Subject: filepath.Base(x.path), Err: err}
	}
	opened, err := openIndex(ctx, x.path)
	if err != nil {
		return err
	}
	x.db = opened.db
	x.size.Store(opened.size.Load())
	return nil
}

// removeDatabase removes a database file and what SQLite keeps beside it.
func removeDatabase(path string) error {
	for _, suffix := range []string{"-wal", "-shm", ""} {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return &genesis.Error{Op: "rebuild index", Kind: genesis.Unavailable, Subject: filepath.Base(path), Err: err}
		}
	}
	return nil
}

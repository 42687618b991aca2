package store

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"time"

	"github.com/opengenesis/genesis"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// DB is the node's database. It is safe for concurrent use.
type DB struct {
	write *sql.DB // one connection
	read  *sql.DB
	path  string
}

// readers is how many connections read at once.
const readers = 8

// writeCache lets the connection that writes keep 32 MiB of pages: rows that come in no
// order, like names that another node lists, touch pages all over their tables.
const writeCache = "_pragma=cache_size(-32768)"

// Open opens the database file, makes it where it is missing, and brings its
// schema up to date. Errors: Unsupported (schema of a newer program),
// Unavailable (in use), Internal (damaged).
func Open(ctx context.Context, path string) (*DB, error) {
	return OpenWith(ctx, path, Schema{Migrations: catalog})
}

// Schema says what a database beside the catalogue is like.
type Schema struct {
	Migrations fs.FS // numbered goose files
	// Derived says that what is in it can be made again: commits do not wait
	// for the disk, and after a power cut the last ones may be missing.
	Derived bool
}

// OpenWith is [Open] for a database with a schema of its own.
func OpenWith(ctx context.Context, path string, s Schema) (*DB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, Error("open database", path, err)
	}
	if err := registerKeeping(); err != nil {
		return nil, Error("open database", path, err)
	}
	torn, err := prepare(ctx, path, s)
	if err != nil {
		return nil, err
	}
	if err := private(path); err != nil {
		return nil, Error("open database", path, err)
	}
	sync := "_pragma=synchronous(FULL)"
	if s.Derived {
		sync = "_pragma=synchronous(NORMAL)"
	}
	write, err := sql.Open(keepingName, checkedDSN(path, "_txlock=immediate", "_pragma=journal_mode(WAL)", "_pragma=secure_delete(ON)", writeCache, sync))
	if err != nil {
		return nil, Error("open database", path, err)
	}
	write.SetMaxOpenConns(1)
	if err := begin(ctx, write, path, s.Migrations, torn); err != nil {
		write.Close()
		return nil, err
	}
	read, err := sql.Open(keepingName, checkedDSN(path, "_pragma=query_only(1)"))
	if err != nil {
		write.Close()
		return nil, Error("open database", path, err)
	}
	read.SetMaxOpenConns(readers)
	read.SetMaxIdleConns(readers)
	return &DB{write: write, read: read, path: path}, nil
}

// begin marks the database as ours and brings its schema up to date. What a crash
// left at the end of the log does not stay behind what is written now (see checkLog).
func begin(ctx context.Context, write *sql.DB, path string, files fs.FS, torn bool) error {
	if torn {
		if err := checkpoint(ctx, write); err != nil {
			return err
		}
	}
	if err := mark(ctx, write); err != nil {
		return Error("open database", path, err)
	}
	return migrate(ctx, write, path, files)
}

// checkedDSN returns the name under which the driver opens path with its pages
// checked.
func checkedDSN(path string, params ...string) string {
	return dsn(path, append(params, "vfs="+vfsName)...)
}

// dsn returns the name under which the driver opens path.
func dsn(path string, params ...string) string {
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(path)}
	u.RawQuery = "_pragma=busy_timeout(10000)&_pragma=foreign_keys(1)"
	for _, p := range params {
		u.RawQuery += "&" + p
	}
	return u.String()
}

// Close closes the database.
func (db *DB) Close() error {
	return errors.Join(db.read.Close(), db.write.Close())
}

// Flush moves what the write-ahead file of SQLite holds to the database file, and
// empties it: what was deleted is then in neither.
func (db *DB) Flush(ctx context.Context) error { return checkpoint(ctx, db.write) }

func checkpoint(ctx context.Context, write *sql.DB) error {
	_, err := write.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	return Error("write database", "", err)
}

// Read returns the connections for reading. They see what was committed, and
// cannot write.
func (db *DB) Read() *sql.DB { return db.read }

// Tx runs act in a transaction that commits when act returns nil. When another
// process holds the database, Tx waits and runs act again from the start, so act
// must set, not add to, what it leaves outside. Errors: those of act as they
// are; Unavailable, Canceled, Internal.
func (db *DB) Tx(ctx context.Context, act func(*sql.Tx) error) error {
	for attempt := 0; ; attempt++ {
		err := db.try(ctx, act)
		if attempt == 8 || !busy(err) {
			return Error("write database", "", err)
		}
		pause := time.Duration(1+rand.IntN(10<<attempt)) * time.Millisecond
		select {
		case <-ctx.Done():
			return Error("write database", "", ctx.Err())
		case <-time.After(pause):
		}
	}
}

func (db *DB) try(ctx context.Context, act func(*sql.Tx) error) error {
	tx, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if err := act(tx); err != nil {
		return interrupted(ctx, err)
	}
	return interrupted(ctx, tx.Commit())
}

// interrupted names the end of ctx as the cause of what it broke: database/sql
// then rolls back on its own, and what follows finds the transaction done, or
// the statement interrupted, as it happens.
func interrupted(ctx context.Context, err error) error {
	var known *genesis.Error
	if err == nil || ctx.Err() == nil || errors.As(err, &known) {
		return err
	}
	return ctx.Err()
}

// Snapshot runs act in a transaction that reads one state of the database.
func (db *DB) Snapshot(ctx context.Context, act func(*sql.Tx) error) error {
	tx, err := db.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return Error("read database", "", err)
	}
	defer tx.Rollback()
	return Error("read database", "", interrupted(ctx, act(tx)))
}

// busy reports whether the database was held by somebody else.
func busy(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	code := e.Code() & 0xff // without the extension
	return code == sqlite3.SQLITE_BUSY || code == sqlite3.SQLITE_LOCKED
}

// Error gives an error of the database its kind. Errors that have one, and nil,
// are returned as they are.
func Error(op, subject string, err error) error {
	var known *genesis.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	e := &genesis.Error{Op: op, Subject: subject, Kind: genesis.Internal, Msg: "the database answers with an error", Err: err}
	var s *sqlite.Error
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		e.Kind, e.Msg = genesis.Canceled, "stopped"
	case errors.Is(err, sql.ErrNoRows):
		e.Kind, e.Msg = genesis.NotFound, "is not there"
	case busy(err):
		e.Kind, e.Msg, e.Hint = genesis.Unavailable, "another program holds the database", "try again in a moment"
	case errors.As(err, &s) && s.Code()&0xff == sqlite3.SQLITE_FULL:
		e.Kind, e.Msg, e.Hint = genesis.Unavailable, "there is no room left on the disk", "free some room, then try again"
	case errors.As(err, &s) && s.Code() == sqlite3.SQLITE_IOERR_DATA:
		e.Msg, e.Hint = lastDamage()+" is damaged: it no longer matches its checksum", "restore the database from a backup"
	case errors.As(err, &s) && unreachable(s.Code()&0xff):
		e.Kind, e.Msg, e.Hint = genesis.Unavailable, "the database file cannot be read or written", "is there room on the disk, and may this user write there?"
	case errors.As(err, &s) && (s.Code()&0xff == sqlite3.SQLITE_CORRUPT || s.Code()&0xff == sqlite3.SQLITE_NOTADB):
		e.Msg, e.Hint = "the database file is damaged", "restore it from a backup"
	}
	return e
}

// unreachable reports codes by which the file system refuses.
func unreachable(code int) bool {
	return code == sqlite3.SQLITE_IOERR || code == sqlite3.SQLITE_READONLY || code == sqlite3.SQLITE_CANTOPEN || code == sqlite3.SQLITE_PERM
}

// Time returns how t is kept in the database: microseconds since
// 1970-01-01T00:00:00Z.
func Time(t time.Time) int64 { return t.UnixMicro() }

// TimeAt is the inverse of Time.
func TimeAt(us int64) time.Time { return time.UnixMicro(us).UTC() }

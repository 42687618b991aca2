package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/opengenesis/genesis"
)

// Copy writes the database as it is at one moment to path, which must not
// exist, and checks that the copy is sound. Writers go on meanwhile. Errors:
// Internal (the database is damaged), Unavailable (no room), Canceled.
func (db *DB) Copy(ctx context.Context, path string) error {
	conn, err := db.read.Conn(ctx)
	if err != nil {
		return Error("copy database", path, err)
	}
	defer conn.Close()
	if err := empty(path); err != nil {
		return Error("copy database", path, err)
	}
	// The reading connections cannot write, not even another file: this one may
	// for as long as the copy takes.
	if _, err := conn.ExecContext(ctx, "PRAGMA query_only(0)"); err != nil {
		return Error("copy database", path, err)
	}
	_, err = conn.ExecContext(ctx, "VACUUM INTO $1", path)
	_, again := conn.ExecContext(context.WithoutCancel(ctx), "PRAGMA query_only(1)")
	if err := errors.Join(interrupted(ctx, err), again); err != nil {
		return Error("copy database", path, err)
	}
	return checkCopy(ctx, path)
}

// checkCopy refuses a copy that SQLite finds fault with.
func checkCopy(ctx context.Context, path string) error {
	db, err := OpenCopy(path)
	if err != nil {
		return err
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return Error("copy database", path, interrupted(ctx, err))
	}
	if verdict != "ok" {
		return &genesis.Error{Op: "copy database", Kind: genesis.Internal, Subject: path,
			Msg: "the database is damaged: " + verdict, Hint: "restore it from an earlier backup"}
	}
	return nil
}

// OpenCopy opens a file that Copy wrote, for reading alone. Pages are checked, unless
// the copy is of an earlier program, whose pages had no checksums.
func OpenCopy(path string) (*sql.DB, error) {
	if err := registerLayer(); err != nil {
		return nil, err
	}
	vfs := vfsName
	_, err := quietly(path, func() error {
		kind, err := kindOf(path)
		if kind == plainFile {
			vfs = uncheckedName
		}
		return err
	})
	if err != nil {
		return nil, Error("open database", path, err)
	}
	db, err := sql.Open("sqlite", dsn(path, "mode=ro", "immutable=1", "vfs="+vfs))
	return db, Error("open database", path, err)
}

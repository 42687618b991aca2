package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/opengenesis/genesis"
	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// copySuffix stands between the name of the database and the number of the schema
// in the name of a copy.
const copySuffix = ".schema-"

// catalog is the schema of the catalogue's database.
var catalog = Sub(migrations, "migrations")

// Sub returns a folder of embedded files. It panics when there is none, which
// the compiler has made sure of.
func Sub(files embed.FS, dir string) fs.FS {
	sub, err := fs.Sub(files, dir)
	if err != nil {
		panic(err)
	}
	return sub
}

func migrator(db *sql.DB, files fs.FS) (*goose.Provider, error) {
	return goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
}

// migrate brings the schema up to date.
func migrate(ctx context.Context, db *sql.DB, path string, files fs.FS) error {
	if err := legible(ctx, db); err != nil {
		return Error("open database", path, err)
	}
	p, err := migrator(db, files)
	if err != nil {
		return Error("open database", path, err)
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return Error("open database", path, err)
	}
	if have > want {
		return &genesis.Error{Op: "open database", Kind: genesis.Unsupported, Subject: path,
			Msg:  fmt.Sprintf("its schema has number %d, and this program knows %d", have, want),
			Hint: "use the program that wrote it, or a newer one"}
	}
	if have == want {
		return nil
	}
	if have > 0 {
		if err := backup(ctx, db, fmt.Sprintf("%s%s%d", path, copySuffix, have)); err != nil {
			return err
		}
	}
	_, err = p.Up(ctx)
	return Error("open database", path, err)
}

// legible reads the table of goose, which takes one that is damaged for one that is
// missing.
func legible(ctx context.Context, db *sql.DB) error {
	var n int
	err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema WHERE name = 'goose_db_version'").Scan(&n)
	if err != nil || n == 0 {
		return err
	}
	return db.QueryRowContext(ctx, "SELECT count(*) FROM goose_db_version").Scan(&n)
}

// backup copies the database as it is before a migration to path, in place of an earlier
// copy.
func backup(ctx context.Context, db *sql.DB, path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Error("back up database", path, err)
	}
	_, err := db.ExecContext(ctx, "VACUUM INTO $1", path)
	return Error("back up database", path, err)
}

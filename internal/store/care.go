package store

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/opengenesis/genesis"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Check reads the whole database and returns what is wrong with it, in words:
// pages that are no longer what they were, used or not; indexes that differ from
// their tables; rows that refer to missing ones. It takes time in proportion to the
// size of the file. An error says that it could not do its work.
func (db *DB) Check(ctx context.Context) ([]string, error) {
	damage, err := db.badPages(ctx)
	if err != nil || len(damage) > 0 {
		return damage, Error("check database", "", interrupted(ctx, err))
	}
	damage, err = Column[string](ctx, db.read, "PRAGMA integrity_check(100)")
	if err == nil && len(damage) == 1 && damage[0] == "ok" {
		damage = nil
	}
	if err != nil && ctx.Err() == nil {
		return []string{Error("check database", "", err).Error()}, nil // too damaged to be checked
	}
	if err != nil || len(damage) > 0 {
		return damage, Error("check database", "", err)
	}
	return db.orphans(ctx)
}

// orphans names the rows that refer to missing ones.
func (db *DB) orphans(ctx context.Context) (damage []string, err error) {
	rows, err := db.read.QueryContext(ctx, "PRAGMA foreign_key_check")
	if err != nil {
		return nil, Error("check database", "", err)
	}
	defer rows.Close()
	for rows.Next() {
		var table, parent string
		var row, key any
		if err := rows.Scan(&table, &row, &parent, &key); err != nil {
			return nil, Error("check database", "", err)
		}
		damage = append(damage, "a row of "+table+" refers to one of "+parent+" that is missing")
	}
	return damage, Error("check database", "", rows.Err())
}

// mostPages bounds how many damaged pages are named.
const mostPages = 100

// badPages reads every page, also those that are not in use, through a connection of
// its own, which has none in memory yet. It reads page by page, so that no state of
// the database has to stay for long.
func (db *DB) badPages(ctx context.Context) (damage []string, err error) {
	fresh, err := sql.Open("sqlite", checkedDSN(db.path, "_pragma=query_only(1)"))
	if err != nil {
		return nil, err
	}
	defer fresh.Close()
	fresh.SetMaxOpenConns(1)
	var last int64
	if err := fresh.QueryRowContext(ctx, "PRAGMA page_count").Scan(&last); err != nil {
		return broken(damage, err)
	}
	page, err := fresh.PrepareContext(ctx, "SELECT length(data) FROM sqlite_dbpage WHERE pgno = $1")
	if err != nil {
		return broken(damage, err)
	}
	defer page.Close()
	for number := int64(1); number <= last && len(damage) < mostPages; number++ {
		var size int
		err := page.QueryRowContext(ctx, number).Scan(&size)
		if errors.Is(err, sql.ErrNoRows) { // the database became smaller
			return damage, nil
		}
		if damage, err = broken(damage, err); err != nil {
			return nil, err
		}
	}
	return damage, nil
}

// broken adds to damage what an error says of a page, and returns other errors.
func broken(damage []string, err error) ([]string, error) {
	var known *genesis.Error
	var s *sqlite.Error
	if errors.As(err, &s) && s.Code() == sqlite3.SQLITE_IOERR_DATA && errors.As(Error("", "", err), &known) {
		return append(damage, known.Msg), nil
	}
	return damage, err
}

// Scrub leaves nothing of deleted rows in the database's files: it writes the
// database anew, empties the write-ahead log, and removes the copies made before
// migrations, which hold what was deleted since. What a file system or a disk
// keeps of overwritten blocks is beyond it. Errors: Unavailable (somebody reads
// an old state for too long; no room for the copy), Canceled.
func (db *DB) Scrub(ctx context.Context) error {
	if _, err := db.write.ExecContext(ctx, "VACUUM"); err != nil {
		return Error("scrub database", "", err)
	}
	var blocked, frames, moved int
	err := db.write.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&blocked, &frames, &moved)
	if err != nil {
		return Error("scrub database", "", err)
	}
	if blocked != 0 {
		return &genesis.Error{Op: "scrub database", Kind: genesis.Unavailable,
			Msg: "somebody reads an old state of it, which must stay for so long", Hint: "try again in a moment"}
	}
	return db.dropCopies()
}

// dropCopies removes the copies that migrations made of the database.
func (db *DB) dropCopies() error {
	dir, name := filepath.Split(db.path)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return Error("scrub database", dir, err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), name+copySuffix) {
			continue
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Error("scrub database", e.Name(), err)
		}
	}
	return nil
}

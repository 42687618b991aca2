package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
)

// Check reads the whole database and returns what is wrong with it, in words:
// pages that are no longer what they were, used or not; indexes that differ from
// their tables; rows that refer to missing ones. It takes time in proportion to the
// size of the file. An error says that it could not do its work.
func (db *DB) Check(ctx context.Context) ([]string, error) {
	damage, err := db.badPages(ctx)
	if err != nil || len(damage) > 0 {
		return damage, Error("check database", "", err)
	}
	damage, err = db.lines(ctx, "PRAGMA integrity_check(100)")
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

// badPages looks at every page of the file, also at those that are not in use.
func (db *DB) badPages(ctx context.Context) (damage []string, err error) {
	f, err := os.Open(db.path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	page := make([]byte, pageSize)
	for number := int64(1); ; number++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		sound, err := tryPage(f, page, number)
		if err == io.EOF {
			return damage, nil
		}
		if err != nil {
			return nil, err
		}
		if !sound {
			damage = append(damage, fmt.Sprintf("page %d of %s no longer matches its checksum", number, filepath.Base(db.path)))
		}
	}
}

// tryPage looks at a page more than once where it has to: it may be written just
// now.
func tryPage(f *os.File, page []byte, number int64) (sound bool, err error) {
	for try := range 5 {
		time.Sleep(time.Duration(try) * 5 * time.Millisecond)
		n, err := f.ReadAt(page, (number-1)*pageSize)
		if err != nil && (err != io.EOF || n == 0) {
			return false, err
		}
		if err == nil && soundPage(page, number) {
			return true, nil
		}
	}
	return false, nil
}

// lines returns the first column of what a statement answers.
func (db *DB) lines(ctx context.Context, stmt string) ([]string, error) {
	rows, err := db.read.QueryContext(ctx, stmt)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return nil, err
		}
		all = append(all, line)
	}
	return all, rows.Err()
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

package store

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/opengenesis/genesis"
)

// Two places in the header say that the pages of a database have checksums: the
// number of bytes reserved in each, and the application's id. One of them is enough,
// so that a bit that flips there does not switch the checksums off.
const (
	magic         = "SQLite format 3\x00"
	reservedAt    = 20
	applicationAt = 68
	applicationID = 0x474e5331 // "GNS1"
)

// prepare makes sure that the file at path can be opened with its pages checked: a
// database of an earlier program, whose pages have no checksums, is written anew. It
// reports whether the write-ahead log ends in what a crash left of a transaction.
func prepare(ctx context.Context, path string, s Schema) (torn bool, err error) {
	if err := registerLayer(); err != nil {
		return false, err
	}
	var kind fileKind
	done, err := quietly(path, func() (err error) { kind, err = kindOf(path); return err })
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, Error("open database", path, err)
	case !done: // this process has it open, so that it is in order
		return false, nil
	case kind == plainFile:
		return false, Error("open database", path, addSums(ctx, path))
	case s.Derived: // its log is not flushed at each commit
		return false, nil
	}
	return checkLog(path)
}

// fileKind says whether the pages of a database have checksums.
type fileKind int

const (
	otherFile fileKind = iota // no database, or an empty one: the engine will say so
	plainFile
	checkedFile
)

// kindOf reads the header of a database file.
func kindOf(path string) (fileKind, error) {
	header := make([]byte, headerLen)
	f, err := os.Open(path)
	if err != nil {
		return otherFile, err
	}
	_, err = io.ReadFull(f, header)
	f.Close()
	switch {
	case err != nil:
		return otherFile, nil
	case header[reservedAt] == reserved || binary.BigEndian.Uint32(header[applicationAt:]) == applicationID:
		return checkedFile, nil
	case bytes.HasPrefix(header, []byte(magic)):
		return plainFile, nil
	}
	return otherFile, nil
}

// mark notes in the database that its pages have checksums.
func mark(ctx context.Context, db *sql.DB) error {
	var id int64
	if err := db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id); err != nil || id == applicationID {
		return err
	}
	_, err := db.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id = %d", applicationID))
	return err
}

// addSums writes a database anew, with checksums, and puts it in place of the old
// one, whole or not at all.
func addSums(ctx context.Context, path string) error {
	fresh := path + "-new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := empty(fresh); err != nil {
		return err
	}
	old, err := sql.Open("sqlite", dsn(path, "vfs="+uncheckedName))
	if err != nil {
		return err
	}
	defer old.Close()
	old.SetMaxOpenConns(1)
	// All of it must lie in the one file, because that is replaced: a log that stayed
	// would be taken for that of the new one.
	var mode string
	if err := old.QueryRowContext(ctx, "PRAGMA journal_mode = DELETE").Scan(&mode); err != nil {
		return err
	}
	if mode != "delete" {
		return &genesis.Error{Op: "open database", Kind: genesis.Unavailable, Subject: path, Msg: "another program holds the database", Hint: "try again in a moment"}
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(fresh), RawQuery: "vfs=" + vfsName}
	if _, err := old.ExecContext(ctx, "VACUUM INTO $1", u.String()); err != nil {
		return err
	}
	if err := errors.Join(old.Close(), markFile(ctx, fresh), likeMode(fresh, path), syncFile(fresh)); err != nil {
		return err
	}
	if err := os.Rename(fresh, path); err != nil {
		return err
	}
	return syncFile(filepath.Dir(path))
}

func markFile(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", checkedDSN(path))
	if err != nil {
		return err
	}
	return errors.Join(mark(ctx, db), db.Close())
}

// private makes sure that the owner alone may read and write the database. SQLite gives
// the files beside it the permissions that it has, and makes it itself with those that
// the process's mask leaves.
func private(path string) error {
	if err := empty(path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	for _, name := range []string{path, path + "-wal", path + "-shm", path + "-journal"} {
		info, err := os.Stat(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if mode := info.Mode().Perm(); mode&0o077 != 0 {
			if err := os.Chmod(name, mode&^0o077); err != nil {
				return err
			}
		}
	}
	return nil
}

// empty makes an empty file, which SQLite takes for a new database, for the owner
// alone. One that is there is not opened: closing it would drop SQLite's locks.
func empty(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// likeMode gives a file the permissions of another.
func likeMode(path, other string) error {
	info, err := os.Stat(other)
	if err != nil {
		return err
	}
	return os.Chmod(path, info.Mode().Perm())
}

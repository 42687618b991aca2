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
// database of an earlier program, whose pages have no checksums, is written anew.
func prepare(ctx context.Context, path string) error {
	if err := registerLayer(); err != nil {
		return err
	}
	header := make([]byte, 100)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return Error("open database", path, err)
	}
	_, err = io.ReadFull(f, header)
	f.Close()
	if err != nil { // empty, or no database: the engine will say so
		return nil
	}
	plain := header[reservedAt] != reserved && binary.BigEndian.Uint32(header[applicationAt:]) != applicationID
	if plain && bytes.HasPrefix(header, []byte(magic)) {
		return Error("open database", path, addSums(ctx, path))
	}
	return checkLog(path)
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
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	old, err := sql.Open("sqlite", dsn(path, "vfs="+uncheckedName))
	if err != nil {
		return err
	}
	defer old.Close()
	old.SetMaxOpenConns(1)
	// All of it must lie in the one file, because that is replaced.
	if _, err := old.ExecContext(ctx, "PRAGMA journal_mode = DELETE"); err != nil {
		return err
	}
	u := url.URL{Scheme: "file", Path: filepath.ToSlash(fresh), RawQuery: "vfs=" + vfsName}
	if _, err := old.ExecContext(ctx, "VACUUM INTO $1", u.String()); err != nil {
		return err
	}
	if err := errors.Join(old.Close(), markFile(ctx, fresh), syncFile(fresh)); err != nil {
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

// checkLog looks for damage in the write-ahead log that a crash left. The engine
// takes the log as far as its checksums hold, which is right where the last write was
// torn, and would silently forget what was committed after a frame that the disk
// changed. The two can be told apart: what follows a torn write was never written, so
// a commit after the end of the transaction with the bad frame means damage.
func checkLog(path string) error {
	f, err := os.Open(path + "-wal")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return Error("open database", path, err)
	}
	defer f.Close()
	header := make([]byte, logHeader)
	if _, err := io.ReadFull(f, header); err != nil {
		return nil // nothing was written yet
	}
	order := orderOf(header)
	sum := logSum{}.add(header[:24], order)
	size := int(binary.BigEndian.Uint32(header[8:]))
	if size < 512 || size > 65536 {
		size = 4096
	}
	bad, ends, number := 0, 0, 0 // the first bad frame, and commits from it on
	if sum != sumAt(header[24:]) {
		bad = 1
	}
	frame := make([]byte, frameHeader+size)
	for {
		if _, err := io.ReadFull(f, frame); err != nil {
			return nil
		}
		number++
		if !bytes.Equal(frame[8:16], header[16:24]) && bad == 0 { // from before the log was begun again
			return nil
		}
		sum = sum.add(frame[:8], order).add(frame[frameHeader:], order)
		if bad == 0 && sum != sumAt(frame[16:]) {
			bad = number
		}
		if bad > 0 && binary.BigEndian.Uint32(frame[4:]) != 0 && bytes.Equal(frame[8:16], header[16:24]) {
			ends++
		}
		if ends > 1 {
			return &genesis.Error{Op: "open database", Kind: genesis.Internal, Subject: path,
				Msg:  fmt.Sprintf("frame %d of its write-ahead log is damaged, and transactions were committed after it", bad),
				Hint: "restore it from a backup"}
		}
	}
}

package upload

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// Purge removes complete uploads, whosever they are, of which the bytes have one of the
// digests, and returns their number. dir is that of the store, which may be open: who has
// a file open reads on. Errors: Unavailable, Internal, Canceled.
func Purge(ctx context.Context, db *store.DB, dir string, digests []genesis.Digest) (n int, err error) {
	ids, err := named(ctx, db, digests)
	if err != nil {
		return 0, store.Error("purge uploads", "", err)
	}
	for _, id := range ids {
		err := db.Tx(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `DELETE FROM uploads WHERE id = $1`, id)
			return err
		})
		if err != nil {
			return n, store.Error("purge uploads", id, err)
		}
		if err := removeFile(dir, id); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// named returns the ids of complete uploads with one of the digests.
func named(ctx context.Context, db *store.DB, digests []genesis.Digest) ([]string, error) {
	rows, err := db.Read().QueryContext(ctx, `SELECT id, sha256 FROM uploads WHERE complete = 1`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id string
		var digest genesis.Digest
		if err := rows.Scan(&id, &digest); err != nil {
			return nil, err
		}
		if slices.Contains(digests, digest) {
			ids = append(ids, id)
		}
	}
	return ids, rows.Err()
}

// Drop removes uploads of a person that have served their purpose. Ids that are none of
// theirs are passed over.
func Drop(ctx context.Context, db *store.DB, dir string, person genesis.PersonID, ids []string) error {
	for _, id := range ids {
		var theirs bool
		err := db.Tx(ctx, func(tx *sql.Tx) error {
			res, err := tx.ExecContext(ctx, `DELETE FROM uploads WHERE id = $1 AND person = $2 AND complete = 1`, id, string(person))
			if err != nil {
				return err
			}
			n, err := res.RowsAffected()
			theirs = n == 1
			return err
		})
		if err == nil && theirs {
			err = removeFile(dir, id)
		}
		if err != nil {
			return store.Error("remove uploads", id, err)
		}
	}
	return nil
}

// removeFile removes the file of a session that is there no more.
func removeFile(dir, id string) error {
	if err := os.Remove(filepath.Join(dir, id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fault("remove upload", id, err)
	}
	return nil
}

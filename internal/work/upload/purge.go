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
		if err := os.Remove(filepath.Join(dir, id)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return n, fault("purge uploads", id, err)
		}
		n++
	}
	return n, nil
}

// named returns the ids of complete uploads with one of the digests.
func named(ctx context.Context, db *store.DB, digests []genesis.Digest) ([]string, error) {
	rows, err := db.Read().QueryContext(ctx, `SELECT id, hash_state FROM uploads WHERE complete = 1`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []string
	for rows.Next() {
		var id, state string
		if err := rows.Scan(&id, &state); err != nil {
			return nil, err
		}
		h, err := hashAt(state)
		if err != nil {
			return nil, err
		}
		if slices.Contains(digests, genesis.DigestSum(h.Sum(nil))) {
			ids = append(ids, id)
		}
	}
	return ids, rows.Err()
}

package edge

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"time"

	"github.com/opengenesis/genesis/internal/store"
)

// SQLKeys is the KeyStore of a node's database.
type SQLKeys struct {
	DB  *store.DB
	Now func() time.Time // nil: time.Now
}

func (s *SQLKeys) now() int64 {
	if s.Now != nil {
		return store.Time(s.Now())
	}
	return store.Time(time.Now())
}

// Find returns what is remembered under a claim.
func (s *SQLKeys) Find(ctx context.Context, claim string) (Kept, bool, error) {
	var k Kept
	var body sql.NullString
	err := s.DB.Read().QueryRowContext(ctx,
		`SELECT request, status, content_type, location, body FROM idempotency WHERE claim = $1 AND expires_at > $2`,
		claim, s.now()).Scan(&k.Request, &k.Status, &k.Type, &k.Location, &body)
	if errors.Is(err, sql.ErrNoRows) {
		return Kept{}, false, nil
	}
	if err == nil && body.Valid {
		k.Whole = true
		k.Body, err = base64.StdEncoding.DecodeString(body.String)
	}
	if err != nil {
		return Kept{}, false, store.Error("look up idempotency key", "", err)
	}
	return k, true, nil
}

// Keep remembers an answer, and forgets those whose time is over.
func (s *SQLKeys) Keep(ctx context.Context, person, claim string, k Kept) error {
	var body sql.NullString
	if k.Whole {
		body = sql.NullString{String: base64.StdEncoding.EncodeToString(k.Body), Valid: true}
	}
	now := s.now()
	return s.DB.Tx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM idempotency WHERE expires_at <= $1`, now); err != nil {
			return err
		}
		var held int64
		err := tx.QueryRowContext(ctx, `SELECT COALESCE(SUM(OCTET_LENGTH(body)), 0) FROM idempotency WHERE person = $1`, person).Scan(&held)
		if err != nil {
			return err
		}
		body := body // Tx may run this again
		if held+int64(len(body.String)) > maxKeptOfOne {
			if !k.Made {
				return nil
			}
			body = sql.NullString{}
		}
		_, err = tx.ExecContext(ctx,
			`INSERT INTO idempotency (claim, person, request, status, content_type, location, body, expires_at)
			 VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (claim) DO NOTHING`,
			claim, person, k.Request, k.Status, k.Type, k.Location, body, now+KeepKeys.Microseconds())
		return err
	})
}

// Count returns how many claims of a person are remembered.
func (s *SQLKeys) Count(ctx context.Context, person string) (n int, err error) {
	err = s.DB.Read().QueryRowContext(ctx,
		`SELECT COUNT(*) FROM idempotency WHERE person = $1 AND expires_at > $2`, person, s.now()).Scan(&n)
	return n, store.Error("count idempotency keys", "", err)
}

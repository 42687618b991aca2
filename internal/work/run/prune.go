package run

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// Pruned is what pruning came to.
type Pruned struct {
	Runs  int64 // removed, or that would be
	Bytes int64 // of their logs
}

// pruneBatch is how many runs go in one transaction.
const pruneBatch = 200

// Prune removes runs that ended longer ago than [Limits] keeps them, with their
// logs. Runs that are not ended stay, and so do the newest, for a listing that is
// never empty and an order that goes on. With dryRun it only counts. It may be
// stopped at any time. Errors: Canceled, Unavailable, Internal.
func (m *Manager) Prune(ctx context.Context, dryRun bool) (Pruned, error) {
	var out Pruned
	m.mu.Lock()
	closed := m.closed
	if !closed {
		m.work.Add(1) // Close waits, for the database closes next
		defer m.work.Done()
	}
	m.mu.Unlock()
	if closed {
		return out, nil
	}
	cutoff := time.Now().Add(-m.cfg.Limits.Keep)
	for after := int64(0); ; {
		old, last, err := m.outdated(ctx, cutoff, after)
		if err != nil {
			return out, err
		}
		if len(old) == 0 {
			break
		}
		after = last
		if err := m.prune(ctx, old, dryRun, &out); err != nil {
			return out, err
		}
	}
	return out, m.pruneLogs(ctx, cutoff, dryRun)
}

// outdated returns the ids of some runs to be pruned, oldest first, and where to go
// on.
func (m *Manager) outdated(ctx context.Context, cutoff time.Time, after int64) (ids []string, last int64, err error) {
	rows, err := m.cfg.DB.Read().QueryContext(ctx, `SELECT id, seq FROM runs WHERE seq > $1 AND state IN ('done', 'failed', 'canceled') AND ended_at < $2
		AND seq < (SELECT seq FROM runs ORDER BY seq DESC LIMIT 1 OFFSET $3) ORDER BY seq LIMIT $4`,
		after, store.Time(cutoff), m.cfg.Limits.KeepLast-1, pruneBatch)
	if err != nil {
		return nil, 0, store.Error("prune runs", "", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id, &last); err != nil {
			return nil, 0, store.Error("prune runs", "", err)
		}
		ids = append(ids, id)
	}
	return ids, last, store.Error("prune runs", "", rows.Err())
}

// prune removes the rows of some runs, then their logs: a crash in between leaves
// logs that pruneLogs finds.
func (m *Manager) prune(ctx context.Context, ids []string, dryRun bool, out *Pruned) error {
	if !dryRun {
		err := m.cfg.DB.Tx(ctx, func(tx *sql.Tx) error {
			for _, id := range ids {
				if _, err := tx.ExecContext(ctx, "DELETE FROM runs WHERE id = $1 AND state NOT IN ('queued', 'running')", id); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return store.Error("prune runs", "", err)
		}
	}
	for _, id := range ids {
		out.Runs++
		info, err := os.Stat(m.logOf(id))
		if err == nil {
			out.Bytes += info.Size()
		}
		if err == nil && !dryRun {
			err = os.Remove(m.logOf(id))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return broken("prune runs", id, err)
		}
	}
	return nil
}

// pruneLogs removes old logs of which there is no run. One that is being submitted
// has a log first, but not an old one.
func (m *Manager) pruneLogs(ctx context.Context, cutoff time.Time, dryRun bool) error {
	if dryRun {
		return nil
	}
	entries, err := os.ReadDir(m.logs())
	if err != nil {
		return broken("prune runs", m.cfg.Dir, err)
	}
	for _, e := range entries {
		info, err := e.Info()
		id, isLog := strings.CutSuffix(e.Name(), ".log")
		if err != nil || !isLog || !info.ModTime().Before(cutoff) {
			continue
		}
		_, err = find(ctx, m.cfg.DB.Read(), id)
		if genesis.KindOf(err) == genesis.NotFound {
			err = os.Remove(m.logOf(id))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return broken("prune runs", id, err)
		}
	}
	return nil
}

package catalog

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob/layout"
	"github.com/opengenesis/genesis/internal/store"
)

// A purge is for a spill: bytes that must not be here. [Catalog.EraseTx] notes, in the
// transaction that makes the tombstone, every blob that the version needed; until
// they are destroyed no commit may rely on one of them. [Catalog.Purge] then destroys
// those that nothing else needs. What a crash leaves is still noted, and done by the
// next Purge.

// The states of a row of purges.
const (
	waiting = "waiting"
	removed = "removed"
	shared  = "shared"
)

// Purged is what a purge came to.
type Purged struct {
	Removed []genesis.Digest `json:"removed"`
	Bytes   int64            `json:"bytes"` // of those
	Kept    []Kept           `json:"kept,omitempty"`
}

// Kept is a blob that was to be purged and is still needed.
type Kept struct {
	Digest genesis.Digest `json:"digest"`
	Why    string         `json:"why"`
}

// condemn notes the blobs that a version needs as to be purged.
func (c *Catalog) condemn(w writer, r row) error {
	needs := map[genesis.Digest]bool{r.Digest: true}
	if r.State != genesis.Erased {
		var err error
		if needs, err = c.everNeeded(w, r); err != nil {
			return err
		}
	}
	id, err := w.next("purges", "id")
	if err != nil {
		return err
	}
	for _, d := range slices.Sorted(maps.Keys(needs)) {
		if err := w.exec(`INSERT INTO purges (id, version_id, digest, state, at) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (version_id, digest) DO UPDATE SET id = $1, state = $4, at = $5`,
			id, r.id, string(d), waiting, store.Time(w.now)); err != nil {
			return err
		}
		id++
	}
	return nil
}

// everNeeded returns the blobs that a version needs or ever needed, as far as its
// manifest can be read: what cannot be read may be the very thing to be purged.
func (c *Catalog) everNeeded(w writer, r row) (map[genesis.Digest]bool, error) {
	needs := map[genesis.Digest]bool{r.Digest: true}
	rows, err := w.tx.QueryContext(w.ctx, "SELECT kind, superseded_at IS NULL, body FROM records WHERE version_id = $1", r.id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var kind genesis.RecordKind
		var holds bool
		var text string
		if err := rows.Scan(&kind, &holds, &text); err != nil {
			return nil, err
		}
		if err := addBlobs(needs, []byte(text)); err != nil {
			return nil, err
		}
		if kind != genesis.RecordLayout {
			continue
		}
		if err := c.layoutNeeds(w.ctx, r, text, needs, brokenPage(holds)); err != nil {
			return nil, err
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	if err := c.manifestNeeds(w.ctx, r, needs); genesis.KindOf(err) == genesis.Canceled {
		return nil, err
	}
	return needs, nil
}

// brokenPage decides about a page that cannot be read of a layout whose files are to
// be purged. Pages of one that was superseded may have been collected, and its files
// with them. Otherwise nobody knows which files there are.
func brokenPage(holds bool) layout.Broken {
	return func(_ string, _ genesis.LayoutPage, err error) error {
		if !holds && genesis.KindOf(err) == genesis.NotFound {
			return nil
		}
		return err
	}
}

// purged reports whether a version was purged.
func (w writer) purged(r row) (yes bool, err error) {
	err = w.tx.QueryRowContext(w.ctx, "SELECT EXISTS (SELECT 1 FROM purges WHERE version_id = $1)", r.id).Scan(&yes)
	return yes, err
}

// purgeMark tells whether purges began or ended between two looks.
type purgeMark struct{ last, waiting int64 }

func markPurges(ctx context.Context, q queryer) (m purgeMark, err error) {
	err = q.QueryRowContext(ctx, "SELECT coalesce(max(id), 0), count(CASE WHEN state = $1 THEN 1 END) FROM purges", waiting).Scan(&m.last, &m.waiting)
	return m, err
}

// recheck looks again whether the blobs of a version that was staged are there and
// may stay, since there are purges under way or were since.
func (c *Catalog) recheck(ctx context.Context, tx *sql.Tx, s *Staged) error {
	for _, d := range s.blobs {
		var doomed bool
		err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM purges WHERE digest = $1 AND state = $2)", string(d), waiting).Scan(&doomed)
		if err != nil {
			return err
		}
		if doomed {
			return &genesis.Error{Op: "commit version", Kind: genesis.Conflict, Subject: string(s.in.Name),
				Msg: fmt.Sprintf("the bytes %s that it needs are being purged", d)}
		}
	}
	return c.keep(ctx, s)
}

// Purge destroys the blobs that erased versions were to leave none of, unless other
// versions or someone that also tells of need them, and returns what became of each.
// also yields what is needed outside the catalogue, as for a sweep; it may be nil.
// Purge may be stopped and run again at any time. Afterwards [store.DB.Scrub] takes
// what deleted rows left in the database's files. Errors: Internal when a version
// cannot tell what it needs; those of also as they are.
func (c *Catalog) Purge(ctx context.Context, also func(context.Context, func(genesis.Digest) error) error) (Purged, error) {
	c.purging.Lock()
	defer c.purging.Unlock()
	var out Purged
	why, err := c.doomed(ctx)
	if err != nil || len(why) == 0 {
		return out, store.Error("purge", "", err)
	}
	if err := c.blobs.Clean(ctx); err != nil {
		return out, err
	}
	if err := c.spare(ctx, why, also); err != nil {
		return out, err
	}
	for _, d := range slices.Sorted(maps.Keys(why)) {
		state := shared
		if why[d] == "" {
			state = removed
			size, err := c.blobs.Size(ctx, d)
			if err != nil && genesis.KindOf(err) != genesis.NotFound { // as after a crash
				return out, err
			}
			if _, err := c.blobs.Purge(ctx, d); err != nil {
				return out, err
			}
			out.Removed = append(out.Removed, d)
			out.Bytes += size
		} else {
			out.Kept = append(out.Kept, Kept{d, why[d]})
		}
		err := c.db.Tx(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, "UPDATE purges SET state = $1, note = $2, at = $3 WHERE digest = $4 AND state = $5",
				state, why[d], store.Time(c.clock()), string(d), waiting)
			return err
		})
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

// doomed returns the blobs that wait for their purge.
func (c *Catalog) doomed(ctx context.Context) (map[genesis.Digest]string, error) {
	rows, err := c.db.Read().QueryContext(ctx, "SELECT digest FROM purges WHERE state = $1", waiting)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[genesis.Digest]string{}
	for rows.Next() {
		var d genesis.Digest
		if err := rows.Scan(&d); err != nil {
			return nil, err
		}
		all[d] = ""
	}
	return all, rows.Err()
}

// spare finds out which of the doomed are needed elsewhere, and why.
func (c *Catalog) spare(ctx context.Context, doomed map[genesis.Digest]string, also func(context.Context, func(genesis.Digest) error) error) error {
	err := c.eachNeed(ctx, func(r row, d genesis.Digest) error {
		if why, ok := doomed[d]; ok && why == "" {
			doomed[d] = "version " + r.Ref().String() + " needs it, too"
		}
		return nil
	})
	if err != nil || also == nil {
		return err
	}
	return also(ctx, func(d genesis.Digest) error {
		if why, ok := doomed[d]; ok && why == "" {
			doomed[d] = "something outside the catalogue needs it, too"
		}
		return nil
	})
}

package catalog

import (
	"context"
	"database/sql"
	"maps"
	"slices"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// The search index follows from the catalogue, and a commit adds to it at once.
// After a migration, or when it was damaged, versions are in search_stale until
// they are added again, a chunk in a transaction.

// Reindex builds the search index anew. Searches meanwhile wait for it.
func (c *Catalog) Reindex(ctx context.Context, p genesis.Progress) error {
	err := c.db.Tx(ctx, func(tx *sql.Tx) error { return writer{ctx: ctx, tx: tx}.dropIndex() })
	if err != nil {
		return err
	}
	return c.Settle(ctx, p)
}

// Settle brings the search index up to date, which searches otherwise do on their
// first turn after a migration.
func (c *Catalog) Settle(ctx context.Context, p genesis.Progress) error {
	var total, done int64
	if err := c.db.Read().QueryRowContext(ctx, "SELECT count(*) FROM search_stale").Scan(&total); err != nil {
		return store.Error("index", "", err)
	}
	for {
		n, err := c.settleChunk(ctx)
		if err != nil || n == 0 {
			return err
		}
		done += int64(n)
		p.Send(genesis.Event{Stage: "indexing", Done: done, Total: total, Unit: "versions"})
	}
}

// settle is Settle where there is anything to do, once at a time.
func (c *Catalog) settle(ctx context.Context) error {
	var some bool
	err := c.db.Read().QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM search_stale)").Scan(&some)
	if err != nil || !some {
		return store.Error("search", "", err)
	}
	c.settling.Lock()
	defer c.settling.Unlock()
	return c.Settle(ctx, nil)
}

// settleChunk adds the stale versions of one chunk and returns how many it added.
func (c *Catalog) settleChunk(ctx context.Context) (n int, err error) {
	err = c.db.Tx(ctx, func(tx *sql.Tx) error {
		n = 0
		var first sql.NullInt64
		if err := tx.QueryRowContext(ctx, "SELECT min(version_id) FROM search_stale").Scan(&first); err != nil || !first.Valid {
			return err
		}
		w := writer{ctx: ctx, tx: tx}
		b := batch{w: w, terms: map[string][]posting{}, chunk: first.Int64 / span}
		end := (b.chunk + 1) * span
		stale, err := versions(ctx, tx, "WHERE v.id IN (SELECT version_id FROM search_stale WHERE version_id < $1) ORDER BY v.id", end)
		if err != nil {
			return err
		}
		n = len(stale)
		for _, r := range stale {
			if err := b.add(c, r); err != nil {
				return err
			}
		}
		if err := b.flush(); err != nil {
			return err
		}
		return w.exec("DELETE FROM search_stale WHERE version_id < $1", end)
	})
	return n, err
}

// batch collects the postings of versions of one chunk, so that each row of the
// index is written once.
type batch struct {
	w     writer
	chunk int64
	terms map[string][]posting
}

// add adds a version that is not in the index. One whose manifest cannot be read is
// found by its card alone.
func (b *batch) add(c *Catalog, r row) error {
	m, err := c.Manifest(b.w.ctx, r.Version)
	if genesis.KindOf(err) == genesis.Canceled {
		return err
	}
	card, err := cardOf(b.w.ctx, b.w.tx, r)
	if err != nil && !isDamage(err) {
		return err
	}
	return b.put(r.id, analyse(document(r.Name, card, m)))
}

func (b *batch) put(version int64, text string) error {
	have, err := textOf(b.w.ctx, b.w.tx, version)
	if err != nil {
		return err
	}
	if have != "" { // it was added since, by a change of its card
		return b.w.index(version, text)
	}
	for term, weight := range termsOf(text) {
		b.terms[term] = append(b.terms[term], posting{uint16(version % span), uint8(weight)})
	}
	return b.w.exec("INSERT INTO search_texts (version_id, body, sum) VALUES ($1, $2, $3)", version, text, textSum(version, text))
}

func (b *batch) flush() error {
	for _, term := range slices.Sorted(maps.Keys(b.terms)) {
		if err := b.w.post(term, b.chunk, b.terms[term]); err != nil {
			return err
		}
	}
	return nil
}

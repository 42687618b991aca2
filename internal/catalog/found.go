package catalog

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/catalog/find"
	"github.com/opengenesis/genesis/internal/store"
)

// The search index (package find) follows from the database, and is changed after it. So
// that nothing is lost in between, whatever changes what is found of a version notes
// that in the same transaction, in found_queue, from where package work/search takes it.
// Versions of this node stand there without a node.

// Urgency says whether a search may be answered before a change is in the index.
type Urgency int

const (
	Soon      Urgency = iota // what another node has to say comes to be known
	TakenBack                // what another node takes back: before a search is answered, where it is not too much
	AtOnce                   // something of this node
)

// Touch notes that what is found of versions may be another. Without a version it is all of
// an asset, without a name all of a node; this node has no name.
func Touch(ctx context.Context, tx *sql.Tx, u Urgency, ids ...find.ID) error {
	if len(ids) == 0 {
		return nil
	}
	var last int64
	if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(seq), 0) FROM found_queue").Scan(&last); err != nil {
		return store.Error("note change", "", err)
	}
	// Prepared once: to read the statement takes longer than to write the row.
	note, err := tx.PrepareContext(ctx, `INSERT INTO found_queue (node, name, version, urgency, seq) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (node, name, version) DO UPDATE SET seq = excluded.seq,
			urgency = CASE WHEN found_queue.urgency > excluded.urgency THEN found_queue.urgency ELSE excluded.urgency END`)
	if err != nil {
		return store.Error("note change", "", err)
	}
	defer note.Close()
	for i, id := range ids {
		if _, err := note.ExecContext(ctx, string(id.Node), string(id.Name), string(id.Version), int(u), last+int64(i)+1); err != nil {
			return store.Error("note change", string(id.Name), err)
		}
	}
	return nil
}

// Touched returns changes in the order in which they were noted, at most limit, of at
// least some urgency, and until where they go.
func (c *Catalog) Touched(ctx context.Context, least Urgency, limit int) (ids []find.ID, seq int64, err error) {
	rows, err := c.db.Read().QueryContext(ctx, "SELECT node, name, version, seq FROM found_queue WHERE urgency >= $1 ORDER BY seq LIMIT $2", int(least), limit)
	if err != nil {
		return nil, 0, store.Error("read changes", "", err)
	}
	defer rows.Close()
	for rows.Next() {
		var id find.ID
		if err := rows.Scan(&id.Node, &id.Name, &id.Version, &seq); err != nil {
			return nil, 0, store.Error("read changes", "", err)
		}
		ids = append(ids, id)
	}
	return ids, seq, store.Error("read changes", "", rows.Err())
}

// Taken forgets changes up to a place: they are in the index.
func (c *Catalog) Taken(ctx context.Context, least Urgency, seq int64) error {
	return c.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM found_queue WHERE seq <= $1 AND urgency >= $2", seq, int(least))
		return store.Error("forget changes", "", err)
	})
}

// Waiting returns how many changes wait of at least some urgency, at most as many as it
// counts to, and a number that is another after each change.
func (c *Catalog) Waiting(ctx context.Context, least Urgency, most int) (n int, last int64, err error) {
	err = c.db.Read().QueryRowContext(ctx, "SELECT count(*), coalesce(max(seq), 0) FROM (SELECT seq FROM found_queue WHERE urgency >= $1 ORDER BY seq DESC LIMIT $2)",
		int(least), most).Scan(&n, &last)
	return n, last, store.Error("read changes", "", err)
}

// Series names the index that belongs to the database; "" before there was one.
func (c *Catalog) Series(ctx context.Context) (series string, err error) {
	err = c.db.Read().QueryRowContext(ctx, "SELECT coalesce(max(series), '') FROM found_series").Scan(&series)
	return series, store.Error("read changes", "", err)
}

// BeginSeries says which index belongs to the database from now on. It is to be filled with
// everything; changes from then on are noted for it.
func (c *Catalog) BeginSeries(ctx context.Context, series string) error {
	return c.db.Tx(ctx, func(tx *sql.Tx) error {
		for _, stmt := range []string{"DELETE FROM found_series", "DELETE FROM found_queue"} {
			if _, err := tx.ExecContext(ctx, stmt); err != nil {
				return store.Error("begin index", "", err)
			}
		}
		_, err := tx.ExecContext(ctx, "INSERT INTO found_series (series) VALUES ($1)", series)
		return store.Error("begin index", "", err)
	})
}

// isFound reports whether a version in a state is found by somebody.
func isFound(s genesis.State) bool { return s == genesis.Draft || s == genesis.Published }

// FoundTx returns what a version is found by, as a transaction has it, and the versions
// that it was made from. Whose node it is, its tier, inputs and classes are for the caller
// to say. Errors: NotFound (also withdrawn and erased), Internal (damaged), Unsupported.
func (c *Catalog) FoundTx(ctx context.Context, tx *sql.Tx, name genesis.Name, digest genesis.Digest) (genesis.Version, find.Document, []genesis.Ref, error) {
	r, err := findRow(ctx, tx, genesis.Version{Name: name, Digest: digest})
	if err == nil && !isFound(r.State) {
		err = noVersion(r.Ref())
	}
	if err != nil {
		return genesis.Version{}, find.Document{}, nil, err
	}
	l, sources, err := c.ListingTx(ctx, tx, r.Version)
	d := find.Document{Listing: l, Turn: r.turn}
	if r.Number > 0 {
		d.Turn = 0
	}
	return r.Version, d, sources, err
}

// Own selects versions: those of some names, or all.
type Own struct {
	Names []genesis.Name
	All   bool
}

// foundPage is how many versions, or names, one query is about.
const foundPage = 500

// EachFound calls act for the versions that are found, in pages.
func (c *Catalog) EachFound(ctx context.Context, of Own, act func([]genesis.Version) error) error {
	if !of.All {
		for names := range slices.Chunk(of.Names, foundPage) {
			where, args := in(names)
			page, err := c.foundWhere(ctx, "a.name IN ("+where+")", args)
			if err == nil && len(page) > 0 {
				err = act(versionsOf(page))
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	for last := int64(0); ; {
		page, err := c.foundWhere(ctx, fmt.Sprintf("v.id > $1 ORDER BY v.id LIMIT %d", foundPage), []any{last})
		if err != nil || len(page) == 0 {
			return err
		}
		last = page[len(page)-1].id
		if err := act(versionsOf(page)); err != nil {
			return err
		}
	}
}

func (c *Catalog) foundWhere(ctx context.Context, where string, args []any) ([]row, error) {
	all, err := versions(ctx, c.db.Read(), "WHERE v.state IN ('draft', 'published') AND "+where, args...)
	return all, store.Error("read versions", "", err)
}

func versionsOf(rows []row) []genesis.Version {
	all := make([]genesis.Version, len(rows))
	for i, r := range rows {
		all[i] = r.Version
	}
	return all
}

// in returns the placeholders for texts, and these.
func in[S ~string](all []S) (string, []any) {
	marks, args := make([]string, len(all)), make([]any, len(all))
	for i, s := range all {
		marks[i], args[i] = fmt.Sprintf("$%d", i+1), string(s)
	}
	return strings.Join(marks, ","), args
}

// NamesOf are the names that somebody made versions of, in whatever state, and those that
// begin with their own, in order.
func (c *Catalog) NamesOf(ctx context.Context, maker genesis.PersonID, owner string) ([]genesis.Name, error) {
	from, to := "", ""
	if owner != "" {
		from, to = "~"+owner+"/", "~"+owner+"0" // "0" follows "/"
	}
	all, err := store.Column[genesis.Name](ctx, c.db.Read(), `SELECT a.name FROM assets a JOIN versions v ON v.asset_id = a.id WHERE v.created_by = $1
		UNION SELECT name FROM assets WHERE name > $2 AND name < $3 ORDER BY 1`, string(maker), from, to)
	return all, store.Error("read versions", "", err)
}

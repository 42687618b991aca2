package catalog

import (
	"context"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// ListQuery says which assets to list.
type ListQuery struct {
	Kind    genesis.Kind // "": all
	After   string       // cursor: what List returned as next; "": from the start
	Limit   int          // 0: 100; at most 1000
	Visible Visible
}

// maxHidden is how many assets that are hidden one call of List passes over.
const maxHidden = 100_000

// List returns assets in the byte order of their names, each by its current
// version, and the cursor of the next page, "" after the last. Assets added or
// changed between two pages never make another appear twice or not at all. Assets
// of which nothing is visible leave no trace: pages stay full, and a cursor is the
// last name on the page. Only where more than 100,000 hidden assets lie side by
// side is a page short, and its cursor then sealed, since it stands for a name that
// the caller may not know. Errors: Invalid (the cursor).
func (c *Catalog) List(ctx context.Context, q ListQuery) ([]genesis.Asset, string, error) {
	after, err := c.cursors.open(q.After)
	if err != nil {
		return nil, "", err
	}
	if q.Limit <= 0 {
		q.Limit = 100
	}
	l := lister{c: c, q: q, after: after, limit: min(q.Limit, 1000)}
	next, err := l.run(ctx)
	return l.page, next, store.Error("list", "", err)
}

// lister is one List at work.
type lister struct {
	c      *Catalog
	q      ListQuery
	limit  int
	after  string // name of the last asset looked at
	page   []genesis.Asset
	hidden int // assets passed over
}

func (l *lister) run(ctx context.Context) (next string, err error) {
	for size := l.limit + 1; ; size = min(2*size, 1000) {
		ids, names, err := l.ahead(ctx, size)
		if err != nil || len(ids) == 0 {
			return "", err
		}
		byAsset, err := groups(ctx, l.c.db.Read(), ids)
		if err != nil {
			return "", err
		}
		for i, id := range ids {
			l.after = names[i]
			if more := l.add(byAsset[id]); more {
				return string(l.page[l.limit-1].Name), nil
			}
		}
		if l.hidden >= maxHidden {
			return l.c.cursors.seal(l.after), nil
		}
	}
}

// ahead returns the next assets by name, hidden or not.
func (l *lister) ahead(ctx context.Context, n int) (ids []int64, names []string, err error) {
	query, args := "SELECT id, name FROM assets WHERE name > $1 ORDER BY name LIMIT $2", []any{l.after, n}
	if l.q.Kind != "" {
		query, args = "SELECT id, name FROM assets WHERE kind = $3 AND name > $1 ORDER BY name LIMIT $2", append(args, string(l.q.Kind))
	}
	rows, err := l.c.db.Read().QueryContext(ctx, query, args...)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		var name string
		if err := rows.Scan(&id, &name); err != nil {
			return nil, nil, err
		}
		ids, names = append(ids, id), append(names, name)
	}
	return ids, names, rows.Err()
}

// add puts an asset on the page. When the page is full and this one is to be
// seen, too, it reports that there is another page.
func (l *lister) add(versions []row) (more bool) {
	current, ok := l.q.Visible.current(versions)
	if !ok {
		l.hidden++
		return false
	}
	if len(l.page) == l.limit {
		return true
	}
	l.page = append(l.page, l.q.Visible.asset(versions, current))
	return false
}

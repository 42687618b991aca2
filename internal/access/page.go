package access

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"database/sql"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// Sizes of pages.
const (
	defaultPage = 100
	maxPage     = 1000
)

// where is the condition of a query over a table with the columns seq, id, format
// and body.
type where struct {
	table  string
	parts  []string
	values []any
}

// add takes up a condition; each %s stands for one of values.
func (w *where) add(condition string, values ...any) {
	marks := make([]any, len(values))
	for i := range values {
		marks[i] = fmt.Sprintf("$%d", len(w.values)+i+1)
	}
	w.parts = append(w.parts, fmt.Sprintf(condition, marks...))
	w.values = append(w.values, values...)
}

// is wants a column to have a value, unless that is empty.
func (w *where) is(column, value string) {
	if value != "" {
		w.add(column+" = %s", value)
	}
}

// owned wants names of one person's.
func (w *where) owned(from, to string) { w.add("name >= %s AND name < %s", from, to) }

// ownNames are the bounds of the names that are one person's at this node.
func (d *Decider) ownNames(p genesis.PersonID) (from, to string) {
	from = string(genesis.OwnName(p, d.node, ""))
	return from, strings.TrimSuffix(from, "/") + "0" // '0' follows '/'
}

func (w *where) sql() string {
	if len(w.parts) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(w.parts, " AND ")
}

// paged returns a page of a table, newest first. A cursor is the id of the last
// row before the page: rows are never removed, so it stays right, and it tells
// nothing of rows that its holder may not see.
func paged[T any](ctx context.Context, q querier, w where, after string, limit int, id func(T) string) (page []T, next string, err error) {
	if limit <= 0 {
		limit = defaultPage
	}
	limit = min(limit, maxPage)
	if after != "" {
		seq, err := place(ctx, q, w.table, after)
		if err != nil {
			return nil, "", err
		}
		w.add("seq < %s", seq)
	}
	rows, err := q.QueryContext(ctx, fmt.Sprintf("SELECT format, body FROM %s%s ORDER BY seq DESC LIMIT %d", w.table, w.sql(), limit+1), w.values...)
	if err != nil {
		return nil, "", store.Error("list", w.table, err)
	}
	if err := each(rows, func(v T) { page = append(page, v) }); err != nil {
		return nil, "", store.Error("list", w.table, err)
	}
	if len(page) > limit {
		page = page[:limit]
		next = id(page[limit-1])
	}
	return page, next, nil
}

// place finds the row that a cursor names.
func place(ctx context.Context, q querier, table, cursor string) (int64, error) {
	var seq int64
	err := q.QueryRowContext(ctx, "SELECT seq FROM "+table+" WHERE id = $1", cursor).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return seq, &genesis.Error{Op: "list", Kind: genesis.Invalid, Subject: "cursor", Msg: "is not one that this node gave out", Hint: "start from the first page"}
	}
	return seq, store.Error("list", table, err)
}

package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob/layout"
	"github.com/opengenesis/genesis/internal/store"
)

// Verify checks a version's row, its manifest, the pages of both its manifest and its
// layout, all its records and what it is
// found by against their sums and digests, and returns what is damaged. Errors:
// NotFound, Canceled.
func (c *Catalog) Verify(ctx context.Context, v genesis.Version) ([]genesis.Damage, error) {
	r, err := findRow(ctx, c.db.Read(), v)
	if genesis.KindOf(err) == genesis.Internal {
		return []genesis.Damage{{Blob: v.Digest, Msg: message(err)}}, nil
	}
	if err != nil {
		return nil, err
	}
	var found []genesis.Damage
	if r.State != genesis.Erased {
		if _, err := c.Manifest(ctx, v); genesis.KindOf(err) == genesis.Canceled {
			return nil, err
		} else if err != nil {
			found = append(found, genesis.Damage{Blob: v.Digest, Msg: "the content manifest is damaged or missing"})
		}
		pages, err := c.pageDamage(ctx, v)
		if err != nil {
			return nil, err
		}
		found = append(found, pages...)
	}
	for _, check := range []func(context.Context, queryer, row) ([]genesis.Damage, error){recordDamage, lineageDamage} {
		more, err := check(ctx, c.db.Read(), r)
		if err != nil {
			return nil, store.Error("verify records", v.Ref().String(), err)
		}
		found = append(found, more...)
	}
	return found, nil
}

// pageDamage reads the pages of a layout. What is wrong with the record itself is
// found elsewhere.
func (c *Catalog) pageDamage(ctx context.Context, v genesis.Version) (found []genesis.Damage, err error) {
	l, err := c.Layout(ctx, v)
	if genesis.KindOf(err) == genesis.Canceled {
		return nil, err
	}
	if err != nil {
		return nil, nil
	}
	err = layout.Each(ctx, c.blobs, l, func(genesis.Blob) error { return nil }, func(table string, p genesis.LayoutPage, err error) error {
		found = append(found, genesis.Damage{Blob: p.Digest, Table: table, Msg: "a page of its layout is damaged or missing: " + message(err)})
		return nil
	})
	return found, err
}

// message returns what an error says, with its subject.
func message(err error) string {
	if e := new(genesis.Error); errors.As(err, &e) {
		return e.Subject + " " + e.Msg
	}
	return err.Error()
}

func recordDamage(ctx context.Context, q queryer, of row) ([]genesis.Damage, error) {
	rows, err := q.QueryContext(ctx, "SELECT "+recordColumns+" FROM records WHERE version_id = $1 ORDER BY kind, edition", of.id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []genesis.Damage
	for rows.Next() {
		r, damage, err := scanRecord(rows.Scan)
		if err != nil {
			return nil, err
		}
		if damage != "" {
			found = append(found, genesis.Damage{Blob: r.digest, Msg: editionDamage(r, damage)})
		}
	}
	return found, rows.Err()
}

func lineageDamage(ctx context.Context, q queryer, of row) ([]genesis.Damage, error) {
	for _, related := range []func(context.Context, queryer, int64) ([]row, error){parents, children} {
		_, err := related(ctx, q, of.id)
		if isDamage(err) {
			return []genesis.Damage{{Blob: of.Digest, Msg: "what it was made from or what was made from it: " + message(err)}}, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// Check reads the whole database and returns everything in it that is damaged,
// each named: what the database itself finds (see [store.DB.Check]), then rows of
// assets, versions, records and lineage that do not match their
// sums. Content lies elsewhere: [Catalog.Verify] and package blob. Errors: Canceled.
func (c *Catalog) Check(ctx context.Context) ([]genesis.Damage, error) {
	lines, err := c.db.Check(ctx)
	if err != nil {
		return nil, err
	}
	var found []genesis.Damage
	for _, line := range lines {
		found = append(found, genesis.Damage{Msg: "database: " + line})
	}
	for _, check := range []func(context.Context, queryer) ([]genesis.Damage, error){checkAssets, checkVersions, checkRecords, checkLineage} {
		more, err := check(ctx, c.db.Read())
		found = append(found, more...)
		if err != nil && ctx.Err() != nil {
			return nil, store.Error("check catalogue", "", err)
		}
		if err != nil { // what is so damaged that it cannot be read is damage, too
			found = append(found, genesis.Damage{Msg: "database: " + message(store.Error("check catalogue", "", err))})
		}
	}
	return found, nil
}

// eachRow calls act for each row of a query and collects what it says.
func eachRow(ctx context.Context, q queryer, query string, act func(*sql.Rows) (msg string, err error)) ([]genesis.Damage, error) {
	rows, err := q.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []genesis.Damage
	for rows.Next() {
		msg, err := act(rows)
		if err != nil {
			return found, err
		}
		if msg != "" {
			found = append(found, genesis.Damage{Msg: msg})
		}
	}
	return found, rows.Err()
}

func checkAssets(ctx context.Context, q queryer) ([]genesis.Damage, error) {
	return eachRow(ctx, q, "SELECT id, name, kind, created_at, sum FROM assets", func(rows *sql.Rows) (string, error) {
		var id, created int64
		var name, kind, sum string
		err := rows.Scan(&id, &name, &kind, &created, &sum)
		if err != nil || store.RowSum("asset", id, name, kind, created) == sum {
			return "", err
		}
		return fmt.Sprintf("the row %d of asset %s no longer matches its sum", id, name), nil
	})
}

func checkVersions(ctx context.Context, q queryer) ([]genesis.Damage, error) {
	return eachRow(ctx, q, "SELECT "+versionColumns+versionTables, func(rows *sql.Rows) (string, error) {
		r, err := scanVersion(rows.Scan)
		if isDamage(err) {
			return fmt.Sprintf("the row %d of version %s no longer matches its sum", r.id, r.Ref()), nil
		}
		return "", err
	})
}

func checkRecords(ctx context.Context, q queryer) ([]genesis.Damage, error) {
	return eachRow(ctx, q, "SELECT "+recordColumns+" FROM records", func(rows *sql.Rows) (string, error) {
		r, damage, err := scanRecord(rows.Scan)
		if err != nil || damage == "" {
			return "", err
		}
		return fmt.Sprintf("version row %d: %s", r.version, editionDamage(r, damage)), nil
	})
}

func checkLineage(ctx context.Context, q queryer) ([]genesis.Damage, error) {
	return eachRow(ctx, q, "SELECT child_id, parent_id, sum FROM lineage", func(rows *sql.Rows) (string, error) {
		var child, parent int64
		var sum string
		err := rows.Scan(&child, &parent, &sum)
		if err != nil || store.RowSum("lineage", child, parent) == sum {
			return "", err
		}
		return fmt.Sprintf("the row that version row %d was made from %d no longer matches its sum", child, parent), nil
	})
}

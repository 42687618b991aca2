package catalog

import (
	"context"
	"database/sql"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// Describe returns everything the catalogue says about a version, as of one
// moment. Records that it does not have are left empty. Errors: NotFound,
// Internal (damaged), Unsupported (a newer format).
func (c *Catalog) Describe(ctx context.Context, v genesis.Version) (genesis.Description, error) {
	var d genesis.Description
	err := c.db.Snapshot(ctx, func(tx *sql.Tx) error {
		r, err := find(ctx, tx, v)
		if err != nil {
			return err
		}
		d.Version = r.Version
		if err := describeRecords(ctx, tx, &d); err != nil {
			return err
		}
		all, err := versions(ctx, tx, "WHERE v.asset_id = $1 ORDER BY v.turn DESC", r.asset)
		if err != nil {
			return err
		}
		for _, other := range all {
			d.Versions = append(d.Versions, other.Version)
		}
		children, err := versions(ctx, tx, "JOIN lineage l ON l.child_id = v.id WHERE l.parent_id = $1 ORDER BY a.name, v.turn", r.id)
		for _, child := range children {
			d.UsedBy = append(d.UsedBy, child.Ref())
		}
		return err
	})
	if err != nil {
		return genesis.Description{}, store.Error("describe", v.Ref().String(), err)
	}
	d.Manifest, err = c.Manifest(ctx, v)
	return d, err
}

func describeRecords(ctx context.Context, tx *sql.Tx, d *genesis.Description) error {
	for kind, into := range map[genesis.RecordKind]any{
		genesis.RecordCard:       &d.Card,
		genesis.RecordRecipe:     &d.Recipe,
		genesis.RecordProfile:    &d.Profile,
		genesis.RecordReadiness:  &d.Readiness,
		genesis.RecordSplits:     &d.Splits,
		genesis.RecordFindings:   &d.Findings,
		genesis.RecordProvenance: &d.Provenance,
		genesis.RecordReport:     &d.Report,
	} {
		err := readRecord(ctx, tx, d.Version, kind, into)
		if err != nil && genesis.KindOf(err) != genesis.NotFound {
			return err
		}
	}
	return nil
}

// Parents returns the versions that v was made from, by name.
func (c *Catalog) Parents(ctx context.Context, v genesis.Version) ([]genesis.Version, error) {
	r, err := find(ctx, c.db.Read(), v)
	if err != nil {
		return nil, err
	}
	rows, err := versions(ctx, c.db.Read(), "JOIN lineage l ON l.parent_id = v.id WHERE l.child_id = $1 ORDER BY a.name, v.turn", r.id)
	var parents []genesis.Version
	for _, p := range rows {
		parents = append(parents, p.Version)
	}
	return parents, store.Error("find parents", v.Ref().String(), err)
}

// ListQuery says which assets to list.
type ListQuery struct {
	Kind  genesis.Kind // "": all
	After string       // cursor: what List returned as next; "": from the start
	Limit int          // 0: 100; at most 1000
}

// List returns assets in the byte order of their names, each with its current
// version, and the cursor of the next page, "" after the last. Assets added or
// changed between two pages never make another appear twice or not at all.
func (c *Catalog) List(ctx context.Context, q ListQuery) ([]genesis.Asset, string, error) {
	if q.Limit <= 0 {
		q.Limit = 100
	}
	limit := min(q.Limit, 1000)
	all, err := assets(ctx, c.db.Read(), `WHERE a.name > $1 AND ($2 = '' OR a.kind = $2) ORDER BY a.name LIMIT $3`,
		q.After, string(q.Kind), limit+1)
	if err != nil {
		return nil, "", store.Error("list", "", err)
	}
	if len(all) <= limit {
		return all, "", nil
	}
	return all[:limit], string(all[limit-1].Name), nil
}

// assets returns the assets that the rest of a query selects.
func assets(ctx context.Context, q queryer, where string, args ...any) ([]genesis.Asset, error) {
	rows, err := q.QueryContext(ctx, "SELECT "+versionColumns+`, a.title, a.created_at
		FROM assets a JOIN versions v ON v.id = a.current_version `+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []genesis.Asset
	for rows.Next() {
		var a genesis.Asset
		var created int64
		r, err := scanVersion(rows.Scan, &a.Title, &created)
		if err != nil {
			return nil, err
		}
		a.Name, a.Kind, a.Latest, a.Created = r.Name, r.Kind, &r.Version, store.TimeAt(created)
		all = append(all, a)
	}
	return all, rows.Err()
}

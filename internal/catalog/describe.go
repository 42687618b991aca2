package catalog

import (
	"context"
	"database/sql"
	"slices"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/store"
)

// Describe returns everything the catalogue says about a version, as of one
// moment. Records that it does not have are left empty; of one that was erased
// only the tombstone is there. Versions that visible hides are left out wherever
// they would be named: among the other versions, what was made from this one, and
// what this one was made from. Errors: NotFound (also when visible hides it),
// Internal (damaged), Unsupported (a newer format).
func (c *Catalog) Describe(ctx context.Context, v genesis.Version, visible Visible) (genesis.Description, error) {
	self, err := findRow(ctx, c.db.Read(), v)
	if err != nil {
		return genesis.Description{}, err
	}
	if !visible.shows(self) { // before the records are read: it takes no longer than not finding it
		return genesis.Description{}, noVersion(v.Ref())
	}
	s, err := c.surroundings(ctx, v)
	if err != nil {
		return genesis.Description{}, store.Error("describe", v.Ref().String(), err)
	}
	d := s.description
	d.Versions = visible.only(s.siblings)
	for _, child := range visible.only(s.children) {
		d.UsedBy = append(d.UsedBy, child.Ref())
	}
	if visible != nil {
		s.hideSources(visible, &d)
	}
	if d.Version.State == genesis.Erased {
		return d, nil
	}
	d.Manifest, err = c.Manifest(ctx, d.Version)
	return d, err
}

// surroundings are a version's records, and the versions they may name.
type surroundings struct {
	self                        row
	description                 genesis.Description
	siblings, children, sources []row
}

// surroundings reads all that Describe needs before it asks what is visible.
func (c *Catalog) surroundings(ctx context.Context, v genesis.Version) (surroundings, error) {
	var s surroundings
	err := c.db.Snapshot(ctx, func(tx *sql.Tx) error {
		s = surroundings{}
		var err error
		if s.self, err = findRow(ctx, tx, v); err != nil {
			return err
		}
		s.description.Version = s.self.Version
		if err := describeRecords(ctx, tx, &s.description); err != nil {
			return err
		}
		if s.siblings, err = versions(ctx, tx, "WHERE v.asset_id = $1 ORDER BY v.turn DESC", s.self.asset); err != nil {
			return err
		}
		if s.children, err = children(ctx, tx, s.self.id); err != nil {
			return err
		}
		s.sources, err = sources(ctx, tx, s.description)
		return err
	})
	return s, err
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
		genesis.RecordEnd:        &d.End,
	} {
		err := readRecord(ctx, tx, d.Version, kind, into)
		if err != nil && genesis.KindOf(err) != genesis.NotFound {
			return err
		}
	}
	return nil
}

// sourceRefs returns the versions of this node that the records name as what the
// version was made from.
func sourceRefs(d genesis.Description) []genesis.Ref {
	var refs []genesis.Ref
	if d.Provenance != nil {
		refs = slices.Clone(d.Provenance.Parents)
	}
	if d.Report != nil {
		refs = append(refs, d.Report.Dataset)
		if l := d.Report.Logged; l != nil {
			for _, in := range l.Inputs {
				refs = append(refs, in.Ref)
			}
		}
	}
	return slices.DeleteFunc(refs, func(r genesis.Ref) bool { return r.Node != "" || r.Name == "" })
}

func sources(ctx context.Context, tx *sql.Tx, d genesis.Description) ([]row, error) {
	var all []row
	for _, ref := range sourceRefs(d) {
		r, err := findRow(ctx, tx, genesis.Version{Name: ref.Name, Digest: ref.Digest})
		if genesis.KindOf(err) == genesis.NotFound {
			continue
		}
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, nil
}

// hideSources takes hidden versions out of what records say a version was made
// from. Those of other nodes stay: whoever may see the record may know them.
func (s *surroundings) hideSources(visible Visible, d *genesis.Description) {
	shown := map[genesis.Ref]bool{}
	for _, v := range visible.only(s.sources) {
		shown[v.Ref()] = true
	}
	hidden := func(r genesis.Ref) bool { return r.Node == "" && r.Name != "" && !shown[r] }
	if d.Provenance != nil {
		d.Provenance.Parents = slices.DeleteFunc(d.Provenance.Parents, hidden)
		if len(d.Provenance.Parents) == 0 {
			d.Provenance.Parents = nil
		}
	}
	if d.Report != nil && hidden(d.Report.Dataset) {
		d.Report.Dataset = genesis.Ref{}
	}
	if d.Report != nil && d.Report.Logged != nil {
		l := d.Report.Logged
		l.Inputs = slices.DeleteFunc(l.Inputs, func(in genesis.LoggedInput) bool { return hidden(in.Ref) })
	}
}

// Parents returns the versions that v was made from, by name.
func (c *Catalog) Parents(ctx context.Context, v genesis.Version) ([]genesis.Version, error) {
	all, err := c.ParentsTx(ctx, c.db.Read(), v)
	return all, store.Error("find parents", v.Ref().String(), err)
}

// ParentsTx is Parents in the caller's transaction.
func (c *Catalog) ParentsTx(ctx context.Context, tx queryer, v genesis.Version) ([]genesis.Version, error) {
	r, err := findRow(ctx, tx, v)
	if err != nil {
		return nil, err
	}
	rows, err := parents(ctx, tx, r.id)
	return Visible(nil).only(rows), err
}

// children returns the versions made from one, by name.
func children(ctx context.Context, q queryer, id int64) ([]row, error) {
	return relatives(ctx, q, "SELECT child_id, child_id, parent_id, sum FROM lineage WHERE parent_id = $1", id)
}

// parents returns the versions that one was made from, by name.
func parents(ctx context.Context, q queryer, id int64) ([]row, error) {
	return relatives(ctx, q, "SELECT parent_id, child_id, parent_id, sum FROM lineage WHERE child_id = $1", id)
}

// relatives returns the versions whose keys come first in the answer to a query
// of lineage, after it has checked the rows.
func relatives(ctx context.Context, q queryer, query string, id int64) ([]row, error) {
	ids, err := edges(ctx, q, query, id)
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	found, err := versions(ctx, q, "WHERE v.id IN ("+list(ids)+") ORDER BY a.name, v.turn")
	if err == nil && len(found) < len(ids) {
		err = damagedRow("lineage", id)
	}
	return found, err
}

func edges(ctx context.Context, q queryer, query string, id int64) ([]int64, error) {
	rows, err := q.QueryContext(ctx, query, id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []int64
	for rows.Next() {
		var relative, child, parent int64
		var sum string
		if err := rows.Scan(&relative, &child, &parent, &sum); err != nil {
			return nil, err
		}
		if store.RowSum("lineage", child, parent) != sum {
			return nil, damagedRow("lineage", child)
		}
		ids = append(ids, relative)
	}
	return ids, rows.Err()
}

package mirror

import (
	"context"
	"database/sql"
	"encoding/json"
	"iter"
	"slices"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/catalog"
	"github.com/opengenesis/genesis/internal/catalog/find"
	"github.com/opengenesis/genesis/internal/store"
)

// What is mirrored is searched by package work/search: what changes is noted for it in the
// transaction of the change, and here it reads what there is.

// touch notes what a page changed: what a node takes back is urgent.
func (o *outcome) touch(ctx context.Context, tx *sql.Tx) error {
	var added, removed []find.ID
	for i, k := range o.keys {
		id := find.ID{Node: k.Node, Name: k.Name, Version: k.Version}
		if o.listings[i] != nil {
			added = append(added, id)
		} else {
			removed = append(removed, id)
		}
	}
	if err := catalog.Touch(ctx, tx, catalog.Soon, added...); err != nil {
		return err
	}
	return catalog.Touch(ctx, tx, catalog.TakenBack, removed...)
}

// Document is what is mirrored of a version, with the classes that may know of it. Of
// several listings, as while a version goes from one class to another, it has the one that
// most are told. Errors: NotFound.
func (m *Mirror) Document(ctx context.Context, id find.ID) (find.Document, error) {
	var d find.Document
	rows, err := m.cfg.DB.Read().QueryContext(ctx, `SELECT g.class, l.body FROM mirror_logs g JOIN mirror_listings l ON l.log = g.id
		WHERE g.node = $1 AND l.name = $2 AND l.version = $3`, string(id.Node), string(id.Name), string(id.Version))
	if err != nil {
		return d, store.Error("read mirror", string(id.Node), err)
	}
	defer rows.Close()
	best := len(m.classes())
	for rows.Next() {
		var class string
		var body []byte
		if err := rows.Scan(&class, &body); err != nil {
			return d, store.Error("read mirror", string(id.Node), err)
		}
		d.Classes = append(d.Classes, genesis.Class(class))
		width := slices.Index(m.classes(), genesis.Class(class)) // the widest first
		if width < 0 || width >= best {
			continue
		}
		best, d.Listing = width, genesis.Listing{}
		if err := json.Unmarshal(body, &d.Listing); err != nil {
			return d, &genesis.Error{Op: "read mirror", Kind: genesis.Internal, Subject: string(id.Node) + "/" + string(id.Name), Msg: "what is mirrored of it is damaged", Err: err}
		}
	}
	if err := rows.Err(); err != nil {
		return d, store.Error("read mirror", string(id.Node), err)
	}
	if d.Version == "" {
		return d, &genesis.Error{Op: "read mirror", Kind: genesis.NotFound, Subject: string(id.Node) + "/" + string(id.Name), Msg: "nothing of it is mirrored here"}
	}
	return d, nil
}

// Documents yields what is mirrored of a node, "" of all. It stops at the first error, which
// it yields.
func (m *Mirror) Documents(ctx context.Context, node genesis.NodeID) iter.Seq2[find.Document, error] {
	return func(yield func(find.Document, error) bool) {
		several, err := m.several(ctx)
		if err != nil {
			yield(find.Document{}, err)
			return
		}
		for one, err := range m.listings(ctx, [4]any{string(node), "", "", ""}) {
			if err == nil && node != "" && one.Node != node {
				return
			}
			d := find.Document{Listing: one.Listing, Classes: []genesis.Class{one.Class}}
			if id := d.ID(); err == nil && several[id] {
				d, err = m.Document(ctx, id)
			}
			if genesis.KindOf(err) == genesis.NotFound { // removed since
				continue
			}
			if !yield(d, err) || err != nil {
				return
			}
		}
	}
}

// several are the versions that more than one class is told of at present.
func (m *Mirror) several(ctx context.Context) (map[find.ID]bool, error) {
	rows, err := m.cfg.DB.Read().QueryContext(ctx, `SELECT g.node, l.name, l.version FROM mirror_listings l JOIN mirror_logs g ON g.id = l.log
		GROUP BY g.node, l.name, l.version HAVING count(*) > 1`)
	if err != nil {
		return nil, store.Error("read mirror", "", err)
	}
	defer rows.Close()
	all := map[find.ID]bool{}
	for rows.Next() {
		var id find.ID
		if err := rows.Scan(&id.Node, &id.Name, &id.Version); err != nil {
			return nil, store.Error("read mirror", "", err)
		}
		all[id] = true
	}
	return all, store.Error("read mirror", "", rows.Err())
}

// Standing says how each log is followed, without counting what holds. Where all is well and something is
// not applied yet, or noted for the search index and not in it, it stands as partial.
func (m *Mirror) Standing(ctx context.Context) ([]genesis.Followed, error) {
	rows, err := m.cfg.DB.Read().QueryContext(ctx, `SELECT node, class, base + applied, applied < size OR EXISTS (SELECT 1 FROM found_queue q WHERE q.node = g.node),
		fresh, standing, reason FROM mirror_logs g ORDER BY node, class`)
	if err != nil {
		return nil, store.Error("read mirror", "", err)
	}
	defer rows.Close()
	var all []genesis.Followed
	unread := m.sights.unread()
	for rows.Next() {
		var f genesis.Followed
		var fresh int64
		var waits bool
		var standing Standing
		if err := rows.Scan(&f.Node, &f.Class, &f.Entries, &waits, &fresh, &standing, &f.Reason); err != nil {
			return nil, store.Error("read mirror", "", err)
		}
		if fresh != 0 {
			f.Fresh = store.TimeAt(fresh)
		}
		m.sights.of(f.Node, f.Class).tell(&f.Fresh, &standing, &f.Reason)
		if f.Standing = string(standing); waits && standing == Good {
			f.Standing = genesis.StandingPartial
		}
		f.Fresh = f.Fresh.Truncate(time.Second)
		delete(unread, f.Node)
		all = append(all, f)
	}
	for node, why := range unread { // of which there is no log at all
		all = append(all, genesis.Followed{Node: node, Class: genesis.ClassPublic, Standing: genesis.StandingFailing, Reason: why})
	}
	return all, store.Error("read mirror", "", rows.Err())
}

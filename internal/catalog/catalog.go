package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/store"
)

// Catalog is the node's catalogue. It is safe for concurrent use.
type Catalog struct {
	db      *store.DB
	blobs   *blob.Store
	cursors sealer
	now     func() time.Time

	purging sync.Mutex // held while blobs are purged
}

// New returns the catalogue that db holds, with its manifests in blobs.
func New(db *store.DB, blobs *blob.Store) *Catalog {
	return &Catalog{db: db, blobs: blobs, cursors: newSealer(), now: time.Now}
}

// queryer is what both a transaction and a pool of connections can do.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// row is a version as the database keeps it.
type row struct {
	genesis.Version
	id, asset int64
	turn      int64
	title     string // of its card
}

// sum is what the database keeps beside the row, to find what the disk changed.
// It covers the asset's name and kind, which never change.
func (r *row) sum() string {
	return store.RowSum("version", r.id, r.asset, string(r.Name), string(r.Kind), string(r.Digest), r.Number, string(r.State), r.turn,
		r.title, store.Time(r.Created), r.Creator, r.Rows, r.Bytes)
}

// versionColumns are what scanVersion reads, from versions v and assets a.
const versionColumns = `v.id, v.asset_id, a.name, a.kind, v.digest, coalesce(v.number, 0), v.state, v.turn, v.title,
	v.created_at, v.created_by, v.row_count, v.byte_count, v.sum`

const versionTables = ` FROM versions v JOIN assets a ON a.id = v.asset_id `

func scanVersion(scan func(...any) error) (row, error) {
	var r row
	var at int64
	var sum string
	err := scan(&r.id, &r.asset, &r.Name, &r.Kind, &r.Digest, &r.Number, &r.State, &r.turn, &r.title,
		&at, &r.Creator, &r.Rows, &r.Bytes, &sum)
	if err != nil {
		return r, err
	}
	r.Created = store.TimeAt(at)
	if r.sum() != sum {
		return r, damagedRow("versions", r.id)
	}
	return r, nil
}

// damagedRow says that a row is not what was written. It names the row by its
// key alone: whoever meets it may not know the asset that it is about.
// [Catalog.Check] tells what it is.
func damagedRow(table string, id int64) error {
	return &genesis.Error{Op: "read catalogue", Kind: genesis.Internal, Subject: fmt.Sprintf("row %d of %s", id, table),
		Msg: "is damaged: it no longer matches its sum", Hint: "restore the catalogue from a backup"}
}

// isDamage reports whether err says that something stored is damaged.
func isDamage(err error) bool {
	return errors.As(err, new(*genesis.Error)) && genesis.KindOf(err) == genesis.Internal
}

// versions returns the versions that the rest of a query selects.
func versions(ctx context.Context, q queryer, where string, args ...any) ([]row, error) {
	rows, err := q.QueryContext(ctx, "SELECT "+versionColumns+versionTables+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []row
	for rows.Next() {
		r, err := scanVersion(rows.Scan)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

// findRow returns the row of a version by name and digest. NotFound.
func findRow(ctx context.Context, q queryer, v genesis.Version) (row, error) {
	r, err := scanVersion(q.QueryRowContext(ctx, "SELECT "+versionColumns+versionTables+
		"WHERE a.name = $1 AND v.digest = $2", string(v.Name), string(v.Digest)).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return r, noVersion(v.Ref())
	}
	return r, store.Error("find version", v.Ref().String(), err)
}

// Resolve returns the version that r means: by number, by digest, or for a bare
// name the latest published one that visible shows, else the draft committed last
// that it shows. A number or a digest also finds a version that was withdrawn or
// erased. Errors: NotFound, the same whether there is no such version or visible
// hides it; Unsupported (a reference to another node).
func (c *Catalog) Resolve(ctx context.Context, r genesis.Ref, visible Visible) (genesis.Version, error) {
	if r.Node != "" {
		return genesis.Version{}, &genesis.Error{Op: "find version", Kind: genesis.Unsupported, Subject: r.String(),
			Msg: "it is at another node", Hint: "`genesis pull " + r.String() + "` copies it, where that is allowed; --at " + string(r.Node) + " works there"}
	}
	where, args := "", []any{string(r.Name)}
	switch {
	case r.Digest != "":
		where, args = " AND v.digest = $2", append(args, string(r.Digest))
	case r.Number != 0:
		where, args = " AND v.number = $2", append(args, r.Number)
	}
	found, err := versions(ctx, c.db.Read(), "WHERE a.name = $1"+where, args...)
	if err != nil {
		return genesis.Version{}, store.Error("find version", r.String(), err)
	}
	if where == "" {
		if shown, ok := visible.current(found); ok {
			return shown.Version, nil
		}
	} else if len(found) > 0 && visible.shows(found[0]) {
		return found[0].Version, nil
	}
	return genesis.Version{}, noVersion(r)
}

// Alike returns the versions that have a digest, whatever they are called, that were not
// erased.
func (c *Catalog) Alike(ctx context.Context, d genesis.Digest) ([]genesis.Version, error) {
	found, err := versions(ctx, c.db.Read(), "WHERE v.digest = $1 AND v.state <> $2 ORDER BY v.id", string(d), string(genesis.Erased))
	return Visible(nil).only(found), store.Error("find version", string(d), err)
}

// State returns the state of a version. Errors: NotFound.
func (c *Catalog) State(ctx context.Context, v genesis.Version) (genesis.State, error) {
	r, err := findRow(ctx, c.db.Read(), v)
	return r.State, err
}

// Last returns the newest version of a name that visible shows, in any state: what is
// left to know a name by of which nothing is published and no draft is there. Errors:
// NotFound.
func (c *Catalog) Last(ctx context.Context, name genesis.Name, visible Visible) (genesis.Version, error) {
	found, err := versions(ctx, c.db.Read(), "WHERE a.name = $1", string(name))
	if err != nil {
		return genesis.Version{}, store.Error("find version", string(name), err)
	}
	slices.SortFunc(found, byCurrency)
	if shown := visible.only(found); len(shown) > 0 {
		return shown[0], nil
	}
	return genesis.Version{}, noVersion(genesis.Ref{Name: name})
}

func noVersion(r genesis.Ref) error {
	hint := "`genesis list` shows what there is"
	if r.Number != 0 || r.Digest != "" {
		hint = "drafts have no number; `genesis show " + r.Name.Arg() + " --json` lists the digests of all versions"
	}
	return &genesis.Error{Op: "find version", Kind: genesis.NotFound, Subject: r.String(), Msg: "there is no such version here", Hint: hint}
}

// MaxManifest is how long a manifest's canonical JSON may be; longer lists of
// columns stand in pages.
const MaxManifest = 1 << 20

// Manifest returns the content manifest of a version, checked against its
// digest. Errors: NotFound; Internal (damaged); Unsupported (a newer format).
func (c *Catalog) Manifest(ctx context.Context, v genesis.Version) (genesis.Manifest, error) {
	m, err := c.storedManifest(ctx, v)
	if err != nil {
		return m, err
	}
	if err := c.turnPages(ctx, m.Tables); err != nil {
		return m, err
	}
	return m, c.turnPages(ctx, m.Rejects)
}

// Layout returns where the bytes of a version lie, as it is stored: package
// blob/layout reads the files that stand in pages. Errors as [Catalog.Record].
func (c *Catalog) Layout(ctx context.Context, v genesis.Version) (genesis.Layout, error) {
	var l genesis.Layout
	err := c.Record(ctx, v, genesis.RecordLayout, &l)
	return l, err
}

func newer(op string, v genesis.Version, have, know int) error {
	return &genesis.Error{Op: op, Kind: genesis.Unsupported, Subject: v.Ref().String(),
		Msg:  fmt.Sprintf("it has format %d, and this program reads up to %d", have, know),
		Hint: "use the program that wrote it, or a newer one"}
}

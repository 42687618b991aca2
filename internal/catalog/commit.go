package catalog

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/store"
)

// Commit is a version to be added, with all that is said about it.
type Commit struct {
	Name     genesis.Name
	Kind     genesis.Kind
	Manifest genesis.Manifest
	Layout   genesis.Layout
	Records  map[genesis.RecordKind]any // of the types that genesis.RecordKind names
	Parents  []genesis.Version          // in this catalogue
	By       string                     // subject of who commits
	Bytes    int64                      // stored
	Rows     int64
}

// Commit adds a draft version and returns it. When the asset has a version of
// just this content, unchanged is true: the version stays as it is, becomes the
// newest draft again if it is one, and the records given replace those it has; of
// records not given nothing changes. The bytes that Layout names must be in the
// blob store already. Errors: Invalid (name, manifest, a record JSON cannot
// express), Conflict (the asset is of another kind), NotFound (a parent),
// Unsupported (the manifest is too long, even with its columns in pages).
func (c *Catalog) Commit(ctx context.Context, in Commit) (v genesis.Version, unchanged bool, err error) {
	s, err := c.Stage(ctx, in)
	if err != nil {
		return v, false, err
	}
	defer s.Close()
	err = c.db.Tx(ctx, func(tx *sql.Tx) error {
		v, unchanged, err = c.CommitTx(ctx, tx, s)
		return err
	})
	if err != nil {
		return genesis.Version{}, false, err
	}
	return v, unchanged, nil
}

// Staged is a commit that was checked and whose manifest is stored: what is
// left is its transaction.
type Staged struct {
	in      Commit
	digest  genesis.Digest
	records map[genesis.RecordKind]body
}

// Close lets go of what the version needs. It is kept anyway once it is committed.
func (s *Staged) Close() error { return nil }

// Stage does the part of [Catalog.Commit] that needs no transaction. The caller
// closes what it returns. A staged commit may be dropped: a manifest that nobody
// refers to harms nobody.
func (c *Catalog) Stage(ctx context.Context, in Commit) (*Staged, error) {
	if err := checkCommit(in); err != nil {
		return nil, err
	}
	manifest, pages, err := EncodeManifest(in.Manifest)
	if err != nil {
		return nil, err
	}
	records, err := encodeRecords(in)
	if err != nil {
		return nil, err
	}
	for _, b := range append(pages, manifest) {
		if _, err := c.blobs.Put(ctx, b); err != nil {
			return nil, err
		}
	}
	return &Staged{in: in, digest: genesis.DigestOf(manifest), records: records}, nil
}

// CommitTx is the part of [Catalog.Commit] that happens in a transaction, for
// acts that commit together with a version.
func (c *Catalog) CommitTx(ctx context.Context, tx *sql.Tx, s *Staged) (v genesis.Version, unchanged bool, err error) {
	w := writer{ctx: ctx, tx: tx, by: s.in.By, now: time.Now()}
	r, unchanged, err := w.commit(s.in, s.digest, s.records)
	if err != nil {
		return genesis.Version{}, false, err
	}
	return r.Version, unchanged, c.refresh(w, r.asset)
}

// checkCommit checks what can be checked before anything is stored.
func checkCommit(in Commit) error {
	bad := func(kind genesis.ErrorKind, msg string) error {
		return &genesis.Error{Op: "commit version", Kind: kind, Subject: string(in.Name), Msg: msg}
	}
	if err := genesis.CheckName(in.Name); err != nil {
		return err
	}
	switch {
	case in.By == "":
		return bad(genesis.Invalid, "it does not say who commits")
	case in.Kind != genesis.Dataset && in.Kind != genesis.Model:
		return bad(genesis.Invalid, fmt.Sprintf("%q is not a kind of asset", in.Kind))
	case in.Manifest.Kind != in.Kind || in.Manifest.Format != genesis.ManifestFormat:
		return bad(genesis.Invalid, fmt.Sprintf("its manifest is of kind %q and format %d", in.Manifest.Kind, in.Manifest.Format))
	}
	return nil
}

func encodeRecords(in Commit) (map[genesis.RecordKind]body, error) {
	records := map[genesis.RecordKind]body{}
	for kind, value := range in.Records {
		b, err := encodeRecord(in.Name, kind, value)
		if err != nil {
			return nil, err
		}
		records[kind] = b
	}
	b, err := encodeRecord(in.Name, genesis.RecordLayout, in.Layout)
	records[genesis.RecordLayout] = b
	return records, err
}

// writer is one transaction that changes the catalogue.
type writer struct {
	ctx context.Context
	tx  *sql.Tx
	by  string
	now time.Time
}

func (w writer) exec(query string, args ...any) error {
	_, err := w.tx.ExecContext(w.ctx, query, args...)
	return err
}

// next returns the next free key of a table.
func (w writer) next(table, column string) (int64, error) {
	var n int64
	err := w.tx.QueryRowContext(w.ctx, "SELECT coalesce(max("+column+"), 0) + 1 FROM "+table).Scan(&n)
	return n, err
}

func (w writer) commit(in Commit, digest genesis.Digest, records map[genesis.RecordKind]body) (row, bool, error) {
	asset, err := w.asset(in.Name, in.Kind)
	if err != nil {
		return row{}, false, err
	}
	unchanged, err := w.version(asset, digest, in)
	if err != nil {
		return row{}, false, err
	}
	r, err := find(w.ctx, w.tx, genesis.Version{Name: in.Name, Digest: digest})
	if err != nil {
		return row{}, false, err
	}
	for _, kind := range slices.Sorted(maps.Keys(records)) {
		if err := w.record(r, kind, records[kind]); err != nil {
			return row{}, false, err
		}
	}
	if err := w.lineage(r, in.Parents); err != nil {
		return row{}, false, err
	}
	return r, unchanged, w.journal(r, "commit", map[string]any{
		"kind": in.Kind, "unchanged": unchanged, "rows": in.Rows, "bytes": in.Bytes,
		"parents": parentRefs(in.Parents[:min(len(in.Parents), 100)]), "records": digests(records),
	})
}

func parentRefs(parents []genesis.Version) []string {
	refs := []string{}
	for _, p := range parents {
		refs = append(refs, p.Ref().String())
	}
	return refs
}

func digests(records map[genesis.RecordKind]body) map[genesis.RecordKind]genesis.Digest {
	all := map[genesis.RecordKind]genesis.Digest{}
	for kind, b := range records {
		all[kind] = b.digest
	}
	return all
}

// asset returns the key of an asset, and makes it where it is missing.
func (w writer) asset(name genesis.Name, kind genesis.Kind) (int64, error) {
	var id int64
	var have genesis.Kind
	err := w.tx.QueryRowContext(w.ctx, "SELECT id, kind FROM assets WHERE name = $1", string(name)).Scan(&id, &have)
	if err == nil && have != kind {
		return 0, &genesis.Error{Op: "commit version", Kind: genesis.Conflict, Subject: string(name),
			Msg: fmt.Sprintf("it is the name of a %s, and this is a %s", have, kind), Hint: "choose another name"}
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return id, err
	}
	if id, err = w.next("assets", "id"); err != nil {
		return 0, err
	}
	return id, w.exec("INSERT INTO assets (id, name, kind, created_at) VALUES ($1, $2, $3, $4)",
		id, string(name), string(kind), store.Time(w.now))
}

// version adds the version, or moves it to the front when it is there.
func (w writer) version(asset int64, digest genesis.Digest, in Commit) (unchanged bool, err error) {
	turn, err := w.next("versions", "turn")
	if err != nil {
		return false, err
	}
	result, err := w.tx.ExecContext(w.ctx, "UPDATE versions SET turn = $1, row_count = $2, byte_count = $3 WHERE asset_id = $4 AND digest = $5",
		turn, in.Rows, in.Bytes, asset, string(digest))
	if err != nil {
		return false, err
	}
	if n, err := result.RowsAffected(); n > 0 || err != nil {
		return true, err
	}
	id, err := w.next("versions", "id")
	if err != nil {
		return false, err
	}
	return false, w.exec(`INSERT INTO versions (id, asset_id, digest, state, turn, created_at, created_by, row_count, byte_count)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		id, asset, string(digest), string(genesis.Draft), turn, store.Time(w.now), w.by, in.Rows, in.Bytes)
}

// lineage adds parents to those the version has.
func (w writer) lineage(child row, parents []genesis.Version) error {
	for _, p := range parents {
		parent, err := find(w.ctx, w.tx, p)
		if err != nil {
			return err
		}
		if parent.id == child.id {
			return &genesis.Error{Op: "commit version", Kind: genesis.Invalid, Subject: string(child.Name), Msg: "it names itself as what it was made from"}
		}
		if err := w.exec("INSERT INTO lineage (child_id, parent_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", child.id, parent.id); err != nil {
			return err
		}
	}
	return nil
}

// journal records what was done to a version.
func (w writer) journal(r row, action string, detail any) error {
	text, err := json.Marshal(detail)
	if err != nil {
		return &genesis.Error{Op: "record event", Kind: genesis.Internal, Subject: string(r.Name), Err: err}
	}
	return journal.Record(w.ctx, w.tx, journal.Event{Time: w.now, Actor: w.by, Action: action,
		Subject: string(r.Name), Version: r.Digest, Detail: text})
}

// Publish gives a draft the asset's next number; a version that has one keeps
// it. Errors: NotFound, Conflict (withdrawn or erased).
func (c *Catalog) Publish(ctx context.Context, v genesis.Version, by string) (genesis.Version, error) {
	var published genesis.Version
	err := c.db.Tx(ctx, func(tx *sql.Tx) error {
		w := writer{ctx: ctx, tx: tx, by: by, now: time.Now()}
		r, err := find(ctx, tx, v)
		if err != nil {
			return err
		}
		if r.State == genesis.Draft {
			if err := w.publish(&r); err != nil {
				return err
			}
		}
		if r.State != genesis.Published {
			return &genesis.Error{Op: "publish", Kind: genesis.Conflict, Subject: v.Ref().String(), Msg: "it is " + string(r.State)}
		}
		published = r.Version
		return c.refresh(w, r.asset)
	})
	return published, err
}

func (w writer) publish(r *row) error {
	err := w.tx.QueryRowContext(w.ctx, "SELECT coalesce(max(number), 0) + 1 FROM versions WHERE asset_id = $1", r.asset).Scan(&r.Number)
	if err != nil {
		return err
	}
	r.State = genesis.Published
	if err := w.exec("UPDATE versions SET state = $1, number = $2 WHERE id = $3", string(r.State), r.Number, r.id); err != nil {
		return err
	}
	return w.journal(*r, "publish", map[string]any{"number": r.Number})
}

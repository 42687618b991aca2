package catalog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob/layout"
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
	By       string                     // who commits
	Bytes    int64                      // stored
	Rows     int64
	Session  string // by which somebody of another node came who commits; "": of this one
	Run      string // that made it; "": none
}

// Commit stages a version and adds it, in a transaction of its own: [Catalog.Stage]
// and [Catalog.CommitTx]. Errors as theirs.
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

// Staged is a version that is ready to be added: its manifest is stored, and the
// blobs it needs are there and kept from being collected until Close.
type Staged struct {
	in      Commit
	digest  genesis.Digest
	records map[genesis.RecordKind]body
	blobs   []genesis.Digest
	purges  purgeMark // before the blobs were looked at
	release func() error
}

// Close lets go of what the version needs. It is kept anyway once it is committed.
func (s *Staged) Close() error { return s.release() }

// Stage does what a commit can do before its transaction, so that this stays
// short: it checks and encodes the version, stores its manifest and what of its
// layout is too long for a record, and makes sure that the bytes which layout and
// records name are in the blob store. All layouts are written here. The caller
// closes what it returns. Errors: Invalid (name, manifest, a record that JSON
// cannot express), Conflict (bytes are missing), Unsupported (the manifest is too
// long, even with its columns in pages).
func (c *Catalog) Stage(ctx context.Context, in Commit) (*Staged, error) {
	if err := checkCommit(in); err != nil {
		return nil, err
	}
	manifest, pages, err := EncodeManifest(in.Manifest)
	if err != nil {
		return nil, err
	}
	s := &Staged{in: in, digest: genesis.DigestOf(manifest)}
	if s.release, err = c.blobs.Pin(ctx); err != nil {
		return nil, err
	}
	if err := c.stage(ctx, s, append(pages, manifest)); err != nil {
		s.release()
		return nil, err
	}
	return s, nil
}

func (c *Catalog) stage(ctx context.Context, s *Staged, own [][]byte) error {
	var err error
	if s.purges, err = markPurges(ctx, c.db.Read()); err != nil {
		return store.Error("commit version", string(s.in.Name), err)
	}
	if err := c.stageRecords(ctx, s); err != nil {
		return err
	}
	for _, b := range own { // before the transaction: a manifest that nobody refers to harms nobody
		put, err := c.blobs.Put(ctx, b)
		if err != nil {
			return err
		}
		s.blobs = append(s.blobs, put.Digest)
	}
	return c.keep(ctx, s)
}

// stageRecords encodes the records of a version and finds out what they need.
func (c *Catalog) stageRecords(ctx context.Context, s *Staged) error {
	var err error
	if s.in.Layout, err = layout.Write(ctx, c.blobs, s.in.Layout); err != nil {
		return err
	}
	if s.records, err = encodeRecords(s.in); err != nil {
		return err
	}
	needs := map[genesis.Digest]bool{}
	for _, b := range s.records {
		if err := addBlobs(needs, b.text); err != nil {
			return err
		}
	}
	for _, part := range s.in.Manifest.Parts {
		needs[part] = true
	}
	err = addLayout(ctx, c.blobs, needs, s.in.Layout, nil)
	if genesis.KindOf(err) == genesis.NotFound { // a page that the caller stored
		err = missing(s.in.Name, err)
	}
	s.blobs = slices.Collect(maps.Keys(needs))
	return err
}

// keep makes sure that the blobs of a version are there and stay.
func (c *Catalog) keep(ctx context.Context, s *Staged) error {
	for _, d := range s.blobs {
		err := c.blobs.Keep(ctx, d)
		if genesis.KindOf(err) == genesis.NotFound {
			return missing(s.in.Name, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// missing says that bytes are not there, which err names.
func missing(name genesis.Name, err error) error {
	what := ""
	if e := new(genesis.Error); errors.As(err, &e) {
		what = e.Subject + " "
	}
	return &genesis.Error{Op: "commit version", Kind: genesis.Conflict, Subject: string(name),
		Msg: "the bytes " + what + "that it needs are not stored here, or no longer", Hint: "do the work that made them again", Err: err}
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

// CommitTx adds what was staged as a draft version, in the caller's transaction,
// and returns it. When the asset has a version of just this content, unchanged is
// true: the version stays as it is, becomes the newest draft again if it is one, and
// the records given replace those it has; of records not given nothing changes. A
// draft that was erased but not purged begins anew. Errors: Conflict (the asset is
// of another kind; this content was withdrawn, erased or purged; bytes were purged
// meanwhile), NotFound (a parent), Invalid (it is its own parent).
func (c *Catalog) CommitTx(ctx context.Context, tx *sql.Tx, s *Staged) (v genesis.Version, unchanged bool, err error) {
	mark, err := markPurges(ctx, tx)
	if err == nil && (mark != s.purges || mark.waiting > 0) {
		err = c.recheck(ctx, tx, s)
	}
	if err != nil {
		return v, false, err
	}
	w := writer{ctx: ctx, tx: tx, by: s.in.By, now: c.clock()}
	r, unchanged, err := w.commit(s)
	if err != nil {
		return v, false, err
	}
	card, err := cardOf(ctx, tx, r)
	if err != nil {
		return v, false, err
	}
	return r.Version, unchanged, w.show(&r, card)
}

func (w writer) commit(s *Staged) (row, bool, error) {
	asset, err := w.asset(s.in.Name, s.in.Kind)
	if err != nil {
		return row{}, false, err
	}
	r, unchanged, err := w.version(asset, s)
	if err != nil {
		return row{}, false, err
	}
	for _, kind := range slices.Sorted(maps.Keys(s.records)) {
		if err := w.record(r, kind, s.records[kind]); err != nil {
			return row{}, false, err
		}
	}
	if err := w.lineage(r, s.in.Parents); err != nil {
		return row{}, false, err
	}
	detail := map[string]any{
		"kind": s.in.Kind, "unchanged": unchanged, "rows": s.in.Rows, "bytes": s.in.Bytes,
		"parents": parentRefs(s.in.Parents[:min(len(s.in.Parents), 100)]), "records": digests(s.records),
	}
	if p, ok := s.in.Records[genesis.RecordProvenance].(genesis.Provenance); ok && p.Copied != nil {
		detail["copied"] = true // it was made elsewhere
	}
	for name, value := range map[string]string{"run": s.in.Run, "session": s.in.Session} {
		if value != "" {
			detail[name] = value
		}
	}
	return r, unchanged, w.journal(r, "commit", detail)
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
	var id, created int64
	var have genesis.Kind
	var sum string
	err := w.tx.QueryRowContext(w.ctx, "SELECT id, kind, created_at, sum FROM assets WHERE name = $1", string(name)).Scan(&id, &have, &created, &sum)
	if err == nil && sum != store.RowSum("asset", id, string(name), string(have), created) {
		return 0, damagedRow("assets", id)
	}
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
	created = store.Time(w.now)
	return id, w.exec("INSERT INTO assets (id, name, kind, created_at, sum) VALUES ($1, $2, $3, $4, $5)",
		id, string(name), string(kind), created, store.RowSum("asset", id, string(name), string(kind), created))
}

// version adds the version, or moves it to the front when it is there.
func (w writer) version(asset int64, s *Staged) (r row, unchanged bool, err error) {
	r, err = findRow(w.ctx, w.tx, genesis.Version{Name: s.in.Name, Digest: s.digest})
	unchanged = err == nil
	if unchanged {
		unchanged, err = w.again(&r)
	} else if genesis.KindOf(err) == genesis.NotFound {
		r = row{Version: genesis.Version{Name: s.in.Name, Kind: s.in.Kind, Digest: s.digest}, asset: asset}
		r.State, r.Created, r.Creator = genesis.Draft, w.now, w.by
		r.id, err = w.next("versions", "id")
	}
	if err != nil {
		return row{}, false, err
	}
	if r.turn, err = w.next("versions", "turn"); err != nil {
		return row{}, false, err
	}
	r.Rows, r.Bytes = s.in.Rows, s.in.Bytes
	return r, unchanged, w.put(&r)
}

// again decides whether content that the asset had before may be committed again,
// and whether it is still there.
func (w writer) again(r *row) (unchanged bool, err error) {
	switch r.State {
	case genesis.Draft, genesis.Published:
		return true, nil
	case genesis.Withdrawn:
		return false, &genesis.Error{Op: "commit version", Kind: genesis.Conflict, Subject: r.Ref().String(), Msg: "just this content was withdrawn"}
	}
	purged, err := w.purged(*r)
	if err != nil {
		return false, err
	}
	if purged || r.Number != 0 {
		return false, &genesis.Error{Op: "commit version", Kind: genesis.Conflict, Subject: r.Ref().String(), Msg: "just this content was erased and may not come back"}
	}
	r.State, r.Created, r.Creator = genesis.Draft, w.now, w.by
	return false, nil
}

// lineage adds parents to those the version has.
func (w writer) lineage(child row, parents []genesis.Version) error {
	for _, p := range parents {
		parent, err := findRow(w.ctx, w.tx, p)
		if err != nil {
			return err
		}
		if parent.id == child.id {
			return &genesis.Error{Op: "commit version", Kind: genesis.Invalid, Subject: string(child.Name), Msg: "it names itself as what it was made from"}
		}
		if err := w.exec("INSERT INTO lineage (child_id, parent_id, sum) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
			child.id, parent.id, store.RowSum("lineage", child.id, parent.id)); err != nil {
			return err
		}
	}
	return nil
}

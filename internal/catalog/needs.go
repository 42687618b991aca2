package catalog

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/blob/layout"
	"github.com/opengenesis/genesis/internal/store"
)

// Needs calls yield for every blob that a version in db consists of: its
// manifest, the pages of that, and what its layout names, with the pages of that. A blob that versions
// share is yielded for each. Erased versions need nothing. Needs stops at the
// first error, which it returns; a manifest or a page of a layout that blobs does not
// have, or has damaged, is one.
func Needs(ctx context.Context, db *sql.DB, blobs *blob.Store, yield func(genesis.Ref, genesis.Digest) error) error {
	rows, err := db.QueryContext(ctx, `SELECT a.name, v.digest, coalesce(r.body, '{}'), coalesce(r.format, 0)
		FROM versions v JOIN assets a ON a.id = v.asset_id
		LEFT JOIN records r ON r.version_id = v.id AND r.kind = $1 AND r.superseded_at IS NULL
		WHERE v.state <> $2`, string(genesis.RecordLayout), string(genesis.Erased))
	if err != nil {
		return store.Error("list blobs of versions", "", err)
	}
	defer rows.Close()
	for rows.Next() {
		var ref genesis.Ref
		var text string
		var format int
		if err := rows.Scan(&ref.Name, &ref.Digest, &text, &format); err != nil {
			return store.Error("list blobs of versions", "", err)
		}
		if format > genesis.LayoutFormat {
			return newer("list blobs of versions", genesis.Version{Name: ref.Name, Digest: ref.Digest}, format, genesis.LayoutFormat)
		}
		if err := needs(ctx, blobs, ref, text, yield); err != nil {
			return err
		}
	}
	return store.Error("list blobs of versions", "", rows.Err())
}

func needs(ctx context.Context, blobs *blob.Store, ref genesis.Ref, record string, yield func(genesis.Ref, genesis.Digest) error) error {
	var m genesis.Manifest
	text, err := blobs.Bytes(ctx, ref.Digest, MaxManifest)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return &genesis.Error{Op: "read manifest", Kind: genesis.Internal, Subject: ref.String(), Msg: "it is not a manifest", Err: err}
	}
	l, err := parseLayout(ref, record)
	if err != nil {
		return err
	}
	all := []genesis.Digest{ref.Digest}
	for _, t := range append(m.Tables, m.Rejects...) {
		all = append(all, t.Pages...)
	}
	for _, d := range all {
		if err := yield(ref, d); err != nil {
			return err
		}
	}
	var stop error // of yield, which goes back as it is
	err = layout.Each(ctx, blobs, l, func(b genesis.Blob) error {
		stop = yield(ref, b.Digest)
		return stop
	}, nil)
	if stop != nil {
		return stop
	}
	return badPage("list blobs of versions", ref, err)
}

package catalog

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/store"
)

// Needs calls yield for every blob that a version in db consists of: its
// manifest, the pages of that, and what its layout names. A blob that versions
// share is yielded for each. Erased versions need nothing. Needs stops at the
// first error, which it returns; a manifest that blobs does not have, or has
// damaged, is one.
func Needs(ctx context.Context, db *sql.DB, blobs *blob.Store, yield func(genesis.Ref, genesis.Digest) error) error {
	rows, err := db.QueryContext(ctx, `SELECT a.name, v.digest, coalesce(r.body, '{}')
		FROM versions v JOIN assets a ON a.id = v.asset_id
		LEFT JOIN records r ON r.version_id = v.id AND r.kind = $1 AND r.superseded_at IS NULL
		WHERE v.state <> $2`, string(genesis.RecordLayout), string(genesis.Erased))
	if err != nil {
		return store.Error("list blobs of versions", "", err)
	}
	defer rows.Close()
	for rows.Next() {
		var ref genesis.Ref
		var layout string
		if err := rows.Scan(&ref.Name, &ref.Digest, &layout); err != nil {
			return store.Error("list blobs of versions", "", err)
		}
		if err := needs(ctx, blobs, ref, layout, yield); err != nil {
			return err
		}
	}
	return store.Error("list blobs of versions", "", rows.Err())
}

func needs(ctx context.Context, blobs *blob.Store, ref genesis.Ref, layout string, yield func(genesis.Ref, genesis.Digest) error) error {
	var m genesis.Manifest
	var l genesis.Layout
	text, err := blobs.Bytes(ctx, ref.Digest, MaxManifest)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return &genesis.Error{Op: "read manifest", Kind: genesis.Internal, Subject: ref.String(), Msg: "it is not a manifest", Err: err}
	}
	if err := json.Unmarshal([]byte(layout), &l); err != nil {
		return &genesis.Error{Op: "read record", Kind: genesis.Internal, Subject: ref.String(), Msg: "its layout record is not what it should be", Err: err}
	}
	all := []genesis.Digest{ref.Digest}
	for _, t := range append(m.Tables, m.Rejects...) {
		all = append(all, t.Pages...)
	}
	for _, files := range l.Tables {
		for _, f := range files {
			all = append(all, f.Digest)
		}
	}
	for _, part := range l.Parts {
		all = append(all, part.Digest)
	}
	for _, d := range all {
		if err := yield(ref, d); err != nil {
			return err
		}
	}
	return nil
}

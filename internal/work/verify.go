package work

import (
	"context"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/blob/layout"
	"github.com/opengenesis/genesis/internal/catalog"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/stream"
)

// Verify re-hashes everything a version consists of: the bytes of every blob,
// the values of every column, and the manifest that names them.
func (s *Service) Verify(ctx context.Context, who genesis.Principal, ref string, p genesis.Progress) (*genesis.Verification, error) {
	v, err := s.resolve(ctx, who, genesis.Read, ref)
	if err != nil {
		return nil, err
	}
	if !who.SignedIn() {
		return nil, &genesis.Error{Op: "verify", Kind: genesis.Permission, Subject: ref, Msg: "reads all of it, which is more than nobody in particular may ask for", Hint: "`genesis login URL` signs in"}
	}
	ver := &verifier{blobStore: s.Blobs, p: p, out: &genesis.Verification{Version: v, Damage: []genesis.Damage{}}}
	if ok, err := ver.manifest(ctx, s.Catalog, v); !ok {
		return ver.out, err
	}
	if ver.l, err = s.Catalog.Layout(ctx, v); err != nil {
		return nil, err
	}
	if err := ver.blobs(ctx); err != nil {
		return nil, err
	}
	return ver.out, ver.columns(ctx)
}

type verifier struct {
	blobStore *blob.Store
	m         genesis.Manifest
	l         genesis.Layout
	p         genesis.Progress
	out       *genesis.Verification
}

func (v *verifier) damage(d genesis.Damage) { v.out.Damage = append(v.out.Damage, d) }

// manifest reads the manifest and compares it with the version's name; without
// it there is nothing else to verify against.
func (v *verifier) manifest(ctx context.Context, from *catalog.Catalog, version genesis.Version) (ok bool, err error) {
	v.m, err = from.Manifest(ctx, version)
	if k := genesis.KindOf(err); k == genesis.Internal || k == genesis.NotFound {
		v.damage(genesis.Damage{Blob: version.Digest, Msg: "the manifest is damaged: " + err.Error()})
		return false, nil
	}
	if err != nil {
		return false, err
	}
	b, _, err := catalog.EncodeManifest(v.m)
	if err != nil {
		return false, err
	}
	if genesis.DigestOf(b) != version.Digest {
		v.damage(genesis.Damage{Blob: version.Digest, Msg: "the manifest is not the one this version was named by"})
		return false, nil
	}
	return true, nil
}

// blobs verifies the bytes, and that no part is missing from the layout.
func (v *verifier) blobs(ctx context.Context) error {
	list, err := v.parts(ctx)
	if err != nil {
		return err
	}
	var total int64
	for _, b := range list {
		total += b.Size
	}
	for _, b := range list {
		damage, err := v.blobStore.Verify(ctx, b)
		if err != nil {
			return err
		}
		v.out.Damage = append(v.out.Damage, damage...)
		v.out.Blobs++
		v.out.Bytes += b.Size
		v.p.Send(genesis.Event{Stage: "verifying bytes", Done: v.out.Bytes, Total: total, Unit: "bytes"})
	}
	return nil
}

// parts returns all that the layout names, each once: parts, files, and the pages
// that list them. A page that cannot be read is damage that verifying its bytes
// names, but for one that never was what it should be.
func (v *verifier) parts(ctx context.Context) ([]genesis.Blob, error) {
	for name, digest := range v.m.Parts {
		if v.l.Parts[name].Digest != digest {
			v.damage(genesis.Damage{Blob: digest, Msg: "the layout has lost part " + name})
		}
	}
	seen := map[genesis.Blob]bool{}
	err := layout.Each(ctx, v.blobStore, v.l, func(b genesis.Blob) error {
		seen[b] = true
		return nil
	}, func(table string, p genesis.LayoutPage, err error) error {
		v.damage(genesis.Damage{Table: table, Blob: p.Digest, Msg: "the files that a page of the layout lists cannot be known: " + err.Error()})
		return nil
	})
	if err != nil {
		return nil, err
	}
	return slices.SortedFunc(maps.Keys(seen), func(a, b genesis.Blob) int {
		return strings.Compare(string(a.Digest), string(b.Digest))
	}), nil
}

// columns recomputes the logical digest of every column.
func (v *verifier) columns(ctx context.Context) error {
	for _, t := range v.m.Tables {
		if err := v.table(ctx, t, t.Name); err != nil {
			return err
		}
	}
	for _, t := range v.m.Rejects {
		if err := v.table(ctx, t, "rejects/"+t.Name); err != nil {
			return err
		}
	}
	return nil
}

func (v *verifier) table(ctx context.Context, t genesis.ManifestTable, name string) error {
	sums, err := v.digests(ctx, t, name)
	if genesis.KindOf(err) == genesis.Canceled {
		return err
	}
	if err != nil {
		v.damage(genesis.Damage{Table: name, Msg: err.Error()})
		return nil
	}
	for i, c := range t.Columns {
		v.out.Columns++
		if sums[i] != c.Digest {
			v.damage(genesis.Damage{Table: name, Column: c.Name, Msg: "its values are not those the version was named by"})
		}
	}
	return nil
}

func (v *verifier) digests(ctx context.Context, t genesis.ManifestTable, name string) ([]genesis.Digest, error) {
	r, err := stream.Open(ctx, v.blobStore, v.m, v.l, name, nil)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	digests := make([]*format.ColumnDigest, len(t.Columns))
	for i, c := range t.Schema() {
		digests[i] = format.NewColumnDigest(c)
	}
	var rows int64
	for {
		b, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
		for i, d := range digests {
			d.Add(&b.Cols[i], b.Rows)
		}
		rows += int64(b.Rows)
		v.p.Send(genesis.Event{Stage: "verifying values", Done: rows, Total: t.Rows, Unit: "rows"})
	}
	sums := make([]genesis.Digest, len(digests))
	for i, d := range digests {
		sums[i] = d.Sum()
	}
	return sums, nil
}

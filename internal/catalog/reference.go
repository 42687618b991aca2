package catalog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/blob/layout"
	"github.com/opengenesis/genesis/internal/store"
)

// References yields the digest of every blob that some version needs unless it was
// erased: its manifest with its pages, the parts of a model, and whatever a record
// says is a blob: the files of a layout and its pages, the assignments of splits. Of records that
// were superseded all count but layouts: a version that was laid out again needs its
// old files no more. Digests come in no particular order and more than once. Errors:
// those of yield as they are; Internal, naming the version, when a manifest, a
// record or a page is damaged, and Unsupported when one is of a newer format, because
// then nobody knows what it needs.
//
// Blobs that others refer to, as access does to the texts of agreements, are not
// among these.
func (c *Catalog) References(ctx context.Context, yield func(genesis.Digest) error) error {
	return c.eachNeed(ctx, func(_ row, d genesis.Digest) error { return yield(d) })
}

// liveBatch is how many versions are read at once by what reads them all.
const liveBatch = 500

// eachNeed calls act for each version that was not erased and each blob that it
// needs. It holds no connection of the database while it does.
func (c *Catalog) eachNeed(ctx context.Context, act func(row, genesis.Digest) error) error {
	for after := int64(0); ; {
		batch, err := versions(ctx, c.db.Read(), "WHERE v.id > $1 ORDER BY v.id LIMIT $2", after, liveBatch)
		if err != nil || len(batch) == 0 {
			return store.Error("collect references", "", err)
		}
		for _, r := range batch {
			after = r.id
			if r.State == genesis.Erased {
				continue
			}
			needs, err := c.needs(ctx, c.db.Read(), r)
			if err != nil {
				return store.Error("collect references", r.Ref().String(), err)
			}
			for d := range needs {
				if err := act(r, d); err != nil {
					return err
				}
			}
		}
	}
}

// needs returns the blobs that a version needs.
func (c *Catalog) needs(ctx context.Context, q queryer, r row) (map[genesis.Digest]bool, error) {
	needs := map[genesis.Digest]bool{}
	var layouts []string
	rows, err := q.QueryContext(ctx, "SELECT "+recordColumns+" FROM records WHERE version_id = $1", r.id)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		rec, damage, err := scanRecord(rows.Scan)
		if err != nil {
			return nil, err
		}
		if damage != "" {
			return nil, &genesis.Error{Op: "collect references", Kind: genesis.Internal, Subject: r.Ref().String(), Msg: editionDamage(rec, damage)}
		}
		if rec.kind == genesis.RecordLayout && rec.superseded != 0 {
			continue
		}
		if rec.format > formatOf(rec.kind) {
			return nil, newer("collect references", r.Version, rec.format, formatOf(rec.kind))
		}
		if err := addBlobs(needs, []byte(rec.text)); err != nil {
			return nil, err
		}
		if rec.kind == genesis.RecordLayout {
			layouts = append(layouts, rec.text)
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	for _, text := range layouts {
		if err := c.layoutNeeds(ctx, r, text, needs, nil); err != nil {
			return nil, err
		}
	}
	return needs, c.manifestNeeds(ctx, r, needs)
}

// layoutNeeds adds the blobs that the text of a layout names, and its pages.
func (c *Catalog) layoutNeeds(ctx context.Context, r row, text string, needs map[genesis.Digest]bool, broken layout.Broken) error {
	l, err := parseLayout(r.Ref(), text)
	if err != nil {
		return err
	}
	return badPage("collect references", r.Ref(), addLayout(ctx, c.blobs, needs, l, broken))
}

func parseLayout(of genesis.Ref, text string) (l genesis.Layout, err error) {
	if err := json.Unmarshal([]byte(text), &l); err != nil {
		return l, &genesis.Error{Op: "read record", Kind: genesis.Internal, Subject: of.String(), Msg: "its layout record is not what it should be", Err: err}
	}
	return l, nil
}

// badPage gives what is wrong with a page of a layout the version as its subject. One
// that is not there is damage: the version is.
func badPage(op string, of genesis.Ref, err error) error {
	if err == nil || genesis.KindOf(err) == genesis.Canceled {
		return err
	}
	kind := genesis.KindOf(err)
	if kind == genesis.NotFound {
		kind = genesis.Internal
	}
	return &genesis.Error{Op: op, Kind: kind, Subject: of.String(), Msg: "a page of its layout cannot be read: " + message(err),
		Hint: "restore the catalogue and the blobs from one backup", Err: err}
}

// addLayout adds the blobs that a layout names, at all levels.
func addLayout(ctx context.Context, blobs *blob.Store, needs map[genesis.Digest]bool, l genesis.Layout, broken layout.Broken) error {
	return layout.Each(ctx, blobs, l, func(b genesis.Blob) error {
		needs[b.Digest] = true
		return nil
	}, broken)
}

// manifestNeeds adds the manifest and what it names.
func (c *Catalog) manifestNeeds(ctx context.Context, r row, needs map[genesis.Digest]bool) error {
	m, err := c.storedManifest(ctx, r.Version)
	if err != nil {
		return err
	}
	needs[r.Digest] = true
	for _, tables := range [][]genesis.ManifestTable{m.Tables, m.Rejects} {
		for _, t := range tables {
			for _, page := range t.Pages {
				needs[page] = true
			}
		}
	}
	for _, part := range m.Parts {
		needs[part] = true
	}
	return nil
}

// addBlobs adds the digests of all blobs in a JSON text. A blob is an object that
// says both its digest and its Merkle root, whatever the record is about: so a kind
// of record that does not exist yet is looked through as well.
func addBlobs(needs map[genesis.Digest]bool, text []byte) error {
	if !bytes.Contains(text, []byte(`"merkle"`)) {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	if _, err := readBlobs(dec, needs); err != nil && err != io.EOF {
		return &genesis.Error{Op: "collect references", Kind: genesis.Internal, Msg: "a record is not JSON", Err: err}
	}
	return nil
}

// readBlobs reads the next value and returns its text if it is one.
func readBlobs(dec *json.Decoder, needs map[genesis.Digest]bool) (string, error) {
	token, err := dec.Token()
	if err != nil {
		return "", err
	}
	switch token {
	case json.Delim('['):
		for dec.More() {
			if _, err := readBlobs(dec, needs); err != nil {
				return "", err
			}
		}
		_, err = dec.Token()
	case json.Delim('{'):
		err = readBlob(dec, needs)
	}
	text, _ := token.(string)
	return text, err
}

// readBlob reads the rest of an object.
func readBlob(dec *json.Decoder, needs map[genesis.Digest]bool) error {
	said := map[string]string{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return err
		}
		text, err := readBlobs(dec, needs)
		if err != nil {
			return err
		}
		if name, _ := key.(string); name == "digest" || name == "merkle" {
			said[name] = text
		}
	}
	if _, err := dec.Token(); err != nil {
		return err
	}
	if said["merkle"] == "" || said["digest"] == "" {
		return nil
	}
	d, err := genesis.ParseDigest(said["digest"])
	needs[d] = err == nil
	return err
}

// BlobsIn returns the digests of all blobs that the text of a record names, in any order.
func BlobsIn(text []byte) ([]genesis.Digest, error) {
	named := map[genesis.Digest]bool{}
	if err := addBlobs(named, text); err != nil {
		return nil, err
	}
	return slices.Collect(maps.Keys(named)), nil
}

// storedManifest returns the manifest as it is stored, with its pages unturned.
func (c *Catalog) storedManifest(ctx context.Context, v genesis.Version) (genesis.Manifest, error) {
	return storedManifest(ctx, c.blobs, v)
}

func storedManifest(ctx context.Context, blobs *blob.Store, v genesis.Version) (genesis.Manifest, error) {
	var m genesis.Manifest
	text, err := blobs.Bytes(ctx, v.Digest, MaxManifest)
	if err != nil {
		return m, err
	}
	if err := json.Unmarshal(text, &m); err != nil {
		return m, &genesis.Error{Op: "read manifest", Kind: genesis.Internal, Subject: v.Ref().String(), Msg: "it is not a manifest", Err: err}
	}
	if m.Format > genesis.ManifestFormat {
		return m, newer("read manifest", v, m.Format, genesis.ManifestFormat)
	}
	return m, nil
}

// Pages returns the blobs in which the columns of a manifest stand whose text is too long,
// from that text, of a version that need not be in a catalogue. Errors: Invalid (the text
// is none).
func Pages(v genesis.Version, text []byte) ([]genesis.Digest, error) {
	wrong := func(msg string) error {
		return &genesis.Error{Op: "read manifest", Kind: genesis.Invalid, Subject: v.Ref().String(), Msg: msg}
	}
	var m genesis.Manifest
	switch {
	case len(text) > MaxManifest:
		return nil, wrong("it is too long")
	case genesis.DigestOf(text) != v.Digest:
		return nil, wrong("it has another digest than the version")
	case json.Unmarshal(text, &m) != nil:
		return nil, wrong("it is not a manifest")
	case m.Format != genesis.ManifestFormat || m.Kind != v.Kind:
		return nil, wrong("it is of another kind or format than the version")
	}
	var all []genesis.Digest
	for _, t := range append(m.Tables, m.Rejects...) {
		all = append(all, t.Pages...)
	}
	return all, nil
}

// ReadManifest is [Catalog.Manifest] of a version that need not be in a catalogue, but
// whose manifest and its pages are stored. It is as it would be written anew: nothing that
// is not part of a manifest is in the version's digest. At most columns columns are read.
// Errors: as of Manifest; Unsupported (it has more columns), Invalid (it is not written as
// manifests are).
func ReadManifest(ctx context.Context, blobs *blob.Store, v genesis.Version, columns int) (genesis.Manifest, error) {
	m, err := storedManifest(ctx, blobs, v)
	if err != nil {
		return m, err
	}
	for _, tables := range [][]genesis.ManifestTable{m.Tables, m.Rejects} {
		if err := turnPages(ctx, blobs, tables, &columns); err != nil {
			return m, err
		}
	}
	text, _, err := EncodeManifest(m)
	if err != nil {
		return m, err
	}
	if genesis.DigestOf(text) != v.Digest {
		return m, &genesis.Error{Op: "read manifest", Kind: genesis.Invalid, Subject: v.Ref().String(), Msg: "it is not written as manifests are: written anew it has another digest"}
	}
	return m, nil
}

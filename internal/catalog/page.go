package catalog

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
)

// pageColumns is how many columns a page of a long manifest holds.
const pageColumns = 1024

// MaxPage is how long a page of columns may be.
const MaxPage = 4 << 20

// EncodeManifest returns the bytes by whose digest a version is known: the
// manifest's canonical JSON. Where that would be longer than [MaxManifest], the
// column lists of the longest tables stand in pages, which the manifest names by
// their digests. Errors: Invalid (JSON cannot express it), Unsupported (too long
// even so).
func EncodeManifest(m genesis.Manifest) (text []byte, pages [][]byte, err error) {
	text, err = genesis.CanonicalJSON(m)
	if err != nil || len(text) <= MaxManifest {
		return text, nil, err
	}
	m.Tables, m.Rejects = slices.Clone(m.Tables), slices.Clone(m.Rejects)
	for _, list := range [][]genesis.ManifestTable{m.Tables, m.Rejects} {
		for i := range list {
			if len(list[i].Columns) <= pageColumns {
				continue
			}
			added, err := pageTable(&list[i])
			if err != nil {
				return nil, nil, err
			}
			pages = append(pages, added...)
		}
	}
	text, err = genesis.CanonicalJSON(m)
	if err == nil && len(text) > MaxManifest {
		err = &genesis.Error{Op: "encode manifest", Kind: genesis.Unsupported,
			Msg: fmt.Sprintf("the manifest is %d bytes long, and at most %d are possible: it has too many tables", len(text), MaxManifest)}
	}
	return text, pages, err
}

// pageTable moves a table's columns to pages.
func pageTable(t *genesis.ManifestTable) (pages [][]byte, err error) {
	for part := range slices.Chunk(t.Columns, pageColumns) {
		page, err := genesis.CanonicalJSON(part)
		if err != nil {
			return nil, err
		}
		if len(page) > MaxPage {
			return nil, &genesis.Error{Op: "encode manifest", Kind: genesis.Unsupported, Subject: t.Name, Msg: "its columns have too long names or descriptions"}
		}
		pages = append(pages, page)
		t.Pages = append(t.Pages, genesis.DigestOf(page))
	}
	t.Columns = nil
	return pages, nil
}

// turnPages puts the columns of paged tables back.
func (c *Catalog) turnPages(ctx context.Context, tables []genesis.ManifestTable) error {
	room := math.MaxInt
	return turnPages(ctx, c.blobs, tables, &room)
}

// turnPages takes the columns of tables off room, and stops when there is none.
func turnPages(ctx context.Context, blobs *blob.Store, tables []genesis.ManifestTable, room *int) error {
	for i := range tables {
		t := &tables[i]
		*room -= len(t.Columns)
		for _, d := range t.Pages {
			part, err := turnPage(ctx, blobs, t.Name, d)
			if err != nil {
				return err
			}
			if *room -= len(part); *room < 0 {
				break
			}
			t.Columns = append(t.Columns, part...)
		}
		if *room < 0 {
			return &genesis.Error{Op: "read manifest", Kind: genesis.Unsupported, Subject: t.Name, Msg: "it has more columns than are accepted here", Hint: "raise limits.columns in config.yaml"}
		}
		t.Pages = nil
	}
	return nil
}

func turnPage(ctx context.Context, blobs *blob.Store, table string, d genesis.Digest) (part []genesis.ManifestColumn, err error) {
	text, err := blobs.Bytes(ctx, d, MaxPage)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &part); err != nil {
		return nil, &genesis.Error{Op: "read manifest", Kind: genesis.Internal, Subject: table, Msg: "a page of its columns is not one", Err: err}
	}
	return part, nil
}

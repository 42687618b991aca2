package layout

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
)

// PageEntries is how many files, or pages, a list holds at most: a page, and the
// list of one table in the record.
const PageEntries = 1024

// recordEntries is how many files and pages the record lists at most, of all tables
// together, where that can be had: about 1 MiB.
const recordEntries = 4 * PageEntries

// leastEntries is how short a list must be to stay in the record in any case.
const leastEntries = 4

// Write returns l with its long lists in pages, which it stores. Lists of more than
// [PageEntries] files are long; shorter ones are where the record would hold more
// than about 1 MiB of them all. l is not changed. What has pages already keeps
// them. The caller pins the store, as for all bytes of a version. Errors: those of
// [blob.Store.Put]; Invalid (counts that are none).
func Write(ctx context.Context, blobs *blob.Store, l genesis.Layout) (genesis.Layout, error) {
	w := writer{ctx: ctx, blobs: blobs, out: l}
	w.out.Tables, w.out.Pages = maps.Clone(l.Tables), maps.Clone(l.Pages)
	for limit := PageEntries; ; limit /= 4 {
		if err := w.shorten(limit); err != nil {
			return genesis.Layout{}, err
		}
		if limit <= leastEntries || Entries(w.out) <= recordEntries {
			break
		}
	}
	if len(w.out.Tables) == 0 {
		w.out.Tables = nil
	}
	if len(w.out.Pages) > 0 {
		w.out.Format = genesis.LayoutFormat
	}
	return w.out, nil
}

// Entries returns how many files and pages the record itself lists.
func Entries(l genesis.Layout) int {
	n := 0
	for _, files := range l.Tables {
		n += len(files)
	}
	for _, pages := range l.Pages {
		n += len(pages)
	}
	return n
}

// Long reports whether a table's list is longer than a record may have.
func Long(l genesis.Layout) bool {
	for _, files := range l.Tables {
		if len(files) > PageEntries {
			return true
		}
	}
	for _, pages := range l.Pages {
		if len(pages) > PageEntries {
			return true
		}
	}
	return false
}

type writer struct {
	ctx   context.Context
	blobs *blob.Store
	out   genesis.Layout
}

// shorten moves lists of more than limit entries to pages.
func (w *writer) shorten(limit int) error {
	for _, table := range slices.Sorted(maps.Keys(w.out.Tables)) {
		files := w.out.Tables[table]
		if len(files) <= limit {
			continue
		}
		pages, err := write(w, table, list{files: files})
		if err != nil {
			return err
		}
		delete(w.out.Tables, table)
		w.setPages(table, pages)
	}
	for _, table := range slices.Sorted(maps.Keys(w.out.Pages)) {
		for len(w.out.Pages[table]) > limit {
			pages, err := write(w, table, list{pages: w.out.Pages[table]})
			if err != nil {
				return err
			}
			w.setPages(table, pages)
		}
	}
	return nil
}

func (w *writer) setPages(table string, pages []genesis.LayoutPage) {
	if w.out.Pages == nil {
		w.out.Pages = map[string][]genesis.LayoutPage{}
	}
	w.out.Pages[table] = pages
}

// write stores a list in pages.
func write(w *writer, table string, all list) ([]genesis.LayoutPage, error) {
	var pages []genesis.LayoutPage
	for part := range all.chunks() {
		p, err := part.sum()
		if err != nil {
			return nil, &genesis.Error{Op: "write layout", Kind: genesis.Invalid, Subject: table, Msg: err.Error()}
		}
		text, err := part.encode()
		if err != nil {
			return nil, err
		}
		if len(text) > MaxPage {
			return nil, &genesis.Error{Op: "write layout", Kind: genesis.Invalid, Subject: table, Msg: fmt.Sprintf("a page of its files would be %d bytes long", len(text))}
		}
		if p.Blob, err = w.blobs.Put(w.ctx, text); err != nil {
			return nil, err
		}
		pages = append(pages, p)
	}
	return pages, nil
}

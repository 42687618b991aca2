package layout

import (
	"context"
	"maps"
	"slices"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
)

// Broken is told of a page that cannot be read, and decides whether that ends
// [Each]: then it returns an error.
type Broken func(table string, page genesis.LayoutPage, err error) error

// Each calls yield for every blob that a layout names, at any level: table by table
// each page before what it lists, files in row order, and then parts of models. A
// blob that is named more than once is yielded each time. An error of yield ends it
// and is returned; so is that of a page that cannot be read, unless broken is given,
// which is asked then. Errors: those of [blob.Store.Bytes]; Internal (a page is not
// what it should be).
func Each(ctx context.Context, blobs *blob.Store, l genesis.Layout, yield func(genesis.Blob) error, broken Broken) error {
	w := walk{ctx: ctx, blobs: blobs, yield: yield, broken: broken}
	return w.all(l)
}

// Bring is Each of a layout whose blobs are not here yet: page is called with every page
// before it is read, and has to store it; file with everything else.
func Bring(ctx context.Context, blobs *blob.Store, l genesis.Layout, page func(genesis.LayoutPage) error, file func(genesis.Blob) error) error {
	w := walk{ctx: ctx, blobs: blobs, yield: file, page: page}
	return w.all(l)
}

type walk struct {
	ctx    context.Context
	blobs  *blob.Store
	yield  func(genesis.Blob) error
	page   func(genesis.LayoutPage) error // nil: yield
	broken Broken
}

func (w *walk) all(l genesis.Layout) error {
	for _, table := range slices.Sorted(maps.Keys(l.Tables)) {
		if err := w.list(table, list{files: l.Tables[table]}); err != nil {
			return err
		}
	}
	for _, table := range slices.Sorted(maps.Keys(l.Pages)) {
		if err := w.list(table, list{pages: l.Pages[table]}); err != nil {
			return err
		}
	}
	for _, part := range slices.Sorted(maps.Keys(l.Parts)) {
		if err := w.yield(l.Parts[part]); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) list(table string, l list) error {
	for _, f := range l.files {
		if err := w.yield(f.Blob); err != nil {
			return err
		}
	}
	for _, p := range l.pages {
		if err := w.turn(table, p); err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) turn(table string, p genesis.LayoutPage) error {
	announce := w.page
	if announce == nil {
		announce = func(p genesis.LayoutPage) error { return w.yield(p.Blob) }
	}
	if err := announce(p); err != nil {
		return err
	}
	l, err := read(w.ctx, w.blobs, p)
	if err != nil && w.broken != nil && genesis.KindOf(err) != genesis.Canceled {
		return w.broken(table, p, err)
	}
	if err != nil {
		return err
	}
	return w.list(table, *l)
}

// read reads a page.
func read(ctx context.Context, blobs *blob.Store, p genesis.LayoutPage) (*list, error) {
	if p.Level < 0 || p.Level > maxLevel {
		return nil, bad(p, "is said to be of no level that there is")
	}
	text, err := blobs.Bytes(ctx, p.Digest, MaxPage)
	if err != nil {
		return nil, err
	}
	l, err := decode(text, p)
	if err != nil {
		return nil, bad(p, err.Error())
	}
	return l, nil
}

func bad(p genesis.LayoutPage, msg string) error {
	return &genesis.Error{Op: "read layout", Kind: genesis.Internal, Subject: string(p.Digest),
		Msg: "a page of a table's files " + msg, Hint: "restore the catalogue and the blobs from one backup"}
}

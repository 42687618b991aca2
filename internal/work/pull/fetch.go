package pull

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/blob/layout"
	"github.com/opengenesis/genesis/internal/catalog"
)

// Fetcher brings the blobs of a version here.
type Fetcher struct {
	// Get asks the owner, as whoever pulls: a path below its URL, whole or a range.
	Get   func(ctx context.Context, path string, header http.Header) (*http.Response, error)
	Blobs *blob.Store
	Scope string // of what came so far: who pulls, and from whom

	// Mine reports whether a blob is here and may be taken for the version's.
	Mine func(context.Context, genesis.Blob) (bool, error)
	// Whole notes that all of a blob came. It is durable when it returns.
	Whole func(context.Context, genesis.Digest) error

	Columns  int   // the most that the tables of a version may have, in all
	Spare    int64 // bytes that stay free on the disk
	Progress genesis.Progress
	Patience time.Duration // how long an owner that does not answer is asked again; 0: 2 minutes
	Stall    time.Duration // within which a block has to come; 0: 1 minute
}

// transfers is how many blobs come at once: more than one, so that the time in which a
// request is on its way is used.
const transfers = 4

// Fetched is a version all of whose blobs are here.
type Fetched struct {
	Bundle   *genesis.Bundle
	Manifest genesis.Manifest
	Blobs    map[genesis.Digest]bool
	Moved    int64 // bytes that came
}

// Fetch brings the blobs that are missing. Errors: what the owner refuses; Invalid (what it
// sends does not hold), Unavailable (it does not answer; no room), Unsupported (too many
// columns or blobs), Canceled, Internal.
func (f *Fetcher) Fetch(ctx context.Context, b *genesis.Bundle) (*Fetched, error) {
	t := &fetching{Fetcher: f, bundle: b, ref: genesis.Ref{Node: b.Node, Name: b.Version.Name, Digest: b.Version.Digest}, seen: map[genesis.Digest]bool{}}
	t.path = "/versions/" + segment(genesis.Ref{Name: b.Version.Name, Digest: b.Version.Digest}) + "/blobs/"
	if err := t.room(ctx, b.Bytes); err != nil {
		return nil, err
	}
	m, err := t.manifest(ctx)
	if err == nil {
		err = t.rest(ctx)
	}
	if err == nil {
		err = t.fits(ctx, m)
	}
	if err != nil {
		if dropped := t.drop(ctx, err); dropped != nil {
			err = errors.Join(err, dropped)
		}
		return nil, err
	}
	return &Fetched{Bundle: b, Manifest: m, Blobs: t.seen, Moved: t.moved.Load()}, nil
}

// drop removes what came of a version that is not to be had.
func (t *fetching) drop(ctx context.Context, why error) error {
	switch genesis.KindOf(why) {
	case genesis.Permission, genesis.Private, genesis.NotFound, genesis.Gone, genesis.Invalid:
		return t.Blobs.DropParts(context.WithoutCancel(ctx), t.Scope, slices.Collect(maps.Keys(t.seen)))
	}
	return nil
}

// fetching is one version on its way.
type fetching struct {
	*Fetcher
	bundle *genesis.Bundle
	ref    genesis.Ref
	path   string

	seen  map[genesis.Digest]bool // blobs that were asked for; of one goroutine
	sized int64                   // bytes of those
	moved atomic.Int64            // bytes that came
	mu    sync.Mutex
	done  int64 // bytes that are here
	told  time.Time
}

func (t *fetching) wrong(msg string) error { return wrong(t.ref, msg) }

// room refuses what does not fit on the disk before it is begun.
func (t *fetching) room(ctx context.Context, need int64) error {
	left, err := t.Blobs.Room(ctx)
	if err != nil || left < 0 {
		return err
	}
	manifest := t.bundle.Blobs[slices.IndexFunc(t.bundle.Blobs, func(b genesis.Blob) bool { return b.Digest == t.bundle.Version.Digest })]
	if begun, err := t.Mine(ctx, manifest); begun || err != nil { // each blob is looked at by itself
		return err
	}
	return t.enough(left, need)
}

func (t *fetching) enough(left, need int64) error {
	if need <= left-t.Spare {
		return nil
	}
	return &genesis.Error{Op: "pull", Kind: genesis.Unavailable, Subject: t.ref.String(),
		Msg: fmt.Sprintf("it takes %d bytes, and of the %d that the disk has left %d stay free", need, left, t.Spare), Hint: "free some room; `genesis gc` removes what nothing refers to"}
}

// manifest brings the manifest and its pages, and reads it.
func (t *fetching) manifest(ctx context.Context) (m genesis.Manifest, err error) {
	v := t.bundle.Version
	own := map[genesis.Digest]genesis.Blob{}
	for _, b := range t.bundle.Blobs {
		own[b.Digest] = b
	}
	if own[v.Digest].Size > catalog.MaxManifest {
		return m, t.wrong("its manifest is too long")
	}
	if err := t.one(ctx, own[v.Digest]); err != nil {
		return m, err
	}
	text, err := t.Blobs.Bytes(ctx, v.Digest, catalog.MaxManifest)
	if err != nil {
		return m, err
	}
	pages, err := catalog.Pages(v, text)
	if err != nil {
		return m, err
	}
	for _, d := range pages {
		b, ok := own[d]
		if !ok || b.Size > catalog.MaxPage {
			return m, t.wrong("its bundle does not list a page of its columns, or one that is too long")
		}
		if err := t.one(ctx, b); err != nil {
			return m, err
		}
	}
	return catalog.ReadManifest(ctx, t.Blobs, v, t.Columns)
}

// one brings a blob, and waits for it, also where it is on its way already.
func (t *fetching) one(ctx context.Context, b genesis.Blob) error {
	if _, err := t.count(b); err != nil {
		return err
	}
	return t.bring(ctx, b)
}

// count takes up a blob that is to come, once.
func (t *fetching) count(b genesis.Blob) (fresh bool, err error) {
	if msg := otherBlob(b); msg != "" {
		return false, t.wrong(msg)
	}
	if t.seen[b.Digest] {
		return false, nil
	}
	t.seen[b.Digest] = true
	if t.sized += b.Size; t.sized < 0 || t.sized > t.bundle.Bytes {
		return false, t.wrong(fmt.Sprintf("it has more than the %d bytes that it was said to have", t.bundle.Bytes))
	}
	if len(t.seen) > maxBlobs {
		return false, &genesis.Error{Op: "pull", Kind: genesis.Unsupported, Subject: t.ref.String(), Msg: fmt.Sprintf("it consists of more than %d files", maxBlobs)}
	}
	return true, nil
}

// rest brings everything else, several blobs at once. Pages of the layout come one by one:
// they say what there is.
func (t *fetching) rest(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	queue := make(chan genesis.Blob)
	var crew sync.WaitGroup
	for range transfers {
		crew.Go(func() {
			for b := range queue {
				if err := t.bring(ctx, b); err != nil {
					stop(err) // the first tells
				}
			}
		})
	}
	give := func(b genesis.Blob) error {
		fresh, err := t.count(b)
		if !fresh || err != nil {
			return err
		}
		select {
		case queue <- b:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	err := t.walk(ctx, give)
	close(queue)
	crew.Wait()
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return t.because(ctx, err)
}

func (t *fetching) walk(ctx context.Context, give func(genesis.Blob) error) error {
	for _, b := range t.bundle.Blobs {
		if err := give(b); err != nil {
			return err
		}
	}
	err := layout.Bring(ctx, t.Blobs, t.bundle.Layout, func(p genesis.LayoutPage) error {
		if p.Size > layout.MaxPage {
			return t.wrong("a page of its layout is too long")
		}
		return t.one(ctx, p.Blob)
	}, give)
	if e := new(genesis.Error); errors.As(err, &e) && e.Op == "read layout" { // here it is no damage
		err = t.wrong("its layout cannot be read: " + e.Msg)
	}
	return err
}

// because makes the end of a context an error of ours.
func (t *fetching) because(ctx context.Context, err error) error {
	var known *genesis.Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	if ctx.Err() != nil {
		return &genesis.Error{Op: "pull", Kind: genesis.Canceled, Subject: t.ref.String(), Msg: "stopped; what came stays for a while", Err: err}
	}
	return err
}

// fits checks that the layout is one of the manifest: that nothing of it is missing, nor
// more than it.
func (t *fetching) fits(ctx context.Context, m genesis.Manifest) error {
	l := t.bundle.Layout
	if !maps.EqualFunc(m.Parts, l.Parts, func(d genesis.Digest, b genesis.Blob) bool { return b.Digest == d }) {
		return t.wrong("its parts are not those that its manifest names")
	}
	names := map[string]int64{}
	for _, table := range m.Tables {
		names[table.Name] = table.Rows
	}
	for _, table := range m.Rejects {
		names["rejects/"+table.Name] = table.Rows
	}
	for name, rows := range names {
		x, err := layout.Open(ctx, t.Blobs, l, name)
		if err != nil {
			return t.wrong("its table " + name + " cannot be found: " + err.Error())
		}
		if x.Rows() != rows {
			return t.wrong(fmt.Sprintf("its table %s has %d rows in its files and %d in its manifest", name, x.Rows(), rows))
		}
	}
	for name := range l.Tables {
		if _, ok := names[name]; !ok {
			return t.wrong("its layout has a table that its manifest does not name")
		}
	}
	for name := range l.Pages {
		if _, ok := names[name]; !ok {
			return t.wrong("its layout has a table that its manifest does not name")
		}
	}
	return nil
}

// tell adds to what is here.
func (t *fetching) tell(n int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.done += n
	if now := time.Now(); now.Sub(t.told) >= tellEvery || t.done == t.bundle.Bytes {
		t.told = now
		t.Progress.Send(genesis.Event{Stage: "copying", Done: t.done, Total: t.bundle.Bytes, Unit: "bytes"})
	}
}

const tellEvery = 50 * time.Millisecond

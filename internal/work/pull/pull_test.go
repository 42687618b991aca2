package pull

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/blob/file"
	"github.com/opengenesis/genesis/internal/catalog"
)

const mib = 1 << 20

func newStore(t testing.TB) *blob.Store {
	t.Helper()
	return storeIn(t, t.TempDir())
}

func storeIn(t testing.TB, dir string) *blob.Store {
	t.Helper()
	d, err := file.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := blob.Open(d)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// owner is another node with one version, which may lie.
type owner struct {
	t      testing.TB
	store  *blob.Store
	bundle genesis.Bundle
	url    string
	sent   atomic.Int64                                      // bytes of blobs
	before func(w http.ResponseWriter, r *http.Request) bool // answers in place of the owner
	as     map[genesis.Digest]genesis.Blob                   // what is sent for a digest that nothing has
}

func (o *owner) put(b []byte) genesis.Blob {
	o.t.Helper()
	out, err := o.store.Put(o.t.Context(), b)
	if err != nil {
		o.t.Fatal(err)
	}
	return out
}

func content(n int, seed uint64) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// newOwner has a table of three files; a table of many columns has them in pages.
func newOwner(t testing.TB, columns int) *owner {
	t.Helper()
	o := &owner{t: t, store: newStore(t), as: map[genesis.Digest]genesis.Blob{}}
	table := genesis.ManifestTable{Name: "t", Rows: 30}
	for i := range columns {
		table.Columns = append(table.Columns, genesis.ManifestColumn{Column: genesis.Column{Name: fmt.Sprintf("c%d", i), Description: strings.Repeat("d", 900), Type: genesis.Float}, Digest: genesis.DigestOf(nil)})
	}
	m := genesis.Manifest{Format: genesis.ManifestFormat, Kind: genesis.Dataset, Tables: []genesis.ManifestTable{table}}
	text, pages, err := catalog.EncodeManifest(m)
	if err != nil {
		t.Fatal(err)
	}
	b := &o.bundle
	b.Format, b.Node, b.ID, b.Blobs = genesis.BundleFormat, "nrel", "4h2kq7v6w3x5y7z2abcdefghij", []genesis.Blob{o.put(text)}
	for _, p := range pages {
		b.Blobs = append(b.Blobs, o.put(p))
	}
	split := o.put(content(100, 9))
	b.Blobs, b.Splits = append(b.Blobs, split), []genesis.Split{{Name: "random", Table: "t", Assignment: split}}
	b.Layout = genesis.Layout{Format: 1, Tables: map[string][]genesis.LayoutFile{"t": {
		{Blob: o.put(content(3*mib+mib/2, 1)), Rows: 10}, {Blob: o.put(content(5*mib, 2)), Rows: 10}, {Blob: o.put(content(1000, 3)), Rows: 10}}}}
	for _, one := range b.Blobs {
		b.Bytes += one.Size
	}
	for _, f := range b.Layout.Tables["t"] {
		b.Bytes += f.Size
	}
	b.Version = genesis.Version{Name: "turbines", Kind: genesis.Dataset, Digest: genesis.DigestOf(text), Number: 3, State: genesis.Published, Rows: 30}
	b.Owes = []genesis.Owed{{Name: "turbines", Version: b.Version.Digest, Kind: genesis.Dataset, Terms: genesis.Terms{Format: 1, Tier: genesis.TierRegistered, By: "nrel/ann"}}}
	srv := httptest.NewServer(o)
	t.Cleanup(srv.Close)
	o.url = srv.URL
	return o
}

func (o *owner) ref() genesis.Ref { return genesis.Ref{Node: "nrel", Name: "turbines"} }

// told is the bundle as it comes.
func (o *owner) told() (*genesis.Bundle, error) {
	text, err := json.Marshal(o.bundle)
	if err != nil {
		o.t.Fatal(err)
	}
	return ReadBundle(bytes.NewReader(text), o.ref())
}

func (o *owner) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if o.before != nil && o.before(w, r) {
		return
	}
	at, leaves := strings.CutSuffix(r.URL.Path, "/leaves")
	d := genesis.Digest(path.Base(at))
	b, ok := o.as[d]
	if !ok {
		var err error
		if b, err = o.store.Stat(context.WithoutCancel(r.Context()), d); err != nil {
			http.NotFound(w, r)
			return
		}
	}
	if leaves {
		raw, err := o.store.Leaves(context.WithoutCancel(r.Context()), b)
		if err != nil {
			o.t.Error(err)
		}
		_, _ = w.Write(raw)
		return
	}
	f, err := o.store.Open(context.WithoutCancel(r.Context()), b)
	if err != nil {
		o.t.Error(err)
		return
	}
	defer f.Close()
	http.ServeContent(counting{w, &o.sent}, r, "", time.Time{}, io.NewSectionReader(f, 0, b.Size))
}

type counting struct {
	http.ResponseWriter
	n *atomic.Int64
}

func (c counting) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b)
	c.n.Add(int64(n))
	return n, err
}

// taker is who pulls.
type taker struct {
	*Fetcher
	mu    sync.Mutex
	whole map[genesis.Digest]bool
}

func newTaker(t testing.TB, o *owner, store *blob.Store) *taker {
	k := &taker{whole: map[genesis.Digest]bool{}}
	k.Fetcher = &Fetcher{Blobs: store, Scope: "ada from nrel", Columns: 5000, Patience: 600 * time.Millisecond, Stall: 10 * time.Second,
		Get: func(ctx context.Context, path string, h http.Header) (*http.Response, error) {
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, o.url+path, nil)
			if err != nil {
				return nil, err
			}
			req.Header = h.Clone()
			resp, err := http.DefaultClient.Do(req)
			if err == nil && resp.StatusCode < 300 {
				return resp, nil
			}
			if err == nil {
				resp.Body.Close()
				if resp.StatusCode == http.StatusForbidden {
					return nil, &genesis.Error{Kind: genesis.Permission, Msg: "revoked"}
				}
			}
			return nil, &genesis.Error{Kind: genesis.Unavailable, Msg: "does not answer"}
		},
		Mine: func(ctx context.Context, b genesis.Blob) (bool, error) {
			k.mu.Lock()
			mine := k.whole[b.Digest]
			k.mu.Unlock()
			if !mine {
				return false, nil
			}
			return store.Held(ctx, b)
		},
		Whole: func(_ context.Context, d genesis.Digest) error {
			k.mu.Lock()
			defer k.mu.Unlock()
			k.whole[d] = true
			return nil
		}}
	return k
}

// sound holds that every blob that is here is what its name says.
func sound(t testing.TB, store *blob.Store) {
	t.Helper()
	err := store.List(t.Context(), func(d genesis.Digest, _ int64) error {
		b, err := store.Stat(t.Context(), d)
		if err != nil {
			return err
		}
		damage, err := store.Verify(t.Context(), b)
		if len(damage) > 0 {
			t.Errorf("%v", damage)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFetch(t *testing.T) {
	for _, columns := range []int{3, 1500} { // the latter in pages
		o := newOwner(t, columns)
		b, err := o.told()
		if err != nil {
			t.Fatal(err)
		}
		store := newStore(t)
		k := newTaker(t, o, store)
		var last genesis.Event
		k.Progress = func(e genesis.Event) { last = e }
		got, err := k.Fetch(t.Context(), b)
		if err != nil {
			t.Fatal(err)
		}
		if len(got.Manifest.Tables[0].Columns) != columns || last.Done != b.Bytes || got.Moved < b.Bytes || o.sent.Load() != b.Bytes {
			t.Errorf("%d columns, %d of %d bytes told, %d moved, %d sent", len(got.Manifest.Tables[0].Columns), last.Done, b.Bytes, got.Moved, o.sent.Load())
		}
		sound(t, store)
		if got, err = k.Fetch(t.Context(), b); err != nil || got.Moved != 0 {
			t.Errorf("again: %d moved, %v", got.Moved, err)
		}
		other := newTaker(t, o, store) // somebody else, to whom the bytes are nobody's
		if got, err = other.Fetch(t.Context(), b); err != nil || got.Moved < b.Bytes {
			t.Errorf("what is here for somebody else is taken: %d of %d moved, %v", got.Moved, b.Bytes, err)
		}
	}
}

// TestResume breaks every connection after some bytes, and stops who pulls in the middle:
// what moves in all is the version and a block for each connection that broke.
func TestResume(t *testing.T) {
	o := newOwner(t, 3)
	b, err := o.told()
	if err != nil {
		t.Fatal(err)
	}
	store := newStore(t)
	var broke atomic.Int64
	o.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Range") == "" {
			return false
		}
		broke.Add(1)
		o.cut(w, r, 1700<<10)
		return true
	}
	k := newTaker(t, o, store)
	k.Patience = time.Minute
	ctx, stop := context.WithCancel(t.Context())
	k.Progress = func(e genesis.Event) {
		if e.Done > 4*mib {
			stop()
		}
	}
	if _, err := k.Fetch(ctx, b); genesis.KindOf(err) != genesis.Canceled {
		t.Fatalf("stopped: %v", err)
	}
	again := newTaker(t, o, store)
	again.whole, again.Patience = k.whole, time.Minute
	if _, err := again.Fetch(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if most := b.Bytes + broke.Load()*mib; o.sent.Load() > most {
		t.Errorf("%d bytes were sent of %d, over %d connections", o.sent.Load(), b.Bytes, broke.Load())
	}
	sound(t, store)
}

// cut sends a blob, and breaks the connection after some bytes.
func (o *owner) cut(w http.ResponseWriter, r *http.Request, most int64) {
	b, err := o.store.Stat(context.WithoutCancel(r.Context()), genesis.Digest(path.Base(r.URL.Path)))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	f, err := o.store.Open(context.WithoutCancel(r.Context()), b)
	if err != nil {
		o.t.Error(err)
		return
	}
	defer f.Close()
	out := &cutting{ResponseWriter: w, left: most}
	http.ServeContent(counting{out, &o.sent}, r, "", time.Time{}, io.NewSectionReader(f, 0, b.Size))
	if out.left <= 0 {
		panic(http.ErrAbortHandler)
	}
}

// cutting writes so many bytes, and no more.
type cutting struct {
	http.ResponseWriter
	left int64
}

func (c *cutting) Write(b []byte) (int, error) {
	if c.left <= 0 {
		return 0, io.ErrClosedPipe
	}
	n, err := c.ResponseWriter.Write(b[:min(int64(len(b)), c.left)])
	c.left -= int64(n)
	if err == nil && n < len(b) {
		err = io.ErrClosedPipe
	}
	return n, err
}

// TestLies: whatever the owner sends in place of the version is refused, with what did not
// hold, and nothing becomes a blob that is not what it is called.
func TestLies(t *testing.T) {
	isBlob := func(o *owner, r *http.Request, n int) bool {
		return strings.HasSuffix(r.URL.Path, string(o.bundle.Layout.Tables["t"][n].Digest))
	}
	answer := func(status int, header, body string) func(*owner) {
		return func(o *owner) {
			o.before = func(w http.ResponseWriter, r *http.Request) bool {
				if !isBlob(o, r, 0) {
					return false
				}
				if header != "" {
					w.Header().Set("Content-Range", header)
				}
				w.WriteHeader(status)
				_, _ = io.WriteString(w, body)
				return true
			}
		}
	}
	for what, c := range map[string]struct {
		lie  func(*owner)
		kind genesis.ErrorKind
		says string
	}{
		"other bytes": {answer(206, fmt.Sprintf("bytes 0-%d/%d", 3*mib+mib/2-1, 3*mib+mib/2), strings.Repeat("x", 3*mib+mib/2)), genesis.Invalid, "the block at offset 0 does not hold"},
		"endless other bytes": {func(o *owner) {
			o.before = func(w http.ResponseWriter, r *http.Request) bool {
				if !isBlob(o, r, 0) {
					return false
				}
				w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", 3*mib+mib/2-1, 3*mib+mib/2))
				w.WriteHeader(206)
				for {
					if _, err := w.Write(make([]byte, mib)); err != nil {
						return true
					}
				}
			}
		}, genesis.Invalid, "does not hold"},
		"another range":  {answer(206, "bytes 5-9/10", "12345"), genesis.Invalid, "its node sends"},
		"nothing":        {answer(206, fmt.Sprintf("bytes 0-%d/%d", 3*mib+mib/2-1, 3*mib+mib/2), ""), genesis.Unavailable, "0 bytes of a block"},
		"a refusal":      {answer(403, "", ""), genesis.Permission, "revoked"},
		"nothing at all": {answer(503, "", ""), genesis.Unavailable, "does not answer"},
		"a byte a second": {func(o *owner) {
			o.before = func(w http.ResponseWriter, r *http.Request) bool {
				if !isBlob(o, r, 0) {
					return false
				}
				w.Header().Set("Content-Range", fmt.Sprintf("bytes 0-%d/%d", 3*mib+mib/2-1, 3*mib+mib/2))
				w.WriteHeader(206)
				for r.Context().Err() == nil {
					_, _ = w.Write([]byte{1})
					_ = http.NewResponseController(w).Flush()
					time.Sleep(50 * time.Millisecond)
				}
				return true
			}
		}, genesis.Unavailable, ""},
		"other leaf hashes": {func(o *owner) {
			o.before = func(w http.ResponseWriter, r *http.Request) bool {
				if strings.HasSuffix(r.URL.Path, "/leaves") {
					_, _ = w.Write(make([]byte, 32*4))
					return true
				}
				return false
			}
		}, genesis.Invalid, "leaf hashes"},
		"endless leaf hashes": {func(o *owner) {
			o.before = func(w http.ResponseWriter, r *http.Request) bool {
				for strings.HasSuffix(r.URL.Path, "/leaves") {
					if _, err := w.Write(make([]byte, mib)); err != nil {
						return true
					}
				}
				return false
			}
		}, genesis.Invalid, "leaf hashes"},
		"a digest of nothing": {func(o *owner) {
			f := &o.bundle.Layout.Tables["t"][0]
			real := f.Blob
			f.Digest = genesis.DigestOf([]byte("nothing has it"))
			o.as[f.Digest] = real
		}, genesis.Invalid, "another digest"},
		"another manifest": {func(o *owner) {
			real := o.put([]byte(`{"format":1,"kind":"dataset"}`))
			o.bundle.Blobs[0].Size, o.bundle.Blobs[0].Merkle = real.Size, real.Merkle
			o.as[o.bundle.Version.Digest] = real
		}, genesis.Invalid, "another digest"},
		"a manifest of something else": {func(o *owner) {
			real := o.put([]byte(`{"format":1,"kind":"dataset","x":1}`))
			o.bundle.Blobs[0] = real
			o.bundle.Version.Digest, o.bundle.Owes[0].Version = real.Digest, real.Digest
		}, genesis.Invalid, "not written as manifests are"},
		"a manifest that is none": {func(o *owner) {
			real := o.put([]byte(`[]`))
			o.bundle.Blobs[0] = real
			o.bundle.Version.Digest, o.bundle.Owes[0].Version = real.Digest, real.Digest
		}, genesis.Invalid, "not a manifest"},
		"more bytes than it says": {func(o *owner) { o.bundle.Bytes -= 1001 }, genesis.Invalid, "more than the"},
		"another number of rows":  {func(o *owner) { o.bundle.Layout.Tables["t"][0].Rows = 11 }, genesis.Invalid, "31 rows in its files and 30"},
		"no table":                {func(o *owner) { o.bundle.Layout.Tables = nil }, genesis.Invalid, "0 rows in its files"},
		"one table more":          {func(o *owner) { o.bundle.Layout.Tables["u"] = o.bundle.Layout.Tables["t"] }, genesis.Invalid, "does not name"},
		"a page that is none": {func(o *owner) {
			p := genesis.LayoutPage{Blob: o.bundle.Blobs[1], Rows: 30, Files: 1, Bytes: 1}
			o.bundle.Layout.Format, o.bundle.Layout.Pages, o.bundle.Layout.Tables = 2, map[string][]genesis.LayoutPage{"t": {p}}, nil
		}, genesis.Invalid, "is not a list"},
		"more columns than are taken": {func(o *owner) {}, genesis.Unsupported, "more columns"},
	} {
		t.Run(what, func(t *testing.T) {
			o := newOwner(t, 3)
			c.lie(o)
			b, err := o.told()
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			store := storeIn(t, dir)
			k := newTaker(t, o, store)
			if what == "more columns than are taken" {
				k.Columns = 2
			}
			if what == "a byte a second" {
				k.Stall = 300 * time.Millisecond
			}
			got, err := k.Fetch(t.Context(), b)
			if got != nil || genesis.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v (%s)", err, genesis.KindOf(err))
			}
			sound(t, store)
			if left, err := filepath.Glob(filepath.Join(dir, "parts", "*")); err != nil || len(left) > 0 && c.kind != genesis.Unavailable {
				t.Errorf("of what is not to be had there is left %v, %v", left, err)
			}
		})
	}
}

// TestNoRoom: what does not fit is refused before anything of it comes.
func TestNoRoom(t *testing.T) {
	o := newOwner(t, 3)
	b, err := o.told()
	if err != nil {
		t.Fatal(err)
	}
	k := newTaker(t, o, newStore(t))
	k.Spare = 1 << 60
	if _, err := k.Fetch(t.Context(), b); genesis.KindOf(err) != genesis.Unavailable || o.sent.Load() > 0 {
		t.Errorf("%v, after %d bytes", err, o.sent.Load())
	}
}

// lies are bundles that cannot be, each made of one that can.
var lies = map[string]func(*genesis.Bundle){
	"another format":      func(b *genesis.Bundle) { b.Format = 2 },
	"no id":               func(b *genesis.Bundle) { b.ID = "" },
	"an id that is none":  func(b *genesis.Bundle) { b.ID += "\x1b[2J" },
	"another node":        func(b *genesis.Bundle) { b.Node = "mit" },
	"another name":        func(b *genesis.Bundle) { b.Version.Name = "x" },
	"no digest":           func(b *genesis.Bundle) { b.Version.Digest = "" },
	"no kind":             func(b *genesis.Bundle) { b.Version.Kind = "thing" },
	"a model with tables": func(b *genesis.Bundle) { b.Version.Kind = genesis.Model },
	"rows below zero":     func(b *genesis.Bundle) { b.Version.Rows = -1 },
	"no manifest":         func(b *genesis.Bundle) { b.Blobs = b.Blobs[1:] },
	"too many blobs":      func(b *genesis.Bundle) { b.Blobs = slices.Repeat(b.Blobs, genesis.MaxBundleBlobs) },
	"a blob below zero":   func(b *genesis.Bundle) { b.Blobs[1].Size = -1 },
	"a blob of no root":   func(b *genesis.Bundle) { b.Blobs[1].Merkle = "" },
	"larger than all":     func(b *genesis.Bundle) { b.Blobs[0].Size, b.Blobs[1].Size = 1<<62, 1<<62 },
	"smaller than it is":  func(b *genesis.Bundle) { b.Bytes = 1 },
	"a newer layout":      func(b *genesis.Bundle) { b.Layout.Format = 99 },
	"a long layout":       func(b *genesis.Bundle) { b.Layout.Tables["t"] = slices.Repeat(b.Layout.Tables["t"], 1000) },
	"a long name":         func(b *genesis.Bundle) { b.Layout.Tables[strings.Repeat("x", 2000)] = nil },
	"a part outside":      func(b *genesis.Bundle) { b.Layout.Parts = map[string]genesis.Blob{"../x": b.Blobs[0]} },
	"it owes nothing":     func(b *genesis.Bundle) { b.Owes = nil },
	"it owes for another": func(b *genesis.Bundle) { b.Owes[0].Version = genesis.DigestOf([]byte("x")) },
	"its agreement is something else's": func(b *genesis.Bundle) {
		b.Owes[0].Terms.Agreement = &genesis.Agreement{Kind: "DUA", Title: "x", Digest: genesis.DigestOf([]byte("a secret of the copying node"))}
	},
	"it is restricted": func(b *genesis.Bundle) { b.Owes[0].Terms.Tier = genesis.TierRestricted },
}

func TestBundles(t *testing.T) {
	for what, lie := range lies {
		o := newOwner(t, 3)
		lie(&o.bundle)
		if b, err := o.told(); genesis.KindOf(err) != genesis.Invalid && genesis.KindOf(err) != genesis.Unsupported {
			t.Errorf("%s: %v, %v", what, b != nil, err)
		}
	}
	o := newOwner(t, 3)
	text, _ := json.Marshal(o.bundle)
	for _, ref := range []string{"mit/turbines", "nrel/turbines@4", "nrel/turbines@" + string(genesis.DigestOf(nil)), "nrel/other"} {
		r, _ := genesis.ParseRef(ref)
		if _, err := ReadBundle(bytes.NewReader(text), r); genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("asked for %s: %v", ref, err)
		}
	}
	endless := io.MultiReader(strings.NewReader(`{"recipe":"`), zeros{})
	if _, err := ReadBundle(endless, o.ref()); genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("an endless one: %v", err)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

// FuzzBundle: whatever comes, what is taken is of the version that was asked for and fits
// its bounds.
func FuzzBundle(f *testing.F) {
	o := newOwner(f, 3)
	good, err := json.Marshal(o.bundle)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	for what, lie := range lies {
		if strings.HasPrefix(what, "too many") || strings.HasPrefix(what, "a long") {
			continue // long seeds slow the fuzzer down
		}
		var b genesis.Bundle
		if err := json.Unmarshal(good, &b); err != nil {
			f.Fatal(err)
		}
		lie(&b)
		text, err := json.Marshal(b)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	ref := o.ref()
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := ReadBundle(bytes.NewReader(text), ref)
		if err != nil {
			if genesis.KindOf(err) == genesis.Internal {
				t.Errorf("a lie is a defect: %v", err)
			}
			return
		}
		if b.Node != ref.Node || b.Version.Name != ref.Name || len(b.Blobs) > genesis.MaxBundleBlobs || b.Bytes < 0 || len(b.Owes) == 0 {
			t.Errorf("taken: %+v", b)
		}
		if _, err := url.Parse("/versions/" + segment(genesis.Ref{Name: b.Version.Name, Digest: b.Version.Digest}) + "/blobs/"); err != nil {
			t.Error(err)
		}
	})
}

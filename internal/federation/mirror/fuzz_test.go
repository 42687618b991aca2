package mirror

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"io"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal"
	"golang.org/x/mod/sumdb/tlog"
)

// real are answers of a real node.
func real(f *testing.F) (o *other, get func(path string) []byte) {
	o = startOther(f, f.TempDir())
	o.sayAll(names("a", 3), "one", "public")
	o.say("a-00000", "", "members")
	o.newEpoch()
	return o, func(path string) []byte {
		b, err := o.answer(path)
		if err != nil {
			f.Fatal(err)
		}
		return b
	}
}

func FuzzCheckpoint(f *testing.F) {
	o, get := real(f)
	key := ed25519.PublicKey(o.member().Keys[0].Public)
	for _, path := range []string{"/logs/public/1/checkpoint", "/logs/public/2/checkpoint"} {
		f.Add(get(path))
	}
	signed := [][]byte{get("/logs/public/1/checkpoint"), get("/logs/public/2/checkpoint")}
	f.Fuzz(func(t *testing.T, msg []byte) {
		h, err := openHead(msg, "nrel/catalog-public/1", []ed25519.PublicKey{key})
		if err != nil {
			if genesis.KindOf(err) != genesis.Invalid {
				t.Error(err)
			}
			return
		}
		if !bytes.HasPrefix(msg, bytes.SplitAfter(signed[0], []byte("\n\n"))[0]) || h.tree.N != 4 {
			t.Errorf("%q passes for signed: %+v", msg, h)
		}
	})
}

func FuzzPage(f *testing.F) {
	_, get := real(f)
	f.Add(get("/logs/public/statements?from=0&limit=1000"))
	f.Add([]byte(`{"statements":[{"place":0},{"place":1}],"size":2,"more":[1,{"a":null}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		page, err := parsePage(b, 0)
		if err != nil {
			return
		}
		if len(page) == 0 || len(page) > pageLimit {
			t.Errorf("a page of %d", len(page))
		}
		for i, s := range page {
			if s.Place != int64(i) || len(s.Text) > maxStatement || len(s.Listing) > genesis.MaxListing {
				t.Errorf("place %d is %+v", i, s)
			}
		}
	})
}

func FuzzList(f *testing.F) {
	_, get := real(f)
	f.Add(get("/logs"))
	f.Fuzz(func(t *testing.T, b []byte) {
		latest, err := parseList(b)
		if err != nil && genesis.KindOf(err) != genesis.Invalid {
			t.Error(err)
		}
		for c, n := range latest {
			if err == nil && (n < 1 || n > maxEpochs) {
				t.Errorf("%s has epoch %d", c, n)
			}
		}
	})
}

func FuzzListing(f *testing.F) {
	b, err := genesis.CanonicalJSON(listing("a", "one"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := parseListing(b, "nrel", journal.Statement{Name: "a", Version: versionOf("a")})
		if err == nil && (l.Node != "nrel" || l.Name != "a" || l.Version != versionOf("a")) {
			t.Errorf("%q is read as %+v", b, l)
		}
	})
}

// FuzzBundle gives entries and hashes to a tree that is signed: only the right ones pass.
func FuzzBundle(f *testing.F) {
	o, get := real(f)
	entries, hashes := get("/logs/public/1/tile/entries/000.p/4"), get("/logs/public/1/tile/0/000.p/4")
	f.Add(entries, hashes)
	f.Add(entries[:len(entries)-1], hashes)
	f.Add(entries, hashes[:32])
	log1, err := o.Log("public", 1)
	if err != nil {
		f.Fatal(err)
	}
	tree := tlog.Tree{N: log1.Size(), Hash: log1.Root()}
	f.Fuzz(func(t *testing.T, e, h []byte) {
		l := &log{get: fetcher{peer: twoFiles{e, h}, timeout: time.Minute}, class: "public"}
		all, _, err := l.bundle(context.Background(), l.tiles(context.Background(), 1), 1, tree, 0)
		if err == nil && !bytes.Equal(e, entries) {
			t.Errorf("%q passes for the log's entries: %q", e, all)
		}
		if err != nil && genesis.KindOf(err) != genesis.Invalid {
			t.Error(err)
		}
	})
}

// twoFiles answers with one file for entries and another for hashes.
type twoFiles [2][]byte

func (f twoFiles) Get(_ context.Context, path string) (io.ReadCloser, error) {
	if bytes.Contains([]byte(path), []byte("entries")) {
		return body(f[0]), nil
	}
	return body(f[1]), nil
}

package find

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/opengenesis/genesis"
	"github.com/zeebo/xxh3"
)

// FuzzQuery holds that every text is a query or is refused, and that what a document
// says is found by its own words.
func FuzzQuery(f *testing.F) {
	for _, s := range append(someQueries, "“kW·h/m²” and/or 1.5e-3", "\xff\xfe", "ﬁeld ΩΩ µΩ", "a\u0301b 𝟜", "W.m-2 m/s/s") {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		needs, err := parseText(text)
		if err != nil {
			if genesis.KindOf(err) != genesis.Invalid {
				t.Fatal(err)
			}
			return
		}
		for _, n := range needs {
			if len(n.word) > maxTerm || !utf8.ValidString(n.word) || n.phrase == nil && n.word == "" {
				t.Fatalf("%q needs %q", text, n.word)
			}
		}
		d := Document{Listing: genesis.Listing{Description: text}}
		if _, ok := modelScore(d, needs); !ok && !bytes.ContainsAny([]byte(text), "\"“”„") {
			t.Fatalf("%q does not find itself: %+v", text, needs)
		}
		line, marks := snippet(&d.Listing, needs)
		last := 0
		for _, m := range marks {
			if m.Start < last || m.End <= m.Start || m.End > len(line) {
				t.Fatalf("%q: marks %v in %q", text, marks, line)
			}
			last = m.End
		}
	})
}

// FuzzSegment opens files of which bytes were changed and whose checksums were made
// to fit again, and asks them everything: that ends in answers or in an error.
func FuzzSegment(f *testing.F) {
	dir := f.TempDir()
	ix, err := Open(dir, Options{Disk: lazyDisk})
	if err != nil {
		f.Fatal(err)
	}
	r := random{rand.New(rand.NewPCG(6, 6))}
	for range 3 {
		apply(f, ix, Batch{Put: []Document{r.document(), r.document(), r.document(), r.document()}})
	}
	ix.Close()
	m, err := readManifest(dir)
	if err != nil {
		f.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(dir, m.Segments[0].Name))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint32(100), []byte{0xFF})
	f.Add(uint32(len(file)-footSize), []byte{1, 2, 3, 4, 5, 6, 7, 8})
	f.Add(uint32(500), []byte{0x80, 0x80, 0x80})
	f.Add(uint32(1), []byte{})
	f.Fuzz(func(t *testing.T, at uint32, change []byte) {
		b := bytes.Clone(file)
		copy(b[int(at)%len(b):], change)
		fixSums(b)
		path := filepath.Join(t.TempDir(), "00000001.seg")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := openSegment(path, filepath.Base(path))
		if err != nil {
			if genesis.KindOf(err) != genesis.Internal {
				t.Fatal(err)
			}
			return
		}
		broken := &Index{now: newSnapshot([]*segment{s}, []*flags{newFlags(s.docs)})}
		defer s.unmap()
		broken.now.users = 2
		s.users = 2
		for _, text := range []string{"", "wind", `"wind speed"`, "win solar"} {
			_, err := broken.Search(t.Context(), Query{Asker: Asker{Classes: someClasses, Also: []ID{{Node: "anl", Name: "wind"}}}, Text: text, Facets: Facets})
			var known *genesis.Error
			if err != nil && !errors.As(err, &known) {
				t.Fatal(err)
			}
		}
		_, _ = broken.Suggest(t.Context(), Asker{Classes: someClasses}, "wimd", 5)
		_, _ = broken.Similar(t.Context(), Asker{Classes: someClasses}, ID{Node: "anl", Name: "wind"}, 5)
		_, _, _ = (&Index{disk: lazyDisk}).writeMerged([]*segment{s}, []bitset{newBitset(s.docs)}, filepath.Join(t.TempDir(), "m"))
	})
}

// fixSums makes the checksums of a file fit its bytes.
func fixSums(b []byte) {
	if len(b) < footSize {
		return
	}
	foot := b[len(b)-footSize:]
	at := footSize - 48
	sumsAt := binary.LittleEndian.Uint64(foot[at:])
	if sumsAt < uint64(len(b)-footSize) {
		sums := b[sumsAt : len(b)-footSize]
		for page := 0; 8*page+8 <= len(sums); page++ {
			from := min(uint64(page)*pageSize, sumsAt)
			binary.LittleEndian.PutUint64(sums[8*page:], xxh3.Hash(b[from:min(from+pageSize, sumsAt)]))
		}
		binary.LittleEndian.PutUint64(foot[at+24:], xxh3.Hash(sums))
	}
	binary.LittleEndian.PutUint64(foot[footSize-16:], xxh3.Hash(foot[:footSize-16]))
}

// FuzzManifest reads what may stand in the manifest.
func FuzzManifest(f *testing.F) {
	f.Add(manifest{Format: manifestFormat, Next: 3, Segments: []listing{{Name: "00000001.seg", Sum: "00", Flags: newFlags(3).pack()}}}.bytes()[17:])
	f.Add([]byte(`{"format":1}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := parseManifest(append([]byte(sumLine(body)), body...))
		if err != nil {
			return
		}
		for _, l := range m.Segments {
			if filepath.Base(l.Name) != l.Name {
				t.Fatalf("a segment is named %q", l.Name)
			}
			_, _ = unpackFlags(l.Flags, 3)
		}
	})
}

// FuzzCursor reads what may come back as a cursor.
func FuzzCursor(f *testing.F) {
	q := Query{Text: "wind"}
	f.Add(sealCursor(&q, cursorAt{160, "anl\x00wind"}))
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, cursor string) {
		q := Query{Text: "wind", After: cursor}
		if at, err := openCursor(&q); err == nil {
			if back, err := openCursor(&Query{Text: "wind", After: sealCursor(&q, at)}); err != nil || back != at {
				t.Fatalf("%q is %v, then %v: %v", cursor, at, back, err)
			}
		}
	})
}

// TestNear: what was meant is near, and what is another thing is not.
func TestNear(t *testing.T) {
	for _, tt := range []struct {
		typed, value string
		edits        int
		ok           bool
	}{
		{"nrel", "NREL", 0, true}, {"Climate", "climate", 0, true}, {"clmate", "climate", 1, true}, {"cliamte", "climate", 1, true}, {"argonne", "Argonne National Laboratory", 0, true},
		{"zurich", "Zürich", 0, true}, {"energy", "climate", 0, false}, {"m", "K", 0, false}, {"", "x", 0, false}, {"wind", "", 0, false}, {"csv", "tsv", 1, true},
	} {
		if edits, ok := Near(tt.typed, tt.value); ok != tt.ok || ok && edits != tt.edits {
			t.Errorf("%q, %q: %d, %v", tt.typed, tt.value, edits, ok)
		}
	}
}

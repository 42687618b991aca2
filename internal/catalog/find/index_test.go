package find

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal/disk"
)

// TestReopen holds that an index that is opened again gives the answers it gave.
func TestReopen(t *testing.T) {
	r := random{rand.New(rand.NewPCG(1, 3))}
	dir := t.TempDir()
	ix, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	world := worldOf{}
	world.history(t, r, ix, 40)
	apply(t, ix, Batch{Mark: "place 7"})
	want := answers(t, ix, world.all(), 1)
	if err := ix.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := ix.Search(t.Context(), Query{}); genesis.KindOf(err) != genesis.Unavailable {
		t.Errorf("a closed index answers %v", err)
	}
	if ix, err = Open(dir, Options{}); err != nil {
		t.Fatal(err)
	}
	defer ix.Close()
	if ix.Mark() != "place 7" {
		t.Errorf("the mark is %q", ix.Mark())
	}
	if diff := cmp.Diff(want, answers(t, ix, world.all(), 1)); diff != "" {
		t.Errorf("-before +after:\n%s", diff)
	}
}

// TestCrash breaks off at every write, sync and rename of a batch and of a merge in
// turn. What is there after a new start is the index before or after the batch, never
// anything else, and files that belong to nothing are gone.
func TestCrash(t *testing.T) {
	crash := errors.New("crash")
	for step := 0; ; step++ {
		dir := t.TempDir()
		d := &disk.Faulty{Disk: disk.OS, Lazy: true}
		ix, err := Open(dir, Options{Disk: d})
		if err != nil {
			t.Fatal(err)
		}
		r := random{rand.New(rand.NewPCG(4, 4))}
		for i := range fanIn - 1 {
			apply(t, ix, Batch{Put: []Document{r.document(), r.document()}, Mark: fmt.Sprint(i)})
		}
		all := Asker{Classes: someClasses}
		before := answers(t, ix, all, 1)
		n := 0
		d.Fail(func(op, name string) error {
			if n++; n > step {
				return crash
			}
			return nil
		})
		err = ix.Apply(t.Context(), Batch{Put: []Document{r.document(), r.document()}, Mark: "done"})
		ix.Settle()
		crashed := n > step
		after := answers(t, ix, all, 1)
		ix.Close()

		again, openErr := Open(dir, Options{Disk: lazyDisk})
		if openErr != nil {
			t.Fatal(openErr)
		}
		got := answers(t, again, all, 1)
		switch {
		case again.Mark() == "":
			t.Fatalf("step %d: the index began anew", step)
		case err == nil && (again.Mark() != "done" || !cmp.Equal(got, after)):
			t.Fatalf("step %d: a batch that counted is gone", step)
		case again.Mark() != "done" && !cmp.Equal(got, before):
			t.Fatalf("step %d: the index is neither that before nor that after", step)
		}
		apply(t, again, Batch{Put: []Document{r.document()}})
		again.Settle()
		left, segments := files(t, dir), len(again.now.segs)
		if len(left) != segments+1 {
			t.Errorf("step %d: %d segments, and files %v", step, segments, left)
		}
		again.Close()
		if !crashed {
			if step < 10 {
				t.Fatalf("only %d steps", step)
			}
			return
		}
	}
}

func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestDamage changes bytes all over the files. An index never answers wrongly: it
// begins anew, or says that it is damaged, or gives the right answers where the
// byte is not used.
func TestDamage(t *testing.T) {
	r := random{rand.New(rand.NewPCG(5, 5))}
	dir := t.TempDir()
	ix, err := Open(dir, Options{Disk: lazyDisk})
	if err != nil {
		t.Fatal(err)
	}
	world := worldOf{}
	world.history(t, r, ix, 20)
	ix.Settle()
	apply(t, ix, Batch{Mark: "m"})
	want := answers(t, ix, world.all(), 1)
	ix.Close()
	anew, said := 0, 0
	for range 120 {
		name := filepath.Join(dir, pick(r, files(t, dir)))
		was, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		b := append([]byte(nil), was...)
		if r.IntN(5) == 0 {
			b = b[:r.IntN(len(b))]
		} else {
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		}
		copied := t.TempDir()
		for _, f := range files(t, dir) {
			content, err := os.ReadFile(filepath.Join(dir, f))
			if err != nil {
				t.Fatal(err)
			}
			if f == filepath.Base(name) {
				content = b
			}
			if err := os.WriteFile(filepath.Join(copied, f), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		ix, err := Open(copied, Options{Disk: lazyDisk})
		if err != nil {
			t.Fatal(err)
		}
		if ix.Mark() == "" {
			anew++
		} else {
			for question, answer := range answers(t, ix, world.all(), 1) {
				if strings.HasPrefix(answer, string(genesis.Internal)) {
					said++
				} else if answer != want[question] && !strings.Contains(question, "page") {
					t.Fatalf("%s: %s is answered by %s, want %s", filepath.Base(name), question, answer, want[question])
				}
			}
			if err := ix.Reset(); err != nil {
				t.Fatal(err)
			}
		}
		if result, err := ix.Search(t.Context(), Query{Asker: world.all()}); err != nil || result.Total != 0 {
			t.Fatalf("an index that begins anew has %d documents: %v", result.Total, err)
		}
		ix.Close()
	}
	if anew == 0 || said == 0 {
		t.Errorf("%d indexes began anew, %d answers told of damage: the test shows nothing", anew, said)
	}
}

// TestOlderFormat begins anew from files of another format.
func TestOlderFormat(t *testing.T) {
	dir := t.TempDir()
	ix, err := Open(dir, Options{Disk: lazyDisk})
	if err != nil {
		t.Fatal(err)
	}
	apply(t, ix, Batch{Put: []Document{random{rand.New(rand.NewPCG(1, 1))}.document()}, Mark: "m"})
	ix.Close()
	m, err := readManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	m.Format = 0
	if err := os.WriteFile(filepath.Join(dir, manifestName), m.bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	if ix, err = Open(dir, Options{Disk: lazyDisk}); err != nil {
		t.Fatal(err)
	}
	defer ix.Close()
	if left := files(t, dir); ix.Mark() != "" || len(left) != 0 {
		t.Errorf("the mark is %q, and files are %v", ix.Mark(), left)
	}
}

// TestReadersWhileWriting reads while batches and merges change the index: each result
// is that of one time.
func TestReadersWhileWriting(t *testing.T) {
	ix := openTest(t)
	public := []genesis.Class{genesis.ClassPublic}
	stop := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				r, err := ix.Search(t.Context(), Query{Asker: Asker{Classes: public}, Facets: []Facet{Node, Field}, Limit: 200})
				if err != nil {
					t.Error(err)
					return
				}
				if counts := r.Facets[Node]; r.Total%3 != 0 || len(r.Hits) != min(200, r.Total) || len(counts) > 0 && counts[0].Hits != r.Total {
					t.Errorf("%d of %d hits, counts %v: a batch is seen in part", len(r.Hits), r.Total, counts)
					return
				}
			}
		})
	}
	for i := range 60 {
		var b Batch
		for k := range 3 {
			b.Put = append(b.Put, Document{Listing: genesis.Listing{Node: "anl", Name: genesis.Name(fmt.Sprintf("d-%d-%d", i, k)),
				Version: genesis.DigestOf(fmt.Append(nil, i, k)), Field: "energy"}, Classes: public})
		}
		if i > 20 {
			for k := range 3 {
				b.Delete = append(b.Delete, ID{Node: "anl", Name: genesis.Name(fmt.Sprintf("d-%d-%d", i-20, k))})
			}
		}
		apply(t, ix, b)
	}
	close(stop)
	readers.Wait()
	ix.Settle()
	if n := len(ix.now.segs); n > 2*fanIn {
		t.Errorf("%d segments are left", n)
	}
}

func TestRefusals(t *testing.T) {
	ix := openTest(t)
	good := random{rand.New(rand.NewPCG(1, 1))}.document()
	for _, spoil := range []func(*Document){
		func(d *Document) { d.Node = "" },
		func(d *Document) { d.Node = "~ann/x" },
		func(d *Document) { d.Name = "No Name" },
		func(d *Document) { d.Version = "3" },
		func(d *Document) { d.Classes = []genesis.Class{""} },
		func(d *Document) { d.Classes = []genesis.Class{"a\x00b"} },
	} {
		bad := good
		spoil(&bad)
		if err := ix.Apply(t.Context(), Batch{Put: []Document{good, bad}}); genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("%v: %v", bad.ID(), err)
		}
	}
	if r, err := ix.Search(t.Context(), Query{Asker: Asker{Also: []ID{good.ID()}}}); err != nil || r.Total != 0 {
		t.Errorf("%d documents of batches that were refused: %v", r.Total, err)
	}
	for _, q := range []Query{
		{Text: strings.Repeat("a", maxQueryBytes+1)},
		{Text: strings.Repeat("a b c d ", 2) + numbers(33)},
		{Facets: []Facet{"colour"}},
		{Filter: Filter{Values: map[Facet][]string{"colour": {"red"}}}},
		{Filter: Filter{Place: &genesis.Box{South: 10, North: -10}}},
		{After: "bm9uZQ"},
		{Asker: Asker{Also: make([]ID, MaxAlso+1)}},
	} {
		if _, err := ix.Search(t.Context(), q); genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("%.80v: %v", q, err)
		}
	}
}

func numbers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "w%d ", i)
	}
	return b.String()
}

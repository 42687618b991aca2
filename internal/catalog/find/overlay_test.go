package find

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opengenesis/genesis"
)

// TestSearchWith holds a search that brings documents along against an index that has
// them: same hits, order, counts and pages. The index is left as it was.
func TestSearchWith(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := random{rand.New(rand.NewPCG(seed, 3))}
			ix, world := openTest(t), worldOf{}
			world.history(t, r, ix, 30)
			a := r.asker()
			before := answers(t, ix, a, seed)

			whole, with := openTest(t), a
			var more []Document
			for range 1 + r.IntN(8) {
				d := r.document()
				if d.Classes = nil; world.elsewhere(d) { // of copies, those of the index come first: see TestPagesStay
					d.Version = genesis.DigestOf([]byte(fmt.Sprint("brought along ", len(more))))
				}
				more, with.Also, world[d.ID()] = append(more, d), append(with.Also, d.ID()), d
			}
			var all []Document
			for _, d := range world {
				all = append(all, d)
			}
			fill(t, r, whole, all)
			for _, text := range someQueries {
				q, p := Query{Asker: a, Text: text, Filter: r.filter(), Facets: Facets, Limit: 3}, 0
				for {
					got, err := ix.SearchWith(t.Context(), q, more)
					if err != nil {
						t.Fatal(err)
					}
					has := q
					has.Asker = with
					want, err := whole.Search(t.Context(), has)
					if err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff(want, got); diff != "" {
						t.Fatalf("%q, page %d (-in the index +brought along):\n%s", text, p, diff)
					}
					if q.After, p = got.Next, p+1; q.After == "" {
						break
					}
				}
			}
			if diff := cmp.Diff(before, answers(t, ix, a, seed)); diff != "" {
				t.Errorf("the index is another now:\n%s", diff)
			}
		})
	}
}

// elsewhere reports whether another document has the version of one.
func (w worldOf) elsewhere(d Document) bool {
	for id, other := range w {
		if other.Version == d.Version && id != d.ID() {
			return true
		}
	}
	return false
}

// TestPagesStay: when what others brought along is not there any more for the second page,
// or only then, what the index has keeps its order, and nothing of it is lost or comes twice.
func TestPagesStay(t *testing.T) {
	for seed := range uint64(12) {
		r := random{rand.New(rand.NewPCG(seed, 5))}
		ix, world := openTest(t), worldOf{}
		world.history(t, r, ix, 40)
		a := r.asker()
		var more []Document
		var versions []genesis.Digest
		for _, d := range world {
			versions = append(versions, d.Version)
		}
		slices.Sort(versions)
		versions = slices.Compact(versions)
		r.Shuffle(len(versions), func(i, k int) { versions[i], versions[k] = versions[k], versions[i] })
		for i := range 8 {
			d := r.document()
			d.Node, d.Name, d.Classes = "live", genesis.Name(fmt.Sprint("live-", i)), nil
			if i < len(versions) && i%2 == 0 { // half of them are what the index has elsewhere
				d.Version = versions[i%len(versions)]
			} else {
				d.Version = genesis.DigestOf([]byte(fmt.Sprint("brought along ", i)))
			}
			more = append(more, d)
		}
		for _, text := range someQueries {
			run := func(with func(page int) []Document) (all []genesis.Digest) {
				q := Query{Asker: a, Text: text, Limit: 2}
				for page := 0; ; page++ {
					got, err := ix.SearchWith(t.Context(), q, with(page))
					if err != nil {
						t.Fatal(err)
					}
					for _, h := range got.Hits {
						all = append(all, h.Version)
					}
					if q.After = got.Next; q.After == "" {
						return all
					}
				}
			}
			alone := run(func(int) []Document { return nil })
			for name, with := range map[string]func(int) []Document{
				"it stops answering": func(page int) []Document { return more[:len(more)*max(0, 1-page)] },
				"it answers again":   func(page int) []Document { return more[:len(more)*min(1, page)] },
				"some of it goes":    func(page int) []Document { return more[min(page, len(more)):] },
			} {
				all := run(with)
				kept := slices.DeleteFunc(slices.Clone(all), func(v genesis.Digest) bool { return !slices.Contains(alone, v) })
				if diff := cmp.Diff(alone, kept); len(alone)+len(kept) > 0 && diff != "" {
					t.Fatalf("seed %d, %q, %s (-alone +as it was paged):\n%s", seed, text, name, diff)
				}
				slices.Sort(all)
				if once := slices.Compact(slices.Clone(all)); len(once) != len(all) {
					t.Fatalf("seed %d, %q, %s: something comes twice", seed, text, name)
				}
			}
		}
	}
}

func TestSearchWithRefuses(t *testing.T) {
	ix := openTest(t)
	_, err := ix.SearchWith(t.Context(), Query{}, []Document{{Listing: genesis.Listing{Node: "nrel", Name: "no digest"}}})
	if genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("%v", err)
	}
}

// TestTurns: of versions without a number that of the highest turn is shown.
func TestTurns(t *testing.T) {
	ix := openTest(t)
	for i, title := range []string{"first", "third", "second"} {
		l := genesis.Listing{Node: "nrel", Name: "x", Title: title, Version: genesis.DigestOf([]byte(title))}
		apply(t, ix, Batch{Put: []Document{{Listing: l, Classes: []genesis.Class{"a"}, Turn: []int64{1, 3, 2}[i]}}})
	}
	r, err := ix.Search(t.Context(), Query{Asker: Asker{Classes: []genesis.Class{"a"}}})
	if err != nil || len(r.Hits) != 1 || r.Hits[0].Title != "third" {
		t.Errorf("%+v, %v", r.Hits, err)
	}
}

// TestScrub: what was deleted is in no file afterwards, and all else is found as before.
func TestScrub(t *testing.T) {
	ix := openTest(t)
	docs := documented()
	for _, d := range docs {
		d.Keywords = append(d.Keywords, "Zebedee"+string(d.Node)+string(d.Name))
		apply(t, ix, Batch{Put: []Document{d}})
	}
	holds := func(word string) (in []string) {
		files, err := filepath.Glob(filepath.Join(ix.dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(string(b), word) {
				in = append(in, f)
			}
		}
		return in
	}
	ix.Settle()
	d := docs[0].ID()
	word := "zebedee" + string(d.Node) + string(d.Name)
	apply(t, ix, Batch{Put: docs[1:], Delete: []ID{docs[1].ID()}}) // so that there are more segments
	if len(holds(word)) == 0 {
		t.Fatal("the word is nowhere to begin with")
	}
	before := answers(t, ix, Asker{Also: []ID{docs[1].ID()}}, 1)
	apply(t, ix, Batch{Delete: []ID{d}, Mark: "m"})
	if err := ix.Scrub(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := holds(word); len(left) > 0 {
		t.Errorf("it is still in %v", left)
	}
	if diff := cmp.Diff(before, answers(t, ix, Asker{Also: []ID{docs[1].ID()}}, 1)); diff != "" {
		t.Errorf("others are found otherwise:\n%s", diff)
	}
	if ix.Mark() != "m" {
		t.Errorf("the mark is %q", ix.Mark())
	}
}

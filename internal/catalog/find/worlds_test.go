package find

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opengenesis/genesis/internal/journal/disk"
)

// lazyDisk does not sync: most tests are not about power cuts.
var lazyDisk = &disk.Faulty{Disk: disk.OS, Lazy: true}

// TestHiddenThingsChangeNothing makes random worlds, and for random askers each again
// without what they may not know of, in another order and other batches. Both
// give the same answers, byte for byte.
func TestHiddenThingsChangeNothing(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := random{rand.New(rand.NewPCG(seed, 1))}
			full, world := openTest(t), worldOf{}
			world.history(t, r, full, 40+int(seed)*10)
			for n := range 3 {
				a := r.asker()
				var seen []Document
				for _, d := range world {
					if a.sees(d) {
						d.Classes = strictly(a, d)
						seen = append(seen, d)
					}
				}
				bare := openTest(t)
				fill(t, r, bare, seen)
				want := answers(t, bare, a, seed)
				if diff := cmp.Diff(want, answers(t, full, a, seed)); diff != "" {
					t.Fatalf("asker %d %+v can tell the worlds apart (-without +with hidden things):\n%s", n, a, diff)
				}
				if len(seen) < len(world) && cmp.Equal(want, answers(t, full, world.all(), seed)) {
					t.Error("the worlds do not differ: the test shows nothing")
				}
			}
		})
	}
}

// all is an asker who sees everything.
func (w worldOf) all() (a Asker) {
	for id := range w {
		a.Also = append(a.Also, id)
	}
	return a
}

// strictly returns the classes of a document that an asker has.
func strictly(a Asker, d Document) (left []genesisClass) {
	for _, c := range d.Classes {
		for _, own := range a.Classes {
			if c == own {
				left = append(left, c)
			}
		}
	}
	return left
}

// TestAgreesWithModel holds results against a search that reads every document.
func TestAgreesWithModel(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			r := random{rand.New(rand.NewPCG(seed, 2))}
			ix, world := openTest(t), worldOf{}
			world.history(t, r, ix, 40)
			for range 4 {
				a := r.asker()
				for _, text := range someQueries {
					q := Query{Asker: a, Text: text, Filter: r.filter(), Facets: Facets, Values: 1000, Limit: 200}
					got, err := ix.Search(t.Context(), q)
					if err != nil {
						t.Fatal(err)
					}
					want := modelSearch(t, world, q)
					if diff := cmp.Diff(want.lines(), resultLines(got)); diff != "" {
						t.Fatalf("%q %+v (-model +index):\n%s", text, q.Filter, diff)
					}
				}
			}
		})
	}
}

func resultLines(r Result) string {
	var b strings.Builder
	fmt.Fprintln(&b, "total", r.Total)
	for _, h := range r.Hits {
		fmt.Fprintln(&b, h.Node, h.Name, h.Version.Short(), h.Score, h.Places)
	}
	for _, f := range Facets {
		fmt.Fprintln(&b, f, r.Facets[f])
	}
	return b.String()
}

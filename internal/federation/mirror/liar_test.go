package mirror

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
)

// said is everything that a node ever said to a class: "name title".
type said map[genesis.Class]map[string]bool

func (s said) note(o *other) {
	for c, names := range o.says {
		if s[c] == nil {
			s[c] = map[string]bool{}
		}
		for name, title := range names {
			s[c][string(name)+" "+title] = true
		}
	}
}

// lies are ways in which an answer can be wrong.
var lies = map[string]func(d *rand.Rand, old map[string][][]byte, path string, b []byte) ([]byte, error){
	"a bit": func(d *rand.Rand, _ map[string][][]byte, _ string, b []byte) ([]byte, error) {
		if len(b) > 0 {
			b = slices.Clone(b)
			b[d.IntN(len(b))] ^= 1 << d.IntN(8)
		}
		return b, nil
	},
	"the end is missing": func(d *rand.Rand, _ map[string][][]byte, _ string, b []byte) ([]byte, error) {
		return b[:d.IntN(len(b)+1)], nil
	},
	"too long": func(_ *rand.Rand, _ map[string][][]byte, _ string, b []byte) ([]byte, error) {
		return append(slices.Clone(b), b...), nil
	},
	"an earlier answer": func(d *rand.Rand, old map[string][][]byte, path string, b []byte) ([]byte, error) {
		all := old[path]
		if len(all) == 0 {
			return b, nil
		}
		return all[d.IntN(len(all))], nil
	},
	"the answer to another question": func(d *rand.Rand, old map[string][][]byte, _ string, b []byte) ([]byte, error) {
		paths := slices.Sorted(maps.Keys(old))
		if len(paths) == 0 {
			return b, nil
		}
		all := old[paths[d.IntN(len(paths))]]
		return all[d.IntN(len(all))], nil
	},
	"another title": func(_ *rand.Rand, _ map[string][][]byte, _ string, b []byte) ([]byte, error) {
		return []byte(strings.Replace(string(b), `"title":"`, `"title":"made up `, 1)), nil
	},
	"two listings change places": func(_ *rand.Rand, _ map[string][][]byte, path string, b []byte) ([]byte, error) {
		if !strings.Contains(path, "statements") {
			return b, nil
		}
		page, err := parsePage(b, placeOf(path))
		if err != nil || len(page) < 2 {
			return b, nil
		}
		page[0].Listing, page[1].Listing = page[1].Listing, page[0].Listing
		return plainJSON(genesis.StatedPage{Statements: page})
	},
	"nothing": func(*rand.Rand, map[string][][]byte, string, []byte) ([]byte, error) { return nil, nil },
	"an error": func(*rand.Rand, map[string][][]byte, string, []byte) ([]byte, error) {
		return nil, errors.New("the connection broke")
	},
}

func placeOf(path string) (from int64) {
	_, query, _ := strings.Cut(path, "from=")
	_, _ = fmt.Sscan(strings.Split(query, "&")[0], &from)
	return from
}

// TestLyingPeer: whatever a node answers, nothing is mirrored that it did not sign; and
// once it answers as it should, all that it says is.
func TestLyingPeer(t *testing.T) {
	seeds := 12
	if testing.Short() {
		seeds = 5
	}
	told := map[string]int{}
	for n := range seeds {
		seed := rand.Uint64()
		if n < 2 { // of the second, a bit made a statement look withheld
			seed = []uint64{1, 9255451253404372660}[n]
		}
		if !t.Run(fmt.Sprint(seed), func(t *testing.T) { lyingPeer(t, rand.New(rand.NewPCG(seed, 1)), told) }) {
			t.Fatalf("seed %d fails", seed)
		}
	}
	for name := range lies {
		if told[name] == 0 && !testing.Short() {
			t.Errorf("nobody told the lie %q", name)
		}
	}
}

func lyingPeer(t *testing.T, d *rand.Rand, told map[string]int) {
	o, h := startOther(t, t.TempDir()), startHere(t)
	ever, old := said{}, map[string][][]byte{}
	member := o.member()
	kinds := slices.Sorted(maps.Keys(lies))
	for range 12 {
		sayOther(d, o)
		ever.note(o)
		err := h.look(member, liar{o, func(path string, b []byte, err error) (io.ReadCloser, error) {
			if err != nil {
				return nil, err
			}
			old[path] = append(old[path], b)
			if d.IntN(8) == 0 {
				kind := kinds[d.IntN(len(kinds))]
				told[kind]++
				if b, err = lies[kind](d, old, path, b); err != nil {
					return nil, err
				}
			}
			return body(b), nil
		}})
		if err != nil && genesis.KindOf(err) == genesis.Internal {
			t.Fatalf("a lie is taken for a fault of our own: %v", err)
		}
		if d.IntN(3) == 0 {
			h.again()
		}
		invents(t, h, ever)
		if s := h.standing("public"); s.Standing == Forked {
			t.Fatalf("it is taken for a fork: %+v", s)
		}
		if d.IntN(4) == 0 {
			if err := h.look(member, o); err != nil {
				t.Fatal(err)
			}
			h.agrees(o)
		}
	}
	if err := h.look(member, o); err != nil {
		t.Fatal(err)
	}
	h.agrees(o)
}

// sayOther says something else than before.
func sayOther(d *rand.Rand, o *other) {
	all := names("n", 40)
	d.Shuffle(len(all), func(i, k int) { all[i], all[k] = all[k], all[i] })
	classes := [][]genesis.Class{{"public"}, {"members"}, {"to-mit"}, {"to-mit", "to-acme"}, {"to-acme"}, nil}
	o.sayAll(all[:1+d.IntN(40)], fmt.Sprintf("title %d", d.IntN(5)), classes[d.IntN(len(classes))]...)
	if d.IntN(6) == 0 {
		o.newEpoch()
	}
}

// invents holds what is mirrored against all that was ever said.
func invents(t *testing.T, h *here, ever said) {
	t.Helper()
	for c, names := range h.mirrored() {
		for name, title := range names {
			if !ever[c][string(name)+" "+title] {
				t.Fatalf("%s in %s as %q was never said", name, c, title)
			}
		}
	}
}

// TestEntriesOfAnotherLog: entries that agree with what is said of them, and are not those
// that were signed, are not mirrored.
func TestEntriesOfAnotherLog(t *testing.T) {
	o, h := startOther(t, t.TempDir()), startHere(t)
	o, twin := o.copied()
	o.sayAll(names("x", 5), "right", "public")
	twin.sayAll(names("y", 5), "wrong", "public")
	told := 0
	err := h.look(o.member(), liar{o, func(path string, b []byte, err error) (io.ReadCloser, error) {
		if strings.Contains(path, "/tile/entries/") || strings.Contains(path, "/statements") {
			told++
			return twin.Get(t.Context(), path)
		}
		return body(b), err
	}})
	if genesis.KindOf(err) != genesis.Invalid || told < 2 {
		t.Errorf("after %d lies: %v", told, err)
	}
	if got := h.mirrored()["public"]; len(got) > 0 {
		t.Errorf("it mirrors %v", got)
	}
	if err := h.look(o.member(), o); err != nil {
		t.Error(err)
	}
	h.agrees(o)
}

// TestSaidOtherwise: what is said of an entry is held against it: the statement, and the
// listing that it states.
func TestSaidOtherwise(t *testing.T) {
	for name, change := range map[string]func(page []genesis.Stated){
		"another listing": func(page []genesis.Stated) {
			page[0].Listing = bytes.Replace(page[0].Listing, []byte(`"title":"right"`), []byte(`"title":"wrong"`), 1)
		},
		"what stands elsewhere": func(page []genesis.Stated) {
			one, other := &page[0], &page[1]
			one.Text, one.Salt, one.Listing = other.Text, other.Salt, other.Listing
		},
		"another statement": func(page []genesis.Stated) {
			page[0].Text = bytes.Replace(page[0].Text, []byte(versionOf("x-00000")), []byte(versionOf("y-00000")), 1)
			page[0].Listing = bytes.Replace(page[0].Listing, []byte(versionOf("x-00000")), []byte(versionOf("y-00000")), 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			o, h := startOther(t, t.TempDir()), startHere(t)
			o.sayAll(names("x", 2), "right", "public")
			told := false
			err := h.look(o.member(), liar{o, func(path string, b []byte, err error) (io.ReadCloser, error) {
				if err != nil || !strings.Contains(path, "/statements") {
					return body(b), err
				}
				page, err := parsePage(b, placeOf(path))
				if err != nil {
					return nil, err
				}
				change(page)
				told = true
				said, err := plainJSON(genesis.StatedPage{Statements: page})
				if bytes.Equal(said, b) {
					t.Error("it is no lie")
				}
				return body(said), err
			}})
			if !told || genesis.KindOf(err) != genesis.Invalid {
				t.Errorf("told %v: %v", told, err)
			}
			if got := h.mirrored()["public"]; len(got) > 0 {
				t.Errorf("it mirrors %v", got)
			}
			if err := h.look(o.member(), o); err != nil {
				t.Error(err)
			}
			h.agrees(o)
		})
	}
}

// TestForksAtRandom: of two logs that part somewhere, one is followed.
func TestForksAtRandom(t *testing.T) {
	seeds := 6
	if testing.Short() {
		seeds = 2
	}
	for range seeds {
		seed := rand.Uint64()
		d := rand.New(rand.NewPCG(seed, 2))
		common, first, second := d.IntN(600), d.IntN(300), d.IntN(300)
		o, h := startOther(t, t.TempDir()), startHere(t)
		o.sayAll(names("a", common), "one", "public")
		o, twin := o.copied()
		o.sayAll(names("x", first), "right", "public")
		twin.sayAll(names("y", second), "wrong", "public")
		if err := h.look(o.member(), o); err != nil {
			t.Fatal(err)
		}
		err := h.look(o.member(), twin)
		want, follows := Forked, o
		switch {
		case first == 0:
			want, follows = Good, twin // nothing was said that it contradicts
		case second == 0:
			want = Behind
		}
		if s := h.standing("public"); s.Standing != want || (err == nil) != (want == Good) {
			t.Errorf("seed %d: %d, then %d and %d: %+v, %v", seed, common, first, second, s, err)
		}
		h.agrees(follows)
	}
}

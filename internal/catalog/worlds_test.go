package catalog

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opengenesis/genesis"
)

// world is a catalogue made by acts, each at a time of its own.
type world struct {
	home
	t *testing.T
}

func newWorld(t *testing.T) world {
	return world{open(t), t}
}

// act is something done to a version of a world.
type act struct {
	number  int // of the act, and its time
	what    string
	name    genesis.Name
	content int
	parents []genesis.Version
	word    string
}

var (
	worldNames = []genesis.Name{"a", "ab", "b", "b-model", "c", "~ann/d", "z"}
	worldWords = []string{"wind", "window", "solar", "sol", "mill", "kW"}
)

func (a act) manifest() genesis.Manifest {
	if strings.HasSuffix(string(a.name), "-model") {
		return genesis.Manifest{Format: 1, Kind: genesis.Model, Parts: map[string]genesis.Digest{fmt.Sprint(a.content): genesis.DigestOf(nil)}}
	}
	return dataset(fmt.Sprint(a.content), genesis.Column{Name: worldWords[a.content%5] + "_col", Unit: "kW"})
}

// version returns the version the act is about.
func (a act) version() genesis.Version {
	text, err := genesis.CanonicalJSON(a.manifest())
	if err != nil {
		panic(err)
	}
	return genesis.Version{Name: a.name, Digest: genesis.DigestOf(text)}
}

// acts returns a random history. What visible hides is published last, where the
// numbers that it takes are not between those of others.
func acts(random *rand.Rand, n int, hidden func(genesis.Version) bool) []act {
	var all []act
	for i := range n {
		a := act{number: i, name: worldNames[random.IntN(len(worldNames))], content: random.IntN(5), word: worldWords[random.IntN(len(worldWords))]}
		a.what = []string{"commit", "commit", "commit", "card", "publish", "publish", "withdraw", "erase"}[random.IntN(8)]
		for range random.IntN(3) {
			p := act{name: worldNames[random.IntN(len(worldNames))], content: random.IntN(5)}
			if v := p.version(); v.Ref() != a.version().Ref() {
				a.parents = append(a.parents, v)
			}
		}
		if a.what == "publish" && hidden(a.version()) && i < n*2/3 || a.what == "publish" && !hidden(a.version()) && i >= n*2/3 {
			a.what = "card"
		}
		all = append(all, a)
	}
	return all
}

// do does an act in a world, with the parents that are there and that keep says. Acts
// that the catalogue refuses do nothing, in every world alike.
func (w world) do(a act, keep func(genesis.Version) bool) {
	w.t.Helper()
	w.now = func() time.Time {
		return time.Date(2027, 1, 1, 0, 0, a.number, 0, time.UTC)
	}
	var err error
	switch a.what {
	case "commit":
		err = w.commit(a, keep)
	case "card":
		err = w.PutRecord(w.t.Context(), a.version(), genesis.RecordCard, genesis.Card{Title: a.word + " farm", Keywords: []string{a.word}}, "ann")
	case "publish":
		_, err = w.Publish(w.t.Context(), a.version(), "ann")
	case "withdraw":
		_, err = w.Withdraw(w.t.Context(), a.version(), "ann", "")
	case "erase":
		if a.number%3 == 0 {
			_, err = w.Erase(w.t.Context(), a.version(), EraseOptions{By: "ann"})
		}
	}
	if kind := genesis.KindOf(err); err != nil && kind != genesis.NotFound && kind != genesis.Conflict {
		w.t.Fatalf("%+v: %v", a, err)
	}
}

func (w world) commit(a act, keep func(genesis.Version) bool) error {
	in := commitOf(a.name, a.manifest())
	prov := genesis.Provenance{By: "ann"}
	for _, p := range a.parents {
		if _, err := findRow(w.t.Context(), w.db.Read(), p); err == nil && keep(p) {
			in.Parents, prov.Parents = append(in.Parents, p), append(prov.Parents, p.Ref())
		}
	}
	in.Records = map[genesis.RecordKind]any{genesis.RecordProvenance: prov, genesis.RecordCard: genesis.Card{Title: "the " + a.word}}
	if in.Kind == genesis.Model {
		report := genesis.ModelReport{Notes: []string{"made of something"}}
		if len(prov.Parents) > 0 {
			report.Dataset = prov.Parents[0]
		}
		in.Records[genesis.RecordReport] = report
	}
	_, _, err := w.Commit(w.t.Context(), in)
	return err
}

// answers asks everything there is to ask and returns all answers, by question.
func (w world) answers(visible Visible) map[string]string {
	all := map[string]string{}
	put := func(question string, answer any, err error) {
		text, _ := json.Marshal(answer)
		if err != nil {
			text = fmt.Append(nil, err)
			if e, ok := err.(*genesis.Error); ok {
				text = fmt.Appendf(nil, "%s %s %s", e.Kind, e, e.Hint)
			}
		}
		all[question] = string(text)
	}
	ctx := w.t.Context()
	for _, name := range worldNames {
		refs := []genesis.Ref{{Name: name}}
		for n := range 6 {
			refs = append(refs, genesis.Ref{Name: name, Number: n + 1}, act{name: name, content: n}.version().Ref())
		}
		for _, r := range refs {
			v, err := w.Resolve(ctx, r, visible)
			put("resolve "+r.String(), v, err)
			if r.Digest != "" {
				d, err := w.Describe(ctx, genesis.Version{Name: name, Digest: r.Digest}, visible)
				put("describe "+r.String(), d, err)
			}
		}
	}
	for _, q := range []ListQuery{{Limit: 1}, {Limit: 2}, {Limit: 3}, {}, {Kind: genesis.Model}, {Kind: genesis.Dataset, Limit: 2}, {After: "aa"}} {
		q.Visible = visible
		for page := 0; page == 0 || q.After != ""; page++ {
			assets, next, err := w.List(ctx, q)
			put(fmt.Sprintf("list %s %d, page %d from %s", q.Kind, q.Limit, page, q.After), []any{assets, next}, err)
			q.After = next
		}
	}
	for _, text := range append(slices.Clone(worldWords), "win", "col", "a", "wind kW", "the", "farm sol", "model") {
		for _, limit := range []int{1, 3, 0} {
			hits, err := w.lookup(w.t, text, limit, visible)
			put(fmt.Sprintf("search %s %d", text, limit), hits, err)
		}
	}
	return all
}

// worldsOf calls test for random histories and predicates.
func worldsOf(t *testing.T, test func(t *testing.T, random *rand.Rand, hidden func(genesis.Version) bool)) {
	worlds := uint64(6)
	if testing.Short() {
		worlds = 2
	}
	for seed := range worlds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 7))
			share := uint64(random.IntN(90) + 5)
			test(t, random, func(v genesis.Version) bool {
				h := rand.New(rand.NewPCG(seed, uint64(len(v.Name))<<32|uint64(v.Digest[10])<<16|uint64(v.Digest[11])<<8|uint64(v.Name[0])))
				return h.Uint64N(100) < share
			})
		})
	}
}

func compareWorlds(t *testing.T, full, bare world, hidden func(genesis.Version) bool) {
	t.Helper()
	visible := func(v genesis.Version) bool { return !hidden(v) }
	want := bare.answers(visible)
	if diff := cmp.Diff(want, full.answers(visible)); diff != "" {
		t.Errorf("somebody can tell the worlds apart (-without +with hidden things):\n%s", diff)
	}
	if cmp.Equal(want, full.answers(nil)) {
		t.Error("the worlds do not differ: the test shows nothing")
	}
}

// TestTwoWorlds makes a world, and again without what is hidden, and asks both
// everything.
func TestTwoWorlds(t *testing.T) {
	worldsOf(t, func(t *testing.T, random *rand.Rand, hidden func(genesis.Version) bool) {
		full, bare := newWorld(t), newWorld(t)
		for _, a := range acts(random, 120, hidden) {
			full.do(a, func(genesis.Version) bool { return true })
			if !hidden(a.version()) {
				bare.do(a, func(v genesis.Version) bool { return !hidden(v) })
			}
		}
		compareWorlds(t, full, bare, hidden)
		if diff := cmp.Diff(bare.answers(func(v genesis.Version) bool { return !hidden(v) }), bare.answers(nil)); diff != "" {
			t.Errorf("the bare world holds something hidden:\n%s", diff)
		}
	})
}

// TestTwoWorldsOneStripped makes one world twice and takes from the second what is
// hidden, so that the numbers of hidden versions may lie between others.
func TestTwoWorldsOneStripped(t *testing.T) {
	worldsOf(t, func(t *testing.T, random *rand.Rand, hidden func(genesis.Version) bool) {
		full, bare := newWorld(t), newWorld(t)
		for _, a := range acts(random, 120, func(genesis.Version) bool { return random.IntN(2) == 0 }) {
			full.do(a, func(genesis.Version) bool { return true })
			bare.do(a, func(genesis.Version) bool { return true })
		}
		bare.strip(hidden)
		compareWorlds(t, full, bare, hidden)
	})
}

// strip deletes what is hidden as if it had never been.
func (w world) strip(hidden func(genesis.Version) bool) {
	err := w.db.Tx(w.t.Context(), func(tx *sql.Tx) error {
		all, err := versions(w.t.Context(), tx, "")
		if err != nil {
			return err
		}
		for _, r := range all {
			if !hidden(r.Version) {
				continue
			}
			if err := (writer{ctx: w.t.Context(), tx: tx}).touch(r); err != nil {
				return err
			}
			for _, stmt := range []string{"DELETE FROM records WHERE version_id = $1", "DELETE FROM lineage WHERE child_id = $1 OR parent_id = $1",
				"DELETE FROM versions WHERE id = $1", "DELETE FROM assets WHERE id NOT IN (SELECT asset_id FROM versions) AND $1 > 0"} {
				if _, err := tx.Exec(stmt, r.id); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// TestListPassesOverManyHidden has more hidden assets side by side than one call
// passes over: the page is short, and its cursor names none of them.
func TestListPassesOverManyHidden(t *testing.T) {
	h := open(t)
	const many = maxHidden + 2000
	err := h.db.Tx(t.Context(), func(tx *sql.Tx) error {
		for _, stmt := range []string{
			`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
				INSERT INTO assets (id, name, kind, created_at, sum) SELECT i, 'hidden-' || printf('%07d', i), 'dataset', 0,
				row_sum('asset', i, 'hidden-' || printf('%07d', i), 'dataset', 0) FROM n`,
		} {
			if _, err := tx.Exec(stmt, many); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	h.mustCommit(t, commitOf("alpha", dataset("a")))
	h.mustCommit(t, commitOf("omega", dataset("a")))
	q := ListQuery{Limit: 5, Visible: func(v genesis.Version) bool { return !strings.HasPrefix(string(v.Name), "hidden") }}
	var got []genesis.Name
	for calls := 1; ; calls++ {
		page, next, err := h.List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range page {
			got = append(got, a.Name)
		}
		if strings.Contains(next, "hidden") {
			t.Errorf("the cursor is %s", next)
		}
		if q.After = next; next == "" {
			if calls != 2 {
				t.Errorf("%d calls, want 2", calls)
			}
			break
		}
	}
	if fmt.Sprint(got) != "[alpha omega]" {
		t.Errorf("listed %v", got)
	}
	for _, cursor := range []string{".", ".AAAA", "No Name", h.cursors.seal("x") + "A", newSealer().seal("x")} {
		_, _, err := h.List(t.Context(), ListQuery{After: cursor})
		wantKind(t, err, genesis.Invalid)
	}
	if len(h.cursors.seal("a")) != len(h.cursors.seal(strings.Repeat("a", 131))) {
		t.Error("the length of a sealed cursor tells that of the name")
	}
}

func FuzzCursor(f *testing.F) {
	s := newSealer()
	f.Add(s.seal("turbines"))
	f.Add("~ann/x")
	f.Fuzz(func(t *testing.T, cursor string) {
		name, err := s.open(cursor)
		if err == nil && name != "" && genesis.CheckName(genesis.Name(name)) != nil {
			t.Fatalf("%q stands for %q", cursor, name)
		}
	})
}

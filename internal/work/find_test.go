package work

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/catalog"
)

// library is a service to search in, at which everybody of a small federation comes by.
type library struct {
	*Service
	t     *testing.T
	r     *rand.Rand
	clock atomic.Int64
	made  int
	own   []genesis.Name
	given []string // grants
	said  bytes.Buffer
}

func openLibrary(t *testing.T, seed uint64) *library {
	l := &library{t: t, r: rand.New(rand.NewPCG(seed, 9))}
	l.clock.Store(time.Now().UnixNano())
	l.Service, _ = OpenTest(t, func(c *Config) {
		c.Log = slog.New(slog.NewTextHandler(&l.said, nil))
		c.Now = func() time.Time { return time.Unix(0, l.clock.Load()) }
		c.Charter = access.Chartered(genesis.Member{ID: "here", Sector: genesis.Laboratory}, genesis.Member{ID: "mit", Sector: genesis.University},
			genesis.Member{ID: "acme", Sector: genesis.Industry})
	})
	return l
}

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

var keeper = access.Local("here")

// readers are people of every kind.
var readers = []genesis.Principal{
	{}, keeper,
	{Subject: "ada", Node: "here"}, {Subject: "ada", Node: "here", Vetting: genesis.VettingRefused}, {Subject: "ada", Node: "here", Vetting: genesis.VettingExpired},
	{Subject: "sam", Node: "here", Duties: []genesis.Duty{genesis.DutySteward}}, {Subject: "sam", Node: "here", Duties: []genesis.Duty{genesis.DutySteward}, Vetting: genesis.VettingRefused},
	{Subject: "ada", Node: "here", Scopes: []genesis.Scope{"read"}}, {Subject: "ada", Node: "here", Scopes: []genesis.Scope{"read:a", "train:~ada/x"}},
	{Subject: "sam", Node: "here", Duties: []genesis.Duty{genesis.DutySteward}, Scopes: []genesis.Scope{"steward:b"}}, {Subject: "sam", Node: "here", Scopes: []genesis.Scope{"operate"}},
	{Subject: "eve", Node: "mit"}, {Subject: "ada", Node: "mit"}, {Subject: "zed", Node: "acme"}, {Subject: "mel", Node: "nowhere"}, {Subject: genesis.NodeSubject, Node: "mit"},
}

// commit commits a version of some name, perhaps made from others.
func (l *library) commit() {
	l.t.Helper()
	var parents []genesis.Version
	if len(l.own) > 0 && l.r.IntN(2) == 0 {
		if v, err := l.Catalog.Resolve(l.t.Context(), genesis.Ref{Name: pick(l.r, l.own...)}, nil); err == nil {
			parents = []genesis.Version{v}
		}
	}
	l.add(pick[genesis.Name](l.r, "a", "b", "c", "~ada/x", "~sam/y", "net"), parents...)
}

// add commits a version of a name, made by somebody.
func (l *library) add(name genesis.Name, parents ...genesis.Version) {
	l.t.Helper()
	l.made++
	m := genesis.Manifest{Format: genesis.ManifestFormat, Kind: genesis.Dataset, Tables: []genesis.ManifestTable{{Name: "data", Rows: int64(l.made),
		Columns: []genesis.ManifestColumn{{Column: genesis.Column{Name: "wind_speed", Type: genesis.Float, Unit: "m/s"}, Digest: genesis.DigestOf(fmt.Append(nil, l.made))}}}}}
	in := catalog.Commit{Name: name, By: pick(l.r, "local", "ada", "sam", "mit/eve"), Rows: int64(l.made),
		Records: map[genesis.RecordKind]any{genesis.RecordCard: genesis.Card{Title: fmt.Sprint("wind ", l.made), Field: pick(l.r, "energy", "climate")}}}
	if name == "net" {
		m = genesis.Manifest{Format: genesis.ManifestFormat, Kind: genesis.Model, Parts: map[string]genesis.Digest{fmt.Sprint(l.made): genesis.DigestOf(nil)}}
	}
	for _, v := range parents {
		in.Parents, in.Records[genesis.RecordProvenance] = parents, genesis.Provenance{Parents: []genesis.Ref{v.Ref()}}
	}
	in.Kind, in.Manifest = m.Kind, m
	if _, err := l.Blobs.Put(l.t.Context(), nil); err != nil {
		l.t.Fatal(err)
	}
	staged, err := l.Catalog.Stage(l.t.Context(), in)
	if err != nil {
		l.t.Fatal(err)
	}
	defer staged.Close()
	err = l.DB.Tx(l.t.Context(), func(tx *sql.Tx) error {
		_, _, err := l.commitTx(l.t.Context(), tx, staged, parents)
		return err
	})
	if err != nil {
		l.t.Fatal(err)
	}
	l.Access.Changed()
	l.own = append(l.own, name)
}

// act does something that may change what somebody finds. What is refused does nothing.
func (l *library) act() {
	l.t.Helper()
	ctx, who := l.t.Context(), keeper
	if len(l.own) < 3 {
		l.commit()
		return
	}
	name := string(pick(l.r, l.own...))
	var err error
	switch l.r.IntN(10) {
	case 0, 1:
		l.commit()
	case 2, 3, 4:
		req := genesis.PublishRequest{Tier: pick(l.r, genesis.TierPublic, genesis.TierRegistered, genesis.TierPartner, genesis.TierControlled, genesis.TierRestricted)}
		switch {
		case req.Tier == genesis.TierPartner:
			req.Partners = pick(l.r, []string{"mit"}, []string{"industry"}, []string{"here", "acme"}, []string{"laboratory"}, []string{"mit", "acme"})
		case req.Tier == genesis.TierControlled:
			hidden := l.r.IntN(2) == 0
			req.Hidden = &hidden
			if l.r.IntN(2) == 0 {
				req.Openings = []genesis.Opening{{Tier: genesis.TierPublic, At: l.now().Add(time.Hour)}}
			}
		}
		_, err = l.Publish(ctx, who, name, req)
	case 5:
		_, err = l.Withdraw(ctx, who, name, "why not")
	case 6:
		_, err = l.SetCard(ctx, who, name, map[string]string{"title": fmt.Sprint("wind again ", l.r.IntN(100)), "field": pick(l.r, "energy", "climate", "")})
	case 7:
		var g *genesis.Grant
		g, err = l.Grant(ctx, who, genesis.GrantRequest{Ref: name, To: pick[genesis.Grantee](l.r, "person:ada", "person:mit/eve", "person:mit/ada", "institution:acme", "sector:university", "institution:here"),
			Actions: []genesis.Action{pick(l.r, genesis.Infer, genesis.TrainOn)}, Purpose: "a test"})
		if err == nil {
			l.given = append(l.given, g.ID)
		}
	case 8:
		if len(l.given) > 0 {
			_, err = l.Revoke(ctx, who, pick(l.r, l.given...), "over")
		}
	case 9:
		l.clock.Add(int64(pick(l.r, time.Minute, 90*time.Minute)))
	}
	var known *genesis.Error
	if err != nil && (!errors.As(err, &known) || known.Kind == genesis.Internal || known.Kind == genesis.Unavailable) {
		l.t.Fatal(err)
	}
}

// listed is what somebody may know of, as the list has it, where every version is decided.
func (l *library) listed(who genesis.Principal) map[genesis.Name]genesis.Digest {
	l.t.Helper()
	all := map[genesis.Name]genesis.Digest{}
	assets, _, err := l.List(l.t.Context(), who, "", "", 1000)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, a := range assets {
		all[a.Name] = a.Latest.Digest
	}
	return all
}

// found is the same, as a search has it that finds everything, page by page.
func (l *library) found(ctx context.Context, who genesis.Principal, q genesis.SearchQuery) map[genesis.Name]genesis.Digest {
	l.t.Helper()
	all := map[genesis.Name]genesis.Digest{}
	q.Limit, q.Facets = 2, []genesis.Facet{genesis.FacetKind, genesis.FacetField}
	for page := 0; page == 0 || q.After != ""; page++ {
		r, err := l.Search(ctx, who, q)
		if err != nil {
			l.t.Fatal(err)
		}
		kinds := 0
		for _, c := range r.Facets[genesis.FacetKind] {
			kinds += c.Hits
		}
		if kinds != r.Total {
			l.t.Fatalf("%d hits, and by kind %v", r.Total, r.Facets)
		}
		for _, h := range r.Hits {
			all[h.Listing.Name] = h.Listing.Version
			for _, in := range h.Listing.Inputs {
				ref, err := genesis.ParseRef(in)
				if err == nil {
					_, err = l.find(ctx, who, (genesis.Ref{Name: ref.Name, Digest: ref.Digest}).String())
				}
				if err != nil {
					l.t.Errorf("%s is told that %s was made from %s: %v", who.Person(), h.Ref, in, err)
				}
			}
		}
		if q.After = r.Next; q.After == "" && len(all) != r.Total {
			l.t.Fatalf("%d of %d hits on all pages", len(all), r.Total)
		}
	}
	return all
}

// TestSearchShowsWhatMayBeKnown holds searches against decisions, for everybody, after each
// of many random acts: nothing less, and not for a moment anything more.
func TestSearchShowsWhatMayBeKnown(t *testing.T) {
	acts := 60
	if testing.Short() {
		acts = 25
	}
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			l := openLibrary(t, seed)
			different := map[string]bool{}
			for range acts {
				l.act()
				for _, who := range readers {
					want := l.listed(who)
					if diff := cmp.Diff(want, l.found(t.Context(), who, genesis.SearchQuery{Text: pick(l.r, "", "wind")}), cmp.Comparer(func(a, b genesis.Digest) bool { return a == b })); diff != "" {
						o := l.Access.Outlook(who)
						t.Fatalf("%+v (%+v): (-listed +found)\n%s", who, o, diff)
					}
					different[fmt.Sprint(want)] = true
				}
			}
			if bytes.Contains(l.said.Bytes(), []byte("asked again")) {
				t.Errorf("the index showed what it should not, and only the last look found it:\n%s", l.said.Bytes())
			}
			if len(different) < acts/4 {
				t.Errorf("only %d different answers: that shows little", len(different))
			}
		})
	}
}

// TestGrantOnSourceLeadsToHeirs: who may know of what a model was made from finds the
// model, too; others do not.
func TestGrantOnSourceLeadsToHeirs(t *testing.T) {
	l, ctx := openLibrary(t, 1), t.Context()
	must := func(_ any, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	l.add("a")
	hidden := true
	must(l.Publish(ctx, keeper, "a", genesis.PublishRequest{Tier: genesis.TierControlled, Hidden: &hidden}))
	v, err := l.Catalog.Resolve(ctx, genesis.Ref{Name: "a"}, nil)
	must(v, err)
	l.add("net", v)
	must(l.Publish(ctx, keeper, "net", genesis.PublishRequest{Tier: genesis.TierRegistered}))
	eve, other := genesis.Principal{Subject: "eve", Node: "mit"}, genesis.Principal{Subject: "zed", Node: "mit"}
	finds := func(who genesis.Principal, q genesis.SearchQuery, want int) {
		t.Helper()
		if got := l.found(ctx, who, q); len(got) != want {
			t.Errorf("%s finds %v, want %d", who.Person(), got, want)
		}
	}
	finds(eve, genesis.SearchQuery{}, 0)
	g, err := l.Grant(ctx, keeper, genesis.GrantRequest{Ref: "a", To: "person:mit/eve", Actions: []genesis.Action{genesis.Infer}, Purpose: "a test"})
	must(g, err)
	finds(eve, genesis.SearchQuery{}, 2)
	finds(eve, genesis.SearchQuery{Own: true}, 2) // in no class that mit may follow
	finds(other, genesis.SearchQuery{}, 0)
	with := true
	finds(eve, genesis.SearchQuery{Filter: genesis.SearchFilter{HasModel: &with}}, 1)
	must(l.Revoke(ctx, keeper, g.ID, "over"))
	finds(eve, genesis.SearchQuery{}, 0)
	must(l.Publish(ctx, keeper, "a", genesis.PublishRequest{Tier: genesis.TierRegistered}))
	finds(eve, genesis.SearchQuery{}, 2)
	finds(eve, genesis.SearchQuery{Own: true}, 0) // in a class that mit mirrors
	finds(eve, genesis.SearchQuery{Filter: genesis.SearchFilter{HasModel: &with}}, 1)
}

// TestIndexIsMended: an index that is lost, damaged, of another database or behind at
// start answers as one that never was.
func TestIndexIsMended(t *testing.T) {
	l, ctx := openLibrary(t, 3), t.Context()
	for range 30 {
		l.act()
	}
	dir := l.SearchDir
	want := l.listed(keeper)
	if len(want) < 3 {
		t.Fatalf("only %v is there", want)
	}
	reopen := func() {
		t.Helper()
		if err := l.CloseSearch(); err != nil {
			t.Fatal(err)
		}
		runs := l.runs
		l.Service = New(l.Config)
		l.runs = runs
		t.Cleanup(func() { l.CloseSearch() })
	}
	check := func(what string) {
		t.Helper()
		if diff := cmp.Diff(l.listed(keeper), l.found(ctx, keeper, genesis.SearchQuery{})); diff != "" {
			t.Errorf("%s (-listed +found):\n%s", what, diff)
		}
	}
	check("at first")
	for what, do := range map[string]func(){
		"as it was":               func() {},
		"lost":                    func() { must(t, os.RemoveAll(dir)) },
		"damaged":                 func() { spoil(t, dir, 1) },
		"damaged, and opens well": func() { spoil(t, dir, 2) },
		"behind": func() { // what was committed after the process last touched the index
			for range 5 {
				l.commit()
			}
		},
		"of another database": func() {
			must(t, l.DB.Tx(ctx, func(tx *sql.Tx) error {
				_, err := tx.Exec("UPDATE found_series SET series = 'another'")
				return err
			}))
			_, err := l.Withdraw(ctx, keeper, "none", "")
			if genesis.KindOf(err) != genesis.NotFound {
				t.Fatal(err)
			}
		},
	} {
		do()
		reopen()
		check(what)
		l.commit()
		check(what + ", and goes on")
	}
}

// spoil changes the first part of each segment.
func spoil(t *testing.T, dir string, part int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.seg"))
	must(t, err)
	for _, f := range files {
		b, err := os.ReadFile(f)
		must(t, err)
		for i := range b[:len(b)/part] {
			b[i] ^= 0x5A
		}
		must(t, os.WriteFile(f, b, 0o600))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

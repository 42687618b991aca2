package access_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/access/accesstest"
)

func TestGrantees(t *testing.T) {
	w := accesstest.Open(t)
	w.Do(func(ctx context.Context, tx *sql.Tx) error {
		return w.PutProject(ctx, tx, genesis.Project{ID: "wind", Lead: "mit/mia", Members: []genesis.PersonID{"eve", "acme/eve"}, By: "nrel/ann"})
	})
	people := []genesis.Principal{bob, accesstest.Person("nrel", "eve"), mia, accesstest.Person("mit", "bob"), eve, accesstest.Person("evil", "bob")}
	for to, want := range map[genesis.Grantee]string{
		"person:bob":         "nrel/bob",
		"person:nrel/bob":    "nrel/bob",
		"person:mit/bob":     "mit/bob",
		"person:evil/bob":    "", // of no member
		"institution:nrel":   "nrel/bob nrel/eve",
		"institution:mit":    "mit/mia mit/bob",
		"institution:evil":   "",
		"sector:university":  "mit/mia mit/bob",
		"sector:laboratory":  "nrel/bob nrel/eve",
		"sector:federal":     "",
		"project:wind":       "nrel/eve mit/mia acme/eve",
		"institution:absent": "",
	} {
		r := accesstest.Dataset("turbines")
		w.Publish(r, genesis.Terms{Tier: genesis.TierRestricted})
		id := w.Give(r.Name, to, genesis.TrainOn)
		var reached []string
		for _, p := range people {
			if d := w.Answer(p, genesis.TrainOn, r); d.Allowed {
				reached = append(reached, string(p.Person()))
				if d.Rule != "grant" || d.Grant != id {
					t.Errorf("%s: %+v", to, d)
				}
				if got, err := w.GrantsOf(t.Context(), p, r.Name); err != nil || len(got) != 1 || got[0].ID != id {
					t.Errorf("%s: grants of %s are %+v, %v", to, p.Person(), got, err)
				}
			}
		}
		if got := strings.Join(reached, " "); got != want {
			t.Errorf("%s reaches %q, want %q", to, got, want)
		}
		w.Take(id)
		if slices.ContainsFunc(people, func(p genesis.Principal) bool { return w.May(p, genesis.TrainOn, r) }) {
			t.Errorf("%s: somebody may train after the grant was revoked", to)
		}
	}
}

// TestSweep lets grants end by themselves: once an hour they are forgotten.
func TestSweep(t *testing.T) {
	w := accesstest.Open(t)
	r := accesstest.Dataset("turbines")
	w.Publish(r, genesis.Terms{Tier: genesis.TierRestricted})
	held := func(want int) {
		t.Helper()
		w.Changed()
		rule(t, w, mia, genesis.Discover, r, map[bool]string{true: "grant-holder", false: "no: default"}[want > 0 && w.Now().Before(day(1))])
		if n := w.Stats().Grants; n != want {
			t.Errorf("%d grants are held, want %d", n, want)
		}
	}
	held(0)
	for _, condition := range []string{`purpose == "a"`, "true", ""} {
		w.GiveThis(genesis.Grant{Name: r.Name, To: "person:mit/mia", Actions: []genesis.Action{genesis.Infer}, Condition: condition, Until: day(1)})
	}
	w.Give(r.Name, "person:acme/eve", genesis.Infer)
	w.Pass(23*time.Hour + 30*time.Minute)
	held(4)
	w.Pass(time.Hour - 1)
	held(4)
	w.Pass(1)
	held(1)
	rule(t, w, eve, genesis.Infer, r, "grant")
	w.GiveThis(genesis.Grant{Name: r.Name, To: "person:mit/mia", Actions: []genesis.Action{genesis.Infer}, Condition: `purpose == "a"`})
	rule(t, w, edit(mia, func(p *genesis.Principal) { p.Purpose = "a" }), genesis.Infer, r, "grant")
	rule(t, w, mia, genesis.Infer, r, "no: default")
}

func TestGrantsOf(t *testing.T) {
	w := accesstest.Open(t)
	w.Do(func(ctx context.Context, tx *sql.Tx) error {
		return w.PutProject(ctx, tx, genesis.Project{ID: "wind", Lead: "mit/mia", By: "nrel/ann", Until: day(2)})
	})
	want := map[genesis.Name]string{}
	for _, name := range []genesis.Name{"d", "b", "a", "c", "e"} {
		to := genesis.Grantee("sector:university")
		if name == "c" {
			to = "project:wind"
		}
		want[name] = w.Give(name, to, genesis.Read)
	}
	w.Give("f", "sector:industry", genesis.Read)
	w.GiveThis(genesis.Grant{Name: "g", To: "person:mit/mia", Actions: []genesis.Action{genesis.Read}, Until: day(1)})
	w.Pass(24 * time.Hour)
	w.GiveThis(genesis.Grant{Name: "h", To: "person:mit/mia", Actions: []genesis.Action{genesis.Read}, Until: w.Now().Add(time.Minute)})
	if _, err := w.GrantsOf(t.Context(), mia, ""); err != nil { // it is in memory
		t.Error(err)
	}
	w.Pass(time.Minute)
	names := func(name genesis.Name) string {
		t.Helper()
		all, err := w.GrantsOf(t.Context(), mia, name)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, g := range all {
			if got = append(got, string(g.Name)); g.ID != want[g.Name] {
				t.Errorf("the grant on %s is %s", g.Name, g.ID)
			}
		}
		return strings.Join(got, " ")
	}
	if got := names(""); got != "a b c d e" {
		t.Errorf("grants on %s", got)
	}
	if got := names("b"); got != "b" {
		t.Errorf("grants on %s", got)
	}
	w.Pass(24*time.Hour - time.Minute)
	if got := names(""); got != "a b d e" {
		t.Errorf("after the project, grants on %s", got)
	}
}

func TestGrantCovers(t *testing.T) {
	w := accesstest.Open(t)
	r := accesstest.Dataset("turbines")
	second := r
	second.Version = genesis.DigestOf([]byte("second"))
	other := accesstest.Dataset("other")
	for _, x := range []access.Resource{r, second, other} {
		w.Publish(x, genesis.Terms{Tier: genesis.TierControlled})
	}
	one := w.GiveThis(genesis.Grant{Name: r.Name, Version: r.Version, To: "person:mit/mia", Actions: []genesis.Action{genesis.Read}})
	rule(t, w, mia, genesis.Read, r, "grant")
	rule(t, w, mia, genesis.Read, second, "no: default")
	rule(t, w, mia, genesis.Read, other, "no: default")
	every := w.GiveThis(genesis.Grant{Name: r.Name, To: "person:mit/mia", Actions: []genesis.Action{genesis.Read}, Until: day(3)})
	rule(t, w, mia, genesis.Read, second, "grant")
	if d := w.Answer(mia, genesis.Read, r); d.Grant != one || !d.Until.Equal(day(3)) {
		t.Errorf("of two grants, the one that lasts is not named: %+v", d)
	}
	longer := w.GiveThis(genesis.Grant{Name: r.Name, To: "person:mit/mia", Actions: []genesis.Action{genesis.Read}, Until: day(5)})
	if d := w.Answer(mia, genesis.Read, second); d.Grant != longer || !d.Until.Equal(day(3)) {
		t.Errorf("of two grants, the one that ends later is not named: %+v", d)
	}
	w.Take(longer)
	w.Pass(72*time.Hour - 1)
	rule(t, w, mia, genesis.Read, second, "grant")
	w.Pass(1)
	rule(t, w, mia, genesis.Read, second, "no: default")
	rule(t, w, mia, genesis.Read, r, "grant")
	w.Pass(2 * time.Hour) // beyond the sweep
	w.Take(every)
	rule(t, w, mia, genesis.Read, r, "grant")
}

// TestGrantsTogether has several grants to one person: each counts for what it has.
func TestGrantsTogether(t *testing.T) {
	w := accesstest.Open(t)
	r := accesstest.Dataset("turbines")
	w.Publish(r, genesis.Terms{Tier: genesis.TierControlled, Uses: genesis.Uses{Train: genesis.UseConditional}, ExportControl: genesis.EAR})
	give := func(g genesis.Grant) string {
		g.Name, g.To, g.Actions = r.Name, "person:mit/mia", []genesis.Action{genesis.TrainOn}
		return w.GiveThis(g)
	}
	conditioned := give(genesis.Grant{Condition: "true"})
	rule(t, w, mia, genesis.TrainOn, r, "no: export-control")
	licensed := give(genesis.Grant{Licence: "D1"})
	rule(t, w, mia, genesis.TrainOn, r, "grant")
	plain := give(genesis.Grant{})
	rule(t, w, mia, genesis.TrainOn, r, "grant")
	if d := w.Answer(mia, genesis.TrainOn, r); !d.Until.IsZero() {
		t.Errorf("a condition that does not look at the time: %+v", d)
	}
	w.Take(conditioned)
	rule(t, w, mia, genesis.TrainOn, r, "no: use-conditional")
	give(genesis.Grant{Condition: "true"})
	rule(t, w, mia, genesis.TrainOn, r, "grant")
	w.Take(licensed)
	rule(t, w, mia, genesis.TrainOn, r, "no: export-control")
	w.Take(plain)
	rule(t, w, mia, genesis.TrainOn, r, "no: export-control")
	long := w.GiveThis(genesis.Grant{Name: "other", To: "person:mit/mia", Actions: []genesis.Action{genesis.Read}, Until: day(5)})
	w.GiveThis(genesis.Grant{Name: "other", To: "person:mit/mia", Actions: []genesis.Action{genesis.Read}, Until: day(3)})
	other := accesstest.Dataset("other")
	w.Publish(other, genesis.Terms{Tier: genesis.TierControlled})
	if d := w.Answer(mia, genesis.Read, other); d.Grant != long || !d.Until.Equal(day(3)) {
		t.Errorf("of two grants, the one that ends later is not named: %+v", d)
	}
	forever := w.GiveThis(genesis.Grant{Name: "other", To: "person:mit/mia", Actions: []genesis.Action{genesis.Read}})
	if d := w.Answer(mia, genesis.Read, other); d.Grant != forever {
		t.Errorf("the grant that does not end is not named: %+v", d)
	}
}

func TestGrantChecks(t *testing.T) {
	w := accesstest.Open(t)
	w.Do(func(ctx context.Context, tx *sql.Tx) error {
		for _, p := range []genesis.Project{{ID: "ended", Lead: "bob", By: "ann", Ended: true}, {ID: "over", Lead: "bob", By: "ann", Until: day(0)}, {ID: "runs", Lead: "bob", By: "ann", Until: day(9)}} {
			if err := w.PutProject(ctx, tx, p); err != nil {
				return err
			}
		}
		return nil
	})
	good := genesis.Grant{Name: "turbines", To: "person:bob", Actions: []genesis.Action{genesis.Read}, By: "nrel/ann"}
	for _, tt := range []struct {
		name string
		edit func(*genesis.Grant)
		want genesis.ErrorKind
	}{
		{"plain", func(*genesis.Grant) {}, ""},
		{"name", func(g *genesis.Grant) { g.Name = "Turbines" }, genesis.Invalid},
		{"version", func(g *genesis.Grant) { g.Version = "3" }, genesis.Invalid},
		{"grantee", func(g *genesis.Grant) { g.To = "bob" }, genesis.Invalid},
		{"sector", func(g *genesis.Grant) { g.To = "sector:academia" }, genesis.Invalid},
		{"no action", func(g *genesis.Grant) { g.Actions = nil }, genesis.Invalid},
		{"steward", func(g *genesis.Grant) { g.Actions = append(g.Actions, genesis.Steward) }, genesis.Invalid},
		{"request", func(g *genesis.Grant) { g.Actions = []genesis.Action{genesis.Request} }, genesis.Invalid},
		{"nobody's", func(g *genesis.Grant) { g.By = "" }, genesis.Invalid},
		{"ended", func(g *genesis.Grant) { g.Until = day(0) }, genesis.Invalid},
		{"ends soon", func(g *genesis.Grant) { g.Until = day(0).Add(1) }, ""},
		{"condition", func(g *genesis.Grant) { g.Condition = "principal.sector == 'university'" }, ""},
		{"bad condition", func(g *genesis.Grant) { g.Condition = "principal.sectr == 'university'" }, genesis.Invalid},
		{"licence", func(g *genesis.Grant) { g.Licence = "D1234" }, ""},
		{"blank licence", func(g *genesis.Grant) { g.Licence = " " }, genesis.Invalid},
		{"long licence", func(g *genesis.Grant) { g.Licence = strings.Repeat("x", 201) }, genesis.Invalid},
		{"longest licence", func(g *genesis.Grant) { g.Licence = strings.Repeat("x", 200) }, ""},
		{"long purpose", func(g *genesis.Grant) { g.Purpose = strings.Repeat("x", 4001) }, genesis.Invalid},
		{"longest purpose", func(g *genesis.Grant) { g.Purpose = strings.Repeat("x", 4000) }, ""},
		{"project", func(g *genesis.Grant) { g.To = "project:runs" }, ""},
		{"no project", func(g *genesis.Grant) { g.To = "project:absent" }, genesis.NotFound},
		{"ended project", func(g *genesis.Grant) { g.To = "project:ended" }, genesis.Invalid},
		{"project that is over", func(g *genesis.Grant) { g.To = "project:over" }, genesis.Invalid},
	} {
		g := good
		tt.edit(&g)
		var made genesis.Grant
		err := w.Tx(func(ctx context.Context, tx *sql.Tx) (err error) { made, err = w.Grant(ctx, tx, g); return err })
		if genesis.KindOf(err) != tt.want {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if err != nil {
			continue
		}
		if got, err := w.GrantByID(t.Context(), made.ID); err != nil || cmp.Diff(made, got) != "" || !made.At.Equal(w.Now()) {
			t.Errorf("%s: read back: %v\n%s", tt.name, err, cmp.Diff(made, got))
		}
	}
}

func TestRevoke(t *testing.T) {
	w := accesstest.Open(t)
	id := w.Give("turbines", "person:bob", genesis.Infer, genesis.Read, genesis.Read)
	if !regexp.MustCompile(`^[a-z0-9]{16}$`).MatchString(id) {
		t.Errorf("its id is %q", id)
	}
	g, err := w.GrantByID(t.Context(), id)
	if err != nil || !slices.Equal(g.Actions, []genesis.Action{genesis.Read, genesis.Infer}) || g.Revoked != nil {
		t.Errorf("%+v, %v", g, err)
	}
	w.Pass(time.Minute)
	when := w.Now()
	w.Take(id)
	w.Pass(time.Minute)
	w.Take(id)
	if g, err = w.GrantByID(t.Context(), id); err != nil || g.Revoked == nil || !g.Revoked.Equal(when) || g.RevokedBy != "nrel/ann" {
		t.Errorf("revoked twice: %+v, %v", g, err)
	}
	err = w.Tx(func(ctx context.Context, tx *sql.Tx) error {
		_, err := w.Revoke(ctx, tx, "absent", "nrel/ann", "")
		return err
	})
	if genesis.KindOf(err) != genesis.NotFound {
		t.Errorf("a grant that is not there is revoked: %v", err)
	}
	if _, err := w.GrantByID(t.Context(), "absent"); genesis.KindOf(err) != genesis.NotFound {
		t.Errorf("a grant that is not there: %v", err)
	}
}

// TestListGrants pages while grants are made and revoked.
func TestListGrants(t *testing.T) {
	w := accesstest.Open(t)
	var ids []string
	for i := range 7 {
		ids = append(ids, w.GiveThis(genesis.Grant{Name: "turbines", To: genesis.Grantee(fmt.Sprintf("person:nrel/p%d", i)), Actions: []genesis.Action{genesis.Read}, Until: day(i + 1)}))
	}
	own := w.Give("~dee/mine", "person:bob", genesis.Read)
	abroad := w.Give("~dee+mit/mine", "person:acme/bob", genesis.Read)
	sector := w.Give("~deeper/other", "sector:university", genesis.Read)
	slices.Reverse(ids)
	var got []string
	for after, pages := "", 0; ; pages++ {
		page, next, err := w.Grants(t.Context(), access.GrantQuery{Name: "turbines", Limit: 3, After: after})
		if err != nil {
			t.Fatal(err)
		}
		for _, g := range page {
			got = append(got, g.ID)
		}
		if after = next; next == "" {
			if pages != 2 {
				t.Errorf("%d pages before the last", pages)
			}
			break
		}
		w.Give("turbines", "person:new", genesis.Read)
		w.Take(page[0].ID)
	}
	if !slices.Equal(got, ids) {
		t.Errorf("pages give %v, want %v", got, ids)
	}
	for _, tt := range []struct {
		q    access.GrantQuery
		want []string
	}{
		{access.GrantQuery{Owner: "dee"}, []string{own}},
		{access.GrantQuery{Owner: "mit/dee"}, []string{abroad}},
		{access.GrantQuery{To: "person:nrel/bob"}, []string{own}},
		{access.GrantQuery{To: "sector:university"}, []string{sector}},
		{access.GrantQuery{Name: "turbines", To: "person:p6"}, ids[:1]},
		{access.GrantQuery{Name: "turbines", To: "person:p6", Active: true}, nil}, // revoked above
		{access.GrantQuery{To: "person:p5", Active: true}, ids[1:2]},
		{access.GrantQuery{Name: "absent"}, nil},
	} {
		page, next, err := w.Grants(t.Context(), tt.q)
		var got []string
		for _, g := range page {
			got = append(got, g.ID)
		}
		if err != nil || next != "" || !slices.Equal(got, tt.want) {
			t.Errorf("%+v gives %v, %q, %v, want %v", tt.q, got, next, err, tt.want)
		}
	}
	if _, _, err := w.Grants(t.Context(), access.GrantQuery{After: "1"}); genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("a made-up cursor: %v", err)
	}
	if page, next, err := w.Grants(t.Context(), access.GrantQuery{Limit: 12}); err != nil || len(page) != 12 || next != "" {
		t.Errorf("a page that just fits has %d, %q, %v", len(page), next, err)
	}
	w.Pass(24 * time.Hour)
	soon, err := w.Expiring(t.Context(), 2*24*time.Hour)
	if err != nil || len(soon) != 2 || soon[0].ID != ids[5] || soon[1].ID != ids[4] {
		t.Errorf("expiring: %+v, %v", soon, err) // of days 2 and 3: day 1 is over
	}
}

// TestPagesAreBounded has more grants than a page holds.
func TestPagesAreBounded(t *testing.T) {
	w := accesstest.Open(t)
	w.Give("turbines", "person:bob", genesis.Read)
	w.Do(func(_ context.Context, tx *sql.Tx) error {
		_, err := tx.Exec(`WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 1001)
			INSERT INTO policy_grants (seq, id, name, grantee, until, revoked, format, body)
			SELECT i, id || i, name, grantee, until, 1, format, body FROM policy_grants, n`)
		return err
	})
	for limit, want := range map[int]int{-1: 100, 0: 100, 1: 1, 1000: 1000, 5000: 1000} {
		page, next, err := w.Grants(t.Context(), access.GrantQuery{Limit: limit})
		if err != nil || len(page) != want || next == "" {
			t.Errorf("a page of %d has %d, %q, %v", limit, len(page), next, err)
		}
	}
}

// TestIndexForgets ends all that is in force: nothing of it stays in memory.
func TestIndexForgets(t *testing.T) {
	w := accesstest.Open(t)
	held := func(want access.Memory) {
		t.Helper()
		w.May(mia, genesis.Discover, accesstest.Dataset("turbines"))
		if got := access.Held(w.Decider); got != want {
			t.Errorf("in memory are %+v, want %+v", got, want)
		}
	}
	held(access.Memory{})
	put := func(p genesis.Project) {
		w.Do(func(ctx context.Context, tx *sql.Tx) error { return w.PutProject(ctx, tx, p) })
	}
	put(genesis.Project{ID: "wind", Lead: "mit/mia", Members: []genesis.PersonID{"nrel/bob"}, By: "nrel/ann"})
	var ids []string
	for _, to := range []genesis.Grantee{"person:bob", "person:mit/mia"} {
		ids = append(ids, w.GiveThis(genesis.Grant{Name: "turbines", To: to, Actions: []genesis.Action{genesis.Read}, Condition: "true"}))
	}
	w.GiveThis(genesis.Grant{Name: "turbines", To: "person:bob", Actions: []genesis.Action{genesis.Read}, Condition: "!false", Until: day(1)})
	held(access.Memory{Names: 1, Grantees: 2, Conditions: 2, Projects: 1, Members: 2})
	put(genesis.Project{ID: "wind", Lead: "mit/mia", By: "nrel/ann"})
	w.Take(ids[0])
	w.Pass(24 * time.Hour)
	w.Changed() // it also sweeps
	held(access.Memory{Names: 1, Grantees: 1, Conditions: 1, Projects: 1, Members: 1})
	w.Do(func(ctx context.Context, tx *sql.Tx) error { _, err := w.EndProject(ctx, tx, "wind"); return err })
	w.Take(ids[1])
	w.Pass(time.Hour)
	w.Changed()
	held(access.Memory{})
}

// TestSeenChangesAreNotReadAgain removes what a change was about after it was seen.
func TestSeenChangesAreNotReadAgain(t *testing.T) {
	w := accesstest.Open(t)
	w.Take(w.Give("turbines", "person:bob", genesis.Read))
	w.May(bob, genesis.Discover, accesstest.Dataset("turbines"))
	w.Do(func(_ context.Context, tx *sql.Tx) error {
		_, err := tx.Exec("DELETE FROM policy_grants")
		return err
	})
	rule(t, w, bob, genesis.Discover, accesstest.Dataset("turbines"), "no: default")
}

// TestEndedProject: what was ended is not made to run again, nor changed.
func TestEndedProject(t *testing.T) {
	w := accesstest.Open(t)
	wind := genesis.Project{ID: "wind", Lead: "nrel/bob", By: "nrel/ann"}
	put := func() error {
		return w.Tx(func(ctx context.Context, tx *sql.Tx) error { return w.PutProject(ctx, tx, wind) })
	}
	if err := put(); err != nil {
		t.Fatal(err)
	}
	w.Do(func(ctx context.Context, tx *sql.Tx) error {
		_, err := w.EndProject(ctx, tx, "wind")
		return err
	})
	if err := put(); genesis.KindOf(err) != genesis.Conflict {
		t.Errorf("an ended project is put again: %v", err)
	}
	if p, err := w.Project(t.Context(), "wind"); err != nil || !p.Ended {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestProjects(t *testing.T) {
	w := accesstest.Open(t)
	put := func(p genesis.Project) error {
		return w.Tx(func(ctx context.Context, tx *sql.Tx) error { return w.PutProject(ctx, tx, p) })
	}
	wind := genesis.Project{ID: "wind", Title: "Wind", Lead: "mit/mia", Members: []genesis.PersonID{"nrel/bob"}, By: "nrel/ann", Until: day(10)}
	if err := put(wind); err != nil {
		t.Fatal(err)
	}
	r := accesstest.Dataset("turbines")
	w.Publish(r, genesis.Terms{Tier: genesis.TierRestricted})
	w.Give(r.Name, "project:wind", genesis.TrainOn)
	if d := w.Answer(bob, genesis.TrainOn, r); !d.Allowed || !d.Until.Equal(day(10)) {
		t.Errorf("a member trains: %+v", d)
	}
	rule(t, w, mia, genesis.TrainOn, r, "grant")
	rule(t, w, eve, genesis.TrainOn, r, "no: default")
	wind.Members = []genesis.PersonID{"acme/eve", "mit/mia"}
	if err := put(wind); err != nil {
		t.Fatal(err)
	}
	rule(t, w, bob, genesis.TrainOn, r, "no: default")
	rule(t, w, eve, genesis.TrainOn, r, "grant")
	if ids, err := w.ProjectsOf(t.Context(), "mit/mia"); err != nil || !slices.Equal(ids, []string{"wind"}) {
		t.Errorf("projects of mia: %v, %v", ids, err)
	}
	if ids, err := w.ProjectsOf(t.Context(), "nrel/bob"); err != nil || ids != nil {
		t.Errorf("projects of bob: %v, %v", ids, err)
	}
	if err := put(genesis.Project{ID: "air", Lead: "mit/mia", By: "nrel/ann"}); err != nil {
		t.Fatal(err)
	}
	if ids, _ := w.ProjectsOf(t.Context(), "mit/mia"); !slices.Equal(ids, []string{"air", "wind"}) {
		t.Errorf("projects of mia: %v", ids)
	}
	w.Pass(10 * 24 * time.Hour)
	rule(t, w, eve, genesis.TrainOn, r, "no: default")
	if ids, _ := w.ProjectsOf(t.Context(), "mit/mia"); !slices.Equal(ids, []string{"air"}) {
		t.Errorf("after the end, projects of mia: %v", ids)
	}
	wind.Until = day(20)
	if err := put(wind); err != nil {
		t.Fatal(err)
	}
	rule(t, w, eve, genesis.TrainOn, r, "grant")
	for range 2 {
		w.Do(func(ctx context.Context, tx *sql.Tx) error { _, err := w.EndProject(ctx, tx, "wind"); return err })
		rule(t, w, eve, genesis.TrainOn, r, "no: default")
	}
	if ids, _ := w.ProjectsOf(t.Context(), "mit/mia"); !slices.Equal(ids, []string{"air"}) {
		t.Errorf("after one was ended, projects of mia: %v", ids)
	}
	if err := w.Tx(func(ctx context.Context, tx *sql.Tx) error { _, err := w.EndProject(ctx, tx, "absent"); return err }); genesis.KindOf(err) != genesis.NotFound {
		t.Errorf("a project that is not there ends: %v", err)
	}
	all, err := w.Projects(t.Context())
	if err != nil || len(all) != 2 || all[0].ID != "air" || all[1].ID != "wind" || !all[1].Ended || !all[1].At.Equal(day(10)) {
		t.Errorf("projects: %+v, %v", all, err)
	}
	if p, err := w.Project(t.Context(), "air"); err != nil || p.Lead != "mit/mia" {
		t.Errorf("project: %+v, %v", p, err)
	}
	if _, err := w.Project(t.Context(), "absent"); genesis.KindOf(err) != genesis.NotFound {
		t.Errorf("a project that is not there: %v", err)
	}
	var lead genesis.Project
	w.Pass(time.Hour)
	w.Do(func(ctx context.Context, tx *sql.Tx) (err error) {
		lead, err = w.ChangeProject(ctx, tx, "air", func(p *genesis.Project) error { p.Title = "Air"; return nil })
		return err
	})
	if lead.Lead != "mit/mia" || lead.Title != "Air" || !lead.At.Equal(w.Now()) {
		t.Errorf("a changed project: %+v", lead)
	}
	no := &genesis.Error{Op: "edit", Kind: genesis.Exists}
	if err := w.Tx(func(ctx context.Context, tx *sql.Tx) error {
		_, err := w.ChangeProject(ctx, tx, "air", func(*genesis.Project) error { return no })
		return err
	}); !errors.Is(err, no) {
		t.Errorf("a change that fails: %v", err)
	}
	many := make([]genesis.PersonID, 10_000)
	for i := range many {
		many[i] = "mit/mia"
	}
	long := strings.Repeat("x", 4001)
	if err := put(genesis.Project{ID: "many", Lead: "bob", By: "ann", Members: many, Title: long[1:], Purpose: long[1:], Agreement: long[1:], Results: long[1:]}); err != nil {
		t.Errorf("as much as there may be: %v", err)
	}
	for _, bad := range []genesis.Project{
		{ID: "Wind", Lead: "bob", By: "ann"}, {ID: "", Lead: "bob", By: "ann"}, {ID: "w", By: "ann"}, {ID: "w", Lead: "bob"},
		{ID: "w", Lead: "not a person", By: "ann"}, {ID: "w", Lead: "bob", Members: []genesis.PersonID{"a/b/c"}, By: "ann"},
		{ID: "w", Lead: "bob", By: "ann", Members: append(many, "mit/mia")},
		{ID: "w", Lead: "bob", By: "ann", Title: long}, {ID: "w", Lead: "bob", By: "ann", Purpose: long}, {ID: "w", Lead: "bob", By: "ann", Agreement: long},
	} {
		if err := put(bad); genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("%.100v: %v", bad, err)
		}
	}
}

// TestReopened opens another decider over the same database: it answers the same.
func TestReopened(t *testing.T) {
	w := accesstest.Open(t)
	r := accesstest.Dataset("turbines")
	w.Publish(r, genesis.Terms{Tier: genesis.TierRestricted})
	w.Do(func(ctx context.Context, tx *sql.Tx) error {
		return w.PutProject(ctx, tx, genesis.Project{ID: "wind", Lead: "nrel/bob", By: "nrel/ann"})
	})
	w.Give(r.Name, "project:wind", genesis.TrainOn)
	w.GiveThis(genesis.Grant{Name: r.Name, To: "person:mit/mia", Actions: []genesis.Action{genesis.TrainOn}, Condition: `purpose == "wind"`})
	w.Take(w.Give(r.Name, "person:acme/eve", genesis.TrainOn))
	w.GiveThis(genesis.Grant{Name: r.Name, To: "person:acme/eve", Actions: []genesis.Action{genesis.TrainOn}, Until: day(1)})
	w.Pass(25 * time.Hour)
	again, err := access.Open(t.Context(), access.Config{DB: w.DB, Node: "nrel", Charter: accesstest.Charter(), Now: w.Now})
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		p    genesis.Principal
		want bool
	}{{bob, true}, {mia, false}, {edit(mia, func(p *genesis.Principal) { p.Purpose = "wind" }), true}, {mia, false}, {eve, false}, {ann, true}} {
		d, _ := again.Decide(t.Context(), access.Ask{Principal: tt.p, Action: genesis.TrainOn, Resource: r})
		if d.Allowed != tt.want {
			t.Errorf("%s: %+v", tt.p.Subject, d)
		}
	}
}

// TestNodeGetsAName names a nameless node: its people keep what they were granted.
func TestNodeGetsAName(t *testing.T) {
	w := open(t, "")
	r := accesstest.Dataset("turbines")
	w.Publish(r, genesis.Terms{Tier: genesis.TierRestricted})
	w.Give(r.Name, "person:bob", genesis.TrainOn)
	w.Do(func(ctx context.Context, tx *sql.Tx) error {
		return w.PutProject(ctx, tx, genesis.Project{ID: "wind", Lead: "cal", By: "ann"})
	})
	w.Give(r.Name, "project:wind", genesis.TrainOn)
	made := accesstest.Model("power", "/bob", genesis.Draft)
	derive(t, w, made, r)
	w.Publish(r, genesis.Terms{Tier: genesis.TierRestricted, By: "/ann"})
	named, err := access.Open(t.Context(), access.Config{DB: w.DB, Node: "nrel", Charter: accesstest.Charter(), Now: w.Now})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []genesis.Principal{bob, accesstest.Person("nrel", "cal"), accesstest.Person("", "bob")} {
		if _, err := named.Decide(t.Context(), access.Ask{Principal: p, Action: genesis.TrainOn, Resource: r}); err != nil {
			t.Errorf("%s: %v", p.Person(), err)
		}
	}
	if _, err := named.Decide(t.Context(), access.Ask{Principal: accesstest.Person("mit", "bob"), Action: genesis.TrainOn, Resource: r}); err == nil {
		t.Error("a namesake of another node may, too")
	}
	if d, err := named.Decide(t.Context(), access.Ask{Principal: bob, Action: genesis.Infer, Resource: made}); err != nil || d.Rule != "creator" {
		t.Errorf("whoever made it while the node was nameless: %+v, %v", d, err)
	}
	err = w.DB.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := named.Lower(t.Context(), tx, ann, access.Lowering{Child: made, Source: genesis.Ref{Name: r.Name, Digest: r.Version}, Tier: genesis.TierPublic, Reason: "test"})
		return err
	})
	if err != nil {
		t.Errorf("whoever set the terms while the node was nameless: %v", err)
	}
}

func TestRoomForGrants(t *testing.T) {
	w := accesstest.Open(t)
	access.SetRoom(w.Decider, 2)
	grant := func() error {
		return w.Tx(func(ctx context.Context, tx *sql.Tx) error {
			_, err := w.Grant(ctx, tx, genesis.Grant{Name: "turbines", To: "person:bob", Actions: []genesis.Action{genesis.Read}, Until: day(1), By: "nrel/ann"})
			return err
		})
	}
	first := w.Give("turbines", "person:bob", genesis.Read)
	if err := grant(); err != nil {
		t.Fatal(err)
	}
	if err := grant(); genesis.KindOf(err) != genesis.Unavailable {
		t.Errorf("one too many: %v", err)
	}
	w.Take(first)
	if err := grant(); err != nil {
		t.Errorf("after one was revoked: %v", err)
	}
	w.Pass(24 * time.Hour)
	if err := grant(); genesis.KindOf(err) != genesis.Invalid { // of day 1 already
		t.Errorf("%v", err)
	}
	w.Give("turbines", "person:bob", genesis.Read)
}

package access_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/access/accesstest"
)

// TestProjectsOfOtherNodes: a grant to one reaches who came with its home's word, from
// wherever they are. Of this node's own projects nobody's word counts but its table.
func TestProjectsOfOtherNodes(t *testing.T) {
	w := accesstest.Open(t)
	w.Do(func(ctx context.Context, tx *sql.Tx) error {
		return w.PutProject(ctx, tx, genesis.Project{ID: "solar", Lead: "mit/mia", By: "nrel/ann"})
	})
	in := func(p genesis.Principal, projects ...string) genesis.Principal {
		p.Projects = projects
		return p
	}
	mia, eve, hal := accesstest.Person("mit", "mia"), accesstest.Person("nrel", "eve"), accesstest.Person("evil", "hal")
	for to, want := range map[genesis.Grantee][]bool{
		"project:mit/wind":   {false, true, true, false, false, false},
		"project:nrel/solar": {true, true, false, false, false, false}, // of this node: as project:solar
		"project:acme/wind":  {false, false, false, false, true, false},
	} {
		r := accesstest.Dataset("turbines")
		w.Publish(r, genesis.Terms{Tier: genesis.TierRestricted})
		id := w.Give(r.Name, to, genesis.TrainOn)
		for n, p := range []genesis.Principal{mia, in(mia, "mit/wind"), in(eve, "mit/wind"), in(eve, "nrel/solar", "solar", "mit/../wind", "wind"), in(eve, "acme/wind"), in(hal, "mit/wind")} {
			if got := w.Answer(p, genesis.TrainOn, r); got.Allowed != want[n] {
				t.Errorf("%s reaches %s in %v: %v", to, p.Person(), p.Projects, got.Allowed)
			} else if got.Allowed && strings.Contains(string(to), "/wind") && "project:"+got.Project != string(to) {
				t.Errorf("it is for project %q", got.Project)
			}
		}
		w.Take(id)
	}
	err := w.Tx(func(ctx context.Context, tx *sql.Tx) error {
		_, err := w.Grant(ctx, tx, genesis.Grant{Name: "turbines", To: "project:evil/wind", Actions: []genesis.Action{genesis.TrainOn}, By: "nrel/ann"})
		return err
	})
	if genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("to a project of no member: %v", err)
	}
	err = w.Tx(func(ctx context.Context, tx *sql.Tx) error {
		return w.PutProject(ctx, tx, genesis.Project{ID: "mit/wind", Lead: "mit/mia", By: "nrel/ann"})
	})
	if genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("another node's project is made here: %v", err)
	}
}

// TestAskingForAProjectOfAnotherNode: who is in it may, and the answer is to the project.
func TestAskingForAProjectOfAnotherNode(t *testing.T) {
	w := accesstest.Open(t)
	r := accesstest.Dataset("turbines")
	w.Publish(r, genesis.Terms{Tier: genesis.TierControlled})
	mia := accesstest.Person("mit", "mia")
	ask := func(project string, in ...string) (out genesis.AccessRequest, err error) {
		by := mia
		by.Projects = in
		err = w.Tx(func(ctx context.Context, tx *sql.Tx) (err error) {
			out, err = w.Ask(ctx, tx, genesis.AccessRequest{Name: r.Name, By: by, Purpose: "wakes", Project: project})
			return err
		})
		return out, err
	}
	if _, err := ask("mit/wind"); genesis.KindOf(err) != genesis.NotFound {
		t.Errorf("for a project that she is not in: %v", err)
	}
	got, err := ask("mit/wind", "mit/wind")
	if err != nil || got.By.Projects != nil {
		t.Fatalf("%+v %v", got, err)
	}
	var g genesis.Grant
	w.Do(func(ctx context.Context, tx *sql.Tx) (err error) {
		_, g, err = w.Approve(ctx, tx, accesstest.Person("nrel", "ann", genesis.DutySteward), got.ID, genesis.Approval{})
		return err
	})
	if g.To != "project:mit/wind" {
		t.Errorf("the grant is to %s", g.To)
	}
}

// TestHintsNameTheNodeToItsGuests: what to type is told as it is typed where they are:
// with the node's name to people of other nodes, without it to everybody else.
func TestHintsNameTheNodeToItsGuests(t *testing.T) {
	w := accesstest.Open(t)
	r := accesstest.Dataset("turbines")
	w.Publish(r, genesis.Terms{Tier: genesis.TierControlled})
	open := accesstest.Dataset("weather")
	w.Publish(open, genesis.Terms{Tier: genesis.TierPublic, Uses: genesis.Uses{Train: genesis.UseConditional}})
	for name, p := range map[string]genesis.Principal{"a guest": accesstest.Person("mit", "mia"), "home": accesstest.Person("nrel", "bob"), "nobody": {}} {
		for _, of := range []access.Resource{r, open} {
			d := w.Answer(p, genesis.TrainOn, of)
			t.Logf("%s of %s: %v %q %q", name, of.Name, d.Allowed, d.Reason, d.Hint)
			if strings.Contains(d.Hint, "genesis request") && strings.Contains(d.Hint, "nrel/") != (name == "a guest") {
				t.Errorf("%s is told %q", name, d.Hint)
			}
		}
	}
}

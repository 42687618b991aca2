package access_test

import (
	"context"
	"database/sql"
	"slices"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/access/accesstest"
)

// TestMadeForAProject: the people of a project use what was made for it as who made it
// does, of whatever node they and the project are, and nobody else does; what it was made
// from is asked for each of them.
func TestMadeForAProject(t *testing.T) {
	w := accesstest.Open(t)
	mia, mark := accesstest.Person("mit", "mia"), accesstest.Person("mit", "mark")
	w.Do(func(ctx context.Context, tx *sql.Tx) error {
		return w.PutProject(ctx, tx, genesis.Project{ID: "wind", Lead: "ann", Members: []genesis.PersonID{"mit/mia"}, By: "ann", Until: w.Now().Add(time.Hour)})
	})
	draft := access.Resource{Name: "~ann/wakes", Version: genesis.DigestOf([]byte("wakes")), State: genesis.Draft, Kind: genesis.Dataset, Creator: "ann"}
	model := access.Resource{Name: "~ann/net", Version: genesis.DigestOf([]byte("net")), State: genesis.Draft, Kind: genesis.Model, Creator: "ann"}
	source := accesstest.Dataset("turbines")
	w.Publish(source, genesis.Terms{Tier: genesis.TierControlled})
	w.Do(func(ctx context.Context, tx *sql.Tx) error {
		if err := w.Derive(ctx, tx, model, []access.Resource{source}); err != nil {
			return err
		}
		for _, r := range []access.Resource{draft, model} {
			if err := w.MadeFor(ctx, tx, r, "nrel/wind"); err != nil {
				return err
			}
		}
		return w.MadeFor(ctx, tx, draft, "mit/lab")
	})
	may := func(p genesis.Principal, a genesis.Action, r access.Resource) bool {
		_, err := w.Decide(t.Context(), access.Ask{Principal: p, Action: a, Resource: r, Outside: true})
		return err == nil
	}
	inLab := mark
	inLab.Projects = []string{"mit/lab"}
	for _, c := range []struct {
		who  genesis.Principal
		a    genesis.Action
		r    access.Resource
		want bool
	}{
		{mia, genesis.Discover, draft, true}, {mia, genesis.Read, draft, true}, {mia, genesis.TrainOn, draft, true}, {mia, genesis.Steward, draft, false},
		{mark, genesis.Discover, draft, false}, {mark, genesis.Read, draft, false}, {inLab, genesis.Read, draft, true}, {inLab, genesis.Read, model, false},
		{mia, genesis.Discover, model, true}, {mia, genesis.Infer, model, false}, {mia, genesis.Read, model, false},
	} {
		if got := may(c.who, c.a, c.r); got != c.want {
			t.Errorf("%s may %s %s: %v", c.who.Person(), c.a, c.r.Name, got)
		}
	}
	w.Do(func(ctx context.Context, tx *sql.Tx) error {
		_, err := w.Grant(ctx, tx, genesis.Grant{Name: source.Name, To: "project:wind", Actions: []genesis.Action{genesis.TrainOn}, By: "ann"})
		return err
	})
	if !may(mia, genesis.Infer, model) || may(mia, genesis.Read, model) {
		t.Error("who may train on what a model of their project was trained on applies it, and no more")
	}
	if in, err := w.In(t.Context(), mia, "nrel/wind"); !in || err != nil {
		t.Errorf("%v %v", in, err)
	}
	if leads, err := w.Leads(t.Context(), mia); err != nil || !slices.Contains(leads, draft.Name) {
		t.Errorf("nothing leads there: %v %v", leads, err)
	}
	w.Pass(time.Hour)
	if may(mia, genesis.Read, draft) || may(mia, genesis.Infer, model) {
		t.Error("the project is over")
	}
}

// TestDoneForAProject: what is done for a project is for those in it, and its decision
// says so.
func TestDoneForAProject(t *testing.T) {
	w := accesstest.Open(t)
	r := accesstest.Dataset("turbines")
	w.Publish(r, genesis.Terms{Tier: genesis.TierRegistered})
	w.Do(func(ctx context.Context, tx *sql.Tx) error {
		return w.PutProject(ctx, tx, genesis.Project{ID: "wind", Lead: "ann", Members: []genesis.PersonID{"mit/mia"}, By: "ann"})
	})
	ask := access.Ask{Principal: accesstest.Person("mit", "mia"), Action: genesis.TrainOn, Resource: r, Project: "wind"}
	if d, err := w.Decide(t.Context(), ask); err != nil || d.Project != "wind" {
		t.Errorf("%+v %v", d, err)
	}
	ask.Project = ""
	if d, err := w.Decide(t.Context(), ask); err != nil || d.Project != "" {
		t.Errorf("for no project: %+v %v", d, err)
	}
	ask.Project, ask.Principal = "wind", accesstest.Person("mit", "mark")
	d, err := w.Decide(t.Context(), ask)
	if genesis.KindOf(err) != genesis.Permission || d.Rule != "project" || d.Project != "" {
		t.Errorf("who is not in it: %+v %v", d, err)
	}
}

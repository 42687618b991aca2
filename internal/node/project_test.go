//go:build linux || darwin

package node

import (
	"slices"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/client"
)

// settleAt makes accounts at a node and signs them in.
func (c *cluster) settleAt(at genesis.NodeID, who ...string) {
	c.Helper()
	for _, name := range who {
		c.towns[at].settle(name, nil)
	}
}

// guest is a client of a node for somebody of another.
func (c *cluster) guest(who string, home, at genesis.NodeID) *client.Client {
	c.Helper()
	there, err := client.New(c.towns[home].url, nil).WithToken(c.towns[home].token[who]).At(c.Context(), at)
	if err != nil {
		c.Fatal(err)
	}
	return there
}

// projects are those that somebody is in, as they are told at home.
func (w *town) projects(who string) []string {
	w.Helper()
	me, err := client.New(w.url, nil).WithToken(w.token[who]).WhoAmI(w.Context())
	if err != nil {
		w.Fatal(err)
	}
	return me.Projects
}

// TestProjectAcrossNodes: a project of one node gives people of a second what a third
// grants to it, and takes it from them, wherever one of them is away.
func TestProjectAcrossNodes(t *testing.T) {
	c := newCluster(t, "nrel", "mit", "ornl")
	nrel, mit, ornl := c.towns["nrel"], c.towns["mit"], c.towns["ornl"]
	c.settleAt("mit", "ada", "bob")
	ornl.publish("reactors", controlled())
	members := []genesis.PersonID{"mit/ada", "mit/bob"}
	kind, results, purpose := "CRADA", "NREL", "wakes"
	c.line.cuts("mit")
	nrel.must(nrel.works.PutProject(t.Context(), nrel.local, "wind", genesis.ProjectRequest{Members: &members, Agreement: &kind, Results: &results, Purpose: &purpose}))
	ornl.must(ornl.works.Grant(t.Context(), ornl.local, genesis.GrantRequest{Ref: "reactors", To: "project:nrel/wind", Actions: []genesis.Action{genesis.Read}}))
	if in := mit.projects("ada"); in != nil {
		t.Errorf("told through a line that is cut: %v", in)
	}
	c.line.cuts()
	nrel.works.post.Wake()
	c.eventually("ada is in it at home", func() bool { return slices.Equal(mit.projects("ada"), []string{"nrel/wind"}) })
	page, err := mit.works.Projects(t.Context(), mit.local, "", 0)
	if err != nil || len(page.Projects) != 1 || page.Projects[0].ID != "nrel/wind" || page.Projects[0].Lead != "nrel/local" || page.Projects[0].Agreement != (genesis.ProjectAgreement{Kind: kind, Results: results}) || len(page.Projects[0].Members) != 2 {
		t.Errorf("%+v %v", page, err)
	}
	reads := func(who string) error {
		return c.guest(who, "mit", "ornl").Export(t.Context(), "reactors", client.ExportOptions{Format: "csv"}, discard{}, nil)
	}
	if err := reads("ada"); err != nil {
		t.Errorf("ada at ornl: %v", err)
	}
	if err := reads("bob"); err != nil {
		t.Errorf("bob at ornl: %v", err)
	}

	// Out of it: at once at home, and with the next word elsewhere.
	left := members[:1]
	nrel.must(nrel.works.PutProject(t.Context(), nrel.local, "wind", genesis.ProjectRequest{Members: &left}))
	c.eventually("bob is out of it", func() bool { return mit.projects("bob") == nil })
	if err := reads("bob"); genesis.KindOf(err) != genesis.Permission {
		t.Errorf("bob, who is out: %v", err)
	}
	if err := reads("ada"); err != nil {
		t.Errorf("ada, who stays: %v", err)
	}

	// Its home is away: what it said holds for an hour.
	c.line.cuts("nrel")
	ended, err := nrel.works.EndProject(t.Context(), nrel.local, "wind")
	if err != nil || !ended.Ended {
		t.Fatal(err)
	}
	if err := reads("ada"); err != nil {
		t.Errorf("nobody could say that it ended: %v", err)
	}
	for _, id := range []genesis.NodeID{"mit", "ornl"} {
		c.line.clocks[id].turn(61 * time.Minute)
	}
	mit.must(nil, mit.works.RenewMemberships(t.Context()))
	if in := mit.projects("ada"); in != nil {
		t.Errorf("more than an hour later: %v", in)
	}
	if err := reads("ada"); genesis.KindOf(err) != genesis.Permission {
		t.Errorf("ada after an hour: %v", err)
	}
	for _, id := range []genesis.NodeID{"mit", "ornl"} {
		c.line.clocks[id].turn(0)
	}
	c.line.cuts()
	nrel.works.post.Wake()
	c.eventually("mit knows that it ended", func() bool {
		page, err := mit.works.Projects(t.Context(), mit.local, "", 0)
		return err == nil && page.Projects[0].Ended
	})
	if in := mit.projects("ada"); in != nil {
		t.Errorf("of a project that ended: %v", in)
	}
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

//go:build linux || darwin

package node

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/client"
	"github.com/opengenesis/genesis/internal/format"
)

// settleAt makes accounts at a node and signs them in.
func (c *cluster) settleAt(at genesis.NodeID, who ...string) {
	c.Helper()
	for _, name := range who {
		c.towns[at].settle(name, nil)
	}
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
	// may reports whether ada may read it by what her home asks for her.
	may := func() bool {
		m, err := c.home("mit", "ada").May(t.Context(), "ornl/reactors")
		return err == nil && m.Allows(genesis.Read)
	}
	if may() {
		t.Error("ada may read it at first")
	}
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
	if err != nil || len(page.Projects) != 1 || page.Projects[0].ID != "nrel/wind" || page.Projects[0].Lead != "nrel/local" || page.Projects[0].Agreement != kind || page.Projects[0].Results != results || len(page.Projects[0].Members) != 2 {
		t.Errorf("%+v %v", page, err)
	}
	reads := func(who string) error {
		return c.guest("mit", who, "ornl").Export(t.Context(), "reactors", client.ExportOptions{Format: "csv"}, discard{}, nil)
	}
	if err := reads("ada"); err != nil {
		t.Errorf("ada at ornl: %v", err)
	}
	if !may() {
		t.Error("what her home asks for ada is asked as before she was in the project")
	}
	if e, err := ornl.works.Explain(t.Context(), ornl.local, "mit/ada", genesis.Read, "reactors"); err != nil || e.Allowed || len(e.Change) == 0 || !strings.Contains(e.Change[0], "nrel/wind") {
		t.Errorf("explained without their word: %+v, %v", e, err)
	}
	if err := reads("bob"); err != nil {
		t.Errorf("bob at ornl: %v", err)
	}

	// Out of it: at once at home, and with the next word elsewhere.
	left := members[1:]
	nrel.must(nrel.works.PutProject(t.Context(), nrel.local, "wind", genesis.ProjectRequest{Members: &left}))
	c.eventually("ada is out of it", func() bool { return mit.projects("ada") == nil })
	if may() {
		t.Error("what her home asks for ada is asked as before she left the project")
	}
	nrel.must(nrel.works.PutProject(t.Context(), nrel.local, "wind", genesis.ProjectRequest{Members: &members}))
	c.eventually("ada is in it again", func() bool { return slices.Equal(mit.projects("ada"), []string{"nrel/wind"}) })
	left = members[:1]
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

// TestRunsForAProject: what is made for a project is used by its people at other nodes, a
// run that is for it is refused to others, and the log has the project with it.
func TestRunsForAProject(t *testing.T) {
	c := newCluster(t, "nrel", "mit")
	nrel := c.towns["nrel"]
	c.settleAt("mit", "ada", "bob")
	nrel.settle("sam", []genesis.Duty{genesis.DutySteward})
	nrel.prepare("turbines", "a,b\n"+strings.Repeat("1,2\n2,4\n3,6\n4,8\n", 50))
	nrel.must(nrel.works.Publish(t.Context(), nrel.local, "turbines", genesis.PublishRequest{Tier: genesis.TierRegistered}))
	members := []genesis.PersonID{"mit/ada"}
	nrel.must(nrel.works.PutProject(t.Context(), nrel.local, "wind", genesis.ProjectRequest{Members: &members}))
	made := nrel.prepareFor("drafts", "wind")
	ada, bob := c.guest("mit", "ada", "nrel"), c.guest("mit", "bob", "nrel")
	if err := ada.Export(t.Context(), made, client.ExportOptions{Format: "csv"}, discard{}, nil); err != nil {
		t.Errorf("ada, who is in it: %v", err)
	}
	if err := bob.Export(t.Context(), made, client.ExportOptions{}, discard{}, nil); genesis.KindOf(err) != genesis.NotFound {
		t.Errorf("bob, who is not: %v", err)
	}
	sam := client.New(nrel.url, nil).WithToken(nrel.token["sam"])
	if _, err := sam.Train(t.Context(), genesis.TrainRequest{Dataset: "turbines", Name: "net", Target: []string{"b"}, Project: "wind"}, nil); genesis.KindOf(err) != genesis.Permission {
		t.Errorf("for a project that sam is not in: %v", err)
	}
	if _, err := nrel.works.Train(t.Context(), nrel.local, genesis.TrainRequest{Dataset: "turbines", Name: "net", Target: []string{"b"}, Project: "nrel/wind", Members: 1, Epochs: 1}, nil); err != nil {
		t.Errorf("of the project's lead: %v", err)
	}
	nrel.must(nil, nrel.works.Journal.Settle(t.Context()))
	page, err := nrel.works.Audit(t.Context(), nrel.local, genesis.AuditQuery{Project: "nrel/wind"})
	if err != nil {
		t.Fatal(err)
	}
	var acts []string
	for _, e := range page.Entries {
		acts = append(acts, e.Act+" "+string(e.Outcome)+" "+e.Rule)
	}
	for _, want := range []string{"project done ", "grant done ", "read allowed team", "train allowed registered"} {
		if !slices.Contains(acts, want) {
			t.Errorf("the log of the project has no %q: %q", want, acts)
		}
	}
	none := []genesis.PersonID{}
	nrel.must(nrel.works.PutProject(t.Context(), nrel.local, "wind", genesis.ProjectRequest{Members: &none}))
	if err := ada.Export(t.Context(), made, client.ExportOptions{}, discard{}, nil); genesis.KindOf(err) != genesis.NotFound {
		t.Errorf("at the project's home it ends at once: %v", err)
	}
}

// TestOrderForAProject: what is granted to a project of nrel lets those who are in it, and
// say that it is for it, train at ornl, and nobody else; what they make there has the
// project with it.
func TestOrderForAProject(t *testing.T) {
	c := newCluster(t, "nrel", "mit", "ornl")
	nrel, mit, ornl := c.towns["nrel"], c.towns["mit"], c.towns["ornl"]
	c.settleAt("mit", "ada", "bob")
	ornl.prepare("reactors", "a,b\n"+strings.Repeat("1,2\n2,4\n3,6\n4,8\n", 50))
	ornl.must(ornl.works.Publish(t.Context(), ornl.local, "reactors", controlled()))
	members := []genesis.PersonID{"mit/ada"}
	nrel.must(nrel.works.PutProject(t.Context(), nrel.local, "wind", genesis.ProjectRequest{Members: &members}))
	ornl.must(ornl.works.Grant(t.Context(), ornl.local, genesis.GrantRequest{Ref: "reactors", To: "project:nrel/wind", Actions: []genesis.Action{genesis.Read, genesis.TrainOn}}))
	c.eventually("ada is in it at home", func() bool { return slices.Equal(mit.projects("ada"), []string{"nrel/wind"}) })
	order := func(who, name string) (r *genesis.Run) {
		t.Helper()
		q := genesis.TrainRequest{Dataset: "ornl/reactors", Name: genesis.Name(name), Target: []string{"b"}, Project: "nrel/wind", Members: 1, Epochs: 1, Where: genesis.TrainThere}
		r, err := c.home("mit", who).SubmitRun(t.Context(), genesis.RunRequest{Kind: genesis.RunTrain, Request: asJSON(t, q)})
		mit.must(r, err)
		c.eventually("it ends", func() bool {
			r, err = c.home("mit", who).Run(t.Context(), r.ID)
			mit.must(r, err)
			return r.State.Ended()
		})
		return r
	}
	if r := order("ada", "net"); r.State != genesis.RunDone {
		t.Errorf("ada, who is in it: %s %+v", r.State, r.Error)
	}
	if r := order("bob", "net"); r.State != genesis.RunFailed || r.Error.Kind != genesis.Permission && r.Error.Kind != genesis.NotFound {
		t.Errorf("bob, who is not: %s %+v", r.State, r.Error)
	}
	c.settle("ornl")
	var acts []string
	for _, e := range c.entries("ornl", genesis.AuditQuery{Project: "nrel/wind"}) {
		acts = append(acts, e.Act+" "+string(e.Outcome)+" "+e.Actor)
	}
	for _, want := range []string{"train allowed mit/ada"} {
		if !slices.Contains(acts, want) {
			t.Errorf("the log of the project at ornl has no %q: %q", want, acts)
		}
	}
}

// prepareFor makes a draft for a project and returns a reference to exactly it.
func (w *town) prepareFor(name, project string) string {
	w.Helper()
	const csv = "a,b\n1,2\n5,6\n"
	raw := &format.Raw{Name: name + ".csv", Size: int64(len(csv)), At: strings.NewReader(csv)}
	made, err := w.works.Prepare(w.Context(), w.local, genesis.PrepareRequest{Name: genesis.Name(name), Project: project, Options: genesis.PrepareOptions{NoProof: true}}, []*format.Raw{raw}, nil, nil)
	if err != nil {
		w.Fatal(err)
	}
	return made.Version.Ref().String()
}

// TestNewcomersAreTold: who was put into a project before their node was a member is in it
// once it is.
func TestNewcomersAreTold(t *testing.T) {
	c := newCluster(t, "nrel")
	nrel := c.towns["nrel"]
	members := []genesis.PersonID{"mit/local"}
	nrel.must(nrel.works.PutProject(t.Context(), nrel.local, "wind", genesis.ProjectRequest{Members: &members}))
	mit := c.start("mit")
	c.join("mit")
	nrel.must(nil, nrel.works.TellNewcomers(t.Context()))
	c.eventually("mit is told", func() bool {
		page, err := mit.works.Projects(t.Context(), mit.local, "", 0)
		return err == nil && len(page.Projects) == 1 && page.Projects[0].ID == "nrel/wind"
	})
}

// TestMadeAtHomeForAProject: somebody makes a draft at home for a project of another node,
// whose people use it there.
func TestMadeAtHomeForAProject(t *testing.T) {
	c := newCluster(t, "nrel", "mit")
	nrel, mit := c.towns["nrel"], c.towns["mit"]
	c.settleAt("nrel", "kim")
	members := []genesis.PersonID{"mit/local", "kim"}
	nrel.must(nrel.works.PutProject(t.Context(), nrel.local, "wind", genesis.ProjectRequest{Members: &members}))
	c.eventually("mit has its token", func() bool {
		tokens, err := mit.works.TokensOf(t.Context(), "mit/local")
		return err == nil && len(tokens) == 1
	})
	made := mit.prepareFor("shared", "nrel/wind")
	if err := c.guest("nrel", "kim", "mit").Export(t.Context(), made, client.ExportOptions{}, discard{}, nil); err != nil {
		t.Errorf("kim of nrel: %v", err)
	}
	raw := &format.Raw{Name: "x.csv", Size: 4, At: strings.NewReader("a\n1\n")}
	if _, err := mit.works.Prepare(t.Context(), mit.local, genesis.PrepareRequest{Name: "x", Project: "nrel/solar"}, []*format.Raw{raw}, nil, nil); genesis.KindOf(err) != genesis.Permission {
		t.Errorf("for a project that they are not in: %v", err)
	}
}

// TestAskForAProject: somebody asks a third node for what everybody in a project of
// another may use.
func TestAskForAProject(t *testing.T) {
	c := newCluster(t, "nrel", "mit", "ornl")
	nrel, mit, ornl := c.towns["nrel"], c.towns["mit"], c.towns["ornl"]
	ornl.publish("reactors", controlled())
	members := []genesis.PersonID{"mit/local"}
	nrel.must(nrel.works.PutProject(t.Context(), nrel.local, "wind", genesis.ProjectRequest{Members: &members}))
	c.eventually("mit has its token", func() bool {
		tokens, err := mit.works.TokensOf(t.Context(), "mit/local")
		return err == nil && len(tokens) == 1
	})
	asks := func(project string) genesis.AccessRequest {
		r, err := mit.works.Ask(t.Context(), mit.local, genesis.AskRequest{Ref: "ornl/reactors", Purpose: "wakes", Project: project})
		if err != nil {
			t.Fatal(err)
		}
		return *r
	}
	c.becomes("mit", asks("nrel/solar").ID, genesis.RequestRefused)
	id := asks("nrel/wind").ID
	if r := c.becomes("mit", id, genesis.RequestOpen); r.Project != "nrel/wind" {
		t.Errorf("%+v", r)
	}
	ornl.must(ornl.works.Approve(t.Context(), ornl.local, id, genesis.Approval{}))
	c.becomes("mit", id, genesis.RequestApproved)
	c.eventually("the project's home knows", func() bool {
		page, err := nrel.works.Grants(t.Context(), nrel.local, genesis.GrantQuery{Mine: true})
		return err == nil && len(page.Grants) == 1 && page.Grants[0].To == "project:nrel/wind" && page.Grants[0].Node == "ornl"
	})
}

//go:build linux || darwin

package node

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

// publish makes a small dataset that people of other nodes may ask for.
func (w *town) publish(name string, req genesis.PublishRequest) {
	w.Helper()
	w.prepare(name, fmt.Sprintf("a,b\n1,%d\n2,3\n", len(name)))
	w.must(w.works.Publish(w.Context(), w.local, name, req))
}

// request is somebody's request as a node knows it; the zero one, if it does not.
func (w *town) request(who genesis.Principal, id string) genesis.AccessRequest {
	w.Helper()
	r, err := w.works.Request(w.Context(), who, id)
	if genesis.KindOf(err) == genesis.NotFound {
		return genesis.AccessRequest{}
	}
	if err != nil {
		w.Fatal(err)
	}
	return *r
}

// becomes waits until a request stands as wanted.
func (c *cluster) becomes(at genesis.NodeID, id string, state genesis.RequestState) genesis.AccessRequest {
	c.Helper()
	return c.turns(at, id, state, nil)
}

// turns is becomes; reach is called again and again meanwhile.
func (c *cluster) turns(at genesis.NodeID, id string, state genesis.RequestState, reach func()) genesis.AccessRequest {
	c.Helper()
	w := c.towns[at]
	for began := time.Now(); w.request(w.local, id).State != state; time.Sleep(10 * time.Millisecond) {
		if reach != nil {
			reach()
		}
		if time.Since(began) > patience {
			waits, err := w.works.post.Status(c.Context())
			c.Fatalf("%s at %s is not %s but %+v; there wait %+v %v", id, at, state, w.request(w.local, id), waits, err)
		}
	}
	return w.request(w.local, id)
}

// acts are the acts of a node's journal that name a request, oldest first.
func (w *town) acts(detail string) []string {
	w.Helper()
	w.must(nil, w.works.Journal.Settle(w.Context()))
	page, err := w.works.Audit(w.Context(), w.local, genesis.AuditQuery{Limit: 1000})
	if err != nil {
		w.Fatal(err)
	}
	var all []string
	for _, e := range slices.Backward(page.Entries) {
		if strings.Contains(string(e.Detail), detail) {
			all = append(all, e.Act+" "+string(e.Outcome))
		}
	}
	return all
}

func controlled(edits ...func(*genesis.PublishRequest)) genesis.PublishRequest {
	req := genesis.PublishRequest{Tier: genesis.TierControlled}
	for _, edit := range edits {
		edit(&req)
	}
	return req
}

// TestRequestAbroad walks the whole way of a request to another node, which is away again
// and again: asked, spoken about, approved, revoked.
func TestRequestAbroad(t *testing.T) {
	c := newCluster(t, "nrel", "mit")
	nrel, mit := c.towns["nrel"], c.towns["mit"]
	nrel.publish("turbines", controlled())
	c.line.cuts("nrel")
	asked, err := mit.works.Ask(t.Context(), mit.local, genesis.AskRequest{Ref: "nrel/turbines", Purpose: "wakes"})
	if err != nil || asked.State != genesis.RequestPending || asked.Node != "nrel" || asked.Waits == nil {
		t.Fatalf("%+v %v", asked, err)
	}
	id := asked.ID
	mit.must(mit.works.Say(t.Context(), mit.local, id, "from 2019 on"))
	c.line.cuts()
	c.becomes("mit", id, genesis.RequestOpen)
	there := nrel.request(nrel.local, id)
	if there.By.Person() != "mit/local" || there.By.Institution != "The mit" || there.Purpose != "wakes" || there.Node != "" {
		t.Errorf("at its owner's: %+v", there)
	}
	c.eventually("what was said arrives", func() bool { return len(nrel.request(nrel.local, id).Messages) == 1 })

	c.line.cuts("mit")
	nrel.must(nrel.works.Say(t.Context(), nrel.local, id, "which ones?"))
	until := time.Now().Add(24 * time.Hour).UTC().Truncate(time.Second)
	nrel.must(nrel.works.Approve(t.Context(), nrel.local, id, genesis.Approval{Until: until}))
	if r := mit.request(mit.local, id); r.State != genesis.RequestOpen {
		t.Errorf("it heard through a line that is cut: %+v", r)
	}
	c.line.cuts()
	nrel.works.post.Wake()
	got := c.becomes("mit", id, genesis.RequestApproved)
	if !got.Until.Equal(until) || got.Grant == "" || !slices.Equal(got.Granted, []genesis.Action{genesis.Read}) || got.DecidedBy != "nrel/local" || len(got.Messages) != 2 || got.Waits != nil {
		t.Errorf("%+v", got)
	}
	c.eventually("the grant is told", func() bool {
		page, err := mit.works.Grants(t.Context(), mit.local, genesis.GrantQuery{Mine: true})
		return err == nil && len(page.Grants) == 1 && page.Grants[0].ID == got.Grant && page.Grants[0].Node == "nrel"
	})

	c.line.cuts("mit")
	nrel.must(nrel.works.Revoke(t.Context(), nrel.local, got.Grant, "the project is over"))
	c.line.cuts()
	nrel.works.post.Wake()
	got = c.becomes("mit", id, genesis.RequestEnded)
	if got.Reason != "the project is over" || got.Ended == nil {
		t.Errorf("%+v", got)
	}
	page, err := mit.works.Requests(t.Context(), mit.local, genesis.RequestQuery{Mine: true})
	if err != nil || len(page.Requests) != 1 || page.Requests[0].State != genesis.RequestEnded {
		t.Errorf("%+v %v", page, err)
	}
	want := map[genesis.NodeID][]string{
		"mit":  {"request done", "message done", "message done", "approve done", "grant done", "revoke done"},
		"nrel": {"request done", "message done", "message done", "approve done", "revoke done"},
	}
	for node, acts := range want {
		have := c.towns[node].acts(id)
		for _, act := range acts {
			if i := slices.Index(have, act); i < 0 {
				t.Errorf("%s: its journal has no %q: %v", node, act, have)
			} else {
				have = slices.Delete(have, i, i+1)
			}
		}
	}
}

// ask asks for something as the owner of a home.
func (w *town) asks(ref string) genesis.AccessRequest {
	w.Helper()
	r, err := w.works.Ask(w.Context(), w.local, genesis.AskRequest{Ref: ref, Purpose: "wakes"})
	if err != nil {
		w.Fatal(err)
	}
	return *r
}

// TestRequestAbroadIsRefused: what the owner's node does not take comes back with the
// reason, the same for what is hidden and for what is not there.
func TestRequestAbroadIsRefused(t *testing.T) {
	c := newCluster(t, "nrel", "mit")
	nrel, mit := c.towns["nrel"], c.towns["mit"]
	hidden := true
	nrel.publish("secret", controlled(func(r *genesis.PublishRequest) { r.Hidden = &hidden }))
	nrel.publish("bound", controlled(func(r *genesis.PublishRequest) {
		r.Agreement = &genesis.AgreementText{Kind: "DUA", Title: "terms.txt", Text: "be kind"}
	}))
	reasons := map[string]string{}
	for _, name := range []string{"secret", "absent", "bound"} {
		r := c.becomes("mit", mit.asks("nrel/"+name).ID, genesis.RequestRefused)
		reasons[name] = strings.ReplaceAll(r.Reason, name, "NAME")
		if seen := nrel.request(nrel.local, r.ID); seen.ID != "" {
			t.Errorf("%s: it is in the inbox: %+v", name, seen)
		}
		if acts := mit.acts(r.ID); !slices.Contains(acts, "request refused") {
			t.Errorf("%s: not in the journal: %v", name, acts)
		}
		if acts := nrel.acts(r.ID); !slices.Contains(acts, "take-message refused") {
			t.Errorf("%s: not in the owner's journal: %v", name, acts)
		}
	}
	if reasons["secret"] == "" || reasons["secret"] != reasons["absent"] {
		t.Errorf("what is hidden is told from what is not there:\n%s\n%s", reasons["secret"], reasons["absent"])
	}
	accept := genesis.DigestOf([]byte("be kind"))
	if !strings.Contains(reasons["bound"], string(accept)) {
		t.Errorf("how to accept the agreement is not said: %s", reasons["bound"])
	}
	r, err := mit.works.Ask(t.Context(), mit.local, genesis.AskRequest{Ref: "nrel/bound", Purpose: "wakes", Agreement: accept})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.becomes("mit", r.ID, genesis.RequestOpen); got.Agreement != accept {
		t.Errorf("%+v", got)
	}
	for ref, kind := range map[string]genesis.ErrorKind{"ornl/x": genesis.NotFound, "nrel/bound@x": genesis.Invalid} {
		if _, err := mit.works.Ask(t.Context(), mit.local, genesis.AskRequest{Ref: ref, Purpose: "wakes"}); genesis.KindOf(err) != kind {
			t.Errorf("%s: %v", ref, err)
		}
	}
}

// TestWithdrawnWhileAway: a request that was taken back while its node was away is
// withdrawn there, too; one that was approved meanwhile stays approved, as the owner says.
func TestWithdrawnWhileAway(t *testing.T) {
	c := newCluster(t, "nrel", "mit")
	nrel, mit := c.towns["nrel"], c.towns["mit"]
	nrel.publish("turbines", controlled())
	nrel.publish("wakes", controlled())
	first, second := mit.asks("nrel/turbines").ID, mit.asks("nrel/wakes").ID
	c.becomes("mit", first, genesis.RequestOpen)
	c.becomes("mit", second, genesis.RequestOpen)
	c.line.cuts("nrel")
	mit.must(mit.works.WithdrawRequest(t.Context(), mit.local, first))
	mit.must(mit.works.WithdrawRequest(t.Context(), mit.local, second))
	if r := mit.request(mit.local, first); r.State != genesis.RequestWithdrawn || r.Waits == nil {
		t.Errorf("%+v", r)
	}
	nrel.must(nrel.works.Approve(t.Context(), nrel.local, second, genesis.Approval{}))
	c.line.cuts()
	wakeAll := func() {
		nrel.works.post.Wake()
		mit.works.post.Wake()
	}
	c.turns("nrel", first, genesis.RequestWithdrawn, wakeAll)
	c.turns("mit", first, genesis.RequestWithdrawn, wakeAll)
	c.turns("mit", second, genesis.RequestApproved, wakeAll)
	c.eventually("nothing waits", func() bool { wakeAll(); return mit.request(mit.local, second).Waits == nil })
	if r := mit.request(mit.local, second); r.State != genesis.RequestApproved || r.Grant == "" {
		t.Errorf("%+v", r)
	}
}

// TestNodesAreAway: what waits when a node is closed is sent when it is served again, at
// either side.
func TestNodesAreAway(t *testing.T) {
	c := newCluster(t, "nrel", "mit")
	nrel, mit := c.towns["nrel"], c.towns["mit"]
	nrel.publish("turbines", controlled())
	c.line.cuts("nrel")
	id := mit.asks("nrel/turbines").ID
	c.stop("mit")
	c.restart("mit")
	if r := mit.request(mit.local, id); r.State != genesis.RequestPending || r.Waits == nil {
		t.Errorf("%+v", r)
	}
	c.line.cuts()
	mit.works.post.Wake()
	c.becomes("mit", id, genesis.RequestOpen)
	c.line.cuts("mit")
	r, err := nrel.works.Approve(t.Context(), nrel.local, id, genesis.Approval{})
	nrel.must(nil, err)
	c.stop("nrel")
	c.restart("nrel")
	c.line.cuts()
	nrel.works.post.Wake()
	c.becomes("mit", id, genesis.RequestApproved)
	nrel.must(nrel.works.Revoke(t.Context(), nrel.local, r.Grant, "over"))
	c.becomes("mit", id, genesis.RequestEnded)
}

// TestAskedThere: a request that somebody makes at the other node itself is told to their
// home, and so is what they say there.
func TestAskedThere(t *testing.T) {
	c := newCluster(t, "nrel", "mit")
	nrel, mit := c.towns["nrel"], c.towns["mit"]
	c.settleAt("mit", "ada")
	nrel.publish("turbines", controlled())
	ada := c.guest("mit", "ada", "nrel")
	asked, err := ada.Ask(t.Context(), genesis.AskRequest{Ref: "turbines", Purpose: "wakes"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ada.Say(t.Context(), asked.ID, "soon, please"); err != nil {
		t.Fatal(err)
	}
	home := genesis.Principal{Subject: "ada", Node: "mit"}
	c.eventually("ada's home knows", func() bool { return len(mit.request(home, asked.ID).Messages) == 1 })
	if r := mit.request(home, asked.ID); r.State != genesis.RequestOpen || r.Node != "nrel" || r.Purpose != "wakes" || r.By.Person() != "mit/ada" || r.Messages[0].By != "mit/ada" {
		t.Errorf("%+v", r)
	}
	if r := mit.request(mit.local, asked.ID); r.ID != "" {
		t.Errorf("it is told to somebody else: %+v", r)
	}
	nrel.must(nrel.works.Deny(t.Context(), nrel.local, asked.ID, "no"))
	c.eventually("it is denied", func() bool { return mit.request(home, asked.ID).State == genesis.RequestDenied })
}

// TestGrantsEndByThemselves: a home hears that what was granted is over, and knows it
// without being told.
func TestGrantsEndByThemselves(t *testing.T) {
	c := newCluster(t, "nrel", "mit")
	nrel, mit := c.towns["nrel"], c.towns["mit"]
	nrel.publish("turbines", controlled())
	id := mit.asks("nrel/turbines").ID
	c.becomes("mit", id, genesis.RequestOpen)
	nrel.must(nrel.works.Approve(t.Context(), nrel.local, id, genesis.Approval{Until: time.Now().Add(time.Hour)}))
	c.becomes("mit", id, genesis.RequestApproved)
	c.line.cuts("nrel")
	for _, clock := range c.line.clocks {
		clock.turn(2 * time.Hour)
	}
	if r := mit.request(mit.local, id); r.State != genesis.RequestEnded || r.Ended == nil || r.Reason != "" {
		t.Errorf("by its date: %+v", r)
	}
	c.line.cuts()
	nrel.must(nil, nrel.works.TellOver(t.Context()))
	nrel.works.post.Wake()
	c.eventually("its node says so", func() bool { return mit.request(mit.local, id).Reason == "its time is over" })
	if told := nrel.acts(id); len(told) == 0 {
		t.Error("nothing in the journal")
	}
	nrel.must(nil, nrel.works.TellOver(t.Context())) // once is enough
	page, err := mit.works.Grants(t.Context(), mit.local, genesis.GrantQuery{Mine: true})
	if err != nil || len(page.Grants) != 0 {
		t.Errorf("%+v %v", page, err)
	}
}

// TestGrantsAreTold: grants that nobody asked for are told where those are whom they
// reach, and so is their end.
func TestGrantsAreTold(t *testing.T) {
	c := newCluster(t, "nrel", "mit", "ornl")
	nrel, mit, ornl := c.towns["nrel"], c.towns["mit"], c.towns["ornl"]
	nrel.publish("turbines", controlled())
	members := []genesis.PersonID{"mit/local"}
	nrel.must(nrel.works.PutProject(t.Context(), nrel.local, "wind", genesis.ProjectRequest{Members: &members}))
	var all []*genesis.Grant
	for _, to := range []genesis.Grantee{"person:mit/local", "institution:mit", "project:wind", "sector:laboratory"} {
		g, err := nrel.works.Grant(t.Context(), nrel.local, genesis.GrantRequest{Ref: "turbines", To: to, Actions: []genesis.Action{genesis.Read}})
		nrel.must(nil, err)
		all = append(all, g)
	}
	mine := func(w *town, ended bool) []genesis.Grant {
		page, err := w.works.Grants(t.Context(), w.local, genesis.GrantQuery{Mine: true, Ended: ended})
		w.must(nil, err)
		return page.Grants
	}
	c.eventually("three are told", func() bool { return len(mine(mit, false)) == 3 })
	for _, g := range mine(mit, false) {
		if g.Node != "nrel" || g.Name != "turbines" || g.By != "nrel/local" {
			t.Errorf("%+v", g)
		}
	}
	for _, g := range all {
		nrel.must(nrel.works.Revoke(t.Context(), nrel.local, g.ID, "over"))
	}
	c.eventually("they have ended", func() bool { return len(mine(mit, false)) == 0 })
	if ended := mine(mit, true); len(ended) != 3 || ended[0].Reason != "over" {
		t.Errorf("%+v", ended)
	}
	if got := mine(ornl, true); len(got) != 0 {
		t.Errorf("ornl is told of what does not concern it: %+v", got)
	}
}

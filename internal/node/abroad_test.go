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
		if time.Since(began) > 20*time.Second {
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

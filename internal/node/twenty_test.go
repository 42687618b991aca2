//go:build linux || darwin

package node

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

// TestTwentyNodes: twenty nodes, each with something of every tier, converge on one
// catalogue: each mirrors of all others what the model says that its people may know of.
func TestTwentyNodes(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a while")
	}
	g := grow(t, 20)
	t.Logf("20 nodes mirror %d listings of each other in %v: %d requests, %d bytes; a search takes %v, a training there %v", g.listings, g.took.Round(time.Millisecond), g.requests, g.bytes, g.search, g.there)
}

// growth is what it takes until all nodes of a federation know what they may of each
// other.
type growth struct {
	listings        int
	took            time.Duration
	requests, bytes int64
	search, there   time.Duration // medians: a search that asks all nodes, a training at another
}

// use measures what somebody of the first node does with the others.
func (g *growth) use(c *cluster) {
	at, other := c.order[0], c.order[1]
	c.towns[at].settle("ada", nil)
	c.towns[other].prepare("plants", "a,power\n"+strings.Repeat("1,2\n3,4\n5,6\n7,8\n", 20))
	c.towns[other].must(c.towns[other].works.Publish(c.Context(), c.towns[other].local, "plants", genesis.PublishRequest{Tier: genesis.TierRegistered}))
	ada := c.home(at, "ada")
	median := func(n int, do func(k int)) time.Duration {
		var all []time.Duration
		for k := range n {
			began := time.Now()
			do(k)
			all = append(all, time.Since(began))
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	g.search = median(21, func(int) {
		found, err := ada.Search(c.Context(), genesis.SearchQuery{Text: "registered"})
		if err != nil || len(found.Coverage) != len(c.order) || slices.ContainsFunc(found.Coverage[1:], func(n genesis.NodeCoverage) bool { return !n.Answered }) {
			c.Errorf("%+v %v", found, err)
		}
	})
	g.there = median(7, func(k int) {
		q := genesis.TrainRequest{Dataset: string(other) + "/plants", Name: genesis.Name(fmt.Sprint("net", k)), Target: []string{"power"}, Members: 1, Epochs: 1}
		r, err := ada.SubmitRun(c.Context(), genesis.RunRequest{Kind: genesis.RunTrain, Request: asJSON(c.T, q)})
		if err != nil {
			c.Fatal(err)
		}
		c.eventually("the training ends", func() bool {
			run, err := ada.Run(c.Context(), r.ID)
			if err == nil && run.State.Ended() && run.State != genesis.RunDone {
				c.Fatalf("%+v", run.Error)
			}
			return err == nil && run.State.Ended()
		})
	})
}

func grow(t *testing.T, nodes int) (g growth) {
	var ids []genesis.NodeID
	for i := range nodes {
		ids = append(ids, genesis.NodeID(fmt.Sprintf("n%02d", i)))
	}
	c := newCluster(t, ids...)
	var requests, bytes atomic.Int64
	for _, id := range ids { // they joined one after the other: each hears of all
		c.refresh(id)
		c.lies(id, counting(&requests, &bytes))
	}
	var all []*asset
	for _, id := range ids {
		all = append(all, c.everyTier(id)...)
	}
	began := time.Now()
	for _, by := range ids {
		for _, of := range ids {
			c.towns[by].works.mirror.Nudge(of)
		}
	}
	for _, by := range ids {
		var want []string
		for _, a := range all {
			if text := a.listed(by, time.Now()); text != "" && a.at != by {
				want = append(want, text)
			}
		}
		g.listings += len(want)
		c.follows(by, want)
	}
	g.took, g.requests, g.bytes = time.Since(began), requests.Load(), bytes.Load()
	for _, by := range ids {
		for _, of := range ids {
			if s := c.followed(by, of, genesis.ClassPublic); by != of && (s.Standing != "" || s.Size != s.Applied || s.Skipped != 0) {
				t.Errorf("%s follows %s: %+v", by, of, s)
			}
		}
	}
	g.use(c)
	return g
}

// counting counts requests that arrive and bytes that are answered.
func counting(requests, bytes *atomic.Int64) lie {
	return func(w http.ResponseWriter, r *http.Request, node http.Handler) {
		requests.Add(1)
		node.ServeHTTP(&countedAnswer{w, bytes}, r)
	}
}

type countedAnswer struct {
	http.ResponseWriter
	bytes *atomic.Int64
}

func (c *countedAnswer) Unwrap() http.ResponseWriter { return c.ResponseWriter }

func (c *countedAnswer) Write(b []byte) (int, error) {
	n, err := c.ResponseWriter.Write(b)
	c.bytes.Add(int64(n))
	return n, err
}

// everyTier has a node offer something of every tier, to the two nodes that follow it by
// name.
func (c *cluster) everyTier(at genesis.NodeID) []*asset {
	c.Helper()
	i := slices.Index(c.order, at)
	friend, reader := c.order[(i+1)%len(c.order)], c.order[(i+len(c.order)-1)%len(c.order)]
	w := c.towns[at]
	var all []*asset
	for _, tier := range genesis.Tiers {
		for _, hidden := range []bool{false, true} {
			if hidden && tier != genesis.TierControlled {
				continue
			}
			a := &asset{at: at, name: fmt.Sprintf("%s-%v", tier, hidden), state: genesis.Published, tier: tier, hidden: hidden}
			if tier == genesis.TierPartner {
				a.partners = []string{string(friend)}
			}
			w.prepare(a.name, fmt.Sprintf("a,b\n1,%d\n3,4\n", i))
			w.must(w.works.Publish(c.Context(), w.local, a.name, genesis.PublishRequest{Tier: tier, Partners: a.partners, Hidden: &hidden}))
			if hidden || tier == genesis.TierRestricted {
				to := genesis.Grantee("institution:" + reader)
				w.must(w.works.Grant(c.Context(), w.local, genesis.GrantRequest{Ref: a.name, To: to, Actions: []genesis.Action{genesis.TrainOn}}))
				a.grants = []lent{{to: to, actions: []genesis.Action{genesis.TrainOn}}}
			}
			all = append(all, a)
		}
	}
	c.settle(at)
	return all
}

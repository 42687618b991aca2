//go:build linux || darwin

package node

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

var (
	worlds    = flag.Int("worlds", 2, "how many worlds are drawn for TestTwoWorldsAcrossNodes, beside the one of old")
	worldSeed = flag.Uint64("world-seed", 0, "the seed of the one that it draws instead")
)

// world is what there is at nrel.
type world struct {
	shown  []*asset // ada of mit may know of it
	hidden []*asset // neither she nor mit may
	drafts []string // versions that are hidden, of what is shown
}

// drawnWorlds are those of a test, by name.
func drawnWorlds(t *testing.T) map[string]*world {
	all := map[string]*world{}
	if *worldSeed == 0 {
		all["by hand"] = worldByHand()
	}
	n := *worlds
	if testing.Short() {
		n = min(n, 1)
	}
	for range n {
		seed := rand.Uint64() | 1
		if *worldSeed != 0 {
			seed = *worldSeed
		}
		all[fmt.Sprintf("-world-seed=%d", seed)] = drawWorld(rand.New(rand.NewPCG(seed, 3)))
	}
	return all
}

func thing(name string, tier genesis.Tier, edits ...func(*asset)) *asset {
	a := &asset{at: "nrel", name: name, state: genesis.Published, tier: tier}
	for _, edit := range edits {
		edit(a)
	}
	return a
}

func to(g genesis.Grantee, action genesis.Action) func(*asset) {
	return func(a *asset) { a.grants = append(a.grants, lent{to: g, actions: []genesis.Action{action}}) }
}

func hide(a *asset) { a.hidden = true }

func partnersOf(all ...string) func(*asset) {
	return func(a *asset) { a.partners = all }
}

func worldByHand() *world {
	eve, ornl := to("person:ornl/eve", genesis.TrainOn), to("institution:ornl", genesis.TrainOn)
	return &world{
		shown: []*asset{thing("shown", genesis.TierRegistered), thing("open", genesis.TierPublic)},
		hidden: []*asset{thing("s-partner", genesis.TierPartner, partnersOf("ornl"), eve, ornl), thing("s-hidden", genesis.TierControlled, hide, eve, ornl),
			thing("s-restricted", genesis.TierRestricted, eve, ornl), thing("s-draft", "", func(a *asset) { a.state = genesis.Draft })},
		drafts: []string{"shown"},
	}
}

// drawWorld draws a world.
func drawWorld(d *rand.Rand) *world {
	one := func(all ...func(*asset)) func(*asset) { return all[d.IntN(len(all))] }
	nothing := func(*asset) {}
	ways := []func(name string) *asset{ // that ada knows of something
		func(name string) *asset { return thing(name, genesis.TierPublic) },
		func(name string) *asset { return thing(name, genesis.TierRegistered) },
		func(name string) *asset { return thing(name, genesis.TierPartner, partnersOf("university")) },
		func(name string) *asset {
			return thing(name, genesis.TierControlled, one(nothing, to("person:mit/ada", genesis.Read)))
		},
		func(name string) *asset {
			return thing(name, genesis.TierControlled, hide, to("institution:mit", genesis.TrainOn))
		},
		func(name string) *asset {
			return thing(name, genesis.TierControlled, hide, to("person:mit/ada", genesis.Read))
		},
		func(name string) *asset {
			return thing(name, genesis.TierRestricted, to("sector:university", genesis.TrainOn))
		},
	}
	lends := func(a *asset) { // to others
		for range d.IntN(3) {
			one(to("person:ornl/eve", genesis.TrainOn), to("institution:ornl", genesis.TrainOn), to("sector:industry", genesis.TrainOn), to("person:nrel/kim", genesis.TrainOn))(a)
		}
		if a.tier != genesis.TierRestricted && d.IntN(4) == 0 {
			a.opens = time.Now().Add(72 * time.Hour).UTC().Truncate(24 * time.Hour)
		}
		if d.IntN(5) == 0 {
			a.state = []genesis.State{genesis.Withdrawn, genesis.Erased}[d.IntN(2)]
		}
	}
	secrets := []func(name string) *asset{
		func(name string) *asset {
			return thing(name, genesis.TierPartner, one(partnersOf("ornl"), partnersOf("industry"), partnersOf("laboratory", "ornl")), lends)
		},
		func(name string) *asset { return thing(name, genesis.TierControlled, hide, lends) },
		func(name string) *asset { return thing(name, genesis.TierRestricted, lends) },
		func(name string) *asset { return thing(name, "", func(a *asset) { a.state = genesis.Draft }) },
	}
	w := &world{}
	for i := range 2 + d.IntN(2) {
		w.shown = append(w.shown, ways[d.IntN(len(ways))](fmt.Sprintf("shown-%d", i)))
	}
	for i := range 2 + d.IntN(3) {
		w.hidden = append(w.hidden, secrets[d.IntN(len(secrets))](fmt.Sprintf("s-%d", i)))
	}
	if d.IntN(2) == 0 {
		w.drafts = []string{w.shown[0].name} // which is made before
	}
	return w
}

// refs are what is asked for by name.
func (w *world) refs() []string {
	refs := []string{w.shown[0].name + "@1", w.shown[0].name + "@2", "none"}
	for _, a := range slices.Concat(w.shown, w.hidden) {
		refs = append(refs, a.name)
	}
	return refs
}

// listed is what a node mirrors of it.
func (w *world) listed(by genesis.NodeID) (all []string) {
	for _, a := range w.shown {
		if l := a.listed(by, time.Now()); l != "" {
			all = append(all, l)
		}
	}
	return all
}

// makes makes what the model says, each with other rows.
func (c *cluster) makes(from int, all []*asset) {
	c.Helper()
	w := c.towns["nrel"]
	for i, a := range all {
		w.prepare(a.name, fmt.Sprintf("a,b\n1,2\n7,%d\n", from+i))
		if a.state == genesis.Draft {
			continue
		}
		req := genesis.PublishRequest{Tier: a.tier, Partners: a.partners, Hidden: &a.hidden}
		if !a.opens.IsZero() {
			req.Openings = []genesis.Opening{{At: a.opens, Tier: genesis.TierPublic}}
		}
		w.must(w.works.Publish(c.Context(), w.local, a.name, req))
		for _, l := range a.grants {
			w.must(w.works.Grant(c.Context(), w.local, genesis.GrantRequest{Ref: a.name, To: l.to, Actions: l.actions}))
		}
		switch a.state {
		case genesis.Withdrawn:
			w.must(w.works.Withdraw(c.Context(), w.local, a.name+"@1", "wrong"))
		case genesis.Erased:
			w.must(w.works.Erase(c.Context(), w.local, a.name+"@1", "wrong"))
		}
	}
}

// wishes has ada ask at home for a copy of something at nrel, for a training on it there and
// for access to it, and keeps what becomes of that: there refusals speak.
func (c *cluster) wishes(out map[string]string, ref string) {
	c.Helper()
	far, flat := "nrel/"+ref, strings.ReplaceAll(ref, "@", "-")
	for _, wish := range []struct{ what, path, body, at string }{
		{"pull", "/v1/runs", fmt.Sprintf(`{"kind":"pull","request":{"ref":%q,"name":"~ada/copy-%s"}}`, far, flat), "/v1/runs/"},
		{"order", "/v1/runs", fmt.Sprintf(`{"kind":"train","request":{"dataset":%q,"name":"net-%s","target":["b"],"where":"there","members":1,"epochs":1}}`, far, flat), "/v1/runs/"},
		{"ask", "/v1/requests", fmt.Sprintf(`{"ref":%q,"purpose":"wakes","actions":["infer"]}`, far), "/v1/requests/"},
	} {
		status, h, b := c.towns["mit"].exchange("ada", "POST", wish.path, wish.body)
		out[wish.what+" "+ref] = told(status, h, b)
		var is struct{ ID, State string }
		if json.Unmarshal(b, &is) != nil || is.ID == "" {
			continue
		}
		c.eventually(wish.what+" of "+ref+" has an end", func() bool {
			status, h, b = c.towns["mit"].exchange("ada", "GET", wish.at+is.ID, "")
			return json.Unmarshal(b, &is) == nil && !strings.Contains(string(b), `"waits"`) && (genesis.RunState(is.State).Ended() || wish.at == "/v1/requests/" && is.State != string(genesis.RequestPending))
		})
		out[wish.what+" "+ref+" in the end"] = strings.ReplaceAll(told(status, h, b), is.ID, "ID")
	}
}

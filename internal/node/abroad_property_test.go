//go:build linux || darwin

package node

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
)

// dance is two nodes whose people ask, answer and take back at random over a line that
// loses requests and answers.
type dance struct {
	*cluster
	rng      *rand.Rand
	ids      []string
	approved map[string]bool // by the owner's steward
}

// lossy loses a share of what goes over the line, before it arrives or after.
func (c *cluster) lossy(seed uint64) {
	rng := rand.New(rand.NewPCG(seed, 1))
	c.line.breaks(func(_, _ genesis.NodeID, r *http.Request) (error, error) {
		c.line.mu.Lock()
		defer c.line.mu.Unlock()
		if r.URL.Path != "/v1/messages" {
			return nil, nil
		}
		switch rng.IntN(4) {
		case 0:
			return errors.New("lost on the way"), nil
		case 1:
			return nil, errors.New("lost on the way back")
		}
		return nil, nil
	})
}

// step does one thing that one side may do; that it is refused is one of them.
func (d *dance) step() {
	nrel, mit, ctx := d.towns["nrel"], d.towns["mit"], d.Context()
	if len(d.ids) == 0 || d.rng.IntN(6) == 0 {
		r, err := mit.works.Ask(ctx, mit.local, genesis.AskRequest{Ref: fmt.Sprintf("nrel/data-%d", d.rng.IntN(4)), Purpose: "wakes"})
		if err != nil {
			d.Fatal(err)
		}
		d.ids = append(d.ids, r.ID)
		return
	}
	id := d.ids[d.rng.IntN(len(d.ids))]
	var err error
	switch d.rng.IntN(7) {
	case 0:
		_, err = mit.works.Say(ctx, mit.local, id, "please")
	case 1:
		_, err = mit.works.WithdrawRequest(ctx, mit.local, id)
	case 2:
		_, err = nrel.works.Say(ctx, nrel.local, id, "why?")
	case 3, 4:
		var r *genesis.AccessRequest
		if r, err = nrel.works.Approve(ctx, nrel.local, id, genesis.Approval{}); err == nil {
			d.approved[r.Grant] = true
		}
	case 5:
		_, err = nrel.works.Deny(ctx, nrel.local, id, "no")
	case 6:
		if g := nrel.request(nrel.local, id).Grant; g != "" {
			_, err = nrel.works.Revoke(ctx, nrel.local, g, "over")
			delete(d.approved, g)
		}
	}
	if k := genesis.KindOf(err); k != "" && k != genesis.Conflict && k != genesis.NotFound {
		d.Fatal(err)
	}
	nrel.works.post.Wake()
	mit.works.post.Wake()
}

// settled waits until nothing waits at either side.
func (d *dance) settled() {
	d.line.breaks(nil)
	d.eventually("all has arrived", func() bool {
		for _, w := range d.towns {
			w.works.post.Wake()
			if waits, err := w.works.post.Status(d.Context()); err != nil || len(waits) > 0 {
				return false
			}
		}
		return true
	})
}

// said are the words of a request, in whatever order they came.
func said(r genesis.AccessRequest) string {
	var all []string
	for _, m := range r.Messages {
		if m.Refused == "" {
			all = append(all, string(m.By)+": "+m.Text)
		}
	}
	slices.Sort(all)
	return strings.Join(all, "\n")
}

// agree holds what both sides know of each request against each other.
func (d *dance) agree() {
	nrel, mit := d.towns["nrel"], d.towns["mit"]
	for _, id := range d.ids {
		there, here := nrel.request(nrel.local, id), mit.request(mit.local, id)
		want := there.State
		if there.ID == "" {
			want = genesis.RequestRefused
		}
		if there.Grant != "" {
			g, err := nrel.works.Access.GrantByID(d.Context(), there.Grant)
			if err != nil {
				d.Fatal(err)
			}
			if g.Revoked != nil {
				want = genesis.RequestEnded
			}
			if d.approved[g.ID] != (g.Revoked == nil) {
				d.Errorf("%s: what was granted is not what was approved: %+v", id, g)
			}
		}
		if here.State != want || here.Grant != there.Grant || here.Waits != nil || said(here) != said(there) && want != genesis.RequestRefused {
			d.Errorf("%s: at home %+v\nat its owner's %s %+v", id, here, want, there)
		}
	}
	granted, _, err := nrel.works.Access.Grants(d.Context(), access.GrantQuery{Active: true, Limit: 1000})
	if err != nil {
		d.Fatal(err)
	}
	for _, g := range granted {
		if !d.approved[g.ID] {
			d.Errorf("nobody approved %+v", g)
		}
	}
	mine, err := mit.works.Grants(d.Context(), mit.local, genesis.GrantQuery{Mine: true})
	if err != nil || len(mine.Grants) != len(granted) {
		d.Errorf("%d grants are known at home, and %d were made: %v", len(mine.Grants), len(granted), err)
	}
}

// TestBothEndsAgree: whatever both sides do, and whatever the line loses, both know the
// same in the end, and nothing is granted that was not approved.
func TestBothEndsAgree(t *testing.T) {
	rounds := 3
	if testing.Short() {
		rounds = 1
	}
	for round := range rounds {
		seed := uint64(time.Now().UnixNano()) + uint64(round)
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			d := &dance{cluster: newCluster(t, "nrel", "mit"), rng: rand.New(rand.NewPCG(seed, 2)), approved: map[string]bool{}}
			for i := range 4 {
				d.towns["nrel"].publish(fmt.Sprintf("data-%d", i), controlled())
			}
			d.lossy(seed)
			for range 150 {
				d.step()
			}
			d.settled()
			d.agree()
			if len(d.ids) < 10 {
				t.Errorf("only %d requests", len(d.ids))
			}
		})
	}
}

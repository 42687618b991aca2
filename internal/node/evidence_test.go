//go:build linux || darwin

package node

import (
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/federation/mirror"
)

// TestForksAreTold: a member that sees a fork tells the others, which check it by
// themselves, tell their officers and go on following.
func TestForksAreTold(t *testing.T) {
	c := newCluster(t, "nrel", "mit", "ornl")
	c.offer("nrel", "wind", genesis.PublishRequest{Tier: genesis.TierPublic})
	c.follows("mit", []string{"public nrel/wind@1 public"})
	c.line.splits("ornl") // which does not see it
	c.forks("nrel")
	c.eventually("mit sees it", func() bool {
		c.towns["mit"].works.mirror.Nudge("nrel")
		return c.followed("mit", "nrel", genesis.ClassPublic).Standing == mirror.Forked
	})
	c.lies("nrel", nil)
	c.line.heals()
	c.towns["mit"].works.post.Wake()
	var told []genesis.AuditEntry
	c.eventually("ornl is told", func() bool {
		told = c.entries("ornl", genesis.AuditQuery{Act: "fork"})
		return len(told) > 0
	})
	if d := string(told[0].Detail); told[0].Subject != "log nrel/catalog-public/1" || !strings.Contains(d, `"by":"mit"`) || strings.Count(d, "— nrel/catalog-public/1 ") != 2 {
		t.Errorf("its officer is told %+v %s", told[0], d)
	}
	for id, by := range map[genesis.NodeID]genesis.NodeID{"mit": "", "ornl": "mit"} {
		info := c.refresh(id)
		if info == nil || len(info.Forks) != 1 || info.Forks[0].Node != "nrel" || info.Forks[0].By != by || !strings.Contains(strings.Join(info.Advice, " "), "contradicts itself") {
			t.Errorf("%s shows %+v", id, info)
		}
	}
	c.follows("ornl", []string{"public nrel/true@1 public", "public nrel/wind@1 public"}) // by what it sees itself
	if n := len(c.entries("nrel", genesis.AuditQuery{Act: "take-message"})); n != 0 {
		t.Errorf("the node in question took %d messages", n)
	}
}

package search

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/opengenesis/genesis"
)

// coverage says how far an answer covers each node that whoever asks can know of.
func (a *attempt) coverage(ctx context.Context, asked *asked) ([]genesis.NodeCoverage, error) {
	own := genesis.NodeCoverage{Node: a.Node, Fresh: a.Now().UTC().Truncate(time.Second), Asked: true, Answered: true}
	if a.building {
		own.Answered, own.Standing, own.Reason = false, genesis.StandingUnread, "its index is being built: ask again"
	}
	byNode := map[genesis.NodeID]*genesis.NodeCoverage{}
	if a.Peers != nil {
		for _, m := range a.Peers.Members() {
			if m.ID != a.Node {
				byNode[m.ID] = &genesis.NodeCoverage{Node: m.ID, Standing: genesis.StandingUnread}
			}
		}
	}
	for _, l := range a.logs {
		if !a.outlook.Home {
			l.Reason = "" // it may hold what the other node told this one
		}
		if c := byNode[l.Node]; c != nil && slices.Contains(a.outlook.Classes, l.Class) {
			addLog(c, l)
		}
	}
	asked.tell(byNode)
	all := []genesis.NodeCoverage{own}
	for _, c := range byNode {
		all = append(all, *c)
	}
	slices.SortFunc(all[1:], func(a, b genesis.NodeCoverage) int { return cmp.Compare(a.Node, b.Node) })
	return all, nil
}

// worst orders standings, the worst last.
var worst = []string{"", genesis.StandingPartial, genesis.StandingFailing, "behind", "refused", "forked"}

// addLog adds how a log is followed to what is told of its node: the oldest, and the worst.
func addLog(c *genesis.NodeCoverage, l genesis.Followed) {
	if l.Fresh.IsZero() && l.Entries == 0 {
		if c.Standing == genesis.StandingUnread {
			c.Cause = briefly(l.Reason)
		}
		return
	}
	if c.Standing == genesis.StandingUnread {
		c.Standing, c.Fresh, c.Cause = "", l.Fresh, ""
	}
	c.Entries += l.Entries
	if l.Fresh.Before(c.Fresh) {
		c.Fresh = l.Fresh
	}
	if slices.Index(worst, l.Standing) > slices.Index(worst, c.Standing) {
		c.Standing, c.Cause = l.Standing, briefly(l.Reason)
	}
}

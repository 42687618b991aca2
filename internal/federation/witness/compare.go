package witness

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/opengenesis/genesis"
)

// underWay is how long a message may take: it is tried for 30 days.
const underWay = 31 * 24 * time.Hour

// comparison compares acts of one sort.
type comparison struct {
	kind        genesis.SharedKind
	peer        genesis.NodeID
	from, until time.Time
	now         time.Time
	cut         bool                      // not all of the peer's acts were read
	taken       func(message string) bool // there is a receipt here

	unknownHere, unknownThere int64 // entries of which what they said was forgotten

	sums  genesis.ReconcileSums
	found []genesis.Discrepancy
}

// compare holds what this side has of acts against what the peer has.
func (c *comparison) compare(here, there []genesis.SharedAct) {
	c.sums.Kind = c.kind
	for _, outward := range []bool{true, false} {
		origins, receipts := here, there
		if !outward {
			origins, receipts = there, here
		}
		made, took := byID(origins, c.kind.Begins), byID(receipts, c.kind.Takes)
		ids := made
		for id := range took {
			if _, ok := made[id]; !ok {
				ids[id] = nil
			}
		}
		for _, id := range slices.Sorted(maps.Keys(ids)) {
			c.pair(outward, id, made[id], took[id])
		}
	}
	slices.SortStableFunc(c.found, func(a, b genesis.Discrepancy) int {
		return cmp.Or(timeOf(a).Compare(timeOf(b)), cmp.Compare(a.ID, b.ID))
	})
}

// byID are acts of one side by id, in the order of their log.
func byID(all []genesis.SharedAct, of func(genesis.SharedAct) bool) map[string][]genesis.SharedAct {
	out := map[string][]genesis.SharedAct{}
	for _, a := range all {
		if of(a) {
			out[a.ID] = append(out[a.ID], a)
		}
	}
	return out
}

func timeOf(d genesis.Discrepancy) time.Time {
	if d.Here != nil {
		return d.Here.Time
	}
	return d.There.Time
}

// pair weighs one act: what made it, and what came of it at the other side.
func (c *comparison) pair(outward bool, id string, made, took []genesis.SharedAct) {
	first := slices.Concat(made, took)[0]
	if first.Time.Before(c.from) || !first.Time.Before(c.until) {
		return // it is read because its counterpart may be in the period
	}
	switch {
	case len(made) == 0:
		c.unmade(outward, id, took)
	case len(took) == 0:
		c.untaken(outward, id, made[0])
	default:
		c.both(outward, id, made[0], took)
	}
}

// unmade is about what one side took and the other does not know of making.
func (c *comparison) unmade(outward bool, id string, took []genesis.SharedAct) {
	if !outward && c.cut {
		return // it may be in what was not read
	}
	what := map[genesis.SharedKind]string{genesis.SharedToken: "token", genesis.SharedMessage: "message", genesis.SharedPull: "copy"}[c.kind]
	if outward {
		c.find("there", id, fmt.Sprintf("%s took a %s of this node of which nothing is known here", c.peer, what)+perhaps(c.unknownHere), nil, &took[0])
	} else {
		c.find("here", id, fmt.Sprintf("this node took a %s of %s that %s does not know of", what, c.peer, c.peer)+perhaps(c.unknownThere), &took[0], nil)
	}
}

// perhaps says that an act may be one of those of which nothing is known any more.
func perhaps(unknown int64) string {
	if unknown == 0 {
		return ""
	}
	return fmt.Sprintf(", unless it is among the %d entries of which what they said was forgotten", unknown)
}

// untaken is about what one side made and the other does not know of taking.
func (c *comparison) untaken(outward bool, id string, made genesis.SharedAct) {
	received := outward && c.kind == genesis.SharedMessage && c.taken(id)
	switch {
	case outward && c.cut: // it may be in what was not read
	case c.kind != genesis.SharedMessage:
		c.sums.Unused++
	case received:
		c.find("here", id, fmt.Sprintf("%s gave a receipt for a message that is not in its log", c.peer), &made, nil)
	case c.now.Sub(made.Time) < underWay:
		c.sums.UnderWay++
	case outward:
		c.find("here", id, fmt.Sprintf("this node sent a message that %s does not know of", c.peer), &made, nil)
	default:
		c.find("there", id, fmt.Sprintf("%s sent a message that this node does not know of", c.peer), nil, &made)
	}
}

// both is about what both sides know.
func (c *comparison) both(outward bool, id string, made genesis.SharedAct, took []genesis.SharedAct) {
	done := slices.DeleteFunc(slices.Clone(took), func(a genesis.SharedAct) bool { return a.Outcome == genesis.Refused })
	why := ""
	for _, a := range took {
		if a.Digest != made.Digest || a.Kind != made.Kind {
			if why = "it was another message that arrived than was sent"; c.kind == genesis.SharedPull {
				why = "it was another version that was copied than was let go"
			}
			took[0] = a
		}
	}
	if len(done) > 1 {
		why = fmt.Sprintf("it was taken %d times", len(done))
	}
	switch {
	case why != "":
		here, there := &made, &took[0]
		if !outward {
			here, there = there, here
		}
		c.find("differ", id, why, here, there)
	case len(done) == 0:
		c.sums.Refused++
	default:
		c.sums.Both++
	}
}

func (c *comparison) find(what, id, why string, here, there *genesis.SharedAct) {
	switch what {
	case "here":
		c.sums.Here++
	case "there":
		c.sums.There++
	default:
		c.sums.Differ++
	}
	c.found = append(c.found, genesis.Discrepancy{Kind: c.kind, What: what, ID: id, Why: why, Here: here, There: there})
}

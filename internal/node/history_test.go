//go:build linux || darwin

package node

import (
	"context"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/client"
	"github.com/opengenesis/genesis/internal/federation/mirror"
)

var (
	histories   = flag.Int("histories", wanted("GENESIS_TEST_HISTORIES", 25), "how many histories of a federation TestHistories tries")
	historySeed = flag.String("history-seed", "", "the seeds of those that it tries instead, with commas")
)

const (
	stepsOf    = 18 // of a history
	perCluster = 50 // histories: by then its logs are long, and its clocks weeks ahead
)

// wanted is a number that the environment says, or the usual one.
func wanted(variable string, usual int) int {
	if n, err := strconv.Atoi(os.Getenv(variable)); err == nil {
		return n
	}
	return usual
}

// TestHistories has people of three nodes do at random what people do, while nodes are
// killed, parted and deaf and clocks are turned, and holds what happened against a model.
// A history that fails is told with its seed and the fewest steps that still fail:
//
//	go test ./internal/node -run TestHistories -history-seed SEED
func TestHistories(t *testing.T) {
	seeds := make([]uint64, *histories)
	for i := range seeds {
		seeds[i] = rand.Uint64()
	}
	if testing.Short() {
		seeds = seeds[:min(10, len(seeds))]
	}
	if *historySeed != "" {
		var err error
		if seeds, err = seedsOf(*historySeed); err != nil {
			t.Fatal(err)
		}
	}
	if why := (director{T: t, shrinks: 40 * time.Second}).plays(seeds); why != "" {
		t.Fatal(why)
	}
}

// step is one thing that happens, and the seed of how.
type step struct {
	name string
	seed uint64
}

// draw draws the steps of a history.
func draw(seed uint64) []step {
	d, total := rand.New(rand.NewPCG(seed, 0)), 0
	for _, a := range acts {
		total += a.weight
	}
	steps := []step{{"offer", d.Uint64()}, {"offer", d.Uint64()}}
	for range stepsOf {
		n := d.IntN(total)
		for _, a := range acts {
			if n -= a.weight; n < 0 {
				steps = append(steps, step{a.name, d.Uint64()})
				break
			}
		}
	}
	return steps
}

// acts are what may happen, and how often.
var acts = []struct {
	name   string
	weight int
	do     func(*history) error
}{
	{"offer", 8, (*history).offer},
	{"terms", 8, (*history).terms},
	{"withdraw", 2, (*history).withdraw},
	{"erase", 2, (*history).erase},
	{"grant", 12, (*history).grant},
	{"revoke", 6, (*history).revoke},
	{"read", 20, func(h *history) error { return h.act(genesis.Read) }},
	{"discover", 12, func(h *history) error { return h.act(genesis.Discover) }},
	{"list", 4, (*history).list},
	{"race", 6, (*history).race},
	{"ask", 10, (*history).ask},
	{"answer", 10, (*history).answer},
	{"unsay", 2, (*history).unsay},
	{"command", 8, (*history).command},
	{"cancel", 2, (*history).cancel},
	{"find", 8, (*history).find},
	{"pull", 6, (*history).pull},
	{"tell", 6, (*history).tell},
	{"replay", 6, (*history).replay},
	{"lie", 4, (*history).lie},
	{"slow", 3, (*history).slow},
	{"part", 3, (*history).part},
	{"deafen", 3, (*history).deafen},
	{"stop", 1, (*history).stop},
	{"kill", 2, (*history).kill},
	{"heal", 6, (*history).heal},
	{"rotate", 1, (*history).rotate},
	{"turn", 1, (*history).turn},
	{"clock", 2, (*history).clock},
}

// theatre is a federation in which histories are played, one after the other.
type theatre struct {
	*cluster
	souls  []soul
	guests map[string]*client.Client
	days   time.Duration // by which all clocks are ahead: act turn
	plays  int

	blunder func(a *asset, may bool) bool // has the model be wrong; nil: it is not
}

func newTheatre(t *testing.T) *theatre {
	t.Helper()
	s := &theatre{cluster: newCluster(t, "nrel", "mit", "ornl"), guests: map[string]*client.Client{}}
	s.patient = true
	for _, id := range s.order {
		w := s.towns[id]
		for _, name := range []string{"ada", "bob"} {
			w.admit(name)
			s.souls = append(s.souls, soul{id, name})
		}
		s.hears(id)
	}
	return s
}

// hears has a node take messages of a test.
func (s *theatre) hears(id genesis.NodeID) {
	s.towns[id].works.post.Handle["test"] = func(context.Context, *sql.Tx, genesis.PeerMessage) error { return nil }
}

// client is somebody's client of a node.
func (s *theatre) client(p soul, at genesis.NodeID) (*client.Client, error) {
	key := string(p.person()) + " " + string(at)
	if c := s.guests[key]; c != nil {
		return c, nil
	}
	c, err := s.home(p.home, p.name).At(s.Context(), at)
	if err == nil {
		s.guests[key] = c
	}
	return c, err
}

// now is a node's clock.
func (s *theatre) now(id genesis.NodeID) time.Time { return s.line.clocks[id].now() }

// play plays a history and returns what did not hold.
func (s *theatre) play(steps []step) error {
	s.plays++
	clear(s.guests) // what became of sessions before is no matter of this one
	h := &history{theatre: s, prefix: fmt.Sprintf("h%03d-", s.plays), began: time.Now(), down: map[genesis.NodeID]bool{}, off: map[genesis.NodeID]bool{}, told: map[string]genesis.NodeID{}}
	h.listens()
	for _, step := range steps {
		h.d = rand.New(rand.NewPCG(step.seed, 1))
		for _, a := range acts {
			if a.name != step.name {
				continue
			}
			h.did = append(h.did, step.name)
			if err := a.do(h); err != nil {
				return fmt.Errorf("%w\n%s", err, h.story())
			}
			h.watch()
			if h.lieEnds--; h.lieEnds == 0 {
				h.honest()
			}
		}
	}
	err := h.recover()
	if err == nil {
		err = h.holds()
	}
	if err != nil {
		err = fmt.Errorf("%w\n%s", err, h.story())
	}
	return err
}

// notes says of the present step what it does.
func (h *history) notes(format string, args ...any) {
	h.did[len(h.did)-1] += " " + fmt.Sprintf(format, args...)
}

// story is what happened.
func (h *history) story() string { return strings.Join(h.did, "\n") }

// history is one that is being played.
type history struct {
	*theatre
	d        *rand.Rand
	prefix   string
	coverage []genesis.NodeCoverage // of the last search
	began    time.Time
	assets   []*asset
	down     map[genesis.NodeID]bool
	off      map[genesis.NodeID]bool   // its clock is
	split    genesis.NodeID            // from whom and to whom nothing gets
	deaf     genesis.NodeID            // to whom no answer gets
	told     map[string]genesis.NodeID // messages that were put, to whom
	did      []string                  // step by step

	faults  int            // that began
	lying   genesis.NodeID // answers others wrongly
	lieEnds int            // after so many steps

	listening sync.Mutex
	heard     []heard // on the line, and may be asked once

	asked   []*asking
	ordered []*ordering
	pulled  []*pulling
}

// recover mends everything.
func (h *history) recover() error {
	h.line.heals()
	h.split, h.deaf = "", ""
	h.honest()
	for _, id := range h.order {
		if h.down[id] {
			h.start(id)
		}
		h.line.clocks[id].turn(h.days)
		h.off[id] = false
	}
	for _, id := range h.order {
		if _, err := h.towns[id].works.RefreshFederation(h.Context(), h.towns[id].local); err != nil {
			return fmt.Errorf("%s hears nobody though all is mended: %w", id, err)
		}
	}
	return nil
}

// holds says what does not hold after a history.
func (h *history) holds() error {
	for _, id := range h.order {
		h.settle(id)
		h.towns[id].works.post.Wake()
	}
	for _, check := range []func() error{h.converged, h.delivered, h.agreed, h.ended, h.copied, h.foundAll, h.recorded, h.vouched, h.sound} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// converged: each node mirrors what the model says, and nothing else.
func (h *history) converged() error {
	for _, by := range h.order {
		var want []string
		for _, a := range h.assets {
			if text := a.listed(by, h.now(a.at)); text != "" && a.at != by {
				want = append(want, text)
			}
		}
		slices.Sort(want)
		var have []string
		for began := time.Now(); ; time.Sleep(3 * time.Millisecond) {
			have = slices.DeleteFunc(h.mirrored(by), func(s string) bool { return !strings.Contains(s, "/"+h.prefix) })
			if slices.Equal(have, want) && h.standing(by) == "" {
				break
			}
			if time.Since(began) > patience {
				status, _ := h.towns[by].works.mirror.Status(h.Context())
				return fmt.Errorf("%s does not mirror what it may know of: %+v\n%s", by, status, cmp.Diff(want, have))
			}
			for _, id := range h.order {
				h.towns[by].works.mirror.Nudge(id)
			}
		}
	}
	return nil
}

// standing says which log a node does not follow.
func (h *history) standing(by genesis.NodeID) string {
	all, err := h.towns[by].works.mirror.Status(h.Context())
	if err != nil {
		return err.Error()
	}
	for _, s := range all {
		if s.Standing != mirror.Good {
			return fmt.Sprintf("%+v", s)
		}
	}
	return ""
}

// delivered: each message of a test was taken, and nothing that anybody sent was taken twice.
func (h *history) delivered() error {
	for about, to := range h.told {
		for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
			n := 0
			for _, e := range h.entries(to, genesis.AuditQuery{Act: "take-message", Since: h.began, Outcome: genesis.Done}) {
				if strings.Contains(string(e.Detail), `"`+about+`"`) {
					n++
				}
			}
			if n == 1 {
				break
			}
			if n > 1 || time.Since(began) > patience {
				return fmt.Errorf("message %s was taken %d times by %s", about, n, to)
			}
			for _, id := range h.order {
				h.towns[id].works.post.Wake()
			}
		}
	}
	for _, id := range h.order {
		taken := map[string]bool{}
		for _, e := range h.entries(id, genesis.AuditQuery{Act: "take-message", Since: h.began, Outcome: genesis.Done}) {
			message := e.Subject + " " + field(e, "message")
			if taken[message] {
				return fmt.Errorf("%s took a message twice: %s %s", id, e.Subject, e.Detail)
			}
			taken[message] = true
		}
	}
	return nil
}

// recorded: each act that was acknowledged is in the owner's journal, as often as it was
// done; and no read is that was refused.
func (h *history) recorded() error {
	for _, a := range h.assets {
		have := map[string]int{}
		for _, e := range h.entries(a.at, genesis.AuditQuery{Subject: a.name, Since: h.began}) {
			if e.Outcome != genesis.Refused {
				key := e.Act
				if e.Act == "read" {
					key += " " + e.Actor
				}
				have[key]++
			}
		}
		for act, n := range a.said {
			if have[act] != n && !(strings.HasPrefix(act, "read ") && have[act] > 0) { // reads of a minute share an entry
				return fmt.Errorf("%s: %q is recorded %d times, and was acknowledged %d times", a.name, act, have[act], n)
			}
		}
		for act, n := range have {
			if strings.HasPrefix(act, "read ") && a.said[act]+a.maybe[act] == 0 {
				return fmt.Errorf("%s: %q is recorded %d times, and was refused", a.name, act, n)
			}
		}
	}
	return nil
}

// vouched: whom a node took, another vouched for, and each word was taken once.
func (h *history) vouched() error {
	words := map[string]int{}
	for _, id := range h.order {
		for _, e := range h.entries(id, genesis.AuditQuery{Act: "vouch", Since: h.began.Add(-time.Minute)}) {
			words[field(e, "jti")] = 1
		}
	}
	for _, id := range h.order {
		for _, e := range h.entries(id, genesis.AuditQuery{Act: "exchange", Outcome: genesis.Done, Since: h.began}) {
			if jti := field(e, "jti"); words[jti] != 1 {
				return fmt.Errorf("%s took a word that nobody gave, or twice: %s", id, e.Detail)
			} else {
				words[jti] = 2
			}
		}
	}
	return nil
}

// field is what the detail of an entry says of something.
func field(e genesis.AuditEntry, name string) string {
	var all map[string]any
	_ = json.Unmarshal(e.Detail, &all) // then it says nothing
	text, _ := all[name].(string)
	return text
}

// sound: the journals verify.
func (h *history) sound() error {
	for _, id := range h.order {
		v, err := h.towns[id].works.AuditVerify(h.Context(), h.towns[id].local, h.began, nil)
		if err != nil || v.Bad >= 0 {
			return fmt.Errorf("the journal of %s: %+v %w", id, v, err)
		}
	}
	return nil
}

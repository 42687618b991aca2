//go:build linux || darwin

package node

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

// director has histories played, and tells of the first that fails.
type director struct {
	*testing.T
	blunder func(a *asset, may bool) bool
	shrinks time.Duration // for how long it looks for fewer steps
}

// seedsOf reads what -history-seed says.
func seedsOf(text string) (seeds []uint64, err error) {
	for _, one := range strings.Split(text, ",") {
		seed, err := strconv.ParseUint(one, 10, 64)
		if err != nil {
			return nil, err
		}
		seeds = append(seeds, seed)
	}
	return seeds, nil
}

// theatre is a new federation.
func (d director) theatre() *theatre {
	d.Helper()
	s := newTheatre(d.T)
	s.blunder = d.blunder
	return s
}

// plays plays histories, some in one federation, and explains the first that fails; "":
// none does.
func (d director) plays(seeds []uint64) string {
	for batch := range slices.Chunk(seeds, perCluster) {
		s := d.theatre()
		for i, seed := range batch {
			if why := s.play(draw(seed)); why != nil {
				return d.explain(batch[:i+1], why)
			}
		}
	}
	return ""
}

// explain finds the least that fails as well: the last history alone, with as few steps as
// do, if it fails in a federation of its own.
func (d director) explain(seeds []uint64, why error) string {
	last := seeds[len(seeds)-1]
	steps := draw(last)
	again := d.theatre().play(steps)
	if again == nil {
		text := strings.Trim(strings.ReplaceAll(fmt.Sprint(seeds), " ", ","), "[]")
		return fmt.Sprintf("-history-seed %s: %v\n(%d alone does not fail)", text, why, last)
	}
	return fmt.Sprintf("-history-seed %d: %v", last, d.shrink(steps, again))
}

// shrink leaves out steps without which a history fails as well, in a federation of its own each time.
func (d director) shrink(steps []step, why error) error {
	for began, i := time.Now(), 0; i < len(steps) && time.Since(began) < d.shrinks; {
		fewer := slices.Delete(slices.Clone(steps), i, i+1)
		if again := d.theatre().play(fewer); again != nil {
			steps, why = fewer, again
		} else {
			i++
		}
	}
	return why
}

// TestFailedHistoryIsReplayed: a history that fails, here because the model is wrong on
// purpose, fails again from the line that is printed, and holds when the model is right.
func TestFailedHistoryIsReplayed(t *testing.T) {
	wrong := director{T: t, blunder: func(a *asset, may bool) bool {
		return may && !(a.state == genesis.Published && a.tier == genesis.TierRegistered)
	}}
	const once = "alone does not fail"
	line := once
	for try := 0; try < 5 && strings.Contains(line, once); try++ { // a few fail by what happened at once, and say so
		seeds := make([]uint64, 20) // each offers something of that tier in most cases
		for i := range seeds {
			seeds[i] = rand.Uint64()
		}
		if line = wrong.plays(seeds); line == "" {
			t.Fatal("a model that is wrong does not fail")
		}
	}
	text, _, _ := strings.Cut(strings.TrimPrefix(line, "-history-seed "), ":")
	again, err := seedsOf(text)
	if err != nil || len(again) != 1 {
		t.Fatalf("it does not say with which seed it fails: %s", line)
	}
	if why := wrong.plays(again); !strings.HasPrefix(why, "-history-seed "+text+": ") {
		t.Errorf("from the line it does not fail: %s\nand before: %s", why, line)
	}
	if why := (director{T: t}).plays(again); why != "" {
		t.Errorf("it is no matter of the model: %s", why)
	}
}

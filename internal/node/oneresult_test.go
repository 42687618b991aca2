//go:build linux || darwin

package node

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/work/run"
)

var oneResultSeeds = flag.Int("one-result-seeds", 30, "how many broken worlds TestOneResult tries")

// TestOneResult: whatever the line loses, whenever nodes stop, and whenever somebody
// cancels, of a training at another node there is one result or none, and both nodes say
// which. It counts once.
func TestOneResult(t *testing.T) {
	p := newPair(t)
	nrel := p.towns["nrel"]
	nrel.must(nrel.works.Publish(t.Context(), nrel.local, "turbines", genesis.PublishRequest{Tier: genesis.TierControlled, Training: &genesis.TrainingTerms{Runs: 100_000}}))
	ends := map[genesis.RunState]int{}
	seeds := *oneResultSeeds
	if testing.Short() {
		seeds = min(seeds, 5)
	}
	for seed := range seeds {
		w := &brokenWorld{pair: p, seed: uint64(seed), random: rand.New(rand.NewPCG(uint64(seed), 1)), id: run.NewID()}
		ends[w.live()]++
	}
	t.Logf("ends: %v", ends)
	if seeds >= 30 && (ends[genesis.RunDone] < 5 || ends[genesis.RunCanceled] < 2) {
		t.Errorf("the worlds are not as broken as they should be: %v", ends)
	}
}

// brokenWorld is one training while everything breaks.
type brokenWorld struct {
	*pair
	seed   uint64
	random *rand.Rand
	id     string
	mu     sync.Mutex // of random
}

func (w *brokenWorld) chance(of float64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.random.Float64() < of
}

func (w *brokenWorld) pause(most time.Duration) {
	w.mu.Lock()
	d := time.Duration(w.random.Int64N(int64(most)))
	w.mu.Unlock()
	time.Sleep(d)
}

// live orders a training, breaks what can be broken, mends it, and checks how it ended.
func (w *brokenWorld) live() genesis.RunState {
	w.Helper()
	w.line.breaks(func(_, _ genesis.NodeID, _ *http.Request) (before, after error) {
		if w.chance(0.25) {
			return errors.New("lost on the way"), nil
		}
		if w.chance(0.25) {
			return nil, errors.New("the answer was lost")
		}
		return nil, nil
	})
	q := tiny("nrel/turbines")
	q.Seed, q.Name, q.Where = w.seed, genesis.Name(fmt.Sprintf("m%d", w.seed)), genesis.TrainThere
	q.Epochs = 1 + 200*w.random.IntN(2)
	req := genesis.RunRequest{ID: w.id, Kind: genesis.RunTrain, Request: asJSON(w.T, q)}
	for range w.random.IntN(3) { // asked more than once, before and after it breaks
		_, _ = w.ada().SubmitRun(w.Context(), req)
	}
	cancels := w.chance(0.4)
	if cancels {
		w.pause(50 * time.Millisecond)
		_, _ = w.ada().CancelRun(w.Context(), w.id)
	}
	for range w.random.IntN(4) {
		w.pause(80 * time.Millisecond)
		if cancels && w.chance(0.5) {
			_, _ = w.ada().CancelRun(w.Context(), w.id)
		}
		if w.chance(0.7) {
			id := []genesis.NodeID{"nrel", "mit"}[w.random.IntN(2)]
			w.stop(id)
			w.pause(30 * time.Millisecond)
			w.restart(id)
		}
	}
	w.line.breaks(nil)
	w.submit(w.id, q)
	if cancels && w.chance(0.5) {
		_, _ = w.ada().CancelRun(w.Context(), w.id)
	}
	end := w.ended(w.id)
	w.check(end)
	return end.State
}

// check compares what the nodes have of the training.
func (w *brokenWorld) check(end genesis.Run) {
	w.Helper()
	nrel := w.towns["nrel"].works
	var models, spent, counted, open int
	for query, into := range map[string]*int{
		fmt.Sprintf("SELECT count(*) FROM versions v JOIN assets a ON a.id = v.asset_id WHERE a.name = '~ada+mit/m%d'", w.seed): &models,
		"SELECT coalesce(sum(spent), 0) FROM unread_trainings":                                                                  &spent,
		"SELECT count(*) FROM run_orders WHERE spent = 1":                                                                       &counted,
		"SELECT count(*) FROM run_orders WHERE state <> 'ended'":                                                                &open,
	} {
		if err := nrel.DB().Read().QueryRowContext(w.Context(), query).Scan(into); err != nil {
			w.Fatal(err)
		}
	}
	commits := w.commits()
	want := 0
	if end.State == genesis.RunDone {
		want = 1
	}
	if models != want || commits != want {
		w.Errorf("seed %d: the run is %s (%+v), and there are %d models by %d commits", w.seed, end.State, end.Error, models, commits)
	}
	if spent != counted {
		w.Errorf("seed %d: %d trainings were counted for %d orders", w.seed, spent, counted)
	}
	if open != 0 {
		w.Errorf("seed %d: %d orders are not ended", w.seed, open)
	}
	if end.State == genesis.RunFailed {
		w.Errorf("seed %d: failed: %+v", w.seed, end.Error)
	}
	var made genesis.Trained
	if end.State == genesis.RunDone && (json.Unmarshal(end.Result, &made) != nil || made.Version.Name != genesis.Name(fmt.Sprintf("~ada+mit/m%d", w.seed))) {
		w.Errorf("seed %d: made %+v", w.seed, made.Version)
	}
	if r, err := nrel.Run(w.Context(), w.towns["nrel"].local, w.id); err == nil && r.State != end.State {
		w.Errorf("seed %d: %s at home, %s there", w.seed, end.State, r.State)
	}
}

// commits counts the entries of nrel's journal by which the run made something.
func (w *brokenWorld) commits() (n int) {
	w.Helper()
	page, err := w.towns["nrel"].works.Audit(w.Context(), w.towns["nrel"].local, genesis.AuditQuery{Act: "commit", Actor: "mit/ada", Limit: 1000})
	if err != nil {
		w.Fatal(err)
	}
	for _, e := range page.Entries {
		if strings.Contains(string(e.Detail), w.id) {
			n++
		}
	}
	return n
}

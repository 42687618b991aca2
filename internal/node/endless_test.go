//go:build linux || darwin

package node

import (
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/work/run"
)

// mostHeld is by how many bytes the heap of a node may grow while everything that it hears
// from another has no end: what is read of a bundle, and garbage.
const mostHeld = 256 << 20

// heap is how many bytes the process holds, garbage included.
func heap() int64 {
	of := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(of)
	return int64(of[0].Value.Uint64())
}

// TestEndlessBodiesAreBounded: whatever a node asks another that answers without an end, it
// stops reading, and its heap stays small.
func TestEndlessBodiesAreBounded(t *testing.T) {
	c := newCluster(t, "nrel", "mit")
	c.offer("nrel", "wind", genesis.PublishRequest{Tier: genesis.TierRegistered})
	c.follows("mit", []string{"members nrel/wind@1 registered"})
	taken := c.takes("nrel", "test")
	mit := c.towns["mit"]
	mit.admit("ada")
	ada := c.home("mit", "ada")
	defer debug.SetGCPercent(debug.SetGCPercent(20)) // so that it is less garbage that is measured
	runtime.GC()
	before := heap()
	c.lies("nrel", endlessly(c, "nrel"))
	c.puts("mit", "nrel", "test", "to somebody who does not end")
	_, err := ada.SubmitRun(t.Context(), genesis.RunRequest{ID: run.NewID(), Kind: genesis.RunPull, Request: asJSON(t, genesis.PullRequest{Ref: "nrel/wind@1"})})
	mit.must(nil, err)
	ctx, stop := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	for _, ask := range []func(){
		func() { _, _ = mit.works.RefreshFederation(ctx, mit.local) },
		func() { _, _ = ada.Search(ctx, genesis.SearchQuery{Text: "wind"}) },
		func() { mit.works.mirror.Nudge("nrel"); mit.works.post.Wake() },
		func() { _ = mit.works.RenewMemberships(ctx) },
	} {
		asking.Go(func() {
			for ctx.Err() == nil {
				ask()
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	most := int64(0)
	for began := time.Now(); time.Since(began) < 3*time.Second && most < mostHeld; time.Sleep(2 * time.Millisecond) {
		most = max(most, heap()-before)
	}
	stop()
	c.lies("nrel", nil)
	asking.Wait()
	if t.Logf("the heap grew by up to %d MiB", most>>20); most >= mostHeld {
		t.Errorf("it reads on and on: the heap grew by %d MiB", most>>20)
	}
	c.eventually("all is well", func() bool {
		mit.works.mirror.Nudge("nrel")
		waits, err := mit.works.post.Status(t.Context())
		mit.works.post.Wake()
		return err == nil && len(waits) == 0 && len(taken()) == 1 && c.followed("mit", "nrel", genesis.ClassMembers).Standing == ""
	})
}

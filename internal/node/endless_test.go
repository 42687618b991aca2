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

// heap is how many bytes the process holds, garbage included.
func heap() int64 {
	of := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(of)
	return int64(of[0].Value.Uint64())
}

// grows is by how much the heap grows, at most, while something is done again and again
// for two seconds; it stops when that is more than it may.
func grows(ctx context.Context, may int64, do ...func(context.Context)) (most int64) {
	defer debug.SetGCPercent(debug.SetGCPercent(20)) // so that it is less garbage that is measured
	runtime.GC()
	before := heap()
	ctx, stop := context.WithTimeout(ctx, 2*time.Second)
	defer stop()
	var doing sync.WaitGroup
	for _, f := range do {
		doing.Go(func() {
			for ctx.Err() == nil {
				f(ctx)
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	for ctx.Err() == nil {
		if most = max(most, heap()-before); most >= may {
			stop()
		}
		time.Sleep(time.Millisecond)
	}
	doing.Wait()
	return most
}

// TestEndlessBodiesAreBounded: whatever a node asks another that answers without an end, it
// stops reading: its heap does not grow by more than such answers may have, and garbage.
func TestEndlessBodiesAreBounded(t *testing.T) {
	c := newCluster(t, "nrel", "mit")
	c.offer("nrel", "wind", genesis.PublishRequest{Tier: genesis.TierRegistered})
	c.follows("mit", []string{"members nrel/wind@1 registered"})
	taken := c.takes("nrel", "test")
	mit := c.towns["mit"]
	mit.admit("ada")
	ada := c.home("mit", "ada")
	nrel, members := c.towns["nrel"], []genesis.PersonID{"mit/ada"}
	nrel.must(nrel.works.PutProject(t.Context(), nrel.local, "wind", genesis.ProjectRequest{Members: &members}))
	c.eventually("ada is in a project", func() bool {
		tokens, err := mit.works.TokensOf(t.Context(), "mit/ada")
		return err == nil && len(tokens) == 1
	})
	for _, id := range c.order { // her token is to be renewed
		c.line.clocks[id].turn(40 * time.Minute)
	}
	c.lies("nrel", endlessly(c, "nrel"))
	c.puts("mit", "nrel", "test", "to somebody who does not end")
	for _, asked := range []struct {
		what string
		may  int64
		do   []func(context.Context)
	}{
		{"a search", 32 << 20, []func(context.Context){func(ctx context.Context) { _, _ = ada.Search(ctx, genesis.SearchQuery{Text: "wind"}) }}},
		{"catalogues", 64 << 20, []func(context.Context){func(context.Context) { mit.works.mirror.Nudge("nrel") }}},
		{"messages", 32 << 20, []func(context.Context){func(context.Context) { mit.works.post.Wake() }}},
		{"memberships", 64 << 20, []func(context.Context){func(ctx context.Context) { _ = mit.works.RenewMemberships(ctx) }}},
		{"a copy", 5 * (64 << 20), []func(context.Context){func(ctx context.Context) { // a bundle has up to 64 MiB, and is made room for in steps
			_, _ = ada.SubmitRun(ctx, genesis.RunRequest{ID: run.NewID(), Kind: genesis.RunPull, Request: asJSON(t, genesis.PullRequest{Ref: "nrel/wind@1"})})
			time.Sleep(2 * time.Second)
		}}},
	} {
		most := grows(t.Context(), asked.may, asked.do...)
		if t.Logf("%s: the heap grew by up to %d KiB", asked.what, most>>10); most >= asked.may {
			t.Errorf("%s: it reads on and on: the heap grew by %d MiB", asked.what, most>>20)
		}
	}
	c.lies("nrel", nil)
	c.eventually("all is well", func() bool {
		mit.works.mirror.Nudge("nrel")
		mit.works.post.Wake()
		waits, err := mit.works.post.Status(t.Context())
		return err == nil && len(waits) == 0 && len(taken()) == 1 && c.followed("mit", "nrel", genesis.ClassMembers).Standing == ""
	})
}

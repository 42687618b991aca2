package main

import (
	"context"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/opengenesis/genesis/internal/node"
)

// open counts how many services are open at once.
type counted struct {
	fake
	open *atomic.Int32
}

func (c counted) Close() error { c.open.Add(-1); return nil }

// TestJoin lets many come and go on one home. At any time at most one serves,
// and everybody is served.
func TestJoin(t *testing.T) {
	home, err := node.OpenHome(filepath.Join(t.TempDir(), "home"))
	if err != nil {
		t.Fatal(err)
	}
	var open, served atomic.Int32
	opt := node.Options{Open: func(context.Context, *node.Home) (node.Service, error) {
		if open.Add(1) != 1 {
			t.Error("two serve one home")
		}
		served.Add(1)
		return counted{open: &open}, nil
	}}
	visit := func() {
		c, serving, err := join(t.Context(), home, opt)
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := c.Describe(t.Context(), "turbines"); err != nil {
			t.Error(err)
		}
		c.Close()
		if serving != nil {
			if err := serving.Leave(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 15 {
				visit()
			}
		})
	}
	wg.Wait()
	if open.Load() != 0 || served.Load() == 0 {
		t.Errorf("%d open, %d served", open.Load(), served.Load())
	}
}

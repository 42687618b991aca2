package ingest

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/format"
)

// Env is what ingest works with: where bytes go, which formats are known, and
// what it may use.
type Env struct {
	Blobs    *blob.Store
	Drivers  []format.Driver
	Temp     string // directory for spilled data; "" means the system's
	Limits   format.Limits
	Memory   int64 // bytes that may be held for what grows with the rows; 0: 64 MiB
	Threads  int   // 0: one per core
	Progress genesis.Progress
}

func (e Env) threads() int {
	if e.Threads > 0 {
		return e.Threads
	}
	return runtime.GOMAXPROCS(0)
}

func (e Env) memory() int64 {
	if e.Memory > 0 {
		return e.Memory
	}
	return 64 << 20
}

// parallel calls f(0) … f(n−1) on at most threads goroutines and returns the
// error of the lowest index, so that the outcome does not depend on timing.
func parallel(threads, n int, f func(i int) error) error {
	if threads <= 1 || n <= 1 {
		for i := range n {
			if err := f(i); err != nil {
				return err
			}
		}
		return nil
	}
	errs := make([]error, n)
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(threads, n) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				errs[i] = f(i)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func canceled(ctx context.Context, op string) error {
	if ctx.Err() == nil {
		return nil
	}
	return &genesis.Error{Op: op, Kind: genesis.Canceled, Msg: "stopped before the end; nothing was kept", Err: context.Cause(ctx)}
}

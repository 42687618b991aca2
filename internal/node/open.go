package node

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/blob/file"
	"github.com/opengenesis/genesis/internal/catalog"
	"github.com/opengenesis/genesis/internal/store"
	"github.com/opengenesis/genesis/internal/work"
	"github.com/opengenesis/genesis/internal/work/run"
)

// works is internal/work over the stores of a home.
type works struct {
	*work.Service
	db    *store.DB
	blobs *blob.Store
}

// openWork puts the service of a home together. It is the one place that knows
// how.
func openWork(ctx context.Context, h *Home, opt Options) (Service, error) {
	driver, err := file.Open(h.Blobs())
	if err != nil {
		return nil, err
	}
	blobs := blob.Open(driver)
	db, err := store.Open(ctx, h.Catalog())
	if err != nil {
		return nil, errors.Join(err, blobs.Close())
	}
	checkpoints := filepath.Join(h.Temp(), "runs")
	if err := os.MkdirAll(checkpoints, 0o700); err != nil {
		return nil, errors.Join(err, db.Close(), blobs.Close())
	}
	bound(h.Config.Memory)
	w := &works{db: db, blobs: blobs, Service: work.New(work.Config{
		DB: db, Catalog: catalog.New(db, blobs), Blobs: blobs, Access: &access.Decider{Node: h.Config.Node},
		Drivers: Formats(), Limits: h.Config.Limits, Temp: checkpoints,
		Memory: h.Config.Memory / 8, Threads: h.Config.Threads, Software: "genesis " + genesis.Build().Version,
		Execution: execution(h, checkpoints, opt),
	})}
	if err := w.Start(ctx); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// execution says how the runs of a home are executed.
func execution(h *Home, checkpoints string, opt Options) run.Config {
	return run.Config{
		Dir: h.Runs(), Worker: opt.Worker, Soft: h.Config.Memory / 8 * 7, Limits: h.Config.Runs, Log: opt.Log,
		Settings: workerSettings{Blobs: h.Blobs(), Checkpoints: checkpoints, Limits: h.Config.Limits,
			Memory: h.Config.Memory / 8, Threads: h.Config.Threads},
	}
}

// bound tells the garbage collector the memory that may be held, leaving room
// for what it does not manage. It is a request: work bounds itself by counting.
func bound(memory int64) {
	if os.Getenv("GOMEMLIMIT") == "" && memory > 0 {
		debug.SetMemoryLimit(memory * 7 / 8)
	}
}

// Close stops the runs and closes the stores.
func (w *works) Close() error {
	return errors.Join(w.Service.Close(), w.db.Close(), w.blobs.Close())
}

package node

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime/debug"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/api"
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
	governance
	db    *store.DB
	blobs *blob.Store
}

// governance stands for what internal/work does not do yet.
type governance struct{ api.Service }

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
	decider, err := access.Open(ctx, access.Config{DB: db, Node: h.Config.Node, Charter: access.Alone(genesis.Member{ID: h.Config.Node})})
	if err != nil {
		return nil, errors.Join(err, db.Close(), blobs.Close())
	}
	temp := filepath.Join(h.Temp(), "runs")
	execution, err := execution(h, opt)
	if err = errors.Join(err, os.MkdirAll(temp, 0o700)); err != nil {
		return nil, errors.Join(err, db.Close(), blobs.Close())
	}
	bound(h.Config.Memory)
	w := &works{db: db, blobs: blobs, Service: work.New(work.Config{
		DB: db, Catalog: catalog.New(db, blobs), Blobs: blobs, Access: decider,
		Drivers: Formats(), Limits: h.Config.Limits, Temp: temp,
		Memory: h.Config.Memory / 8, Threads: h.Config.Threads, Software: "genesis " + genesis.Build().Version,
		Execution: execution,
	})}
	if err := w.StartRuns(); err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// execution says how the runs of a home are executed: each by a child that is this
// program, too.
func execution(h *Home, opt Options) (work.Execution, error) {
	program, err := os.Executable()
	if err != nil {
		return work.Execution{}, &genesis.Error{Op: "open runs", Kind: genesis.Unavailable, Msg: "this program does not find itself, to start workers", Err: err}
	}
	c := h.Config.Runs
	return work.Execution{
		Dir: h.Runs(), Worker: []string{program, workerCommand}, Blobs: h.Blobs(), Soft: h.Config.Memory / 8 * 7, Resume: opt.Network, Log: opt.Log,
		Limits: run.Limits{Concurrent: c.Concurrent, Queue: c.Queue, Memory: c.Memory, Time: c.Time},
	}, nil
}

// bound tells the garbage collector the memory that may be held, leaving room
// for what it does not manage. It is a request: work bounds itself by counting.
func bound(memory int64) {
	if os.Getenv("GOMEMLIMIT") == "" && memory > 0 {
		debug.SetMemoryLimit(memory * 7 / 8)
	}
}

// DB returns the node's database, for what stands in front of the service.
func (w *works) DB() *store.DB { return w.db }

// Close stops the runs and closes the stores.
func (w *works) Close() error {
	return errors.Join(w.CloseRuns(), w.db.Close(), w.blobs.Close())
}

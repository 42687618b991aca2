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
)

// works is internal/work over the stores of a home.
type works struct {
	*work.Service
	db    *store.DB
	blobs *blob.Store
}

// openWork puts the service of a home together. It is the one place that knows
// how.
func openWork(ctx context.Context, h *Home) (Service, error) {
	driver, err := file.Open(h.Blobs())
	if err != nil {
		return nil, err
	}
	blobs := blob.Open(driver)
	db, err := store.Open(ctx, h.Catalog())
	if err != nil {
		return nil, errors.Join(err, blobs.Close())
	}
	runs := filepath.Join(h.Temp(), "runs")
	if err := os.MkdirAll(runs, 0o700); err != nil {
		return nil, errors.Join(err, db.Close(), blobs.Close())
	}
	bound(h.Config.Memory)
	return &works{db: db, blobs: blobs, Service: work.New(work.Config{
		DB: db, Catalog: catalog.New(db, blobs), Blobs: blobs, Access: &access.Decider{Node: h.Config.Node},
		Drivers: Formats(), Limits: h.Config.Limits, Temp: runs,
		Memory: h.Config.Memory / 8, Threads: h.Config.Threads, Software: "genesis " + genesis.Build().Version,
		BackUp: backUpOf(h, db, blobs),
	})}, nil
}

// bound tells the garbage collector the memory that may be held, leaving room
// for what it does not manage. It is a request: work bounds itself by counting.
func bound(memory int64) {
	if os.Getenv("GOMEMLIMIT") == "" && memory > 0 {
		debug.SetMemoryLimit(memory * 7 / 8)
	}
}

// Close closes the stores.
func (w *works) Close() error {
	return errors.Join(w.db.Close(), w.blobs.Close())
}

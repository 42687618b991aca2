package node

import (
	"context"
	"encoding/json"
	"io"
	"os"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/blob/file"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/work"
	"github.com/opengenesis/genesis/internal/work/run"
)

// workerSettings are what a node tells every worker about its home.
type workerSettings struct {
	Blobs       string        `json:"blobs"`
	Checkpoints string        `json:"checkpoints"`
	Limits      format.Limits `json:"limits"`
	Memory      int64         `json:"memory"`
	Threads     int           `json:"threads"`
}

// Worker computes one run for the node that started this process, and returns
// the process's exit status. It opens the home's blobs and nothing else of it.
func Worker(in io.Reader, out, errs io.Writer) (status int) {
	return run.Serve(in, out, errs, compute)
}

func compute(ctx context.Context, job run.Job, files []*os.File, p genesis.Progress) (any, error) {
	var set workerSettings
	if err := json.Unmarshal(job.Settings, &set); err != nil {
		return nil, &genesis.Error{Op: "start worker", Kind: genesis.Internal, Subject: job.Run, Msg: "its settings cannot be read", Err: err}
	}
	driver, err := file.Open(set.Blobs)
	if err != nil {
		return nil, err
	}
	blobs := blob.Open(driver)
	defer blobs.Close()
	c := work.Computer{Blobs: blobs, Drivers: Formats(), Limits: set.Limits, Checkpoints: set.Checkpoints,
		Memory: set.Memory, Table: job.Memory / 2, Threads: set.Threads}
	return c.Job(ctx, job, files, p)
}

package work

import (
	"context"
	"encoding/json"
	"os"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/ingest"
	"github.com/opengenesis/genesis/internal/work/run"
)

// Computer does the part of preparing, training and predicting that needs no
// catalogue: from a task and open files to an outcome, writing blobs. It runs in
// a worker's process, where no other part of the node is.
type Computer struct {
	Blobs       *blob.Store
	Drivers     []format.Driver
	Limits      format.Limits
	Temp        string // directory for spilled data
	Checkpoints string // directory for the states of trainings
	Memory      int64  // bytes for what grows with the rows of a table; 0: 64 MiB
	Table       int64  // bytes of a table that is learnt from; 0: 8 GiB
	Threads     int    // 0: one per core
}

// Task is what a run computes, with all that computing needs to know. One field
// is set.
type Task struct {
	Prepare *prepareTask `json:"prepare,omitempty"`
	Train   *trainTask   `json:"train,omitempty"`
	Predict *predictTask `json:"predict,omitempty"`
}

// Outcome is what a task came to: nobody has decided to keep it yet.
type Outcome struct {
	Prepare *prepareOutcome    `json:"prepare,omitempty"`
	Train   *trainOutcome      `json:"train,omitempty"`
	Predict *genesis.Predicted `json:"predict,omitempty"`
}

// Compute does a task.
func (c *Computer) Compute(ctx context.Context, t Task, files []*format.Raw, p genesis.Progress) (out Outcome, err error) {
	switch {
	case t.Prepare != nil:
		out.Prepare, err = c.prepare(ctx, t.Prepare, files, p)
	case t.Train != nil:
		out.Train, err = c.train(ctx, t.Train, p)
	case t.Predict != nil:
		out.Predict, err = c.predict(ctx, t.Predict, files, p)
	default:
		err = &genesis.Error{Op: "compute", Kind: genesis.Internal, Msg: "the task is empty"}
	}
	return out, err
}

// Job does the task of a run: a [run.Compute].
func (c *Computer) Job(ctx context.Context, job run.Job, files []*os.File, p genesis.Progress) (any, error) {
	var t Task
	if err := json.Unmarshal(job.Task, &t); err != nil {
		return nil, &genesis.Error{Op: "compute", Kind: genesis.Internal, Subject: job.Run, Msg: "the task cannot be read", Err: err}
	}
	raws := make([]*format.Raw, len(files))
	for i, f := range files {
		var err error
		if raws[i], err = format.NewRaw(job.Files[i], f); err != nil {
			return nil, err
		}
	}
	own := *c
	own.Temp = job.Temp
	return own.Compute(ctx, t, raws, p)
}

func (c *Computer) env(p genesis.Progress) ingest.Env {
	return ingest.Env{Blobs: c.Blobs, Drivers: c.Drivers, Temp: c.Temp, Limits: c.Limits, Memory: c.Memory, Threads: c.Threads, Progress: p}
}

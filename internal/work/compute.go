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

// Settings are what every run is computed with, in this process or in a child.
type Settings struct {
	Blobs    string        `json:"blobs"` // where a child finds the blob store
	Limits   format.Limits `json:"limits"`
	Memory   int64         `json:"memory"`
	Threads  int           `json:"threads"`
	Software string        `json:"software"`
}

// SettingsOf returns the settings that a child was told.
func SettingsOf(job run.Job) (s Settings, err error) {
	if err = json.Unmarshal(job.Settings, &s); err != nil {
		err = &genesis.Error{Op: "read job", Kind: genesis.Internal, Msg: "its settings do not parse", Err: err}
	}
	return s, err
}

// Computing returns what computes runs: it reads the job's files and the blob
// store, and writes blobs. It has no catalogue and asks nobody for leave: what it
// needs of the one is in the task, and the other happened before.
func Computing(blobs *blob.Store, drivers []format.Driver) run.Compute {
	return func(ctx context.Context, job run.Job, files []*os.File, p genesis.Progress) (any, error) {
		set, err := SettingsOf(job)
		if err != nil {
			return nil, err
		}
		raws := make([]*format.Raw, len(files))
		for i, f := range files {
			if raws[i], err = format.NewRaw(job.Files[i], f); err != nil {
				return nil, err
			}
		}
		c := &computer{Settings: set, blobs: blobs, drivers: drivers, temp: job.Temp, p: p}
		switch job.Kind {
		case genesis.RunPrepare:
			return compute(ctx, job, raws, c.prepare)
		case genesis.RunTrain:
			return compute(ctx, job, raws, c.train)
		case genesis.RunPredict:
			return compute(ctx, job, raws, c.predict)
		}
		return nil, &genesis.Error{Op: "read job", Kind: genesis.Unsupported, Subject: string(job.Kind), Msg: "is not a kind of run"}
	}
}

// compute reads a task and does it.
func compute[Task, Outcome any](ctx context.Context, job run.Job, files []*format.Raw, do func(context.Context, Task, []*format.Raw) (*Outcome, error)) (any, error) {
	var task Task
	if err := json.Unmarshal(job.Task, &task); err != nil {
		return nil, &genesis.Error{Op: "read job", Kind: genesis.Internal, Msg: "its task does not parse", Err: err}
	}
	return do(ctx, task, files)
}

// computer does one run.
type computer struct {
	Settings
	blobs   *blob.Store
	drivers []format.Driver
	temp    string
	p       genesis.Progress
}

func (c *computer) env() ingest.Env {
	return ingest.Env{Blobs: c.blobs, Drivers: c.drivers, Temp: c.temp, Limits: c.Limits, Memory: c.Memory, Threads: c.Threads, Progress: c.p}
}

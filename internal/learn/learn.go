package learn

import (
	"context"
	"runtime"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// Data is a table to learn from: its columns, all its rows as one typed batch,
// and for each row the part of the split it lies in. Rows in no part are not
// used.
type Data struct {
	Columns []genesis.Column
	Batch   *format.Batch
	Parts   []genesis.Part
}

// Checkpointer keeps the state of a training that may be killed. Save must be
// atomic: a later Load returns what one Save wrote, whole, or false.
type Checkpointer interface {
	Load() ([]byte, bool)
	Save([]byte) error
}

// Options steer a training. Only Target is needed.
type Options struct {
	Target   []string // columns to predict
	Features []string // columns to predict from; nil: every column whose role is feature or time
	Seed     uint64
	Epochs   int // at most; 0: chosen from the size of the data
	Members  int // nets in the ensemble; 0: chosen
	Threads  int // goroutines; 0: one per core; the result does not depend on it

	Checkpoint Checkpointer // nil: none
	Progress   genesis.Progress
	Level      float64 // of the intervals reported; 0: 0.9

	// Least is how many rows must share a word, a class or a figure before it is
	// kept or told; 0: any. Trainings by people who may not read the rows set it.
	Least int
	// MinRows is how many rows of part Train must have a value of each target; 0: 20.
	MinRows int

	// Tune changes the plan chosen from the data; for experiments.
	Tune func(*Plan)
}

const op = "train"

func (o Options) withDefaults() Options {
	if o.Threads <= 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.Level == 0 {
		o.Level = 0.9
	}
	return o
}

func invalid(subject, msg, hint string) error {
	return &genesis.Error{Op: op, Kind: genesis.Invalid, Subject: subject, Msg: msg, Hint: hint}
}

// Train fits an ensemble of nets to the rows in part Train, calibrates it on
// rows held back (part Validation where there are enough, else a share of
// Train), and reports how it does on all held-out parts beside a trivial
// predictor, ridge regression and a forest. It returns *genesis.Error of kind
// Invalid (a target or feature is missing or unusable, too few rows) or
// Canceled. The report lacks what only the caller knows: Dataset, Table, Split.
func Train(ctx context.Context, d Data, opt Options) (*Model, *genesis.ModelReport, error) {
	began := time.Now()
	opt = opt.withDefaults()
	t, err := newTask(d, opt)
	if err != nil {
		return nil, nil, err
	}
	fitted, err := t.fit(ctx, opt)
	if err != nil {
		return nil, nil, err
	}
	m := t.model(fitted)
	if err := m.calibrate(t, opt); err != nil {
		return nil, nil, err
	}
	report, err := t.report(ctx, m, fitted, opt)
	if err != nil {
		return nil, nil, err
	}
	report.Seconds = time.Since(began).Seconds()
	return m, report, nil
}

// canceled returns the error of a training whose context ended, or nil.
func canceled(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return &genesis.Error{Op: op, Kind: genesis.Canceled, Msg: "the training was stopped", Err: context.Cause(ctx)}
}

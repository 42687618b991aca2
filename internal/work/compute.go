package work

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/ingest"
	"github.com/opengenesis/genesis/internal/ingest/recipe"
	"github.com/opengenesis/genesis/internal/learn"
	"github.com/opengenesis/genesis/internal/work/run"
)

// Workbench is what computing needs: bytes, formats and bounds, and nothing that
// decides or remembers. It is all that the process of a run has of a node.
type Workbench struct {
	Blobs    *blob.Store
	Drivers  []format.Driver
	Settings Settings
}

// Settings are what a worker is told about its node.
type Settings struct {
	Limits      format.Limits `json:"limits"`
	Temp        string        `json:"-"`           // for what is spilled; of one try
	Checkpoints string        `json:"checkpoints"` // a folder that outlives a try
	Memory      int64         `json:"memory"`      // bytes for what grows with the rows of a table; 0: 64 MiB
	Threads     int           `json:"threads"`     // 0: one per core
	Software    string        `json:"software"`    // "genesis 0.1.0", for the provenance
}

func (w *Workbench) env(p genesis.Progress) ingest.Env {
	c := w.Settings
	return ingest.Env{Blobs: w.Blobs, Drivers: w.Drivers, Temp: c.Temp, Limits: c.Limits, Memory: c.Memory, Threads: c.Threads, Progress: p}
}

// Compute does the task of a run on its files. What it returns is the outcome that
// [Service] commits.
func (w *Workbench) Compute(ctx context.Context, job run.Job, files []*os.File, p genesis.Progress) (any, error) {
	at := *w // several runs may compute at once
	if len(job.Settings) > 0 {
		if err := json.Unmarshal(job.Settings, &at.Settings); err != nil {
			return nil, err
		}
	}
	at.Settings.Temp = job.Temp
	raws, err := rawFiles(job.Files, files)
	if err != nil {
		return nil, err
	}
	switch job.Kind {
	case genesis.RunPrepare:
		return task(job, func(t prepareTask) (*prepareOutcome, error) { return at.prepare(ctx, t, raws, p) })
	case genesis.RunTrain:
		return task(job, func(t trainTask) (*trainOutcome, error) { return at.train(ctx, t, p) })
	case genesis.RunPredict:
		return task(job, func(t predictTask) (*genesis.Predicted, error) { return at.predict(ctx, t, raws, p) })
	case genesis.RunPull:
		return task(job, func(t pullTask) (*genesis.Verification, error) { return at.verifyCopy(ctx, t, p) })
	}
	return nil, &genesis.Error{Op: "run", Kind: genesis.Unsupported, Subject: string(job.Kind), Msg: "is no kind of run"}
}

func task[T, R any](job run.Job, do func(T) (*R, error)) (any, error) {
	var t T
	if err := json.Unmarshal(job.Task, &t); err != nil {
		return nil, &genesis.Error{Op: string(job.Kind), Kind: genesis.Internal, Subject: job.Run, Msg: "its task cannot be read", Err: err}
	}
	return do(t)
}

func rawFiles(names []string, files []*os.File) ([]*format.Raw, error) {
	raws := make([]*format.Raw, len(files))
	for i, f := range files {
		info, err := f.Stat()
		if err != nil {
			return nil, &genesis.Error{Op: "read file", Kind: genesis.Internal, Subject: names[i], Err: err}
		}
		raws[i] = &format.Raw{Name: names[i], Size: info.Size(), At: f}
	}
	return raws, nil
}

// prepareTask is what preparing needs to know beside its files.
type prepareTask struct {
	Request  genesis.PrepareRequest `json:"request"`
	Files    int                    `json:"files"` // the first of them; the others are of splits
	Answered []genesis.Finding      `json:"answered,omitempty"`
	Card     genesis.Card           `json:"card"`
	By       string                 `json:"by"`
}

// prepareOutcome is what preparing came to.
type prepareOutcome struct {
	Result     ingest.Result      `json:"result"`
	Readiness  genesis.Readiness  `json:"readiness"`
	Provenance genesis.Provenance `json:"provenance"`
}

func (w *Workbench) prepare(ctx context.Context, t prepareTask, files []*format.Raw, p genesis.Progress) (*prepareOutcome, error) {
	if t.Files > len(files) {
		return nil, &genesis.Error{Op: "prepare", Kind: genesis.Internal, Msg: fmt.Sprintf("%d files came, and %d were named", len(files), t.Files)}
	}
	var rec *recipe.Recipe
	if t.Request.Recipe != "" {
		var err error
		if rec, err = recipe.Parse([]byte(t.Request.Recipe)); err != nil {
			return nil, err
		}
	}
	started := time.Now().UTC()
	res, err := ingest.Prepare(ctx, w.env(p), files[:t.Files], rec, t.Request.Options, files[t.Files:])
	if err != nil {
		return nil, err
	}
	keepAnswers(t.Answered, res.Findings)
	ready, err := w.readiness(ctx, t.Request, t.Card, res, p)
	if err != nil {
		return nil, err
	}
	prov := genesis.Provenance{Sources: res.Sources, Recipe: genesis.DigestOf([]byte(res.Recipe)), Software: w.Settings.Software,
		Started: started, Ended: time.Now().UTC(), By: t.By}
	return &prepareOutcome{Result: *res, Readiness: ready, Provenance: prov}, nil
}

// trainTask is what training needs to know.
type trainTask struct {
	Request  genesis.TrainRequest `json:"request"`
	Version  genesis.Version      `json:"version"` // the dataset's
	Manifest genesis.Manifest     `json:"manifest"`
	Layout   genesis.Layout       `json:"layout"`
	Splits   []genesis.Split      `json:"splits"`
	Least    int                  `json:"least"`    // rows that must share what is told of them
	MinRows  int                  `json:"min_rows"` // that must have a value of each target
	By       string               `json:"by"`
}

// trainOutcome is what training came to.
type trainOutcome struct {
	Manifest   genesis.Manifest    `json:"manifest"`
	Layout     genesis.Layout      `json:"layout"`
	Bytes      int64               `json:"bytes"`
	Report     genesis.ModelReport `json:"report"`
	Provenance genesis.Provenance  `json:"provenance"`
	Resumed    bool                `json:"resumed,omitempty"`
	Checkpoint string              `json:"checkpoint"` // to be removed once this is committed
}

func (w *Workbench) train(ctx context.Context, t trainTask, p genesis.Progress) (*trainOutcome, error) {
	started := time.Now().UTC()
	job, err := w.plan(ctx, t)
	if err != nil {
		return nil, err
	}
	threads := t.Request.Threads
	if threads <= 0 {
		threads = w.Settings.Threads
	}
	cp := w.checkpoint(t)
	opt := learn.Options{Target: job.targets, Features: t.Request.Features, Seed: t.Request.Seed, Epochs: t.Request.Epochs, Members: t.Request.Members,
		Threads: threads, Checkpoint: cp, Least: t.Least, MinRows: t.MinRows}
	log := &epochLog{p: p}
	opt.Progress = log.event
	defer log.flush()
	model, report, err := learn.Train(ctx, *job.data, opt)
	if err != nil {
		return nil, err
	}
	report.Dataset, report.Table, report.Split = t.Version.Ref(), job.table, job.split
	out := &trainOutcome{Report: *report, Resumed: cp.resumed, Checkpoint: cp.path, Provenance: genesis.Provenance{Parents: []genesis.Ref{t.Version.Ref()},
		Software: w.Settings.Software, Started: started, Ended: time.Now().UTC(), By: t.By, Split: job.split}}
	return out, w.keepModel(ctx, model, out)
}

// epochEvery is how often a line of the log tells of a training.
const epochEvery = time.Second

// epochLog passes progress on and writes the epochs of a training to the run's log:
// how far it got and how well it learnt is asked of a run long after it ended. Of
// epochs that are faster than its lines it tells of some, and of the last.
type epochLog struct {
	p    genesis.Progress
	said time.Time
	last string // epoch that is not told yet
}

func (l *epochLog) event(e genesis.Event) {
	l.p.Send(e)
	if e.Stage != learn.Training {
		l.flush()
		return
	}
	l.last = fmt.Sprintf("epoch %d of at most %d", e.Done, e.Total)
	if e.Note != "" {
		l.last += ", " + e.Note
	}
	if time.Since(l.said) >= epochEvery {
		l.flush()
	}
}

func (l *epochLog) flush() {
	if l.last == "" {
		return
	}
	l.p.Send(genesis.Event{Log: l.last})
	l.last, l.said = "", time.Now()
}

// keepModel stores the parts of a model.
func (w *Workbench) keepModel(ctx context.Context, m *learn.Model, out *trainOutcome) error {
	parts, err := m.Parts()
	if err != nil {
		return err
	}
	out.Manifest = genesis.Manifest{Format: genesis.ManifestFormat, Kind: genesis.Model, Parts: map[string]genesis.Digest{}}
	out.Layout = genesis.Layout{Format: 1, Parts: map[string]genesis.Blob{}}
	for part, content := range parts {
		b, err := w.Blobs.Put(ctx, content)
		if err != nil {
			return err
		}
		out.Manifest.Parts[part], out.Layout.Parts[part] = b.Digest, b
		out.Bytes += b.Size
	}
	return nil
}

// predictTask is what predicting needs to know.
type predictTask struct {
	Request genesis.PredictRequest `json:"request"`
	Model   genesis.Version        `json:"model"`
	Layout  genesis.Layout         `json:"layout"`
	Aside   string                 `json:"aside,omitempty"` // the file to put it out to; "": a blob
}

func (w *Workbench) predict(ctx context.Context, t predictTask, files []*format.Raw, p genesis.Progress) (*genesis.Predicted, error) {
	m, err := w.model(ctx, t.Layout)
	if err != nil {
		return nil, err
	}
	in, err := ingest.Conform(ctx, w.env(p), files, m.Inputs())
	if err != nil {
		return nil, err
	}
	job := &prediction{model: m, in: in, level: t.Request.Level, threads: w.Settings.Threads, p: p}
	if job.level == 0 {
		job.level = 0.9
	}
	out, err := w.predictInto(ctx, job, t.Request.Format, t.Aside)
	in.Close()
	if err != nil {
		return nil, err
	}
	return &genesis.Predicted{Model: t.Model, Rows: job.rows, Flagged: job.flagged, Columns: job.Columns(), Findings: append(in.Findings, job.clashes()...),
		Output: out, Converted: in.Conversions}, nil
}

package work

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/catalog"
	"github.com/opengenesis/genesis/internal/learn"
	"github.com/opengenesis/genesis/internal/work/run"
)

// Train makes a model version from a dataset version.
func (s *Service) Train(ctx context.Context, who genesis.Principal, req genesis.TrainRequest, p genesis.Progress) (*genesis.Trained, error) {
	a, err := s.askTrain(ctx, who, req)
	if err != nil {
		return nil, err
	}
	return do[genesis.Trained](ctx, s, who, a, p)
}

// askTrain allows a request to train.
func (s *Service) askTrain(ctx context.Context, who genesis.Principal, req genesis.TrainRequest) (*asked, error) {
	if err := genesis.CheckName(req.Name); err != nil {
		return nil, err
	}
	if err := s.may(ctx, who, genesis.Steward, req.Name); err != nil {
		return nil, err
	}
	v, err := s.resolve(ctx, who, genesis.TrainOn, req.Dataset)
	if err != nil {
		return nil, err
	}
	if v.Kind != genesis.Dataset {
		return nil, &genesis.Error{Op: "train", Kind: genesis.Invalid, Subject: req.Dataset, Msg: "is a model, not a dataset"}
	}
	return &asked{kind: genesis.RunTrain, subject: string(req.Name), request: req, pinned: pinned{v}}, nil
}

// trainTask is a request to train and what the catalogue knows of the dataset.
type trainTask struct {
	Request  genesis.TrainRequest `json:"request"`
	Version  genesis.Version      `json:"version"`
	Manifest genesis.Manifest     `json:"manifest"`
	Splits   []genesis.Split      `json:"splits"`
	Layout   genesis.Layout       `json:"layout"`
}

func (s *Service) planTrain(ctx context.Context, req genesis.TrainRequest, v genesis.Version) (*trainTask, error) {
	t := &trainTask{Request: req, Version: v}
	var err error
	if t.Manifest, err = s.Catalog.Manifest(ctx, v); err != nil {
		return nil, err
	}
	if t.Layout, err = s.Catalog.Layout(ctx, v); err != nil {
		return nil, err
	}
	err = s.Catalog.Record(ctx, v, genesis.RecordSplits, &t.Splits)
	if genesis.KindOf(err) == genesis.NotFound {
		err = nil
	}
	return t, err
}

// trainOutcome is a model version that is not committed.
type trainOutcome struct {
	Parts   map[string]genesis.Blob `json:"parts"`
	Report  genesis.ModelReport     `json:"report"`
	Resumed bool                    `json:"resumed"`
	Started time.Time               `json:"started"`
}

// train computes a model. Its checkpoint stays until it is committed.
func (c *Computer) train(ctx context.Context, t *trainTask, p genesis.Progress) (*trainOutcome, error) {
	out := &trainOutcome{Started: time.Now().UTC(), Parts: map[string]genesis.Blob{}}
	job, err := c.plan(ctx, t)
	if err != nil {
		return nil, err
	}
	req := t.Request
	cp := checkpointOf(c.Checkpoints, t.Version, req)
	opt := learn.Options{Target: job.targets, Features: req.Features, Seed: req.Seed, Epochs: req.Epochs, Members: req.Members,
		Threads: c.threads(req.Threads), Checkpoint: cp, Progress: p}
	model, report, err := learn.Train(ctx, *job.data, opt)
	if err != nil {
		return nil, err
	}
	report.Dataset, report.Table, report.Split = t.Version.Ref(), job.table, job.split
	out.Report, out.Resumed = *report, cp.resumed
	parts, err := model.Parts()
	if err != nil {
		return nil, err
	}
	for name, content := range parts {
		if out.Parts[name], err = c.Blobs.Put(ctx, content); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// commitTrained checks in what train computed, with what the worker has no say
// in: name, asker, parent and provenance.
func (s *Service) commitTrained(ctx context.Context, r genesis.Run, req genesis.TrainRequest, parent genesis.Version, out *trainOutcome) (run.Act, error) {
	manifest := genesis.Manifest{Format: genesis.ManifestFormat, Kind: genesis.Model, Parts: map[string]genesis.Digest{}}
	layout := genesis.Layout{Format: 1, Parts: out.Parts}
	if err := s.stored(ctx, blobsOf(layout, nil)); err != nil {
		return run.Act{}, err
	}
	var size int64
	for name, b := range out.Parts {
		manifest.Parts[name] = b.Digest
		size += b.Size
	}
	out.Report.Dataset = parent.Ref()
	prov := genesis.Provenance{Parents: []genesis.Ref{parent.Ref()}, Software: s.Software, Started: out.Started, Ended: time.Now().UTC(),
		By: r.By.Subject, Split: out.Report.Split}
	staged, err := s.Catalog.Stage(ctx, catalog.Commit{
		Name: req.Name, Kind: genesis.Model, Manifest: manifest, Layout: layout, Parents: []genesis.Version{parent}, By: r.By.Subject, Bytes: size,
		Records: map[genesis.RecordKind]any{genesis.RecordReport: out.Report, genesis.RecordProvenance: prov},
	})
	if err != nil {
		return run.Act{}, err
	}
	act := run.Act{Done: checkpointOf(s.Temp, parent, req).remove}
	act.Tx = func(ctx context.Context, tx *sql.Tx) (any, error) {
		v, _, err := staged.CommitTx(ctx, tx)
		return &genesis.Trained{Version: v, Report: out.Report, Resumed: out.Resumed}, err
	}
	return act, nil
}

func (c *Computer) threads(n int) int {
	if n > 0 {
		return n
	}
	return c.Threads
}

// training is what a train request comes to.
type training struct {
	data    *learn.Data
	table   string
	split   string
	targets []string
}

func (c *Computer) plan(ctx context.Context, task *trainTask) (*training, error) {
	req := task.Request
	t := &training{table: req.Table, targets: req.Target}
	if err := t.choose(task.Manifest); err != nil {
		return nil, err
	}
	mt, ok := task.Manifest.Table(t.table)
	if !ok {
		return nil, &genesis.Error{Op: "train", Kind: genesis.NotFound, Subject: req.Dataset, Msg: fmt.Sprintf("has no table %q", t.table)}
	}
	columns, err := columnsFor(mt, t.targets, req.Features)
	if err != nil {
		return nil, err
	}
	sp := splitOf(task.Splits, t.table, req.Split)
	if sp == nil && req.Split != "" {
		return nil, &genesis.Error{Op: "train", Kind: genesis.NotFound, Subject: req.Split, Msg: "is no split of this version", Hint: "`genesis show " + string(task.Version.Name) + "` lists its splits"}
	}
	t.split = "by row number, 80:10:10"
	if sp != nil {
		t.split = sp.Name
		if sp.Folds > 0 {
			t.split = fmt.Sprintf("%s, fold %d", sp.Name, req.Fold)
		}
	}
	t.data, err = c.data(ctx, task.Manifest, task.Layout, t.table, columns, sp, req.Fold)
	return t, err
}

// choose fills in the table and the targets a request leaves open.
func (t *training) choose(m genesis.Manifest) error {
	declaredIn, declared := targetsOf(m)
	if len(t.targets) == 0 {
		t.targets = declared
	}
	if len(t.targets) == 0 {
		return &genesis.Error{Op: "train", Kind: genesis.Invalid, Msg: "no target was given and the dataset declares none", Hint: "name the column to predict with --target"}
	}
	if t.table == "" {
		t.table = declaredIn
		for _, mt := range m.Tables {
			if _, ok := mt.Column(t.targets[0]); ok && (t.table == "" || !slices.Equal(t.targets, declared)) {
				t.table = mt.Name
				break
			}
		}
	}
	if t.table == "" {
		return &genesis.Error{Op: "train", Kind: genesis.Invalid, Subject: t.targets[0], Msg: "is to be the target but is no column of any table", Hint: columnsHint(m)}
	}
	return nil
}

// columnsHint names the columns there are, the first of many.
func columnsHint(m genesis.Manifest) string {
	const shown = 20
	var names []string
	for _, t := range m.Tables {
		for _, c := range t.Columns {
			names = append(names, c.Name)
		}
	}
	if len(names) > shown {
		names = append(names[:shown], "…")
	}
	return "the columns are " + strings.Join(names, ", ")
}

// checkpoint keeps the state of one training in a file, known by the dataset
// version and the request, so that asking for the same training again goes on
// where a stopped one left off.
type checkpoint struct {
	path    string
	resumed bool
}

func checkpointOf(dir string, v genesis.Version, req genesis.TrainRequest) *checkpoint {
	req.Dataset, req.Threads = string(v.Digest), 0
	b, _ := json.Marshal(req) // plain data: cannot fail
	if dir == "" {
		dir = os.TempDir()
	}
	return &checkpoint{path: filepath.Join(dir, "train-"+genesis.DigestOf(b).Hex()+".checkpoint")}
}

// Load returns the saved state. One that is damaged is as good as none: the
// digest in front of it says.
func (c *checkpoint) Load() ([]byte, bool) {
	b, err := os.ReadFile(c.path)
	if err != nil || len(b) < len(genesis.DigestOf(nil)) {
		return nil, false
	}
	n := len(genesis.DigestOf(nil))
	if !bytes.Equal([]byte(genesis.DigestOf(b[n:])), b[:n]) {
		return nil, false
	}
	c.resumed = true
	return b[n:], true
}

// Save replaces the saved state.
func (c *checkpoint) Save(state []byte) error {
	f, err := os.CreateTemp(filepath.Dir(c.path), "checkpoint-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append([]byte(genesis.DigestOf(state)), state...))
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), c.path)
}

func (c *checkpoint) remove() { os.Remove(c.path) }

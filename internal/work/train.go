package work

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/catalog"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/learn"
	"github.com/opengenesis/genesis/internal/work/run"
)

// trainTask is what computing a training takes.
type trainTask struct {
	Request    genesis.TrainRequest
	Dataset    genesis.Ref
	Manifest   genesis.Manifest
	Layout     genesis.Layout
	Splits     []genesis.Split
	Least      int
	Checkpoint string // path of the file that keeps its state
}

// trainOutcome is what it comes to.
type trainOutcome struct {
	Parts          map[string]genesis.Blob
	Report         genesis.ModelReport
	Resumed        bool
	Started, Ended time.Time
}

// Train makes a model version from a dataset version.
func (s *Service) Train(ctx context.Context, who genesis.Principal, req genesis.TrainRequest, p genesis.Progress) (*genesis.Trained, error) {
	asked, err := s.askTraining(ctx, who, req)
	if err != nil {
		return nil, err
	}
	return attend[genesis.Trained](ctx, s, who, asked, p)
}

func (s *Service) askTraining(ctx context.Context, who genesis.Principal, req genesis.TrainRequest) (*asked, error) {
	allowed, v, least, err := s.allowTraining(ctx, who, req)
	if err != nil {
		return nil, err
	}
	if v.Kind != genesis.Dataset {
		return nil, &genesis.Error{Op: "train", Kind: genesis.Invalid, Subject: req.Dataset, Msg: "is a model, not a dataset"}
	}
	return &asked{kind: genesis.RunTrain, request: req, subject: string(req.Name), pinned: pinned{Version: v, Train: &allowed, Least: least}}, nil
}

// planTraining gathers what the catalogue says.
func (s *Service) planTraining(ctx context.Context, pin pinned) (*trainTask, error) {
	d, err := s.Catalog.Describe(ctx, pin.Version)
	if err != nil {
		return nil, err
	}
	l, err := s.Catalog.Layout(ctx, pin.Version)
	if err != nil {
		return nil, err
	}
	return &trainTask{Request: *pin.Train, Dataset: pin.Version.Ref(), Manifest: d.Manifest, Layout: l, Splits: d.Splits, Least: pin.Least,
		Checkpoint: s.checkpoint(pin)}, nil
}

// train does a training.
func (c *computer) train(ctx context.Context, task trainTask, _ []*format.Raw) (*trainOutcome, error) {
	started := time.Now().UTC()
	t, err := c.training(ctx, task)
	if err != nil {
		return nil, err
	}
	req := task.Request
	threads := req.Threads
	if threads <= 0 {
		threads = c.Threads
	}
	cp := &checkpoint{path: task.Checkpoint}
	opt := learn.Options{Target: t.targets, Features: req.Features, Seed: req.Seed, Epochs: req.Epochs, Members: req.Members,
		Threads: threads, Checkpoint: cp, Progress: c.p, Least: task.Least}
	model, report, err := learn.Train(ctx, *t.data, opt)
	if err != nil {
		return nil, err
	}
	report.Dataset, report.Table, report.Split = task.Dataset, t.table, t.split
	parts, err := c.store(ctx, model)
	return &trainOutcome{Parts: parts, Report: *report, Resumed: cp.resumed, Started: started, Ended: time.Now().UTC()}, err
}

// store writes the parts of a model.
func (c *computer) store(ctx context.Context, m *learn.Model) (map[string]genesis.Blob, error) {
	parts, err := m.Parts()
	if err != nil {
		return nil, err
	}
	blobs := map[string]genesis.Blob{}
	for name, content := range parts {
		if blobs[name], err = c.blobs.Put(ctx, content); err != nil {
			return nil, err
		}
	}
	return blobs, nil
}

// commitTraining returns the act that makes a version of a trained model.
func (s *Service) commitTraining(ctx context.Context, r genesis.Run, pin pinned, out trainOutcome) (*run.Act, error) {
	manifest := genesis.Manifest{Format: genesis.ManifestFormat, Kind: genesis.Model, Parts: map[string]genesis.Digest{}}
	var size int64
	for name, b := range out.Parts {
		manifest.Parts[name] = b.Digest
		size += b.Size
	}
	prov := genesis.Provenance{Parents: []genesis.Ref{pin.Version.Ref()}, Software: s.Software, Started: out.Started, Ended: out.Ended,
		By: r.By.Subject, Split: out.Report.Split}
	in := catalog.Commit{
		Name: pin.Train.Name, Kind: genesis.Model, Manifest: manifest, Layout: genesis.Layout{Format: 1, Parts: out.Parts},
		Parents: []genesis.Version{pin.Version}, By: r.By.Subject, Bytes: size,
		Records: map[genesis.RecordKind]any{genesis.RecordReport: out.Report, genesis.RecordProvenance: prov},
	}
	act, err := s.version(ctx, in, func(v genesis.Version, _ bool) any {
		return genesis.Trained{Version: v, Report: out.Report, Resumed: out.Resumed}
	})
	if err != nil {
		return nil, err
	}
	closeStaged := act.Done
	act.Done = func(committed bool) {
		closeStaged(committed)
		if committed {
			os.Remove(s.checkpoint(pin)) // what is left of it harms nobody
		}
	}
	return act, nil
}

// training is what a train request comes to.
type training struct {
	data    *learn.Data
	table   string
	split   string
	targets []string
}

// training works out what a request comes to, and loads its data.
func (c *computer) training(ctx context.Context, task trainTask) (*training, error) {
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
		return nil, &genesis.Error{Op: "train", Kind: genesis.NotFound, Subject: req.Split, Msg: "is no split of this version", Hint: "`genesis show " + string(task.Dataset.Name) + "` lists its splits"}
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

// checkpoint returns the path of a training's.
func (s *Service) checkpoint(pin pinned) string {
	req := *pin.Train
	req.Dataset, req.Threads = string(pin.Version.Digest), 0
	b, _ := json.Marshal(req) // plain data: cannot fail
	dir := s.Temp
	if dir == "" {
		dir = os.TempDir()
	}
	return filepath.Join(dir, fmt.Sprintf("train-%s-%d.checkpoint", genesis.DigestOf(b).Hex(), pin.Least))
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

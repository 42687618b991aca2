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
	"github.com/opengenesis/genesis/internal/learn"
)

// Train makes a model version from a dataset version.
func (s *Service) Train(ctx context.Context, who genesis.Principal, req genesis.TrainRequest, p genesis.Progress) (*genesis.Trained, error) {
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
	started := time.Now().UTC()
	job, err := s.plan(ctx, v, req)
	if err != nil {
		return nil, err
	}
	cp := s.checkpoint(v, req)
	opt := learn.Options{Target: job.targets, Features: req.Features, Seed: req.Seed, Epochs: req.Epochs, Members: req.Members,
		Threads: s.threads(req.Threads), Checkpoint: cp, Progress: p}
	model, report, err := learn.Train(ctx, *job.data, opt)
	if err != nil {
		return nil, err
	}
	report.Dataset, report.Table, report.Split = v.Ref(), job.table, job.split
	prov := genesis.Provenance{Parents: []genesis.Ref{v.Ref()}, Software: s.Software, Started: started, Ended: time.Now().UTC(), By: who.Subject, Split: job.split}
	mv, err := s.commitModel(ctx, who, req.Name, model, report, prov, v)
	if err != nil {
		return nil, err
	}
	cp.remove()
	return &genesis.Trained{Version: mv, Report: *report, Resumed: cp.resumed}, nil
}

func (s *Service) threads(n int) int {
	if n > 0 {
		return n
	}
	return s.Threads
}

// training is what a train request comes to.
type training struct {
	data    *learn.Data
	table   string
	split   string
	targets []string
}

func (s *Service) plan(ctx context.Context, v genesis.Version, req genesis.TrainRequest) (*training, error) {
	if v.Kind != genesis.Dataset {
		return nil, &genesis.Error{Op: "train", Kind: genesis.Invalid, Subject: req.Dataset, Msg: "is a model, not a dataset"}
	}
	d, err := s.Catalog.Describe(ctx, v, nil)
	if err != nil {
		return nil, err
	}
	t := &training{table: req.Table, targets: req.Target}
	if err := t.choose(d.Manifest); err != nil {
		return nil, err
	}
	mt, ok := d.Manifest.Table(t.table)
	if !ok {
		return nil, &genesis.Error{Op: "train", Kind: genesis.NotFound, Subject: req.Dataset, Msg: fmt.Sprintf("has no table %q", t.table)}
	}
	columns, err := columnsFor(mt, t.targets, req.Features)
	if err != nil {
		return nil, err
	}
	sp := splitOf(d.Splits, t.table, req.Split)
	if sp == nil && req.Split != "" {
		return nil, &genesis.Error{Op: "train", Kind: genesis.NotFound, Subject: req.Split, Msg: "is no split of this version", Hint: "`genesis show " + string(v.Name) + "` lists its splits"}
	}
	t.split = "by row number, 80:10:10"
	if sp != nil {
		t.split = sp.Name
		if sp.Folds > 0 {
			t.split = fmt.Sprintf("%s, fold %d", sp.Name, req.Fold)
		}
	}
	layout, err := s.Catalog.Layout(ctx, v)
	if err != nil {
		return nil, err
	}
	t.data, err = s.data(ctx, d.Manifest, layout, t.table, columns, sp, req.Fold)
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

func (s *Service) commitModel(ctx context.Context, who genesis.Principal, name genesis.Name, m *learn.Model, report *genesis.ModelReport, prov genesis.Provenance, parent genesis.Version) (genesis.Version, error) {
	parts, err := m.Parts()
	if err != nil {
		return genesis.Version{}, err
	}
	manifest := genesis.Manifest{Format: genesis.ManifestFormat, Kind: genesis.Model, Parts: map[string]genesis.Digest{}}
	layout := genesis.Layout{Format: 1, Parts: map[string]genesis.Blob{}}
	var size int64
	for part, content := range parts {
		b, err := s.Blobs.Put(ctx, content)
		if err != nil {
			return genesis.Version{}, err
		}
		manifest.Parts[part], layout.Parts[part] = b.Digest, b
		size += b.Size
	}
	v, _, err := s.commit(ctx, catalog.Commit{
		Name: name, Kind: genesis.Model, Manifest: manifest, Layout: layout, Parents: []genesis.Version{parent}, By: s.by(who), Bytes: size,
		Records: map[genesis.RecordKind]any{genesis.RecordReport: report, genesis.RecordProvenance: prov},
	})
	return v, err
}

// checkpoint keeps the state of one training in a file, known by the dataset
// version and the request, so that asking for the same training again goes on
// where a stopped one left off.
type checkpoint struct {
	path    string
	resumed bool
}

func (s *Service) checkpoint(v genesis.Version, req genesis.TrainRequest) *checkpoint {
	req.Dataset, req.Threads = string(v.Digest), 0
	b, _ := json.Marshal(req) // plain data: cannot fail
	dir := s.Temp
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

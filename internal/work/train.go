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

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/learn"
)

// training is what a train request comes to.
type training struct {
	data    *learn.Data
	table   string
	split   string
	targets []string
}

func (w *Workbench) plan(ctx context.Context, task trainTask) (*training, error) {
	req, name := task.Request, string(task.Version.Name)
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
		return nil, &genesis.Error{Op: "train", Kind: genesis.NotFound, Subject: req.Split, Msg: "is no split of this version", Hint: "`genesis show " + name + "` lists its splits"}
	}
	t.split = "by row number, 80:10:10"
	if sp != nil {
		t.split = sp.Name
		if sp.Folds > 0 {
			t.split = fmt.Sprintf("%s, fold %d", sp.Name, req.Fold)
		}
	}
	t.data, err = w.data(ctx, task.Manifest, task.Layout, t.table, columns, sp, req.Fold)
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

func (w *Workbench) checkpoint(t trainTask) *checkpoint {
	req := t.Request
	req.Dataset, req.Threads = string(t.Version.Digest), 0
	b, _ := json.Marshal(struct { // plain data: cannot fail
		genesis.TrainRequest
		Least int
	}{req, t.Least})
	dir := w.Settings.Checkpoints
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

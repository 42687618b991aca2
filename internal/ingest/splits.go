package ingest

import (
	"context"
	"io"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/ingest/recipe"
	"github.com/opengenesis/genesis/internal/ingest/split"
	"github.com/opengenesis/genesis/internal/stream"
)

// featureRows is up to which row equal features are looked for; later rows
// would cost more than they tell.
const featureRows = 1 << 20

// addSplits writes the splits asked for into the recipe; a dataset with a
// target and no split gets a random one.
func addSplits(rec *recipe.Recipe, opt genesis.PrepareOptions) error {
	specs, err := split.FromOptions(opt)
	if err != nil {
		return err
	}
	if len(specs) == 0 && len(rec.Splits) == 0 && hasTarget(rec) {
		rec.Splits = []recipe.Split{{By: split.Random, Fractions: split.DefaultFractions, Seed: opt.Seed}}
	}
	for _, s := range specs {
		if s.Column != "" {
			c := findColumn(rec, s.Column)
			if c == nil {
				return &genesis.Error{Op: "prepare", Kind: genesis.Invalid, Subject: s.Column, Msg: "is to split by but is no column",
					Hint: "the columns are " + strings.Join(columnNames(rec), ", ")}
			}
			s.Column = c.Name
		}
		rec.Splits = append(rec.Splits, recipe.Split{By: s.String(), Fractions: s.Fractions, Folds: s.Folds, Seed: s.Seed})
	}
	return nil
}

func hasTarget(rec *recipe.Recipe) bool {
	for _, t := range rec.Tables {
		for _, c := range t.Columns {
			if c.Role == genesis.Target && !c.Drop {
				return true
			}
		}
	}
	return false
}

// splitter makes one split, or with an import several, of a table.
type splitter struct {
	spec     split.Spec
	key      int // column of group, time or stratify; −1: none
	assigner *split.Assigner
	importer *split.Importer
	match    []int // columns by which imported rows are matched
	lists    []split.List
}

// planSplits makes a splitter for every split of the recipe.
func (e *encode) planSplits(ctx context.Context, files []*format.Raw) error {
	for _, rs := range e.rec.Splits {
		spec, err := specOf(rs)
		if err != nil {
			return err
		}
		t, err := e.splitTable(rs, spec)
		if err != nil {
			return err
		}
		if t.watcher == nil {
			t.watcher = split.NewWatcher()
		}
		s, err := e.splitter(ctx, t, spec, files)
		if err != nil {
			return err
		}
		t.splits = append(t.splits, s)
	}
	return nil
}

func specOf(rs recipe.Split) (split.Spec, error) {
	spec, err := split.Parse(rs.By)
	if err != nil {
		return spec, err
	}
	spec.Fractions, spec.Folds, spec.Seed = rs.Fractions, rs.Folds, rs.Seed
	if rs.Name != "" {
		spec.Name = rs.Name
	}
	return spec, spec.Check()
}

// splitTable returns the table a split is of: the one it names, the one with
// its column, the one with a target, or the first.
func (e *encode) splitTable(rs recipe.Split, spec split.Spec) (*tableOut, error) {
	var target *tableOut
	for _, t := range e.order {
		if _, ok := t.index[spec.Column]; rs.Table == t.rt.Name || rs.Table == "" && ok {
			return t, nil
		}
		if target == nil && t.target >= 0 {
			target = t
		}
	}
	switch {
	case rs.Table != "":
		return nil, recipeError(rs.Line, "there is no table %q to split", rs.Table)
	case spec.Column != "":
		return nil, recipeError(rs.Line, "there is no column %q to split by", spec.Column)
	case target != nil:
		return target, nil
	}
	return e.order[0], nil
}

func (e *encode) splitter(ctx context.Context, t *tableOut, spec split.Spec, files []*format.Raw) (*splitter, error) {
	s := &splitter{spec: spec, key: -1}
	env := split.Env{Temp: e.env.Temp, Memory: e.env.memory()}
	if j, ok := t.index[spec.Column]; ok {
		s.key = j
	} else if spec.Column != "" {
		return nil, recipeError(0, "there is no column %q in table %s to split by", spec.Column, t.rt.Name)
	}
	if spec.Kind != split.Import {
		var err error
		s.assigner, err = split.New(spec, env, t.watcher)
		return s, err
	}
	return s, e.planImport(ctx, t, s, env, files)
}

// planImport sorts the files of a published split into lists of row numbers
// and files of rows.
func (e *encode) planImport(ctx context.Context, t *tableOut, s *splitter, env split.Env, files []*format.Raw) error {
	var rows []*format.Raw
	for _, f := range files {
		if _, _, ok := split.NameOf(f.Name); !ok {
			continue
		}
		head := make([]byte, min(f.Size, 4096))
		if _, err := f.At.ReadAt(head, 0); err != nil && err != io.EOF {
			return &genesis.Error{Op: "import split", Kind: genesis.Invalid, Subject: f.Name, Msg: "could not be read", Err: err}
		}
		if split.IsIndexList(head) {
			s.lists = append(s.lists, split.List{Name: f.Name, Open: func() (io.ReadCloser, error) {
				return io.NopCloser(io.NewSectionReader(f.At, 0, f.Size)), nil
			}})
		} else {
			rows = append(rows, f)
		}
	}
	switch {
	case len(s.lists) > 0 && len(rows) > 0:
		return &genesis.Error{Op: "import split", Kind: genesis.Invalid, Subject: s.spec.Dir, Msg: "holds both lists of row numbers and files of rows", Hint: "keep the two in folders of their own"}
	case len(s.lists) > 0:
		return nil
	case len(rows) == 0:
		return &genesis.Error{Op: "import split", Kind: genesis.Invalid, Subject: s.spec.Dir, Msg: "holds no file named after a part of a split",
			Hint: "such as index_train_0.txt and index_test_0.txt, or train0.csv and test0.csv; replaying a recipe needs --split " + s.spec.String() + " again"}
	}
	s.importer = split.NewImporter(s.spec, env, t.watcher)
	s.match = t.matchColumns(s.spec.By)
	return e.addImportRows(ctx, t, s, rows)
}

// matchColumns are the columns by which imported rows are matched: those
// named, else all that come from the source.
func (t *tableOut) matchColumns(by []string) []int {
	var out []int
	if len(by) == 0 {
		for _, in := range t.inputs {
			if in.out >= 0 {
				out = append(out, in.out)
			}
		}
		return out
	}
	for _, name := range by {
		if j, ok := t.index[name]; ok {
			out = append(out, j)
		}
	}
	return out
}

// importFile is a file of rows of a published split, read.
type importFile struct {
	name string
	ids  []split.Identity
}

// addImportRows reads the files as the table's columns and remembers what
// their rows are matched by.
func (e *encode) addImportRows(ctx context.Context, t *tableOut, s *splitter, files []*format.Raw) error {
	want := make([]genesis.Column, len(s.match))
	for i, j := range s.match {
		want[i] = t.cols[j]
	}
	env := e.env
	env.Progress = nil
	for _, f := range files {
		c, err := Conform(ctx, env, []*format.Raw{f}, want)
		if err != nil {
			return err
		}
		read, err := hashRows(c, want)
		c.Close()
		if err != nil {
			return err
		}
		t.imports = append(t.imports, importFile{f.Name, read})
	}
	return nil
}

func hashRows(c *Conformed, want []genesis.Column) ([]split.Identity, error) {
	index := make([]int, len(want))
	for i, w := range want {
		index[i] = c.Index(w.Name)
	}
	var ids []split.Identity
	for {
		b, err := c.Next()
		if err == io.EOF {
			return ids, nil
		}
		if err != nil {
			return nil, err
		}
		ids = split.HashRows(ids, b, index)
	}
}

// assign shows the finished rows of a batch to the splits. raw are the source
// cells of all rows, vecs the stored values of those in keep.
func (t *tableOut) assign(raw, vecs []format.Vector, keep format.Bitmap, b *format.Batch, rows int) error {
	if len(t.splits) == 0 {
		return nil
	}
	r := t.splitRows(raw, vecs, keep, b.Rows)
	if t.written < featureRows {
		r.Features = split.HashValues(nil, &format.Batch{Rows: rows, Cols: vecs}, t.features)
	}
	t.written += int64(rows)
	t.watcher.Observe(r)
	for _, s := range t.splits {
		r.Key = nil
		if s.key >= 0 {
			r.Key = &vecs[s.key]
		}
		if err := s.observe(r, vecs, rows); err != nil {
			return err
		}
	}
	return nil
}

func (s *splitter) observe(r split.Rows, vecs []format.Vector, rows int) error {
	switch {
	case s.assigner != nil:
		return s.assigner.Observe(r)
	case s.importer != nil:
		r.Match = split.HashRows(nil, &format.Batch{Rows: rows, Cols: vecs}, s.match)
		return s.importer.Observe(r)
	}
	return nil
}

// splitRows computes the identities of the kept rows of a batch.
func (t *tableOut) splitRows(raw, vecs []format.Vector, keep format.Bitmap, rows int) split.Rows {
	var r split.Rows
	var h rowHasher
	content := &format.Batch{Cols: raw}
	if t.idCol >= 0 {
		content = &format.Batch{Cols: t.withoutID(raw)}
	}
	k := 0
	for i := range rows {
		t.kept = t.kept.grow(keep == nil || keep.Get(i))
		if keep != nil && !keep.Get(i) {
			continue
		}
		id := h.hash(content, i)
		if t.idCol >= 0 {
			r.Contents = append(r.Contents, id)
			if declared, ok := split.KeyOf(&vecs[t.idCol], k); ok {
				id = declared
			}
		}
		r.IDs = append(r.IDs, id)
		k++
	}
	for j, c := range t.cols {
		switch {
		case c.Role == genesis.Group && r.Group == nil:
			r.Group = &vecs[j]
		case c.Role == genesis.Time && r.Time == nil:
			r.Time = &vecs[j]
		}
	}
	return r
}

// withoutID returns the raw columns except the one that becomes the id.
func (t *tableOut) withoutID(raw []format.Vector) []format.Vector {
	var out []format.Vector
	for j, in := range t.inputs {
		if in.out != t.idCol {
			out = append(out, raw[j])
		}
	}
	return out
}

// keptRows remembers which source rows a table kept.
type keptRows struct {
	n    int64
	bits format.Bitmap
}

func (k keptRows) grow(kept bool) keptRows {
	if k.n&63 == 0 {
		k.bits = append(k.bits, 0)
	}
	if kept {
		k.bits.Set(int(k.n))
	}
	k.n++
	return k
}

// finishSplits makes the splits and stores their assignments.
func (t *tableOut) finishSplits(ctx context.Context, env Env) ([]genesis.Split, error) {
	defer t.closeSplits()
	var out []genesis.Split
	for _, s := range t.splits {
		results, err := t.finishSplit(s)
		if err != nil {
			return nil, err
		}
		for _, r := range results {
			b, err := stream.PutAssignment(ctx, env.Blobs, r.Parts)
			if err != nil {
				return nil, err
			}
			r.Split.Assignment, r.Split.Table = b, t.rt.Name
			out = append(out, r.Split)
		}
	}
	return out, nil
}

func (t *tableOut) finishSplit(s *splitter) ([]*split.Result, error) {
	switch {
	case s.assigner != nil:
		r, err := s.assigner.Assign()
		return []*split.Result{r}, err
	case s.importer == nil:
		return split.ImportIndexes(s.spec, s.lists, t.kept.n, func(row int64) bool { return t.kept.bits.Get(int(row)) }, t.watcher)
	}
	for _, f := range t.imports {
		rows := make([]int64, len(f.ids))
		for i := range rows {
			rows[i] = int64(i) + 1
		}
		if err := s.importer.Add(f.name, f.ids, rows); err != nil {
			return nil, err
		}
	}
	return s.importer.Match()
}

func (t *tableOut) closeSplits() {
	for _, s := range t.splits {
		if s.assigner != nil {
			s.assigner.Close()
		}
		if s.importer != nil {
			s.importer.Close()
		}
	}
}

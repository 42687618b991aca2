package ingest

import (
	"context"
	"fmt"
	"slices"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/blob"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/format/expr"
	"github.com/opengenesis/genesis/internal/format/parquet"
	"github.com/opengenesis/genesis/internal/ingest/infer"
	"github.com/opengenesis/genesis/internal/ingest/profile"
	"github.com/opengenesis/genesis/internal/ingest/recipe"
	"github.com/opengenesis/genesis/internal/ingest/split"
	"github.com/opengenesis/genesis/internal/ingest/unit"
)

// tableOut is one table being written.
type tableOut struct {
	rt      *recipe.Table
	in      *table
	cols    []genesis.Column // as stored
	index   map[string]int   // stored column by name
	inputs  []input          // one per source column
	derived []derived
	names   *expr.Row // resolves names of columns
	rows    rowRules
	idCol   int // stored id column, or −1
	target  int // stored target column, or −1

	file    *tableFile
	rejects *tableFile // made when the first reject appears
	profile *profile.Table
	splits  []*splitter
	watcher *split.Watcher // looks for leaks between the parts of all splits
	imports []importFile
	kept    keptRows // source rows that were stored, for lists of row numbers
	written int64
	// features are the columns whose equality is a leak.
	features []int

	repeats   format.Bitmap // rows to leave out when deduplicating
	repeated  int64         // rows that repeat an earlier one
	read      int64         // source rows read so far
	filtered  int64
	removed   int64
	rejected  map[string]int64 // by column and rule
	rejectRow map[string][]int64
}

// input is how one source column becomes a stored one.
type input struct {
	name      string
	out       int // stored column, −1: dropped
	qualifier int // stored qualifier column, −1: none
	conv      *infer.Converter
	scale     func(float64) float64 // unit conversion, or nil
	asFloat   bool                  // scale needs floats although cells are read as integers
	rules     []cellRule
}

type derived struct {
	out  int
	typ  genesis.Type
	expr *expr.Expr
}

// tableFile is one Parquet file on its way into the blob store, with the
// digests of its columns.
type tableFile struct {
	cols    []genesis.Column
	blob    *blob.Writer
	parquet *parquet.Writer
	digests []*format.ColumnDigest
}

func newTableFile(ctx context.Context, env Env, cols []genesis.Column) (*tableFile, error) {
	b, err := env.Blobs.Create(ctx)
	if err != nil {
		return nil, err
	}
	w, err := parquet.NewWriter(b, cols, parquet.WriterOptions{Threads: env.threads()})
	if err != nil {
		b.Abort()
		return nil, err
	}
	f := &tableFile{cols: cols, blob: b, parquet: w}
	for _, c := range cols {
		f.digests = append(f.digests, format.NewColumnDigest(c))
	}
	return f, nil
}

func (f *tableFile) close() (genesis.LayoutFile, error) {
	if err := f.parquet.Close(); err != nil {
		f.blob.Abort()
		return genesis.LayoutFile{}, err
	}
	b, err := f.blob.Commit()
	return genesis.LayoutFile{Blob: b, Rows: f.parquet.Rows()}, err
}

func (f *tableFile) abort() {
	if f != nil {
		f.blob.Abort()
	}
}

func (f *tableFile) manifest(name string) genesis.ManifestTable {
	t := genesis.ManifestTable{Name: name, Rows: f.parquet.Rows()}
	for i, c := range f.cols {
		t.Columns = append(t.Columns, genesis.ManifestColumn{Column: c, Digest: f.digests[i].Sum()})
	}
	return t
}

// newTableOut compiles a table's recipe.
func newTableOut(rt *recipe.Table, in *table) (*tableOut, error) {
	t := &tableOut{rt: rt, in: in, index: map[string]int{}, idCol: -1, target: -1,
		rejected: map[string]int64{}, rejectRow: map[string][]int64{}}
	entries := rt.Entries()
	for i, k := range keys(in.raws) {
		rc := entries.Column(k.name, k.nth)
		if rc == nil {
			return nil, recipeError(0, "column %q of table %q is not in the recipe", k.name, rt.Name)
		}
		if err := t.addInput(in.raws[i], rc); err != nil {
			return nil, err
		}
	}
	for _, d := range rt.Derive {
		e, err := compileExpr(d.Expr, d.Line, t.cols, d.Type)
		if err != nil {
			return nil, err
		}
		role := d.Role
		fill(&role, genesis.Feature)
		c := genesis.Column{Name: d.Name, Type: d.Type, Unit: d.Unit, Role: role, Description: d.Description}
		t.derived = append(t.derived, derived{t.add(c), d.Type, e})
	}
	if len(t.cols) == 0 {
		return nil, recipeError(0, "table %q keeps no column", rt.Name)
	}
	t.findRoles()
	return t, t.compileRows()
}

func (t *tableOut) add(c genesis.Column) int {
	t.index[c.Name] = len(t.cols)
	t.cols = append(t.cols, c)
	return len(t.cols) - 1
}

func (t *tableOut) addInput(raw format.RawColumn, rc *recipe.Column) error {
	in := input{name: rc.Name, out: -1, qualifier: -1}
	if rc.Drop {
		t.inputs = append(t.inputs, in)
		return nil
	}
	conv, err := infer.NewConverter(rc.Reading, raw)
	if err != nil {
		return recipeError(rc.Line, "column %q: %v", rc.Source, err)
	}
	in.conv = conv
	c := storedColumn(rc)
	if rc.Convert != "" && rc.Convert != rc.Unit {
		if in.scale, err = unit.Convert(rc.Unit, rc.Convert); err != nil {
			return recipeError(rc.Line, "column %q: %v", rc.Source, err)
		}
		if !c.Type.Numeric() {
			return recipeError(rc.Line, "column %q is %s and has no unit to convert", rc.Source, c.Type)
		}
		in.asFloat = c.Type == genesis.Integer
		c.Type, c.Unit = genesis.Float, rc.Convert
	}
	in.rules = cellRules(t.rt.Rules, c)
	in.out = t.add(c)
	if rc.Qualified {
		in.qualifier = t.add(genesis.Column{Name: c.Name + "_qualifier", Type: genesis.Categorical, Role: genesis.Qualifier,
			QualifierOf: c.Name, Description: "the mark before the value: <, >, ≤, ≥ or ~"})
	}
	t.inputs = append(t.inputs, in)
	return nil
}

func storedColumn(rc *recipe.Column) genesis.Column {
	c := genesis.Column{
		Name: rc.Name, Original: rc.Source, Type: rc.Type, Unit: rc.Unit, UnitSource: rc.UnitSource,
		Semantic: rc.Semantic, Role: rc.Role, Description: rc.Description,
		Missing: rc.Missing, DateForm: rc.DateForm, Zone: rc.Zone,
	}
	fill(&c.Role, genesis.Feature)
	if c.Original == c.Name {
		c.Original = ""
	}
	return c
}

func (t *tableOut) findRoles() {
	for j, c := range t.cols {
		if c.Role == genesis.Feature {
			t.features = append(t.features, j)
		}
		switch {
		case c.Role == genesis.ID && t.idCol < 0:
			t.idCol = j
		case c.Role == genesis.Target && t.target < 0:
			t.target = j
		}
	}
}

// start opens the files the table is written to.
func (t *tableOut) start(ctx context.Context, env Env) (err error) {
	target := ""
	if t.target >= 0 {
		target = t.cols[t.target].Name
	}
	t.profile = profile.NewTable(t.rt.Name, t.cols, target)
	t.repeated, t.repeats, err = t.in.ids.repeats(t.rt.Deduplicate)
	if err != nil {
		return err
	}
	t.file, err = newTableFile(ctx, env, t.cols)
	return err
}

// add takes over one batch of source rows, arranged in the table's order.
func (t *tableOut) write(ctx context.Context, env Env, source int, b *format.Batch, raw []format.Vector, strict *strictness) error {
	vecs, bad, err := t.convert(env, b, raw)
	if err != nil {
		return err
	}
	t.derive(vecs, b, &bad)
	keep, err := t.choose(vecs, raw, b, t.summarised(raw, b, &bad), &bad)
	if err != nil {
		return err
	}
	for _, r := range b.Bad {
		bad = append(bad, reject{r.Line, "", r.Code, r.Raw})
	}
	slices.SortStableFunc(bad, func(x, y reject) int { return int(x.line - y.line) })
	if err := strict.check(bad); err != nil {
		return err
	}
	t.read += int64(b.Rows)
	if err := t.setAside(ctx, env, source, bad); err != nil {
		return err
	}
	rows := b.Rows
	if keep != nil {
		vecs, rows = compact(vecs, keep, b.Rows)
	}
	if err := t.assign(raw, vecs, keep, b, rows); err != nil {
		return err
	}
	return t.store(env, &format.Batch{Rows: rows, Cols: vecs})
}

// convert reads the raw cells as values, column by column in parallel.
func (t *tableOut) convert(env Env, b *format.Batch, raw []format.Vector) ([]format.Vector, []reject, error) {
	vecs := make([]format.Vector, len(t.cols))
	bads := make([][]reject, len(t.inputs))
	err := parallel(env.threads(), len(t.inputs), func(j int) error {
		if in := &t.inputs[j]; in.out >= 0 {
			in.convert(b, &raw[j], vecs, &bads[j])
		}
		return nil
	})
	return vecs, slices.Concat(bads...), err
}

func (in *input) convert(b *format.Batch, raw *format.Vector, vecs []format.Vector, bad *[]reject) {
	out := &vecs[in.out]
	var qualifier *format.Vector
	if in.qualifier >= 0 {
		qualifier = &vecs[in.qualifier]
	}
	in.conv.Convert(raw, out, qualifier, func(i int, rule string) {
		*bad = append(*bad, reject{b.Line(i), in.name, rule, []byte(plainValue(raw, i))})
	})
	if in.scale != nil {
		rescale(out, in.scale)
	}
	if len(in.rules) == 0 {
		return
	}
	for i := range b.Rows {
		if out.Null(i) {
			continue
		}
		for _, rule := range in.rules {
			if name := rule(out, i); name != "" {
				*bad = append(*bad, reject{b.Line(i), in.name, name, []byte(plainValue(raw, i))})
				setNull(out, i)
				break
			}
		}
	}
}

func rescale(v *format.Vector, f func(float64) float64) {
	if v.Kind == format.Int {
		floats := make([]float64, len(v.Ints))
		for i, x := range v.Ints {
			floats[i] = float64(x)
		}
		v.Kind, v.Ints, v.Floats = format.Float, nil, floats
	}
	for i, x := range v.Floats {
		if !v.Null(i) {
			v.Floats[i] = f(x)
		}
	}
}

// setNull takes the value out of cell i, so that equal content stays equal
// bytes.
func setNull(v *format.Vector, i int) {
	if v.Nulls == nil {
		v.Nulls = format.NewBitmap(v.Len())
	}
	v.Nulls.Set(i)
	switch v.Kind {
	case format.Float:
		v.Floats[i] = 0
	case format.Text:
		v.Spans[i] = format.Span{}
	default:
		v.Ints[i] = 0
	}
}

// row is a row of a batch, for expressions and rules.
type row struct {
	*expr.Row
	vecs []format.Vector
	i    int
}

// at goes to row i.
func (x *row) at(i int) { x.i, x.At = i, uint64(i) }

func (t *tableOut) row(vecs []format.Vector) *row {
	if t.names == nil {
		t.names = expr.NewRow(t.cols, nil)
	}
	t.names.Cells = expr.Vectors(vecs)
	return &row{Row: t.names, vecs: vecs}
}

func (t *tableOut) derive(vecs []format.Vector, b *format.Batch, bad *[]reject) {
	for _, d := range t.derived {
		v := blank(d.typ, b.Rows)
		x := t.row(vecs)
		for i := range b.Rows {
			x.at(i)
			value, why, ok := d.expr.Eval(x.Row)
			if ok && store(&v, x.i, d.typ, value) {
				v.Nulls[x.i>>6] &^= 1 << (x.i & 63)
			} else if ok || why != "" {
				*bad = append(*bad, reject{b.Line(x.i), t.cols[d.out].Name, "derive: " + why, nil})
			}
		}
		vecs[d.out] = v
	}
}

// choose returns the rows to keep, nil for all of them. summaries are the rows of
// sums or means, each with the column of its label.
func (t *tableOut) choose(vecs, raw []format.Vector, b *format.Batch, summaries map[int]int, bad *[]reject) (format.Bitmap, error) {
	if t.rows.none() && t.repeats == nil && len(summaries) == 0 {
		return nil, nil
	}
	keep := format.NewBitmap(b.Rows)
	x := t.row(vecs)
	for i := range b.Rows {
		x.at(i)
		if col, ok := summaries[i]; ok {
			*bad = append(*bad, reject{b.Line(i), t.cols[col].Name, summaryRule, rawRow(raw, i)})
			continue
		}
		switch {
		case t.repeats != nil && t.repeats.Get(int(t.read)+x.i):
			t.removed++
		case t.rows.filtered(x):
			t.filtered++
		default:
			rule, col := t.rows.broken(x)
			if rule == "" {
				keep.Set(x.i)
				continue
			}
			name := ""
			if col >= 0 {
				name = t.cols[col].Name
			}
			*bad = append(*bad, reject{b.Line(x.i), name, rule, rawRow(raw, x.i)})
		}
	}
	if keep.Count() == b.Rows {
		return nil, nil
	}
	return keep, nil
}

// compact leaves only the rows in keep.
func compact(vecs []format.Vector, keep format.Bitmap, rows int) ([]format.Vector, int) {
	n := keep.Count()
	out := make([]format.Vector, len(vecs))
	for j := range vecs {
		v := &vecs[j]
		o := format.Vector{Kind: v.Kind, Buf: v.Buf}
		if v.Nulls != nil {
			o.Nulls = format.NewBitmap(n)
		}
		k := 0
		for i := range rows {
			if !keep.Get(i) {
				continue
			}
			switch v.Kind {
			case format.Text:
				o.Spans = append(o.Spans, v.Spans[i])
			case format.Float:
				o.Floats = append(o.Floats, v.Floats[i])
			default:
				o.Ints = append(o.Ints, v.Ints[i])
			}
			if v.Null(i) {
				o.Nulls.Set(k)
			}
			k++
		}
		out[j] = o
	}
	return out, n
}

// setAside counts rejects and writes them to the table of rejects.
func (t *tableOut) setAside(ctx context.Context, env Env, source int, bad []reject) (err error) {
	if len(bad) == 0 {
		return nil
	}
	for _, r := range bad {
		k := r.column + "\x00" + r.rule
		t.rejected[k]++
		if len(t.rejectRow[k]) < 20 {
			t.rejectRow[k] = append(t.rejectRow[k], r.line)
		}
	}
	if t.rejects == nil {
		if t.rejects, err = newTableFile(ctx, env, rejectColumns); err != nil {
			return err
		}
	}
	b := rejectBatch(source, bad)
	for j, d := range t.rejects.digests {
		d.Add(&b.Cols[j], b.Rows)
	}
	return t.rejects.parquet.Write(b)
}

// store digests, profiles and writes the finished rows, columns in parallel.
func (t *tableOut) store(env Env, b *format.Batch) error {
	var target *format.Vector
	if t.target >= 0 {
		target = &b.Cols[t.target]
	}
	if b.Rows == 0 {
		return nil
	}
	return parallel(env.threads(), len(t.cols)+1, func(i int) error {
		if i == 0 {
			if err := t.file.parquet.Write(b); err != nil {
				return fmt.Errorf("write table %s: %w", t.rt.Name, err)
			}
			return nil
		}
		t.file.digests[i-1].Add(&b.Cols[i-1], b.Rows)
		t.profile.Column(i-1).Add(&b.Cols[i-1], target)
		return nil
	})
}

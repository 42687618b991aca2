package compare

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// Rows yields a table's rows in order, as typed batches whose vectors are in
// the order of Columns. Next returns io.EOF after the last. If it is an
// io.Closer it is closed.
type Rows interface {
	Columns() []genesis.Column
	Next() (*format.Batch, error)
}

// Side is one of the two versions.
type Side struct {
	Version  genesis.Version
	Manifest genesis.Manifest
	Profile  *genesis.Profile // nil: distributions are not compared
	// Open reads the named columns of a table.
	Open func(ctx context.Context, table string, columns []string) (Rows, error)
}

// Env is what comparing may use.
type Env struct {
	Temp     string // folder for temporary files
	Memory   int64  // bytes to sort in; 0: a default
	Progress genesis.Progress
}

// Diff returns the difference between two versions. It returns the errors of
// Open and Next, and kind Canceled when ctx ends.
func Diff(ctx context.Context, env Env, from, to Side) (genesis.Diff, error) {
	d := genesis.Diff{From: from.Version, To: to.Version, Tables: []genesis.TableDiff{}}
	for _, p := range pairTables(from, to) {
		t, err := p.diff(ctx, env)
		if err != nil {
			return genesis.Diff{}, err
		}
		d.Tables = append(d.Tables, t)
	}
	return d, nil
}

// pair is a table in both versions; one of them may lack it.
type pair struct {
	from, to   *genesis.ManifestTable
	fromP, toP *genesis.TableProfile
	a, b       Side
}

// pairTables matches tables by name, and the only one of each side with the
// other whatever their names.
func pairTables(a, b Side) []pair {
	var out []pair
	at, bt := a.Manifest.Tables, b.Manifest.Tables
	if len(at) == 1 && len(bt) == 1 {
		return []pair{newPair(a, b, &at[0], &bt[0])}
	}
	for i := range at {
		out = append(out, newPair(a, b, &at[i], tableNamed(bt, at[i].Name)))
	}
	for i := range bt {
		if tableNamed(at, bt[i].Name) == nil {
			out = append(out, newPair(a, b, nil, &bt[i]))
		}
	}
	return out
}

func tableNamed(ts []genesis.ManifestTable, name string) *genesis.ManifestTable {
	if i := slices.IndexFunc(ts, func(t genesis.ManifestTable) bool { return t.Name == name }); i >= 0 {
		return &ts[i]
	}
	return nil
}

func newPair(a, b Side, from, to *genesis.ManifestTable) pair {
	return pair{from: from, to: to, a: a, b: b, fromP: profileOf(a.Profile, from), toP: profileOf(b.Profile, to)}
}

func profileOf(p *genesis.Profile, t *genesis.ManifestTable) *genesis.TableProfile {
	if p == nil || t == nil {
		return nil
	}
	for i := range p.Tables {
		if p.Tables[i].Name == t.Name {
			return &p.Tables[i]
		}
	}
	return nil
}

const byContent = "content"

func (p pair) diff(ctx context.Context, env Env) (genesis.TableDiff, error) {
	switch {
	case p.to == nil:
		return genesis.TableDiff{Name: p.from.Name, By: byContent, Removed: p.from.Rows}, nil
	case p.from == nil:
		return genesis.TableDiff{Name: p.to.Name, By: byContent, Added: p.to.Rows}, nil
	}
	d := genesis.TableDiff{Name: p.to.Name, By: byContent, Columns: p.columns()}
	key := p.key()
	if key != "" {
		d.By = key
	}
	if p.sameValues() {
		d.Unchanged = p.to.Rows
		return d, nil
	}
	if len(p.comparable()) == 0 { // no row of one can be told to be one of the other
		d.Removed, d.Added = p.from.Rows, p.to.Rows
		return d, nil
	}
	m := &matcher{pair: p, env: env, key: key, compared: p.comparable()}
	if err := m.count(ctx, &d); err != nil {
		return d, err
	}
	if key != "" && d.Changed > 0 {
		if err := m.countColumns(ctx, &d); err != nil {
			return d, err
		}
	}
	p.explain(&d)
	return d, nil
}

// sameValues reports whether the columns both have are equal, so that no row
// needs to be read.
func (p pair) sameValues() bool {
	if p.from.Rows != p.to.Rows {
		return false
	}
	names := p.comparable()
	for _, name := range names {
		if digestOf(p.from, name) != digestOf(p.to, name) {
			return false
		}
	}
	return len(names) > 0 || len(p.from.Columns)+len(p.to.Columns) == 0
}

func digestOf(t *genesis.ManifestTable, name string) genesis.Digest {
	for _, c := range t.Columns {
		if c.Name == name {
			return c.Digest
		}
	}
	return ""
}

// comparable returns the names of the columns that both tables have with
// comparable types, in the order of the newer.
func (p pair) comparable() []string {
	var out []string
	for _, c := range p.to.Columns {
		if old, ok := p.from.Column(c.Name); ok && classOf(old.Type) == classOf(c.Type) {
			out = append(out, c.Name)
		}
	}
	return out
}

// key returns the id column that both tables declare, or "".
func (p pair) key() string {
	a, b := soleID(p.from), soleID(p.to)
	if a != b || !slices.Contains(p.comparable(), a) {
		return ""
	}
	return a
}

func soleID(t *genesis.ManifestTable) string {
	name := ""
	for _, c := range t.Columns {
		if c.Role == genesis.ID {
			if name != "" {
				return ""
			}
			name = c.Name
		}
	}
	return name
}

// explain adds what the rows say about columns whose digest changed though no
// value did.
func (p pair) explain(d *genesis.TableDiff) {
	if d.Added+d.Removed+d.Changed > 0 {
		return
	}
	for i := range d.Columns {
		if c := &d.Columns[i]; c.Change == "values" && len(c.Details) == 0 {
			c.Details = append(c.Details, "the same values in another order of rows")
		}
	}
}

// read calls f with every batch of the named columns of a table of one side.
func read(ctx context.Context, s Side, table string, columns []string, f func(*format.Batch, []genesis.Column) error) error {
	r, err := s.Open(ctx, table, columns)
	if err != nil {
		return err
	}
	if c, ok := r.(io.Closer); ok {
		defer c.Close()
	}
	cols := r.Columns()
	if len(cols) != len(columns) {
		return broken(table, fmt.Sprintf("has %d of the %d columns asked for", len(cols), len(columns)))
	}
	for {
		if ctx.Err() != nil {
			return &genesis.Error{Op: "diff", Kind: genesis.Canceled, Subject: table, Msg: "was stopped", Err: ctx.Err()}
		}
		b, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(b.Cols) < len(cols) {
			return broken(table, "yields batches with columns missing")
		}
		if err := f(b, cols); err != nil {
			return err
		}
	}
}

func broken(table, msg string) error {
	return &genesis.Error{Op: "diff", Kind: genesis.Internal, Subject: table, Msg: msg}
}

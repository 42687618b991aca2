package compare

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// table is a table in memory: cells by row; nil is missing.
type table struct {
	cols []genesis.Column
	rows [][]any
}

func columnOf(name string, t genesis.Type) genesis.Column {
	return genesis.Column{Name: name, Type: t, Role: genesis.Feature}
}

func idColumn(name string) genesis.Column {
	return genesis.Column{Name: name, Type: genesis.Identifier, Role: genesis.ID}
}

// vector makes column j of rows lo…hi.
func (t table) vector(j, lo, hi int) format.Vector {
	v := format.Vector{Nulls: format.NewBitmap(hi - lo)}
	switch t.cols[j].Type {
	case genesis.Float:
		v.Kind = format.Float
	case genesis.Integer:
		v.Kind = format.Int
	default:
		v.Kind = format.Text
	}
	for i, row := range t.rows[lo:hi] {
		if row[j] == nil {
			v.Nulls.Set(i)
		}
		switch v.Kind {
		case format.Float:
			x, _ := row[j].(float64)
			v.Floats = append(v.Floats, x)
		case format.Int:
			x, _ := row[j].(int)
			v.Ints = append(v.Ints, int64(x))
		default:
			s, _ := row[j].(string)
			v.Spans = append(v.Spans, format.Span{Start: uint32(len(v.Buf)), End: uint32(len(v.Buf) + len(s))})
			v.Buf = append(v.Buf, s...)
		}
	}
	return v
}

// manifest digests each column by its printed cells.
func (t table) manifest() genesis.Manifest {
	mt := genesis.ManifestTable{Name: "data", Rows: int64(len(t.rows))}
	for j, c := range t.cols {
		var b strings.Builder
		for _, row := range t.rows {
			fmt.Fprintf(&b, "%T %v\n", row[j], row[j])
		}
		mt.Columns = append(mt.Columns, genesis.ManifestColumn{Column: c, Digest: genesis.DigestOf([]byte(b.String()))})
	}
	return genesis.Manifest{Format: 1, Kind: genesis.Dataset, Tables: []genesis.ManifestTable{mt}}
}

// side opens the table in batches of three rows; opened counts how often.
func (t table) side(opened *int) Side {
	return Side{
		Manifest: t.manifest(),
		Open: func(_ context.Context, _ string, columns []string) (Rows, error) {
			*opened++
			return &reader{table: t, columns: columns}, nil
		},
	}
}

type reader struct {
	table
	columns []string
	at      int
}

func (r *reader) index(name string) int {
	return slices.IndexFunc(r.cols, func(c genesis.Column) bool { return c.Name == name })
}

func (r *reader) Columns() []genesis.Column {
	var out []genesis.Column
	for _, name := range r.columns {
		out = append(out, r.cols[r.index(name)])
	}
	return out
}

func (r *reader) Next() (*format.Batch, error) {
	if r.at == len(r.rows) {
		return nil, io.EOF
	}
	hi := min(len(r.rows), r.at+3)
	b := &format.Batch{Rows: hi - r.at, First: int64(r.at)}
	for _, name := range r.columns {
		b.Cols = append(b.Cols, r.vector(r.index(name), r.at, hi))
	}
	r.at = hi
	return b, nil
}

func diff(t *testing.T, a, b table) (genesis.TableDiff, int) {
	t.Helper()
	opened := 0
	d, err := Diff(context.Background(), Env{Temp: t.TempDir(), Memory: 500}, a.side(&opened), b.side(&opened))
	if err != nil {
		t.Fatal(err)
	}
	if len(d.Tables) != 1 {
		t.Fatalf("%d tables", len(d.Tables))
	}
	return d.Tables[0], opened
}

func TestRowsByID(t *testing.T) {
	cols := []genesis.Column{idColumn("id"), columnOf("x", genesis.Float), columnOf("s", genesis.Text)}
	a := table{cols, [][]any{{"a", 1.0, "u"}, {"b", 2.0, "v"}, {"c", 3.0, nil}, {"d", 4.0, "w"}, {nil, 9.0, "n"}}}
	b := table{cols, [][]any{{"d", 4.0, "w"}, {"b", 2.5, "v"}, {"a", 1.0, "u"}, {"c", 3.5, "y"}, {"e", 5.0, "z"}, {nil, 8.0, "n"}}}
	got, _ := diff(t, a, b)
	want := genesis.TableDiff{
		Name: "data", By: "id", Added: 2, Removed: 1, Changed: 2, Unchanged: 2,
		Columns: []genesis.ColumnDiff{
			{Name: "id", Change: "values"},
			{Name: "x", Change: "values", Details: []string{"changed in 2 rows"}},
			{Name: "s", Change: "values", Details: []string{"changed in 1 rows"}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRowsByContent(t *testing.T) {
	cols := []genesis.Column{columnOf("x", genesis.Float)}
	a := table{cols, [][]any{{1.0}, {1.0}, {1.0}, {2.0}, {nil}}}
	b := table{cols, [][]any{{2.0}, {1.0}, {3.0}, {nil}, {nil}}}
	got, _ := diff(t, a, b)
	got.Columns = nil
	want := genesis.TableDiff{Name: "data", By: "content", Added: 2, Removed: 2, Unchanged: 3}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOrderAlone(t *testing.T) {
	cols := []genesis.Column{columnOf("x", genesis.Float)}
	got, _ := diff(t, table{cols, [][]any{{1.0}, {2.0}}}, table{cols, [][]any{{2.0}, {1.0}}})
	want := genesis.TableDiff{Name: "data", By: "content", Unchanged: 2, Columns: []genesis.ColumnDiff{
		{Name: "x", Change: "values", Details: []string{"the same values in another order of rows"}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEqualDigestsAreNotRead(t *testing.T) {
	a := table{[]genesis.Column{columnOf("x", genesis.Float), columnOf("y", genesis.Text)}, [][]any{{1.0, "a"}, {2.0, "b"}}}
	b := table{slices.Clone(a.cols), a.rows}
	b.cols[0].Unit, b.cols[1].Description = "kW", "new"
	b.cols = b.cols[:2]
	got, opened := diff(t, a, b)
	want := genesis.TableDiff{Name: "data", By: "content", Unchanged: 2, Columns: []genesis.ColumnDiff{
		{Name: "x", Change: "schema", Details: []string{"unit: none → kW"}},
		{Name: "y", Change: "schema", Details: []string{"description"}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if opened != 0 {
		t.Errorf("tables were read %d times", opened)
	}
}

func TestColumnsComeAndGo(t *testing.T) {
	a := table{[]genesis.Column{columnOf("x", genesis.Integer), columnOf("old", genesis.Text), columnOf("t", genesis.Text)}, [][]any{{1, "a", "5"}, {2, "b", "6"}}}
	b := table{[]genesis.Column{columnOf("new", genesis.Float), columnOf("t", genesis.Float), columnOf("x", genesis.Float)}, [][]any{{.5, 5.0, 1.0}, {nil, 6.0, 2.5}}}
	b.cols[0].Unit = "m"
	got, _ := diff(t, a, b)
	want := genesis.TableDiff{Name: "data", By: "content", Added: 1, Removed: 1, Unchanged: 1, Columns: []genesis.ColumnDiff{
		{Name: "x", Change: "schema", Details: []string{"type: integer → float"}},
		{Name: "old", Change: "removed"},
		{Name: "t", Change: "schema", Details: []string{"type: text → float"}},
		{Name: "new", Change: "added", Details: []string{"type: float", "unit: m"}},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestNothingInCommon: rows of tables without a column in common are all gone, and all new.
func TestNothingInCommon(t *testing.T) {
	one := func(name string, rows ...[]any) table {
		return table{[]genesis.Column{columnOf(name, genesis.Integer)}, rows}
	}
	for _, rows := range [][][]any{{{1}, {2}}, {{1}}} {
		d, opened := diff(t, one("x", rows...), one("y", []any{1}))
		if d.Removed != int64(len(rows)) || d.Added != 1 || d.Changed != 0 || d.Unchanged != 0 || len(d.Columns) != 2 || opened != 0 {
			t.Errorf("%+v, %d tables opened", d, opened)
		}
	}
}

func TestTablesComeAndGo(t *testing.T) {
	one := genesis.ManifestTable{Name: "one", Rows: 3}
	two := genesis.ManifestTable{Name: "two", Rows: 5}
	three := genesis.ManifestTable{Name: "three", Rows: 7}
	a := Side{Manifest: genesis.Manifest{Tables: []genesis.ManifestTable{one, two}}}
	b := Side{Manifest: genesis.Manifest{Tables: []genesis.ManifestTable{two, three}}}
	got, err := Diff(context.Background(), Env{}, a, b)
	if err != nil {
		t.Fatal(err)
	}
	want := []genesis.TableDiff{
		{Name: "one", By: "content", Removed: 3}, {Name: "two", By: "content", Unchanged: 5}, {Name: "three", By: "content", Added: 7},
	}
	if diff := cmp.Diff(want, got.Tables); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestAgainstModel makes random tables of many columns, edits them, and
// compares the counts with those kept while editing.
func TestAgainstModel(t *testing.T) {
	const columns = 70 // more than are compared at once
	r := rand.New(rand.NewPCG(1, 2))
	cols := []genesis.Column{idColumn("id")}
	for j := 1; j < columns; j++ {
		cols = append(cols, columnOf(fmt.Sprintf("c%d", j), genesis.Integer))
	}
	a := table{cols: cols}
	for i := range 300 {
		row := []any{fmt.Sprintf("r%d", i)}
		for range columns - 1 {
			row = append(row, r.IntN(5))
		}
		a.rows = append(a.rows, row)
	}
	b := table{cols: cols}
	want := genesis.TableDiff{Name: "data", By: "id"}
	changed := map[string]int64{}
	for _, row := range a.rows {
		switch r.IntN(4) {
		case 0:
			want.Removed++
		case 1:
			want.Changed++
			row = slices.Clone(row)
			for range 1 + r.IntN(3) {
				j := 1 + r.IntN(columns-1)
				if row[j].(int) < 100 {
					row[j] = 100 + r.IntN(5)
					changed[cols[j].Name]++
				}
			}
			b.rows = append(b.rows, row)
		default:
			want.Unchanged++
			b.rows = append(b.rows, row)
		}
	}
	b.rows = append(b.rows, append([]any{"fresh"}, a.rows[0][1:]...))
	want.Added++
	r.Shuffle(len(b.rows), func(i, j int) { b.rows[i], b.rows[j] = b.rows[j], b.rows[i] })
	got, _ := diff(t, a, b)
	for _, c := range got.Columns {
		var n int64
		if len(c.Details) > 0 {
			fmt.Sscanf(c.Details[0], "changed in %d rows", &n)
		}
		if n != changed[c.Name] {
			t.Errorf("%s changed in %d rows, want %d (%v)", c.Name, n, changed[c.Name], c.Details)
		}
	}
	got.Columns = nil
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestDistributions(t *testing.T) {
	at := func(x float64) *float64 { return &x }
	profile := func(offset float64) *genesis.Profile {
		c := genesis.ColumnProfile{Name: "x", Count: 2, Distinct: 2, Mean: at(1 + offset), Quantiles: []genesis.Quantile{{P: 0, Value: offset}, {P: 1, Value: 10 + offset}}}
		return &genesis.Profile{Tables: []genesis.TableProfile{{Name: "data", Columns: []genesis.ColumnProfile{c}}}}
	}
	cols := []genesis.Column{columnOf("x", genesis.Float)}
	opened := 0
	a, b := table{cols, [][]any{{1.0}}}.side(&opened), table{cols, [][]any{{4.0}}}.side(&opened)
	a.Profile, b.Profile = profile(0), profile(3)
	got, err := Diff(context.Background(), Env{Temp: t.TempDir()}, a, b)
	if err != nil {
		t.Fatal(err)
	}
	want := []genesis.ColumnDiff{{Name: "x", Change: "values", Details: []string{"mean: 1 → 4"}, Shift: .3}}
	if diff := cmp.Diff(want, got.Tables[0].Columns, cmpopts.EquateApprox(0, 1e-12)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestShift(t *testing.T) {
	q := func(pairs ...float64) []genesis.Quantile {
		var out []genesis.Quantile
		for i := 0; i < len(pairs); i += 2 {
			out = append(out, genesis.Quantile{P: pairs[i], Value: pairs[i+1]})
		}
		return out
	}
	uniform := q(0, 0, .5, .5, 1, 1)
	tests := []struct {
		name string
		a, b []genesis.Quantile
		want float64
	}{
		{"same", uniform, uniform, 0},
		{"same curve, other knots", uniform, q(0, 0, .25, .25, 1, 1), 0},
		{"moved by half", uniform, q(0, .5, 1, 1.5), .5},
		{"apart", uniform, q(0, 5, 1, 6), 1},
		{"constants apart", q(0, 1, .5, 1, 1, 1), q(0, 2, .5, 2, 1, 2), 1},
		{"same constant", q(0, 1, .5, 1, 1, 1), q(0, 1, .5, 1, 1, 1), 0},
		{"a step at the end", uniform, q(0, 0, .5, 1, 1, 1), .5},
		{"none", nil, uniform, 0},
		{"widest", q(0, -math.MaxFloat64, 1, math.MaxFloat64), q(0, 0, 1, math.MaxFloat64), .5},
	}
	for _, test := range tests {
		if got := Shift(test.a, test.b); math.Abs(got-test.want) > 1e-12 {
			t.Errorf("%s: %g, want %g", test.name, got, test.want)
		}
		if a, b := Shift(test.a, test.b), Shift(test.b, test.a); a != b {
			t.Errorf("%s: %g one way, %g the other", test.name, a, b)
		}
	}
}

func TestStopsWhenAsked(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	cols := []genesis.Column{columnOf("x", genesis.Float)}
	opened := 0
	_, err := Diff(ctx, Env{}, table{cols, [][]any{{1.0}}}.side(&opened), table{cols, [][]any{{2.0}}}.side(&opened))
	if genesis.KindOf(err) != genesis.Canceled {
		t.Errorf("error %v, want canceled", err)
	}
}

func FuzzShift(f *testing.F) {
	f.Add(0.0, 1.0, 2.0, 3.0)
	f.Add(math.MaxFloat64, -math.MaxFloat64, 0.0, math.SmallestNonzeroFloat64)
	f.Fuzz(func(t *testing.T, a, b, c, d float64) {
		for _, x := range []float64{a, b, c, d} {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return // profiles hold finite numbers
			}
		}
		x := []genesis.Quantile{{P: 0, Value: min(a, b)}, {P: .5, Value: min(a, b)}, {P: 1, Value: max(a, b)}}
		y := []genesis.Quantile{{P: 0, Value: min(c, d)}, {P: 1, Value: max(c, d)}}
		if s := Shift(x, y); !(s >= 0 && s <= 1) {
			t.Fatalf("shift %g", s)
		}
	})
}

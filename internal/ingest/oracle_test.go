package ingest

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/stream"
)

// Files that hold the same rows in other formats or orders are oracles: what is
// made of one must be what is made of the other.

const (
	plantFolder    = "energy/ccpp_power_plant/"
	concreteFolder = "materials/concrete_strength/"
	oqmdFolder     = "materials/oqmd_bandgap/"
)

// multiset returns the rows of a stored table, sorted.
func multiset(t *testing.T, env Env, res *Result) []string {
	t.Helper()
	out := lines(t, env, res)
	slices.Sort(out)
	return out
}

// lines returns the rows of a dataset's first table, typed values as text.
func lines(t *testing.T, env Env, res *Result) []string {
	t.Helper()
	var out []string
	eachBatch(t, env, res, res.Manifest.Tables[0].Name, func(b *format.Batch) {
		var line strings.Builder
		for i := range b.Rows {
			line.Reset()
			for j := range b.Cols {
				if !b.Cols[j].Null(i) {
					line.WriteString(plainValue(&b.Cols[j], i))
				}
				line.WriteByte('\t')
			}
			out = append(out, line.String())
		}
	})
	return out
}

func testPlantFormats(t *testing.T, lab *laboratory) {
	book := multiset(t, lab.env, lab.prepare(t, plantFolder+"Folds5x2_pp.xlsx"))
	matrix := multiset(t, lab.env, lab.prepare(t, plantFolder+"uci_splits/data.txt"))
	parquet := multiset(t, lab.env, lab.prepare(t, plantFolder+"derived_ccpp.parquet"))
	if len(book) != 9568 || !slices.Equal(book, matrix) {
		t.Errorf("the workbook's %d rows are not the matrix's %d", len(book), len(matrix))
	}
	if !slices.Equal(book, parquet) {
		t.Errorf("the workbook's %d rows are not the Parquet file's %d", len(book), len(parquet))
	}
}

// testBandGaps compares the logical digests, which say that the values are the
// same in the same order.
func testBandGaps(t *testing.T, lab *laboratory) {
	csv := lab.prepare(t, oqmdFolder+"train.csv").Manifest.Tables[0]
	parquet := lab.prepare(t, oqmdFolder+"derived_train.parquet").Manifest.Tables[0]
	if csv.Rows != 239_125 || parquet.Rows != 239_125 || len(csv.Columns) != 2 {
		t.Fatalf("there are %d and %d rows of %d columns", csv.Rows, parquet.Rows, len(csv.Columns))
	}
	for i, c := range csv.Columns {
		if c.Digest != parquet.Columns[i].Digest {
			t.Errorf("column %s differs between CSV and Parquet", c.Name)
		}
	}
}

// testTypicalYear compares the hours of PVGIS as text and as JSON. The beam
// irradiance of a night is -0.0 in the one and 0.0 in the other, and stays so.
func testTypicalYear(t *testing.T, lab *laboratory) {
	csv, _ := lab.prepare(t, "energy/solar_met_stations/tmy_45.000_8.000_2005_2023.csv").Manifest.Table("block2")
	doc, _ := lab.prepare(t, "energy/solar_met_stations/tmy_45.000_8.000_2005_2023.json").Manifest.Table("outputs_tmy_hourly")
	if len(csv.Columns) != 10 || len(doc.Columns) != 10 {
		t.Fatalf("there are %d and %d columns", len(csv.Columns), len(doc.Columns))
	}
	for i, c := range csv.Columns {
		d := doc.Columns[i]
		if c.Digest != d.Digest && c.Name != "gb_n" || c.Unit != d.Unit || c.Type != d.Type {
			t.Errorf("column %s differs between CSV (%s, %s) and JSON (%s, %s)", c.Name, c.Type, c.Unit, d.Type, d.Unit)
		}
	}
}

// testReplays prepares every file again from its recipe, with other batches and
// threads: the version must be the same.
func testReplays(t *testing.T, lab *laboratory, x expectation) {
	was := lab.prepare(t, x.files...)
	if was.Rows > 20_000 {
		return // once is enough for large ones
	}
	env := lab.env
	env.Threads, env.Limits.Batch = 1, 100<<10
	again := prepare(t, env, parse(t, was.Recipe), genesis.PrepareOptions{}, lab.open(t, x.files...)...)
	if got, want := digest(t, again.Manifest), digest(t, was.Manifest); got != want {
		t.Errorf("its recipe makes version %s of it, not %s", got, want)
	}
}

// testInspects holds what inspect says of a file against what prepare made of it.
// Both know every row where the file is small enough for the sample.
func testInspects(t *testing.T, lab *laboratory, x expectation) {
	was := lab.prepare(t, x.files...)
	got, err := Inspect(context.Background(), lab.env, lab.open(t, x.files...), genesis.PrepareOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Tables) != len(was.Manifest.Tables) {
		t.Fatalf("inspect finds %d tables, prepare %d", len(got.Tables), len(was.Manifest.Tables))
	}
	for i, table := range got.Tables {
		if len(table.Head) != headRows || len(table.Columns) != len(was.Manifest.Tables[i].Columns) {
			t.Errorf("inspect shows %d rows of %d columns of table %s", len(table.Head), len(table.Columns), table.Name)
		}
		if !got.Sampled && !cmp.Equal(table.Columns, was.Manifest.Tables[i].Schema()) {
			t.Errorf("table %s (-prepare +inspect):\n%s", table.Name, cmp.Diff(was.Manifest.Tables[i].Schema(), table.Columns))
		}
	}
}

// testClocks joins dates and times of day, which stand in two columns, by a line
// of a recipe; the last hour of the day is 24:00 in one of the files.
func testClocks(t *testing.T, lab *laboratory) {
	for _, c := range []struct{ file, clock, first, last string }{
		{"midc_20181014.txt", "mst", "2018-10-14T00:00:00Z", "2018-10-14T23:59:00Z"},
		{"703165TY.csv", "time", "1997-01-01T01:00:00Z", "1999-01-01T00:00:00Z"},
	} {
		rec := parse(t, fmt.Sprintf(`
format: 1
tables:
  - name: data
    derive:
      - {name: when, expr: 'date + duration(%[1]s.substring(0, 2) + "h" + %[1]s.substring(3, 5) + "m")', type: timestamp}
`, c.clock))
		res := prepare(t, lab.env, rec, genesis.PrepareOptions{}, lab.open(t, "energy/solar_met_stations/"+c.file)...)
		got := rows(t, lab.env, res, "data", "when")
		if got[0][0] != c.first || got[len(got)-1][0] != c.last {
			t.Errorf("%s: times run from %s to %s", c.file, got[0][0], got[len(got)-1][0])
		}
	}
}

// testIndexLists imports the twenty published splits of a matrix and compares
// every row's part with the lists.
func testIndexLists(t *testing.T, lab *laboratory, folder, target string, rows, train int) {
	var lists []string
	for k := range 20 {
		lists = append(lists, fmt.Sprintf("%suci_splits/index_train_%d.txt", folder, k), fmt.Sprintf("%suci_splits/index_test_%d.txt", folder, k))
	}
	opt := genesis.PrepareOptions{Target: []string{target}, Split: []string{"import:uci_splits"}}
	res, err := Prepare(context.Background(), lab.env, lab.open(t, folder+"uci_splits/data.txt"), nil, opt, lab.open(t, lists...))
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Splits) != 20 {
		t.Fatalf("%d splits were imported, want 20", len(res.Splits))
	}
	for k := range 20 {
		s := splitCalled(t, res, fmt.Sprintf("import-%d", k))
		want := make([]genesis.Part, rows)
		for i, p := range []genesis.Part{genesis.Train, genesis.Test} {
			for _, row := range indexes(t, filepath.Join(lab.dir, lists[2*k+i])) {
				want[row] = p
			}
		}
		if got := parts(t, lab.env, s); !slices.Equal(got, want) {
			t.Errorf("split %s differs from its lists", s.Name)
		}
		if s.Counts["train"] != int64(train) || s.Counts["test"] != int64(rows-train) {
			t.Errorf("split %s has %v rows", s.Name, s.Counts)
		}
	}
}

func splitCalled(t *testing.T, res *Result, name string) genesis.Split {
	t.Helper()
	for _, s := range res.Splits {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("there is no split %s", name)
	return genesis.Split{}
}

func parts(t *testing.T, env Env, s genesis.Split) []genesis.Part {
	t.Helper()
	p, err := stream.Assignment(context.Background(), env.Blobs, s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// indexes reads a list of row numbers from 0, written as integers or floats.
func indexes(t *testing.T, file string) []int {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []int
	for in := bufio.NewScanner(f); in.Scan(); {
		x, err := strconv.ParseFloat(strings.TrimSpace(in.Text()), 64)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, int(x))
	}
	return out
}

// testFoldFiles imports five folds given as files of rows, which hold the
// table's rows in another order.
func testFoldFiles(t *testing.T, lab *laboratory) {
	folder := "materials/matbench_steels/"
	var files []string
	for k := range 5 {
		for _, p := range []string{"train", "val", "test"} {
			files = append(files, fmt.Sprintf("%scv/%s%d.csv", folder, p, k))
		}
	}
	opt := genesis.PrepareOptions{Split: []string{"import:cv"}}
	res, err := Prepare(context.Background(), lab.env, lab.open(t, folder+"steels_yield.csv"), nil, opt, lab.open(t, files...))
	if err != nil {
		t.Fatal(err)
	}
	rows := lines(t, lab.env, res)
	partOf := map[string]genesis.Part{"train": genesis.Train, "val": genesis.Validation, "test": genesis.Test}
	for k := range 5 {
		s := splitCalled(t, res, fmt.Sprintf("import-%d", k))
		got := parts(t, lab.env, s)
		for _, p := range []string{"train", "val", "test"} {
			want := multiset(t, lab.env, lab.prepare(t, fmt.Sprintf("%scv/%s%d.csv", folder, p, k)))
			if have := rowsIn(rows, got, partOf[p]); !slices.Equal(have, want) {
				t.Errorf("fold %d: %s has %d rows, its file %d, or others", k, p, len(have), len(want))
			}
		}
	}
}

// rowsIn returns the rows of a part, sorted.
func rowsIn(rows []string, of []genesis.Part, p genesis.Part) []string {
	var out []string
	for i, r := range rows {
		if of[i] == p {
			out = append(out, r)
		}
	}
	slices.Sort(out)
	return out
}

// testRefusedByName holds the formats of the same folders that are known and
// not read yet.
func testRefusedByName(t *testing.T, lab *laboratory) {
	for file, name := range map[string]string{
		concreteFolder + "Concrete_Data.xls":        "xls",
		"energy/solar_met_stations/12839.tm2":       "TMY2",
		"energy/nrel_resource_h5/ri_wave_2010.h5":   "HDF5",
		"energy/nrel_resource_h5/wind_dirs_2012.h5": "HDF5",
	} {
		_, err := Prepare(context.Background(), lab.env, lab.open(t, file), nil, genesis.PrepareOptions{}, nil)
		if genesis.KindOf(err) != genesis.Unsupported || !strings.Contains(err.Error(), path.Base(file)) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", file, err)
		}
	}
}

// TestTablesKeepTheirOrder reads a document whose child rows fill batches long
// before its own rows do.
func TestTablesKeepTheirOrder(t *testing.T) {
	var doc strings.Builder
	for i := range 50 {
		fmt.Fprintf(&doc, `%c{"run": %d, "signal": [%s0]}`, "[,"[min(i, 1)], i, strings.Repeat("1.5,", 400))
	}
	doc.WriteString("]")
	env := testEnv(t)
	whole := prepare(t, env, nil, genesis.PrepareOptions{}, raw("runs.json", doc.String()))
	env.Limits.Batch = 4 << 10
	small := prepare(t, env, nil, genesis.PrepareOptions{}, raw("runs.json", doc.String()))
	if len(whole.Manifest.Tables) != 2 || digest(t, whole.Manifest) != digest(t, small.Manifest) {
		t.Errorf("small batches give tables %s, %s", small.Manifest.Tables[0].Name, small.Manifest.Tables[1].Name)
	}
}

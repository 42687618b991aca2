package split

import (
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/testdata"
)

func TestNameOf(t *testing.T) {
	tests := []struct {
		file   string
		part   genesis.Part
		number string
		ok     bool
	}{
		{"index_train_0.txt", genesis.Train, "0", true},
		{"uci/index_test_19.txt", genesis.Test, "19", true},
		{"cv/train0.csv", genesis.Train, "0", true},
		{"cv/val4.csv", genesis.Validation, "4", true},
		{"debye_val.csv", genesis.Validation, "", true},
		{"fold3/test.csv", genesis.Test, "3", true},
		{"a.zip!set2/Training.csv.gz", genesis.Train, "2", true},
		{`c:\cv\dev-7.tsv`, genesis.Validation, "7", true},
		{"index_features.txt", 0, "", false},
		{"data.txt", 0, "", false},
		{"n_splits.txt", 0, "", false},
		{"latest.csv", 0, "", false},
		{"strain.csv", 0, "", false},
		{"values.csv", 0, "", false},
	}
	for _, test := range tests {
		p, number, ok := NameOf(test.file)
		if p != test.part || number != test.number || ok != test.ok {
			t.Errorf("%s: %d %q %t, want %d %q %t", test.file, p, number, ok, test.part, test.number, test.ok)
		}
	}
}

func list(name, text string) List {
	return List{name, func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }}
}

func TestIndexLists(t *testing.T) {
	lists := []List{
		list("index_train_10.txt", "0 1\n2.000000000000000000e+00\n"), list("index_test_10.txt", "4"),
		list("index_train_2.txt", "4\r\n3"), list("index_test_2.txt", "0\n"), list("index_features.txt", "not numbers"),
	}
	kept := func(r int64) bool { return r != 1 }
	got, err := ImportIndexes(Spec{Name: "import", Kind: Import}, lists, 5, kept, nil)
	if err != nil {
		t.Fatal(err)
	}
	T, E, U := genesis.Train, genesis.Test, genesis.Unassigned
	want := map[string][]genesis.Part{"import-2": {E, U, T, T}, "import-10": {T, T, U, E}}
	if len(got) != 2 || got[0].Split.Name != "import-2" || got[1].Split.Name != "import-10" {
		t.Fatalf("splits %+v", got)
	}
	for _, r := range got {
		if diff := cmp.Diff(want[r.Split.Name], r.Parts); diff != "" {
			t.Errorf("%s (-want +got):\n%s", r.Split.Name, diff)
		}
	}
	if diff := cmp.Diff(map[string]int64{"train": 2, "test": 1, "unassigned": 1}, got[0].Split.Counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}

func TestDamagedIndexListsAreNamed(t *testing.T) {
	tests := []struct{ train, test, want string }{
		{"0\n1\n5", "2", "row 5 is beyond the table's 5 rows"},
		{"0\n-1", "2", "line 2: a row number is a whole number"},
		{"0\n1.5", "2", "line 2: a row number is a whole number"},
		{"0\nx", "2", "line 2: is not a row number"},
		{"0\nNaN", "2", "is not a row number"},
		{"0\n1", "1", "row 1 is listed again: it is in train already"},
		{"0\n0", "1", "listed again"},
		{"", "1", "holds no row numbers"},
		{"0 1 2 3 4 0", "1", "more numbers than"},
	}
	for _, test := range tests {
		lists := []List{list("a_train.txt", test.train), list("b_test.txt", test.test)}
		// Test lists are read second, so the fault in either shows.
		_, err := ImportIndexes(Spec{Kind: Import}, lists, 5, nil, nil)
		if genesis.KindOf(err) != genesis.Invalid || !strings.Contains(err.Error(), test.want) {
			t.Errorf("train %q, test %q: %v, want %q", test.train, test.test, err, test.want)
		}
	}
	if _, err := ImportIndexes(Spec{Kind: Import}, []List{list("data.txt", "1")}, 5, nil, nil); genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("no list names a part: %v", err)
	}
}

func TestIsIndexList(t *testing.T) {
	for head, want := range map[string]bool{
		"1\n2\n3\n": true, "1.0\n2.0": true, "7": true, "": false, "a\n": false, "1.5\n2\n": false,
		"1 2 3\n4 5 6\n": false, "formula,target\n": false, "-1\n2\n": false, "1\n\x00\n": false, "12\n13\n1": true,
	} {
		if got := IsIndexList([]byte(head)); got != want {
			t.Errorf("%q: %t, want %t", head, got, want)
		}
	}
}

// rowsOf hashes rows of a text and a number.
func rowsOf(rows ...[2]string) []Identity {
	b := &format.Batch{Rows: len(rows), Cols: []format.Vector{{Kind: format.Text}, {Kind: format.Float}}}
	for _, r := range rows {
		appendText(&b.Cols[0], r[0])
		x, err := strconv.ParseFloat(r[1], 64)
		if err != nil {
			panic(err)
		}
		b.Cols[1].Floats = append(b.Cols[1].Floats, x)
	}
	return HashRows(nil, b, []int{0, 1})
}

func match(t *testing.T, spec Spec, tab []Identity, files map[string][]Identity) ([]*Result, error) {
	t.Helper()
	m := NewImporter(spec, Env{Temp: t.TempDir(), Memory: 200}, nil)
	defer m.Close()
	if err := m.Observe(Rows{IDs: tab, Match: tab}); err != nil {
		t.Fatal(err)
	}
	for name, ids := range files {
		rows := make([]int64, len(ids))
		for i := range rows {
			rows[i] = int64(i) + 1
		}
		if err := m.Add(name, ids, rows); err != nil {
			return nil, err
		}
	}
	return m.Match()
}

func TestRowFilesAreMatchedByContentAndMultiplicity(t *testing.T) {
	tab := rowsOf([2]string{"a", "1"}, [2]string{"b", "0.92"}, [2]string{"b", "0.92"}, [2]string{"b", "0.92"}, [2]string{"c", "-0"})
	got, err := match(t, Spec{Name: "import", Kind: Import}, tab, map[string][]Identity{
		"train0.csv": rowsOf([2]string{"b", "0.9199999999999999"}, [2]string{"a", "1.0"}),
		"test0.csv":  rowsOf([2]string{"b", ".92"}),
		"train1.csv": rowsOf([2]string{"c", "0"}),
		"test1.csv":  rowsOf([2]string{"a", "1e0"}),
	})
	if err != nil {
		t.Fatal(err)
	}
	T, E, U := genesis.Train, genesis.Test, genesis.Unassigned
	if diff := cmp.Diff([]genesis.Part{T, T, E, U, U}, got[0].Parts); diff != "" {
		t.Errorf("split 0 (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]genesis.Part{E, U, U, U, T}, got[1].Parts); diff != "" {
		t.Errorf("split 1 (-want +got):\n%s", diff)
	}
	if c, _ := leak(got[0], "duplicates"); c.Passed {
		t.Errorf("equal rows in train and test pass: %+v", c)
	}
	if c, _ := leak(got[1], "duplicates"); !c.Passed {
		t.Errorf("split 1: %+v", c)
	}
}

func TestRowsWithoutAPlaceAreNamed(t *testing.T) {
	tab := rowsOf([2]string{"a", "1"}, [2]string{"b", "2"})
	_, err := match(t, Spec{Kind: Import, Dir: "cv"}, tab, map[string][]Identity{
		"train0.csv": rowsOf([2]string{"a", "1"}, [2]string{"a", "1.5"}),
		"test0.csv":  rowsOf([2]string{"a", "1"}),
	})
	if genesis.KindOf(err) != genesis.Invalid {
		t.Fatalf("error %v", err)
	}
	for _, want := range []string{"2 of 3 rows", "train0.csv row 2 is not in the table", "test0.csv row 1 stands in the files more often"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
	if _, err := match(t, Spec{Kind: Import}, tab, map[string][]Identity{"rows.csv": tab}); genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("a file that says no part: %v", err)
	}
	if _, err := match(t, Spec{Kind: Import}, tab, nil); genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("no files: %v", err)
	}
}

func TestMatchByColumn(t *testing.T) {
	key := func(names ...string) []Identity {
		var out []Identity
		for _, n := range names {
			out = append(out, rowsOf([2]string{n, "0"})...)
		}
		return out
	}
	spec := Spec{Kind: Import, By: []string{"formula"}}
	tab := key("a", "b", "b", "c")
	got, err := match(t, spec, tab, map[string][]Identity{"train.csv": key("b"), "test.csv": key("a", "a")})
	if err != nil {
		t.Fatal(err)
	}
	T, E, U := genesis.Train, genesis.Test, genesis.Unassigned
	if diff := cmp.Diff([]genesis.Part{E, T, T, U}, got[0].Parts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	_, err = match(t, spec, tab, map[string][]Identity{"train.csv": key("b"), "test.csv": key("b")})
	if genesis.KindOf(err) != genesis.Invalid || !strings.Contains(err.Error(), "is in train too") {
		t.Errorf("a key in two parts: %v", err)
	}
}

func TestUCISplits(t *testing.T) {
	dir := filepath.Join(testdata.Dir(t), "energy/ccpp_power_plant/uci_splits")
	names, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil || len(names) != 44 {
		t.Fatalf("%d files, %v", len(names), err)
	}
	var lists []List
	for _, name := range names {
		lists = append(lists, List{name, func() (io.ReadCloser, error) { return os.Open(name) }})
	}
	got, err := ImportIndexes(Spec{Name: "import", Kind: Import}, lists, 9568, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 20 || got[19].Split.Name != "import-19" {
		t.Fatalf("%d splits, the last %q", len(got), got[len(got)-1].Split.Name)
	}
	for _, r := range got {
		if diff := cmp.Diff(map[string]int64{"train": 8611, "test": 957}, r.Split.Counts); diff != "" {
			t.Errorf("%s (-want +got):\n%s", r.Split.Name, diff)
		}
	}
	// The first lines of index_test_0.txt and index_train_0.txt.
	if got[0].Parts[6156] != genesis.Test || got[0].Parts[5014] != genesis.Train {
		t.Error("split 0 has its first rows in the wrong parts")
	}
}

func csvRows(t *testing.T, file string) [][2]string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out [][2]string
	for _, r := range all[1:] {
		out = append(out, [2]string{r[0], r[1]})
	}
	return out
}

func TestMatbenchFolds(t *testing.T) {
	dir := filepath.Join(testdata.Dir(t), "materials")
	load := func(set, file string) ([]*Result, error) {
		files := map[string][]Identity{}
		for k := range 5 {
			for _, p := range []string{"train", "val", "test"} {
				name := fmt.Sprintf("cv/%s%d.csv", p, k)
				files[name] = rowsOf(csvRows(t, filepath.Join(dir, set, name))...)
			}
		}
		return match(t, Spec{Name: "import", Kind: Import, Dir: "cv"}, rowsOf(csvRows(t, filepath.Join(dir, set, file))...), files)
	}
	got, err := load("matbench_steels", "steels_yield.csv")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 5 {
		t.Fatalf("%d splits, want 5", len(got))
	}
	if diff := cmp.Diff(map[string]int64{"train": 225, "validation": 24, "test": 63}, got[0].Split.Counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
	// The published folds of this set average the targets of equal formulas, so
	// a third of their rows are not rows of the table.
	_, err = load("matbench_dielectric", "dielectric.csv")
	if genesis.KindOf(err) != genesis.Invalid || !strings.Contains(err.Error(), "is not in the table") {
		t.Errorf("dielectric: %v", err)
	}
}

func FuzzIndexList(f *testing.F) {
	for _, s := range []string{"0\n1\n", "1e2 3", "9999999999999999999999", "-0", "0x1p3", "\xff", "1\n\n\n2"} {
		f.Add([]byte(s), int64(100))
	}
	f.Fuzz(func(t *testing.T, raw []byte, rows int64) {
		got, err := ReadIndexList("f", strings.NewReader(string(raw)), rows)
		if err != nil {
			if genesis.KindOf(err) != genesis.Invalid {
				t.Fatal(err)
			}
			return
		}
		for _, i := range got {
			if i < 0 || i >= rows {
				t.Fatalf("row %d of %d", i, rows)
			}
		}
	})
}

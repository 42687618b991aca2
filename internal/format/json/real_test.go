package json

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/testdata"
)

func readFile(t *testing.T, name string) (content, error) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testdata.Dir(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return readAll(streamOf(string(b), direct), format.Options{})
}

// expectation is what a table of a real file must hold. It was written by hand
// from the raw bytes; counts and last rows were taken with Python's json.
type expectation struct {
	name string
	rows int
	cols int
	head string // first column names, or all of them
	row0 string // start of the first row
	last string // start of the last row
}

var realFiles = []struct {
	file     string
	tables   []expectation
	preamble string // begins so
}{
	{"energy/solar_met_stations/tmy_45.000_8.000_2005_2023.json", []expectation{
		{"outputs.tmy_hourly", 8760, 10,
			"time(UTC) | T2m [degree Celsius] | RH [%] | G(h) [W/m2] | Gb(n) [W/m2] | Gd(h) [W/m2] | IR(h) [W/m2] | WS10m [m/s] | WD10m [degree] | SP [Pa]",
			"20180101:0000 | 2.04 | 94.38 | 0.0 | 0.0 | 0.0 | 283.58 | 0.75 | 257.0 | 99870.0",
			"20161231:2300 | 2.1 | 93.32 | 0.0 | 0.0 | 0.0 | 275.72 | 0.72 | 217.0 | 101090.0"},
		{"outputs.months_selected", 12, 2, "month | year", "1 | 2018", "12 | "},
	}, "inputs.location.latitude: 45.0\ninputs.location.longitude: 8.0\ninputs.location.elevation: 250.0\n"},
	{"energy/solar_met_stations/precise_iv_curves1.json", []expectation{
		{"IV Curves", 32, 13, "_row | Index | v_oc | i_sc | v_mp", "1 | 1 | 39.7481073798697327059", "32 | 32 | 46.6525649736260757394"},
		{"IV Curves.Voltages", 3200, 5, "_parent | _index | Voltages | Currents | diode_voltage",
			"1 | 1 | 0.0 | 0.9996667777132811507 | 0.09996667777132811507",
			"32 | 100 | 46.6525649736260757394 | 0.0 | 46.6525649736260757394"},
	}, "Manufacturer: \n"},
	{"biomed/messy_lab_tables/BadPlate.json", []expectation{
		{"measurements", 384, 97, "H09 | H08 | H03", "13.0 | 13.0 | 11.0 | 17.0 | 25.0", "55.0 | "},
		{"aggregated", 96, 13, "key | A | mu | AUC | AUC CI95 low", "H09 | 69.0 | .na.real | 4989.75", "A05 | 23.0 | .na.real | 1777.5"},
	}, "aggr_settings.software: opm\n"},
	{"nuclear/nuclear_data/half_life.json", []expectation{
		{"", 3561, 2, "key | value", "h3 | 388789600.0", "rg272 | 0.0041"},
	}, ""},
	{"materials/cif_samples/atom_init.json", []expectation{
		{"", 100, 93, "key | value.1 | value.2", "1 | 0 | 1 | 0", "100 | 1 | 0 | 0"},
	}, ""},
	{"materials/mlearn_si_potential/training.json", []expectation{
		{"", 214, 32, "_row | structure.@module | structure.@class | structure.charge | structure.lattice.matrix.1.1",
			"1 | pymatgen.core.structure | Structure | ∅ | 14.22366 | 5.591921 | 15.557314 | 0.0",
			"214 | pymatgen.core.structure | Structure | ∅ | 10.937456 | 0.0 | 0.0 | 0.0 | 10.937456"},
		{"structure.sites", 13233, 10, "_parent | _index | _row | abc.1 | abc.2 | abc.3 | xyz.1 | xyz.2 | xyz.3 | label",
			"1 | 1 | 1 | 0.020746 | 0.984718 | 0.453005 | 0.29508405036", "214 | 64 | 13233 | 0.625 | 0.625 | 0.625 | 6.835909999999999"},
		{"structure.sites.species", 13233, 4, "_parent | _index | element | occu", "1 | 1 | Si | 1", "13233 | 1 | Si | 1"},
		{"outputs.forces", 13233, 5, "_parent | _index | value.1 | value.2 | value.3",
			"1 | 1 | -2.98187262 | 0.6069187 | 3.48143607", "214 | 64 | -0.0 | -0.0 | 0.0"},
	}, ""},
	{"biomed/tox21/derived_tox21.jsonl", []expectation{
		{"", 7831, 14, "NR-AR | NR-AR-LBD | NR-AhR", "0.0 | 0.0 | 1.0 | ∅ | ∅ | 0.0", "0.0 | 0.0 | ∅ | 0.0 | 0.0 | 0.0 | 0.0 | 0.0 | 0.0 | 0.0 | 1.0 | 0.0 | TOX2724 | COc1ccc2c"},
	}, ""},
	{"biomed/sider/derived_sider.jsonl", []expectation{
		{"", 1427, 28, "smiles | Hepatobiliary disorders", "C(CNCCNCCNCCN)N | 1.0 | 1.0 | 0.0", ""},
	}, ""},
}

func TestRealFiles(t *testing.T) {
	for _, c := range realFiles {
		t.Run(filepath.Base(c.file), func(t *testing.T) {
			got, err := readFile(t, c.file)
			if err != nil {
				t.Fatal(err)
			}
			if len(got.tables) != len(c.tables) {
				t.Fatalf("%d tables, want %d", len(got.tables), len(c.tables))
			}
			for i, want := range c.tables {
				want.check(t, got.tables[i])
			}
			if !strings.HasPrefix(got.preamble, c.preamble) || c.preamble == "" && got.preamble != "" {
				t.Errorf("preamble %.200q, want %q", got.preamble, c.preamble)
			}
			if len(got.bad) > 0 || len(got.codes) > 0 {
				t.Errorf("bad rows %v, findings %v", got.bad, got.codes)
			}
		})
	}
}

func (e expectation) check(t *testing.T, g grid) {
	t.Helper()
	if g.name != e.name || len(g.rows) != e.rows || len(g.cols) != e.cols {
		t.Fatalf("table %q of %d rows, %d columns; want %q of %d, %d", g.name, len(g.rows), len(g.cols), e.name, e.rows, e.cols)
	}
	for _, line := range []struct{ what, got, want string }{
		{"columns", strings.Join(g.cols, " | "), e.head},
		{"first row", strings.Join(g.rows[0], " | "), e.row0},
		{"last row", strings.Join(g.rows[len(g.rows)-1], " | "), e.last},
	} {
		if !strings.HasPrefix(line.got, line.want) {
			t.Errorf("table %q, %s: %.200s\nwant %s", e.name, line.what, line.got, line.want)
		}
	}
}

// TestSums adds up what single rows do not show.
func TestSums(t *testing.T) {
	got, err := readFile(t, "biomed/tox21/derived_tox21.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	nulls := 0
	for _, r := range got.tables[0].rows {
		for _, c := range r {
			if c == "∅" {
				nulls++
			}
		}
	}
	if nulls != 16026 {
		t.Errorf("%d nulls, want 16026", nulls)
	}
	got, err = readFile(t, "biomed/messy_lab_tables/BadPlate.json")
	if err != nil {
		t.Fatal(err)
	}
	for i, name := range got.tables[0].cols {
		if last := got.tables[0].rows[383][i]; name == "Hour" && last != "95.75" || name == "A05" && last != "16.0" {
			t.Errorf("last value of %s is %s", name, last)
		}
	}
}

func TestCorrupt(t *testing.T) {
	t.Run("truncated", func(t *testing.T) {
		_, err := readFile(t, "corrupt/json_truncated.json")
		if genesis.KindOf(err) != genesis.Invalid || !strings.Contains(err.Error(), "byte 20000") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("deep", func(t *testing.T) {
		_, err := readFile(t, "corrupt/json_deep_nesting.json")
		if genesis.KindOf(err) != genesis.Invalid || !strings.Contains(err.Error(), "deeper than 1000") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("literals", func(t *testing.T) {
		got, err := readFile(t, "corrupt/json_nan_infinity.json")
		if err != nil || !cmp.Equal(got.codes, []string{"duplicate-key", "json-nan"}) {
			t.Errorf("findings %v, %v", got.codes, err)
		}
	})
	t.Run("mixed lines", func(t *testing.T) {
		got, err := readFile(t, "corrupt/jsonl_mixed.jsonl")
		if err != nil {
			t.Fatal(err)
		}
		if want := "table : id | y | z.q\n1 | 1.5 | ∅\n2 | 1,5 | ∅\n3 | ∅ | 1\n"; got.String() != want {
			t.Errorf("got %s", got)
		}
		if want := []int64{1, 2, 5}; !cmp.Equal(want, got.tables[0].line) {
			t.Errorf("rows stand on lines %v, want %v", got.tables[0].line, want)
		}
		want := []format.BadRow{
			{Line: 4, Code: "bad-json", Msg: "byte 39: an array where the other rows are objects", Raw: []byte("[1,2]")},
			{Line: 6, Code: "bad-json", Msg: `byte 83: '"' instead of a comma or }`, Raw: []byte(`{"id":4 "y":2}`)},
		}
		if d := cmp.Diff(want, got.bad); d != "" {
			t.Errorf("bad rows (-want +got):\n%s", d)
		}
	})
}

package xlsx

import (
	"bufio"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/testdata"
)

func load(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testdata.Dir(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestPowerPlant reads 9,568 rows and holds them against the text file that has
// the same rows in another order.
func TestPowerPlant(t *testing.T) {
	got, err := readAll(load(t, "energy/ccpp_power_plant/Folds5x2_pp.xlsx"), format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.tables) != 1 || got.preamble != "" || len(got.codes) > 0 {
		t.Fatalf("%d tables, preamble %q, findings %q", len(got.tables), got.preamble, got.codes)
	}
	g := got.tables[0]
	if want := []string{"AT", "V", "AP", "RH", "EP"}; g.name != "" || !cmp.Equal(want, g.cols) || len(g.rows) != 9568 {
		t.Fatalf("table %q, columns %q, %d rows", g.name, g.cols, len(g.rows))
	}
	for i, want := range map[int]string{
		0:    "14.96 41.76 1024.07 73.17 463.26",
		2:    "5.1100000000000003 39.4 1012.16 92.14 488.56", // the literal the file stores
		9567: "21.6 62.52 1017.23 67.87 453.28",
	} {
		if strings.Join(g.rows[i], " ") != want || g.line[i] != int64(i)+2 {
			t.Errorf("row %d, line %d: %q, want %s", i, g.line[i], g.rows[i], want)
		}
	}
	if d := cmp.Diff(sorted(textRows(t, "energy/ccpp_power_plant/uci_splits/data.txt")), sorted(g.rows)); d != "" {
		t.Errorf("text and workbook differ:\n%.2000s", d)
	}
}

// sorted returns rows as values, in order.
func sorted(rows [][]string) []string {
	out := make([]string, len(rows))
	for i, r := range rows {
		for _, c := range r {
			v, err := strconv.ParseFloat(c, 64)
			if err != nil {
				v = math.NaN()
			}
			out[i] += strconv.FormatFloat(v, 'g', -1, 64) + " "
		}
	}
	slices.Sort(out)
	return out
}

func textRows(t *testing.T, name string) [][]string {
	var rows [][]string
	s := bufio.NewScanner(strings.NewReader(string(load(t, name))))
	for s.Scan() {
		if f := strings.Fields(s.Text()); len(f) > 0 {
			rows = append(rows, f)
		}
	}
	return rows
}

// TestModulators reads a sheet with a header of three levels, beside an empty
// one. Counts and sum were taken with openpyxl.
func TestModulators(t *testing.T) {
	got, err := readAll(load(t, "biomed/messy_lab_tables/Positive Modulators Summary_ 918.TUC _ v1.xlsx"), format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.tables) != 1 || !cmp.Equal(got.codes, []string{"empty-sheet"}) || got.preamble != "" {
		t.Fatalf("%d tables, findings %q, preamble %q", len(got.tables), got.codes, got.preamble)
	}
	g := got.tables[0]
	want := []string{"TA ##", "Position", "TA ID", "Metric #1 (-120 mV Peak) Vehicle Mean", "Metric #1 (-120 mV Peak) Vehicle SD",
		"Metric #1 (-120 mV Peak) 4 Threshold (%) = Mean + 4xSD", "Metric #1 (-120 mV Peak) Replications N #1 (%)",
		"Metric #1 (-120 mV Peak) Replications N #2 (%)"}
	if d := cmp.Diff(want, g.cols); d != "" || len(g.rows) != 430 {
		t.Fatalf("%d rows, want 430; columns (-want +got):\n%s", len(g.rows), d)
	}
	if want := "1 | 1-A02 | Penicillin V Potassium | -12.868936243026 | 6.74704924727227 | 14.1192607460631 | -10.4039701997001 | -18.1929415587627"; strings.Join(g.rows[0], " | ") != want || g.line[0] != 4 {
		t.Errorf("line %d: %q", g.line[0], g.rows[0])
	}
	if want := "430 | 6-E08 | Amikacin Disulfate | -7.10146921710101 | 3.84865748542818 | 8.29316072461173 | -11.5128097912863 | -9.90337295026164"; strings.Join(g.rows[429], " | ") != want {
		t.Errorf("last row %q", g.rows[429])
	}
	nulls, sum := make([]int, len(g.cols)), 0.0
	for _, r := range g.rows {
		for i, c := range r {
			if c == "∅" {
				nulls[i]++
			} else if i == 6 {
				v, _ := strconv.ParseFloat(c, 64)
				sum += v
			}
		}
	}
	if !cmp.Equal(nulls, []int{0, 2, 0, 0, 0, 0, 8, 1}) || math.Abs(sum+3552.284495) > 1e-6 {
		t.Errorf("nulls %v, sum %v", nulls, sum)
	}
}

func TestCorrupt(t *testing.T) {
	for _, name := range []string{"corrupt/xlsx_truncated.xlsx", "corrupt/xlsx_is_html.xlsx"} {
		_, err := readAll(load(t, name), format.Options{})
		if genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	if (Driver{}).Match(load(t, "corrupt/xlsx_is_html.xlsx")) > 0 {
		t.Error("HTML is taken for a workbook")
	}
}

package text

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/testdata"
)

// readFile reads a file of the data folder the way prepare does.
func readFile(t testing.TB, path string) (got, error) {
	t.Helper()
	raw, closer, err := format.OpenRaw(filepath.Join(testdata.Dir(t), path))
	if err != nil {
		t.Fatal(err)
	}
	defer closer.Close()
	streams, err := format.Streams(context.Background(), raw, format.Limits{})
	if err != nil {
		return got{}, err
	}
	if _, err := format.Recognise(streams[0], []format.Driver{Driver{}}); err != nil {
		return got{}, err
	}
	return readAll(t, streams[0], format.Options{})
}

// expectation is what a look at the raw bytes says of a file: rows by counting
// lines, cells by splitting the first row at its delimiters by hand.
type expectation struct {
	path     string
	format   string
	encoding string   // "" for UTF-8
	tables   int      // 0 for 1
	columns  []int    // by table
	rows     []int    // by table
	names    []string // the first names of the first table
	first    []string // the first cells of the first row
	line     int64    // of the first row
	last     []string // the first cells of the last table's last row
	bad      int
	preamble string // begins with
}

var expectations = []expectation{
	{path: "energy/battery_cyclers/biologic_loops_short10k.csv", format: "semicolon-separated text", columns: []int{72}, rows: []int{9999},
		names: []string{"", "mode", "ox", "error", "time/s", "Ecell/V"}, first: []string{"0", "7", "7", "7", "05/05/2021 15:36:22.757", "3.81503248214722"}, line: 2,
		last: []string{"9998", "23", "23", "23", "05/06/2021 19:57:03.527"}},
	{path: "energy/battery_cyclers/maccor_parameterized_memloaded.csv", format: "csv", columns: []int{44}, rows: []int{2165},
		names: []string{"", "data_point", "cycle_index"}, first: []string{"0", "405649", "86"}, line: 2, last: []string{"2164", "407813", "89"}},
	{path: "energy/battery_cyclers/nova_form_short.csv", format: "csv", columns: []int{15}, rows: []int{3942},
		names: []string{"Date and Time", "Cycle Number", "Step Type", "Run Time (h)"}, first: []string{"2022-04-11 10:58:07 AM", "1", "0", "0.0000000"}, line: 59,
		last: []string{"2022-04-12 4:24:11 AM", "1", "1", "17.4345750"}, preamble: "[Summary]\nNovonix HPC data file\n"},
	{path: "energy/battery_cyclers/xTESLADIAG_000019_CH70.070", format: "tsv", columns: []int{34}, rows: []int{11669},
		names: []string{"Rec#", "Cyc#", "Step", "Test (Sec)"}, first: []string{"1", "0", "1", "0.0000"}, line: 3, last: []string{"11669", "2", "13", "136344.9500"},
		preamble: "Today's Date 07/17/2019"},
	{path: "energy/solar_met_stations/703165TY.csv", format: "csv", columns: []int{68}, rows: []int{8760},
		names: []string{"Date (MM/DD/YYYY)", "Time (HH:MM)", "ETR (W/m^2)"}, first: []string{"01/01/1997", "01:00", "0"}, line: 3,
		last: []string{"12/31/1998", "24:00"}, preamble: "703165,\"SAND POINT\",AK,-9.0,55.317,-160.517,7\n"},
	{path: "energy/solar_met_stations/PVsyst_demo.csv", format: "csv", columns: []int{56}, rows: []int{10755},
		first: []string{"  4.5020", "  4.1276"}, line: 3, last: []string{"  2.5737", "  2.5698"}, preamble: "36,0.0054,-0.0774,Mitsubishi PV-UE125MF5N cSi\n3585,56\n"},
	{path: "energy/solar_met_stations/SRML-day-EUPO1801.txt", format: "tsv", columns: []int{10}, rows: []int{1440},
		first: []string{"1", "1", "0", "12"}, line: 2, last: []string{"1", "2400", "0", "12"}, preamble: "94255\t2018\t1000\t0\t"},
	{path: "energy/solar_met_stations/midc_20181014.txt", format: "csv", columns: []int{7}, rows: []int{1440},
		names: []string{"DATE (MM/DD/YYYY)", "MST", "Global PSP [W/m^2]"}, first: []string{"10/14/2018", "00:00", "-7.69272"}, line: 2, last: []string{"10/14/2018", "23:59"}},
	{path: "energy/solar_met_stations/midc_raw_20181018.txt", format: "csv", columns: []int{19}, rows: []int{1440},
		names: []string{"Unnamed: 0", "Year", "DOY", "MST"}, first: []string{"0", "2018", "291", "0"}, line: 2, last: []string{"0", "2018", "291", "2359"}},
	{path: "energy/solar_met_stations/soiling_hsu_example_inputs.csv", format: "csv", columns: []int{4}, rows: []int{8760},
		names: []string{"TimeStamp", "rain", "PM2_5", "PM10"}, first: []string{"2015-01-01 00:00:00", "0"}, line: 2, last: []string{"2015-12-31 23:00:00"}},
	{path: "energy/solar_met_stations/surfrad-slv16001.dat", format: "whitespace-separated text", columns: []int{48}, rows: []int{1440},
		first: []string{"2016", "1", "1", "1", "0", "0", "0.000", "91.65", "-1.8", "0"}, line: 3, last: []string{"2016", "1", "1", "1", "23", "59", "23.983"},
		preamble: " Alamosa\n   37.70  105.92 2317 m version 1\n"},
	{path: "energy/solar_met_stations/test_read_psm3.csv", format: "csv", columns: []int{22}, rows: []int{17520},
		names: []string{"Year", "Month", "Day", "Hour", "Minute", "DHI"}, first: []string{"2017", "1", "1", "0", "0", "0"}, line: 4,
		last: []string{"2017", "12", "31", "23", "30"}, preamble: "Source,Location ID,City,"},
	{path: "energy/solar_met_stations/tmy_45.000_8.000_2005_2023.csv", format: "csv", tables: 2, columns: []int{2, 10}, rows: []int{12, 8760},
		names: []string{"month", "year"}, first: []string{"1", "2018"}, line: 6, last: []string{"20161231:2300", "2.1", "93.32"},
		preamble: "Latitude (decimal degrees): 45.000\n"},
	{path: "energy/wind_turbine_scada/T1.csv", format: "csv", encoding: "GBK", columns: []int{5}, rows: []int{50530},
		names: []string{"Date/Time", "ActivePower", "Wind Speed (m/s)", "TheoreticalPower", "Wind Direction (°)"},
		first: []string{"01 01 2018 00:00", "380.0477905", "5.31133604", "416.3289078", "259.9949036"}, line: 2, last: []string{"31 12 2018 23:50", "2820.466064"}},
	{path: "energy/ett_h1_transformer/ETTh1.csv", format: "csv", columns: []int{8}, rows: []int{17420},
		names: []string{"date", "HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"}, first: []string{"2016-07-01 00:00:00"}, line: 2, last: []string{"2018-06-26 19:00:00"}},
	{path: "energy/ccpp_power_plant/uci_splits/data.txt", format: "tsv", columns: []int{5}, rows: []int{9568},
		first: []string{"8.34", "40.77", "1010.84", "90.01", "480.48"}, line: 1, last: []string{"23.68", "51.3", "1011.86", "71.24", "451.67"}},
	{path: "energy/ccpp_power_plant/uci_splits/index_train_0.txt", format: "text", columns: []int{1}, rows: []int{8611}, first: []string{"5014"}, line: 1, last: []string{"6387"}},
	{path: "energy/nrel_resource_h5/costs_RI_1000MW.csv", format: "csv", columns: []int{22}, rows: []int{11440},
		names: []string{"ac_cap", "category", "trans_gid"}, first: []string{"6820.0", "TransLine", "43156"}, line: 2, last: []string{"65.0", "LoadCen", "80920"}},
	{path: "energy/nrel_resource_h5/hawaii_grid.csv", format: "csv", columns: []int{2}, rows: []int{89874},
		names: []string{"latitude", "longitude"}, first: []string{"15.098953", "-163.8418"}, line: 2, last: []string{"17.00084", "-153.92972"}},
	{path: "biomed/messy_lab_tables/Plates.csv", format: "csv", tables: 4, columns: []int{97, 97, 97, 97}, rows: []int{288, 288, 288, 288},
		names: []string{"Hour", "A01", "A02"}, first: []string{"0", "0", "46"}, line: 12, last: []string{"71.75", "371", "143"}, preamble: "\"Data File    \","},
	{path: "biomed/messy_lab_tables/penguins_raw.csv", format: "csv", columns: []int{17}, rows: []int{344},
		names: []string{"studyName", "Sample Number", "Species", "Region", "Island", "Stage"},
		first: []string{"PAL0708", "1", "Adelie Penguin (Pygoscelis adeliae)", "Anvers", "Torgersen", "Adult, 1 Egg Stage"}, line: 2, last: []string{"PAL0910", "68"}},
	{path: "biomed/messy_lab_tables/winequalityN.csv", format: "csv", columns: []int{13}, rows: []int{6497},
		names: []string{"type", "fixed acidity"}, first: []string{"white", "7"}, line: 2, last: []string{"red", "6", "0.31"}},
	{path: "biomed/hiv/HIV_w_emptylines.csv", format: "csv", columns: []int{3}, rows: []int{41127}, names: []string{"smiles", "activity", "HIV_active"},
		first: []string{"CCC1=[O+][Cu-3]2([O+]=C(CC)C1)[O+]=C(CC)CC(CC)=[O+]2", "CI", "0"}, line: 3},
	{path: "biomed/molecules_sdf/znp.50k.smi.gz", format: "whitespace-separated text", columns: []int{2}, rows: []int{50000}, line: 1},
	{path: "materials/oqmd_bandgap/train.csv", format: "csv", columns: []int{2}, rows: []int{239125}, names: []string{"formula", "target"},
		first: []string{"Co12Mn5Nd2", "0.0"}, line: 2, last: []string{"Co1Fe1Sr1", "0.0"}},
	{path: "materials/oqmd_bandgap/val.csv", format: "csv", columns: []int{2}, rows: []int{51241}, line: 2, last: []string{"Sb1Sc1Sm2", "0.0"}},
	{path: "materials/oqmd_bandgap/test.csv", format: "csv", columns: []int{2}, rows: []int{51242}, line: 2, last: []string{"Ba1Cr1Mn1", "0.0"}},
	{path: "materials/concrete_strength/uci_splits/data.txt", format: "tsv", columns: []int{9}, rows: []int{1030},
		first: []string{"540.0 ", "0.0 ", "0.0 ", "162.0 ", "2.5 ", "1040.0 ", "676.0 ", "28 ", "79.99 "}, line: 1, last: []string{"260.9 "}},
	{path: "climate/climate_indices/co2-ppm-daily.csv", format: "csv", columns: []int{2}, rows: []int{18304}, names: []string{"date", "value"},
		first: []string{"1958-03-30", "316.16"}, line: 2, last: []string{"2025-08-09", "425.37"}},
	{path: "climate/climate_indices_b/global_temp_monthly.csv", format: "csv", columns: []int{3}, rows: []int{3823}, names: []string{"Source", "Year", "Mean"},
		first: []string{"gcag", "1850-01", "-0.6746"}, line: 2, last: []string{"gcag", "2024-07", "1.1398"}},
	{path: "nuclear/nuclear_data_b/BREMX.DAT", format: "whitespace-separated text", columns: []int{6}, rows: []int{28514}, bad: 1,
		first: []string{"0.00100", "0.00150"}, line: 6, last: []string{"5.75349"}, preamble: " BREMSPEC-2 @D TOTAL"},
	{path: "genomics/scrna_zarr_h5/10x_v3_mtx/features.tsv.gz", format: "tsv", columns: []int{3}, rows: []int{507}, first: []string{"ENSG00000279493"}, line: 1},
	{path: "genomics/scrna_zarr_h5/10x_v3_mtx/barcodes.tsv.gz", format: "text", columns: []int{1}, rows: []int{1107}, first: []string{"AAACCCAAGGAGAGTA-1"}, line: 1},

	{path: "corrupt/bom_cr_only.csv", format: "csv", columns: []int{2}, rows: []int{2}, names: []string{"id", "y"}, first: []string{"1", "2"}, line: 2, last: []string{"3", "4"}},
	{path: "corrupt/csv_named.parquet", format: "csv", columns: []int{2}, rows: []int{1}, names: []string{"a", "b"}, line: 2},
	{path: "corrupt/decimal_comma.csv", format: "semicolon-separated text", columns: []int{3}, rows: []int{2}, first: []string{"1", "1,5", "2.000,25"}, line: 2},
	{path: "corrupt/duplicate_headers.csv", format: "csv", columns: []int{6}, rows: []int{1}, names: []string{"time", "T", "T", "T", "", ""}, first: []string{"0", "1", "2", "3", "4", "5"}, line: 2},
	{path: "corrupt/excel_dates_and_genes.csv", format: "csv", columns: []int{3}, rows: []int{3}, names: []string{"gene", "date", "score"}, first: []string{"1-Sep", "43831", "1"}, line: 2},
	{path: "corrupt/formula_injection.csv", format: "csv", columns: []int{2}, rows: []int{4}, names: []string{"id", "note"}, first: []string{"1", `=HYPERLINK("http://127.0.0.1/x"; "y")`}, line: 2},
	{path: "corrupt/header_units_row.csv", format: "csv", columns: []int{3}, rows: []int{4}, names: []string{"timestamp", "power", "temp"}, line: 3, last: []string{"01/02/2020 00:20", "1.8", "68F"}},
	{path: "corrupt/inf_nan_overflow.csv", format: "text", columns: []int{1}, rows: []int{11}, names: []string{"x"}, first: []string{"1e400"}, line: 2, last: []string{"1e"}},
	{path: "corrupt/latin1_degree.csv", format: "csv", encoding: "ISO-8859-1", columns: []int{3}, rows: []int{2}, names: []string{"station", "temp (°C)", "µm"}, first: []string{"Zürich", "21.5", "3"}, line: 2, last: []string{"Orléans", "-9999", "4"}},
	{path: "corrupt/mixed_delims.csv", format: "csv", columns: []int{3}, rows: []int{1}, bad: 3, line: 2},
	{path: "corrupt/nul_bytes.csv", format: "csv", columns: []int{10}, rows: []int{183}, bad: 16, first: []string{"Fenfuram"}, line: 3},
	{path: "corrupt/ragged_200cols.csv", format: "csv", columns: []int{200}, rows: []int{126}, bad: 174, names: []string{"c0", "c1"}, first: []string{"19", "50", "83"}, line: 2},
	{path: "corrupt/unclosed_quote.csv", format: "csv", columns: []int{3}, rows: []int{2001}, bad: 1, first: []string{"3", "beta", "4"}, line: 3},
	{path: "corrupt/utf16le_bom.csv", format: "csv", encoding: "UTF-16LE", columns: []int{10}, rows: []int{99}, names: []string{"Compound ID"}, first: []string{"Amigdalin"}, line: 2},
	{path: "corrupt/gz_trailing_garbage.csv.gz", format: "csv", columns: []int{4}, rows: []int{2050}, names: []string{"num", "name"}, line: 2},
	{path: "corrupt/smiles_bad.smi", format: "whitespace-separated text", columns: []int{2}, rows: []int{6}, first: []string{"CCO", "ethanol"}, line: 1},
}

func TestRealFiles(t *testing.T) {
	testdata.Dir(t)
	for _, want := range expectations {
		t.Run(want.path, func(t *testing.T) {
			t.Parallel()
			g, err := readFile(t, want.path)
			if err != nil {
				t.Fatal(err)
			}
			checkReal(t, want, g)
		})
	}
}

func checkReal(t *testing.T, want expectation, g got) {
	t.Helper()
	if want.encoding == "" {
		want.encoding = "UTF-8"
	}
	source := g.about.Source
	if source.Format != want.format || source.Encoding != want.encoding {
		t.Errorf("read as %s in %s, want %s in %s", source.Format, source.Encoding, want.format, want.encoding)
	}
	if len(g.Names) != max(want.tables, 1) {
		t.Fatalf("%d tables, want %d", len(g.Names), max(want.tables, 1))
	}
	for k := range g.Names {
		if len(g.Names[k]) != want.columns[k] || len(g.Rows[k]) != want.rows[k] {
			t.Errorf("table %d: %d columns and %d rows, want %d and %d", k, len(g.Names[k]), len(g.Rows[k]), want.columns[k], want.rows[k])
		}
	}
	if len(g.Bad) != want.bad {
		t.Errorf("%d bad rows, want %d", len(g.Bad), want.bad)
	}
	last := g.Rows[len(g.Rows)-1]
	same(t, "names", want.names, g.Names[0])
	same(t, "first row", want.first, g.Rows[0][0])
	same(t, "last row", want.last, last[len(last)-1])
	if g.Lines[0][0] != want.line {
		t.Errorf("the first row stands at line %d, want %d", g.Lines[0][0], want.line)
	}
	if !strings.HasPrefix(g.Preamble, want.preamble) || want.preamble == "" && g.Preamble != "" {
		t.Errorf("preamble %.100q, want %q…", g.Preamble, want.preamble)
	}
}

// same compares as many cells as are wanted.
func same(t *testing.T, what string, want, have []string) {
	t.Helper()
	if diff := cmp.Diff(want, have[:min(len(want), len(have))]); len(want) > 0 && diff != "" {
		t.Errorf("%s (−want +got):\n%s", what, diff)
	}
}

// TestRealRefusals are the files that must not become a table.
func TestRealRefusals(t *testing.T) {
	tests := []struct {
		path string
		kind genesis.ErrorKind
		says string
	}{
		{"corrupt/empty.csv", genesis.Invalid, "is empty"},
		{"corrupt/one_line_300k_fields.csv", genesis.Invalid, "300000 columns; the limit is 100000"},
		{"corrupt/bomb_100MiB.csv.gz", genesis.Invalid, "1000 times its size"},
		{"corrupt/nested_bomb.zip", genesis.Unsupported, "d0.csv.gz"},
		{"corrupt/truncated.csv.gz", genesis.Invalid, "truncated"},
		{"corrupt/gz_bad_crc.csv.gz", genesis.Invalid, "checksum"},
		{"corrupt/xlsx_is_html.xlsx", genesis.Unsupported, "HTML"},
		{"energy/solar_met_stations/12839.tm2", genesis.Unsupported, "TMY2"},
		{"nuclear/nuclear_data/mass_1.mas20.txt", genesis.Unsupported, "fixed-width"},
		{"materials/concrete_strength/Concrete_Data.xls", genesis.Unsupported, "OLE2"},
		{"fusion/tokamak_equilibria/test_1.geqdsk", genesis.Unsupported, "EQDSK"},
		{"corrupt/apache_bad_data_README.md", genesis.Unsupported, "without a table"},
	}
	testdata.Dir(t)
	for _, tt := range tests {
		t.Run(tt.path, func(t *testing.T) {
			t.Parallel()
			_, err := readFile(t, tt.path)
			if genesis.KindOf(err) != tt.kind || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("got %v, want an error of kind %s that says %q", err, tt.kind, tt.says)
			}
		})
	}
}

// TestRealLines checks the line numbers of the rows that are set aside.
func TestRealLines(t *testing.T) {
	for path, want := range map[string][]int64{
		"corrupt/mixed_delims.csv":   {3, 4, 5},
		"corrupt/unclosed_quote.csv": {2},
		"corrupt/nul_bytes.csv":      {2, 4, 9, 10, 11, 12, 14, 15, 16, 17, 18, 20, 21, 23, 24, 25},
	} {
		g, err := readFile(t, path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, g.Bad); diff != "" {
			t.Errorf("%s (−want +got):\n%s", path, diff)
		}
	}
	g, err := readFile(t, "corrupt/header_units_row.csv")
	if err != nil {
		t.Fatal(err)
	}
	same(t, "units", []string{"UTC", "kW", "degC"}, g.Units[0])
}

package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/stream"
	"github.com/opengenesis/genesis/internal/testdata"
)

// damaged is what must become of one damaged file: an error, or tables. The
// reasons, where they are not those of EXPECTED.md beside the files, stand in
// docs/decisions/0004-damaged-files.md.
type damaged struct {
	file string

	kind genesis.ErrorKind // refused
	says []string          // what the error must name

	rows     int64    // taken: rows of the one table,
	columns  int      // its columns,
	begins   []string // its first rows, cells by spaces, · for no value,
	rejects  []string // the first cells and rows set aside: line, column, rule or code, value
	aside    int64    // how many there are
	findings []string // code, :column, @rows; those that ask for attention
	alloc    uint64   // MiB that may be allocated in all; 0: 64
}

var (
	invalid     = genesis.Invalid
	unsupported = genesis.Unsupported
)

var corrupt = []damaged{
	// Parquet.
	{file: "truncated.parquet", kind: invalid, says: []string{"magic number", "truncated"}},
	{file: "footer_len_huge.parquet", kind: invalid, says: []string{"footer", "2147483647"}, alloc: 8},
	{file: "bitflip_page.parquet", kind: invalid, says: []string{`column "AT"`}},
	{file: "zero_rows_magic_only.parquet", kind: invalid, says: []string{"8 bytes"}},
	{file: "csv_named.parquet", rows: 1, columns: 2, begins: []string{"1 2"}},
	{file: "apache_ARROW-GH-41321.parquet", kind: invalid, says: []string{"levels"}},
	{file: "apache_ARROW-GH-43605.parquet", rows: 21186, columns: 1, begins: []string{"0", "0"}, findings: []string{"duplicate-rows"}}, // 0004: not damaged
	{file: "apache_ARROW-GH-45185.parquet", kind: invalid, says: []string{"middle of a row"}},
	{file: "apache_ARROW-RS-GH-6229-LEVELS.parquet", kind: invalid, says: []string{"fewer levels"}},
	{file: "apache_PARQUET-1481.parquet", kind: invalid, says: []string{"impossible"}},
	{file: "apache_datapage_v1-corrupt-checksum.parquet", kind: invalid, says: []string{`column "a"`, "checksum"}},

	// Packed.
	{file: "bomb_100MiB.csv.gz", kind: invalid, says: []string{"1000 times"}, alloc: 256},
	{file: "nested_bomb.zip", kind: unsupported, says: []string{"gzip", "zip", "one level"}, alloc: 8},
	{file: "zip_path_traversal.zip", rows: 1, columns: 1, begins: []string{"1"}, findings: []string{"archive-entry", "archive-entry", "archive-entry"}},
	{file: "truncated.csv.gz", kind: invalid, says: []string{"truncated"}},
	{file: "gz_bad_crc.csv.gz", kind: invalid, says: []string{"checksum"}},
	{file: "gz_trailing_garbage.csv.gz", rows: 2050, columns: 4, findings: []string{"trailing-garbage"}},

	// Delimited text.
	{file: "nul_bytes.csv", rows: 183, columns: 10, aside: 16, rejects: []string{"2  nul-byte"}, findings: []string{"nul-byte@2,4,9,10,11,12,14,15,16,17,18,20,21,23,24,25"}},
	{file: "ragged_200cols.csv", rows: 126, columns: 200, aside: 174, rejects: []string{"3  field-count", "4  field-count"},
		findings: []string{"field-count@3,4,5,6,10,11,14,23,26,27,28,30,31,32,33,34,36,41,43,44"}},
	{file: "utf16le_bom.csv", rows: 99, columns: 10, begins: []string{"Amigdalin -0.9740000000000001 1 457.4320000000001 7 3 7 202.31999999999996 -0.77 OCC3OC(OCC2OC(OC(C#N)c1ccccc1)C(O)C(O)C2O)C(O)C(O)C3O "}},
	{file: "latin1_degree.csv", rows: 2, columns: 3, begins: []string{"Zürich 21.5 3", "Orléans · 4"}, findings: []string{"sentinel:temp@3"}},
	{file: "mixed_delims.csv", rows: 1, columns: 3, begins: []string{"1 2 3"}, aside: 3,
		rejects: []string{"3  mixed-delimiters 4;5;6", "4  mixed-delimiters 7\t8\t9", "5  mixed-delimiters 10|11|12"}, findings: []string{"mixed-delimiters@3,4,5"}},
	{file: "unclosed_quote.csv", rows: 2001, columns: 3, begins: []string{"3 beta 4", "5 gamma 6"}, aside: 1,
		rejects: []string{`2  unclosed-quote 1,"alpha,2`}, findings: []string{"duplicate-rows", "unclosed-quote@2"}},
	{file: "duplicate_headers.csv", rows: 1, columns: 6, begins: []string{"0 1 2 3 4 5"}, findings: []string{"repeated-names"}},
	{file: "bom_cr_only.csv", rows: 2, columns: 2, begins: []string{"1 2", "3 4"}},
	{file: "header_units_row.csv", rows: 4, columns: 3, aside: 1,
		begins:   []string{"2020-01-01T00:00:00Z 1.5 20", "2020-01-01T00:10:00Z · ·", "2020-01-01T00:10:00Z 1.7 20.1", "· 1.8 20"},
		rejects:  []string{"6 timestamp not a time of the column's form 01/02/2020 00:20"},
		findings: []string{"duplicate-time:timestamp", "rejected:timestamp@6", "sentinel:power@4", "two-date-forms:timestamp@6", "unit-in-cell:temp@6"}},
	{file: "decimal_comma.csv", rows: 2, columns: 3, begins: []string{"1 1.5 2000.25", "2 3.75 1234"}},
	{file: "excel_dates_and_genes.csv", rows: 3, columns: 3, begins: []string{"1-Sep 2020-01-01 1", "2-Mar 2020-01-02 2", "MARCH1 · 3"}, aside: 1,
		rejects:  []string{"4 date not a time of the column's form 2020-01-03"},
		findings: []string{"excel-gene:gene@2,3,4", "excel-serial:date", "rejected:date@4", "two-date-forms:date@4"}},
	{file: "formula_injection.csv", rows: 4, columns: 2, begins: []string{`1 =HYPERLINK("http://127.0.0.1/x"; "y")`, "2 +1+1", "3 @SUM(A1)", "4 -2"}},
	{file: "empty.csv", kind: invalid, says: []string{"empty"}},
	{file: "header_only.csv", rows: 0, columns: 3, findings: []string{"no-rows"}},
	{file: "one_line_300k_fields.csv", kind: invalid, says: []string{"300000 columns", "100000"}},
	{file: "inf_nan_overflow.csv", rows: 11, columns: 1, begins: []string{"·", "-Inf", "·", "·", "·", "·", "·", "·", "·", "·", "·"}, aside: 4,
		rejects:  []string{"2 x beyond the range of 64 bits 1e400", "10 x not a number 1_000", "11 x not a number 0x1F", "12 x not a number 1e"},
		findings: []string{"infinite:x@3", "not-a-number:x@10,11,12,2", "rejected:x@10,11,12", "rejected:x@2", "spreadsheet-error:x@4,5,6,7,8,9"}},
	{file: "smiles_bad.smi", rows: 6, columns: 2, begins: []string{"CCO ethanol", "C1CC ring_not_closed"}}, // 0004: a table of two columns

	// Spreadsheets and JSON.
	{file: "xlsx_truncated.xlsx", kind: invalid, says: []string{"zip"}},
	{file: "xlsx_is_html.xlsx", kind: unsupported, says: []string{"HTML"}},
	{file: "json_truncated.json", kind: invalid, says: []string{"byte 20000"}},
	{file: "json_nan_infinity.json", rows: 1, columns: 3, begins: []string{"2 +Inf -Inf"}, findings: []string{"duplicate-key", "infinite:b_1@1", "infinite:b_2@1", "json-nan"}},
	{file: "json_deep_nesting.json", kind: invalid, says: []string{"1000 levels"}},
	{file: "jsonl_mixed.jsonl", rows: 3, columns: 3, begins: []string{"1 1.5 ·", "2 1,5 ·", "3 · 1"}, aside: 2,
		rejects: []string{"4  bad-json [1,2]", `6  bad-json {"id":4 "y":2}`}, findings: []string{"bad-json@4,6", "mixed-types@2,2"}},

	// Known formats that are not read yet, and what is no table at all.
	{file: "apache_bad_data_README.md", kind: unsupported, says: []string{"without a table"}},
	{file: "bad_superblock.h5", kind: unsupported, says: []string{"HDF5"}},
	{file: "cut_tail.h5", kind: unsupported, says: []string{"HDF5"}},
	{file: "netcdf4_truncated.nc", kind: unsupported, says: []string{"HDF5"}},
	{file: "classic_truncated.nc", kind: unsupported, says: []string{"netCDF"}},
	{file: "classic_numrecs_huge.nc", kind: unsupported, says: []string{"netCDF"}},
	{file: "cif_truncated_loop.cif", kind: unsupported, says: []string{"CIF"}},
	{file: "sdf_bad_counts.sdf", kind: unsupported, says: []string{"SDF"}},
	{file: "sdf_no_terminator.sdf", kind: unsupported, says: []string{"SDF"}},
	{file: "extxyz_wrong_natoms.extxyz", kind: unsupported, says: []string{"XYZ"}},
	{file: "extxyz_nan_force.extxyz", kind: unsupported, says: []string{"XYZ"}},
	{file: "fits_truncated.fits", kind: unsupported, says: []string{"FITS"}},
	{file: "fits_naxis_mismatch.fits", kind: unsupported, says: []string{"FITS"}},
	{file: "npz_object_array.npz", kind: unsupported, says: []string{"NumPy"}},
	{file: "npy_shape_1e12.npy", kind: unsupported, says: []string{"NumPy"}},
	{file: "grib_truncated.grib", kind: unsupported, says: []string{"GRIB"}},
	{file: "edf_nsignals_9999.edf", kind: unsupported, says: []string{"EDF"}},
	{file: "tiff_ifd_loop.tif", kind: unsupported, says: []string{"TIFF"}},
}

func TestDamagedFiles(t *testing.T) {
	dir := filepath.Join(testdata.Dir(t), "corrupt")
	for _, d := range corrupt {
		t.Run(d.file, func(t *testing.T) {
			env := testEnv(t)
			res, err := d.prepare(t, env, filepath.Join(dir, d.file))
			if left, _ := os.ReadDir(env.Temp); len(left) > 0 {
				t.Errorf("%d temporary files are left", len(left))
			}
			if d.kind != "" {
				d.refused(t, env, res, err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			d.taken(t, env, res)
		})
	}
	t.Run("none is forgotten", func(t *testing.T) { allListed(t, dir) })
}

// prepare prepares the file within bounds of time and memory. What is allocated
// in all bounds what is held at any time.
func (d damaged) prepare(t *testing.T, env Env, path string) (*Result, error) {
	t.Helper()
	var before, after runtime.MemStats
	files := openFiles(t, path)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	runtime.ReadMemStats(&before)
	res, err := Prepare(ctx, env, files, nil, genesis.PrepareOptions{}, nil)
	runtime.ReadMemStats(&after)
	if ctx.Err() != nil {
		t.Errorf("it takes more than ten seconds")
	}
	most := d.alloc
	if most == 0 {
		most = 64
	}
	if took := (after.TotalAlloc - before.TotalAlloc) >> 20; took > most {
		t.Errorf("%d MiB were allocated, %d are allowed", took, most)
	}
	return res, err
}

// refused checks the error, and that nothing was made.
func (d damaged) refused(t *testing.T, env Env, res *Result, err error) {
	t.Helper()
	var e *genesis.Error
	if !errors.As(err, &e) || e.Kind != d.kind {
		t.Fatalf("got %v (%s), want an error of kind %s", err, genesis.KindOf(err), d.kind)
	}
	for _, s := range append(d.says, d.file) {
		if !strings.Contains(e.Error(), s) {
			t.Errorf("%q does not say %q", e.Error(), s)
		}
	}
	if res != nil {
		t.Error("there is a result")
	}
	blobs := 0
	if err := env.Blobs.List(context.Background(), func(genesis.Digest, int64) error { blobs++; return nil }); err != nil || blobs > 0 {
		t.Errorf("%d blobs were stored (%v)", blobs, err)
	}
}

// taken checks what a file became that was read.
func (d damaged) taken(t *testing.T, env Env, res *Result) {
	t.Helper()
	if len(res.Manifest.Tables) != 1 {
		t.Fatalf("there are %d tables", len(res.Manifest.Tables))
	}
	table := res.Manifest.Tables[0]
	if table.Rows != d.rows || len(table.Columns) != d.columns {
		t.Errorf("there are %d rows of %d columns, want %d of %d", table.Rows, len(table.Columns), d.rows, d.columns)
	}
	if d := cmp.Diff(d.begins, first(rows(t, env, res, table.Name), len(d.begins))); d != "" {
		t.Errorf("rows (-want +got):\n%s", d)
	}
	var aside [][]string
	if len(res.Manifest.Rejects) > 0 {
		aside = rows(t, env, res, "rejects/"+table.Name, "line", "column", "rule", "value")
	}
	if int64(len(aside)) != d.aside {
		t.Errorf("%d cells and rows were set aside, want %d", len(aside), d.aside)
	}
	d.compareRejects(t, aside)
	if d := cmp.Diff(d.findings, marked(res)); d != "" {
		t.Errorf("findings (-want +got):\n%s", d)
	}
}

func first(rows [][]string, n int) []string {
	var out []string
	for _, r := range rows[:min(n, len(rows))] {
		out = append(out, strings.Join(r, " "))
	}
	return out
}

func (d damaged) compareRejects(t *testing.T, aside [][]string) {
	t.Helper()
	for i, got := range first(aside, len(d.rejects)) {
		if got = strings.Replace(got, " · ", "  ", 1); !strings.HasPrefix(got, d.rejects[i]) {
			t.Errorf("reject %d is %q, want %q", i, got, d.rejects[i])
		}
	}
}

// marked lists the findings that ask for attention, with the lines they name.
func marked(res *Result) []string {
	var out []string
	for _, f := range res.Findings {
		if f.Severity == genesis.Note {
			continue
		}
		s := strings.TrimSuffix(f.Code+":"+f.Column, ":")
		for i, row := range f.Rows {
			s += fmt.Sprintf("%c%d", "@,"[min(i, 1)], row)
		}
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

// TestStrictRefusesWhatIsSetAside prepares with --strict the files of which some
// rows or cells are not taken.
func TestStrictRefusesWhatIsSetAside(t *testing.T) {
	dir := filepath.Join(testdata.Dir(t), "corrupt")
	for _, d := range corrupt {
		if d.aside == 0 {
			continue
		}
		res, err := Prepare(context.Background(), testEnv(t), openFiles(t, filepath.Join(dir, d.file)), nil, genesis.PrepareOptions{Strict: true}, nil)
		line, _, _ := strings.Cut(d.rejects[0], " ")
		if res != nil || genesis.KindOf(err) != invalid || !strings.Contains(err.Error(), "row "+line+",") && !strings.Contains(err.Error(), "row "+line+":") {
			t.Errorf("%s: got %v, want an error about row %s", d.file, err, line)
		}
	}
}

func allListed(t *testing.T, dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		listed := slices.ContainsFunc(corrupt, func(d damaged) bool { return d.file == e.Name() })
		if !listed && !e.IsDir() && e.Name() != "EXPECTED.md" {
			t.Errorf("%s is not among the damaged files tested", e.Name())
		}
	}
	_, _, err = format.OpenRaw(filepath.Join(dir, "zarr_missing_chunk.zarr"))
	if genesis.KindOf(err) != genesis.Invalid && genesis.KindOf(err) != genesis.Unsupported {
		t.Errorf("a folder: %v", err)
	}
}

// TestInspectShowsWhatIsSound inspects a Parquet file with one damaged column:
// it names that one and shows the others.
func TestInspectShowsWhatIsSound(t *testing.T) {
	path := filepath.Join(testdata.Dir(t), "corrupt", "bitflip_page.parquet")
	got, err := Inspect(context.Background(), testEnv(t), openFiles(t, path), genesis.PrepareOptions{})
	if err != nil {
		t.Fatal(err)
	}
	names, first := []string{}, []string{}
	for i, c := range got.Tables[0].Columns {
		names, first = append(names, c.Original), append(first, got.Tables[0].Head[0][i])
	}
	if d := cmp.Diff([]string{"V", "AP", "RH", "PE"}, names); d != "" {
		t.Errorf("columns (-want +got):\n%s", d)
	}
	if d := cmp.Diff([]string{"40.77", "1010.84", "90.01", "480.48"}, first); d != "" {
		t.Errorf("first row (-want +got):\n%s", d)
	}
	if !slices.ContainsFunc(got.Findings, func(f genesis.Finding) bool {
		return f.Code == "damaged-column" && f.Severity == genesis.Refusal && strings.Contains(f.Message+f.Column, "AT")
	}) {
		t.Errorf("no finding names AT: %+v", got.Findings)
	}
}

// TestFormulasAreDisarmed exports texts that a spreadsheet would run; the number
// -2 stays as it is.
func TestFormulasAreDisarmed(t *testing.T) {
	env := testEnv(t)
	res := prepare(t, env, nil, genesis.PrepareOptions{}, openFiles(t, filepath.Join(testdata.Dir(t), "corrupt", "formula_injection.csv"))...)
	r, err := stream.Open(context.Background(), env.Blobs, res.Manifest, res.Layout, "data", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out bytes.Buffer
	if err := stream.WriteCSV(context.Background(), &out, r); err != nil {
		t.Fatal(err)
	}
	want := "id,note\r\n1,\"'=HYPERLINK(\"\"http://127.0.0.1/x\"\"; \"\"y\"\")\"\r\n2,'+1+1\r\n3,'@SUM(A1)\r\n4,-2\r\n"
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Errorf("exported (-want +got):\n%s", d)
	}
}

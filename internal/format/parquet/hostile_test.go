package parquet

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/testdata"
)

// open reads bytes as raw input.
func open(b []byte, opt format.Options) (format.Reader, error) {
	in := &format.Stream{Name: "in.parquet", Size: int64(len(b)), At: bytes.NewReader(b)}
	return Driver{}.Open(context.Background(), in, opt)
}

// outcome is what reading a file to its end gives.
type outcome struct {
	rows     int64
	columns  []string
	findings []string // code:column
	err      error
}

func read(b []byte, opt format.Options) (out outcome) {
	r, err := open(b, opt)
	if err != nil {
		return outcome{err: err}
	}
	defer r.Close()
	for _, c := range r.Tables()[0].Columns {
		out.columns = append(out.columns, c.Name)
	}
	for {
		b, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			out.err = err
			break
		}
		out.rows += int64(b.Rows)
	}
	for _, f := range r.About().Findings {
		out.findings = append(out.findings, f.ID)
	}
	return out
}

func file(t testing.TB, path ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{testdata.Dir(t)}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The behaviour that corrupt/EXPECTED.md asks for.
func TestDamagedFilesAreRefused(t *testing.T) {
	tests := []struct{ name, want string }{
		{"truncated.parquet", "does not end with the Parquet magic number"},
		{"footer_len_huge.parquet", "says its footer takes 2147483647 bytes, more than the file has"},
		{"bitflip_page.parquet", `column "AT": the page that ends at byte 41027 cannot be unpacked (snappy)`},
		{"zero_rows_magic_only.parquet", "too short"},
		{"apache_ARROW-GH-41321.parquet", "levels"},
		{"apache_ARROW-GH-45185.parquet", "begins in the middle of a row"},
		{"apache_PARQUET-1481.parquet", "impossible"},
		{"apache_ARROW-RS-GH-6229-LEVELS.parquet", "fewer levels"},
		{"apache_datapage_v1-corrupt-checksum.parquet", `column "a": the page that ends at byte 10272 does not match its checksum`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := read(file(t, "corrupt", tt.name), format.Options{})
			if genesis.KindOf(got.err) != genesis.Invalid || !strings.Contains(got.err.Error(), tt.want) {
				t.Errorf("error = %v, want one that says %q", got.err, tt.want)
			}
			if got.err != nil && !strings.Contains(got.err.Error(), `"in.parquet"`) {
				t.Errorf("error = %v does not name the file", got.err)
			}
		})
	}
}

// This file was written with indices of 0 bits into a dictionary of one entry,
// which the format allows and Arrow reads since its fix of GH-43605.
func TestIndicesOfNoBits(t *testing.T) {
	got := read(file(t, "corrupt", "apache_ARROW-GH-43605.parquet"), format.Options{})
	if got.err != nil || got.rows != 21186 {
		t.Errorf("%d rows, error %v; want 21186", got.rows, got.err)
	}
}

func TestInspectLeavesOutTheDamagedColumn(t *testing.T) {
	got := read(file(t, "corrupt", "bitflip_page.parquet"), format.Options{Tolerate: true})
	want := outcome{rows: 9568, columns: []string{"V", "AP", "RH", "PE"}, findings: []string{"damaged-column:AT"}}
	if d := cmp.Diff(want, got, cmp.AllowUnexported(outcome{})); d != "" {
		t.Errorf("outcome (-want +got):\n%s", d)
	}
}

func TestRealFiles(t *testing.T) {
	tests := []struct {
		path    string
		rows    int64
		columns int
	}{
		{"energy/ccpp_power_plant/derived_ccpp.parquet", 9568, 5},
		{"materials/oqmd_bandgap/derived_train.parquet", 239125, 2},
		{"biomed/hiv/derived_HIV.parquet", 41127, 3},
		{"formats/parquet_npz_tiff/alltypes_tiny_pages_plain.parquet", 7300, 13},
		{"formats/parquet_npz_tiff/delta_binary_packed.parquet", 200, 66},
		{"formats/parquet_npz_tiff/lz4_raw_compressed_larger.parquet", 10000, 1},
		{"formats/parquet_npz_tiff/nested_structs.rust.parquet", 1, 216},
	}
	for _, tt := range tests {
		t.Run(filepath.Base(tt.path), func(t *testing.T) {
			got := read(file(t, tt.path), format.Options{})
			if got.err != nil || got.rows != tt.rows || len(got.columns) != tt.columns {
				t.Errorf("%d rows of %d columns, error %v; want %d of %d", got.rows, len(got.columns), got.err, tt.rows, tt.columns)
			}
		})
	}
}

// allocated is how many bytes body allocates.
func allocated(body func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	body()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestAClaimedFooterIsNotAllocated(t *testing.T) {
	b := file(t, "corrupt", "footer_len_huge.parquet")
	if n := allocated(func() { read(b, format.Options{}) }); n > 1<<20 {
		t.Errorf("reading allocated %d bytes", n)
	}
}

// sampleFile is a small file of all types, pages of every encoding we write.
func sampleFile(t testing.TB) []byte {
	rng := rand.New(rand.NewPCG(1, 2))
	batches := []*format.Batch{randomBatch(rng, shape{rows: 60, nulls: 0.2}), randomBatch(rng, shape{rows: 60, narrow: true})}
	return encodeFile(t, allTypes, batches, WriterOptions{RowGroup: 60})
}

// Every file cut short is refused, wherever the cut is.
func TestTruncationIsAlwaysNoticed(t *testing.T) {
	b := sampleFile(t)
	for n := range len(b) {
		if got := read(b[:n], format.Options{}); got.err == nil {
			t.Fatalf("a file of %d bytes cut to %d is read without complaint", len(b), n)
		}
	}
}

// A flipped bit in a page is noticed by its checksum; elsewhere it may change
// what the file says, but never makes reading panic.
func TestFlippedBitsInPagesAreAlwaysNoticed(t *testing.T) {
	b := sampleFile(t)
	f := mustOpen(t, b)
	c := f.meta.groups[0].chunks[1] // floats
	p := pages{at: bytes.NewReader(b), leaf: &f.leaves[1], codec: c.codec, pos: c.start, end: c.start + c.size, size: 1 << 10, budget: new(budget)}
	p.budget.left.Store(1 << 20)
	packed, err := p.read()
	if err != nil {
		t.Fatal(err)
	}
	for i := int(p.pos) - len(packed); i < int(p.pos); i++ {
		bad := bytes.Clone(b)
		bad[i] ^= 1 << (i % 8)
		if got := read(bad, format.Options{}); genesis.KindOf(got.err) != genesis.Invalid || !strings.Contains(got.err.Error(), `"float"`) {
			t.Fatalf("byte %d: error = %v, want one that names the column", i, got.err)
		}
	}
}

// forged describes a file of one column and one page, right or wrong.
type forged struct {
	typ    physical
	length int32 // of typeFixed
	rep    repetition
	enc    encoding
	rows   int64
	raw    int32 // claimed size
	dict   []byte
	keys   int32 // claimed entries of dict
	body   []byte
}

func (p forged) page(typ pageType, values, raw int32, enc encoding, body []byte) []byte {
	var h thriftWriter
	h.begin()
	h.i32(1, int32(typ))
	h.i32(2, raw)
	h.i32(3, int32(len(body)))
	id := int16(5)
	if typ == pageDictionary {
		id = 7
	}
	h.structure(id, func() {
		h.i32(1, values)
		h.i32(2, int32(enc))
	})
	h.end()
	return append(h.buf, body...)
}

func (p forged) file() []byte {
	var chunk []byte
	dictionary := 0
	if p.dict != nil {
		chunk = p.page(pageDictionary, p.keys, int32(len(p.dict)), encPlain, p.dict)
		dictionary = len(chunk)
	}
	chunk = append(chunk, p.page(pageData, int32(min(p.rows, 1<<31-1)), p.raw, p.enc, p.body)...)
	var f thriftWriter
	f.begin()
	f.list(2, wireStruct, 2)
	f.begin()
	f.string(4, "root")
	f.i32(5, 1)
	f.end()
	f.begin()
	f.i32(1, int32(p.typ))
	f.i32(2, p.length)
	f.i32(3, int32(p.rep))
	f.string(4, "a")
	f.end()
	f.i64(3, p.rows)
	f.list(4, wireStruct, 1)
	p.group(&f, chunk, dictionary)
	f.end()
	b := append([]byte(magic), chunk...)
	b = append(b, f.buf...)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(f.buf)))
	return append(b, magic...)
}

func (p forged) group(f *thriftWriter, chunk []byte, dictionary int) {
	f.begin()
	f.list(1, wireStruct, 1)
	f.begin()
	f.structure(3, func() {
		f.i32(1, int32(p.typ))
		f.i32(4, int32(codecNone))
		f.i64(5, p.rows)
		f.i64(7, int64(len(chunk)))
		f.i64(9, int64(4+dictionary))
		if dictionary > 0 {
			f.i64(11, 4)
		}
	})
	f.end()
	f.i64(3, p.rows)
	f.end()
}

// claims makes a file of rows booleans in one run, with a page that claims to
// unpack to raw bytes.
func claims(rows int64, raw int32) []byte {
	run := append(binary.AppendUvarint(nil, uint64(rows)<<1), 1)
	body := append(binary.LittleEndian.AppendUint32(nil, uint32(len(run))), run...)
	return forged{typ: typeBoolean, enc: encRLE, rows: rows, raw: raw, body: body}.file()
}

func TestARunOfEqualValuesIsRead(t *testing.T) {
	if got := read(claims(1000, 7), format.Options{}); got.err != nil || got.rows != 1000 {
		t.Errorf("%d rows, error %v; want 1000", got.rows, got.err)
	}
}

func TestClaimsOutOfProportionAreRefused(t *testing.T) {
	tests := []struct {
		name string
		b    []byte
		want string
	}{
		{"rows", claims(1<<40, 8), "beyond the limit of expansion"},
		{"page size", claims(1000, 1<<30), "says it unpacks to"},
		{"negative page size", claims(1000, -1), "says it unpacks to"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got outcome
			n := allocated(func() { got = read(tt.b, format.Options{}) })
			if genesis.KindOf(got.err) != genesis.Invalid || !strings.Contains(got.err.Error(), tt.want) {
				t.Errorf("error = %v, want one that says %q", got.err, tt.want)
			}
			if n > 4<<20 {
				t.Errorf("reading allocated %d bytes", n)
			}
		})
	}
}

func TestTooManyColumnsAreRefused(t *testing.T) {
	got := read(sampleFile(t), format.Options{Limits: format.Limits{Columns: 7}})
	if genesis.KindOf(got.err) != genesis.Invalid || !strings.Contains(got.err.Error(), "more than the limit of 7") {
		t.Errorf("error = %v, want one about the limit", got.err)
	}
}

func TestMemoryOfOpenPagesIsBounded(t *testing.T) {
	_, err := readAll(t, sampleFile(t), ReadOptions{Memory: 1000})
	if genesis.KindOf(err) != genesis.Unsupported {
		t.Errorf("error = %v, want kind unsupported", err)
	}
}

func TestReadingStopsWhenAsked(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	r, err := mustOpen(t, sampleFile(t)).Read(ctx, ReadOptions{Batch: 10})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := r.Next(); genesis.KindOf(err) != genesis.Canceled {
		t.Errorf("error = %v, want kind canceled", err)
	}
}

func FuzzParquet(f *testing.F) {
	f.Add(sampleFile(f))
	f.Add(encodeFile(f, allTypes, nil, WriterOptions{}))
	f.Add(claims(1000, 7))
	f.Add([]byte("PAR1PAR1"))
	if dir, ok := testdata.Find(); ok {
		small, _ := filepath.Glob(filepath.Join(dir, "corrupt", "apache_*.parquet"))
		for _, path := range small {
			if b, err := os.ReadFile(path); err == nil && len(b) < 4<<10 {
				f.Add(b)
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		checkCost(t, b)
	})
}

// checkCost reads a file and fails when that takes much memory or time.
func checkCost(t *testing.T, b []byte) {
	t.Helper()
	start := time.Now()
	n := allocated(func() { read(b, format.Options{Threads: 1, MaxRows: 1 << 18}) })
	if n > 256<<20 {
		t.Errorf("reading %d bytes allocated %d", len(b), n)
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("reading %d bytes took %v", len(b), d)
	}
}

// FuzzPage puts arbitrary bytes where a page's levels and values should be, in
// a file that is otherwise in order.
func FuzzPage(f *testing.F) {
	ints := []int64{5, 3, 1 << 40, -7, 0, 0, 0, 9}
	texts := []byte("aababcabcd")
	add := func(p forged) {
		f.Add(int32(p.typ), int32(p.rep), int32(p.enc), p.rows, p.dict, p.keys, p.body)
	}
	add(forged{typ: typeInt64, enc: encDelta, rows: 8, body: appendDelta(nil, ints, false)})
	add(forged{typ: typeInt32, enc: encDelta, rows: 8, body: appendDelta(nil, ints, true)})
	add(forged{typ: typeByteArray, enc: encDeltaLength, rows: 4, body: append(appendDelta(nil, []int64{1, 2, 3, 4}, true), texts...)})
	add(forged{typ: typeByteArray, enc: encDeltaBytes, rows: 4, body: append(append(appendDelta(nil, []int64{0, 1, 2, 3}, true),
		appendDelta(nil, []int64{1, 1, 1, 1}, true)...), "abcd"...)})
	add(forged{typ: typeByteArray, enc: encPlain, rows: 2, body: []byte("\x02\x00\x00\x00ab\x00\x00\x00\x00")})
	add(forged{typ: typeDouble, enc: encByteStreamSplit, rows: 2, body: make([]byte, 16)})
	add(forged{typ: typeBoolean, enc: encPlain, rows: 9, body: []byte{0xaa, 1}})
	add(forged{typ: typeInt96, enc: encPlain, rows: 1, body: make([]byte, 12)})
	add(forged{typ: typeFloat, rep: optional, enc: encPlain, rows: 3, body: append(appendLevels(nil, format.Bitmap{2}, 0, 3, 2), make([]byte, 8)...)})
	add(forged{typ: typeInt32, enc: encDictionary, rows: 40, dict: make([]byte, 8), keys: 2,
		body: append([]byte{1}, appendIndices(nil, make([]uint32, 40), 1, make([]uint64, 64))...)})
	f.Fuzz(func(t *testing.T, typ, rep, enc int32, rows int64, dict []byte, keys int32, body []byte) {
		p := forged{typ: physical(typ), length: 4, rep: repetition(rep), enc: encoding(enc), rows: rows, raw: int32(len(body)), keys: keys, body: body}
		if len(dict) > 0 {
			p.dict = dict
		}
		checkCost(t, p.file())
	})
}

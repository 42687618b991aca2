package json

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/text/encoding/unicode"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// content is everything a reader yielded. Cells that are null read "∅".
type content struct {
	tables   []grid
	bad      []format.BadRow
	codes    []string // of findings
	preamble string
	format   string
	encoding string
}

type grid struct {
	name string
	cols []string // "name" or "name [unit]"
	rows [][]string
	line []int64
}

// String renders the tables, a line for each row.
func (c content) String() string {
	var b strings.Builder
	for _, t := range c.tables {
		b.WriteString("table " + t.name + ": " + strings.Join(t.cols, " | ") + "\n")
		for _, r := range t.rows {
			b.WriteString(strings.Join(r, " | ") + "\n")
		}
	}
	return b.String()
}

func streamOf(s string, wrap func(io.Reader) io.Reader) *format.Stream {
	return &format.Stream{Name: "test.json", Size: int64(len(s)), OpenRead: func() (io.ReadCloser, error) {
		return io.NopCloser(wrap(strings.NewReader(s))), nil
	}}
}

func direct(r io.Reader) io.Reader { return r }

// readAll reads a stream to its end.
func readAll(in *format.Stream, opt format.Options) (content, error) {
	r, err := Driver{}.Open(context.Background(), in, opt)
	if err != nil {
		return content{}, err
	}
	defer r.Close()
	rows := make(map[int][][]string)
	lines := make(map[int][]int64)
	var c content
	for {
		b, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return content{}, err
		}
		c.bad = append(c.bad, b.Bad...)
		if b.First != int64(len(rows[b.Table])) {
			return content{}, errors.New("batch does not follow the one before")
		}
		for i := range b.Rows {
			rows[b.Table] = append(rows[b.Table], cells(b, i))
			lines[b.Table] = append(lines[b.Table], b.Line(i))
		}
	}
	for i, t := range r.Tables() {
		g := grid{name: t.Name, rows: rows[i], line: lines[i]}
		for _, col := range t.Columns {
			name := col.Name
			if col.Unit != "" {
				name += " [" + col.Unit + "]"
			}
			g.cols = append(g.cols, name)
		}
		for j := range g.rows {
			for len(g.rows[j]) < len(g.cols) {
				g.rows[j] = append(g.rows[j], "∅")
			}
		}
		c.tables = append(c.tables, g)
	}
	about := r.About()
	for _, f := range about.Findings {
		c.codes = append(c.codes, f.Code)
	}
	c.preamble, c.format, c.encoding = about.Source.Preamble, about.Source.Format, about.Source.Encoding
	return c, nil
}

func cells(b *format.Batch, i int) []string {
	out := make([]string, len(b.Cols))
	for j := range b.Cols {
		if b.Cols[j].Null(i) {
			out[j] = "∅"
		} else {
			out[j] = string(b.Cols[j].Bytes(i))
		}
	}
	return out
}

var shapes = []struct {
	name, in, want string
	preamble       string
	codes          []string
}{
	{name: "list of objects", in: `[{"a":1,"b":"x"},{"b":null,"c":true},{"a":1.50e-3}]`,
		want: "table : a | b | c\n1 | x | ∅\n∅ | ∅ | true\n1.50e-3 | ∅ | ∅\n"},
	{name: "lines", in: "{\"a\":1}\n\n{\"a\":\"2\"}\r\n{\"a\":[]}", want: "table : a\n1\n2\n∅\n", codes: []string{"mixed-types"}},
	{name: "concatenated", in: "{\n \"a\": 1\n}\n{\n \"a\": 2\n} {\"a\":3}", want: "table : a\n1\n2\n3\n"},
	{name: "one record", in: `{"a":1,"b":{"c":2,"d":{"e":3}}}`, want: "table : a | b.c | b.d.e\n1 | 2 | 3\n"},
	{name: "escapes", in: `[{"a":"q\" \\ \/ \b\f\n\r\t é 😀 \ud83d"}]`,
		want: "table : a\nq\" \\ / \b\f\n\r\t é 😀 \uFFFD\n", codes: []string{"bad-utf8"}},
	{name: "list of rows", in: `[[1,"x"],[2],[3,null,4]]`, want: "table :  |  | \n1 | x | ∅\n2 | ∅ | ∅\n3 | ∅ | 4\n"},
	{name: "list of scalars", in: `[1,null,3]`, want: "table : value\n1\n∅\n3\n"},
	{name: "empty list", in: `[]`, want: "table : \n"},
	{name: "child table", in: `[{"id":"p","s":[{"v":1},{"v":2,"w":3}]},{"id":"q","s":[]},{"id":"r","s":[{"w":4}]}]`,
		want: "table : _row | id\n1 | p\n2 | q\n3 | r\n" +
			"table s: _parent | _index | v | w\n1 | 1 | 1 | ∅\n1 | 2 | 2 | 3\n3 | 1 | ∅ | 4\n"},
	{name: "vectors", in: `[{"p":[1,2,3],"m":[[1,0],[0,1]]},{"p":[4,5,6],"m":[[2,0],[0,2]]}]`,
		want: "table : p.1 | p.2 | p.3 | m.1.1 | m.1.2 | m.2.1 | m.2.2\n1 | 2 | 3 | 1 | 0 | 0 | 1\n4 | 5 | 6 | 2 | 0 | 0 | 2\n"},
	{name: "vectors of varying number", in: `[{"f":[[1,2],[3,4]]},{"f":[[5,6]]}]`,
		want: "table : _row\n1\n2\ntable f: _parent | _index | value.1 | value.2\n1 | 1 | 1 | 2\n1 | 2 | 3 | 4\n2 | 1 | 5 | 6\n"},
	{name: "parallel series", in: `[{"n":"a","u":[1,2],"i":[3,4]},{"n":"b","u":[5],"i":[null]}]`,
		want: "table : _row | n\n1 | a\n2 | b\ntable u: _parent | _index | u | i\n1 | 1 | 1 | 3\n1 | 2 | 2 | 4\n2 | 1 | 5 | ∅\n"},
	{name: "texts of varying number", in: `[{"t":["a","b"]},{"t":["c"]},{"t":null}]`,
		want: "table : t\n[\"a\",\"b\"]\n[\"c\"]\n∅\n"},
	{name: "numbers of varying number", in: `[{"t":[1,2]},{"t":[3]}]`,
		want: "table : _row\n1\n2\ntable t: _parent | _index | value\n1 | 1 | 1\n1 | 2 | 2\n2 | 1 | 3\n"},
	{name: "columns", in: `{"t":[1,2,3],"v":["a",null,"c"]}`, want: "table : t | v\n1 | a\n2 | ∅\n3 | c\n"},
	{name: "columns beside properties", in: `{"name":"x","t":[1,2],"v":[3,4],"site":{"lat":1.5}}`,
		want: "table : t | v\n1 | 3\n2 | 4\n", preamble: "name: x\nsite.lat: 1.5\n"},
	{name: "map of objects", in: `{"a":{"x":1,"y":2},"b":{"x":3,"y":4},"c":{"y":6,"z":7}}`,
		want: "table : key | x | y | z\na | 1 | 2 | ∅\nb | 3 | 4 | ∅\nc | ∅ | 6 | 7\n"},
	{name: "map of vectors", in: `{"1":[0,1],"2":[1,0],"3":[1,1]}`,
		want: "table : key | value.1 | value.2\n1 | 0 | 1\n2 | 1 | 0\n3 | 1 | 1\n"},
	{name: "document", in: `{"v":1,"few":[{"m":1}],"many":[{"T":1,"P":2},{"T":3,"P":4}],
		"about":{"many":{"T":{"units":"K"},"P":{"units":"Pa"}}},"short":[7,8]}`,
		want:     "table many: T [K] | P [Pa]\n1 | 2\n3 | 4\ntable few: m\n1\n",
		preamble: "v: 1\nabout.many.T.units: K\nabout.many.P.units: Pa\nshort: 7, 8\n"},
	{name: "data frame by columns", in: `{"T":{"10":1.5,"11":null},"P":{"10":3,"11":4}}`,
		want: "table : key | T | P\n10 | 1.5 | 3\n11 | ∅ | 4\n"},
	{name: "data frame by rows", in: `{"0":{"T":1.5,"P":3},"1":{"T":2.5,"P":4},"2":{"T":3.5,"P":5}}`,
		want: "table : key | T | P\n0 | 1.5 | 3\n1 | 2.5 | 4\n2 | 3.5 | 5\n"},
	{name: "GeoJSON", in: `{"type":"FeatureCollection","features":[
		{"type":"Feature","geometry":{"type":"Point","coordinates":[8.5,47.4]},"properties":{"n":"a"}},
		{"type":"Feature","geometry":{"type":"Point","coordinates":[8.6,47.5]},"properties":{"n":"b"}}]}`,
		want: "table features: type | geometry.type | geometry.coordinates.1 | geometry.coordinates.2 | properties.n\n" +
			"Feature | Point | 8.5 | 47.4 | a\nFeature | Point | 8.6 | 47.5 | b\n",
		preamble: "type: FeatureCollection\n"},
	{name: "literals that JSON lacks", in: `{"a": NaN, "b": [Infinity, -Infinity], "a": 2}`,
		want: "table : a | b.1 | b.2\n2 | Infinity | -Infinity\n", codes: []string{"duplicate-key", "json-nan"}},
	{name: "half a character", in: `[{"a":"x\ud800y"},{"a":"\ufffd"}]`, want: "table : a\nx\uFFFDy\n\uFFFD\n", codes: []string{"bad-utf8"}},
	{name: "wrong UTF-8", in: "[{\"a\":\"x\xffy\"}]", want: "table : a\nx\uFFFDy\n", codes: []string{"bad-utf8"}},
	{name: "byte order mark", in: "\uFEFF[{\"a\":1}]", want: "table : a\n1\n"},
	{name: "uneven columns", in: `{"a":[{"u":[1,2],"v":[1,2]},{"u":[1,2,3],"v":[1,2,3]}]}`,
		want: "table a: _row\n1\n2\ntable a.u: _parent | _index | u | v\n1 | 1 | 1 | 1\n1 | 2 | 2 | 2\n2 | 1 | 1 | 1\n2 | 2 | 2 | 2\n2 | 3 | 3 | 3\n"},
	{name: "an odd one out", in: `[{"a":1},2,{"a":3}]`, want: "table : a\n1\n3\n", codes: []string{"bad-json"}},
	{name: "value and object under one key", in: `[{"z":1},{"z":{"q":2}}]`, want: "table : z | z.q\n1 | ∅\n∅ | 2\n"},
}

func TestShapes(t *testing.T) {
	for _, c := range shapes {
		t.Run(c.name, func(t *testing.T) {
			got, err := readAll(streamOf(c.in, direct), format.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got.String()); d != "" {
				t.Errorf("tables (-want +got):\n%s", d)
			}
			if got.preamble != c.preamble {
				t.Errorf("preamble %q, want %q", got.preamble, c.preamble)
			}
			if d := cmp.Diff(c.codes, got.codes); d != "" {
				t.Errorf("findings (-want +got):\n%s", d)
			}
		})
	}
}

// TestPieces reads the shapes a byte at a time and in the smallest batches:
// nothing may depend on where buffers end.
func TestPieces(t *testing.T) {
	for _, c := range shapes {
		opt := format.Options{Limits: format.Limits{Batch: 1}}
		got, err := readAll(streamOf(c.in, iotest.OneByteReader), opt)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if d := cmp.Diff(c.want, got.String()); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}

func TestUTF16(t *testing.T) {
	for _, order := range []unicode.Endianness{unicode.LittleEndian, unicode.BigEndian} {
		for _, mark := range []unicode.BOMPolicy{unicode.UseBOM, unicode.IgnoreBOM} {
			in, err := unicode.UTF16(order, mark).NewEncoder().String(`[{"a":"µ"},{"a":"漢"}]`)
			if err != nil {
				t.Fatal(err)
			}
			got, err := readAll(streamOf(in, direct), format.Options{})
			if err != nil || got.String() != "table : a\nµ\n漢\n" || !strings.HasPrefix(got.encoding, "UTF-16") {
				t.Errorf("order %v, mark %v: %q in %s, %v", order, mark, got, got.encoding, err)
			}
			if (Driver{}).Match([]byte(in)) == 0 {
				t.Errorf("order %v, mark %v is not recognised", order, mark)
			}
		}
	}
}

func TestRefused(t *testing.T) {
	cases := []struct {
		name, in string
		kind     genesis.ErrorKind
		msg      string
	}{
		{"empty", " \n", genesis.Invalid, "byte 2: the content ends where a value is expected"},
		{"cut in an object", `{"a":1`, genesis.Invalid, "byte 6: the content ends where a comma or } is expected"},
		{"cut in a string", `[{"a":"xy`, genesis.Invalid, "byte 9: the content ends where the closing quote of a string is expected"},
		{"cut in the last line", "{\"a\":1}\n{\"a\":2}\n{\"a\":", genesis.Invalid, "byte 21: the content ends where a value is expected"},
		{"trailing comma", `[1,]`, genesis.Invalid, "byte 3: ']' instead of a value"},
		{"leading zero", `[01]`, genesis.Invalid, "byte 1: '0' instead of a number"},
		{"control character", "[\"a\x01\"]", genesis.Invalid, "byte 3: byte 0x01 instead of the rest of a string, where control characters are escaped"},
		{"wrong escape", `["\x"]`, genesis.Invalid, "byte 1: a string with a wrong escape sequence"},
		{"garbage behind", `[1] x`, genesis.Invalid, "byte 4: 'x' instead of the end"},
		{"too deep", strings.Repeat("[", 2000), genesis.Invalid, "byte 1000: nested deeper than 1000 levels"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := readAll(streamOf(c.in, direct), format.Options{})
			var e *genesis.Error
			if !errors.As(err, &e) || e.Kind != c.kind || e.Msg != c.msg || e.Subject != "test.json" {
				t.Errorf("got %v, want %s %q", err, c.kind, c.msg)
			}
		})
	}
}

func TestLimits(t *testing.T) {
	var wide strings.Builder
	wide.WriteString(`[{"k":1`)
	for i := range 60 {
		wide.WriteString(`,"` + strings.Repeat("k", i+2) + `":1`)
	}
	wide.WriteString("}]")
	_, err := readAll(streamOf(wide.String(), direct), format.Options{Limits: format.Limits{Columns: 50}})
	if genesis.KindOf(err) != genesis.Unsupported {
		t.Errorf("61 columns where 50 are allowed: %v", err)
	}
	var deep strings.Builder
	for range 50 {
		deep.WriteString(`{"` + strings.Repeat("k", 100) + `":`)
	}
	_, err = readAll(streamOf(deep.String()+"1"+strings.Repeat("}", 50), direct), format.Options{})
	if genesis.KindOf(err) != genesis.Unsupported {
		t.Errorf("a name of 5,050 bytes where 4,096 are allowed: %v", err)
	}
	long := `[{"a":"` + strings.Repeat("x", 1<<20) + `"}]`
	_, err = readAll(streamOf(long, direct), format.Options{Limits: format.Limits{RowBytes: 1 << 19}})
	if genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("a row of 1 MiB where 512 KiB are allowed: %v", err)
	}
}

func TestMaxRows(t *testing.T) {
	for _, in := range []string{"{\"a\":1}\n{\"a\":2}\n{\"a\":3}", `[{"a":1},{"a":2},{"a":3}]`, `{"x":[{"a":1},{"a":2},{"a":3}]}`} {
		got, err := readAll(streamOf(in, direct), format.Options{MaxRows: 2})
		if err != nil || len(got.tables[0].rows) != 2 {
			t.Errorf("%s: %v, %v; want two rows", in, got, err)
		}
	}
}

func TestMatch(t *testing.T) {
	cases := map[string]bool{
		`{"a":1}`: true, " \n[ {": true, `[[1,2`: true, "[1.5, 2]": true, "{}": true, "\uFEFF{\n": true,
		"[Section]\nkey=1": false, "a,b\n1,2": false, "": false, "{x}": false, "PAR1": false, "[a],[b]\n": false,
	}
	for in, want := range cases {
		if got := (Driver{}).Match([]byte(in)) > 0; got != want {
			t.Errorf("Match(%q) = %v", in, got)
		}
	}
}

// TestClosedEarly closes a reader that has more to say.
func TestClosedEarly(t *testing.T) {
	in := "[" + strings.Repeat(`{"a":1},`, 1000) + `{"a":1}]`
	r, err := Driver{}.Open(context.Background(), streamOf(in, direct), format.Options{Limits: format.Limits{Batch: 1}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestCanceled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := Driver{}.Open(ctx, streamOf(`{"a":1}`, direct), format.Options{})
	if genesis.KindOf(err) != genesis.Canceled {
		t.Errorf("got %v", err)
	}
}

// TestBehindTheSample shows what happens to structure first met behind the
// part of a source that the plan looks at.
func TestBehindTheSample(t *testing.T) {
	var in strings.Builder
	n := 0
	for ; in.Len() <= sampleBytes; n++ {
		in.WriteString(`{"u":[1,2],"v":[3,4],"w":[5]}` + "\n" + `{"u":[1],"v":[3],"w":[5,6]}` + "\n")
	}
	in.WriteString(`{"u":[7,8,9],"v":[10],"late":{"x":1},"list":[{"y":2}]}` + "\n")
	got, err := readAll(streamOf(in.String(), direct), format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	last := func(g grid) string { return strings.Join(g.rows[len(g.rows)-1], " | ") }
	if want := []string{"_row", "late.x", "list"}; !cmp.Equal(want, got.tables[0].cols) {
		t.Errorf("columns %q, want %q", got.tables[0].cols, want)
	}
	if want := fmt.Sprintf(`%d | 1 | [{"y":2}]`, 2*n+1); last(got.tables[0]) != want {
		t.Errorf("last row %s, want %s", last(got.tables[0]), want)
	}
	if want := fmt.Sprintf("%d | 3 | 9 | ∅", 2*n+1); last(got.tables[1]) != want {
		t.Errorf("last row of the series %s, want %s", last(got.tables[1]), want)
	}
	if want := []string{"late-structure", "ragged-columns"}; !cmp.Equal(want, got.codes) {
		t.Errorf("findings %q, want %q", got.codes, want)
	}
}

// TestMaps reads a map of more entries than a record is thought to have, and a
// data frame of as many rows.
func TestMaps(t *testing.T) {
	var scalars, frame strings.Builder
	for i := range 300 {
		fmt.Fprintf(&scalars, `,"k%d":%d`, i, i)
		fmt.Fprintf(&frame, `,"%d":%d`, i, i)
	}
	got, err := readAll(streamOf("{"+scalars.String()[1:]+"}", direct), format.Options{})
	if err != nil || !cmp.Equal(got.tables[0].cols, []string{"key", "value"}) || len(got.tables[0].rows) != 300 {
		t.Errorf("a map: %.100s, %v", got, err)
	}
	col := "{" + frame.String()[1:] + "}"
	got, err = readAll(streamOf(`{"a":`+col+`,"b":`+col+`}`, direct), format.Options{})
	if err != nil || !cmp.Equal(got.tables[0].cols, []string{"key", "a", "b"}) || len(got.tables[0].rows) != 300 {
		t.Fatalf("a data frame: %.100s, %v", got, err)
	}
	if last := got.tables[0].rows[299]; !cmp.Equal(last, []string{"299", "299", "299"}) {
		t.Errorf("last row %q", last)
	}
	got, err = readAll(streamOf("{"+scalars.String()[1:]+"}\n{"+scalars.String()[1:]+"}\n", direct), format.Options{})
	if err != nil || len(got.tables[0].cols) != 300 || len(got.tables[0].rows) != 2 {
		t.Errorf("two wide records: %.100s, %v", got, err)
	}
}

package text

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// got is all that was read from a file, with cells as strings.
type got struct {
	Names    [][]string // by table
	Units    [][]string
	Rows     [][][]string
	Lines    [][]int64
	Bad      []int64 // lines
	Codes    []string
	Preamble string
	about    format.About
	tables   []format.Table
}

// readAll drains a stream; the batches' own claims are checked on the way.
func readAll(t testing.TB, s *format.Stream, opt format.Options) (got, error) {
	t.Helper()
	r, err := Driver{}.Open(context.Background(), s, opt)
	if err != nil {
		return got{}, err
	}
	defer r.Close()
	var g got
	for {
		b, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return g, err
		}
		g.take(t, b)
	}
	g.tables, g.about = r.Tables(), r.About()
	for _, table := range g.tables {
		names, units := []string{}, []string{}
		for _, c := range table.Columns {
			names = append(names, c.Name)
			units = append(units, c.Unit)
		}
		g.Names, g.Units = append(g.Names, names), append(g.Units, units)
	}
	g.Preamble = g.about.Source.Preamble
	return g, nil
}

func (g *got) take(t testing.TB, b *format.Batch) {
	for len(g.Rows) <= b.Table {
		g.Rows, g.Lines = append(g.Rows, nil), append(g.Lines, nil)
	}
	if int64(len(g.Rows[b.Table])) != b.First {
		t.Fatalf("batch of table %d says it begins at row %d, %d rows came before", b.Table, b.First, len(g.Rows[b.Table]))
	}
	for i := range b.Rows {
		row := make([]string, len(b.Cols))
		for j := range b.Cols {
			row[j] = string(b.Cols[j].Bytes(i))
		}
		g.Rows[b.Table] = append(g.Rows[b.Table], row)
		g.Lines[b.Table] = append(g.Lines[b.Table], b.Line(i))
	}
	for _, bad := range b.Bad {
		g.Bad = append(g.Bad, bad.Line)
		g.Codes = append(g.Codes, bad.Code)
	}
}

func readText(t testing.TB, input string) got {
	t.Helper()
	g, err := readAll(t, memory([]byte(input)), format.Options{})
	if err != nil {
		t.Fatalf("%.200q: %v", input, err)
	}
	return g
}

// table renders a table as lines of cells joined by "|", its header first.
func (g got) table(k int) string {
	lines := []string{strings.Join(g.Names[k], "|")}
	if k < len(g.Rows) {
		for _, row := range g.Rows[k] {
			lines = append(lines, strings.Join(row, "|"))
		}
	}
	return strings.Join(lines, "\n")
}

func TestDialects(t *testing.T) {
	tests := []struct {
		name, in string
		tables   []string
		units    string
		bad      []int64
		preamble string
	}{
		{name: "comma", in: "a,b\n1,2\n3,4\n", tables: []string{"a|b\n1|2\n3|4"}},
		{name: "no line end at the end", in: "a,b\n1,2", tables: []string{"a|b\n1|2"}},
		{name: "crlf", in: "a,b\r\n1,2\r\n3,\r\n", tables: []string{"a|b\n1|2\n3|"}},
		{name: "cr only", in: "a,b\r1,2\r", tables: []string{"a|b\n1|2"}},
		{name: "bom", in: "\xef\xbb\xbfa,b\n1,2\n", tables: []string{"a|b\n1|2"}},
		{name: "tab", in: "a\tb c\n1\t2\n", tables: []string{"a|b c\n1|2"}},
		{name: "decimal comma", in: "id;x\n1;1,5\n2;2.000,25\n", tables: []string{"id|x\n1|1,5\n2|2.000,25"}},
		{name: "decimal comma without header", in: "1;1,5\n2;2,5\n", tables: []string{"|\n1|1,5\n2|2,5"}},
		{name: "pipe", in: "a|b\n1|x y\n", tables: []string{"a|b\n1|x y"}},
		{name: "aligned numbers", in: "  t    x\n  1  -2.5\n 10  13.5\n", tables: []string{"t|x\n1|-2.5\n10|13.5"}},
		{name: "decimal comma between blanks", in: "1,5  2,5  3,5\n4,5  5,5  6,5\n", tables: []string{"||\n1,5|2,5|3,5\n4,5|5,5|6,5"}},
		{name: "tab with trailing blanks", in: "1.0 \t2.0 \n3.0 \t4.0 \n", tables: []string{"|\n1.0 |2.0 \n3.0 |4.0 "}},
		{name: "quotes", in: "a,b\n1,\"x, \"\"y\"\"\"\n2,\"two\nlines\"\n", tables: []string{"a|b\n1|x, \"y\"\n2|two\nlines"}},
		{name: "quote inside a cell", in: "id,size\n1,5\" pipe\n2,3\" pipe\n", tables: []string{"id|size\n1|5\" pipe\n2|3\" pipe"}},
		{name: "rows in quotes", in: "\"a,b\"\n\"1,2\"\n\"3,4\"\n", tables: []string{"a|b\n1|2\n3|4"}},
		{name: "no header", in: "1,2\n3,4\n", tables: []string{"|\n1|2\n3|4"}},
		{name: "one column", in: "x\n1\n2\n", tables: []string{"x\n1\n2"}},
		{name: "one column without header", in: "1\n2\n", tables: []string{"\n1\n2"}},
		{name: "words with header", in: "name,city\nann,paris\nbo,oslo\neva,rome\n", tables: []string{"name|city\nann|paris\nbo|oslo\neva|rome"}},
		{name: "molecules without header", in: "CCO ethanol\nc1ccccc1 benzene\nCC(=O)O acid\n", tables: []string{"|\nCCO|ethanol\nc1ccccc1|benzene\nCC(=O)O|acid"}},
		{name: "years as names", in: "country,2019,2020,2021\nX,1.5,2.5,3.5\nY,4.5,5.5,6.5\n", tables: []string{"country|2019|2020|2021\nX|1.5|2.5|3.5\nY|4.5|5.5|6.5"}},
		{name: "years as names of empty columns", in: "Name,Code,1960,1961,1962\nAruba,SP,4.82,4.6,\nChad,SP,6.3,6.2,\n", tables: []string{"Name|Code|1960|1961|1962\nAruba|SP|4.82|4.6|\nChad|SP|6.3|6.2|"}},
		{name: "years as data", in: "Aruba,1960,1961\nChad,1970,1984\nPeru,1950,1984\n", tables: []string{"||\nAruba|1960|1961\nChad|1970|1984\nPeru|1950|1984"}},
		{name: "no years", in: "A,1023,1019\nB,1040,1100\nC,1300,1200\n", tables: []string{"||\nA|1023|1019\nB|1040|1100\nC|1300|1200"}},
		{name: "row of units", in: "time,T,p\nUTC,degC,hPa\n2020-01-01,1.5,1000\n2020-01-02,2.5,1001\n",
			tables: []string{"time|T|p\n2020-01-01|1.5|1000\n2020-01-02|2.5|1001"}, units: "UTC|degC|hPa"},
		{name: "units in brackets", in: "t,v\n[s],[m/s]\n1,2\n3,4\n", tables: []string{"t|v\n1|2\n3|4"}, units: "s|m/s"},
		{name: "few units", in: "t;run;flow;temp;note;a;b;c;d\n;;m³/h;°F;;mg/L;µS/cm;;\n1;2;3;4;x;5;6;7;8\n2;3;4;5;y;6;7;8;9\n",
			tables: []string{"t|run|flow|temp|note|a|b|c|d\n1|2|3|4|x|5|6|7|8\n2|3|4|5|y|6|7|8|9"}, units: "||m³/h|°F||mg/L|µS/cm||"},
		{name: "one unit", in: "id,temp,note\n,°F,\na,50,x\nb,60,y\n", tables: []string{"id|temp|note\na|50|x\nb|60|y"}, units: "|°F|"},
		{name: "units over one row", in: "site,temp,flow\n,°F,L/s\na,50,3\n", tables: []string{"site|temp|flow\na|50|3"}, units: "|°F|L/s"},
		{name: "units that are data", in: "sex,grade,x\nm,A,\nF,C,2\nm,B,3\nF,B,4\n", tables: []string{"sex|grade|x\nm|A|\nF|C|2\nm|B|3\nF|B|4"}},
		{name: "a word in the first row", in: "sample,temperature,yield\nR0,offline,4.1\nR1,20,4\nR2,21,5\nR3,22,6\n",
			tables: []string{"sample|temperature|yield\nR0|offline|4.1\nR1|20|4\nR2|21|5\nR3|22|6"}},
		{name: "words in the first rows", in: "made by me,,\nsample,temperature,yield\nR0,n.b.,4.1\nR1,7,OL\nR2,21,5\nR3,22,6\nR4,22,6\nR5,1,2\n",
			tables: []string{"sample|temperature|yield\nR0|n.b.|4.1\nR1|7|OL\nR2|21|5\nR3|22|6\nR4|22|6\nR5|1|2"}, preamble: "made by me,,\n"},
		{name: "two rows of header", in: ",Plant A,,Plant B,\ntime,T,p,T,p\n1,2,3,4,5\n2,3,4,5,6\n",
			tables: []string{"time|Plant A T|Plant A p|Plant B T|Plant B p\n1|2|3|4|5\n2|3|4|5|6"}},
		{name: "comments", in: "# made by x\n# y\na,b\n1,2\n# pause\n3,4\n", tables: []string{"a|b\n1|2\n3|4"}, preamble: "# made by x\n# y\n# pause\n"},
		{name: "header in a comment", in: "# time, T\n1,2\n3,4\n", tables: []string{"time|T\n1|2\n3|4"}},
		{name: "error codes are no comments", in: "x\n#N/A\n1\n2\n", tables: []string{"x\n#N/A\n1\n2"}},
		{name: "free text before", in: "Station Alamosa\nLat: 37.7\n\nt,x,y\n1,2,3\n4,5,6\n", tables: []string{"t|x|y\n1|2|3\n4|5|6"}, preamble: "Station Alamosa\nLat: 37.7\n"},
		{name: "metadata rows of the same width", in: "Source,City,Lat\nNSRDB,Rome,41.9\nYear,T,Note\n2017,1.5,a\n2018,2.5,b\n2019,3.5,c\n",
			tables: []string{"Year|T|Note\n2017|1.5|a\n2018|2.5|b\n2019|3.5|c"}, preamble: "Source,City,Lat\nNSRDB,Rome,41.9\n"},
		{name: "trailing delimiters", in: "a,b\n1,2,\n3,4,\n", tables: []string{"a|b\n1|2\n3|4"}},
		{name: "row names as R writes them", in: "x y\nr1 1 2\nr2 3 4\n", tables: []string{"|x|y\nr1|1|2\nr2|3|4"}},
		{name: "short and long rows", in: "a,b,c\n1,2,3\n4,5\n6,7,8\n9,10,11,12\n13,14,15\n", tables: []string{"a|b|c\n1|2|3\n6|7|8\n13|14|15"}, bad: []int64{3, 5}},
		{name: "excess that is empty", in: "a,b\n1,2\n3,4,,\n5,6\n", tables: []string{"a|b\n1|2\n3|4\n5|6"}},
		{name: "duplicate and empty names", in: "t,T,T,\n0,1,2,3\n", tables: []string{"t|T|T|\n0|1|2|3"}},
		{name: "blank lines", in: "a,b\n\n1,2\n\n3,4\n,\n5,6\n", tables: []string{"a|b\n1|2\n3|4\n5|6"}},
		{name: "header again", in: "a,b\n1,2\na,b\n3,4\n", tables: []string{"a|b\n1|2\n3|4"}},
		{name: "stacked blocks", in: "Plate,1\n\nh,w\n1,2\n3,4\n5,6\n\nPlate,2\n\nh,w\n7,8\n9,10\n11,12\n",
			tables: []string{"h|w\n1|2\n3|4\n5|6", "h|w\n7|8\n9|10\n11|12"}, preamble: "Plate,1\nPlate,2\n"},
		{name: "small table before", in: "Lat: 45\nmonth,year\n1,2018\n2,2007\n3,2009\n4,2013\nt,x,y,z\n1,2,3,4\n2,3,4,5\n3,4,5,6\n4,5,6,7\n5,6,7,8\n6,7,8,9\n",
			tables:   []string{"month|year\n1|2018\n2|2007\n3|2009\n4|2013", "t|x|y|z\n1|2|3|4\n2|3|4|5\n3|4|5|6\n4|5|6|7\n5|6|7|8\n6|7|8|9"},
			preamble: "Lat: 45\n"},
		{name: "footer", in: "t,x\n1,2\n3,4\n\nt: time (s)\nx: way (m)\n", tables: []string{"t|x\n1|2\n3|4"}, preamble: "t: time (s)\nx: way (m)\n"},
		{name: "nul", in: "a,b\n1,2\n3,\x004\n5,6\n", tables: []string{"a|b\n1|2\n5|6"}, bad: []int64{3}},
		{name: "stray quote", in: "id,name,y\n1,\"alpha,2\n3,beta,4\n5,gamma,6\n", tables: []string{"id|name|y\n3|beta|4\n5|gamma|6"}, bad: []int64{2}},
		{name: "stray quotes that pair up", in: "id,name,y\n1,\"alpha,2\n3,beta,4\n5,c,6\n7,d,8\n9,e,10\n11,gamma\",12\n13,z,14\n",
			tables: []string{"id|name|y\n3|beta|4\n5|c|6\n7|d|8\n9|e|10\n11|gamma\"|12\n13|z|14"}, bad: []int64{2}},
		{name: "text after a quote", in: "a,b\n1,\"x\"y\n2,z\n", tables: []string{"a|b\n2|z"}, bad: []int64{2}},
		{name: "mixed delimiters", in: "a,b,c\n1,2,3\n4;5;6\n7\t8\t9\n", tables: []string{"a|b|c\n1|2|3"}, bad: []int64{3, 4}},
		{name: "dos end mark", in: "a,b\r\n1,2\r\n\x1a", tables: []string{"a|b\n1|2"}},
		{name: "index column without name", in: ",a,b\n0,1,2\n1,3,4\n", tables: []string{"|a|b\n0|1|2\n1|3|4"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := readText(t, tt.in)
			var tables []string
			for k := range g.Names {
				tables = append(tables, g.table(k))
			}
			if diff := cmp.Diff(tt.tables, tables); diff != "" {
				t.Errorf("tables (−want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.bad, g.Bad); diff != "" {
				t.Errorf("bad lines (−want +got):\n%s", diff)
			}
			if tt.units != "" && strings.Join(g.Units[0], "|") != tt.units {
				t.Errorf("units %q, want %q", g.Units[0], tt.units)
			}
			if tt.preamble != "" && g.Preamble != tt.preamble {
				t.Errorf("preamble %q, want %q", g.Preamble, tt.preamble)
			}
		})
	}
}

func TestEncodings(t *testing.T) {
	tests := []struct{ name, in, want, encoding string }{
		{"utf-8", "a,µm\n1,°\n", "a|µm\n1|°", "UTF-8"},
		{"latin-1", "ort,temp (\xb0C)\nZ\xfcrich,1\n", "ort|temp (°C)\nZürich|1", "ISO-8859-1"},
		{"windows-1252", "ort,preis (\x80)\nZ\xfcrich,1\n", "ort|preis (€)\nZürich|1", "windows-1252"},
		{"gbk", "a,\xb7\xe7\xcf\xf2(\xa1\xe3)\n1,2\n", "a|风向(°)\n1|2", "GBK"},
		{"utf-16le with mark", "\xff\xfea\x00,\x00b\x00\n\x001\x00,\x002\x00\n\x00", "a|b\n1|2", "UTF-16LE"},
		{"utf-16be with mark", "\xfe\xff\x00a\x00,\x00b\x00\n\x001\x00,\x002\x00\n", "a|b\n1|2", "UTF-16BE"},
		{"utf-16le without", "a\x00,\x00b\x00\n\x001\x00,\x002\x00\n\x00", "a|b\n1|2", "UTF-16LE"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := readText(t, tt.in)
			if g.table(0) != tt.want || g.about.Source.Encoding != tt.encoding {
				t.Errorf("got %q in %s, want %q in %s", g.table(0), g.about.Source.Encoding, tt.want, tt.encoding)
			}
			if reported := hasFinding(g, "encoding"); reported != (tt.encoding != "UTF-8") {
				t.Errorf("encoding reported: %t", reported)
			}
		})
	}
}

// TestLateEncoding has its first byte beyond ASCII far behind the sample.
func TestLateEncoding(t *testing.T) {
	in := "id,name\n" + strings.Repeat("1,plain\n", 200_000) + "2,Z\xfcrich\n"
	g := readText(t, in)
	last := g.Rows[0][len(g.Rows[0])-1]
	if last[1] != "Zürich" || g.about.Source.Encoding != "ISO-8859-1" {
		t.Errorf("got %q in %s", last, g.about.Source.Encoding)
	}
}

// TestBrokenUTF8 sets rows with broken sequences aside when the rest is UTF-8.
func TestBrokenUTF8(t *testing.T) {
	g := readText(t, "id,name\n"+strings.Repeat("1,Zürich\n", 30)+"2,Z\xfcrich\n3,Rom\n")
	if diff := cmp.Diff([]int64{32}, g.Bad); diff != "" || g.Codes[0] != "bad-encoding" {
		t.Errorf("bad rows (−want +got): %s %v", diff, g.Codes)
	}
}

// TestUndecodable sets rows aside that hold what their encoding does not have,
// instead of replacing it.
func TestUndecodable(t *testing.T) {
	wide := func(s string) (b []byte) {
		for _, r := range s {
			b = append(b, byte(r), byte(r>>8))
		}
		return b
	}
	for name, in := range map[string]string{
		"gbk":          "id,name\n" + strings.Repeat("1,\xd6\xd0\xce\xc4\n", 30) + "2,\xff\xfe\n3,Rom\n",
		"windows-1252": "id,name\n" + strings.Repeat("1,Z\xfcrich\x80\n", 30) + "2,a\x81b\n3,Rom\n",
		"utf-16":       "\xff\xfe" + string(wide("id,name\n"+strings.Repeat("1,Zürich\n", 30)+"2,\ufffd\n3,Rom\n")),
		"half a pair":  "\xff\xfe" + string(wide("id,name\n"+strings.Repeat("1,Zürich\n", 30)+"2,")) + "\x00\xd8" + string(wide("\n3,Rom\n")),
	} {
		for _, batch := range []int{100, 1 << 20} {
			g, err := readAll(t, memory([]byte(in)), format.Options{Limits: format.Limits{Batch: batch}})
			if err != nil {
				t.Fatal(name, err)
			}
			if diff := cmp.Diff([]int64{32}, g.Bad); diff != "" || g.Codes[0] != "bad-encoding" || len(g.Rows[0]) != 31 {
				t.Errorf("%s: bad rows (−want +got): %s %v %d", name, diff, g.Codes, len(g.Rows[0]))
			}
		}
	}
}

func hasFinding(g got, code string) bool {
	for _, f := range g.about.Findings {
		if f.Code == code {
			return true
		}
	}
	return false
}

func TestOptions(t *testing.T) {
	in := "x,y\n1,2\n3,4\n"
	tests := []struct {
		name string
		in   string
		opt  format.Options
		want string
	}{
		{"header none", in, format.Options{Header: "none"}, "|\nx|y\n1|2\n3|4"},
		{"header at line 2", in, format.Options{Header: "2"}, "1|2\n3|4"},
		{"header at line 1", in, format.Options{Header: "1"}, "x|y\n1|2\n3|4"},
		{"header and units", "x,y\ns,m\n1,2\n", format.Options{Header: "1"}, "x|y\n1|2"},
		{"delimiter", "a;b,c\n1;2,3\n", format.Options{Delimiter: ","}, "a;b|c\n1;2|3"},
		{"delimiter space", "a b,c\n1 2,3\n", format.Options{Delimiter: "space"}, "a|b,c\n1|2,3"},
		{"encoding", "a,b\n1,\xe9\n", format.Options{Encoding: "iso-8859-5"}, "a|b\n1|щ"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, err := readAll(t, memory([]byte(tt.in)), tt.opt)
			if err != nil {
				t.Fatal(err)
			}
			if g.table(0) != tt.want {
				t.Errorf("got %q, want %q", g.table(0), tt.want)
			}
		})
	}
}

func TestMaxRows(t *testing.T) {
	in := "a,b\n" + strings.Repeat("1,2\n", 10_000)
	g, err := readAll(t, memory([]byte(in)), format.Options{MaxRows: 100, Limits: format.Limits{Batch: 400}})
	if err != nil || len(g.Rows[0]) < 100 || len(g.Rows[0]) > 300 {
		t.Errorf("%d rows, %v", len(g.Rows[0]), err)
	}
}

func TestRefusals(t *testing.T) {
	prose := strings.Repeat("It was a dark and stormy night.\nThe rain, it fell in torrents, and we stayed at home,\nwaiting.\n", 10)
	tests := []struct {
		name, in string
		opt      format.Options
		kind     genesis.ErrorKind
	}{
		{"empty", "", format.Options{}, genesis.Invalid},
		{"only a mark", "\xef\xbb\xbf", format.Options{}, genesis.Invalid},
		{"blank lines only", "\n\n\n", format.Options{}, genesis.Unsupported},
		{"prose", prose, format.Options{}, genesis.Unsupported},
		{"too many columns", strings.Repeat("1,", 50) + "1\n", format.Options{Limits: format.Limits{Columns: 50}}, genesis.Invalid},
		{"too long a row", "a,b\n" + strings.Repeat("x", 1<<20), format.Options{Limits: format.Limits{RowBytes: 1 << 10, Batch: 1 << 10}}, genesis.Invalid},
		{"unknown encoding", "a,b\n", format.Options{Encoding: "klingon"}, genesis.Unsupported},
		{"unknown delimiter", "a,b\n", format.Options{Delimiter: "::"}, genesis.Invalid},
		{"malformed header", "a,b\n", format.Options{Header: "first"}, genesis.Invalid},
		{"header beyond the end", "a,b\n1,2\n", format.Options{Header: "7"}, genesis.Invalid},
		{"fixed width", strings.Repeat("1 2 3\n4 5\n1 2 3 4\n6 7\n1 2 3 4 5 6\n", 10), format.Options{}, genesis.Unsupported},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g, err := readAll(t, memory([]byte(tt.in)), tt.opt)
			if genesis.KindOf(err) != tt.kind {
				t.Errorf("got %v and %d tables, want an error of kind %s", err, len(g.Names), tt.kind)
			}
		})
	}
}

func TestHeaderOnly(t *testing.T) {
	g := readText(t, "a,b,c\n")
	if diff := cmp.Diff([]string{"a", "b", "c"}, g.Names[0]); diff != "" || len(g.Rows) != 0 || !hasFinding(g, "no-rows") {
		t.Errorf("names %v, rows %v, findings %v", g.Names, g.Rows, g.about.Findings)
	}
}

// TestUnclosedAtTheLimit has a quote that stays open beyond what a row may have.
func TestUnclosedAtTheLimit(t *testing.T) {
	in := "id,name\n1,\"open\n" + strings.Repeat("2,closed\n", 2000)
	g, err := readAll(t, memory([]byte(in)), format.Options{Limits: format.Limits{RowBytes: 4 << 10, Batch: 1 << 10}})
	if err != nil || len(g.Rows[0]) != 2000 || len(g.Bad) != 1 || g.Bad[0] != 2 {
		t.Errorf("%d rows, bad %v, %v", len(g.Rows[0]), g.Bad, err)
	}
}

func TestCancel(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	r, err := Driver{}.Open(ctx, memory([]byte("a,b\n"+strings.Repeat("1,2\n", 1<<20))), format.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	cancel()
	for {
		_, err := r.Next()
		if err == io.EOF {
			t.Fatal("a canceled reader came to an ordinary end")
		}
		if err != nil {
			if !errors.Is(err, &genesis.Error{Kind: genesis.Canceled}) {
				t.Fatalf("got %v", err)
			}
			return
		}
	}
}

func TestLines(t *testing.T) {
	g := readText(t, "# c\n\na,b\n1,\"x\ny\"\n\n2,z\n3,w,w\n4,v\n")
	if diff := cmp.Diff([][]int64{{4, 7, 9}}, g.Lines); diff != "" {
		t.Errorf("lines (−want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]int64{8}, g.Bad); diff != "" {
		t.Errorf("bad lines (−want +got):\n%s", diff)
	}
}

func TestMatch(t *testing.T) {
	for in, want := range map[string]bool{
		"a,b\n1,2\n": true, "PAR1\x00\x00\x01\x02\x03\x04\x05\x06\x07": false, "": false, "\xff\xfea\x00": true,
		"{\"a\": 1}": true,
	} {
		if got := (Driver{}).Match([]byte(in)) > 0; got != want {
			t.Errorf("Match(%q) = %t", in, got)
		}
	}
}

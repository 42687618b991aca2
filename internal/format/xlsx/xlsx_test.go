package xlsx

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// num is a number cell's literal; styled a number shown in a style of
// testStyles; raw the XML of a cell, with %s for its reference.
type (
	num    string
	styled struct {
		literal string
		style   int
	}
	raw string
)

// testStyles has the styles 0 general, 1 date, 2 date and time, 3 time,
// 4 elapsed time, 5 a number with a unit that looks like a date's letters.
const testStyles = `<styleSheet><numFmts count="3"><numFmt numFmtId="164" formatCode="yyyy\-mm\-dd hh:mm:ss"/>` +
	`<numFmt numFmtId="165" formatCode="[h]:mm:ss"/><numFmt numFmtId="166" formatCode="0.00&quot; mol/dm&quot;;[Red]-0.00"/></numFmts>` +
	`<cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/><xf numFmtId="164"/>` +
	`<xf numFmtId="21"/><xf numFmtId="165"/><xf numFmtId="166"/></cellXfs></styleSheet>`

type testSheet struct {
	name   string
	state  string
	rows   [][]any
	merges []string
	xml    string // instead of rows
}

func (s testSheet) markup() string {
	if s.xml != "" {
		return s.xml
	}
	var b strings.Builder
	b.WriteString(`<?xml version="1.0"?><worksheet><!-- a > comment --><sheetData>`)
	for i, r := range s.rows {
		fmt.Fprintf(&b, `<row r="%d">`, i+1)
		for j, v := range r {
			b.WriteString(cellXML(fmt.Sprintf("%c%d", 'A'+j, i+1), v))
		}
		b.WriteString("</row>")
	}
	b.WriteString("</sheetData><mergeCells>")
	for _, m := range s.merges {
		fmt.Fprintf(&b, `<mergeCell ref="%s"/>`, m)
	}
	b.WriteString("</mergeCells></worksheet>")
	return b.String()
}

func cellXML(ref string, v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case num:
		return fmt.Sprintf(`<c r="%s"><v>%s</v></c>`, ref, v)
	case styled:
		return fmt.Sprintf(`<c r="%s" s="%d"><v>%s</v></c>`, ref, v.style, v.literal)
	case raw:
		return fmt.Sprintf(string(v), ref)
	}
	var b bytes.Buffer
	xml.EscapeText(&b, []byte(v.(string)))
	return fmt.Sprintf(`<c r="%s" t="inlineStr"><is><t>%s</t></is></c>`, ref, b.String())
}

// workbook makes the zip archive of a workbook. Parts named in extra replace or
// join the usual ones.
func workbook(t testing.TB, sheets []testSheet, extra map[string]string) []byte {
	t.Helper()
	var list, rels strings.Builder
	parts := map[string]string{"[Content_Types].xml": "<Types/>", "xl/styles.xml": testStyles,
		"_rels/.rels": `<Relationships><Relationship Id="rId1" Type="x/officeDocument" Target="/xl/workbook.xml"/></Relationships>`}
	for i, s := range sheets {
		fmt.Fprintf(&list, `<sheet name="%s" sheetId="%d" state="%s" r:id="rId%d"/>`, s.name, i+1, s.state, i+1)
		fmt.Fprintf(&rels, `<Relationship Id="rId%d" Type="x/worksheet" Target="worksheets/sheet%d.xml"/>`, i+1, i+1)
		parts[fmt.Sprintf("xl/worksheets/sheet%d.xml", i+1)] = s.markup()
	}
	parts["xl/workbook.xml"] = "<workbook><sheets>" + list.String() + "</sheets></workbook>"
	parts["xl/_rels/workbook.xml.rels"] = "<Relationships>" + rels.String() +
		`<Relationship Id="s" Type="x/styles" Target="styles.xml"/><Relationship Id="t" Type="x/sharedStrings" Target="sharedStrings.xml"/></Relationships>`
	parts["xl/sharedStrings.xml"] = `<sst><si><t>plain</t></si><si><r><t>ri</t></r><r><t xml:space="preserve">ch </t></r><rPh><t>read</t></rPh></si>` +
		`<si><t>a_x000D_b &lt;&#956;&gt;</t></si></sst>`
	for name, body := range extra {
		parts[name] = body
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		w, err := z.Create(name)
		if err == nil {
			_, err = io.WriteString(w, parts[name])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func streamOf(b []byte) *format.Stream {
	return &format.Stream{Name: "test.xlsx", Size: int64(len(b)), At: bytes.NewReader(b), OpenRead: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(b)), nil
	}}
}

type content struct {
	tables   []grid
	codes    []string
	preamble string
}

type grid struct {
	name string
	cols []string
	rows [][]string
	line []int64
}

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

func readAll(b []byte, opt format.Options) (content, error) {
	var c content
	r, err := Driver{}.Open(context.Background(), streamOf(b), opt)
	if err != nil {
		return c, err
	}
	defer r.Close()
	for _, t := range r.Tables() {
		g := grid{name: t.Name}
		for _, col := range t.Columns {
			name := col.Name
			if col.Unit != "" {
				name += " [" + col.Unit + "]"
			}
			g.cols = append(g.cols, name)
		}
		c.tables = append(c.tables, g)
	}
	for {
		b, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return c, err
		}
		g := &c.tables[b.Table]
		if b.First != int64(len(g.rows)) {
			return c, errors.New("batch does not follow the one before")
		}
		for i := range b.Rows {
			g.rows, g.line = append(g.rows, cells(b, i)), append(g.line, b.Line(i))
		}
	}
	about := r.About()
	for _, f := range about.Findings {
		c.codes = append(c.codes, f.Code)
	}
	c.preamble = about.Source.Preamble
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

var layouts = []struct {
	name     string
	sheets   []testSheet
	want     string
	preamble string
	codes    []string
}{
	{name: "plain", sheets: []testSheet{{name: "S", rows: [][]any{{"a", "b"}, {num("1"), num("2.50")}, {num("3"), nil}, {nil, num("1E-5")}}}},
		want: "table : a | b\n1 | 2.50\n3 | ∅\n∅ | 1E-5\n"},
	{name: "no header", sheets: []testSheet{{name: "S", rows: [][]any{{num("1"), num("2")}, {num("3"), num("4")}}}},
		want: "table :  | \n1 | 2\n3 | 4\n"},
	{name: "text only", sheets: []testSheet{{name: "S", rows: [][]any{{"who", "where"}, {"Ada", "London"}, {"Emmy", "Erlangen"}}}},
		want: "table : who | where\nAda | London\nEmmy | Erlangen\n"},
	{name: "header only", sheets: []testSheet{{name: "S", rows: [][]any{{"a", "b", "c"}}}}, want: "table : a | b | c\n"},
	{name: "years", sheets: []testSheet{{name: "S", rows: [][]any{{"Land", num("2001"), num("2002")}, {"A", num("1"), num("2")}, {"B", num("3"), num("4")}}}},
		want: "table : Land | 2001 | 2002\nA | 1 | 2\nB | 3 | 4\n"},
	{name: "title, units", sheets: []testSheet{{name: "S", rows: [][]any{{"Run 7, furnace B"}, {"t", "T", "p (note)"}, {"h", "(°C)", "[hPa]"},
		{num("0"), num("20"), num("1013")}, {num("1"), num("21"), num("1012")}}, merges: []string{"A1:C1"}}},
		want: "table : t [h] | T [°C] | p (note) [hPa]\n0 | 20 | 1013\n1 | 21 | 1012\n", preamble: "Run 7, furnace B\n"},
	{name: "merged header", sheets: []testSheet{{name: "S", merges: []string{"B1:C1", "A1:A2", "D1:D2"}, rows: [][]any{
		{"id", "Rate\n(%)", nil, "n"}, {nil, "mean", "sd"}, {num("1"), num("2"), num("3"), num("4")}, {num("5"), num("6"), num("7"), num("8")}}}},
		want: "table : id | Rate (%) mean | Rate (%) sd | n\n1 | 2 | 3 | 4\n5 | 6 | 7 | 8\n"},
	{name: "blocks", sheets: []testSheet{{name: "S", rows: [][]any{
		{"a", "b", nil, "x", "y"}, {num("1"), num("2"), nil, num("7"), num("8")}, {num("3"), num("4")}, nil,
		{num("5"), num("6")}, nil, {"u", "v", "w"}, {num("1"), num("2"), num("3")}, {num("1"), num("2"), num("3")}}}},
		want: "table S: a | b\n1 | 2\n3 | 4\n5 | 6\ntable S.2: x | y\n7 | 8\ntable S.3: u | v | w\n1 | 2 | 3\n1 | 2 | 3\n"},
	{name: "properties above", sheets: []testSheet{{name: "S", rows: [][]any{
		{"Operator:", "J. Smith"}, {"Date:", styled{"45292", 1}}, nil, {"a", "b", "c"}, {num("1"), num("2"), num("3")}, {num("1"), num("2"), num("3")},
		{num("4"), num("5"), num("6")}, nil, {"checked by hand"}}}},
		want: "table : a | b | c\n1 | 2 | 3\n1 | 2 | 3\n4 | 5 | 6\n", preamble: "Operator:\tJ. Smith\nDate:\t2024-01-01\nchecked by hand\n"},
	{name: "sheets", sheets: []testSheet{{name: "A", rows: [][]any{{"a", "b"}, {num("1"), num("2")}}},
		{name: "B", state: "hidden", rows: [][]any{{"c", "d"}, {num("3"), num("4")}}}, {name: "E", rows: nil},
		{name: "N", rows: [][]any{{"only"}, {"words"}}}},
		want: "table A: a | b\n1 | 2\ntable B: c | d\n3 | 4\n", preamble: "only\nwords\n", codes: []string{"hidden-sheet", "empty-sheet"}},
	{name: "cell types", sheets: []testSheet{{name: "S", rows: [][]any{{"a", "b", "c", "d", "e"},
		{raw(`<c r="%s" t="s"><v>1</v></c>`), raw(`<c r="%s" t="b"><v>1</v></c>`), raw(`<c r="%s" t="e"><v>#DIV/0!</v></c>`),
			raw(`<c r="%s" t="str"><f>A1&amp;"x"</f><v>a &gt; x</v></c>`), raw(`<c r="%s"><f>1+1</f></c>`)},
		{raw(`<c r="%s" t="s"><v>2</v></c>`), raw(`<c r="%s" t="b"><v>0</v></c>`), raw(`<c r="%s"><f>2*2</f><v>4</v></c>`),
			raw(`<x:c r="%s" t='inlineStr'><x:is><x:t><![CDATA[<&>]]></x:t></x:is></x:c>`), raw(`<c r="%s" t="d"><v>2024-02-03T04:05:06</v></c>`)}}}},
		want:  "table : a | b | c | d | e\nrich  | TRUE | #DIV/0! | a > x | ∅\na\rb <μ> | FALSE | 4 | <&> | 2024-02-03 04:05:06\n",
		codes: []string{"cell-error", "formula-no-value"}},
	{name: "dates", sheets: []testSheet{{name: "S", rows: [][]any{{"day", "moment", "clock", "elapsed", "number"},
		{styled{"1", 1}, styled{"45292.5", 2}, styled{"0.75", 3}, styled{"1.25", 4}, styled{"45292", 5}},
		{styled{"59", 1}, styled{"45292", 2}, styled{"0.000005787037037", 3}, styled{"0.5", 4}, styled{"1", 5}},
		{styled{"60", 1}, styled{"61.999999999", 2}, nil, nil, nil},
		{styled{"45292.25", 1}, styled{"-1", 2}, styled{"1.5", 3}, nil, nil}}}},
		want: "table : day | moment | clock | elapsed | number\n" +
			"1900-01-01 | 2024-01-01 12:00:00 | 18:00:00 | 30:00:00 | 45292\n" +
			"1900-02-28 | 2024-01-01 00:00:00 | 00:00:00.500 | 12:00:00 | 1\n" +
			"60 | 1900-03-02 00:00:00 | ∅ | ∅ | ∅\n" +
			"2024-01-01 06:00:00 | -1 | 1900-01-01 12:00:00 | ∅ | ∅\n",
		codes: []string{"impossible-date"}},
	{name: "without references", sheets: []testSheet{{name: "S", xml: `<worksheet><sheetData><row><c t="inlineStr"><is><t>a</t></is></c>` +
		`<c t="inlineStr"><is><t>b</t></is></c></row><row hidden="1"><c><v>1</v></c><c/></row><row/><row><c/><c><v>2</v></c></row></sheetData></worksheet>`}},
		want: "table : a | b\n1 | ∅\n∅ | 2\n", codes: []string{"hidden-rows"}},
	{name: "merged among rows", sheets: []testSheet{{name: "S", merges: []string{"A2:A3"}, rows: [][]any{{"g", "v"}, {"x", num("1")}, {nil, num("2")}}}},
		want: "table : g | v\nx | 1\n∅ | 2\n", codes: []string{"merged-cells"}},
}

func TestLayouts(t *testing.T) {
	for _, c := range layouts {
		t.Run(c.name, func(t *testing.T) {
			got, err := readAll(workbook(t, c.sheets, nil), format.Options{})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got.String()); d != "" {
				t.Errorf("tables (-want +got):\n%s", d)
			}
			if d := cmp.Diff(c.preamble, got.preamble); d != "" {
				t.Errorf("preamble (-want +got):\n%s", d)
			}
			if d := cmp.Diff(c.codes, got.codes); d != "" {
				t.Errorf("findings (-want +got):\n%s", d)
			}
			small, err := readAll(workbook(t, c.sheets, nil), format.Options{Limits: format.Limits{Batch: 1}})
			if d := cmp.Diff(got.String(), small.String()); err != nil || d != "" {
				t.Errorf("in small batches: %v\n%s", err, d)
			}
		})
	}
}

func Test1904(t *testing.T) {
	sheets := []testSheet{{name: "S", rows: [][]any{{"d", "n"}, {styled{"0", 1}, num("1")}, {styled{"43830.5", 2}, num("2")}}}}
	b := workbook(t, sheets, map[string]string{"xl/workbook.xml": `<workbook><workbookPr date1904="true"/><sheets><sheet name="S" r:id="rId1"/></sheets></workbook>`})
	got, err := readAll(b, format.Options{})
	if want := "table : d | n\n1904-01-01 | 1\n2024-01-01 12:00:00 | 2\n"; err != nil || got.String() != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}

func TestOptions(t *testing.T) {
	sheets := []testSheet{{name: "A", rows: [][]any{{"a", "b"}, {num("1"), num("2")}, {num("3"), num("4")}}}, {name: "B", rows: [][]any{{"c"}, {num("3")}}}}
	b := workbook(t, sheets, nil)
	for _, c := range []struct {
		opt  format.Options
		want string
	}{
		{format.Options{Sheets: []string{"B"}}, "table : c\n3\n"},
		{format.Options{Sheets: []string{"A"}, Header: "none"}, "table :  | \na | b\n1 | 2\n3 | 4\n"},
		{format.Options{Sheets: []string{"A"}, Header: "2"}, "table : 1 | 2\n3 | 4\n"},
		{format.Options{MaxRows: 1}, "table A: a | b\n1 | 2\ntable B: c\n3\n"},
	} {
		got, err := readAll(b, c.opt)
		if err != nil || got.String() != c.want {
			t.Errorf("%+v: %s, %v; want %s", c.opt, got, err, c.want)
		}
	}
	_, err := readAll(b, format.Options{Sheets: []string{"C"}})
	var e *genesis.Error
	if !errors.As(err, &e) || e.Kind != genesis.Invalid || e.Hint != `its sheets are "A", "B"` {
		t.Errorf("a sheet that is not there: %v", err)
	}
}

func TestRefused(t *testing.T) {
	one := []testSheet{{name: "S", rows: [][]any{{"a"}, {num("1")}}}}
	bad := func(xml string) []byte { return workbook(t, []testSheet{{name: "S", xml: xml}}, nil) }
	whole := workbook(t, one, nil)
	bomb := `<worksheet><sheetData><row><c><v>` + strings.Repeat("0", 40<<20) + `</v></c></row></sheetData></worksheet>`
	cases := []struct {
		name string
		in   []byte
		kind genesis.ErrorKind
		msg  string
	}{
		{"truncated", whole[:len(whole)/2], genesis.Invalid, "no whole zip"},
		{"no zip", []byte("<html>"), genesis.Invalid, "no whole zip"},
		{"entity attack", bad(`<!DOCTYPE x [<!ENTITY a "aaaa">]><worksheet/>`), genesis.Invalid, "document type declaration"},
		{"cut XML", bad(`<worksheet><sheetData><row><c><v>1`), genesis.Invalid, "ends inside"},
		{"deep XML", bad(strings.Repeat("<a>", 1000)), genesis.Invalid, "nested deeper"},
		{"stray end", bad("</a>"), genesis.Invalid, "end tag without"},
		{"rows backwards", bad(`<worksheet><sheetData><row r="2"><c><v>1</v></c></row><row r="1"/></sheetData></worksheet>`), genesis.Invalid, "row number"},
		{"row far away", bad(`<worksheet><sheetData><row r="99999999"/></sheetData></worksheet>`), genesis.Invalid, "row number"},
		{"column far away", bad(`<worksheet><sheetData><row r="1"><c r="ZZZZ1"><v>1</v></c></row></sheetData></worksheet>`), genesis.Invalid, "out of order"},
		{"no such text", bad(`<worksheet><sheetData><row><c t="s"><v>9</v></c></row></sheetData></worksheet>`), genesis.Invalid, "shared text"},
		{"bomb", bad(bomb), genesis.Invalid, "expands more than"},
		{"binary", workbook(t, one, map[string]string{"xl/workbook.bin": ""}), genesis.Unsupported, ".xlsb"},
		{"one part twice", workbook(t, one, map[string]string{"xl/workbook.xml": `<workbook><sheets><sheet name="A" r:id="rId1"/>` +
			`<sheet name="B" r:id="rId1"/></sheets></workbook>`}), genesis.Invalid, "two sheets with one content"},
		{"no sheets", workbook(t, nil, nil), genesis.Invalid, "without worksheets"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := readAll(c.in, format.Options{})
			var e *genesis.Error
			if !errors.As(err, &e) || e.Kind != c.kind || !strings.Contains(e.Msg, c.msg) || e.Subject != "test.xlsx" {
				t.Errorf("got %v, want %s with %q", err, c.kind, c.msg)
			}
		})
	}
}

func TestDamagedMember(t *testing.T) {
	b := workbook(t, []testSheet{{name: "S", rows: [][]any{{"a"}, {num("1")}}}}, nil)
	refused := 0
	for i := range b {
		broken := bytes.Clone(b)
		broken[i] ^= 0xff
		got, err := readAll(broken, format.Options{})
		if err != nil && genesis.KindOf(err) == genesis.Internal {
			t.Fatalf("byte %d: an error without a kind: %v", i, err)
		}
		if err != nil {
			refused++
		} else if len(got.tables) == 1 && len(got.tables[0].rows) == 1 && got.tables[0].rows[0][0] != "1" {
			t.Errorf("byte %d: a wrong value was read: %s", i, got)
		}
	}
	if refused < len(b)/2 {
		t.Errorf("only %d of %d flipped bytes were refused", refused, len(b))
	}
}

func TestMatch(t *testing.T) {
	b := workbook(t, []testSheet{{name: "S"}}, nil)
	for head, want := range map[string]bool{string(b): true, "PK\x03\x04 word/document.xml [Content_Types].xml": false, "a,b": false, "": false} {
		if got := (Driver{}).Match([]byte(head)) > 0; got != want {
			t.Errorf("Match(%.20q) = %v", head, got)
		}
	}
}

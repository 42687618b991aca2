package infer

import (
	"bytes"
	"encoding/csv"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/testdata"
)

// vector makes a text vector of cells.
func vector(cells ...string) *format.Vector {
	v := &format.Vector{}
	for _, c := range cells {
		start := uint32(len(v.Buf))
		v.Buf = append(v.Buf, c...)
		v.Spans = append(v.Spans, format.Span{Start: start, End: uint32(len(v.Buf))})
	}
	return v
}

// layout says how a file of the data folder is to be cut into cells.
type layout struct {
	path     string
	skip     int // lines before the header
	comma    rune
	encoding string
	noHeader bool
	units    bool // a row of units follows the header
	blanks   bool // cells are apart by white space
}

// columns reads a file of the data folder as columns of cells, the plain way.
func columns(t testing.TB, l layout) ([]format.RawColumn, [][]string) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(testdata.Dir(t), l.path))
	if err != nil {
		t.Fatal(err)
	}
	switch l.encoding {
	case "latin1":
		raw, err = charmap.ISO8859_1.NewDecoder().Bytes(raw)
	case "gbk":
		raw, err = simplifiedchinese.GBK.NewDecoder().Bytes(raw)
	}
	if err != nil {
		t.Fatal(err)
	}
	for range l.skip {
		_, raw, _ = bytes.Cut(raw, []byte("\n"))
	}
	rows := split(t, raw, l)
	if len(rows) == 0 {
		t.Fatal("no rows")
	}
	cols := make([]format.RawColumn, len(rows[0]))
	if !l.noHeader {
		for i, h := range rows[0] {
			cols[i].Name = h
		}
		rows = rows[1:]
	}
	if l.units {
		for i, u := range rows[0] {
			cols[i].Unit = u
		}
		rows = rows[1:]
	}
	cells := make([][]string, len(cols))
	for _, r := range rows {
		for i := range cols {
			if i < len(r) {
				cells[i] = append(cells[i], r[i])
			} else {
				cells[i] = append(cells[i], "")
			}
		}
	}
	return cols, cells
}

func split(t testing.TB, raw []byte, l layout) (rows [][]string) {
	if l.blanks {
		for line := range strings.Lines(string(raw)) {
			rows = append(rows, strings.Fields(line))
		}
		return rows
	}
	r := csv.NewReader(bytes.NewReader(raw))
	r.LazyQuotes, r.FieldsPerRecord = true, -1
	if l.comma != 0 {
		r.Comma = l.comma
	}
	for {
		row, err := r.Read()
		if err == io.EOF {
			return rows
		}
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
}

// decideAll decides every column of a file, by its name.
func decideAll(t testing.TB, l layout) (map[string]Decision, []string) {
	cols, cells := columns(t, l)
	names := Names(cols)
	out := map[string]Decision{}
	for i, c := range cols {
		d := NewDecider(c, names[i])
		d.Observe(vector(cells[i]...))
		out[names[i]] = d.Decide(int64(len(cells[i])))
	}
	return out, names
}

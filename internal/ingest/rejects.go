package ingest

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// rejectColumns is the schema of a table of rejects: what was set aside, from
// where, by which rule. Sources are numbered from 1 in the order given, since
// a version's content names no files.
var rejectColumns = []genesis.Column{
	{Name: "source", Type: genesis.Integer, Role: genesis.Ignore, Description: "which of the sources, from 1"},
	{Name: "line", Type: genesis.Integer, Role: genesis.Ignore, Description: "line, sheet row or record in the source, from 1"},
	{Name: "column", Type: genesis.Text, Role: genesis.Ignore, Description: "column of the cell; missing when the whole row was set aside"},
	{Name: "rule", Type: genesis.Text, Role: genesis.Ignore, Description: "what the cell or row breaks"},
	{Name: "value", Type: genesis.Text, Role: genesis.Ignore, Description: "the cell as the source spells it, or the row"},
}

// maxRejectValue is how much of a rejected value is kept, in bytes.
const maxRejectValue = 4 << 10

// reject is one cell or row that was set aside.
type reject struct {
	line   int64
	column string
	rule   string
	value  []byte
}

// rejectBatch makes a batch of rejects of one source.
func rejectBatch(source int, list []reject) *format.Batch {
	n := len(list)
	src, line := blank(genesis.Integer, n), blank(genesis.Integer, n)
	src.Nulls, line.Nulls = nil, nil
	column, rule, value := textBuilder(n), textBuilder(n), textBuilder(n)
	for i, r := range list {
		src.Ints[i], line.Ints[i] = int64(source+1), r.line
		appendText(&column, i, []byte(r.column), r.column != "")
		appendText(&rule, i, []byte(r.rule), true)
		appendText(&value, i, valid(r.value), true)
	}
	return &format.Batch{Rows: n, Cols: []format.Vector{src, line, column, rule, value}}
}

func textBuilder(n int) format.Vector {
	return format.Vector{Spans: make([]format.Span, n), Nulls: format.NewBitmap(n)}
}

func appendText(v *format.Vector, i int, b []byte, ok bool) {
	start := uint32(len(v.Buf))
	v.Buf = append(v.Buf, b[:min(len(b), maxRejectValue)]...)
	v.Spans[i] = format.Span{Start: start, End: uint32(len(v.Buf))}
	if !ok {
		v.Nulls.Set(i)
	}
}

// valid makes a value storable as UTF-8 text without losing a byte of it: what
// is not UTF-8 is quoted with Go's escapes.
func valid(b []byte) []byte {
	b = b[:min(len(b), maxRejectValue)]
	for _, r := range string(b) {
		if r == '\uFFFD' || r == 0 {
			return []byte(strconv.QuoteToASCII(string(b)))
		}
	}
	return b
}

// rawRow spells a whole row as a JSON array of its raw cells.
func rawRow(cols []format.Vector, i int) []byte {
	cells := make([]*string, len(cols))
	for j := range cols {
		if !cols[j].Null(i) {
			s := plainValue(&cols[j], i)
			cells[j] = &s
		}
	}
	b, _ := json.Marshal(cells)
	return b
}

func timestampText(us int64) string {
	return time.UnixMicro(us).UTC().Format(time.RFC3339Nano)
}

func dateText(days int64) string {
	return time.Unix(days*86400, 0).UTC().Format(time.DateOnly)
}

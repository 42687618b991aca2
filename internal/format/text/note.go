package text

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/opengenesis/genesis"
)

// notes gathers the findings of a file.
type notes struct {
	source string
	rows   []int64 // rows of data by table
	order  []string
	found  map[string]*genesis.Finding
}

// maxRows is how many line numbers a finding lists.
const maxRows = 20

// messages say what a finding that counts lines means.
var messages = map[string]string{
	"blank-lines":      "blank lines were passed over",
	"comments":         "lines that are commented out were passed over",
	"repeated-header":  "the header stands again among the rows and was passed over",
	"footer":           "lines after the table are kept with the source, not as data",
	"field-count":      "rows have another number of cells than the table and were set aside",
	"mixed-delimiters": "rows are separated by another delimiter than the table and were set aside",
	"unclosed-quote":   "a quote opens and does not close: the line was set aside, the lines after it were read",
	"bad-quote":        "rows have text after a closing quote and were set aside",
	"nul-byte":         "rows hold NUL bytes and were set aside",
	"bad-encoding":     "rows are not in the file's encoding and were set aside",
}

// at counts a line under a finding.
func (n *notes) at(code string, sev genesis.Severity, table string, line int64) {
	f := n.finding(code, sev, table)
	f.Count++
	if len(f.Rows) < maxRows {
		f.Rows = append(f.Rows, line)
	}
	f.Message = messages[code]
}

// add records a finding about the table as a whole.
func (n *notes) add(code string, sev genesis.Severity, table string, count int64, message string) *genesis.Finding {
	f := n.finding(code, sev, table)
	f.Count, f.Message = count, message
	return f
}

func (n *notes) finding(code string, sev genesis.Severity, table string) *genesis.Finding {
	id := code
	if table != "" {
		id += ":" + table
	}
	if f := n.found[id]; f != nil {
		return f
	}
	if n.found == nil {
		n.found = map[string]*genesis.Finding{}
	}
	f := &genesis.Finding{ID: id, Code: code, Severity: sev, Source: n.source, Table: table}
	n.found[id] = f
	n.order = append(n.order, id)
	return f
}

// list returns the findings in the order they were first met.
func (n *notes) list() []genesis.Finding {
	out := make([]genesis.Finding, 0, len(n.order))
	for _, id := range n.order {
		f := *n.found[id]
		f.Rows = append([]int64(nil), f.Rows...)
		out = append(out, f)
	}
	return out
}

// layout records what is worth knowing about how a table was laid out.
func (n *notes) layout(l layout, rows []row, table string, d dialect) {
	if len(l.headers) == 0 {
		n.add("no-header", genesis.Note, table, 0, fmt.Sprintf("no header was found for %d columns: they are called c1, c2, …", len(l.columns))).
			Hint = "give the number of the header's line if there is one"
	}
	if len(l.headers) > 1 {
		n.add("multi-row-header", genesis.Note, table, int64(len(l.headers)), fmt.Sprintf("%d rows of header were joined", len(l.headers)))
	}
	if l.units >= 0 {
		f := n.add("units-row", genesis.Note, table, 1, "the row below the header was read as units")
		f.Rows = []int64{rows[l.units].line}
	}
	if d.rowQuoted {
		n.add("quoted-rows", genesis.Note, table, 0, "each row is in quotes as a whole; they were taken off")
	}
	if l.shifted {
		n.add("header-short", genesis.Warn, table, 1, "the header has one name fewer than the rows have cells: the first column was left without one, as R writes row names")
	}
	if l.tooShort {
		n.add("header-long", genesis.Warn, table, 1, "the header has more names than the rows have cells: the last columns are empty")
	}
	if l.ragged {
		n.add("ragged", genesis.Warn, table, 0, "rows of numbers have several lengths and no header tells why: short rows were filled up with empty cells")
	}
	n.names(l, table)
	if table != "" {
		n.add("stacked-block", genesis.Note, table, 0, fmt.Sprintf("another table begins at line %d of the file", rows[0].line))
	}
}

// names records names that are missing or repeated.
func (n *notes) names(l layout, table string) {
	if len(l.headers) == 0 {
		return
	}
	seen := map[string]int{}
	var unnamed []string
	repeated := int64(0)
	for j, c := range l.columns {
		seen[c.name]++
		switch {
		case c.name == "":
			unnamed = append(unnamed, strconv.Itoa(j+1))
		case seen[c.name] > 1:
			repeated++
		}
	}
	if len(unnamed) > 0 {
		n.add("unnamed-columns", genesis.Note, table, int64(len(unnamed)), unnamedText(unnamed))
	}
	if repeated > 0 {
		n.add("repeated-names", genesis.Warn, table, repeated, "columns have the name of another column")
	}
}

// unnamedText says which columns, by position, have no name.
func unnamedText(at []string) string {
	const shown = 5
	switch n := len(at); {
	case n == 1:
		return "column " + at[0] + " has no name in the header: it is called c" + at[0]
	case n > shown:
		at = append(at[:shown:shown], "…")
	}
	return "columns " + strings.Join(at, ", ") + " have no name in the header: they are called c and that number"
}

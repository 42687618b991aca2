package infer

import (
	"encoding/csv"
	"strings"

	"github.com/opengenesis/genesis/internal/ingest/unit"
)

// Explanation is what the lines around a table say about one of its columns.
type Explanation struct {
	Unit        string // as spelled
	Description string
}

// maxLegend bounds how many lines and columns a legend is made of.
const maxLegend = 2000

// Legend reads what the lines before and after a table say about its columns,
// by header cell. It knows two ways in which laboratories write it:
//
//	T2m: 2-m air temperature (degree Celsius)
//
// as PVGIS does below its tables, and a line of names of which some end in
// "Units", above a line of values, as the NSRDB does above its:
//
//	…,Temperature Units,Pressure Units,…
//	…,c,mbar,…
func Legend(text string) map[string]Explanation {
	out := map[string]Explanation{}
	var last []string
	n := 0
	for line := range strings.Lines(text) {
		if n++; n > maxLegend || len(out) > maxLegend {
			break
		}
		line = strings.TrimSpace(line)
		if len(line) > 64<<10 {
			continue
		}
		named(out, line)
		fields := cutFields(line)
		units(out, last, fields)
		last = fields
	}
	return out
}

// named reads "NAME: description (unit)".
func named(out map[string]Explanation, line string) {
	name, text, ok := strings.Cut(line, ":")
	text = strings.TrimSpace(text)
	if !ok || name == "" || strings.ContainsAny(name, " ,;\t\"") || len(name) > 64 || len(text) > 300 {
		return
	}
	h := unit.ReadHeader(text)
	if h.UCUM != "" && strings.HasSuffix(text, ")") {
		out[name] = Explanation{Unit: h.Spelling, Description: h.Name}
	}
}

func cutFields(line string) []string {
	r := csv.NewReader(strings.NewReader(line))
	r.LazyQuotes = true
	fields, err := r.Read()
	if err != nil || len(fields) < 2 {
		return nil
	}
	return fields
}

// units reads a line of values below a line of names that end in "Units".
func units(out map[string]Explanation, names, values []string) {
	for i, n := range names {
		name, ok := strings.CutSuffix(strings.TrimSpace(n), " Units")
		if !ok || i >= len(values) || name == "" {
			continue
		}
		spelled := strings.TrimSpace(values[i])
		if _, ok := unit.ParseFor(spelled, name); ok && spelled != "N/A" && spelled != "-" {
			out[name] = Explanation{Unit: spelled}
		}
	}
}

// Explain tells the decider what the source says about its column elsewhere
// than in its header. What the header says comes first.
func (d *Decider) Explain(e Explanation) {
	if d.raw.Unit == "" && unit.ReadHeader(d.raw.Name).UCUM == "" {
		d.raw.Unit = e.Unit
	}
	d.described = e.Description
}

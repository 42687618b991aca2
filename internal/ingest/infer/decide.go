package infer

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/ingest/unit"
)

// Decision is what a Decider decided about its column.
type Decision struct {
	Column  genesis.Column
	Reading Reading
	// Evidence holds a sentence for each line of the recipe, by the recipe's
	// key: "type", "missing", "unit", "date_form", "role", …
	Evidence map[string]string
	Findings []genesis.Finding
	// OtherForm is the other order of day and month, where every date of the column
	// fits both and the header does not say which; "" where that is plain.
	OtherForm string
	// MoreColumns are columns that reading this one yields beside it: its
	// qualifiers.
	MoreColumns []genesis.Column
}

// decision is a Decision in the making.
type decision struct {
	*Decider
	Decision
	label    string          // the column's name as it will be
	words_   []string        // the words of its name
	header   unit.Header     //
	missing  map[string]bool // words decided to be missing
	grouping int             // how its numbers are written
	coded    int64           // cells without a unit that are codes for no value
	rest     struct {        // the numbers without sentinels
		lo, hi float64
		ok     bool // there are some
		none   bool // every number is a sentinel
	}
}

// Decide says how the column is to be read. rows is the number of rows of its
// table; rows the column was not shown count as empty.
func (d *Decider) Decide(rows int64) Decision {
	c := &decision{Decider: d, missing: map[string]bool{}}
	c.Evidence = map[string]string{}
	c.header = unit.ReadHeader(d.raw.Name)
	c.label = d.label()
	c.words_ = strings.Split(c.label, "_")
	c.Column = genesis.Column{Name: c.label, Original: d.raw.Name, Role: genesis.Feature, Description: d.described}
	empty := d.counts[cEmpty] + max(0, rows-d.rows)
	switch {
	case d.raw.Typed && d.raw.Kind != format.Text:
		c.typed()
	case c.present() == 0:
		c.nothing(empty)
	default:
		c.fromText()
	}
	c.unit()
	c.meaning()
	c.role()
	c.looks()
	c.Reading.Type = c.Column.Type
	c.Column.Missing = c.Reading.Missing
	c.Column.DateForm, c.Column.Zone = c.Reading.DateForm, c.Reading.Zone
	if empty > 0 && c.present() > 0 {
		c.say("missing", join(c.Evidence["missing"], fmt.Sprintf("%s cells are empty", comma(empty))))
	}
	return c.Decision
}

// label returns the column's name in snake_case.
func (d *Decider) label() string {
	if n := Snake(d.name); n != "" && d.name != d.raw.Name {
		return n
	}
	return Names([]format.RawColumn{d.raw})[0]
}

// present counts the cells that are neither empty nor words like NA.
func (d *Decider) present() int64 {
	var n int64
	for c := cEmpty + 1; c < classes; c++ {
		n += d.counts[c]
	}
	return n - d.counts[cMissing]
}

func (c *decision) say(key, text string) { c.Evidence[key] = text }

// find adds a finding about the column.
func (c *decision) find(code string, sev genesis.Severity, count int64, s *seen, msg, hint string) *genesis.Finding {
	f := genesis.Finding{ID: code + ":" + c.label, Code: code, Severity: sev, Column: c.label, Count: count, Message: msg, Hint: hint}
	if s != nil {
		f.Rows = append(f.Rows, s.rows[:s.n]...)
	}
	c.Findings = append(c.Findings, f)
	return &c.Findings[len(c.Findings)-1]
}

// nothing decides a column without a single value.
func (c *decision) nothing(empty int64) {
	c.Column.Type = genesis.Text
	if c.header.UCUM != "" || c.raw.Unit != "" && c.unitZone() == "" {
		c.Column.Type = genesis.Float
	}
	c.takeMissing(func(string) bool { return true })
	c.say("type", "no cell has a value; the type is only a guess from the header")
	if c.rows == 0 && empty == 0 {
		return // the table has no row: that is said of it once
	}
	c.find("empty", genesis.Note, empty, nil, "the column has no value in any row", "drop it in the recipe: drop: true")
}

// takeMissing decides that the words for which is says so mean "no value".
func (c *decision) takeMissing(is func(string) bool) {
	var said []string
	for _, w := range sorted(c.Decider.missing) {
		if !is(w) {
			continue
		}
		n := c.Decider.missing[w].count
		c.missing[w] = true
		c.Reading.Missing = append(c.Reading.Missing, w)
		said = append(said, fmt.Sprintf("%s in %s", strconv.Quote(w), cells(n)))
		if spreadsheetError(strings.ToLower(w)) {
			c.find("spreadsheet-error", genesis.Warn, n, c.seen[cMissing], fmt.Sprintf("%s holds the spreadsheet error %s", cells(n), w), "repair the sheet; the cells are taken as missing")
		}
	}
	if len(said) > 0 {
		c.say("missing", strings.Join(said, ", "))
	}
}

// missingCount is how many cells hold a word decided to be missing.
func (c *decision) missingCount() (n int64) {
	for w := range c.missing {
		if t := c.Decider.missing[w]; t != nil {
			n += t.count
		}
	}
	return n
}

// fromText decides a column of text cells that has values.
func (c *decision) fromText() {
	for _, try := range []func() bool{c.asTime, c.asNumber, c.asBoolean} {
		if try() {
			return
		}
	}
	c.asText()
}

// few is how many cells of a column may be something else before the column is
// not of that type: one in twenty.
func few(others, all int64) bool { return others*20 <= all }

func cells(n int64) string {
	if n == 1 {
		return "1 cell"
	}
	return comma(n) + " cells"
}

// comma writes n with thousands separators.
func comma(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func join(a, b string) string {
	if a == "" {
		return b
	}
	return a + "; " + b
}

func sorted[T any](m map[string]T) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// number writes v as people do.
func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// named reports whether one of the words stands in the column's name.
func (c *decision) named(words ...string) bool {
	for _, w := range words {
		for _, have := range c.words_ {
			if have == w {
				return true
			}
		}
	}
	return false
}

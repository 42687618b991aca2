package genesis

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// ReportFormat is the format number of the reports this program makes.
const ReportFormat = 1

// LeastPeople is the size of the smallest group of people, or of cases of single people,
// of which a report gives a figure: of a smaller one it says that it is.
const LeastPeople = 5

// Report is what a node did in a quarter, from its audit log alone. It names no person
// and no asset.
type Report struct {
	Format      int       `json:"format"`
	Node        NodeID    `json:"node"`
	Institution string    `json:"institution"`
	Quarter     Quarter   `json:"quarter"`
	From        time.Time `json:"from"`
	Until       time.Time `json:"until"` // the end of the quarter, or now
	Complete    bool      `json:"complete"`
	Made        time.Time `json:"made"`
	Log         ReportLog `json:"log"`
	Figures     []Figure  `json:"figures"`
	Notes       []string  `json:"notes,omitempty"` // what the log does not say
}

// ReportLog is the state of the audit log from which a report was made.
type ReportLog struct {
	Origin  string `json:"origin"`
	Size    int64  `json:"size"` // of its last epoch
	Root    string `json:"root"` // base64
	Entries int64  `json:"entries"`
}

// Figure is one figure of a report, with the entries that it was counted from.
type Figure struct {
	ID      string        `json:"id"`
	Part    string        `json:"part"` // of the report
	Title   string        `json:"title"`
	What    string        `json:"what"` // what is counted, in words
	Unit    string        `json:"unit,omitempty"`
	Now     Amount        `json:"now"`
	Before  Amount        `json:"before"` // in, or at the end of, the quarter before
	Groups  []FigureGroup `json:"groups,omitempty"`
	Entries ReportEntries `json:"entries"`
}

// Amount is a number, or why there is none.
type Amount struct {
	Value   *float64 `json:"value,omitempty"`    // absent: there is nothing of which it could be said, or few
	Few     bool     `json:"few,omitempty"`      // it would be of one to four people, or cases
	AtLeast bool     `json:"at_least,omitempty"` // it is that or more: the number itself would tell of one to four people
}

// FigureGroup is a part of a figure: of one tier, field, institution.
type FigureGroup struct {
	By   string `json:"by"` // tier, field, institution, sector, kind
	Name string `json:"name"`
	Now  Amount `json:"now"`
}

// OtherGroups is the name of the group in which small ones are put together.
const OtherGroups = "others, together"

// ReportEntries are the entries of the audit log that a figure was counted from.
type ReportEntries struct {
	Count   int64    `json:"count"`
	Digest  Digest   `json:"digest"`          // of their numbers in order, in decimal, each with a line feed
	First   []int64  `json:"first,omitempty"` // their numbers, the first 100
	Queries []string `json:"queries"`         // commands that list them, among others
}

// MaxReportEntries bounds the entries that a figure lists.
const MaxReportEntries = 100

// Quarter is a quarter of a year in UTC: "2026Q4".
type Quarter string

var quarterPattern = regexp.MustCompile(`^([12][0-9]{3})Q([1-4])$`)

// QuarterOf is the quarter of a time.
func QuarterOf(t time.Time) Quarter {
	t = t.UTC()
	return Quarter(fmt.Sprintf("%04dQ%d", t.Year(), (int(t.Month())+2)/3))
}

// Span is the first moment of the quarter and that after its last. Errors: Invalid.
func (q Quarter) Span() (from, until time.Time, err error) {
	m := quarterPattern.FindStringSubmatch(string(q))
	if m == nil {
		return from, until, &Error{Op: "read quarter", Kind: Invalid, Subject: string(q), Msg: "is not a quarter", Hint: "write 2026Q4"}
	}
	year, _ := strconv.Atoi(m[1])
	quarter, _ := strconv.Atoi(m[2])
	from = time.Date(year, time.Month(3*quarter-2), 1, 0, 0, 0, 0, time.UTC)
	return from, from.AddDate(0, 3, 0), nil
}

// Before is the quarter before.
func (q Quarter) Before() Quarter {
	from, _, err := q.Span()
	if err != nil {
		return ""
	}
	return QuarterOf(from.AddDate(0, 0, -1))
}

package genesis

// Severity says what a finding asks for.
type Severity string

const (
	Note    Severity = "note"    // worth knowing
	Warn    Severity = "warn"    // probably wrong somewhere; nothing was changed without a recipe line
	Ask     Severity = "ask"     // a person must answer before the version is published
	Refusal Severity = "refusal" // these rows or cells were not taken over
)

// Finding is something prepare or inspect noticed: what, where, on what
// evidence. Findings of severity Ask wait for `genesis answer`.
type Finding struct {
	ID       string   `json:"id"`   // stable within the version: "person:email", "sentinel:power:-9999"
	Code     string   `json:"code"` // kind of finding, from docs/findings.md: "sentinel", "units-row", "encoding"
	Severity Severity `json:"severity"`
	Source   string   `json:"source,omitempty"` // file
	Table    string   `json:"table,omitempty"`
	Column   string   `json:"column,omitempty"`
	Rows     []int64  `json:"rows,omitempty"` // up to 20 source line or row numbers, from 1
	Count    int64    `json:"count,omitempty"`
	Message  string   `json:"message"`          // one sentence, no cell values of person-like columns
	Hint     string   `json:"hint,omitempty"`   // the command or recipe line that changes it
	Answer   string   `json:"answer,omitempty"` // what a person said
	By       string   `json:"by,omitempty"`     // who said it
}

// Inspection is what `genesis inspect` prints: what files are and hold, from a
// sample, with nothing stored.
type Inspection struct {
	Sources  []Source          `json:"sources"`
	Tables   []InspectionTable `json:"tables"`
	Findings []Finding         `json:"findings"`
	Sampled  bool              `json:"sampled"` // true when not every row was read
}

// InspectionTable is one table of an Inspection.
type InspectionTable struct {
	Name    string     `json:"name"`
	Rows    int64      `json:"rows"` // rows read
	Columns []Column   `json:"columns"`
	Head    [][]string `json:"head"` // the first rows, as they would be stored
}

package genesis

// Profile describes the values of a version, table by table.
type Profile struct {
	Format int            `json:"format"`
	Tables []TableProfile `json:"tables"`
}

// TableProfile describes one table.
type TableProfile struct {
	Name       string          `json:"name"`
	Rows       int64           `json:"rows"`
	Duplicates int64           `json:"duplicates"` // rows that repeat an earlier row exactly
	Target     string          `json:"target,omitempty"`
	Columns    []ColumnProfile `json:"columns"`
}

// ColumnProfile describes one column. Numbers that are estimates say so by a
// stated error; times are RFC 3339 text.
type ColumnProfile struct {
	Name  string `json:"name"`
	Count int64  `json:"count"` // values that are not missing
	Nulls int64  `json:"nulls"`
	// Distinct is exact up to 4096 distinct values, then a HyperLogLog estimate
	// (Flajolet et al. 2007) with relative standard error DistinctError.
	Distinct      int64        `json:"distinct"`
	DistinctError float64      `json:"distinct_error,omitempty"`
	Min           *float64     `json:"min,omitempty"` // numeric columns
	Max           *float64     `json:"max,omitempty"`
	Mean          *float64     `json:"mean,omitempty"`
	SD            *float64     `json:"sd,omitempty"` // sample standard deviation
	Quantiles     []Quantile   `json:"quantiles,omitempty"`
	QuantileError float64      `json:"quantile_error,omitempty"` // bound on the rank error, as a fraction
	Histogram     []Bin        `json:"histogram,omitempty"`
	Top           []ValueCount `json:"top,omitempty"` // most frequent values, at most 20; not for Person
	First         string       `json:"first,omitempty"`
	Last          string       `json:"last,omitempty"` // earliest and latest time
	Step          string       `json:"step,omitempty"` // most common difference between consecutive times: "10m0s"
	Gaps          []Gap        `json:"gaps,omitempty"` // the longest, at most 20
	GapCount      int64        `json:"gap_count,omitempty"`
	Lengths       *LengthRange `json:"lengths,omitempty"`     // text: bytes
	Association   *Association `json:"association,omitempty"` // with the target
}

// Quantile is the value below which the fraction P of values lies.
type Quantile struct {
	P     float64 `json:"p"`
	Value float64 `json:"value"`
}

// Bin is one bin of a histogram: Low ≤ value < High (≤ in the last).
type Bin struct {
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
	Count int64   `json:"count"`
}

// ValueCount is a value and how often it occurs.
type ValueCount struct {
	Value string `json:"value"`
	Count int64  `json:"count"`
}

// Gap is a stretch without rows in a column of times.
type Gap struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// LengthRange is the shortest and longest text, in bytes.
type LengthRange struct {
	Min int64 `json:"min"`
	Max int64 `json:"max"`
}

// Association says how much a column tells about the target: "pearson" (−1…1)
// between numbers, "eta2" (0…1, share of variance explained) when one is
// categorical, "cramers-v" (0…1) when both are.
type Association struct {
	Measure string  `json:"measure"`
	Value   float64 `json:"value"`
	Rows    int64   `json:"rows"`
}

// Part is where a split puts a row.
type Part uint8

const (
	Unassigned Part = iota // in no part of this split
	Train
	Validation
	Test
)

// Fold returns the part that stands for fold k, from 0.
func Fold(k int) Part { return Part(k + 1) }

// Split is a named, leak-aware assignment of the rows of a table to parts, or,
// when Folds > 0, to folds 0…Folds−1.
type Split struct {
	Name      string           `json:"name"`
	Table     string           `json:"table"`
	Kind      string           `json:"kind"` // random, group, time, stratify, import
	Column    string           `json:"column,omitempty"`
	Fractions []float64        `json:"fractions,omitempty"` // train, validation, test
	Folds     int              `json:"folds,omitempty"`
	Seed      uint64           `json:"seed"`
	Cut       []string         `json:"cut,omitempty"` // time: where validation and test begin, RFC 3339
	Counts    map[string]int64 `json:"counts"`        // rows by part
	Leaks     []LeakCheck      `json:"leaks"`
	// Assignment holds one Part per row, in row order: a zstd-compressed blob.
	Assignment Blob `json:"assignment"`
}

// LeakCheck is one way in which knowledge could pass between the parts of a
// split, and whether it does.
type LeakCheck struct {
	Name   string `json:"name"` // duplicates, group, time, target
	Passed bool   `json:"passed"`
	Detail string `json:"detail"`
}

// Verdict is the outcome of a readiness check. Unknown says that the node
// cannot tell; NotApplicable that the question does not arise.
type Verdict string

const (
	Pass          Verdict = "pass"
	Fail          Verdict = "fail"
	Unknown       Verdict = "unknown"
	NotApplicable Verdict = "not-applicable"
)

// Readiness is the report of the readiness checks of docs/readiness.md.
type Readiness struct {
	Format int     `json:"format"`
	Passed int     `json:"passed"`
	Failed int     `json:"failed"`
	Checks []Check `json:"checks"`
	Proof  *Proof  `json:"proof,omitempty"` // evidence of the last check
}

// Check is one readiness check and its outcome.
type Check struct {
	ID       string  `json:"id"`    // "unit-stated"
	Group    string  `json:"group"` // discoverable, accessible, interoperable, reusable, governed, usable-for-ai
	Verdict  Verdict `json:"verdict"`
	Evidence string  `json:"evidence"`
	Why      string  `json:"why"`           // why it matters for learning
	Fix      string  `json:"fix,omitempty"` // the command that mends it
}

// Proof is the last readiness check's evidence: a baseline network against the
// trivial predictor on held-out rows.
type Proof struct {
	Target  string  `json:"target"`
	Metric  string  `json:"metric"` // rmse, log-loss
	Net     float64 `json:"net"`
	Trivial float64 `json:"trivial"`
	Margin  float64 `json:"margin"` // (trivial − net) / trivial
	Rows    int64   `json:"rows"`   // held-out rows
	Err     string  `json:"error,omitempty"`
}

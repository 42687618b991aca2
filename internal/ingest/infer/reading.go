package infer

import "github.com/opengenesis/genesis"

// Reading says how the raw cells of a column are read as values. It is what
// the first pass decides and the second applies; in a recipe it is the text a
// person edits.
type Reading struct {
	Type genesis.Type `yaml:"type"`
	// Missing lists the spellings that mean "no value". The empty cell always
	// does. Numbers are compared as numbers, read with the column's marks or else
	// with a decimal point.
	Missing []string `yaml:"missing,omitempty,flow"`
	// Decimal is the decimal mark, "." unless stated; Thousands the separator
	// between groups of three digits, "" for none.
	Decimal   string `yaml:"decimal,omitempty"`
	Thousands string `yaml:"thousands,omitempty"`
	// DateForm is the one form of the column's times, in the letters YYYY MM DD
	// HH mm ss SSS, or "epoch-s", "epoch-ms", "epoch-us", "excel-serial".
	DateForm string `yaml:"date_form,omitempty"`
	// Zone is the zone of times that do not state one: "UTC", "+01:00", an IANA
	// name; "unstated" reads them as UTC and says so.
	Zone string `yaml:"zone,omitempty"`
	// True and False are the spellings of a boolean.
	True  []string `yaml:"true,omitempty,flow"`
	False []string `yaml:"false,omitempty,flow"`
	// CellUnits maps a unit written inside cells ("12 kW") to the column's unit.
	CellUnits []string `yaml:"cell_units,omitempty,flow"`
	// BareUnit is the unit of the cells without one in such a column; NoBareUnit sets
	// them aside. Unless stated they are in the column's unit.
	BareUnit string `yaml:"bare_unit,omitempty"`
	// Qualified says that cells may carry <, >, ≤, ≥ or ~ before the number;
	// the mark goes into a column of its own.
	Qualified bool `yaml:"qualified,omitempty"`
}

// NoBareUnit is the BareUnit of a column in which a number without a unit says nothing.
const NoBareUnit = "none"

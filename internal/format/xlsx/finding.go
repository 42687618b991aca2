package xlsx

import (
	"errors"
	"fmt"

	"github.com/opengenesis/genesis"
)

// finding is one that names a sheet and counts something in it.
func finding(source, sheet, code string, severity genesis.Severity, count int64, message, hint string) genesis.Finding {
	return genesis.Finding{ID: code + ":" + source + ":" + sheet, Code: code, Severity: severity, Source: source,
		Table: sheet, Count: count, Message: message, Hint: hint}
}

// findings reports what was seen in a sheet.
func (s *surveyed) findings(source string) []genesis.Finding {
	var out []genesis.Finding
	add := func(code string, severity genesis.Severity, count int64, message, hint string) {
		if count > 0 {
			out = append(out, finding(source, s.sheet.name, code, severity, count,
				fmt.Sprintf("sheet %q: ", s.sheet.name)+message, hint))
		}
	}
	n := func(is bool) int64 {
		if is {
			return 1
		}
		return 0
	}
	add("hidden-sheet", genesis.Warn, n(s.sheet.hidden), "it is hidden in the workbook, and was read", "name the sheets to read")
	add("empty-sheet", genesis.Note, n(len(s.blocks) == 0), "it has no values", "")
	add("hidden-rows", genesis.Warn, s.tally.hidden, fmt.Sprintf("%d hidden rows were read", s.tally.hidden), "")
	add("cell-error", genesis.Warn, s.tally.errors,
		fmt.Sprintf("%d cells hold an error such as #N/A, spelled so", s.tally.errors), "")
	add("formula-no-value", genesis.Warn, s.tally.uncached,
		fmt.Sprintf("%d formulas have no stored value and are null", s.tally.uncached),
		"open the workbook in a spreadsheet program and save it")
	add("impossible-date", genesis.Warn, s.tally.impossible,
		fmt.Sprintf("%d cells shown as dates are no date; their number was kept", s.tally.impossible), "")
	add("merged-cells", genesis.Warn, s.mergedRows,
		fmt.Sprintf("%d merged areas lie among the rows; only their first cell has the value", s.mergedRows), "")
	return out
}

func invalid(msg, hint string) error {
	return &genesis.Error{Op: "read xlsx", Kind: genesis.Invalid, Msg: msg, Hint: hint}
}

func unsupported(msg, hint string) error {
	return &genesis.Error{Op: "read xlsx", Kind: genesis.Unsupported, Msg: msg, Hint: hint}
}

// subject returns err as an error about the named source.
func subject(err error, name string) error {
	if err == nil {
		return nil
	}
	var known *genesis.Error
	if !errors.As(err, &known) {
		return &genesis.Error{Op: "read xlsx", Kind: genesis.Internal, Subject: name, Msg: "the source could not be read", Err: err}
	}
	if known.Subject != "" {
		return err
	}
	e := *known
	e.Op, e.Subject = "read xlsx", name
	return &e
}

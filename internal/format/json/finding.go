package json

import (
	"errors"
	"fmt"

	"github.com/opengenesis/genesis"
)

// Codes of findings and bad rows.
const (
	codeBad       = "bad-json"       // a line or an element that is no row
	codeSpecial   = "json-nan"       // NaN, Infinity: not JSON
	codeDuplicate = "duplicate-key"  // a key twice in one object
	codeUTF8      = "bad-utf8"       // bytes that are not UTF-8
	codePreamble  = "preamble-cut"   // more metadata than the preamble holds
	codeRagged    = "ragged-columns" // parallel arrays of unequal length
	codeMixed     = "mixed-types"    // a string where other rows have a number
	codeLate      = "late-structure" // nested records kept as JSON text
)

// note is a finding being counted.
type note struct {
	code  string
	count int64
	table string
}

var sayings = map[string]struct{ message, hint string }{
	codeSpecial:   {"%d NaN or Infinity literals, which JSON does not have; they are read as such", ""},
	codeDuplicate: {"%d keys occur twice in one object; the last value was taken", "correct the source if the first one matters"},
	codeUTF8:      {"%d strings are not UTF-8, or escape half a character; what is wrong became U+FFFD", "correct the source's encoding"},
	codePreamble:  {"values beside the tables were cut from the preamble, which holds 64 KiB (%d time)", ""},
	codeRagged:    {"%d arrays that run in parallel end early; the missing cells are null", ""},
	codeMixed:     {"%d values are of another JSON type (number, string, boolean) than the first of their column", "correct the source if they were meant alike"},
	codeBad:       {"%d rows could not be read", "the rejects table names them"},
	codeLate:      {"%d nested arrays first seen behind the sampled beginning are kept as JSON text", ""},
}

func (n note) finding(source string) genesis.Finding {
	say := sayings[n.code]
	severity := genesis.Warn
	if n.code == codeBad {
		severity = genesis.Refusal
	}
	id := n.code + ":" + source
	if n.table != "" {
		id += ":" + n.table
	}
	return genesis.Finding{ID: id, Code: n.code, Severity: severity, Source: source, Table: n.table, Count: n.count,
		Message: fmt.Sprintf(say.message, n.count), Hint: say.hint}
}

func invalid(msg, hint string) error {
	return &genesis.Error{Op: "read json", Kind: genesis.Invalid, Msg: msg, Hint: hint}
}

func unsupported(msg, hint string) error {
	return &genesis.Error{Op: "read json", Kind: genesis.Unsupported, Msg: msg, Hint: hint}
}

// subject returns err as an error about the named source.
func subject(err error, name string) error {
	var cut *endError
	if errors.As(err, &cut) {
		return &genesis.Error{Op: "read json", Kind: genesis.Invalid, Subject: name, Msg: cut.msg,
			Hint: "the file is incomplete: fetch it again"}
	}
	var known *genesis.Error
	if !errors.As(err, &known) {
		return &genesis.Error{Op: "read json", Kind: genesis.Internal, Subject: name, Msg: "the source could not be read", Err: err}
	}
	if known.Subject != "" {
		return err
	}
	e := *known
	e.Op, e.Subject = "read json", name
	return &e
}

// message returns what an error says, without its operation and subject.
func message(err error) string {
	var known *genesis.Error
	if errors.As(err, &known) {
		return known.Msg
	}
	return err.Error()
}

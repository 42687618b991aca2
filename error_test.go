package genesis

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestErrorText(t *testing.T) {
	for want, e := range map[string]*Error{
		`prepare "a.csv": row 3 is short`: {Op: "prepare", Subject: "a.csv", Msg: "row 3 is short"},
		`prepare: no files`:               {Op: "prepare", Msg: "no files"},
		`"a.csv": is damaged`:             {Subject: "a.csv", Msg: "is damaged"},
		`read "a.csv": EOF`:               {Op: "read", Subject: "a.csv", Err: io.EOF},
		`read: not-found`:                 {Op: "read", Kind: NotFound},
		`is damaged`:                      {Msg: "is damaged", Value: "secret", Err: io.EOF},
	} {
		if e.Error() != want {
			t.Errorf("error reads %s, want %s", e, want)
		}
	}
}

func TestErrorChain(t *testing.T) {
	err := fmt.Errorf("outer: %w", &Error{Op: "read", Kind: NotFound, Err: io.ErrUnexpectedEOF})
	if !errors.Is(err, &Error{Kind: NotFound}) || errors.Is(err, &Error{Kind: Invalid}) {
		t.Error("Is does not compare kinds")
	}
	if errors.Is(err, &Error{Kind: NotFound, Subject: "other"}) {
		t.Error("Is ignores the subject of its target")
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error("the cause is lost")
	}
	if KindOf(err) != NotFound || KindOf(io.EOF) != Internal || KindOf(nil) != "" {
		t.Errorf("kinds are %q, %q, %q", KindOf(err), KindOf(io.EOF), KindOf(nil))
	}
}

// TestErrorStatuses is the table that wire and shell promise.
func TestErrorStatuses(t *testing.T) {
	for kind, want := range map[ErrorKind][3]int{
		Invalid:     {422, 3, 3},
		NotFound:    {404, 4, 5},
		Gone:        {410, 4, 9},
		Exists:      {409, 5, 6},
		Private:     {404, 4, 5},
		Permission:  {403, 6, 7},
		Conflict:    {409, 5, 10},
		Unavailable: {503, 7, 14},
		Unsupported: {501, 8, 12},
		Canceled:    {499, 130, 1},
		Internal:    {500, 1, 13},
		"unheard":   {500, 1, 13},
	} {
		if got := [3]int{kind.HTTPStatus(), kind.ExitStatus(), kind.GRPCCode()}; got != want {
			t.Errorf("%s: HTTP status, exit status and gRPC code are %v, want %v", kind, got, want)
		}
	}
	if ErrorKind("").ExitStatus() != 0 || ErrorKind("").GRPCCode() != 0 {
		t.Error("success does not exit with 0")
	}
}

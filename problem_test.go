package genesis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestProblemKeepsTheError(t *testing.T) {
	for _, kind := range []ErrorKind{Invalid, NotFound, Exists, Permission, Conflict, Unavailable, Unsupported, Canceled, Internal} {
		in := &Error{Op: "prepare", Kind: kind, Subject: "x.csv", Msg: "m", Hint: "h", Value: "v"}
		b, err := json.Marshal(ProblemOf(fmt.Errorf("while reading: %w", in), true))
		if err != nil {
			t.Fatal(err)
		}
		var p Problem
		if err := json.Unmarshal(b, &p); err != nil {
			t.Fatal(err)
		}
		if got := p.Err(); *got != *in {
			t.Errorf("%s: %+v", kind, got)
		}
	}
}

// TestProblemsAreShort: an error does not repeat all of what somebody sent.
func TestProblemsAreShort(t *testing.T) {
	for _, kind := range []ErrorKind{NotFound, Private} {
		if p := ProblemOf(&Error{Op: "find", Kind: kind, Subject: strings.Repeat("x", 1<<20)}, false); len(p.Detail)+len(p.Subject) > 3*maxEcho {
			t.Errorf("%s: %d bytes", kind, len(p.Detail)+len(p.Subject))
		}
	}
	long := strings.Repeat("ä", 500_000)
	in := &Error{Op: "ask", Kind: Invalid, Subject: long, Msg: "x" + long, Hint: long, Value: long}
	b, err := json.Marshal(ProblemOf(in, true))
	if err != nil || len(b) > 32_000 || !utf8.Valid(b) || strings.Contains(string(b), `\ufffd`) {
		t.Errorf("%d bytes, %v", len(b), err)
	}
	if in.Subject != long {
		t.Error("the error itself was changed")
	}
}

func TestProblemOfOtherErrors(t *testing.T) {
	for _, c := range []struct {
		err     error
		mayRead bool
		kind    ErrorKind
		message string
	}{
		{context.Canceled, true, Canceled, "canceled"},
		{&Error{Op: "read", Kind: Internal, Err: context.Canceled}, true, Canceled, "canceled"},
		{fmt.Errorf("x: %w", context.DeadlineExceeded), true, Unavailable, "took too long"},
		{errors.New("disk on fire"), true, Internal, "disk on fire"},
		{errors.New("disk on fire"), false, Internal, "internal error; the node's log has the cause"},
		{&Error{Kind: Invalid, Err: errors.New("secret")}, false, Invalid, "invalid"},
		{&Error{Kind: Invalid, Err: errors.New("plain")}, true, Invalid, "plain"},
		{&Error{Kind: Private, Subject: "s", Msg: "not for you"}, true, NotFound, "is not here, or not for you to see"},
	} {
		p := ProblemOf(c.err, c.mayRead)
		if p.Kind != c.kind || p.Message != c.message {
			t.Errorf("%v: %+v", c.err, p)
		}
	}
}

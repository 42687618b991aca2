package main

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
)

// TestReadLine: two secrets that are piped in are two lines.
func TestReadLine(t *testing.T) {
	in := strings.NewReader("the one before\r\nthe new one\nlast")
	for _, want := range []string{"the one before", "the new one", "last", ""} {
		if got, _ := readLine(in, 100); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got, _ := readLine(strings.NewReader(strings.Repeat("x", 200)), 100); len(got) != 100 {
		t.Errorf("%d bytes of a line that does not end", len(got))
	}
}

// TestStudentIsShown: what conditions may ask of a person is shown of them.
func TestStudentIsShown(t *testing.T) {
	for student, want := range map[bool]int{true: 2, false: 0} {
		var b bytes.Buffer
		p := &printer{w: bufio.NewWriter(&b)}
		printAccount(p, genesis.Account{Subject: "ada", Student: student})
		printPrincipal(p, genesis.Principal{Subject: "ada", Node: "mit", Student: student})
		p.w.Flush()
		if n := strings.Count(b.String(), "student"); n != want {
			t.Errorf("%d times in\n%s", n, &b)
		}
	}
}

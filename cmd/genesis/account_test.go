package main

import (
	"strings"
	"testing"
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

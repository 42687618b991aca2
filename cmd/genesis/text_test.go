package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/opengenesis/genesis"
)

// TestReadText: what people have to read and accept is text.
func TestReadText(t *testing.T) {
	path := filepath.Join(t.TempDir(), "terms.txt")
	for text, want := range map[string]genesis.ErrorKind{"Müller\n": "", "M\xfcller\n": genesis.Invalid} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := readText("read agreement", path); genesis.KindOf(err) != want || err == nil && got != text {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

package genesis_test

import (
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
)

func TestCheckParts(t *testing.T) {
	for name, want := range map[string]bool{
		"model.safetensors": true, "a": true, "A_1-b.onnx": true, strings.Repeat("a", 100): true, "console.json": true, "comment.txt": true,
		"": false, ".": false, "..": false, ".hidden": false, "a/b": false, `a\b`: false, "a b": false, "a\x00": false, "a\n": false, "é": false, "a:b": false,
		"-rf": false, "model.": false, strings.Repeat("a", 101): false, "nul": false, "CON.txt": false, "com1.bin": false, "Lpt9": false, "\u202ea": false,
	} {
		if err := genesis.CheckPart(name); (err == nil) != want {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := genesis.CheckParts([]string{"a.bin", "b.bin"}); err != nil {
		t.Error(err)
	}
	if err := genesis.CheckParts([]string{"a.bin", "A.BIN"}); genesis.KindOf(err) != genesis.Invalid {
		t.Errorf("the same file where case does not count: %v", err)
	}
}

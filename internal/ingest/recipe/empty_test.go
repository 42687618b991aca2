package recipe

import (
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
)

// TestEmptyEntries holds that entries without content are refused with their
// line, wherever they stand.
func TestEmptyEntries(t *testing.T) {
	for text, want := range map[string]string{
		"format: 1\ntables:\n  -\n": "line 2: an entry of tables is empty",
		"format: 1\ntables:\n  - name: t\n    columns:\n      - ~\n      - {source: a, name: a}\n": "line 4: an entry of columns is empty",
		"format: 1\ntables:\n  - name: t\n    rules: [null]\n":                                     "line 4: an entry of rules is empty",
		"format: 1\nsplits:\n  -\n": "line 2: an entry of splits is empty",
	} {
		if _, err := Parse([]byte(text)); genesis.KindOf(err) != genesis.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

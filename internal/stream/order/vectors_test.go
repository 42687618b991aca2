package order

import (
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
)

// TestVectors holds this package to the vectors of docs/streams.md.
func TestVectors(t *testing.T) {
	doc, err := os.ReadFile("../../../docs/streams.md")
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile("(?m)^\\| (full|block) \\| (\\d+) \\| (\\d+) \\| (\\d+) \\| (\\d+) \\| (\\S*) ?\\| `([0-9a-f]{16})` \\| (\\d+) \\| (.*) \\|$")
	found := line.FindAllStringSubmatch(string(doc), -1)
	if len(found) != 6 {
		t.Fatalf("%d vectors", len(found))
	}
	number := func(s string) uint64 {
		n, err := strconv.ParseUint(s, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, v := range found {
		s := spec(genesis.StreamMode(v[1]), number(v[4]), int(number(v[3])))
		s.Epoch, s.Split = number(v[5]), v[6]
		if s.Split != "" {
			s.Assignment = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
		}
		o, err := New(s, int64(number(v[2])))
		if err != nil {
			t.Fatal(err)
		}
		rows := make([]uint64, 8)
		o.Fill(rows, int64(number(v[8])))
		if key, got := o.Key(), strings.Trim(strings.ReplaceAll(fmt.Sprint(rows), " ", ", "), "[]"); hex.EncodeToString(key[:8]) != v[7] || got != v[9] {
			t.Errorf("%s\n has key %x and rows %s", v[0], key[:8], got)
		}
	}
}

package text

import (
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis/internal/format"
)

// TestHostile reads inputs made to cost much; the bound is ten times what they
// take.
func TestHostile(t *testing.T) {
	head := "a,b\n1,2\n3,4\n"
	tests := map[string]string{
		"rows of one cell":     head + strings.Repeat("x\n", 1<<18),
		"blank between":        head + strings.Repeat("\nx\n", 1<<17),
		"blank, then words":    head + strings.Repeat("\nx,y\n", 1<<17),
		"quotes only":          head + strings.Repeat("\"", 1<<18),
		"quotes on lines":      head + strings.Repeat("\"\n", 1<<18),
		"pairs that stay open": head + "\"a\n" + strings.Repeat("\"\"\n", 1<<17),
		"open on each line":    head + strings.Repeat("1,\"a\n", 1<<17),
		"open twice a line":    head + strings.Repeat("1,\"a\"\"\n", 1<<17),
		"delimiters only":      strings.Repeat(",", 90_000) + "\n" + strings.Repeat(",", 90_000) + "\n",
		"line ends only":       strings.Repeat("\n", 1<<20),
		"widths that vary":     strings.Repeat("1\n1,2\n1,2,3\n1,2,3,4\n", 1<<15),
		"headers again":        strings.Repeat("a,b\n1,2\n", 1<<16),
		"blocks again":         strings.Repeat("a,b\n1,2\n2,3\n3,4\n\n", 1<<10),
		"one long line":        strings.Repeat("x", 4<<20),
	}
	for name, in := range tests {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, err := readAll(t, memory([]byte(in)), format.Options{Limits: format.Limits{Batch: 64 << 10}})
			if took := time.Since(start); took > 10*time.Second {
				t.Errorf("took %v", took)
			} else {
				t.Log(took, len(in), err)
			}
		})
	}
}

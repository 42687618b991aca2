package infer

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestFindingsAreDocumented holds the codes in this package against
// docs/findings.md.
func TestFindingsAreDocumented(t *testing.T) {
	doc, err := os.ReadFile("../../../docs/findings.md")
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob("*.go")
	codes := regexp.MustCompile(`\.find\("([a-z-]+[a-z])"`)
	n := 0
	for _, f := range files {
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range codes.FindAllStringSubmatch(string(src), -1) {
			if n++; !strings.Contains(string(doc), "`"+m[1]+"`") {
				t.Errorf("%s: the finding %q is not in docs/findings.md", f, m[1])
			}
		}
	}
	if n < 20 {
		t.Errorf("only %d findings were met in the source", n)
	}
}

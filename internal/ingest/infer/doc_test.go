package infer

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestFindingsAreDocumented holds the codes of all findings in the source
// against docs/findings.md.
func TestFindingsAreDocumented(t *testing.T) {
	const root = "../../../"
	doc, err := os.ReadFile(root + "docs/findings.md")
	if err != nil {
		t.Fatal(err)
	}
	const code = `"([a-z0-9]+(?:-[a-z0-9]+)*)"`
	codes := regexp.MustCompile(`\.find\(` + code + `|` + code + `, (?:[a-z]+, )?genesis\.(?:Note|Warn|Ask|Refusal)\b|\bCode: +` + code + `|\bcode[A-Z]\w* += ` + code + `|\.Code(?:, \S+)? = ` + code)
	met := map[string]bool{}
	read := func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		src, err := os.ReadFile(path)
		for _, m := range codes.FindAllStringSubmatch(string(src), -1) {
			found := strings.Join(m[1:], "")
			if met[found] = true; !strings.Contains(string(doc), "`"+found+"`") {
				t.Errorf("%s: the finding %q is not in docs/findings.md", path, found)
			}
		}
		return err
	}
	for _, dir := range []string{"internal/ingest", "internal/format", "internal/work"} {
		if err := filepath.WalkDir(root+dir, read); err != nil {
			t.Fatal(err)
		}
	}
	if len(met) < 60 {
		t.Errorf("only %d findings were met in the source", len(met))
	}
}

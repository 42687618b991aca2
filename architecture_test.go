package genesis_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// TestArchitectureNamesEveryPackage holds ARCHITECTURE.md against the tree:
// every folder with Go code has its line, and no line speaks of a folder that
// is gone.
func TestArchitectureNamesEveryPackage(t *testing.T) {
	b, err := os.ReadFile("ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	if n := strings.Count(text, "\n"); n > 300 {
		t.Errorf("ARCHITECTURE.md has %d lines; 300 is the most", n)
	}
	for dir := range packages(t) {
		if !strings.Contains(text, "| `"+dir+"` |") && !strings.Contains(text, "`"+path.Base(dir)+"`") {
			t.Errorf("no line for %s", dir)
		}
	}
	for _, line := range strings.Split(text, "\n") {
		if dir, ok := strings.CutPrefix(line, "| `"); ok {
			dir, _, _ = strings.Cut(dir, "`")
			if info, err := os.Stat(filepath.FromSlash(dir)); err != nil || !info.IsDir() {
				t.Errorf("%s has a line and does not exist", dir)
			}
		}
	}
}

// TestEveryPackageIsExplained wants a package comment of more than one line for
// every package, in the file doc.go where it has one.
func TestEveryPackageIsExplained(t *testing.T) {
	for dir, files := range packages(t) {
		explained := false
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			head, _, ok := strings.Cut(string(b), "\npackage ")
			explained = explained || ok && strings.Contains(head, "// Package ") || dir == "cmd/genesis" && strings.HasPrefix(string(b), "// ")
		}
		if !explained {
			t.Errorf("%s has no package comment", dir)
		}
	}
}

// packages returns the Go files of every folder of this module that has some.
func packages(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (name == "test" || name == "testdata" || name == ".git" || name == "bin"):
			return fs.SkipDir
		case strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go"):
			dir := filepath.ToSlash(filepath.Dir(name))
			out[dir] = append(out[dir], name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

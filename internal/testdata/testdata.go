// Package testdata finds the folder of real laboratory files that tests read.
// The files are not part of the repository: tests that need them are skipped
// where the folder is absent, and fail instead when GENESIS_TEST_REQUIRE names
// "data".
package testdata

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Dir returns the data folder: $GENESIS_TEST_DATA, else the folder shared/data
// beside the repository or one of its parents.
func Dir(t testing.TB) string {
	t.Helper()
	if dir, ok := Find(); ok {
		return dir
	}
	Missing(t, "data", "set GENESIS_TEST_DATA to the folder of laboratory files")
	return ""
}

// Find is Dir without a test.
func Find() (string, bool) {
	if dir := os.Getenv("GENESIS_TEST_DATA"); dir != "" {
		return dir, isDir(dir)
	}
	dir, err := os.Getwd()
	for err == nil {
		candidate := filepath.Join(dir, "shared", "data")
		if isDir(candidate) {
			return candidate, true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			break
		}
		dir = parent
	}
	return "", false
}

// Missing ends a test that needs a service which is not there: it fails when
// GENESIS_TEST_REQUIRE (a comma-separated list) names the service, and is
// skipped otherwise.
func Missing(t testing.TB, service, hint string) {
	t.Helper()
	for _, name := range strings.Split(os.Getenv("GENESIS_TEST_REQUIRE"), ",") {
		if strings.TrimSpace(name) == service {
			t.Fatalf("%s is required by GENESIS_TEST_REQUIRE and was not found: %s", service, hint)
		}
	}
	t.Skipf("%s was not found: %s", service, hint)
}

// Holding returns the files below a folder that hold a text, as it stands in UTF-8: after
// something was forgotten or purged there is none.
func Holding(t testing.TB, dir, text string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte(text)) {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

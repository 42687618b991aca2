package node

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
)

func mustHome(t *testing.T, path string) *Home {
	t.Helper()
	h, err := OpenHome(path)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestHomeIsMade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b")
	h := mustHome(t, path)
	for _, want := range []string{h.Blobs(), h.Journal(), h.Keys(), h.Temp(), filepath.Join(path, "config.yaml")} {
		if _, err := os.Stat(want); err != nil {
			t.Error(err)
		}
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o700 {
		t.Errorf("mode is %v", info.Mode())
	}
	if diff := cmp.Diff(defaults(), h.Config); diff != "" {
		t.Errorf("a new home has other than the default configuration: %s", diff)
	}
	write(t, filepath.Join(path, "config.yaml"), "node: nrel\n")
	if h := mustHome(t, path); h.Config.Node != "nrel" {
		t.Error("opening a home again changed its configuration")
	}
}

func TestHomeMadeByManyAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "home")
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := OpenHome(path); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	entries, _ := os.ReadDir(path)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".genesis-") {
			t.Errorf("%s was left behind", e.Name())
		}
	}
}

func TestHomeRefused(t *testing.T) {
	for _, c := range []struct {
		name, file, text string
		kind             genesis.ErrorKind
		says             string
	}{
		{"newer", "format", "2\n", genesis.Unsupported, "newer Genesis"},
		{"no number", "format", "one\n", genesis.Invalid, "format number"},
		{"empty format", "format", "", genesis.Invalid, "format number"},
		{"someone's folder", "thesis.tex", "", genesis.Invalid, "other files"},
		{"bad configuration", "config.yaml", "nodes: x\n", genesis.Invalid, "line 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, c.file), c.text)
			_, err := OpenHome(dir)
			if genesis.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v", err)
			}
			if _, err := os.Stat(filepath.Join(dir, "blobs")); c.file == "thesis.tex" && err == nil {
				t.Error("the folder was changed")
			}
		})
	}
}

func TestDefaultHome(t *testing.T) {
	t.Setenv("GENESIS_HOME", "")
	t.Setenv("XDG_DATA_HOME", "")
	t.Setenv("HOME", "/home/ada")
	check := func(want string) {
		t.Helper()
		if got, err := DefaultHome(); err != nil || got != want {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
	check("/home/ada/.local/share/genesis")
	t.Setenv("XDG_DATA_HOME", "relative") // to be ignored, says the XDG specification
	check("/home/ada/.local/share/genesis")
	t.Setenv("XDG_DATA_HOME", "/data")
	check("/data/genesis")
	t.Setenv("GENESIS_HOME", "/g")
	check("/g")
}

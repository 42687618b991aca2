package node

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/work/run"
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
	if diff := cmp.Diff(Config{Node: "local", Memory: DefaultMemory}, h.Config); diff != "" {
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

func TestConfig(t *testing.T) {
	for _, c := range []struct {
		text string
		want Config
		says string // of the error
	}{
		{text: "", want: Config{Node: "local", Memory: DefaultMemory}},
		{text: configTemplate, want: Config{Node: "local", Memory: DefaultMemory}},
		{text: "node: nrel\nmemory: 2GiB\nthreads: 4\nlimits: {columns: 7, row: 1MiB, depth: 3, expansion: 9, members: 2}",
			want: Config{Node: "nrel", Memory: 2 << 30, Threads: 4, Limits: format.Limits{Columns: 7, RowBytes: 1 << 20, Depth: 3, Expansion: 9, Members: 2}}},
		{text: "runs: {concurrent: 3, queue: 7, memory: 2GiB, time: 90m}",
			want: Config{Node: "local", Memory: DefaultMemory, Runs: run.Limits{Concurrent: 3, Queue: 7, Memory: 2 << 30, Time: 90 * time.Minute}}},
		{text: "runs: {memory: 1MB}", says: "runs.memory: is not between"},
		{text: "runs: {time: 5}", says: "runs.time"},
		{text: "runs: {time: -5h}", says: "runs.time"},
		{text: "runs: {queue: -1}", says: "negative"},
		{text: "memory: lots", says: "memory: is not a size"},
		{text: "memory: 1KB", says: "memory: is not between"},
		{text: "node: NREL", says: "node:"},
		{text: "threads: -1", says: "negative"},
		{text: "threads: many", says: "line 1"},
		{text: "node: x\n\nmemry: 1GB", says: "line 3"},
		{text: "limits: {row: 3TB}", says: "limits.row"},
		{text: "- a\n- b", says: "line 1"},
	} {
		got, err := parseConfig("config.yaml", []byte(c.text))
		if c.says != "" {
			if genesis.KindOf(err) != genesis.Invalid || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%q: %v", c.text, err)
			}
			continue
		}
		if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
			t.Errorf("%q: %v %s", c.text, err, diff)
		}
	}
}

// TestTemplateSpellsDefaults: the commented keys of a new config.yaml, with the
// comment signs taken away, say what holds without them.
func TestTemplateSpellsDefaults(t *testing.T) {
	text := ""
	for line := range strings.Lines(configTemplate) {
		if line = strings.TrimPrefix(line, "# "); strings.Contains(line, ": ") || strings.HasPrefix(line, "limits:") || strings.HasPrefix(line, "runs:") {
			if !strings.HasPrefix(line, "Configuration") {
				text += line
			}
		}
	}
	got, err := parseConfig("template", []byte(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	want := Config{Node: "local", Memory: DefaultMemory, Limits: format.Limits{}.WithDefaults(), Runs: run.Limits{Queue: 100, Time: 24 * time.Hour}}
	want.Limits.Batch = 0
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
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

func FuzzConfig(f *testing.F) {
	f.Add([]byte(configTemplate))
	f.Add([]byte("memory: 512MB\nlimits: {row: 1MiB}"))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := parseConfig("config.yaml", b)
		if err == nil && (c.Memory < 1 || c.Node == "" || c.Threads < 0) {
			t.Errorf("%q gives %+v", b, c)
		}
	})
}

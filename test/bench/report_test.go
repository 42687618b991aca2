package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestOneSectionIsReplaced(t *testing.T) {
	const a, b, c = "## a\n\nold a\n\n### more\n\n", "## ab\n\nold b\n\n", "## c\n\nold c\n\n"
	for _, test := range []struct{ name, was, section, want string }{
		{"first", "# Top\n\n" + a + b + c, "## a\n\nnew\n\n", "# Top\n\n## a\n\nnew\n\n" + b + c},
		{"between", "# Top\n\n" + a + b + c, "## ab\n\nnew\n\n", "# Top\n\n" + a + "## ab\n\nnew\n\n" + c},
		{"last", "# Top\n\n" + a + b + c, "## c\n\nnew\n\n", "# Top\n\n" + a + b + "## c\n\nnew\n\n"},
		{"new", "# Top\n\n" + a, "## d\n\nnew\n\n", "# Top\n\n" + a + "## d\n\nnew\n\n"},
		{"no line feed at the end", "# Top\n\n## a\n\nold a", "## d\n\nnew\n\n", "# Top\n\n## a\n\nold a\n\n## d\n\nnew\n\n"},
		{"a file of it alone", a, "## a\n\nnew\n\n", "## a\n\nnew\n\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := replaceSection(test.was, test.section); got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestWriteKeepsTheOtherSections(t *testing.T) {
	out := filepath.Join(t.TempDir(), "benchmarks.md")
	write := func(only, text, want string) {
		t.Helper()
		if err := (config{out: out, only: only}).write("# Top\n\n", text); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(out)
		if err != nil || string(got) != want {
			t.Fatalf("-only %q: got %q, %v, want %q", only, got, err, want)
		}
	}
	write("memory", "## memory\n\n1\n\n", "# Top\n\n## memory\n\n1\n\n") // no file yet
	write("", "## prepare\n\n1\n\n## memory\n\n2\n\n", "# Top\n\n## prepare\n\n1\n\n## memory\n\n2\n\n")
	write("prepare", "## prepare\n\n3\n\n", "# Top\n\n## prepare\n\n3\n\n## memory\n\n2\n\n")
}

func TestOnlyNamesASection(t *testing.T) {
	if err := (config{only: "streams"}).check(); err != nil {
		t.Error(err)
	}
	if err := (config{only: "stream"}).check(); err == nil {
		t.Error("a section that does not exist was accepted")
	}
	if err := (config{peers: filepath.Join(t.TempDir(), "none")}).check(); err == nil {
		t.Error("peers that are not installed were not missed")
	}
}

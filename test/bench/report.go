package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// check says before anything is measured whether there is a section of the name
// that is wanted, and what it needs that was not installed.
func (c config) check() error {
	if c.only == "" || c.only == "loaders" {
		if _, err := os.Stat(c.peers); err != nil {
			return fmt.Errorf("%w: make bench-peers installs the loaders to compare with", err)
		}
	}
	if c.only == "" {
		return nil
	}
	var names []string
	for _, part := range parts {
		if part.name == c.only {
			return nil
		}
		names = append(names, part.name)
	}
	return fmt.Errorf("-only %s: there are %s", c.only, strings.Join(names, ", "))
}

// write writes the whole report, or puts the one section that was measured in
// its place in the file that is there.
func (c config) write(heading, text string) error {
	if c.out == "" {
		fmt.Print(heading, text)
		return nil
	}
	report := heading + text
	if c.only != "" {
		was, err := os.ReadFile(c.out)
		switch {
		case err == nil:
			report = replaceSection(string(was), text)
		case !errors.Is(err, fs.ErrNotExist):
			return err
		}
	}
	return os.WriteFile(c.out, []byte(report), 0o644)
}

// replaceSection puts a section, which begins with its heading, in the place of
// the one with the same heading; at the end, if there is none.
func replaceSection(report, section string) string {
	title, _, _ := strings.Cut(section, "\n")
	report = strings.TrimRight(report, "\n") + "\n\n"
	before, after, found := strings.Cut("\n"+report, "\n"+title+"\n")
	if !found {
		return report + section
	}
	rest := ""
	if i := strings.Index("\n"+after, "\n## "); i >= 0 {
		rest = after[i:]
	}
	return strings.TrimPrefix(before+"\n", "\n") + section + rest
}

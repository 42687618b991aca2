package main

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
)

// reportMarkdown writes a report as a page that is read as it stands.
func reportMarkdown(w io.Writer, r *genesis.Report) error {
	b := bufio.NewWriter(w)
	line := func(format string, args ...any) { fmt.Fprintf(b, format+"\n", args...) }
	line("# %s, %s", plainText(title(r)), r.Quarter)
	line("")
	line("%s. Made %s from the audit log `%s` with %s; root `%s`.", periodText(r), r.Made.Format(time.RFC3339), r.Log.Origin, plural(r.Log.Entries, "entry"), r.Log.Root)
	line("It names no person and no asset. Groups and medians are of what everybody in a federation may know of, all else is counted in sums.")
	for _, note := range r.Notes {
		line("")
		line("> %s", plainText(note))
	}
	for _, part := range parts(r) {
		line("")
		line("## %s", part[0].Part)
		line("")
		line("| | %s | %s | change |", r.Quarter, r.Quarter.Before())
		line("|---|---:|---:|---:|")
		for _, f := range part {
			line("| %s | %s | %s | %s |", f.Title, amountText(f.Now, f.Unit), amountText(f.Before, f.Unit), changeText(f))
		}
		for _, f := range part {
			for _, groups := range groupsBy(f) {
				line("")
				line("| %s by %s | |", f.Title, groups[0].By)
				line("|---|---:|")
				for _, g := range groups {
					line("| %s | %s |", plainText(g.Name), amountText(g.Now, f.Unit))
				}
			}
		}
	}
	line("")
	line("## Where the figures come from")
	for _, f := range r.Figures {
		line("")
		line("**%s.** %s %s: %s; digest `%s`.", capital(f.Title), f.What, capital(plural(f.Entries.Count, "entry")), fallback(numbers(f.Entries), "none"), f.Entries.Digest)
		for _, q := range f.Entries.Queries {
			line("")
			line("    %s", q)
		}
	}
	return b.Flush()
}

// title names whose report it is.
func title(r *genesis.Report) string {
	if r.Institution == "" || r.Institution == string(r.Node) {
		return string(r.Node)
	}
	return r.Institution + " (" + string(r.Node) + ")"
}

func fallback(s, none string) string {
	if s == "" {
		return none
	}
	return s
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// plainText keeps a text from being taken for anything but text.
func plainText(s string) string {
	return strings.NewReplacer("\\", "\\\\", "|", "\\|", "<", "&lt;", ">", "&gt;", "&", "&amp;", "`", "\\`", "*", "\\*", "_", "\\_", "[", "\\[", "]", "\\]", "#", "\\#", "!", "\\!").Replace(clean(s))
}

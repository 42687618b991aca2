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
	fmt.Fprintf(b, "# %s, %s\n\n", plainText(title(r)), plainText(string(r.Quarter)))
	fmt.Fprintf(b, "%s. Made %s from the audit log %s with %s; root %s.\n", periodText(r), r.Made.Format(time.RFC3339), codeText(r.Log.Origin), entriesText(r.Log.Entries), codeText(r.Log.Root))
	fmt.Fprintln(b, "It names no person and no asset. Groups and medians are of what everybody in a federation may know of, all else is counted in sums.")
	for _, note := range r.Notes {
		fmt.Fprintf(b, "\n> %s\n", plainText(note))
	}
	for _, part := range parts(r) {
		fmt.Fprintf(b, "\n## %s\n\n| | %s | %s | change |\n|---|---:|---:|---:|\n", plainText(part[0].Part), plainText(string(r.Quarter)), r.Quarter.Before())
		for _, f := range part {
			fmt.Fprintf(b, "| %s | %s | %s | %s |\n", plainText(f.Title), amountText(f.Now, f.Unit), amountText(f.Before, f.Unit), changeText(f))
		}
		for _, f := range part {
			for _, groups := range groupsBy(f) {
				groupsMarkdown(b, f, groups)
			}
		}
	}
	fmt.Fprintf(b, "\n## Where the figures come from\n\nThe figures of %s are those of its own report, which has their entries:\n\n    genesis report --quarter %s\n", r.Quarter.Before(), r.Quarter.Before())
	for _, f := range r.Figures {
		fmt.Fprintf(b, "\n**%s.** %s %s: %s; digest %s.\n\n", plainText(capital(f.Title)), plainText(f.What), capital(entriesText(f.Entries.Count)), fallback(numbers(f.Entries), "none"), codeText(string(f.Entries.Digest)))
		for _, q := range f.Entries.Queries {
			fmt.Fprintf(b, "    %s\n", clean(q))
		}
	}
	return b.Flush()
}

// groupsMarkdown writes the parts of a figure.
func groupsMarkdown(b io.Writer, f genesis.Figure, groups []genesis.FigureGroup) {
	fmt.Fprintf(b, "\n| %s by %s | |\n|---|---:|\n", plainText(f.Title), plainText(groups[0].By))
	for _, g := range groups {
		fmt.Fprintf(b, "| %s | %s |\n", plainText(g.Name), amountText(g.Now, f.Unit))
	}
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

// codeText is a text as it stands, set as code.
func codeText(s string) string { return "`" + strings.ReplaceAll(clean(s), "`", "'") + "`" }

// entriesText writes a number of entries.
func entriesText(n int64) string {
	if n == 1 {
		return "1 entry"
	}
	return count(n) + " entries"
}

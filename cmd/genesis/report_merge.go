package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
)

// maxReport is how long a report may be that is put together with others: it comes from
// another node.
const maxReport = 16 << 20

// merge puts reports together that lie in files.
func (cmd *reportCmd) merge(a *app) error {
	var all []*genesis.Report
	for _, path := range cmd.Merge {
		if len(all) == genesis.MaxMerged {
			return &genesis.Error{Op: "merge reports", Kind: genesis.Invalid, Subject: path, Msg: fmt.Sprintf("is one more than the %d that can be put together", genesis.MaxMerged)}
		}
		r, err := readReport(path)
		if err != nil {
			return err
		}
		if cmd.Quarter != "" && r.Quarter != cmd.Quarter {
			return &genesis.Error{Op: "merge reports", Kind: genesis.Invalid, Subject: path, Msg: fmt.Sprintf("is of %.20q", r.Quarter), Hint: "name reports of " + string(cmd.Quarter)}
		}
		all = append(all, r)
	}
	m, err := genesis.MergeReports(all)
	if err != nil {
		return err
	}
	a.result = m
	write := map[string]func(io.Writer, *genesis.MergedReport) error{"md": mergedMarkdown, "json": reportJSON[*genesis.MergedReport], "html": mergedHTML}[cmd.Format]
	return a.writeOut("report", cmd.Out, func(w io.Writer) error { return write(w, m) })
}

// readReport reads the report of a node.
func readReport(path string) (*genesis.Report, error) {
	fail := func(kind genesis.ErrorKind, msg string, err error) (*genesis.Report, error) {
		return nil, &genesis.Error{Op: "merge reports", Kind: kind, Subject: path, Msg: msg, Hint: "its node makes it: genesis report --format json --out FILE", Err: err}
	}
	f, err := os.Open(path)
	if err != nil {
		return fail(genesis.NotFound, "cannot be read", err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxReport+1))
	switch {
	case err != nil:
		return fail(genesis.Invalid, "cannot be read", err)
	case len(b) > maxReport:
		return fail(genesis.Invalid, fmt.Sprintf("is longer than %s", bytesText(maxReport)), nil)
	}
	var r genesis.Report
	if err := json.Unmarshal(b, &r); err != nil {
		return fail(genesis.Invalid, "is no report of a node in JSON", err)
	}
	return &r, nil
}

// mergedTitle says whose report it is.
func mergedTitle(m *genesis.MergedReport) string {
	return plural(int64(len(m.Nodes)), "institution") + ", " + string(m.Quarter)
}

// mergedPeriod says of which time a report is.
func mergedPeriod(m *genesis.MergedReport) string {
	from, until, err := m.Quarter.Span()
	if err != nil {
		return ""
	}
	text := from.Format(time.DateOnly) + " to " + until.Add(-1).Format(time.DateOnly) + ", UTC"
	if !m.Complete {
		text += "; so far"
	}
	return text
}

// mergedMarkdown writes the report of several nodes as a page.
func mergedMarkdown(w io.Writer, m *genesis.MergedReport) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "# %s\n\n%s. It names no person and no asset, and knows no more than the reports of these nodes do.\n\n| node | institution | up to | audit log |\n|---|---|---|---|\n", mergedTitle(m), mergedPeriod(m))
	for _, n := range m.Nodes {
		until := n.Until.Format(time.RFC3339)
		if !n.Complete {
			until += ", so far"
		}
		fmt.Fprintf(b, "| %s | %s | %s | %s, %s; root %s |\n", plainText(string(n.Node)), plainText(n.Institution), until, plainText(n.Log.Origin), entriesText(n.Log.Entries), plainText(n.Log.Root))
	}
	for _, note := range m.Notes {
		fmt.Fprintf(b, "\n> %s\n", plainText(note))
	}
	for _, part := range mergedParts(m) {
		fmt.Fprintf(b, "\n## %s\n", plainText(part[0].Part))
		mergedHead(b, m, "", "together", string(m.Quarter.Before()))
		for _, f := range part {
			mergedRow(b, f.Title, f.Unit, f.Nodes, f.Together, f.Before)
		}
		for _, f := range part {
			for _, groups := range mergedGroups(f) {
				mergedHead(b, m, f.Title+" by "+groups[0].By, "together")
				for _, g := range groups {
					mergedRow(b, g.Name, f.Unit, g.Nodes, g.Together)
				}
			}
		}
	}
	fmt.Fprint(b, "\n## What is counted\n")
	for _, f := range m.Figures {
		fmt.Fprintf(b, "\n**%s.** %s\n", plainText(capital(f.Title)), plainText(f.What))
	}
	return b.Flush()
}

// mergedHead begins a table with a column for each node.
func mergedHead(b io.Writer, m *genesis.MergedReport, columns ...string) {
	for _, n := range m.Nodes {
		columns = append(columns, string(n.Node))
	}
	line := "\n|"
	for _, c := range columns {
		line += " " + plainText(c) + " |"
	}
	fmt.Fprintf(b, "%s\n|---|%s\n", line, strings.Repeat("---:|", len(columns)-1))
}

// mergedRow is a line of it: sums first, then what each node has.
func mergedRow(b io.Writer, name, unit string, nodes []genesis.Amount, sums ...genesis.Amount) {
	line := "| " + plainText(name) + " |"
	for _, a := range append(sums, nodes...) {
		line += " " + amountText(a, unit) + " |"
	}
	fmt.Fprintln(b, line)
}

// mergedParts are the figures by part, in the order in which parts come first.
func mergedParts(m *genesis.MergedReport) (all [][]genesis.MergedFigure) {
	at := map[string]int{}
	for _, f := range m.Figures {
		k, there := at[f.Part]
		if !there {
			k, at[f.Part] = len(all), len(all)
			all = append(all, nil)
		}
		all[k] = append(all[k], f)
	}
	return all
}

// mergedGroups are the groups of a figure, by what they are grouped.
func mergedGroups(f genesis.MergedFigure) [][]genesis.MergedGroup {
	return together(f.Groups, func(g genesis.MergedGroup) string { return g.By })
}

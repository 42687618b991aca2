package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

// nasty is a text that means something to a browser, to Markdown and to a terminal.
const nasty = "</td><script>alert(1)</script> | `code` **b** [x](http://x) \x1b[2J\nline &amp;"

// nastyReport is the report of a node that means no good.
func nastyReport() *genesis.Report {
	n := 12.0
	f := genesis.Figure{ID: nasty, Part: nasty, Title: nasty, What: nasty, Unit: nasty, Now: genesis.Amount{Value: &n}, Before: genesis.Amount{Few: true},
		Groups:  []genesis.FigureGroup{{By: nasty, Name: nasty, Now: genesis.Amount{Value: &n}}, {By: nasty, Name: "b", Now: genesis.Amount{Few: true}}},
		Entries: genesis.ReportEntries{Count: 200, Digest: nasty, First: []int64{1, 2}, Queries: []string{nasty}}}
	return &genesis.Report{Node: nasty, Institution: nasty, Quarter: "2026Q4", From: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), Until: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC),
		Complete: true, Log: genesis.ReportLog{Origin: nasty, Root: nasty, Entries: 1}, Figures: []genesis.Figure{f, f}, Notes: []string{nasty}}
}

// TestReportsAreHarmless: whatever a node writes into a report, it is text to who reads it.
func TestReportsAreHarmless(t *testing.T) {
	var page, md bytes.Buffer
	if err := reportHTML(&page, nastyReport()); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"<script", "\x1b", "href=", "src=", "url("} {
		if strings.Contains(page.String(), bad) {
			t.Errorf("the page has %q:\n%s", bad, page.String())
		}
	}
	if !strings.Contains(page.String(), `width="300" height="18"`) || !strings.HasSuffix(page.String(), "</html>\n") {
		t.Errorf("%s", page.String())
	}
	if err := reportMarkdown(&md, nastyReport()); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(md.String(), "\x1b") {
		t.Error("an escape sequence reaches the terminal")
	}
	for line := range strings.Lines(md.String()) {
		plain := strings.ReplaceAll(strings.ReplaceAll(line, "\\|", ""), "\\`", "")
		switch {
		case strings.HasPrefix(line, "    "), strings.Contains(line, "from the audit log"), strings.HasPrefix(line, "**"):
		case strings.Contains(plain, "<script"), strings.Contains(plain, "`"), strings.HasPrefix(line, "line"):
			t.Errorf("not text: %q", line)
		case strings.HasPrefix(line, "|") && strings.Count(plain, "|") != 5 && strings.Count(plain, "|") != 3:
			t.Errorf("a row has %d bars: %q", strings.Count(plain, "|"), line)
		}
	}
}

// TestReportFormat: the name of the file says the format, and never another than is written.
func TestReportFormat(t *testing.T) {
	for _, x := range []struct {
		format, out string
		json        bool
		want, wrong string
	}{
		{"", "-", false, "md", ""},
		{"", "q.html", false, "html", ""},
		{"", "v.JSON", false, "json", ""},
		{"", "q.md", false, "md", ""},
		{"", "q.txt", false, "md", ""},
		{"html", "q.out", false, "html", ""},
		{"json", "q.json", false, "json", ""},
		{"", "-", true, "json", ""},
		{"md", "q.html", false, "", "its name ends as html does, and --format md asks for md"},
		{"", "q.html", true, "", "its name ends as html does, and --json asks for json"},
	} {
		cmd := reportCmd{Format: x.format, Out: x.out}
		err := cmd.settle(x.json)
		if x.wrong == "" && (err != nil || cmd.Format != x.want) || x.wrong != "" && (genesis.KindOf(err) != genesis.Invalid || !strings.Contains(err.Error(), x.wrong)) {
			t.Errorf("%+v: %q, %v", x, cmd.Format, err)
		}
	}
}

// TestAmounts: numbers stand with their units, and what is not told says why.
func TestAmounts(t *testing.T) {
	for want, x := range map[string]struct {
		v    float64
		unit string
	}{"12,345": {12345, "people"}, "2.0 KiB": {2048, "bytes"}, "88.9 %": {88.88, "percent"}, "3.0 days": {3, "days"}, "1.0 days": {1, "days"}, "12.0 h": {0.5, "days"}, "14m24s": {0.01, "days"}, "8.6 s": {0.0001, "days"}, "2m30s": {150.5, "seconds"}, "2.0 h": {7200, "seconds"}} {
		if got := amountText(genesis.Amount{Value: &x.v}, x.unit); got != want {
			t.Errorf("%v %s is %q", x.v, x.unit, got)
		}
	}
	if got := amountText(genesis.Amount{Few: true}, "people"); got != "fewer than 5" {
		t.Error(got)
	}
	if got := amountText(genesis.Amount{Value: new(12345.0), AtLeast: true}, "people"); got != "12,345 or more" {
		t.Error(got)
	}
	if got := amountText(genesis.Amount{}, "days"); got != "none" {
		t.Error(got)
	}
	now, before := 5.0, 7.0
	for _, x := range []struct {
		want string
		f    genesis.Figure
	}{
		{"−2", genesis.Figure{Now: genesis.Amount{Value: &now}, Before: genesis.Amount{Value: &before}}},
		{"-2.0 points", genesis.Figure{Unit: "percent", Now: genesis.Amount{Value: &now}, Before: genesis.Amount{Value: &before}}},
		{"the same", genesis.Figure{Now: genesis.Amount{Value: &now}, Before: genesis.Amount{Value: &now}}},
		{"", genesis.Figure{Now: genesis.Amount{Few: true}, Before: genesis.Amount{Value: &now}}},
		{"", genesis.Figure{Now: genesis.Amount{Value: &now, AtLeast: true}, Before: genesis.Amount{Value: &before}}},
	} {
		if got := changeText(x.f); got != x.want {
			t.Errorf("%q, want %q", got, x.want)
		}
	}
	var b bytes.Buffer
	if err := reportJSON(&b, nastyReport()); err != nil || !json.Valid(b.Bytes()) {
		t.Error(err)
	}
}

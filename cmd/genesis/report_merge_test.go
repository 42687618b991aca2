package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
)

// TestMergedReports: reports of several nodes become one, and whatever a node writes into
// its own, it is text to who reads it.
func TestMergedReports(t *testing.T) {
	dir := t.TempDir()
	file := func(node genesis.NodeID, change func(*genesis.Report)) string {
		r := nastyReport()
		r.Format, r.Node, r.Log.Origin, r.Figures = genesis.ReportFormat, node, genesis.AuditOrigin(node, 1), r.Figures[:1]
		change(r)
		b, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, string(node)+".json")
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	nothing := func(*genesis.Report) {}
	files := []string{file("mit", nothing), file("nrel", nothing)}
	run := func(cmd *reportCmd) (string, error) {
		var out bytes.Buffer
		cmd.Out = "-"
		err := cmd.Run(&app{ctx: t.Context(), out: &out, err: &out})
		return out.String(), err
	}
	md, err := run(&reportCmd{Format: "md", Merge: files})
	if err != nil || !strings.Contains(md, "# 2 institutions, 2026Q4") || !strings.Contains(md, "| 24 | 2 or more | 12 | 12 |") || strings.Contains(md, "\x1b") {
		t.Errorf("%v\n%s", err, md)
	}
	for line := range strings.Lines(md) {
		plain := strings.ReplaceAll(strings.ReplaceAll(line, "\\|", ""), "\\`", "")
		if strings.Contains(plain, "<script") || strings.Contains(plain, "`") || strings.HasPrefix(line, "line") {
			t.Errorf("not text: %q", line)
		}
	}
	page, err := run(&reportCmd{Format: "html", Merge: files})
	if err != nil || !strings.Contains(page, `<td class="n">24</td>`) || !strings.Contains(page, "<style>") || !strings.HasSuffix(page, "</html>\n") {
		t.Errorf("%v\n%s", err, page)
	}
	for _, bad := range []string{"<script", "\x1b", "href=", "src=", "url("} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	text, err := run(&reportCmd{Format: "json", Merge: files})
	var m genesis.MergedReport
	if err != nil || json.Unmarshal([]byte(text), &m) != nil || len(m.Nodes) != 2 || *m.Figures[0].Together.Value != 24 {
		t.Errorf("%v\n%s", err, text)
	}
	long := filepath.Join(dir, "long")
	if err := os.WriteFile(long, bytes.Repeat([]byte(" "), maxReport+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, cmd := range map[string]*reportCmd{
		"not there":       {Merge: []string{filepath.Join(dir, "nothing")}},
		"too long":        {Merge: []string{long}},
		"no report":       {Merge: []string{"report.html"}},
		"twice":           {Merge: []string{files[0], files[0]}},
		"another quarter": {Merge: files, Quarter: "2026Q3"},
	} {
		cmd.Format = "md"
		if out, err := run(cmd); err == nil || out != "" {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

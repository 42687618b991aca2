package main

import (
	"embed"
	"html/template"
	"io"

	"github.com/opengenesis/genesis"
)

//go:embed report.html merged.html
var quarterPages embed.FS

// barWidth is the width of the longest bar.
const barWidth = 300

var quarterTemplates = template.Must(template.New("").Funcs(template.FuncMap{
	"amount": amountText, "change": changeText, "parts": parts, "groups": groupsBy, "title": title, "period": periodText, "numbers": numbers,
	"capital": capital, "clean": clean, "label": label, "bar": bar, "count": count, "times": func(i, n int) int { return i * n },
	"mergedParts": mergedParts, "mergedGroups": mergedGroups, "mergedTitle": mergedTitle, "mergedPeriod": mergedPeriod,
}).ParseFS(quarterPages, "*.html"))

// reportHTML writes a report as one file that asks for nothing from elsewhere.
func reportHTML(w io.Writer, r *genesis.Report) error {
	return quarterTemplates.ExecuteTemplate(w, "report.html", r)
}

// mergedHTML is reportHTML of several nodes.
func mergedHTML(w io.Writer, m *genesis.MergedReport) error {
	return quarterTemplates.ExecuteTemplate(w, "merged.html", m)
}

// bar is how long the bar of a group is beside the longest of all.
func bar(all []genesis.FigureGroup, g genesis.FigureGroup) int {
	most := 0.0
	for _, one := range all {
		if one.Now.Value != nil {
			most = max(most, *one.Now.Value)
		}
	}
	if g.Now.Value == nil || most <= 0 {
		return 0
	}
	return max(1, int(barWidth**g.Now.Value/most))
}

// label is a text that fits beside its bar.
func label(s string) string {
	const most = 34
	all := []rune(clean(s))
	if len(all) <= most {
		return string(all)
	}
	return string(all[:most-1]) + "…"
}

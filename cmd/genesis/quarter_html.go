package main

import (
	"embed"
	"html/template"
	"io"

	"github.com/opengenesis/genesis"
)

//go:embed quarter.html
var quarterPage embed.FS

// barWidth is the width of the longest bar.
const barWidth = 300

var quarterTemplate = template.Must(template.New("quarter.html").Funcs(template.FuncMap{
	"amount": amountText, "change": changeText, "parts": parts, "groups": groupsBy, "title": title, "period": periodText, "numbers": numbers,
	"capital": capital, "clean": clean, "label": label, "bar": bar, "count": count, "times": func(i, n int) int { return i * n },
}).ParseFS(quarterPage, "quarter.html"))

// reportHTML writes a report as one file that asks for nothing from elsewhere.
func reportHTML(w io.Writer, r *genesis.Report) error { return quarterTemplate.Execute(w, r) }

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

package main

import (
	"strings"

	"github.com/rivo/uniseg"
)

// table prints rows in aligned columns. A head that begins with ">" is set flush right.
type table struct {
	head []string
	rows [][]cell
}

// cell is text and the terminal code that colours it.
type cell struct{ text, code string }

func newTable(head ...string) *table { return &table{head: head} }

// row adds a row of plain cells.
func (t *table) row(texts ...string) {
	cells := make([]cell, len(texts))
	for i, text := range texts {
		cells[i] = cell{text: text}
	}
	t.add(cells...)
}

func (t *table) add(cells ...cell) {
	for i := range cells {
		cells[i].text = clean(cells[i].text)
	}
	t.rows = append(t.rows, cells)
}

// print writes the table, indented by two; columns without any text are left
// out, and on a terminal the last one is cut to fit.
func (t *table) print(p *printer) {
	widths := t.widths()
	if t.hasHead() {
		head := make([]cell, len(t.head))
		for i, h := range t.head {
			head[i] = cell{clean(strings.TrimPrefix(h, ">")), codeDim}
		}
		t.printRow(p, head, widths)
	}
	for _, row := range t.rows {
		t.printRow(p, row, widths)
	}
}

func (t *table) hasHead() bool { return strings.Join(t.head, "") != "" }

// widths returns the width of each column; 0 for one that no row uses.
func (t *table) widths() []int {
	widths := make([]int, len(t.head))
	for _, row := range t.rows {
		for i, c := range row {
			widths[i] = max(widths[i], width(c.text))
		}
	}
	for i, h := range t.head {
		if widths[i] > 0 {
			widths[i] = max(widths[i], width(strings.TrimPrefix(h, ">")))
		}
	}
	return widths
}

func (t *table) printRow(p *printer, row []cell, widths []int) {
	var b strings.Builder
	used := 0
	for i, c := range row {
		if widths[i] == 0 {
			continue
		}
		b.WriteString("  ")
		used += 2
		text := c.text
		if p.width > 0 && used+width(text) > p.width {
			text = cut(text, p.width-used)
		}
		blank := strings.Repeat(" ", widths[i]-min(widths[i], width(text)))
		if strings.HasPrefix(t.head[i], ">") {
			b.WriteString(blank + p.style.paint(c.code, text))
		} else {
			b.WriteString(p.style.paint(c.code, text) + blank)
		}
		used += widths[i]
	}
	p.line("%s", strings.TrimRight(b.String(), " "))
}

func width(s string) int { return uniseg.StringWidth(s) }

// pad fills s with blanks to n columns.
func pad(s string, n int) string { return s + strings.Repeat(" ", max(0, n-width(s))) }

// cut shortens s to at most n columns.
func cut(s string, n int) string {
	if width(s) <= n {
		return s
	}
	if n < 1 {
		return ""
	}
	var b strings.Builder
	used := 0
	for g := uniseg.NewGraphemes(s); g.Next(); {
		if used += g.Width(); used > n-1 {
			break
		}
		b.WriteString(g.Str())
	}
	return b.String() + "…"
}

package xlsx

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// heading is what stands above the rows of a block.
type heading struct {
	from     int      // the sheet's row at which the data begins
	names    []string // of the columns; "" where there is none
	units    []string // from a row of units; nil without one
	preamble []sampleRow
}

// options of finding a heading: "", "auto", "none", or the sheet's row.
type headerOption string

func (o headerOption) row() int { n, _ := strconv.Atoi(string(o)); return n }

// decide finds the heading of a block among its first rows.
func (n *block) decide(merges []area, option headerOption) {
	width := n.width()
	n.head = heading{from: n.row0, names: make([]string, width)}
	at := n.headerRow(option)
	if at < 0 {
		n.skipTitles(option)
		return
	}
	merged := n.spread(merges)
	first, last := n.levels(at, merged)
	n.head.preamble = n.sample[:first]
	n.head.from = n.sample[last].number + 1
	rows := n.sample[first : last+1]
	if u := last + 1; n.unitsAt(u, merged) {
		n.head.units = make([]string, width)
		for _, c := range n.sample[u].cells {
			n.head.units[c.col-n.col0] = unitText(c.text)
		}
		n.head.from = n.sample[u].number + 1
	}
	for c := range width {
		n.head.names[c] = joined(rows, n.col0+c, merged)
	}
}

func (n *block) width() int { return n.col1 - n.col0 + 1 }

// headerRow returns the index in the sample of the row that names the columns:
// the first that fills most of them with text. −1 when data comes first.
func (n *block) headerRow(option headerOption) int {
	if option == "none" {
		return -1
	}
	for i, r := range n.sample {
		if wanted := option.row(); wanted > 0 {
			if r.number == wanted {
				return i
			}
			continue
		}
		numeric := r.numeric()
		if numeric == 0 && 5*len(r.cells) >= 3*n.usedColumns() && (i+1 < len(n.sample) || i == 0) {
			return i
		}
		if numeric > 0 && 2*len(r.cells) >= n.usedColumns() {
			if r.years(n) && i+1 < len(n.sample) {
				return i
			}
			return -1
		}
	}
	return -1
}

// usedColumns counts the columns that have cells.
func (n *block) usedColumns() int {
	used := 0
	for c := n.col0; c <= n.col1; c++ {
		if n.numbers[c]+n.texts[c] > 0 {
			used++
		}
	}
	return used
}

func (r sampleRow) numeric() int {
	count := 0
	for _, c := range r.cells {
		if c.numeric {
			count++
		}
	}
	return count
}

// years reports whether a row names columns by text and rising years: Country,
// 2001, 2002.
func (r sampleRow) years(n *block) bool {
	if len(r.cells) != n.usedColumns() || r.cells[0].numeric {
		return false
	}
	last, count := 0, 0
	for _, c := range r.cells {
		if !c.numeric {
			if count > 0 {
				return false
			}
			continue
		}
		year, err := strconv.Atoi(c.text)
		if err != nil || year <= last || year < 1500 || year > 2200 {
			return false
		}
		last, count = year, count+1
	}
	return count > 1
}

// skipTitles makes the rows before the first data row of a block without a
// header its preamble.
func (n *block) skipTitles(option headerOption) {
	for i, r := range n.sample {
		if option == "none" || r.numeric() > 0 || 2*len(r.cells) >= n.usedColumns() {
			n.head.preamble, n.head.from = n.sample[:i], r.number
			return
		}
	}
}

// levels returns the first and last row of a header of several levels around
// row at.
func (n *block) levels(at int, merged merging) (first, last int) {
	const most = 6
	first, last = at, at
	for first > 0 && at-first < most && n.groups(first-1, merged) {
		first--
	}
	for last+2 < len(n.sample) && last-at < most && !n.unitsAt(last+1, merged) && n.aboveNumbers(last+1, 2) {
		last++
	}
	return first, last
}

// groups reports whether a row above the header groups its columns: it has
// cells merged over several columns, though not a title over all of them, or
// several texts.
func (n *block) groups(i int, merged merging) bool {
	r := n.sample[i]
	for c := n.col0; c <= n.col1; c++ {
		m, ok := merged[place{r.number, c}]
		wide := m.col1 > m.col0 && (len(r.cells) > 1 || 10*(m.col1-m.col0+1) < 9*n.width())
		tall := m.row1 > m.row0 && len(r.cells) > 1
		if ok && (wide || tall) {
			return true
		}
	}
	const several = 3
	return len(r.cells) >= several && r.numeric() == 0
}

// aboveNumbers reports whether row i of the sample is text, in at least fewest
// cells, most of them over columns of numbers: it belongs to the header.
func (n *block) aboveNumbers(i, fewest int) bool {
	if i >= len(n.sample)-1 || n.sample[i].numeric() > 0 {
		return false
	}
	over := 0
	for _, c := range n.sample[i].cells {
		if n.numbersBelow(i, c.col) {
			over++
		}
	}
	return over >= fewest && 5*over >= 3*len(n.sample[i].cells)
}

// numbersBelow reports whether a column holds mostly numbers below row i of
// the sample.
func (n *block) numbersBelow(i, col int) bool {
	numbers, texts := 0, 0
	for _, r := range n.sample[i+1:] {
		if c, ok := r.at(col); ok && c.numeric {
			numbers++
		} else if ok {
			texts++
		}
	}
	return numbers > texts
}

// unitsAt reports whether row i of the sample gives the units of the columns.
// It does not where it tells columns apart that share a merged header.
func (n *block) unitsAt(i int, merged merging) bool {
	if !n.aboveNumbers(i, 1) {
		return false
	}
	units := 0
	for _, c := range n.sample[i].cells {
		if statistics[strings.ToLower(c.text)] || merged.wide(n.sample[i-1].number, c.col) {
			return false
		}
		if looksLikeUnit(c.text) {
			units++
		}
	}
	return units > 0 && 3*units >= 2*len(n.sample[i].cells)
}

// statistics are short headers that are no units.
var statistics = map[string]bool{"mean": true, "median": true, "avg": true, "average": true, "sd": true, "std": true,
	"se": true, "sem": true, "min": true, "max": true, "n": true, "count": true, "value": true, "error": true, "low": true,
	"high": true, "start": true, "end": true, "x": true, "y": true, "z": true}

// looksLikeUnit reports whether a text over numbers reads as a unit: brackets
// around it, or short and without a space between words.
func looksLikeUnit(s string) bool {
	const longest = 12
	s = strings.TrimSpace(s)
	if inner := unitText(s); inner != s {
		return utf8.RuneCountInString(inner) <= 2*longest
	}
	return s != "" && utf8.RuneCountInString(s) <= longest && len(strings.Fields(s)) <= 2 && !strings.HasSuffix(s, ":")
}

// unitText takes the brackets off a unit.
func unitText(s string) string {
	s = strings.TrimSpace(s)
	for _, pair := range []string{"()", "[]"} {
		if len(s) > 2 && s[0] == pair[0] && s[len(s)-1] == pair[1] {
			return strings.TrimSpace(s[1 : len(s)-1])
		}
	}
	return s
}

// place is a cell of a sheet; merging says which merged area places lie in.
type (
	place   struct{ row, col int }
	merging map[place]area
)

// wide reports whether a cell is merged over several columns.
func (m merging) wide(row, col int) bool {
	a, ok := m[place{row, col}]
	return ok && a.col1 > a.col0
}

// spread returns the merged cells among the first rows of the block. An area
// that overlaps another, which no program makes, is left where they meet, so
// that the work is bounded by the cells.
func (n *block) spread(merges []area) merging {
	out := make(merging)
	for _, m := range merges {
		for _, r := range n.sample {
			if m.row0 > r.number || r.number > m.row1 {
				continue
			}
			for c := max(m.col0, n.col0); c <= min(m.col1, n.col1); c++ {
				if _, taken := out[place{r.number, c}]; taken {
					break
				}
				out[place{r.number, c}] = m
			}
		}
	}
	return out
}

// joined returns the name of a column: the texts of its header rows, those of
// merged cells spread over their columns, each once.
func joined(rows []sampleRow, col int, merged merging) string {
	var parts []string
	for _, r := range rows {
		at := place{r.number, col}
		if m, ok := merged[at]; ok {
			at = place{m.row0, m.col0}
		}
		part := strings.Join(strings.Fields(textAt(rows, at)), " ")
		if part != "" && (len(parts) == 0 || parts[len(parts)-1] != part) {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, " ")
}

func textAt(rows []sampleRow, at place) string {
	for _, r := range rows {
		if r.number == at.row {
			c, _ := r.at(at.col)
			return c.text
		}
	}
	return ""
}

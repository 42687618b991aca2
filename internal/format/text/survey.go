package text

import (
	"bytes"
	"strconv"
	"strings"
)

// row is one row under survey.
type row struct {
	cells [][]byte
	raw   []byte
	line  int64
	flags flag
}

// skip reports rows that say nothing about the layout.
func (r row) skip() bool { return r.flags&(blank|comment) != 0 }

// layout is how one block of rows is laid out, by index into the window that
// was surveyed.
type layout struct {
	headers  []int // rows of the header, top first; nil: none
	units    int   // row of units, or −1
	body     int   // first row of data
	width    int   // cells of a row of data
	columns  []column
	ragged   bool // rows of several widths, all numbers, without a header
	shifted  bool // the header lacks a name for the first column
	tooShort bool // the header names more columns than rows have cells
}

// column is what the survey knows about a column.
type column struct {
	name, unit string
	class      class // number, time or word: what most cells are; emptyCell: none has content
}

// survey finds the first block of rows in the window.
type survey struct {
	rows   []row
	single bool // one column
	header string
	line   int64 // of the header, when it was asked for
	blanks bool  // white space separates cells
	mark   byte  // comment mark
	split  byte  // delimiter
}

// find returns the layout of the window's first block; false if there is none.
func (s *survey) find() (layout, bool) {
	if s.line > 0 {
		return s.asked()
	}
	width := s.mode(0)
	if width == 0 {
		return layout{}, false
	}
	start := s.start(width)
	if s.header == "none" {
		return s.headerless(start, width), true
	}
	if l, ok := s.early(start, width); ok {
		return l, true
	}
	return s.block(start, len(s.rows), width), true
}

// headerless lays out rows of the width without looking for a header.
func (s *survey) headerless(start, width int) layout {
	l := layout{units: -1, body: start, width: width, columns: make([]column, width)}
	s.classes(s.run(start, len(s.rows), width), l.columns)
	s.raggedness(&l)
	s.trim(&l, len(s.rows))
	return l
}

// mode returns the most common number of cells from row from on.
func (s *survey) mode(from int) int {
	counts := map[int]int{}
	width := 0
	for _, r := range s.rows[from:] {
		n := len(r.cells)
		if r.flags != 0 || n < 2 && !s.single {
			continue
		}
		counts[n]++
		if counts[n] > counts[width] || counts[n] == counts[width] && n > width {
			width = n
		}
	}
	return width
}

// wideRow is from how many cells on two rows of the common width do not follow
// each other by chance.
const wideRow = 4

// start returns the first row of the given width after which most rows are.
func (s *survey) start(width int) int {
	first := -1
	for i := range s.rows {
		if s.rows[i].flags != 0 || len(s.rows[i].cells) != width {
			continue
		}
		if first < 0 {
			first = i
		}
		seen, same := 0, 0
		for j := i; j < len(s.rows) && seen < 5; j++ {
			if s.rows[j].skip() {
				continue
			}
			seen++
			if len(s.rows[j].cells) == width {
				same++
			}
			if seen == 2 && same == 2 && width >= wideRow {
				return i
			}
		}
		if same*10 >= seen*6 {
			return i
		}
	}
	return max(first, 0)
}

// early finds a smaller table that stands before the main one: at least four
// rows of equal width, with a header that its columns tell apart from the data.
func (s *survey) early(before, width int) (layout, bool) {
	for i := 0; i < before; {
		end := s.runEnd(i, before)
		n := len(s.rows[i].cells)
		if end-i >= 4 && n >= 2 && n != width && s.rows[i].flags == 0 {
			if l := s.block(i, end, n); len(l.headers) > 0 && l.typed() && l.body < end {
				return l, true
			}
		}
		i = max(end, i+1)
	}
	return layout{}, false
}

// runEnd returns where the run of rows of equal width that begins at i ends.
func (s *survey) runEnd(i, limit int) int {
	n := len(s.rows[i].cells)
	for i < limit && s.rows[i].flags == 0 && len(s.rows[i].cells) == n {
		i++
	}
	return i
}

// typed reports whether a column of the block holds numbers or times.
func (l layout) typed() bool {
	for _, c := range l.columns {
		if c.class == numberCell || c.class == timeCell {
			return true
		}
	}
	return false
}

// block lays out the rows of one width from start on.
func (s *survey) block(start, end, width int) layout {
	run := s.run(start, end, width)
	l := layout{units: -1, width: width, columns: make([]column, width)}
	s.classes(run, l.columns)
	first := s.firstData(run, l.columns)
	switch {
	case first == 0 && s.yearsHeader(run, l.columns):
		s.takeNames(run[0], &l)
	case first > 0:
		s.headerAbove(run[:first], &l)
		l.body = run[first]
		if n := len(l.headers); n > 0 {
			// Rows below the header belong to the data, whatever they look like.
			l.body = max(l.headers[n-1], l.units) + 1
		}
	default:
		l.body = run[0]
		if !s.headerElsewhere(run, &l) {
			s.headerFirst(run, &l)
		}
	}
	if len(l.headers) == 0 {
		s.raggedness(&l)
	}
	s.trim(&l, end)
	return l
}

// run returns the rows of the given width from start on.
func (s *survey) run(start, end, width int) []int {
	var run []int
	for i := start; i < end; i++ {
		if s.rows[i].flags == 0 && len(s.rows[i].cells) == width {
			run = append(run, i)
		}
	}
	return run
}

// classes decides what most cells of each column are, from the later two thirds
// of the run: headers and metadata stand at its beginning.
func (s *survey) classes(run []int, cols []column) {
	tail := run[len(run)/3:]
	if len(run) > 1 && len(tail) == len(run) {
		tail = run[1:]
	}
	if len(tail) > 1 && tail[0] == run[1] && onlyUnits(s.rows[tail[0]].cells) {
		tail = tail[1:]
	}
	for j := range cols {
		var n [wordCell + 1]int
		for _, i := range tail {
			n[classify(s.rows[i].cells[j])]++
		}
		numbers, times, words := n[numberCell], n[timeCell], n[wordCell]
		total := numbers + times + words
		switch {
		case total == 0 && n[missingCell] > 0:
			cols[j].class = missingCell
		case total == 0:
			cols[j].class = emptyCell
		case numbers*10 >= total*6:
			cols[j].class = numberCell
		case (times+numbers)*10 >= total*6 && times > 0:
			cols[j].class = timeCell
		default:
			cols[j].class = wordCell
		}
	}
}

// firstData returns the index in run of the first row that fits the classes.
func (s *survey) firstData(run []int, cols []column) int {
	for k, i := range run {
		if fits, typed := compatible(s.rows[i].cells, cols); !typed || fits {
			return k
		}
	}
	return 0
}

// compatible reports whether a row's cells are of their columns' classes, and
// whether the columns have classes to tell by.
func compatible(cells [][]byte, cols []column) (fits, typed bool) {
	seen, good := 0, 0
	for j, c := range cols {
		if c.class != numberCell && c.class != timeCell || j >= len(cells) {
			continue
		}
		typed = true
		switch classify(cells[j]) {
		case numberCell, timeCell:
			seen++
			good++
		case wordCell:
			seen++
		}
	}
	return seen > 0 && good*10 >= seen*6, typed
}

// yearsHeader recognises a first row like "id,2019,2020,2021": years as names
// of columns of numbers or of nothing, beside a word over another column. Rows
// of data may begin with such years too; then more than one does.
func (s *survey) yearsHeader(run []int, cols []column) bool {
	if len(run) < 2 || !yearsAscend(s.rows[run[0]].cells, cols) {
		return false
	}
	for _, i := range run[1:] {
		if yearsAscend(s.rows[i].cells, cols) {
			return false
		}
	}
	return true
}

// yearsAscend reports whether cells are words and at least two years, each
// later than the one before.
func yearsAscend(cells [][]byte, cols []column) bool {
	words, years, last := 0, 0, 0
	for j, cell := range cells {
		b := bytes.TrimSpace(cell)
		switch classify(b) {
		case wordCell:
			words++
		case numberCell:
			year, err := strconv.Atoi(string(b))
			if err != nil || year <= last || year < 1500 || year > 2200 || cols[j].class == wordCell {
				return false
			}
			last = year
			years++
		default:
			return false
		}
	}
	return words > 0 && years > 1
}

// headerAbove takes the header, and a row of units, from the rows of the run
// that stand before its first row of data.
func (s *survey) headerAbove(above []int, l *layout) {
	for k := len(above) - 1; k >= 0; k-- {
		r := s.rows[above[k]]
		units := unitsOver(r.cells, l.columns)
		if !units && !headerLike(r.cells, l.columns) {
			continue
		}
		if k > 0 && (units || unitsRow(r.cells) && !wordsBelow(r.cells, l.columns)) && headerLike(s.rows[above[k-1]].cells, l.columns) {
			l.units = above[k]
			for j, c := range r.cells {
				l.columns[j].unit = unitSpelling(c)
			}
			k--
		} else if !headerLike(r.cells, l.columns) {
			continue
		} else {
			k = s.namesAbove(above, k, l.columns)
		}
		r = s.rows[above[k]]
		l.headers = []int{above[k]}
		names := trimmedCells(r.cells)
		s.stacked(above[:k], l, names)
		for j, n := range names {
			l.columns[j].name = n
		}
		return
	}
}

// namesAbove returns which row above row k, or k itself, is the header: where k
// holds numbers among its words, or lacks a cell, as does data with a word in a
// column of numbers, the next row above that has a name for each column and no
// number is.
func (s *survey) namesAbove(above []int, k int, cols []column) int {
	for up := k; up >= 0; up-- {
		cells := s.rows[above[up]].cells
		if !holdsValue(cells, cols) && !lacksCell(cells, cols) {
			if up < k && wordsOnly(cells) && headerLike(cells, cols) && unclear(trimmedCells(cells)) == 0 {
				return up
			}
			return k
		}
	}
	return k
}

// holdsValue reports whether a cell over a column of numbers or times is one.
func holdsValue(cells [][]byte, cols []column) bool {
	for j, c := range cells {
		if k := classify(c); j < len(cols) && cols[j].class == k && (k == numberCell || k == timeCell) {
			return true
		}
	}
	return false
}

// lacksCell reports whether a cell is empty beside the first, which R leaves without a
// name, over a column with content.
func lacksCell(cells [][]byte, cols []column) bool {
	for j := 1; j < min(len(cols), len(cells)); j++ {
		if cols[j].class != emptyCell && len(bytes.TrimSpace(cells[j])) == 0 {
			return true
		}
	}
	return false
}

// wordsBelow reports whether all cells that have content stand over columns of
// words: letters there are no units.
func wordsBelow(cells [][]byte, cols []column) bool {
	for j, c := range cells {
		if len(bytes.TrimSpace(c)) > 0 && j < len(cols) && cols[j].class != wordCell {
			return false
		}
	}
	return true
}

// unitsOver reports whether all cells that have content are units, and one of
// them stands over a column of numbers.
func unitsOver(cells [][]byte, cols []column) bool {
	over := false
	for j, c := range cells {
		b := bytes.TrimSpace(c)
		switch {
		case len(b) == 0 || string(b) == "-":
		case !unitLike(b):
			return false
		case j < len(cols) && cols[j].class == numberCell && classify(b) == wordCell:
			over = true
		}
	}
	return over
}

// takeNames makes row i the header.
func (s *survey) takeNames(i int, l *layout) {
	l.headers, l.body = []int{i}, i+1
	for j, name := range trimmedCells(s.rows[i].cells) {
		l.columns[j].name = name
	}
}

// headerLike reports whether cells read as names: words, for at least half of
// the columns that have content.
func headerLike(cells [][]byte, cols []column) bool {
	words, filled, used := 0, 0, 0
	for j, c := range cells {
		if j < len(cols) && cols[j].class != emptyCell {
			used++
		}
		switch k := classify(c); k {
		case emptyCell, missingCell:
		case wordCell:
			words++
			filled++
		default:
			if unitLike(c) {
				words++
			}
			filled++
		}
	}
	return filled > 0 && words*10 >= filled*6 && filled*2 >= used
}

// unitsRow reports whether the cells are units: most that have content are, and
// they are not all the same word.
func unitsRow(cells [][]byte) bool {
	units, filled, plain := 0, 0, 0
	for _, c := range cells {
		b := bytes.TrimSpace(c)
		if len(b) == 0 {
			continue
		}
		filled++
		if unitLike(b) {
			units++
		}
		if string(b) == "-" || string(b) == "1" {
			units++
			plain++
		}
	}
	return units > plain && units*10 >= filled*6
}

// onlyUnits reports whether all cells that have content are units.
func onlyUnits(cells [][]byte) bool {
	for _, c := range cells {
		if b := bytes.TrimSpace(c); len(b) > 0 && string(b) != "-" && !unitLike(b) {
			return false
		}
	}
	return true
}

// unitSpelling is a cell of a row of units; "-" says that there is none.
func unitSpelling(cell []byte) string {
	u := strings.TrimSpace(string(cell))
	if len(u) > 2 && (u[0] == '[' && u[len(u)-1] == ']' || u[0] == '(' && u[len(u)-1] == ')') {
		u = u[1 : len(u)-1]
	}
	if u == "-" || u == "--" {
		return ""
	}
	return u
}

func trimmedCells(cells [][]byte) []string {
	out := make([]string, len(cells))
	for j, c := range cells {
		out[j] = strings.TrimSpace(string(c))
	}
	return out
}

// stacked joins further rows of the header, from below up, as long as they
// tell apart names that are repeated or missing.
func (s *survey) stacked(above []int, l *layout, names []string) {
	for k := len(above) - 1; k >= 0 && len(l.headers) < 4; k-- {
		if above[k] != l.headers[0]-1 {
			return
		}
		upper := trimmedCells(s.rows[above[k]].cells)
		joined, ok := joinNames(upper, names)
		if !ok || !wordsOnly(s.rows[above[k]].cells) {
			return
		}
		copy(names, joined)
		l.headers = append([]int{above[k]}, l.headers...)
	}
}

// joinNames puts the names of an upper row before those of a lower one. A name
// of the upper row spans the empty cells to its right. It reports false when
// that makes no name clearer.
func joinNames(upper, lower []string) ([]string, bool) {
	out := make([]string, len(lower))
	group, groups := "", 0
	for j := range lower {
		if upper[j] != "" {
			group = upper[j]
			groups++
		}
		out[j] = strings.TrimSpace(group + " " + lower[j])
		if lower[j] == "" && upper[j] == "" {
			out[j] = ""
		}
	}
	return out, groups >= 2 && unclear(out) < unclear(lower)
}

// unclear counts names that are missing or repeated.
func unclear(names []string) int {
	seen := map[string]int{}
	n := 0
	for _, name := range names {
		seen[name]++
		if name == "" || seen[name] > 1 {
			n++
		}
	}
	return n
}

func wordsOnly(cells [][]byte) bool {
	for _, c := range cells {
		if k := classify(c); k == numberCell || k == timeCell {
			return false
		}
	}
	return true
}

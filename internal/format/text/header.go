package text

import (
	"bytes"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// headerElsewhere looks for the header in the row just above the data when it
// has another number of cells: without a name for the first column, as R
// writes it; with blanks inside names; behind a comment mark; longer than rows.
func (s *survey) headerElsewhere(run []int, l *layout) bool {
	for i := run[0] - 1; i >= 0; i-- {
		r := s.rows[i]
		if r.flags&blank != 0 {
			continue
		}
		cells := r.cells
		if r.flags&comment != 0 {
			cells = s.uncommented(r.raw)
		}
		if s.blanks && len(cells) != l.width {
			if wide := wideCells(r.raw); len(wide) == l.width {
				cells = wide
			}
		}
		return r.flags&unreadable == 0 && s.adopt(i, cells, l)
	}
	return false
}

// adopt takes cells as the header if they can be.
func (s *survey) adopt(i int, cells [][]byte, l *layout) bool {
	if !wordsOnly(cells) || !headerLike(cells, nil) || !l.typed() {
		return false
	}
	n := len(cells)
	for n > l.width && len(bytes.TrimSpace(cells[n-1])) == 0 {
		n--
	}
	cells = cells[:n]
	names := trimmedCells(cells)
	switch {
	case n < 2 && !s.single:
		return false
	case n == l.width:
	case n == l.width-1 && l.columns[l.width-1].class != emptyCell:
		names = append([]string{""}, names...)
		l.shifted = true
	case n == l.width-1:
		names = append(names, "")
	case n > l.width && n <= l.width+3:
		l.tooShort = true
		for len(l.columns) < n {
			l.columns = append(l.columns, column{class: emptyCell})
		}
	default:
		return false
	}
	for j, name := range names {
		l.columns[j].name = name
	}
	l.headers = []int{i}
	return true
}

// uncommented takes the cells out of a line that is commented out.
func (s *survey) uncommented(raw []byte) [][]byte {
	body := bytes.TrimLeft(raw, " \t")
	body = bytes.TrimSpace(bytes.TrimLeft(body, string(rune(s.mark))))
	d := dialect{delim: s.split, nl: '\n'}
	p := d.careful(bytes.Clone(body))
	if p.rows != 1 {
		return nil
	}
	cells := make([][]byte, p.fields(0))
	for j := range cells {
		cells[j] = p.cell(0, j)
	}
	return cells
}

var wideGap = regexp.MustCompile(`\t+|\s{2,}`)

// wideCells splits a line at tabs and at two or more blanks.
func wideCells(raw []byte) [][]byte {
	var out [][]byte
	for _, part := range wideGap.Split(strings.TrimSpace(string(raw)), -1) {
		out = append(out, []byte(part))
	}
	return out
}

// headerFirst decides whether the run's first row, which fits the data, is the
// header all the same: a table of text only, or a row of numbers of another
// kind above a table of numbers.
func (s *survey) headerFirst(run []int, l *layout) {
	first := s.rows[run[0]].cells
	if l.typed() {
		if len(run) > 20 && l.width >= 4 && s.outlier(run) {
			l.body = run[1]
		}
		return
	}
	if len(run) == 1 && !wordsOnly(first) || s.textScore(run, l.columns) <= 0 {
		return
	}
	s.takeNames(run[0], l)
}

// outlier reports whether every number of the run's first row lies far outside
// the range of the rows below it: it is a row of codes, not of data.
func (s *survey) outlier(run []int) bool {
	for j, cell := range s.rows[run[0]].cells {
		x, err := strconv.ParseFloat(string(bytes.TrimSpace(cell)), 64)
		if err != nil {
			return false
		}
		low, high := math.Inf(1), math.Inf(-1)
		for _, i := range run[1:] {
			if y, err := strconv.ParseFloat(string(bytes.TrimSpace(s.rows[i].cells[j])), 64); err == nil {
				low, high = min(low, y), max(high, y)
			}
		}
		margin := (high - low) / 2
		if low > high || x >= low-margin && x <= high+margin {
			return false
		}
	}
	return true
}

var nameLike = regexp.MustCompile(`^[\pL_#%µ][\pL\pN_ ()\[\]{}/.,:%#°µ²³^*+'-]{0,62}$`)

// textScore weighs whether the first row of a table of text names its columns:
// above 0 it does.
func (s *survey) textScore(run []int, cols []column) float64 {
	score := 0.0
	first := s.rows[run[0]].cells
	for j := range cols {
		score += s.nameScore(run[1:], first[j], j)
	}
	return score
}

// nameScore weighs one cell of a candidate header against the column below.
func (s *survey) nameScore(below []int, cell []byte, j int) float64 {
	cell = bytes.TrimSpace(cell)
	switch classify(cell) {
	case emptyCell, missingCell:
		return 0
	case wordCell:
	default:
		return -2
	}
	score := -0.5
	if nameLike.Match(cell) {
		score = 0.5
	}
	same, length, smiles := 0, 0, 0
	for _, i := range below {
		b := bytes.TrimSpace(s.rows[i].cells[j])
		if bytes.Equal(b, cell) {
			same++
		}
		if len(b) == len(cell) {
			length++
		}
		if smilesLike(b) {
			smiles++
		}
	}
	switch n := len(below); {
	case n == 0:
	case same > 0:
		score -= 1.5
	case length == n && n >= 3:
		score--
	case smiles*10 >= 8*n && smilesLike(cell):
		score -= 2
	case smiles*10 >= 8*n:
		score++
	}
	return score
}

var smilesPattern = regexp.MustCompile(`^(Br|Cl|[BCNOPSFIHbcnops]|\[[^\]\s]+\]|[-=#$:~.()/\\%0-9@+])+$`)

// smilesLike reports whether b could be a molecule in SMILES (OpenSMILES,
// section 3), as far as its letters go.
func smilesLike(b []byte) bool { return len(b) > 0 && smilesPattern.Match(b) }

// raggedness recognises tables of numbers without header whose rows have
// several lengths by design: none is quarantined for being short.
func (s *survey) raggedness(l *layout) {
	counts := map[int]int{}
	total := 0
	for i := l.body; i < len(s.rows); i++ {
		if s.rows[i].flags == 0 && len(s.rows[i].cells) > 1 {
			counts[len(s.rows[i].cells)]++
			total++
		}
	}
	if total < 20 || counts[l.width]*10 >= total*9 || s.blanks {
		return
	}
	recurs := func(r row) bool {
		return r.flags == 0 && counts[len(r.cells)]*50 >= total && numbersOnly(r.cells)
	}
	good := 0
	for _, r := range s.rows[l.body:] {
		if recurs(r) {
			good++
		}
	}
	if good*10 < total*9 {
		return
	}
	for l.body > 0 && recurs(s.rows[l.body-1]) {
		l.body--
	}
	l.ragged = true
	for n, k := range counts {
		if k*50 >= total && n > len(l.columns) {
			l.columns = append(l.columns, make([]column, n-len(l.columns))...)
		}
	}
	for j := range l.columns {
		l.columns[j] = column{class: numberCell}
	}
}

func numbersOnly(cells [][]byte) bool {
	for _, c := range cells {
		if k := classify(c); k == wordCell || k == timeCell {
			return false
		}
	}
	return true
}

// trim drops trailing columns that have neither a name nor content.
func (s *survey) trim(l *layout, end int) {
	if l.ragged {
		return
	}
	n := len(l.columns)
	for n > 1 && l.columns[n-1].name == "" && l.columns[n-1].class == emptyCell && s.vacant(n-1, l.body, end) {
		n--
	}
	l.columns = l.columns[:n]
}

// vacant reports whether column j has no content in the rows from body on.
func (s *survey) vacant(j, body, end int) bool {
	for i := body; i < end; i++ {
		r := s.rows[i]
		if r.flags == 0 && j < len(r.cells) && len(r.cells[j]) > 0 {
			return false
		}
	}
	return true
}

// asked lays out the block whose header line was given.
func (s *survey) asked() (layout, bool) {
	for i, r := range s.rows {
		if r.line != s.line || r.flags&unreadable != 0 {
			continue
		}
		cells := r.cells
		if r.flags&comment != 0 {
			cells = s.uncommented(r.raw)
		}
		width := s.modeAfter(i+1, len(cells))
		l := layout{units: -1, headers: []int{i}, body: i + 1, width: width, columns: make([]column, max(width, len(cells)))}
		if run := s.run(i+1, len(s.rows), width); len(run) > 0 {
			s.classes(run, l.columns[:width])
			if fits, typed := compatible(s.rows[run[0]].cells, l.columns); run[0] == i+1 && typed && !fits && unitsRow(s.rows[run[0]].cells) {
				l.units, l.body = run[0], run[0]+1
				for j, c := range s.rows[run[0]].cells {
					l.columns[j].unit = unitSpelling(c)
				}
			}
		}
		for j, name := range trimmedCells(cells) {
			l.columns[j].name = name
		}
		s.trim(&l, len(s.rows))
		return l, true
	}
	return layout{}, false
}

func (s *survey) modeAfter(i, otherwise int) int {
	if n := s.mode(i); n > 0 {
		return n
	}
	return otherwise
}

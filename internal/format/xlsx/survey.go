package xlsx

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"

	"github.com/opengenesis/genesis/internal/format"
)

// block is a rectangle of a sheet set apart by blank rows and columns.
type block struct {
	area
	rows    int           // that have cells
	numbers map[int]int   // by column: cells that are numbers, dates or booleans
	texts   map[int]int   // by column: other cells
	sample  []sampleRow   // its first rows
	head    heading       // where its rows begin, and what they are called
	prose   bool          // says something about the tables beside it
	table   int           // its number in the reader
	build   *tableBuilder // collects its rows
}

// sampleRow is a row remembered to find the heading in.
type sampleRow struct {
	number int
	cells  []sampleCell
}

type sampleCell struct {
	col     int
	numeric bool
	text    string
}

// Bounds of what is remembered of a sheet.
const (
	sampleRows  = 40       // of a block
	sampleCut   = 4 << 10  // of a cell's text
	sampleBytes = 16 << 20 // of a workbook
	mostBlocks  = 1000     // of a sheet
)

// survey finds the blocks of a sheet in one pass over its rows.
type survey struct {
	blocks []*block
	open   []*block // those that the row above the present band belongs to
	band   *band
	budget *int
}

// band is a run of rows without a blank one between.
type band struct {
	first, last int
	used        format.Bitmap // columns
	low, high   int           // first and last used one
	count       int
	numbers     map[int]int
	texts       map[int]int
	sample      []sampleRow
}

func newBand(first int) *band {
	return &band{first: first, low: mostColumns, high: -1, used: format.NewBitmap(mostColumns), numbers: make(map[int]int), texts: make(map[int]int)}
}

// add takes the next row of the sheet.
func (s *survey) add(r *row) error {
	if s.band != nil && r.number > s.band.last+1 {
		if err := s.closeBand(); err != nil {
			return err
		}
	}
	if s.band == nil {
		s.band = newBand(r.number)
	}
	s.band.add(r, s.budget)
	return nil
}

func (b *band) add(r *row, budget *int) {
	b.last = r.number
	b.count++
	for _, c := range r.cells {
		b.used.Set(c.col)
		b.low, b.high = min(b.low, c.col), max(b.high, c.col)
		if c.numeric() {
			b.numbers[c.col]++
		} else {
			b.texts[c.col]++
		}
	}
	if len(b.sample) < sampleRows && *budget > 0 {
		b.sample = append(b.sample, sampleOf(r, budget))
	}
}

// numeric reports whether a cell is of a kind that headings are not made of.
func (c cell) numeric() bool { return c.kind == numberCell || c.kind == dateCell || c.kind == boolCell }

func sampleOf(r *row, budget *int) sampleRow {
	s := sampleRow{number: r.number, cells: make([]sampleCell, len(r.cells))}
	for i, c := range r.cells {
		b := r.text(c)
		b = bytes.ToValidUTF8(b[:min(len(b), sampleCut)], nil)
		*budget -= len(b) + 32
		s.cells[i] = sampleCell{c.col, c.numeric(), string(b)}
	}
	return s
}

// at returns the cell in a column; cells are in the order of columns.
func (r sampleRow) at(col int) (sampleCell, bool) {
	i, ok := slices.BinarySearchFunc(r.cells, col, func(c sampleCell, col int) int { return cmp.Compare(c.col, col) })
	if !ok {
		return sampleCell{}, false
	}
	return r.cells[i], true
}

// within returns the part of the sample in columns col0 … col1.
func within(sample []sampleRow, col0, col1 int) []sampleRow {
	var out []sampleRow
	for _, r := range sample {
		part := sampleRow{number: r.number}
		for _, c := range r.cells {
			if c.col >= col0 && c.col <= col1 {
				part.cells = append(part.cells, c)
			}
		}
		if len(part.cells) > 0 {
			out = append(out, part)
		}
	}
	return out
}

// finish ends the survey.
func (s *survey) finish() error {
	if s.band == nil {
		return nil
	}
	return s.closeBand()
}

// closeBand makes the band's columns into blocks, or continues the blocks
// above a blank row that these rows go on from.
func (s *survey) closeBand() error {
	var open []*block
	runs := s.band.runs()
	for _, b := range s.open {
		rest, mine := outside(runs, b)
		if mine && b.goesOn(s.band) {
			b.extend(s.band)
			open, runs = append(open, b), rest
		}
	}
	for _, run := range runs {
		b := s.band.block(run)
		s.blocks, open = append(s.blocks, b), append(open, b)
	}
	if len(s.blocks) > mostBlocks {
		return unsupported(fmt.Sprintf("a sheet has more than %d separate blocks of cells", mostBlocks),
			"choose other sheets, or save the wanted cells as .csv")
	}
	s.open, s.band = open, nil
	return nil
}

// runs returns the ranges of neighbouring used columns.
func (b *band) runs() [][2]int {
	var out [][2]int
	for c := b.low; c <= b.high; c++ {
		if !b.used.Get(c) {
			continue
		}
		if n := len(out); n > 0 && out[n-1][1] == c-1 {
			out[n-1][1] = c
			continue
		}
		out = append(out, [2]int{c, c})
	}
	return out
}

// outside splits runs into those beside b and reports whether any is in it.
func outside(runs [][2]int, b *block) (rest [][2]int, some bool) {
	for _, r := range runs {
		if r[0] >= b.col0 && r[1] <= b.col1 {
			some = true
			continue
		}
		rest = append(rest, r)
	}
	return rest, some
}

func (b *band) block(run [2]int) *block {
	n := &block{area: area{b.first, b.last, run[0], run[1]}, numbers: make(map[int]int), texts: make(map[int]int)}
	n.sample = within(b.sample, run[0], run[1])
	n.tally(b)
	return n
}

// tally adds the band's cells in the columns of n.
func (n *block) tally(b *band) {
	most := 0
	for c := n.col0; c <= n.col1; c++ {
		n.numbers[c] += b.numbers[c]
		n.texts[c] += b.texts[c]
		most = max(most, b.numbers[c]+b.texts[c])
	}
	n.rows += most
}

func (n *block) extend(b *band) {
	n.row1 = b.last
	n.tally(b)
}

// goesOn reports whether the band below a blank row holds more rows of the
// block: its first row has numbers where the block has, and hardly text there.
func (n *block) goesOn(b *band) bool {
	first := within(b.sample[:min(1, len(b.sample))], n.col0, n.col1)
	if n.rows < 2 || len(first) == 0 {
		return n.rows >= 2 && len(b.sample) == 0 // beyond what is remembered: more of the same
	}
	agree, disagree := 0, 0
	for _, c := range first[0].cells {
		numbers, texts := n.numbers[c.col], n.texts[c.col] // one text is the header
		switch {
		case c.numeric && (texts <= 1 || numbers >= texts):
			agree++
		case !c.numeric && numbers > 0 && numbers >= texts:
			disagree++
		}
	}
	return agree > 0 && agree >= 2*disagree
}

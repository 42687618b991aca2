package xlsx

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
)

// cellKind is what a cell holds.
type cellKind uint8

const (
	textCell cellKind = iota
	numberCell
	dateCell
	boolCell
	errorCell
)

// cell is a cell that is not blank; its text is row.buf[from:to].
type cell struct {
	col      int // from 0
	kind     cellKind
	from, to int
}

// row is a row of a sheet with its cells that are not blank.
type row struct {
	number int // from 1
	hidden bool
	cells  []cell
	buf    []byte
}

func (r *row) text(c cell) []byte { return r.buf[c.from:c.to] }

// tally counts what deserves a finding.
type tally struct {
	errors     int64 // cells that hold an error
	uncached   int64 // formulas without a value
	hidden     int64 // rows with cells
	impossible int64 // dates that do not exist
}

// sheetReader yields the rows of a sheet, and its merged cells once it is
// through.
type sheetReader struct {
	book   *book
	x      *markup
	body   io.Closer
	row    row
	merges []area
	tally  tally
	inData bool
}

// area is a rectangle of cells; rows from 1, columns from 0, both ends included.
type area struct{ row0, row1, col0, col1 int }

// The size of a sheet (ECMA-376 leaves it open; this is what programs have).
const (
	mostRows    = 1 << 20
	mostColumns = 1 << 14
	mostMerges  = 1 << 16
)

func (b *book) read(s sheet) (*sheetReader, error) {
	x, body, err := b.open(s.part)
	if err != nil {
		return nil, err
	}
	return &sheetReader{book: b, x: x, body: body}, nil
}

// next returns the next row that has cells, nil at the end of the sheet.
func (s *sheetReader) next() (*row, error) {
	for {
		kind, err := s.x.next()
		if err != nil || kind == eof {
			return nil, err
		}
		switch {
		case kind == start && s.x.is("sheetData"):
			s.inData = true
		case kind == end && s.x.is("sheetData"):
			s.inData = false
		case kind == start && s.inData && s.x.is("row"):
			if err := s.readRow(); err != nil {
				return nil, err
			}
			if len(s.row.cells) > 0 {
				return &s.row, nil
			}
		case kind == start && s.x.is("mergeCell") && len(s.merges) < mostMerges:
			if a, ok := parseArea(s.x.attr("ref")); ok {
				s.merges = append(s.merges, a)
			}
		}
	}
}

func (s *sheetReader) readRow() error {
	r := &s.row
	number := r.number + 1
	if ref := s.x.attr("r"); ref != nil {
		n, err := strconv.Atoi(string(ref))
		if err != nil || n < number || n > mostRows {
			return s.x.damaged(fmt.Sprintf("row number %q after row %d", ref, r.number))
		}
		number = n
	}
	*r = row{number: number, hidden: isTrue(s.x.attr("hidden")), cells: r.cells[:0], buf: r.buf[:0]}
	depth, col := s.x.depth, -1
	for {
		kind, err := s.x.next()
		if err != nil {
			return err
		}
		switch {
		case kind == eof:
			return s.x.damaged("the sheet ends inside a row")
		case kind == end && s.x.depth < depth:
			if r.hidden && len(r.cells) > 0 {
				s.tally.hidden++
			}
			return nil
		case kind == start && s.x.is("c"):
			if col, err = s.readCell(col + 1); err != nil {
				return err
			}
		}
	}
}

// readCell reads a cell, whose column is col unless it says otherwise, and
// returns its column.
func (s *sheetReader) readCell(col int) (int, error) {
	x, r := s.x, &s.row
	if ref := x.attr("r"); ref != nil {
		c, _, ok := parseRef(ref)
		if !ok || c < col {
			return 0, x.damaged(fmt.Sprintf("cell reference %q out of order", ref))
		}
		col = c
	}
	if col >= min(mostColumns, s.book.limits.Columns) {
		return 0, unsupported(fmt.Sprintf("%s: more than %d columns", x.part, s.book.limits.Columns), "raise the limit of columns")
	}
	kind := string(x.attr("t"))
	style, _ := strconv.Atoi(string(x.attr("s")))
	from := len(r.buf)
	formula, err := s.cellText(kind)
	if err != nil {
		return 0, err
	}
	if len(r.buf) > s.book.limits.RowBytes {
		return 0, invalid(fmt.Sprintf("%s: row %d is longer than the limit of %d bytes a row", x.part, r.number,
			s.book.limits.RowBytes), "raise the row limit")
	}
	c := cell{col: col, from: from, to: len(r.buf)}
	if len(bytes.TrimSpace(r.buf[from:])) == 0 {
		if formula && kind != "str" && kind != "s" {
			s.tally.uncached++
		}
		r.buf = r.buf[:from]
		return col, nil
	}
	if err := s.interpret(&c, kind, style); err != nil {
		return 0, err
	}
	if c.to > c.from {
		r.cells = append(r.cells, c)
	}
	return col, nil
}

// cellText appends the stored value of the cell that was just started and
// reports whether the cell has a formula.
func (s *sheetReader) cellText(kind string) (formula bool, err error) {
	x, r := s.x, &s.row
	depth := x.depth
	var inValue bool
	for {
		k, err := x.next()
		if err != nil {
			return formula, err
		}
		switch k {
		case start:
			inValue = x.is("v")
			formula = formula || x.is("f")
			if x.is("is") && kind == "inlineStr" {
				if r.buf, err = appendRich(r.buf, x); err != nil {
					return formula, err
				}
			}
		case chars:
			if inValue {
				r.buf = x.appendText(r.buf)
			}
		case end:
			inValue = false
			if x.depth < depth {
				return formula, nil
			}
		case eof:
			return formula, x.damaged("the sheet ends inside a cell")
		}
	}
}

// interpret replaces the stored value of c by what it means.
func (s *sheetReader) interpret(c *cell, kind string, style int) error {
	r := &s.row
	stored := r.text(*c)
	switch kind {
	case "s":
		return s.shared(c, stored)
	case "str":
		stored = unhex(stored)
		c.to = c.from + len(stored)
	case "inlineStr":
	case "b":
		c.kind = boolCell
		r.buf = append(r.buf[:c.from], map[bool]string{true: "TRUE", false: "FALSE"}[isTrue(stored)]...)
		c.to = len(r.buf)
	case "e":
		c.kind = errorCell
		s.tally.errors++
	case "d":
		c.kind = dateCell
		r.buf = append(r.buf[:c.from], isoText(stored)...)
		c.to = len(r.buf)
	default:
		s.number(c, stored, style)
	}
	return nil
}

// isoText writes 2024-01-02T03:04:05 as the other dates are written.
func isoText(b []byte) []byte { return bytes.Replace(bytes.Clone(b), []byte("T"), []byte(" "), 1) }

func (s *sheetReader) shared(c *cell, stored []byte) error {
	r := &s.row
	i, err := strconv.Atoi(string(bytes.TrimSpace(stored)))
	b, ok := s.book.strings.at(i)
	if err != nil || !ok {
		return s.x.damaged(fmt.Sprintf("shared text %q, of %d", stored, len(s.book.strings.ends)))
	}
	r.buf = r.buf[:c.from]
	if len(bytes.TrimSpace(b)) > 0 {
		r.buf = append(r.buf, b...)
	}
	c.to = len(r.buf)
	return nil
}

// number keeps a number's stored literal, unless its style shows a time.
func (s *sheetReader) number(c *cell, stored []byte, style int) {
	c.kind = numberCell
	if style < 0 || style >= len(s.book.styles) || s.book.styles[style] == plain {
		return
	}
	r := &s.row
	var room [32]byte
	date, ok := spell(room[:0], bytes.TrimSpace(stored), s.book.styles[style], s.book.from1904)
	if !ok {
		s.tally.impossible++
		return
	}
	c.kind = dateCell
	r.buf = append(r.buf[:c.from], date...)
	c.to = len(r.buf)
}

// parseRef reads a cell reference, A1 or $A$1.
func parseRef(b []byte) (col, row int, ok bool) {
	i := 0
	for ; i < len(b); i++ {
		c := b[i] &^ 0x20
		if b[i] == '$' {
			continue
		}
		if c < 'A' || c > 'Z' {
			break
		}
		if col = col*26 + int(c-'A') + 1; col > mostColumns {
			return 0, 0, false
		}
	}
	for ; i < len(b); i++ {
		if b[i] < '0' || b[i] > '9' {
			return 0, 0, false
		}
		if row = row*10 + int(b[i]-'0'); row > mostRows {
			return 0, 0, false
		}
	}
	return col - 1, row, col > 0 && row > 0
}

func parseArea(b []byte) (area, bool) {
	from, to, ok := bytes.Cut(b, []byte(":"))
	if !ok {
		return area{}, false
	}
	c0, r0, ok0 := parseRef(from)
	c1, r1, ok1 := parseRef(to)
	return area{r0, r1, c0, c1}, ok0 && ok1 && r0 <= r1 && c0 <= c1
}

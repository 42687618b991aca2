package text

import (
	"bytes"
	"unicode/utf8"

	"github.com/opengenesis/genesis/internal/format"
)

// flag says what is special about a row.
type flag uint8

const (
	blank    flag = 1 << iota // nothing in it, or nothing but delimiters
	comment                   // begins with the comment mark
	unclosed                  // a quote opens in it and does not close
	badQuote                  // something follows a closing quote
	nulByte                   // holds NUL
	badText                   // is not UTF-8
)

// unreadable are the flags of rows that cannot be taken apart.
const unreadable = unclosed | badQuote | nulByte | badText

// record is a row that was taken apart row by row.
type record struct {
	start, end uint32 // its bytes, without the line end
	first, n   uint32 // its cells
	line       uint32 // lines before it in the chunk
	flags      flag
}

// parsed is a chunk taken apart. A uniform one has rows of exactly width cells
// and nothing special; its spans stand column by column, stride apart.
// Otherwise spans stand row by row and records say which are whose.
type parsed struct {
	buf     []byte
	spans   []format.Span
	uniform bool
	width   int
	rows    int
	stride  int
	records []record // nil when each row is one line
	lines   int64    // line ends in the chunk
	nl      byte
	size    int   // of buf without the unescaped cells behind it
	starts  []int // of lines, when records is nil and raw was asked for
}

// fields returns the number of cells of row i.
func (p *parsed) fields(i int) int {
	if p.uniform {
		return p.width
	}
	return int(p.records[i].n)
}

// span returns where cell j of row i stands.
func (p *parsed) span(i, j int) format.Span {
	if p.uniform {
		return p.spans[j*p.stride+i]
	}
	return p.spans[int(p.records[i].first)+j]
}

// cell returns the content of cell j of row i.
func (p *parsed) cell(i, j int) []byte {
	s := p.span(i, j)
	return p.buf[s.Start:s.End]
}

// flags returns what is special about row i.
func (p *parsed) flags(i int) flag {
	if p.records == nil {
		return 0
	}
	return p.records[i].flags
}

// line returns how many lines of the chunk precede row i.
func (p *parsed) line(i int) int64 {
	if p.records == nil {
		return int64(i)
	}
	return int64(p.records[i].line)
}

// raw returns row i as it stands in the file.
func (p *parsed) raw(i int) []byte {
	if p.records != nil {
		return p.buf[p.records[i].start:p.records[i].end]
	}
	if p.starts == nil {
		p.findLines()
	}
	line := p.buf[p.starts[i]:p.starts[i+1]]
	if len(line) > 0 && line[len(line)-1] == p.nl {
		line = line[:len(line)-1]
	}
	if p.nl == '\n' {
		line = bytes.TrimSuffix(line, []byte{'\r'})
	}
	return line
}

// findLines notes where the lines of a chunk begin whose rows are lines.
func (p *parsed) findLines() {
	p.starts = make([]int, 1, p.rows+1)
	for at := 0; len(p.starts) <= p.rows; {
		k := bytes.IndexByte(p.buf[at:p.size], p.nl)
		if k < 0 {
			p.starts = append(p.starts, p.size)
			continue
		}
		at += k + 1
		p.starts = append(p.starts, at)
	}
}

// empty reports whether row i has nothing from cell j on.
func (p *parsed) empty(i, j int) bool {
	for n := p.fields(i); j < n; j++ {
		if s := p.span(i, j); s.Start != s.End {
			return false
		}
	}
	return true
}

// undecoded is what decoders write for bytes that the encoding does not have.
var undecoded = []byte("\uFFFD")

// parse takes a chunk of whole rows apart. Chunks whose rows all have width
// cells are uniform, whichever way they were read. A decoded chunk may hold
// marks of what could not be decoded; such rows are not in the encoding.
func (d *dialect) parse(buf []byte, width int, decoded bool) parsed {
	if d.rowQuoted {
		buf = unwrapRows(buf, d.nl)
	}
	if decoded && bytes.Contains(buf, undecoded) {
		return d.damaged(buf)
	}
	quoted := bytes.IndexByte(buf, '"') >= 0
	if width > 0 && d.plainEnough(buf) {
		var p parsed
		var ok bool
		if quoted {
			p, ok = d.fastQuoted(buf, width)
		} else {
			p, ok = d.fast(buf, width)
		}
		if ok {
			p.nl, p.size = d.nl, len(buf)
			return p
		}
	}
	p := d.careful(buf)
	return p.columnar(width)
}

// damaged takes a chunk apart in which something could not be decoded.
func (d *dialect) damaged(buf []byte) parsed {
	p := d.careful(buf)
	for i := range p.records {
		if bytes.Contains(p.raw(i), undecoded) {
			p.records[i].flags |= badText
		}
	}
	return p
}

// plainEnough reports whether the fast paths may try the chunk.
func (d *dialect) plainEnough(buf []byte) bool {
	if d.delim == blanks || d.comment != 0 && bytes.IndexByte(buf, d.comment) >= 0 {
		return false
	}
	return bytes.IndexByte(buf, 0) < 0 && utf8.Valid(buf)
}

// columnar turns records of equal width into columns; others stay as they are.
func (p parsed) columnar(width int) parsed {
	if width == 0 || len(p.records) == 0 {
		return p
	}
	for _, r := range p.records {
		if int(r.n) != width || r.flags != 0 {
			return p
		}
	}
	n := len(p.records)
	spans := make([]format.Span, n*width)
	for i := range n {
		row := p.spans[i*width : (i+1)*width]
		for j, s := range row {
			spans[j*n+i] = s
		}
	}
	p.spans, p.uniform, p.width, p.rows, p.stride = spans, true, width, n, n
	return p
}

// unwrapRows takes the quotes off rows that are quoted as a whole.
func unwrapRows(buf []byte, nl byte) []byte {
	out := make([]byte, 0, len(buf))
	for len(buf) > 0 {
		line := buf
		if k := bytes.IndexByte(buf, nl); k >= 0 {
			line = buf[:k+1]
		}
		buf = buf[len(line):]
		out = append(out, unwrapRow(line)...)
	}
	return out
}

func unwrapRow(line []byte) []byte {
	body := bytes.TrimRight(line, "\r\n")
	if len(body) < 2 || body[0] != '"' || body[len(body)-1] != '"' {
		return line
	}
	inner := bytes.ReplaceAll(body[1:len(body)-1], []byte(`""`), []byte(`"`))
	return append(append(make([]byte, 0, len(line)), inner...), line[len(body):]...)
}

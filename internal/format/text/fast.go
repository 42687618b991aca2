package text

import (
	"bytes"
	"math/bits"

	"github.com/opengenesis/genesis/internal/format"
)

// columns is where the fast paths put the spans of rows of one width.
type columns struct {
	spans    []format.Span
	stride   int // room for rows
	width    int
	row, at  int // the cell that is next: its row, its place in spans
	last     int // place in spans of the row's last cell
	start    int // where the cell begins
	rowStart int
	crlf     bool // line ends may be preceded by a carriage return
}

func newColumns(buf []byte, nl byte, width int) *columns {
	lines := bytes.Count(buf, []byte{nl})
	if len(buf) > 0 && buf[len(buf)-1] != nl {
		lines++
	}
	if lines*width > len(buf)+1 {
		return nil // fewer bytes than cells and delimiters: it cannot be
	}
	return &columns{
		spans: make([]format.Span, lines*width), stride: lines, width: width,
		last: (width - 1) * lines, crlf: nl == '\n',
	}
}

func (c *columns) parsed(buf []byte) parsed {
	return parsed{buf: buf, spans: c.spans, uniform: true, width: c.width, rows: c.row, stride: c.stride, lines: int64(c.row)}
}

// endRow closes the row whose line end stands at p, the last cell being s. It
// reports false for a row without content, which the careful path looks at.
func (c *columns) endRow(buf []byte, p int, s format.Span) bool {
	size := p - c.rowStart
	if c.crlf && size > 0 && buf[p-1] == '\r' {
		size--
	}
	if size < c.width || c.width == 1 && (buf[c.rowStart] == ' ' || buf[c.rowStart] == '\t') {
		return false
	}
	c.spans[c.at] = s
	c.row++
	c.at, c.last = c.row, c.last+1
	c.start, c.rowStart = p+1, p+1
	return true
}

// trimmed is the last cell of a row, without the carriage return of its end.
func (c *columns) trimmed(buf []byte, p int) format.Span {
	if c.crlf && p > c.start && buf[p-1] == '\r' {
		return span(c.start, p-1)
	}
	return span(c.start, p)
}

// fast takes a chunk without quotes apart, or reports that its rows are not all
// of the width.
func (d *dialect) fast(buf []byte, width int) (parsed, bool) {
	c := newColumns(buf, d.nl, width)
	if c == nil {
		return parsed{}, false
	}
	delim, nl := repeated(d.delim), repeated(d.nl)
	n := len(buf) &^ 63
	for base := 0; base < n; base += 64 {
		if !c.take(buf, base, marks2((*[64]byte)(buf[base:]), delim, nl), d.nl) {
			return parsed{}, false
		}
	}
	var tail [64]byte
	fill := ^d.delim & 0x7f
	if fill == d.nl {
		fill = 'x'
	}
	for i := copy(tail[:], buf[n:]); i < 64; i++ {
		tail[i] = fill
	}
	if !c.take(buf, n, marks2(&tail, delim, nl), d.nl) || !c.finish(buf) {
		return parsed{}, false
	}
	return c.parsed(buf), true
}

// take works off the marked bytes of buf[base:base+64].
func (c *columns) take(buf []byte, base int, m uint64, nl byte) bool {
	for m != 0 {
		p := base + bits.TrailingZeros64(m)
		m &= m - 1
		if c.at != c.last {
			if buf[p] == nl {
				return false
			}
			c.spans[c.at] = span(c.start, p)
			c.at += c.stride
			c.start = p + 1
			continue
		}
		if buf[p] != nl || !c.endRow(buf, p, c.trimmed(buf, p)) {
			return false
		}
	}
	return true
}

// finish closes the last row of a file that ends without a line end.
func (c *columns) finish(buf []byte) bool {
	if c.rowStart == len(buf) {
		return true
	}
	return c.at == c.last && c.endRow(buf, len(buf), c.trimmed(buf, len(buf)))
}

// fastQuoted is fast for chunks in which some cells are quoted. Cells with
// doubled quotes are written out again behind the chunk.
func (d *dialect) fastQuoted(buf []byte, width int) (parsed, bool) {
	q := quotedColumns{d: d, columns: newColumns(buf, d.nl, width), buf: buf}
	if q.columns == nil {
		return parsed{}, false
	}
	delim, nl, quote := repeated(d.delim), repeated(d.nl), repeated('"')
	n := len(buf) &^ 63
	for base := 0; base < n; base += 64 {
		if q.skip >= base+64 {
			continue
		}
		if !q.take(base, marks3((*[64]byte)(buf[base:]), delim, nl, quote)) {
			return parsed{}, false
		}
	}
	var tail [64]byte
	rest := copy(tail[:], buf[n:])
	if !q.take(n, marks3(&tail, delim, nl, quote)&(1<<rest-1)) || !q.finish() {
		return parsed{}, false
	}
	return q.parsed(append(buf, q.extra...)), true
}

// quotedColumns is columns with a quoted cell that may be pending.
type quotedColumns struct {
	*columns
	d       *dialect
	buf     []byte
	extra   []byte // unescaped cells
	skip    int    // marks before this place are inside a quoted cell
	pending bool   // a quoted cell was read and its delimiter is next
	cell    format.Span
}

func (q *quotedColumns) take(base int, m uint64) bool {
	for m != 0 {
		p := base + bits.TrailingZeros64(m)
		m &= m - 1
		if p < q.skip {
			continue
		}
		switch b := q.buf[p]; {
		case b == '"':
			if p == q.start && !q.quoted(p) {
				return false
			}
		case b == q.d.nl:
			if q.at != q.last || !q.endRow(q.buf, p, q.content(p, true)) {
				return false
			}
		case q.at == q.last:
			return false
		default:
			q.spans[q.at] = q.content(p, false)
			q.at += q.stride
			q.start = p + 1
		}
	}
	return true
}

// content is the cell that ends at p.
func (q *quotedColumns) content(p int, last bool) format.Span {
	switch {
	case q.pending:
		q.pending = false
		return q.cell
	case last:
		return q.trimmed(q.buf, p)
	}
	return span(q.start, p)
}

// quoted reads the cell whose opening quote stands at p. It leaves cells over
// several lines, and what follows no rule, to the careful path.
func (q *quotedColumns) quoted(p int) bool {
	end, v := q.d.quoteEnd(q.buf, p+1, true)
	if v != closed || !q.d.endsCell(q.buf, end+1) || bytes.IndexByte(q.buf[p+1:end], q.d.nl) >= 0 {
		return false
	}
	if end+1 < len(q.buf) && q.buf[end+1] == '\r' && q.d.nl != '\r' && (end+2 >= len(q.buf) || q.buf[end+2] != q.d.nl) {
		return false
	}
	q.cell = span(p+1, end)
	if body := q.buf[p+1 : end]; bytes.IndexByte(body, '"') >= 0 {
		from := len(q.buf) + len(q.extra)
		q.extra = appendUnescaped(q.extra, body)
		q.cell = span(from, len(q.buf)+len(q.extra))
	}
	q.pending, q.skip = true, end+1
	return true
}

func (q *quotedColumns) finish() bool {
	if q.rowStart == len(q.buf) {
		return true
	}
	return q.at == q.last && q.endRow(q.buf, len(q.buf), q.content(len(q.buf), true))
}

// appendUnescaped appends body with each doubled quote made one.
func appendUnescaped(dst, body []byte) []byte {
	for {
		k := bytes.IndexByte(body, '"')
		if k < 0 {
			return append(dst, body...)
		}
		dst = append(dst, body[:k+1]...)
		body = body[min(k+2, len(body)):]
	}
}

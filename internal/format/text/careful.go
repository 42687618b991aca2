package text

import (
	"bytes"
	"unicode/utf8"

	"github.com/opengenesis/genesis/internal/format"
)

// rowReader takes a chunk apart row by row.
type rowReader struct {
	d     *dialect
	buf   []byte
	extra []byte // unescaped cells, to stand behind buf
	spans []format.Span
	pos   int
	line  uint32
	flags flag // of the row being read
	nul   bool // the chunk holds NUL bytes
	bad   bool // the chunk is not UTF-8 throughout
	quote bool // the row has a quoted cell
}

// careful takes any chunk apart.
func (d *dialect) careful(buf []byte) parsed {
	r := rowReader{d: d, buf: buf, nul: bytes.IndexByte(buf, 0) >= 0, bad: !utf8.Valid(buf)}
	lines := bytes.Count(buf, []byte{d.nl})
	records := make([]record, 0, lines+1)
	r.spans = make([]format.Span, 0, min((lines+1)*max(d.width, 1), len(buf)+1))
	for r.pos < len(buf) {
		records = append(records, r.row())
	}
	return parsed{buf: append(buf, r.extra...), spans: r.spans, records: records,
		rows: len(records), lines: int64(lines)}
}

func (r *rowReader) row() record {
	rec := record{start: uint32(r.pos), first: uint32(len(r.spans)), line: r.line}
	r.flags, r.quote = 0, false
	switch {
	case r.isComment():
		r.flags = comment
		r.spans = append(r.spans, r.restOfLine())
		r.endLine()
	case r.d.delim == blanks:
		r.blankSeparated()
	default:
		r.delimited()
	}
	end := r.pos
	if end > int(rec.start) && r.buf[end-1] == r.d.nl {
		end--
	}
	if r.d.nl == '\n' && end > int(rec.start) && r.buf[end-1] == '\r' {
		end--
	}
	rec.end, rec.n = uint32(end), uint32(len(r.spans))-rec.first
	rec.flags = r.flags | r.content(rec)
	return rec
}

// content says what is special about the bytes of a row.
func (r *rowReader) content(rec record) (f flag) {
	raw := r.buf[rec.start:rec.end]
	if r.nul && bytes.IndexByte(raw, 0) >= 0 {
		f |= nulByte
	}
	if r.bad && !utf8.Valid(raw) {
		f |= badText
	}
	if r.quote || r.flags != 0 {
		return f
	}
	if rec.n == 1 && len(bytes.Trim(raw, " \t")) == 0 {
		return f | blank
	}
	for _, s := range r.spans[rec.first:] {
		if s.Start != s.End {
			return f
		}
	}
	return f | blank
}

func (r *rowReader) isComment() bool {
	if r.d.comment == 0 {
		return false
	}
	i := r.pos
	for i < len(r.buf) && (r.buf[i] == ' ' || r.buf[i] == '\t' && r.d.delim != '\t') {
		i++
	}
	return i < len(r.buf) && r.buf[i] == r.d.comment
}

// restOfLine is what stands between pos and the line's end; pos moves there.
func (r *rowReader) restOfLine() format.Span {
	start, end := r.pos, len(r.buf)
	if k := bytes.IndexByte(r.buf[start:], r.d.nl); k >= 0 {
		end = start + k
	}
	r.pos = end
	if r.d.nl == '\n' && end > start && r.buf[end-1] == '\r' {
		end--
	}
	return span(start, end)
}

// endLine steps over the line end at pos.
func (r *rowReader) endLine() {
	if r.pos < len(r.buf) {
		r.pos++
		r.line++
	}
}

// delimited reads one row of cells with a delimiter between them.
func (r *rowReader) delimited() {
	for {
		r.cell()
		if r.pos >= len(r.buf) || r.buf[r.pos] == r.d.nl {
			r.endLine()
			return
		}
		r.pos++ // the delimiter
	}
}

// cell reads one cell and stops at the delimiter or line end after it.
func (r *rowReader) cell() {
	if r.pos < len(r.buf) && r.buf[r.pos] == '"' {
		r.quoted()
		return
	}
	start := r.pos
	r.unquoted()
	end := r.pos
	if r.d.nl == '\n' && end > start && r.buf[end-1] == '\r' && (end == len(r.buf) || r.buf[end] == '\n') {
		end--
	}
	r.spans = append(r.spans, span(start, end))
}

// unquoted moves to the next delimiter or line end.
func (r *rowReader) unquoted() {
	for r.pos < len(r.buf) && r.buf[r.pos] != r.d.delim && r.buf[r.pos] != r.d.nl {
		r.pos++
	}
}

// quoted reads a cell in quotes. One that does not close takes the rest of its
// line; what follows a closing quote is taken into the cell. Both are flagged.
func (r *rowReader) quoted() {
	open := r.pos
	end, v := r.d.quoteEnd(r.buf, open+1, true)
	if v == broken {
		r.flags |= unclosed
		r.spans = append(r.spans, r.restOfLine())
		return
	}
	r.quote = true
	body := r.buf[open+1 : end]
	r.line += uint32(bytes.Count(body, []byte{r.d.nl}))
	r.spans = append(r.spans, r.unescaped(open+1, end))
	r.pos = end + 1
	if r.pos+1 <= len(r.buf) && r.d.nl == '\n' && r.buf[r.pos] == '\r' && (r.pos+1 == len(r.buf) || r.buf[r.pos+1] == '\n') {
		r.pos++
	}
	if r.pos < len(r.buf) && r.buf[r.pos] != r.d.delim && r.buf[r.pos] != r.d.nl && !(r.d.delim == blanks && r.buf[r.pos] == '\t') {
		r.flags |= badQuote
		r.unquoted()
	}
}

// unescaped is the content buf[start:end] of a quoted cell, written out behind
// the chunk when it holds doubled quotes.
func (r *rowReader) unescaped(start, end int) format.Span {
	body := r.buf[start:end]
	if bytes.IndexByte(body, '"') < 0 {
		return span(start, end)
	}
	from := len(r.buf) + len(r.extra)
	r.extra = appendUnescaped(r.extra, body)
	return span(from, len(r.buf)+len(r.extra))
}

// blankSeparated reads one row of cells with runs of blanks between them.
func (r *rowReader) blankSeparated() {
	for {
		r.skipBlanks()
		if r.pos >= len(r.buf) || r.buf[r.pos] == r.d.nl {
			r.endLine()
			return
		}
		if r.buf[r.pos] == '"' {
			r.quoted()
			continue
		}
		start := r.pos
		for r.pos < len(r.buf) && !r.isBlank(r.buf[r.pos]) && r.buf[r.pos] != r.d.nl {
			r.pos++
		}
		r.spans = append(r.spans, span(start, r.pos))
	}
}

func (r *rowReader) skipBlanks() {
	for r.pos < len(r.buf) && r.isBlank(r.buf[r.pos]) {
		r.pos++
	}
}

func (r *rowReader) isBlank(b byte) bool {
	return b == ' ' || b == '\t' || b == '\r' && r.d.nl != '\r'
}

package text

import (
	"bytes"
	"fmt"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// whole reports whether the current chunk is rows of the current table and
// nothing else, so that it becomes a batch as it is.
func (r *reader) whole(c *chunk) bool {
	p := &c.parsed
	t := r.table
	if r.at > 0 || r.gap || !p.uniform || p.width != t.width || t.ragged || p.rows == 0 {
		return false
	}
	for j := len(t.columns); j < p.width; j++ {
		for _, s := range p.spans[j*p.stride : j*p.stride+p.rows] {
			if s.Start != s.End {
				return false
			}
		}
	}
	return !t.repeats(p)
}

// repeats reports whether the header stands among the rows of p once more.
func (t *table) repeats(p *parsed) bool {
	if len(t.header) == 0 || len(t.header[0]) == 0 {
		return false
	}
	first := t.header[0]
	n := uint32(len(first))
	for i, s := range p.spans[:p.rows] {
		if s.End-s.Start == n && p.buf[s.Start] == first[0] && bytes.Equal(p.buf[s.Start:s.End], first) && t.isHeader(p, i) {
			return true
		}
	}
	return false
}

// isHeader reports whether row i of p is the header once more.
func (t *table) isHeader(p *parsed, i int) bool {
	if len(t.header) == 0 || p.fields(i) != len(t.header) || !wordsOnly(t.header) {
		return false
	}
	for j, h := range t.header {
		if !bytes.Equal(p.cell(i, j), h) {
			return false
		}
	}
	return true
}

// emitWhole yields a chunk as one batch without touching its cells.
func (r *reader) emitWhole(c *chunk) {
	p := &c.parsed
	b := &format.Batch{Table: r.table.index, Rows: p.rows, First: r.table.rows,
		Cols: make([]format.Vector, len(r.table.columns)), Lines: make([]int64, p.rows)}
	for j := range b.Cols {
		if j >= p.width {
			b.Cols[j] = format.Vector{Spans: make([]format.Span, p.rows), Buf: p.buf}
			continue
		}
		at := j * p.stride
		b.Cols[j] = format.Vector{Buf: p.buf, Spans: p.spans[at : at+p.rows : at+p.rows]}
	}
	for i := range b.Lines {
		b.Lines[i] = c.base + p.line(i)
	}
	r.yield(b)
}

func (r *reader) yield(b *format.Batch) {
	r.table.rows += int64(b.Rows)
	r.notes.rows[r.table.index] += int64(b.Rows)
	r.out = append(r.out, b)
}

// fate is what becomes of a row.
type fate uint8

const (
	isData   fate = iota
	isBad         // quarantined
	isPassed      // blank, comment, repeated header, footer
	isBlock       // another table begins here
)

// rowByRow works off the rest of the current chunk, or the part of it before
// another table begins.
func (r *reader) rowByRow(c *chunk) error {
	p := &c.parsed
	var kept []int32
	var bad []format.BadRow
	for ; r.at < p.rows; r.at++ {
		f, l, rows := r.judge(c, r.at)
		switch f {
		case isData:
			kept = append(kept, int32(r.at))
		case isBad:
			bad = append(bad, r.badRow(c, r.at))
		case isBlock:
			r.emit(c, kept, bad)
			if err := r.admissible(l); err != nil {
				return r.fail(err)
			}
			return r.begin(l, rows)
		}
	}
	r.emit(c, kept, bad)
	r.pop()
	return nil
}

// judge decides what becomes of row i of the current chunk.
func (r *reader) judge(c *chunk, i int) (fate, layout, []row) {
	p := &c.parsed
	f := p.flags(i)
	line := c.base + p.line(i)
	after := r.gap
	switch {
	case f&blank != 0:
		r.gap = true
		r.notes.at("blank-lines", genesis.Note, r.name(), line)
		return isPassed, layout{}, nil
	case f&comment != 0:
		r.remark(p.raw(i))
		r.notes.at("comments", genesis.Note, r.name(), line)
		return isPassed, layout{}, nil
	case f&unreadable != 0:
		return isBad, layout{}, nil
	case r.table.isHeader(p, i):
		r.notes.at("repeated-header", genesis.Warn, r.name(), line)
		return isPassed, layout{}, nil
	}
	if r.fits(p, i) && !(after && !r.resembles(p, i)) {
		r.gap = false
		return isData, layout{}, nil
	}
	if f, l, rows, ok := r.turning(after); ok {
		if f == isPassed {
			r.remark(p.raw(i))
			r.notes.at("footer", genesis.Note, r.name(), line)
		}
		return f, l, rows
	}
	r.gap = false
	if r.fits(p, i) {
		return isData, layout{}, nil
	}
	return isBad, layout{}, nil
}

func (r *reader) name() string { return r.tables[r.table.index].Name }

// fits reports whether row i has the table's cells: as many as its rows have,
// or a number that differs only by trailing cells without content or name.
func (r *reader) fits(p *parsed, i int) bool {
	n := p.fields(i)
	t := r.table
	if t.ragged || n == t.width {
		return n <= r.lim.Columns
	}
	return n >= len(t.columns) && p.empty(i, len(t.columns))
}

// resembles reports whether row i has numbers and times where the table has.
func (r *reader) resembles(p *parsed, i int) bool {
	seen, good := 0, 0
	typed := false
	for j, c := range r.table.columns {
		if c.class != numberCell && c.class != timeCell || j >= p.fields(i) {
			continue
		}
		typed = true
		switch classify(p.cell(i, j)) {
		case numberCell, timeCell:
			seen++
			good++
		case wordCell:
			seen++
		}
	}
	return !typed || good > 0 && good*10 >= seen*6
}

// lookahead is how many rows are searched for one that fits before another
// table or the file's end is believed in.
const lookahead = 32

// patience is for how many doubtful rows no other block is searched for after
// none was found: what was surveyed reaches further than that.
const patience = 64

// turning decides whether the table ends before the next row: because another
// begins, or because only a footer follows. The next row does not look like
// data of the table.
func (r *reader) turning(after bool) (fate, layout, []row, bool) {
	seen, atEnd := 0, false
	for k := 0; seen < lookahead; k++ {
		c, i, ok := r.rowAt(k)
		if !ok {
			atEnd = true
			break
		}
		if c.parsed.flags(i) != 0 {
			continue
		}
		// After a blank line the next row may fit and still open another table;
		// if it does not fit and the one below does, it is merely a bad row.
		if seen++; r.fits(&c.parsed, i) && (!after || seen == 2 && !r.fits(&r.queue[0].parsed, r.at)) {
			return 0, layout{}, nil, false
		}
	}
	if r.wait > 0 {
		r.wait--
	} else if l, rows, ok := r.survey(); ok && len(l.headers) > 0 && l.typed() && r.enough(l, rows, after) {
		return isBlock, l, rows, true
	} else {
		r.wait = patience
	}
	if after && atEnd {
		return isPassed, layout{}, nil, true
	}
	return 0, layout{}, nil, false
}

// enough reports whether a block has the rows to be believed in.
func (r *reader) enough(l layout, rows []row, after bool) bool {
	if l.width < 2 && !r.d.single || l.ragged {
		return false
	}
	n, seen := 0, 0
	for _, v := range rows[l.body:] {
		if v.flags != 0 {
			continue
		}
		seen++
		if len(v.cells) == l.width {
			n++
		}
	}
	if r.opt.Header == "none" {
		return false
	}
	return n*10 >= seen*6 && (n >= 3 || after && n >= 2)
}

// badRow describes row i, which does not fit, and notes it.
func (r *reader) badRow(c *chunk, i int) format.BadRow {
	p := &c.parsed
	raw := p.raw(i)
	b := format.BadRow{Line: c.base + p.line(i), Raw: bytes.Clone(raw[:min(len(raw), 4<<10)])}
	switch f := p.flags(i); {
	case f&nulByte != 0:
		b.Code, b.Msg = "nul-byte", "the row holds NUL bytes"
	case f&unclosed != 0:
		b.Code, b.Msg = "unclosed-quote", "a quote opens and does not close"
	case f&badQuote != 0:
		b.Code, b.Msg = "bad-quote", "something other than a delimiter follows a closing quote"
	case f&badText != 0:
		b.Code, b.Msg = "bad-encoding", "the row is not "+r.encoding
	default:
		b.Code = "field-count"
		b.Msg = fmt.Sprintf("the row has %d cells where the table has %d", p.fields(i), r.table.width)
		if d := r.otherDelimiter(raw); d != "" {
			b.Code = "mixed-delimiters"
			b.Msg += "; separated by " + d + " it would have as many"
		}
	}
	r.notes.at(b.Code, genesis.Refusal, r.name(), b.Line)
	return b
}

// otherDelimiter names another delimiter by which the row would fit.
func (r *reader) otherDelimiter(raw []byte) string {
	if r.table.width < 2 || len(raw) > 1<<20 {
		return ""
	}
	for _, c := range candidates {
		if c.delim == r.d.delim || c.delim == blanks {
			continue
		}
		if bytes.Count(raw, []byte{c.delim}) == r.table.width-1 {
			d := dialect{delim: c.delim}
			return map[byte]string{',': "commas", '\t': "tabs", ';': "semicolons", '|': "pipes"}[d.delim]
		}
	}
	return ""
}

// emit yields the kept rows of the current chunk as one batch, with the bad
// rows met among them.
func (r *reader) emit(c *chunk, kept []int32, bad []format.BadRow) {
	if len(kept) == 0 && len(bad) == 0 {
		return
	}
	p := &c.parsed
	r.widen(p, kept)
	n := len(r.table.columns)
	b := &format.Batch{Table: r.table.index, Rows: len(kept), First: r.table.rows, Bad: bad,
		Cols: make([]format.Vector, n), Lines: make([]int64, len(kept))}
	spans := make([]format.Span, n*len(kept))
	for j := range b.Cols {
		b.Cols[j] = format.Vector{Buf: p.buf, Spans: spans[j*len(kept) : (j+1)*len(kept) : (j+1)*len(kept)]}
	}
	for k, i := range kept {
		b.Lines[k] = c.base + p.line(int(i))
		for j := range min(n, p.fields(int(i))) {
			spans[j*len(kept)+k] = p.span(int(i), j)
		}
	}
	r.yield(b)
}

// widen adds columns when kept rows have content beyond the known ones: rows of
// the full width whose last cells were empty so far.
func (r *reader) widen(p *parsed, kept []int32) {
	t := r.table
	for _, i := range kept {
		for n := p.fields(int(i)); n > len(t.columns) && !p.empty(int(i), len(t.columns)); {
			t.columns = append(t.columns, column{class: wordCell})
			cols := &r.tables[t.index].Columns
			*cols = append(*cols, format.RawColumn{})
		}
	}
}

package text

import (
	"bytes"
	"fmt"
	"io"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// table is the table being read.
type table struct {
	index   int
	width   int // cells of a row as it stands in the file
	columns []column
	header  [][]byte // cells of the bottom header row, to recognise its repetition
	ragged  bool
	rows    int64
}

// surveyRows bounds how many rows, and surveyBytes how many bytes, are looked
// at to lay out a block; surveyCells how many cells.
const (
	surveyRows  = 300
	surveyBytes = 4 << 20
	surveyCells = 1 << 20
)

// Next returns the next batch, or io.EOF.
func (r *reader) Next() (*format.Batch, error) {
	for len(r.out) == 0 {
		switch {
		case r.ended && r.failed != nil:
			return nil, r.failed
		case r.ended, r.opt.MaxRows > 0 && r.total >= r.opt.MaxRows:
			return nil, io.EOF
		}
		if err := r.step(); err != nil {
			return nil, err
		}
	}
	b := r.out[0]
	r.out = r.out[1:]
	r.total += int64(b.Rows)
	return b, nil
}

// step works off the current chunk, or finishes.
func (r *reader) step() error {
	if len(r.queue) == 0 && !r.pull() {
		return r.finish()
	}
	if r.table == nil {
		return r.openTable()
	}
	c := r.queue[0]
	if r.whole(c) {
		r.emitWhole(c)
		r.pop()
		return nil
	}
	return r.rowByRow(c)
}

// pull waits for the next chunk and queues it; false at the end.
func (r *reader) pull() bool {
	if r.pulled {
		return false
	}
	select {
	case c, ok := <-r.order:
		if !ok {
			r.pulled = true
			if err := r.ctx.Err(); err != nil {
				r.failed = canceled(r.in.Name, err)
			}
			return false
		}
		<-c.done
		return r.queued(c)
	case <-r.ctx.Done():
		r.pulled, r.failed = true, canceled(r.in.Name, r.ctx.Err())
		return false
	}
}

func canceled(name string, err error) error {
	return &genesis.Error{Op: "read", Kind: genesis.Canceled, Subject: name, Msg: "reading was stopped", Err: err}
}

func (r *reader) queued(c *chunk) bool {
	if c.err != nil {
		r.pulled, r.failed = true, c.err
		return false
	}
	if err := r.ctx.Err(); err != nil {
		r.pulled, r.failed = true, canceled(r.in.Name, err)
		return false
	}
	c.base = r.lines + 1
	r.lines += c.parsed.lines
	r.encoding = c.encoding
	r.queue = append(r.queue, c)
	return true
}

func (r *reader) pop() {
	r.queue[0] = nil
	r.queue = r.queue[1:]
	r.at = 0
}

// finish reports what the end of the file says, once.
func (r *reader) finish() error {
	r.ended = true
	if r.failed == nil && len(r.tables) == 0 {
		r.failed = r.noTable()
	}
	if r.failed != nil {
		return r.failed
	}
	for i := range r.tables {
		if r.notes.rows[i] == 0 {
			r.notes.add("no-rows", genesis.Warn, r.tables[i].Name, 0, "the table has a header and no rows")
		}
	}
	return nil
}

// fail ends reading with err, or with the damage met before it.
func (r *reader) fail(err error) error {
	r.ended = true
	if r.failed == nil {
		r.failed = err
	}
	return r.failed
}

func (r *reader) noTable() error {
	return &genesis.Error{Op: "read", Kind: genesis.Unsupported, Subject: r.in.Name, Msg: "is text without a table in it",
		Hint: "tables of cells separated by comma, tab, semicolon, pipe or blanks are read; name the delimiter or the header line if there is one"}
}

// rowAt returns the row k places after the next one, pulling chunks as needed.
func (r *reader) rowAt(k int) (c *chunk, i int, ok bool) {
	i = r.at + k
	for n := 0; ; n++ {
		if n == len(r.queue) && !r.pull() {
			return nil, 0, false
		}
		c = r.queue[n]
		if i < c.parsed.rows {
			return c, i, true
		}
		i -= c.parsed.rows
	}
}

// window gathers the rows to survey, beginning with the next one.
func (r *reader) window() []row {
	var rows []row
	bytes, cells := 0, 0
	for k := 0; k < surveyRows && bytes < surveyBytes && cells < surveyCells; k++ {
		c, i, ok := r.rowAt(k)
		if !ok {
			break
		}
		p := &c.parsed
		v := row{line: c.base + p.line(i), flags: p.flags(i), cells: make([][]byte, p.fields(i)), raw: p.raw(i)}
		for j := range v.cells {
			v.cells[j] = p.cell(i, j)
		}
		bytes += len(v.raw)
		cells += len(v.cells)
		rows = append(rows, v)
	}
	return rows
}

// survey lays out the block that begins with the next row.
func (r *reader) survey() (layout, []row, bool) {
	rows := r.window()
	s := survey{rows: rows, single: r.d.single, header: r.opt.Header, blanks: r.d.delim == blanks && !r.d.single,
		mark: r.d.comment, split: r.d.delim}
	if len(r.tables) == 0 {
		s.line = r.line
	}
	l, ok := s.find()
	return l, rows, ok
}

// openTable finds the first table of the file.
func (r *reader) openTable() error {
	l, rows, ok := r.survey()
	if !ok {
		if r.line > 0 {
			return r.fail(&genesis.Error{Op: "read", Kind: genesis.Invalid, Subject: r.in.Name,
				Msg: fmt.Sprintf("has no header at line %d", r.line)})
		}
		return r.fail(r.noTable())
	}
	if err := r.plausible(l, rows); err != nil {
		return r.fail(err)
	}
	return r.begin(l, rows)
}

// maxTables bounds how many blocks of one file become tables.
const maxTables = 1000

// admissible refuses tables beyond the limits.
func (r *reader) admissible(l layout) error {
	msg := ""
	if n := len(l.columns); n > r.lim.Columns {
		msg = fmt.Sprintf("has %d columns; the limit is %d", n, r.lim.Columns)
	}
	if len(r.tables) >= maxTables {
		msg = fmt.Sprintf("holds more than %d tables", maxTables)
	}
	if msg == "" {
		return nil
	}
	return &genesis.Error{Op: "read", Kind: genesis.Invalid, Subject: r.in.Name, Msg: msg}
}

// plausible refuses text that only happens to hold delimiters, and tables
// beyond the limits.
func (r *reader) plausible(l layout, rows []row) error {
	if err := r.admissible(l); err != nil {
		return err
	}
	all, fit := fitting(rows, l.width)
	if !l.ragged && !l.typed() && all >= 8 && fit*2 < all && r.line == 0 {
		return r.noTable()
	}
	seen, fit := fitting(rows[l.body:], l.width)
	if l.ragged || seen < 10 {
		return nil
	}
	if r.d.delim == blanks && fit*10 < seen*8 {
		return &genesis.Error{Op: "read", Kind: genesis.Unsupported, Subject: r.in.Name,
			Msg:  "is fixed-width or free text: its lines have different numbers of words, so columns cannot be told by blanks",
			Hint: "export the table with a delimiter"}
	}
	return nil
}

// fitting counts the rows that say something, and those of the given width.
func fitting(rows []row, width int) (seen, fit int) {
	for _, v := range rows {
		if v.flags != 0 {
			continue
		}
		seen++
		if len(v.cells) == width {
			fit++
		}
	}
	return seen, fit
}

// begin opens the table that l lays out and steps to its first row of data.
func (r *reader) begin(l layout, rows []row) error {
	t := &table{index: len(r.tables), width: l.width, columns: l.columns, ragged: l.ragged}
	named := format.Table{Columns: make([]format.RawColumn, len(l.columns))}
	if t.index > 0 {
		named.Name = fmt.Sprintf("block%d", t.index+1)
	}
	for j, c := range l.columns {
		named.Columns[j] = format.RawColumn{Name: c.name, Unit: c.unit}
	}
	if n := len(l.headers); n > 0 {
		t.header = rows[l.headers[n-1]].cells
	}
	r.tables = append(r.tables, named)
	r.table = t
	r.notes.rows = append(r.notes.rows, 0)
	r.hint.Store(int64(l.width))
	r.keep(l, rows)
	r.notes.layout(l, rows, named.Name, r.d)
	r.gap = false
	r.advance(l.body)
	return nil
}

// advance steps over n rows.
func (r *reader) advance(n int) {
	r.at += n
	for len(r.queue) > 0 && r.at >= r.queue[0].parsed.rows {
		r.at -= r.queue[0].parsed.rows
		r.queue[0] = nil
		r.queue = r.queue[1:]
	}
}

// keep puts the rows before the data that are neither header nor units into the
// preamble.
func (r *reader) keep(l layout, rows []row) {
	part := map[int]bool{l.units: true}
	for _, h := range l.headers {
		part[h] = true
	}
	n := 0
	for i, v := range rows[:l.body] {
		if part[i] || v.flags&blank != 0 {
			continue
		}
		r.remark(v.raw)
		n++
	}
	if n > 0 {
		r.notes.add("preamble", genesis.Note, r.tables[len(r.tables)-1].Name, int64(n),
			"lines before the header are kept with the source, not as data")
	}
}

// maxPreamble bounds what is kept of preambles and footers.
const maxPreamble = 64 << 10

func (r *reader) remark(raw []byte) {
	if left := maxPreamble - len(r.preamble); left > len(raw) {
		r.preamble = append(append(r.preamble, bytes.ToValidUTF8(raw, []byte("\uFFFD"))...), '\n')
	}
}

// About returns what was recognised so far.
func (r *reader) About() format.About {
	found := r.notes.list()
	if r.encoding != "UTF-8" {
		found = append(found, genesis.Finding{ID: "encoding", Code: "encoding", Severity: genesis.Note, Source: r.in.Name,
			Message: "the text is " + r.encoding + " and was converted to UTF-8",
			Hint:    "give the encoding if that is wrong"})
	}
	return format.About{Findings: found, Source: genesis.Source{
		Path: r.in.Name, Bytes: max(r.in.Size, 0), Format: r.d.name(), Encoding: r.encoding, Packing: r.in.Packing,
		Preamble: string(r.preamble),
	}}
}

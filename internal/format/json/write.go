package json

import (
	"bytes"
	"fmt"

	"github.com/opengenesis/genesis/internal/format"
)

// group is a set of arrays that run in parallel and become the columns of one
// table.
type group struct {
	table  *table
	base   int // the table's rows before this set
	length int // of the longest array so far
	ragged bool
}

// seriesBytes bounds the text and cells of parallel arrays, which stand one
// behind the other and must all be there before the first row is whole.
const seriesBytes = 256 << 20

// writer reads the source a second time and puts its values where the plan
// says.
type writer struct {
	plan *plan
	s    *scanner
	emit func(*format.Batch) error
	odd  func(line int64) // told of each value whose type is not that of its column
	most int64            // rows wanted; 0: all
	read int64
}

// value puts the value that follows into the row of t that is being filled.
func (w *writer) value(n *node, t *table) error {
	switch w.s.peek() {
	case '{':
		return w.object(n, t)
	case '[':
		return w.array(n, t)
	}
	k, b, err := w.s.scalar()
	if err != nil {
		return err
	}
	if k == null && n.col < 0 && n.objects+n.arrays > 0 {
		return nil
	}
	if n.drifts(k) {
		w.odd(t.line())
	}
	return w.cell(n, t, k, b)
}

func (w *writer) cell(n *node, t *table, k kind, b []byte) error {
	if n.col < 0 {
		t.column(n)
		if err := t.checkWidth(); err != nil {
			return err
		}
	}
	if k == null {
		t.setNull(n.col+t.leads, t.rows)
		return nil
	}
	return t.set(n.col+t.leads, t.rows, b)
}

// object flattens an object into the row of t.
func (w *writer) object(n *node, t *table) error {
	n.next = 0
	w.open(n)
	err := w.s.object(func(key []byte) error {
		known := len(n.members)
		m := n.member(key)
		if len(n.members) > known {
			if err := w.plan.census.admit(n, m, w.s.offset()); err != nil {
				return err
			}
		}
		if err := w.s.colon(); err != nil {
			return err
		}
		if m.role == series && w.s.peek() == '[' {
			return w.series(m)
		}
		return w.value(m, t)
	})
	if err != nil {
		return err
	}
	return w.close(n, t)
}

// array puts an array of a record where its role says.
func (w *writer) array(n *node, t *table) error {
	switch n.role {
	case vector:
		return w.s.array(func(i int) error { return w.value(n.part(i), t) })
	case rows:
		parent := t.number()
		return w.s.array(func(i int) error { return w.row(n.elem, n.table, parent, i+1, nil) })
	}
	b, err := w.s.raw()
	if n.role == undecided && len(b) > 1 && bytes.IndexByte(b, '{') > 0 {
		w.s.note(codeLate)
	}
	if err != nil || n.longest == 0 && len(b) == len("[]") {
		return err
	}
	return w.cell(n, t, text, b)
}

// row fills one row of t with the value that follows.
func (w *writer) row(n *node, t *table, parent int64, index int, key []byte) error {
	if err := t.begin(parent, index, key); err != nil {
		return err
	}
	if key != nil {
		if err := w.s.colon(); err != nil {
			return err
		}
	}
	if err := w.value(n, t); err != nil {
		return err
	}
	t.end()
	return w.flush(t)
}

// flush hands over t's rows when they are enough. Tables that hang on t are
// not touched: their rows refer to numbers.
func (w *writer) flush(t *table) error {
	if !t.full() {
		return nil
	}
	return w.handOver(t)
}

func (w *writer) handOver(t *table) error {
	for _, b := range t.take() {
		if err := w.emit(b); err != nil {
			return err
		}
	}
	return nil
}

// open starts the parallel arrays among the members of n.
func (w *writer) open(n *node) {
	for _, g := range n.groups {
		g.base, g.length, g.table.rowStart = g.table.rows, 0, len(g.table.buf)
	}
}

// series appends one of the parallel arrays as a column.
func (w *writer) series(m *node) error {
	length := 0
	err := w.s.array(func(i int) error {
		length = i + 1
		return w.seriesCell(m, i)
	})
	m.group.ended(length)
	return err
}

// seriesOfMembers appends the members of an object as a column; their keys are
// the same in all columns of the table.
func (w *writer) seriesOfMembers(m *node) error {
	t, length := m.group.table, 0
	err := w.s.object(func(key []byte) error {
		if row := m.group.base + length; len(t.cols[0].spans) <= row {
			if err := t.set(0, row, key); err != nil {
				return err
			}
		}
		if err := w.s.colon(); err != nil {
			return err
		}
		length++
		return w.seriesCell(m, length-1)
	})
	m.group.ended(length)
	return err
}

func (g *group) ended(length int) {
	g.ragged = g.ragged || g.length > 0 && length != g.length
	g.length = max(g.length, length)
}

// seriesCell puts the value that follows into cell number at of a column.
func (w *writer) seriesCell(m *node, at int) error {
	t := m.group.table
	i, row := m.col+t.leads, m.group.base+at
	t.rowStart = len(t.buf) // the limit of a row does not bind a column
	if len(t.buf)+8*t.cells > seriesBytes {
		return unsupported(fmt.Sprintf("table %q: arrays side by side with more than %d MiB in all", t.name, seriesBytes>>20),
			"write it as one object a line (JSON Lines)")
	}
	if c := w.s.peek(); c == '{' || c == '[' {
		b, err := w.s.raw()
		if err != nil {
			return err
		}
		return t.set(i, row, b)
	}
	k, b, err := w.s.scalar()
	if err != nil {
		return err
	}
	if k == null {
		t.setNull(i, row)
		return nil
	}
	return t.set(i, row, b)
}

// close completes the rows of the parallel arrays among the members of n,
// whose record is the row of t being filled.
func (w *writer) close(n *node, t *table) error {
	for _, g := range n.groups {
		var parent int64
		if g.table.parent != nil {
			parent = t.number()
		}
		for i := range g.length {
			if err := g.table.begin(parent, i+1, nil); err != nil {
				return err
			}
			g.table.end()
		}
		if err := w.flush(g.table); err != nil {
			return err
		}
	}
	return nil
}

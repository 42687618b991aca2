package json

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/opengenesis/genesis/internal/format"
)

// errEnough ends reading when MaxRows are there.
var errEnough = errors.New("enough rows")

// run reads the whole source.
func (w *writer) run() error {
	var err error
	switch w.plan.form {
	case lines:
		err = w.lines()
	case list:
		err = w.list()
	case records:
		err = w.records()
	default:
		err = w.document(w.plan.root)
		if err == nil {
			err = w.atEnd()
		}
	}
	if err != nil && err != errEnough {
		return err
	}
	for _, t := range w.plan.tables {
		if err := w.handOver(t); err != nil {
			return err
		}
	}
	return nil
}

// atEnd checks that nothing follows.
func (w *writer) atEnd() error {
	if w.s.peek() != 0 || w.s.pos < w.s.end {
		return w.s.unexpected("the end")
	}
	return w.s.fail
}

// spend counts a row against MaxRows.
func (w *writer) spend() error {
	if w.most > 0 && w.read >= w.most {
		return errEnough
	}
	w.read++
	return nil
}

// enough reports whether t, one of the tables of a document, has MaxRows rows.
func (w *writer) enough(t *table) bool { return w.most > 0 && t.number() > w.most }

func (w *writer) lines() error {
	var one scanner
	one.maxDepth, one.note = w.s.maxDepth, w.s.note
	whole := *w
	w = &whole
	s := w.s
	t := w.plan.tableOf(w.plan.root)
	t.lines = []int64{}
	for number := int64(1); ; number++ {
		base := s.offset()
		line, err := s.line()
		if err != nil {
			return err
		}
		if line == nil {
			return nil
		}
		one.over(line, base)
		if one.peek() == 0 && one.pos == one.end {
			continue
		}
		if err := w.spend(); err != nil {
			return err
		}
		w.s = &one
		if err := w.line(t, line, number, s); err != nil {
			return err
		}
	}
}

// line reads one line. A line that is no value, or not the kind of value the
// others are, is bad; the last one without its end is a truncated file.
func (w *writer) line(t *table, line []byte, number int64, from *scanner) error {
	base := w.s.base
	note := w.s.note
	w.s.note = func(string) {}
	err := w.s.whole()
	w.s.note = note
	var cut *endError
	if errors.As(err, &cut) && from.atEnd() && line[len(line)-1] != '\n' {
		return err
	}
	if err == nil {
		w.s.over(line, base)
		err = w.plan.root.fits(w.s)
	}
	if err != nil {
		t.bad = append(t.bad, badRow(number, err, line))
		return w.flush(t)
	}
	t.lines = append(t.lines, number)
	return w.row(w.plan.root, t, 0, 0, nil)
}

func badRow(number int64, err error, raw []byte) format.BadRow {
	const most = 4 << 10
	raw = bytes.TrimRight(raw[:min(len(raw), most)], "\r\n")
	return format.BadRow{Line: number, Code: codeBad, Msg: message(err), Raw: bytes.Clone(raw)}
}

// fits reports an error when the value that follows is not of the sort that
// the rows of the source are.
func (n *node) fits(s *scanner) error {
	is := s.peek()
	switch {
	case n.objects > 0 && is != '{':
		return invalid(fmt.Sprintf("byte %d: %s where the other rows are objects", s.offset(), called(is)), "")
	case n.objects == 0 && n.arrays > 0 && is != '[':
		return invalid(fmt.Sprintf("byte %d: %s where the other rows are arrays", s.offset(), called(is)), "")
	}
	return nil
}

func called(c byte) string {
	switch c {
	case '{':
		return "an object"
	case '[':
		return "an array"
	}
	return "a single value"
}

func (w *writer) list() error {
	t := w.plan.tableOf(w.plan.root)
	w.s.peek()
	err := w.s.array(func(i int) error { return w.element(t, int64(i)+1) })
	if err != nil {
		return err
	}
	return w.atEnd()
}

func (w *writer) records() error {
	t := w.plan.tableOf(w.plan.root)
	for i := int64(1); w.s.peek() != 0 || w.s.pos < w.s.end; i++ {
		if err := w.element(t, i); err != nil {
			return err
		}
	}
	return w.s.fail
}

// element reads a record, the number-th of the source.
func (w *writer) element(t *table, number int64) error {
	if err := w.spend(); err != nil {
		return err
	}
	w.s.peek()
	if err := w.plan.root.fits(w.s); err != nil && w.s.pos < w.s.end {
		raw, failed := w.s.raw()
		if failed != nil {
			return failed
		}
		if t.lines == nil {
			t.numberLines()
		}
		t.bad = append(t.bad, badRow(number, err, raw))
		return w.flush(t)
	}
	if t.lines != nil {
		t.lines = append(t.lines, number)
	}
	return w.row(w.plan.root, t, 0, 0, nil)
}

// document reads an object that occurs once.
func (w *writer) document(n *node) error {
	n.next = 0
	w.open(n)
	w.s.peek()
	err := w.s.object(func(key []byte) error {
		if n.role == mapping {
			return w.entry(n, key)
		}
		m := n.member(key)
		if err := w.s.colon(); err != nil {
			return err
		}
		return w.memberOfDocument(m)
	})
	if err != nil {
		return err
	}
	return w.close(n, nil)
}

func (w *writer) memberOfDocument(m *node) error {
	is := w.s.peek()
	switch {
	case m.role == rows && is == '[':
		return w.s.array(func(i int) error {
			if w.enough(m.table) {
				return w.s.skip()
			}
			return w.row(m.elem, m.table, 0, 0, nil)
		})
	case m.role == series && is == '[':
		return w.series(m)
	case m.role == series && is == '{':
		return w.seriesOfMembers(m)
	case m.role != metadata && is == '{':
		return w.document(m)
	}
	return w.s.skip()
}

// entry reads a member of an object that is a map: a row.
func (w *writer) entry(n *node, key []byte) error {
	if !w.enough(n.table) {
		return w.row(n.any, n.table, 0, 0, key)
	}
	if err := w.s.colon(); err != nil {
		return err
	}
	return w.s.skip()
}

package cache

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"path/filepath"
)

// Table is an open table. Its methods that take rows look at rows of it alone, in any
// order, and are safe for concurrent use. Rows must be prepared by [Table.Prepare]
// before anything of them is looked at.
type Table struct {
	meta
	shift      int // records of a block, as a power of two
	rows, text *Sealed
	records    []byte
}

func openTable(dir string) (*Table, error) {
	t := &Table{}
	m, err := openSealed(filepath.Join(dir, metaFile))
	if err != nil {
		return nil, err
	}
	defer m.Close()
	err = guard(func() error {
		if err := m.Check(0, int64(len(m.data))); err != nil {
			return err
		}
		return json.Unmarshal(m.data, &t.meta)
	})
	if err != nil {
		return nil, err
	}
	if t.Format != metaFormat || t.Width <= 0 {
		return nil, damaged("is of another format")
	}
	t.shift = shiftOf(t.Width)
	if t.rows, err = openSealed(filepath.Join(dir, rowsFile)); err != nil {
		return nil, err
	}
	if t.text, err = openSealed(filepath.Join(dir, textFile)); err != nil {
		return nil, errors.Join(err, t.rows.Close())
	}
	t.records = t.rows.data
	if int64(len(t.records)) != t.Rows()*int64(t.Width) {
		return nil, errors.Join(damaged("has another number of rows than it says"), t.Close())
	}
	return t, nil
}

// Rows returns how many rows there are.
func (t *Table) Rows() int64 { return t.meta.Rows }

// Columns returns the columns.
func (t *Table) Columns() []Column { return t.meta.Columns }

// Guard runs f, in which rows may be looked at.
func (t *Table) Guard(f func() error) error { return guard(f) }

// Prepare checks what rows are about to be looked at. The error is of kind
// Internal: the table is damaged.
func (t *Table) Prepare(rows []uint64) error {
	if t.rows.whole() {
		return nil
	}
	size := int64(t.Width) << t.shift
	for _, r := range rows {
		k := int64(r >> t.shift)
		if t.rows.sound[k>>6].Load()>>(k&63)&1 != 0 {
			continue
		}
		if err := t.rows.Check(k*size, min(int64(len(t.records)), (k+1)*size)); err != nil {
			return err
		}
	}
	return nil
}

// Nulls clears the bits of valid, bit i of byte i/8, of rows that have no value, and
// returns how many they are.
func (t *Table) Nulls(col int, rows []uint64, valid []byte) int {
	null := t.meta.Columns[col].Null
	if null < 0 {
		return 0
	}
	at, bit, n := null/8, byte(1)<<(null%8), 0
	for i, r := range rows {
		if t.records[int(r)*t.Width+at]&bit != 0 {
			valid[i>>3] &^= 1 << (i & 7)
			n++
		}
	}
	return n
}

// Null reports whether a row has no value.
func (t *Table) Null(col int, row uint64) bool {
	null := t.meta.Columns[col].Null
	return null >= 0 && t.records[int(row)*t.Width+null/8]>>(null%8)&1 != 0
}

// Wide writes the 8 bytes of each row's value one after the other.
func (t *Table) Wide(col int, rows []uint64, out []byte) {
	at, width, records := t.meta.Columns[col].Offset, t.Width, t.records
	out = out[:8*len(rows)]
	for i, r := range rows {
		binary.LittleEndian.PutUint64(out[8*i:], binary.LittleEndian.Uint64(records[int(r)*width+at:]))
	}
}

// Narrow writes the 4 bytes of each row's day or code.
func (t *Table) Narrow(col int, rows []uint64, out []byte) {
	at, width, records := t.meta.Columns[col].Offset, t.Width, t.records
	for i, r := range rows {
		binary.LittleEndian.PutUint32(out[4*i:], binary.LittleEndian.Uint32(records[int(r)*width+at:]))
	}
}

// Flags sets the bits of out, bit i of byte i/8, of rows whose value is true.
func (t *Table) Flags(col int, rows []uint64, out []byte) {
	at := t.meta.Columns[col].Offset
	for i, r := range rows {
		out[i>>3] |= t.records[int(r)*t.Width+at] << (i & 7)
	}
}

// TextSize returns how many bytes the rows' texts have, and checks those that lie in
// the file of texts.
func (t *Table) TextSize(col int, rows []uint64) (int64, error) {
	c := &t.meta.Columns[col]
	total := int64(0)
	for _, r := range rows {
		if t.Null(col, r) {
			continue
		}
		cell := t.records[int(r)*t.Width+c.Offset:]
		if c.Form == Word {
			total += int64(len(c.Words[binary.LittleEndian.Uint32(cell)]))
			continue
		}
		from, n := int64(binary.LittleEndian.Uint64(cell)), int64(binary.LittleEndian.Uint32(cell[8:]))
		if from < 0 || from+n > int64(len(t.text.data)) {
			return 0, damaged("says that a text lies outside of it")
		}
		if err := t.text.Check(from, from+n); err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// Text returns a row's text, nil for none. It is valid as long as the table is open,
// within Guard, after TextSize.
func (t *Table) Text(col int, row uint64) []byte {
	if t.Null(col, row) {
		return nil
	}
	c := &t.meta.Columns[col]
	cell := t.records[int(row)*t.Width+c.Offset:]
	if c.Form == Word {
		return []byte(c.Words[binary.LittleEndian.Uint32(cell)])
	}
	from, n := binary.LittleEndian.Uint64(cell), binary.LittleEndian.Uint32(cell[8:])
	return t.text.data[from : from+uint64(n)]
}

// AppendText appends a row's text.
func (t *Table) AppendText(out []byte, col int, row uint64) []byte {
	if t.Null(col, row) {
		return out
	}
	c := &t.meta.Columns[col]
	cell := t.records[int(row)*t.Width+c.Offset:]
	if c.Form == Word {
		return append(out, c.Words[binary.LittleEndian.Uint32(cell)]...)
	}
	from, n := binary.LittleEndian.Uint64(cell), binary.LittleEndian.Uint32(cell[8:])
	return append(out, t.text.data[from:from+uint64(n)]...)
}

// Int returns a row's integer, time, day, code or truth value.
func (t *Table) Int(col int, row uint64) int64 {
	c := &t.meta.Columns[col]
	cell := t.records[int(row)*t.Width+c.Offset:]
	switch c.Form {
	case Wide:
		return int64(binary.LittleEndian.Uint64(cell))
	case Flag:
		return int64(cell[0])
	}
	return int64(int32(binary.LittleEndian.Uint32(cell)))
}

// Float returns a row's number.
func (t *Table) Float(col int, row uint64) float64 {
	return math.Float64frombits(binary.LittleEndian.Uint64(t.records[int(row)*t.Width+t.meta.Columns[col].Offset:]))
}

package cache

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"path/filepath"
	"slices"
	"sync/atomic"
	"unsafe"
)

// Table is an open table. Its methods that take rows look at rows of it alone, in any
// order, and are safe for concurrent use. Rows must be prepared by [Table.Prepare]
// before anything of them is looked at.
type Table struct {
	meta
	shift      int // records of a block, as a power of two
	rows, text *Sealed
	records    atomic.Pointer[[]byte] // those of rows, or a copy of them
	copied     *hotCopy               // guarded by Store.mu
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
	if t.Format != metaFormat || !t.placed() {
		return nil, damaged("is of another format")
	}
	t.shift = shiftOf(t.Width)
	if t.rows, err = openSealed(filepath.Join(dir, rowsFile)); err != nil {
		return nil, err
	}
	if t.text, err = openSealed(filepath.Join(dir, textFile)); err != nil {
		return nil, errors.Join(err, t.rows.Close())
	}
	t.records.Store(&t.rows.data)
	if int64(len(t.rows.data)) != t.Rows()*int64(t.Width) || t.rows.block != int64(t.Width)<<t.shift {
		return nil, errors.Join(damaged("has another number of rows than it says"), t.Close())
	}
	return t, nil
}

// placed reports whether the columns lie where this program puts them.
func (t *Table) placed() bool {
	cols := slices.Clone(t.meta.Columns)
	nulls := slices.ContainsFunc(cols, func(c Column) bool { return c.Null >= 0 })
	if t.Width != place(cols, nulls) {
		return false
	}
	for i, c := range t.meta.Columns {
		null := c.Null == cols[i].Null || c.Null == -1
		form := formOf(c.Type)
		if c.Offset != cols[i].Offset || !null || c.Form != form && (form != Word || c.Form != Heap) {
			return false
		}
	}
	return true
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
		if err := t.rows.Check(k*size, min(int64(len(t.rows.data)), (k+1)*size)); err != nil {
			return err
		}
	}
	return nil
}

// Fetch tells the operating system that the rows from … to−1 will be looked at soon.
func (t *Table) Fetch(from, to uint64) {
	willNeed(t.rows.data, int(from)*t.Width, int(to)*t.Width)
}

// Nulls clears the bits of valid, bit i of byte i/8, of rows that have no value, and
// returns how many they are.
func (t *Table) Nulls(col int, rows []uint64, valid []byte) int {
	null := t.meta.Columns[col].Null
	if null < 0 {
		return 0
	}
	records := *t.records.Load()
	at, bit, n := null/8, byte(1)<<(null%8), 0
	for i, r := range rows {
		if records[int(r)*t.Width+at]&bit != 0 {
			valid[i>>3] &^= 1 << (i & 7)
			n++
		}
	}
	return n
}

// Null reports whether a row has no value.
func (t *Table) Null(col int, row uint64) bool {
	null := t.meta.Columns[col].Null
	return null >= 0 && (*t.records.Load())[int(row)*t.Width+null/8]>>(null%8)&1 != 0
}

// Wide writes the 8 bytes of each row's value one after the other.
func (t *Table) Wide(col int, rows []uint64, out []byte) {
	width, records := uint64(t.Width), (*t.records.Load())[t.meta.Columns[col].Offset:]
	into := words(out, len(rows))
	for i, r := range rows {
		into[i] = binary.LittleEndian.Uint64(records[r*width:])
	}
}

// words are the first n words of b as numbers, on machines that keep them as Arrow does;
// b begins where a word may.
func words(b []byte, n int) []uint64 {
	if n == 0 {
		return nil
	}
	return unsafe.Slice((*uint64)(unsafe.Pointer(unsafe.SliceData(b[:8*n]))), n)
}

// Narrow writes the 4 bytes of each row's day or code.
func (t *Table) Narrow(col int, rows []uint64, out []byte) {
	width, records := uint64(t.Width), (*t.records.Load())[t.meta.Columns[col].Offset:]
	for i, r := range rows {
		binary.LittleEndian.PutUint32(out[4*i:], binary.LittleEndian.Uint32(records[r*width:]))
	}
}

// Flags sets the bits of out, bit i of byte i/8, of rows whose value is true.
func (t *Table) Flags(col int, rows []uint64, out []byte) {
	at, records := t.meta.Columns[col].Offset, *t.records.Load()
	for i, r := range rows {
		out[i>>3] |= records[int(r)*t.Width+at] << (i & 7)
	}
}

// TextSize returns how many bytes the rows' texts have, and checks those that lie in
// the file of texts.
func (t *Table) TextSize(col int, rows []uint64) (int64, error) {
	c, records := &t.meta.Columns[col], *t.records.Load()
	total := int64(0)
	for _, r := range rows {
		if t.Null(col, r) {
			continue
		}
		cell := records[int(r)*t.Width+c.Offset:]
		if c.Form == Word {
			total += int64(len(c.Words[binary.LittleEndian.Uint32(cell)]))
			continue
		}
		from, n := int64(binary.LittleEndian.Uint64(cell)), int64(binary.LittleEndian.Uint32(cell[8:]))
		if from < 0 || from > int64(len(t.text.data))-n {
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
	cell := (*t.records.Load())[int(row)*t.Width+c.Offset:]
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
	cell := (*t.records.Load())[int(row)*t.Width+c.Offset:]
	if c.Form == Word {
		return append(out, c.Words[binary.LittleEndian.Uint32(cell)]...)
	}
	from, n := binary.LittleEndian.Uint64(cell), binary.LittleEndian.Uint32(cell[8:])
	return append(out, t.text.data[from:from+uint64(n)]...)
}

// Int returns a row's integer, time, day, code or truth value.
func (t *Table) Int(col int, row uint64) int64 {
	c := &t.meta.Columns[col]
	cell := (*t.records.Load())[int(row)*t.Width+c.Offset:]
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
	return math.Float64frombits(binary.LittleEndian.Uint64((*t.records.Load())[int(row)*t.Width+t.meta.Columns[col].Offset:]))
}

// Close closes the table's files.
func (t *Table) Close() error { return errors.Join(t.rows.Close(), t.text.Close()) }

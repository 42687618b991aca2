package compare

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/ingest/spill"
	"github.com/zeebo/xxh3"
)

// class is what values can be compared with: 'n' numbers, 'b' booleans,
// 'm' timestamps, 'd' dates, 't' texts.
type class byte

func classOf(t genesis.Type) class {
	switch t {
	case genesis.Integer, genesis.Float:
		return 'n'
	case genesis.Boolean:
		return 'b'
	case genesis.Timestamp:
		return 'm'
	case genesis.Date:
		return 'd'
	}
	return 't'
}

// appendCell writes value i in a form that is equal for equal values.
func appendCell(b []byte, v *format.Vector, i int) []byte {
	switch {
	case v.Null(i):
		return append(b, 0)
	case v.Kind == format.Text:
		text := v.Bytes(i)
		b = binary.LittleEndian.AppendUint32(append(b, 't'), uint32(len(text)))
		return append(b, text...)
	case v.Kind == format.Float:
		return binary.LittleEndian.AppendUint64(append(b, 'n'), numberKey(v.Floats[i]))
	}
	return binary.LittleEndian.AppendUint64(append(b, 'n'), uint64(v.Ints[i]))
}

// numberKey gives whole numbers the form of the integer, so that 5 equals 5.0;
// −0 stays apart from 0, and all NaNs are one.
func numberKey(x float64) uint64 {
	switch {
	case math.IsNaN(x):
		return 0x7ff8000000000000
	case x == math.Trunc(x) && math.Abs(x) < 1<<53 && !(x == 0 && math.Signbit(x)):
		return uint64(int64(x))
	}
	return math.Float64bits(x)
}

// matcher compares the rows of a pair of tables.
type matcher struct {
	pair
	env      Env
	key      string   // id column, or ""
	compared []string // columns
	done     int64
}

// The sides as they stand in records.
const (
	older = 0
	newer = 1
)

// hashes calls f with the identity and the content of every row of one side.
// Without an id both are the content.
func (m *matcher) hashes(ctx context.Context, side byte, f func(id, content [16]byte) error) error {
	s, t := m.a, m.from
	if side == newer {
		s, t = m.b, m.to
	}
	keyAt := -1
	for i, name := range m.compared {
		if name == m.key && m.key != "" {
			keyAt = i
		}
	}
	var buf []byte
	return read(ctx, s, t.Name, m.compared, func(b *format.Batch, cols []genesis.Column) error {
		for i := range b.Rows {
			buf = buf[:0]
			for j := range cols {
				buf = appendCell(buf, &b.Cols[j], i)
			}
			content := xxh3.Hash128(buf).Bytes()
			id := content
			if keyAt >= 0 && !b.Cols[keyAt].Null(i) {
				id = keyOf(&b.Cols[keyAt], i)
			}
			if err := f(id, content); err != nil {
				return err
			}
		}
		m.progress(int64(b.Rows))
		return nil
	})
}

func keyOf(v *format.Vector, i int) [16]byte {
	var short [64]byte
	return xxh3.Hash128(appendCell(append(short[:0], 'k'), v, i)).Bytes()
}

func (m *matcher) progress(rows int64) {
	m.done += rows
	m.env.Progress.Send(genesis.Event{Stage: "comparing", Done: m.done, Total: max(m.done, m.from.Rows+m.to.Rows), Unit: "rows"})
}

// recordSize is id, content and side.
const recordSize = 16 + 16 + 1

// count matches the rows of both sides.
func (m *matcher) count(ctx context.Context, d *genesis.TableDiff) error {
	sorter := spill.New(m.env.Temp, recordSize, m.env.Memory)
	defer sorter.Close()
	for _, side := range []byte{older, newer} {
		err := m.hashes(ctx, side, func(id, content [16]byte) error {
			var rec [recordSize]byte
			copy(rec[:], id[:])
			copy(rec[16:], content[:])
			rec[32] = side
			return sorter.Add(rec[:])
		})
		if err != nil {
			return err
		}
	}
	t := tallier{diff: d}
	if err := sorter.Each(t.see); err != nil {
		return err
	}
	t.endIdentity()
	return nil
}

// tallier counts while it sees records in order of identity and content.
type tallier struct {
	diff        *genesis.TableDiff
	id, content [16]byte
	n           [2]int64 // rows of this content, by side
	left        [2]int64 // rows of this identity without an equal one
}

func (t *tallier) see(rec []byte) error {
	id, content := [16]byte(rec), [16]byte(rec[16:])
	if id != t.id {
		t.endIdentity()
	} else if content != t.content {
		t.endContent()
	}
	t.id, t.content = id, content
	t.n[rec[32]]++
	return nil
}

func (t *tallier) endContent() {
	same := min(t.n[older], t.n[newer])
	t.diff.Unchanged += same
	t.left[older] += t.n[older] - same
	t.left[newer] += t.n[newer] - same
	t.n = [2]int64{}
}

func (t *tallier) endIdentity() {
	t.endContent()
	changed := min(t.left[older], t.left[newer])
	t.diff.Changed += changed
	t.diff.Removed += t.left[older] - changed
	t.diff.Added += t.left[newer] - changed
	t.left = [2]int64{}
}

// columnsAtOnce is how many columns are compared cell by cell in one pass.
const columnsAtOnce = 32

// countColumns counts in how many rows of equal id each column differs.
func (m *matcher) countColumns(ctx context.Context, d *genesis.TableDiff) error {
	var differ []string
	for _, name := range m.compared {
		if name != m.key && digestOf(m.from, name) != digestOf(m.to, name) {
			differ = append(differ, name)
		}
	}
	for len(differ) > 0 {
		n := min(columnsAtOnce, len(differ))
		counts, err := m.changes(ctx, differ[:n])
		if err != nil {
			return err
		}
		for i, name := range differ[:n] {
			note(d, name, counts[i])
		}
		differ = differ[n:]
	}
	return nil
}

// note adds to a column's difference in how many rows it changed.
func note(d *genesis.TableDiff, name string, rows int64) {
	for i := range d.Columns {
		if c := &d.Columns[i]; c.Name == name && rows > 0 {
			c.Details = append([]string{fmt.Sprintf("changed in %d rows", rows)}, c.Details...)
		}
	}
}

// changes compares some columns cell by cell between rows of one id. Records
// are the id, the side, the row's number and 32 bits for each column's value.
func (m *matcher) changes(ctx context.Context, columns []string) ([]int64, error) {
	width := 16 + 1 + 8 + 4*len(columns)
	sorter := spill.New(m.env.Temp, width, m.env.Memory)
	defer sorter.Close()
	for _, side := range []byte{older, newer} {
		if err := m.cells(ctx, side, columns, sorter, width); err != nil {
			return nil, err
		}
	}
	p := pairer{counts: make([]int64, len(columns))}
	err := sorter.Each(p.see)
	p.end()
	return p.counts, err
}

func (m *matcher) cells(ctx context.Context, side byte, columns []string, sorter *spill.Sorter, width int) error {
	s, t := m.a, m.from
	if side == newer {
		s, t = m.b, m.to
	}
	rec, row := make([]byte, width), uint64(0)
	var buf []byte
	return read(ctx, s, t.Name, append([]string{m.key}, columns...), func(b *format.Batch, cols []genesis.Column) error {
		for i := range b.Rows {
			row++
			if b.Cols[0].Null(i) {
				continue
			}
			id := keyOf(&b.Cols[0], i)
			copy(rec, id[:])
			rec[16] = side
			binary.BigEndian.PutUint64(rec[17:], row)
			for j := range columns {
				buf = appendCell(buf[:0], &b.Cols[j+1], i)
				binary.BigEndian.PutUint32(rec[25+4*j:], uint32(xxh3.Hash(buf)))
			}
			if err := sorter.Add(rec); err != nil {
				return err
			}
		}
		return nil
	})
}

// maxSameID is how many older rows of one id are kept to be compared with the
// newer ones: more would not be an id.
const maxSameID = 1024

// pairer compares the rows of one id, the first older with the first newer and
// so on.
type pairer struct {
	counts []int64
	id     [16]byte
	old    [][]byte // cells of the older rows
	next   int      // of them, to be compared with the next newer
}

func (p *pairer) see(rec []byte) error {
	if [16]byte(rec) != p.id {
		p.end()
		p.id = [16]byte(rec)
	}
	cells := rec[25:]
	if rec[16] == older {
		if len(p.old) < maxSameID {
			p.old = append(p.old, append([]byte(nil), cells...))
		}
		return nil
	}
	if p.next < len(p.old) {
		p.compare(p.old[p.next], cells)
		p.next++
	}
	return nil
}

func (p *pairer) compare(a, b []byte) {
	for j := range p.counts {
		if binary.BigEndian.Uint32(a[4*j:]) != binary.BigEndian.Uint32(b[4*j:]) {
			p.counts[j]++
		}
	}
}

func (p *pairer) end() { p.old, p.next = p.old[:0], 0 }

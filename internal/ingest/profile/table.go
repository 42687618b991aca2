package profile

import (
	"fmt"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// size is how much one column may keep.
type size struct {
	exact     int  // distinct values counted exactly
	registers uint // log2 of the HyperLogLog's registers
	k         int  // of the quantile sketch
	block     int  // values handed to the sketches at once
	times     int  // distinct times kept to find gaps in unsorted columns
}

func sizeFor(columns int) size {
	switch {
	case columns <= 512:
		return size{4096, 14, 1024, 4096, 1 << 16}
	case columns <= 8192:
		return size{512, 10, 256, 256, 1 << 10}
	}
	return size{64, 8, 64, 64, 64}
}

// Table profiles one table.
type Table struct {
	name    string
	target  string
	columns []*Column
}

// NewTable returns the profile, still empty, of a table with the given columns.
// target names the column with which the others' association is measured; ""
// for none.
func NewTable(name string, cols []genesis.Column, target string) *Table {
	t := &Table{name: name, target: target}
	z := sizeFor(len(cols))
	var y *genesis.Column
	for i := range cols {
		if target != "" && cols[i].Name == target {
			y = &cols[i]
		}
	}
	for i := range cols {
		t.columns = append(t.columns, newColumn(cols[i], y, z))
	}
	return t
}

// Column returns the profile of column j. Different columns may be fed by
// different goroutines, each in row order.
func (t *Table) Column(j int) *Column { return t.columns[j] }

// Result returns the profile of all rows added. Nothing may be added later.
func (t *Table) Result(rows, duplicates int64) genesis.TableProfile {
	p := genesis.TableProfile{Name: t.name, Rows: rows, Duplicates: duplicates, Target: t.target}
	p.Columns = make([]genesis.ColumnProfile, len(t.columns))
	for i, c := range t.columns {
		p.Columns[i] = c.result()
	}
	return p
}

// Column profiles one column.
type Column struct {
	col    genesis.Column
	rows   int64
	nulls  int64
	codes  []int32 // scratch
	nums   *numeric
	texts  *text
	truth  *truth
	times  *times
	assoc  associator
	closed *genesis.ColumnProfile
}

func newColumn(col genesis.Column, target *genesis.Column, z size) *Column {
	c := &Column{col: col}
	switch kindOf(col.Type) {
	case format.Int:
		c.nums = newNumeric(true, z)
	case format.Float:
		c.nums = newNumeric(false, z)
	case format.Bool:
		c.truth = &truth{}
	case format.Timestamp, format.Date:
		c.times = newTimes(col.Type == genesis.Date, z)
	default:
		c.texts = newText(col.Semantic != genesis.Person, z)
	}
	c.assoc = newAssociator(col, target)
	return c
}

// kindOf returns the kind of the vectors in which values of type t are stored.
func kindOf(t genesis.Type) format.Kind {
	switch t {
	case genesis.Integer:
		return format.Int
	case genesis.Float:
		return format.Float
	case genesis.Boolean:
		return format.Bool
	case genesis.Timestamp:
		return format.Timestamp
	case genesis.Date:
		return format.Date
	}
	return format.Text
}

// Add takes the next rows of the column and, unless nil, the same rows of the
// target. v is of the kind that stores the column's type; anything else is a
// defect of the caller and panics.
func (c *Column) Add(v *format.Vector, target *format.Vector) {
	if want := kindOf(c.col.Type); v.Kind != want {
		panic(fmt.Sprintf("profile: column %q of kind %d was handed kind %d", c.col.Name, want, v.Kind))
	}
	n := v.Len()
	c.rows += int64(n)
	c.nulls += countNulls(v, n)
	codes := c.take(v)
	if c.assoc != nil && target != nil {
		c.assoc.add(v, codes, target)
	}
}

// take profiles the values and returns the categories of the rows where the
// association needs them.
func (c *Column) take(v *format.Vector) []int32 {
	switch {
	case c.nums != nil && v.Kind == format.Int:
		c.nums.addInts(v)
	case c.nums != nil:
		c.nums.addFloats(v)
	case c.truth != nil:
		c.truth.add(v)
	case c.times != nil:
		c.times.add(v)
	default:
		codes := c.codesFor(v.Len())
		c.texts.add(v, codes)
		return codes
	}
	return nil
}

func (c *Column) codesFor(n int) []int32 {
	if c.assoc == nil {
		return nil
	}
	if cap(c.codes) < n {
		c.codes = make([]int32, n)
	}
	return c.codes[:n]
}

func countNulls(v *format.Vector, n int) int64 {
	if v.Nulls == nil {
		return 0
	}
	var nulls int64
	if n%64 == 0 || len(v.Nulls) <= n/64 {
		return int64(v.Nulls[:min(len(v.Nulls), n/64)].Count())
	}
	nulls = int64(v.Nulls[:n/64].Count())
	for i := n &^ 63; i < n; i++ {
		if v.Nulls.Get(i) {
			nulls++
		}
	}
	return nulls
}

func (c *Column) result() genesis.ColumnProfile {
	if c.closed != nil {
		return *c.closed
	}
	p := genesis.ColumnProfile{Name: c.col.Name, Count: c.rows - c.nulls, Nulls: c.nulls}
	switch {
	case c.nums != nil:
		c.nums.describe(&p)
	case c.truth != nil:
		c.truth.describe(&p)
	case c.times != nil:
		c.times.describe(&p)
	default:
		c.texts.describe(&p)
	}
	if c.col.Semantic == genesis.Person {
		p.Top = nil
	}
	if c.assoc != nil {
		p.Association = c.assoc.association()
	}
	c.closed = &p
	return p
}

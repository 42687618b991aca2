package format

import "math/bits"

// Kind is how a [Vector] holds its values.
type Kind uint8

const (
	Text      Kind = iota // Buf and Spans
	Int                   // Ints
	Float                 // Floats
	Bool                  // Ints, 0 or 1
	Timestamp             // Ints: microseconds since 1970-01-01T00:00:00Z
	Date                  // Ints: days since 1970-01-01
)

// Span is one text value: Buf[Start:End].
type Span struct{ Start, End uint32 }

// Vector is one column's values in a batch. Only the slices of its Kind are
// set. A cell whose bit in Nulls is 1 has no value; a nil Nulls means all do.
type Vector struct {
	Kind   Kind
	Buf    []byte // shared with other vectors of the batch; read-only
	Spans  []Span
	Ints   []int64
	Floats []float64
	Nulls  Bitmap
}

// Bytes returns text value i. It aliases the batch's buffer.
func (v *Vector) Bytes(i int) []byte { s := v.Spans[i]; return v.Buf[s.Start:s.End] }

// Null reports whether cell i has no value.
func (v *Vector) Null(i int) bool { return v.Nulls != nil && v.Nulls.Get(i) }

// Len returns the number of cells.
func (v *Vector) Len() int {
	switch v.Kind {
	case Text:
		return len(v.Spans)
	case Float:
		return len(v.Floats)
	}
	return len(v.Ints)
}

// Bitmap is a set of row indexes; bit i of word i/64.
type Bitmap []uint64

// NewBitmap returns an empty set for rows 0…n−1.
func NewBitmap(n int) Bitmap { return make(Bitmap, (n+63)/64) }

// Get reports whether i is in the set.
func (b Bitmap) Get(i int) bool { return b[i>>6]>>(i&63)&1 != 0 }

// Set puts i into the set.
func (b Bitmap) Set(i int) { b[i>>6] |= 1 << (i & 63) }

// Count returns the number of members.
func (b Bitmap) Count() int {
	n := 0
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}

// Batch is some consecutive rows of one table.
type Batch struct {
	Table int      // index into the reader's Tables
	Rows  int      //
	First int64    // index of the first row within its table, from 0
	Cols  []Vector // may be fewer than the table's columns: the rest are null
	// Lines holds for each row where it stands in the source, from 1: the line
	// number in text, the row number in a sheet, the record number elsewhere.
	// Nil means First+1, First+2, …
	Lines []int64
	// Bad lists rows that could not be taken apart into the table's columns.
	// They are not among Rows.
	Bad []BadRow
}

// Line returns where row i of the batch stands in the source, from 1.
func (b *Batch) Line(i int) int64 {
	if b.Lines != nil {
		return b.Lines[i]
	}
	return b.First + int64(i) + 1
}

// BadRow is a row of the source that does not fit its table.
type BadRow struct {
	Line int64
	Code string // "field-count", "bad-json", "nul-byte", …
	Msg  string
	Raw  []byte // verbatim, cut at 4 KiB
}

// Table is a table found in a source.
type Table struct {
	Name    string // from the sheet, the JSON path or the block; "" for a source that is one table
	Columns []RawColumn
}

// RawColumn is a column as the source declares it.
type RawColumn struct {
	Name  string // header cell; multi-row headers are joined by one space; "" if it has none
	Unit  string // from a row of units, as spelled; units inside Name are left there
	Typed bool   // the source itself says the type, as Parquet does
	Kind  Kind   // when Typed
	Zone  string // when Typed and Kind is Timestamp: "UTC" or "unstated"
}

package cache

import (
	"github.com/opengenesis/genesis"
)

// Form is how a record holds a column.
type Form string

const (
	Wide Form = "wide" // 8 bytes: integers, numbers, times
	Day  Form = "day"  // 4 bytes: dates
	Word Form = "word" // 4 bytes: the code of a category
	Heap Form = "heap" // 12 bytes: where a text lies, and how long it is
	Flag Form = "flag" // 1 byte: truth values
)

var widths = map[Form]int{Wide: 8, Day: 4, Word: 4, Heap: 12, Flag: 1}

// Column is a column of records.
type Column struct {
	genesis.Column
	Form   Form `json:"form"`
	Offset int  `json:"offset"` // in the record
	Null   int  `json:"null"`   // the bit of the record that says the value is missing; −1: none is
	// Words are the dictionary of a category, in order of first appearance.
	Words []string `json:"words,omitempty"`
}

// maxWords bounds a dictionary; a category with more is kept like any text.
const (
	maxWords     = 1 << 16
	maxWordBytes = 4 << 20
	// maxAllWords bounds those of all columns of a table, with what a word takes beside
	// its text: they are in memory for as long as the table is open.
	maxAllWords = 64 << 20
	perWord     = 32
)

func formOf(t genesis.Type) Form {
	switch t {
	case genesis.Date:
		return Day
	case genesis.Boolean:
		return Flag
	case genesis.Categorical:
		return Word
	case genesis.Text, genesis.Identifier:
		return Heap
	}
	return Wide
}

// place gives each column its place in the record and returns the record's width.
// Wide values come first, so that they are aligned. With nulls, every column has a bit.
func place(cols []Column, nulls bool) int {
	width := 0
	for _, form := range []Form{Wide, Heap, Day, Word, Flag} {
		for i := range cols {
			if cols[i].Form == form {
				cols[i].Offset = width
				width += widths[form]
			}
		}
	}
	for i := range cols {
		cols[i].Null = -1
		if nulls {
			cols[i].Null = 8*width + i
		}
	}
	if nulls {
		width += (len(cols) + 7) / 8
	}
	return aligned(width)
}

// line is what the processor fetches from memory at once.
const line = 64

// aligned rounds a width up to where records begin on as few lines as they can, if that
// takes no more than a quarter more.
func aligned(width int) int {
	width = max(8, (width+7)&^7)
	up := (width + line - 1) / line * line
	for up > 8 && up/2 >= width {
		up /= 2 // 8, 16 and 32 divide a line
	}
	if 4*up <= 5*width {
		return up
	}
	return width
}

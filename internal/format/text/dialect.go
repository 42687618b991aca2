package text

import "bytes"

// blanks as a delimiter: any run of spaces and tabs.
const blanks = ' '

// dialect is how a file is written.
type dialect struct {
	delim     byte // blanks: runs of white space
	nl        byte // '\n', or '\r' in files that have no other
	comment   byte // lines that begin with it are comments; 0: none
	rowQuoted bool // each row as a whole is in quotes
	single    bool // one column: nothing separates cells
	width     int  // the most common number of cells; 0: not known
}

// verdict is what became of a quote that opens a cell.
type verdict int

const (
	closed verdict = iota
	more           // the end of what is known came first
	broken         // it does not close, or not sensibly
)

// quoteEnd finds the quote that closes the cell whose content begins at i. A
// quote that closes only many rows later, before something that is no
// delimiter, or around what reads as whole rows, counts as broken: it is a
// stray quote, and believing it would swallow those rows.
func (d *dialect) quoteEnd(buf []byte, i int, final bool) (int, verdict) {
	end := -1
	for j := i; end < 0; {
		k := bytes.IndexByte(buf[j:], '"')
		if k < 0 {
			return 0, openVerdict(final)
		}
		k += j
		switch {
		case k+1 < len(buf) && buf[k+1] == '"':
			j = k + 2
		case k+1 < len(buf) || final:
			end = k
		default:
			return 0, more
		}
	}
	if bytes.IndexByte(buf[i:end], d.nl) >= 0 && (!d.endsCell(buf, end+1) || d.swallows(buf[i:end])) {
		return 0, broken
	}
	return end, closed
}

func openVerdict(final bool) verdict {
	if final {
		return broken
	}
	return more
}

// endsCell reports whether a cell may end before buf[i].
func (d *dialect) endsCell(buf []byte, i int) bool {
	if i >= len(buf) {
		return true
	}
	b := buf[i]
	return b == d.delim || b == d.nl || b == '\r' || d.delim == blanks && b == '\t'
}

// opensCell reports whether a cell begins at buf[i].
func (d *dialect) opensCell(buf []byte, i int) bool {
	if i == 0 {
		return true
	}
	b := buf[i-1]
	return b == d.delim || b == d.nl || d.delim == blanks && b == '\t'
}

// swallows reports whether the content of a quoted cell holds three or more
// lines that each read as a row of the file.
func (d *dialect) swallows(content []byte) bool {
	if d.width < 2 || d.delim == blanks {
		return false
	}
	lines := bytes.Split(content, []byte{d.nl})
	if len(lines) < 5 {
		return false
	}
	for _, line := range lines[1 : len(lines)-1] {
		if bytes.Count(line, []byte{d.delim}) != d.width-1 {
			return false
		}
	}
	return true
}

// name says what the dialect is called.
func (d *dialect) name() string {
	switch {
	case d.single:
		return "text"
	case d.delim == ',':
		return "csv"
	case d.delim == '\t':
		return "tsv"
	case d.delim == ';':
		return "semicolon-separated text"
	case d.delim == '|':
		return "pipe-separated text"
	}
	return "whitespace-separated text"
}

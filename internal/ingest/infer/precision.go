package infer

import (
	"fmt"
	"strconv"

	"github.com/opengenesis/genesis"
)

// A 64-bit float holds every whole number to 2^53 and every decimal of 15
// digits; 17 digits tell any two floats apart. What is written with more is
// silently another number once it is a float, so such cells are counted.
const (
	exactWhole  = 1 << 53
	exactDigits = 15
	floatDigits = 17
)

// significant counts the digits of a plain number between its first and its
// last that is not zero.
func significant(b []byte) int {
	n, zeros := 0, 0
	for _, c := range b {
		switch {
		case c|0x20 == 'e':
			return n
		case c == '0':
			zeros++
		case c > '0' && c <= '9':
			if n > 0 {
				n += zeros
			}
			n, zeros = n+1, 0
		}
	}
	return n
}

// exactInt reports whether v is the same number as a float.
func exactInt(v int64) bool {
	if -exactWhole <= v && v <= exactWhole {
		return true
	}
	f := float64(v)
	return f < 1<<63 && int64(f) == v
}

// exactWide reports whether a whole number beyond int64 is surely the same
// number as a float.
func exactWide(b []byte) bool {
	if u, err := strconv.ParseUint(unsafeString(b), 10, 64); err == nil {
		f := float64(u)
		return f < 1<<64 && uint64(f) == u
	}
	return significant(b) <= exactDigits
}

// inexact counts cells that are other numbers as floats.
type inexact struct {
	whole, fine int64 // whole numbers; decimals of more digits than floats have
	seen        seen
}

func (x *inexact) addWhole(line int64) {
	x.whole++
	x.seen.add(line)
}

// decimal looks at a decimal number whose value is about f.
func (x *inexact) decimal(b []byte, n *decimal, f float64, line int64) {
	lost := n.digits > floatDigits && significant(b) > floatDigits
	if f == 0 && significant(b) > 0 { // 1e-400
		lost = n.float(b) == 0
	}
	if lost {
		x.fine++
		x.seen.add(line)
	}
}

func (x *inexact) merge(o *inexact, shift int64) {
	x.whole += o.whole
	x.fine += o.fine
	for _, row := range o.seen.rows[:o.seen.n] {
		x.seen.add(row + shift)
	}
}

// wideWhole reports whether a column holds nothing but whole numbers of which
// some are beyond 64 bits and would be other numbers as floats.
func (c *decision) wideWhole(n numeric) bool {
	return c.counts[cWide] > 0 && c.inexact.whole > 0 && c.counts[cInt]+c.counts[cWide] == n.all()
}

// precision reports what a column of floats does not hold exactly.
func (c *decision) precision() {
	if c.Column.Type != genesis.Float {
		return
	}
	x := &c.inexact
	if x.whole > 0 {
		c.find("precision", genesis.Warn, x.whole, &x.seen, fmt.Sprintf("%s hold a whole number beyond 2^53 in a column of decimals, which keeps about 16 digits of it", cells(x.whole)), "set type: identifier in the recipe if every digit counts")
		return
	}
	if x.fine > 0 {
		c.find("precision", genesis.Note, x.fine, &x.seen, fmt.Sprintf("%s have more digits, or are nearer to zero, than a 64-bit float can be; they become the nearest one", cells(x.fine)), "set type: text in the recipe if every digit counts")
	}
}

// leadingZeros reports zeros before whole numbers, which numbers do not keep.
func (c *decision) leadingZeros() {
	if c.zeros == 0 || c.Column.Type != genesis.Integer || c.paddedNumbers() {
		return
	}
	c.find("leading-zeros", genesis.Warn, c.zeros, nil, fmt.Sprintf("%s have zeros before the number, which are not kept", cells(c.zeros)), "set type: identifier in the recipe if they are codes")
}

// paddedNumbers reports whether zeros only fill up numbers, as in parts of times.
func (c *decision) paddedNumbers() bool {
	return c.lengths.max <= 2 || c.named("year", "month", "day", "hour", "minute", "second", "doy", "hh", "mm", "time", "hhmm")
}

// fineTimes reports times finer than what is kept of them.
func (c *decision) fineTimes() {
	if c.fine.n == 0 {
		return
	}
	c.find("time-rounded", genesis.Warn, c.fineCount, &c.fine, fmt.Sprintf("%s hold a time finer than a microsecond, and were cut to it", cells(c.fineCount)), "set type: text in the recipe to keep them as written")
}

package infer

import (
	"math"
	"math/bits"
)

// A grouping is a way to read a number: its decimal mark and the separator
// between groups of three digits.
type grouping struct {
	decimal, thousands byte // thousands 0: none
}

// groupings are the ways, in order of preference. Bit i of a cell's groups says
// that groupings[i] allows the cell.
var groupings = [8]grouping{{'.', 0}, {'.', ','}, {',', 0}, {',', '.'}, {'.', ' '}, {',', ' '}, {'.', '\''}, {',', '\''}}

// groups returns the groupings that read b as a number, 0 when none does. The
// first, the plain one, is never among them: such a cell is a plain number.
func groups(b []byte) (m uint8) {
	if len(b) > maxNumber {
		return 0
	}
	var buf [maxNumber + 8]byte
	for i, g := range groupings {
		if i == 0 {
			continue
		}
		if _, ok := g.strip(b, buf[:0]); ok {
			m |= 1 << i
		}
	}
	return m
}

// strip writes b into buf as a plain number. Groups must be of three digits.
func (g grouping) strip(b, buf []byte) ([]byte, bool) {
	if len(b) > maxNumber {
		return nil, false
	}
	run, group, decimal, digits := 0, false, false, 0
	for i := 0; i < len(b); i++ {
		c := b[i]
		sep, width := g.separator(b, i)
		switch {
		case c-'0' <= 9:
			run++
			digits++
		case c == g.decimal && !decimal:
			if group && run != 3 {
				return nil, false
			}
			decimal, c = true, '.'
		case sep:
			if decimal || run == 0 || group && run != 3 || run > 3 || !group && b[i-run] == '0' {
				return nil, false
			}
			group, run = true, 0
			i += width - 1
			continue
		case (c == '-' || c == '+') && i == 0:
		case c|0x20 == 'e' && digits > 0 && !group:
			return append(buf, b[i:]...), exponentEnd(b, i) == len(b)
		default:
			return nil, false
		}
		buf = append(buf, c)
	}
	if digits == 0 || group && !decimal && run != 3 {
		return nil, false
	}
	return buf, true
}

// separator reports whether a thousands separator stands at b[i], and its
// width; the several kinds of space count as one.
func (g grouping) separator(b []byte, i int) (bool, int) {
	if g.thousands == 0 {
		return false, 0
	}
	if b[i] == g.thousands {
		return true, 1
	}
	if g.thousands != ' ' {
		return false, 0
	}
	if b[i] == 0xC2 && i+1 < len(b) && b[i+1] == 0xA0 {
		return true, 2
	}
	if b[i] == 0xE2 && i+2 < len(b) && b[i+1] == 0x80 && (b[i+2] == 0xAF || b[i+2] == 0x89) {
		return true, 3
	}
	return false, 0
}

// exponentEnd returns where the exponent that begins at b[i] ends, i where none
// does.
func exponentEnd(b []byte, i int) int {
	if i >= len(b) || b[i]|0x20 != 'e' {
		return i
	}
	j := i + 1
	if j < len(b) && (b[j] == '-' || b[j] == '+') {
		j++
	}
	start := j
	for j < len(b) && b[j]-'0' <= 9 {
		j++
	}
	if j == start {
		return i
	}
	return j
}

// numeral returns where the number at b's start ends, however it is spelled:
// "1 234,5 kW" after the 5. Whether it is one is for a grouping to say.
func numeral(b []byte) int {
	i := 0
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		i = 1
	}
	for i < len(b) {
		next := i + 1
		if sep, width := (grouping{thousands: ' '}).separator(b, i); sep {
			next = i + width
		} else if c := b[i]; c == '.' || c-'0' <= 9 {
			i = next
			continue
		} else if c != ',' && c != '\'' {
			break
		}
		if next >= len(b) || b[next]-'0' > 9 {
			break
		}
		i = next
	}
	return exponentEnd(b, i)
}

// pointReadings and commaReadings are the groupings of one decimal mark. What a
// number is depends on that mark alone, once a grouping reads it.
const (
	pointReadings = 1<<0 | 1<<1 | 1<<4 | 1<<6
	commaReadings = 1<<2 | 1<<3 | 1<<5 | 1<<7
)

// readings finds out by which groupings b is a number, and which.
func (c *cell) readings(b []byte) bool {
	var d decimal
	c.groups = groups(b)
	if d.scan(b) {
		c.groups |= 1
	}
	c.point, c.broken[0] = valueBy(c.groups&pointReadings, b)
	c.comma, c.broken[1] = valueBy(c.groups&commaReadings, b)
	return c.groups != 0
}

// valueBy is b's value by the groupings in m, which all give the same, and
// whether it has a decimal mark or an exponent.
func valueBy(m uint8, b []byte) (v float64, broken bool) {
	if m == 0 {
		return 0, false
	}
	var buf [maxNumber + 8]byte
	s, _ := groupings[bits.TrailingZeros8(m)].strip(b, buf[:0])
	var d decimal
	d.scan(s)
	return d.float(s), d.point
}

// by is the cell's number by grouping i.
func (c *cell) by(i int) (v float64, broken bool) {
	if pointReadings>>i&1 != 0 {
		return c.point, c.broken[0]
	}
	return c.comma, c.broken[1]
}

// spelled counts the numbers that are not plain, by the groupings that read them.
type spelled struct {
	count  [len(groupings)]int64
	broken [len(groupings)]int64 // those that have a decimal mark or an exponent
	values [len(groupings)]*extremes
}

func (s *spelled) add(c *cell, line int64) {
	for m := c.groups; m != 0; m &= m - 1 {
		i := bits.TrailingZeros8(m)
		v, broken := c.by(i)
		s.count[i]++
		if broken {
			s.broken[i]++
		}
		if s.values[i] == nil {
			s.values[i] = &extremes{}
		}
		if !math.IsInf(v, 0) {
			s.values[i].add(v, 1, line)
		}
	}
}

func (s *spelled) merge(o *spelled, shift int64) {
	for i, x := range o.values {
		s.count[i] += o.count[i]
		s.broken[i] += o.broken[i]
		if x == nil {
			continue
		}
		if s.values[i] == nil {
			s.values[i] = &extremes{}
		}
		s.values[i].mergeShifted(x, shift)
	}
}

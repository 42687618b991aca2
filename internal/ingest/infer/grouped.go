package infer

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
			return append(buf, b[i:]...), decimal
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

// natural reads a grouped number the way that first allows it, decimal commas
// before thousands separators: a value for statistics.
func natural(b []byte) float64 {
	var buf [maxNumber + 8]byte
	for _, i := range []int{2, 1, 3, 4, 5, 6, 7} {
		if s, ok := groupings[i].strip(b, buf[:0]); ok {
			var d decimal
			_, v := plain(s, &d)
			return v
		}
	}
	return 0
}

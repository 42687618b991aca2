package infer

import (
	"encoding/binary"
	"math"
	"strconv"
	"unsafe"
)

// numKind says what a cell is as a plain number.
type numKind uint8

const (
	notNumber  numKind = iota
	isInt              // fits int64
	isWide             // digits only, beyond int64
	isFloat            // has a point or an exponent, finite
	isTooLarge         // well-formed, beyond the largest float
)

// decimal is a number taken apart: ± mant × 10^exp. When digits is more than
// 19, mant holds only the leading ones and the text decides.
type decimal struct {
	mant   uint64
	exp    int
	digits int // digits written, leading zeros included
	neg    bool
	point  bool // has a point or an exponent
	scaled bool // has an exponent
	zero   bool // a leading zero before another digit: 007
}

// scan reads [+-] digits [. digits] [e [+-] digits] and nothing else. It is the
// only grammar of plain numbers; hexadecimal, underscores, and words are none.
func (d *decimal) scan(b []byte) bool {
	*d = decimal{}
	i, n := 0, len(b)
	if n == 0 {
		return false
	}
	if b[0] == '-' || b[0] == '+' {
		d.neg = b[0] == '-'
		i++
	}
	start := i
	i = d.run(b, i)
	d.digits = i - start
	d.zero = d.digits > 1 && b[start] == '0'
	if i < n && b[i] == '.' {
		d.point = true
		i++
		f := i
		i = d.run(b, i)
		d.digits += i - f
		d.exp = f - i
	}
	if d.digits == 0 {
		return false
	}
	if i == n {
		return true
	}
	return d.exponent(b, i)
}

// run takes digits from i on, eight at a time, and returns where they end.
func (d *decimal) run(b []byte, i int) int {
	m := d.mant
	for len(b)-i >= 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		if !eightDigits(w) {
			break
		}
		m = m*100000000 + parseEight(w)
		i += 8
	}
	for i < len(b) {
		c := b[i] - '0'
		if c > 9 {
			break
		}
		m = m*10 + uint64(c)
		i++
	}
	d.mant = m
	return i
}

// eightDigits and parseEight treat eight ASCII characters as one word (Lemire,
// "Quickly parsing eight digits", 2018).
func eightDigits(w uint64) bool {
	return w&0xF0F0F0F0F0F0F0F0 == 0x3030303030303030 && (w+0x0606060606060606)&0xF0F0F0F0F0F0F0F0 == 0x3030303030303030
}

func parseEight(w uint64) uint64 {
	w -= 0x3030303030303030
	w = w*10 + w>>8
	const mask = 0x000000FF000000FF
	const mul1, mul2 = 0x000F424000000064, 0x0000271000000001
	return ((w&mask)*mul1 + (w>>16&mask)*mul2) >> 32
}

func (d *decimal) exponent(b []byte, i int) bool {
	if b[i]|0x20 != 'e' {
		return false
	}
	d.point, d.scaled = true, true
	i++
	neg := false
	if i < len(b) && (b[i] == '-' || b[i] == '+') {
		neg = b[i] == '-'
		i++
	}
	if i == len(b) {
		return false
	}
	e := 0
	for ; i < len(b); i++ {
		c := b[i] - '0'
		if c > 9 {
			return false
		}
		if e < 100000 {
			e = e*10 + int(c)
		}
	}
	if neg {
		e = -e
	}
	d.exp += e
	return true
}

// integer returns the number as an int64 if it is one in digits alone.
func (d *decimal) integer(b []byte) (int64, bool) {
	if d.point {
		return 0, false
	}
	if d.digits > 19 {
		v, err := strconv.ParseInt(unsafeString(b), 10, 64)
		return v, err == nil
	}
	if d.neg {
		if d.mant > 1<<63 {
			return 0, false
		}
		return -int64(d.mant), true
	}
	return int64(d.mant), d.mant <= math.MaxInt64
}

// float returns exactly what strconv.ParseFloat(b, 64) returns. Up to 2^53 and
// 10^±22 one multiplication or division is exact (Clinger 1990); all else is
// strconv's.
func (d *decimal) float(b []byte) float64 {
	if d.digits <= 19 && d.mant <= 1<<53 && d.exp >= -22 && d.exp <= 22 {
		f := float64(d.mant)
		if d.exp < 0 {
			f /= powers[-d.exp]
		} else {
			f *= powers[d.exp]
		}
		if d.neg {
			return -f
		}
		return f
	}
	f, _ := strconv.ParseFloat(unsafeString(b), 64)
	return f
}

// near is float within a few units in the last place, for statistics; exact
// wherever float is without strconv.
func (d *decimal) near(b []byte) float64 {
	if d.digits > 19 || d.exp < -300 || d.exp > 270 {
		return d.float(b)
	}
	if d.exp >= -22 && d.exp <= 22 {
		f := float64(d.mant)
		if d.exp < 0 {
			f /= powers[-d.exp]
		} else {
			f *= powers[d.exp]
		}
		if d.neg {
			return -f
		}
		return f
	}
	f := float64(d.mant) * math.Pow10(d.exp)
	if d.neg {
		return -f
	}
	return f
}

var powers = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// plain classifies b as a plain number and returns its value, approximately.
func plain(b []byte, d *decimal) (numKind, float64) {
	if !d.scan(b) {
		return notNumber, 0
	}
	if !d.point {
		if v, ok := d.integer(b); ok {
			return isInt, float64(v)
		}
		return isWide, d.near(b)
	}
	v := d.near(b)
	if math.IsInf(v, 0) {
		return isTooLarge, v
	}
	return isFloat, v
}

// unsafeString views b as a string for the length of one call.
func unsafeString(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// special recognises the spellings of infinities and of "not a number".
func special(b []byte) (v float64, ok bool) {
	switch b[0] {
	case 'i', 'I', 'n', 'N', '-', '+', '1':
	default:
		return 0, false
	}
	s := b
	neg := false
	if len(s) > 1 && (s[0] == '-' || s[0] == '+') {
		neg = s[0] == '-'
		s = s[1:]
	}
	if len(s) < 3 || len(s) > 8 {
		return 0, false
	}
	switch lower(s) {
	case "inf", "infinity", "1.#inf":
		if neg {
			return math.Inf(-1), true
		}
		return math.Inf(1), true
	case "nan", "1.#ind", "1.#qnan":
		return math.NaN(), true
	}
	return 0, false
}

// lower returns b in lower case, ASCII only.
func lower(b []byte) string {
	var buf [32]byte
	if len(b) > len(buf) {
		return ""
	}
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		buf[i] = c
	}
	return string(buf[:len(b)])
}

func trim(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

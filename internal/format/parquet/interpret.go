package parquet

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/big"
	"strconv"
	"unicode/utf8"

	"github.com/opengenesis/genesis/internal/format"
)

// converter turns stored values, already in the rows they belong to, into what
// they stand for. It replaces v's contents.
type converter func(v *format.Vector, n *notes) error

// notes counts cells of a column whose value could not be carried over exactly.
type notes struct {
	rounded counter // times finer than a microsecond
	notText counter // bytes that are not UTF-8
}

// counter counts cells and keeps the numbers of the first rows, from 1.
type counter struct {
	n    int64
	rows []int64
	base int64 // index of the current vector's first row
}

func (c *counter) add(i int) {
	c.n++
	if len(c.rows) < 20 {
		c.rows = append(c.rows, c.base+int64(i)+1)
	}
}

// exactDigits is how many decimal digits a binary64 holds exactly.
const exactDigits = 15

// interpret decides what a leaf's vectors hold. What no kind can hold exactly
// (unsigned 64-bit integers, decimals of more than 15 digits) becomes text
// spelled in decimal, whose type is then inferred from all its values.
func (l *leaf) interpret() {
	e := &l.element
	l.typed = true
	switch e.typ {
	case typeBoolean:
		l.kind = format.Bool
	case typeInt32, typeInt64:
		l.kind = format.Int
		l.interpretInt()
	case typeFloat, typeDouble:
		l.kind = format.Float
	case typeInt96:
		l.kind, l.zone, l.convert = format.Timestamp, "unstated", convertInt96
	case typeByteArray, typeFixed:
		l.kind, l.convert = format.Text, checkText
		l.interpretBytes()
	}
}

func (l *leaf) interpretInt() {
	e := &l.element
	switch {
	case e.logical.id == logicalDecimal || e.converted == convDecimal:
		l.interpretDecimal(decimalOfInt)
	case e.logical.id == logicalDate || e.converted == convDate:
		l.kind = format.Date
	case e.logical.id == logicalTimestamp:
		l.interpretTime(e.logical.unit, e.logical.utc)
	case e.converted == convTimestampMillis:
		l.interpretTime(1, true)
	case e.converted == convTimestampMicros:
		l.interpretTime(2, true)
	case e.logical.id == logicalTime:
		l.unit = [...]string{"", "ms", "us", "ns"}[min(max(e.logical.unit, 0), 3)]
	case e.logical.id == logicalInteger && e.logical.unsigned:
		l.interpretUnsigned(e.logical.bits)
	case e.converted >= convUint8 && e.converted <= convUint64:
		l.interpretUnsigned(int8(8) << (e.converted - convUint8))
	}
}

func (l *leaf) interpretUnsigned(bits int8) {
	switch {
	case l.element.typ == typeInt64 && (bits == 64 || bits <= 0):
		l.kind, l.typed, l.convert = format.Text, false, convertUint64
	case l.element.typ == typeInt32:
		l.convert = func(v *format.Vector, _ *notes) error {
			for i, n := range v.Ints {
				v.Ints[i] = int64(uint32(n))
			}
			return nil
		}
	}
}

func convertUint64(v *format.Vector, _ *notes) error {
	spell(v, len(v.Ints), func(b []byte, i int) []byte { return strconv.AppendUint(b, uint64(v.Ints[i]), 10) })
	v.Ints = nil
	return nil
}

// spell replaces v by texts.
func spell(v *format.Vector, n int, text func([]byte, int) []byte) {
	var buf []byte
	spans := make([]format.Span, n)
	for i := range n {
		start := len(buf)
		if !v.Null(i) {
			buf = text(buf, i)
		}
		spans[i] = format.Span{Start: uint32(start), End: uint32(len(buf))}
	}
	v.Kind, v.Buf, v.Spans = format.Text, buf, spans
}

func (l *leaf) interpretTime(unit int16, utc bool) {
	l.kind, l.zone = format.Timestamp, "unstated"
	if utc {
		l.zone = "UTC"
	}
	switch unit {
	case 1:
		l.convert = convertMillis
	case 3:
		l.convert = convertNanos
	}
}

func convertMillis(v *format.Vector, _ *notes) error {
	for i, n := range v.Ints {
		if n > math.MaxInt64/1000 || n < math.MinInt64/1000 {
			return damaged("holds a time beyond the range of microseconds")
		}
		v.Ints[i] = n * 1000
	}
	return nil
}

func convertNanos(v *format.Vector, n *notes) error {
	for i, ns := range v.Ints {
		us := ns / 1000
		if rest := ns % 1000; rest != 0 {
			if rest < 0 {
				us--
			}
			if !v.Null(i) {
				n.rounded.add(i)
			}
		}
		v.Ints[i] = us
	}
	return nil
}

// julianEpoch is the Julian day number of 1970-01-01.
const julianEpoch = 2440588

// convertInt96 reads the deprecated form of times: nanoseconds of the day and
// Julian day, little-endian.
func convertInt96(v *format.Vector, n *notes) error {
	ints := make([]int64, len(v.Spans))
	for i := range v.Spans {
		b := v.Bytes(i)
		if v.Null(i) || len(b) != 12 {
			continue
		}
		ns := int64(binary.LittleEndian.Uint64(b))
		day := int64(int32(binary.LittleEndian.Uint32(b[8:]))) - julianEpoch
		if day > 106_000_000 || day < -106_000_000 {
			return damaged("holds a time beyond the range of microseconds")
		}
		if ns%1000 != 0 {
			n.rounded.add(i)
		}
		us := ns / 1000
		if ns < 0 && ns%1000 != 0 {
			us--
		}
		ints[i] = day*86_400_000_000 + us
	}
	*v = format.Vector{Kind: format.Timestamp, Ints: ints, Nulls: v.Nulls}
	return nil
}

func (l *leaf) interpretBytes() {
	e := &l.element
	switch {
	case e.logical.id == logicalDecimal || e.converted == convDecimal:
		l.interpretDecimal(decimalOfBytes)
	case e.logical.id == logicalFloat16 && e.length == 2:
		l.kind, l.convert = format.Float, convertFloat16
	case e.logical.id == logicalUUID && e.length == 16:
		l.convert = convertUUID
	case e.logical.id == logicalBSON || e.converted == 20:
		l.leftOut = "holds BSON"
	case e.converted == 21:
		l.leftOut = "holds intervals"
	case e.logical.id > logicalFloat16:
		l.leftOut = "is of a type Genesis does not read"
	}
}

// checkText empties cells whose bytes are not UTF-8, and counts them.
func checkText(v *format.Vector, n *notes) error {
	if utf8.Valid(v.Buf) && spansWhole(v) {
		return nil
	}
	for i := range v.Spans {
		if v.Null(i) || utf8.Valid(v.Bytes(i)) {
			continue
		}
		if v.Nulls == nil {
			v.Nulls = format.NewBitmap(len(v.Spans))
		}
		v.Nulls.Set(i)
		n.notText.add(i)
	}
	return nil
}

// spansWhole reports whether every text begins at the beginning of a character,
// given that all of them together are UTF-8.
func spansWhole(v *format.Vector) bool {
	for _, s := range v.Spans {
		if s.Start < s.End && !utf8.RuneStart(v.Buf[s.Start]) || s.End < uint32(len(v.Buf)) && !utf8.RuneStart(v.Buf[s.End]) {
			return false
		}
	}
	return true
}

func convertUUID(v *format.Vector, _ *notes) error {
	spell(v, len(v.Spans), func(dst []byte, i int) []byte {
		b := v.Bytes(i)
		for k, end := range [...]int{4, 6, 8, 10, 16} {
			if k > 0 {
				dst = append(dst, '-')
			}
			dst = hex.AppendEncode(dst, b[[...]int{0, 4, 6, 8, 10}[k]:end])
		}
		return dst
	})
	return nil
}

// convertFloat16 widens IEEE 754 binary16.
func convertFloat16(v *format.Vector, _ *notes) error {
	floats := make([]float64, len(v.Spans))
	for i := range v.Spans {
		if b := v.Bytes(i); len(b) == 2 {
			floats[i] = float16(binary.LittleEndian.Uint16(b))
		}
	}
	*v = format.Vector{Kind: format.Float, Floats: floats, Nulls: v.Nulls}
	return nil
}

func float16(h uint16) float64 {
	sign, exp, frac := 1.0, int(h>>10&0x1f), float64(h&0x3ff)
	if h&0x8000 != 0 {
		sign = -1
	}
	switch exp {
	case 0:
		return math.Copysign(math.Ldexp(frac, -24), sign)
	case 0x1f:
		if frac != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(1024+frac, exp-25)
}

// interpretDecimal reads decimals as floats while that is exact to the last
// digit, else as text.
func (l *leaf) interpretDecimal(unscaled func(*format.Vector, int, *big.Int)) {
	scale := int(l.element.scale)
	if scale < 0 || scale > 1<<10 {
		l.leftOut = "has an impossible decimal scale"
		return
	}
	if l.element.precision > 0 && l.element.precision <= exactDigits && scale <= 22 {
		l.kind, l.convert = format.Float, func(v *format.Vector, _ *notes) error {
			return convertDecimal(v, scale, unscaled)
		}
		return
	}
	l.kind, l.typed, l.convert = format.Text, false, func(v *format.Vector, _ *notes) error {
		spellDecimal(v, scale, unscaled)
		return nil
	}
}

func decimalOfInt(v *format.Vector, i int, out *big.Int) { out.SetInt64(v.Ints[i]) }

// decimalOfBytes reads a big-endian two's complement number.
func decimalOfBytes(v *format.Vector, i int, out *big.Int) {
	b := v.Bytes(i)
	out.SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		out.Sub(out, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
}

func convertDecimal(v *format.Vector, scale int, unscaled func(*format.Vector, int, *big.Int)) error {
	n := v.Len()
	floats := make([]float64, n)
	var x big.Int
	for i := range n {
		if v.Null(i) {
			continue
		}
		unscaled(v, i, &x)
		if x.BitLen() > 53 {
			return damaged("holds a decimal of more digits than it declares")
		}
		floats[i] = float64(x.Int64()) / math.Pow10(scale) // both exact, so correctly rounded
	}
	*v = format.Vector{Kind: format.Float, Floats: floats, Nulls: v.Nulls}
	return nil
}

func spellDecimal(v *format.Vector, scale int, unscaled func(*format.Vector, int, *big.Int)) {
	var x big.Int
	old := *v
	spell(v, old.Len(), func(dst []byte, i int) []byte {
		unscaled(&old, i, &x)
		if x.Sign() < 0 {
			dst = append(dst, '-')
			x.Neg(&x)
		}
		digits := x.String()
		for len(digits) <= scale {
			digits = "0" + digits
		}
		dst = append(dst, digits[:len(digits)-scale]...)
		if scale > 0 {
			dst = append(append(dst, '.'), digits[len(digits)-scale:]...)
		}
		return dst
	})
	v.Ints = nil
}

package infer

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
	"github.com/opengenesis/genesis/internal/ingest/unit"
)

// The rules a bad cell can break.
const (
	NotANumber  = "not a number"
	NotWhole    = "not a whole number"
	OutOfRange  = "beyond the range of 64 bits"
	NotATime    = "not a time of the column's form"
	NotABoolean = "neither true nor false"
	UnknownUnit = "in a unit that does not fit the column"
	NoUnit      = "without a unit in a column of several"
)

// A Converter reads the cells of one column as its Reading says. It may not be
// used by two goroutines at once.
type Converter struct {
	reading  Reading
	grouping grouping
	grouped  bool
	words    map[string]bool // spellings that mean "no value"
	numbers  []float64       // those of them that are numbers
	wholes   []int64         // or whole numbers, in a column of them
	truths   map[string]int64
	units    map[string]func(float64) float64
	bare     func(float64) float64 // from the unit of cells without one; nil: it is the column's
	noBare   bool                  // such cells are set aside
	form     timeForm
	epoch    int64 // microseconds per step of an epoch; 0: not one
	serial   bool
	zone     int            // minutes east of UTC of times that do not state one
	place    *time.Location // or the place whose clocks they are read from
	repeated int64          // local times that the place has twice
	read     func(b []byte) (v value, rule string)
}

// value is one cell read.
type value struct {
	i    int64
	f    float64
	raw  float64 // as written, before its unit is converted
	mark string
	unit bool // one is written behind it
}

// NewConverter returns what reads column in as r says. The error, of kind
// Invalid, says what in r is not understood.
func NewConverter(r Reading, in format.RawColumn) (*Converter, error) {
	c := &Converter{reading: r, grouping: grouping{decimal: '.'}}
	for _, prepare := range []func(format.RawColumn) error{c.prepareType, c.prepareNumber, c.prepareUnits, c.prepareTime} {
		if err := prepare(in); err != nil {
			return nil, err
		}
	}
	c.prepareMissing()
	return c, nil
}

func readingError(subject, msg, hint string) error {
	return &genesis.Error{Op: "read recipe", Kind: genesis.Invalid, Subject: subject, Msg: msg, Hint: hint}
}

func (c *Converter) prepareType(format.RawColumn) error {
	switch c.reading.Type {
	case genesis.Integer:
		c.read = c.integer
	case genesis.Float:
		c.read = c.float
	case genesis.Boolean:
		c.read = c.boolean
	case genesis.Timestamp, genesis.Date:
		c.read = c.time
	case genesis.Text, genesis.Categorical, genesis.Identifier:
	default:
		return readingError(string(c.reading.Type), "is not a type", "types are integer, float, boolean, timestamp, date, categorical, text and identifier")
	}
	return nil
}

func (c *Converter) prepareMissing() {
	c.words = map[string]bool{}
	for _, w := range c.reading.Missing {
		c.words[w] = true
		var d decimal
		if c.reading.Type == genesis.Integer && d.scan([]byte(w)) {
			if v, ok := d.integer([]byte(w)); ok {
				c.wholes = append(c.wholes, v)
				continue
			}
		}
		if f, ok := c.codeNumber([]byte(w)); ok && c.reading.Type != genesis.Text {
			c.numbers = append(c.numbers, f)
		}
	}
}

// codeNumber reads a code as the column's cells are read, or else with a
// decimal point, as everybody writes -99.9.
func (c *Converter) codeNumber(b []byte) (float64, bool) {
	f, rule := c.number(b)
	var d decimal
	if rule == NotANumber && d.scan(b) {
		f, rule = d.float(b), ""
	}
	return f, rule == "" && f == f
}

// CodeLike writes a code for "no value" that was listed for a column of another
// file with the decimal mark of the column that r reads.
func CodeLike(code string, r Reading) string {
	var d decimal
	switch plain := d.scan([]byte(code)); {
	case plain && r.Decimal == ",":
		return strings.Replace(code, ".", ",", 1)
	case plain || r.Decimal == ",":
		return code
	}
	i := strings.IndexByte(code, ',')
	if i < 0 || len(code)-i-1 == 3 && r.Thousands != "" { // may be thousands
		return code
	}
	if pointed := strings.Replace(code, ",", ".", 1); d.scan([]byte(pointed)) {
		return pointed
	}
	return code
}

func (c *Converter) prepareNumber(format.RawColumn) error {
	switch c.reading.Decimal {
	case "", ".":
	case ",":
		c.grouping.decimal, c.grouped = ',', true
	default:
		return readingError(c.reading.Decimal, "is not a decimal mark", `decimal is "." or ","`)
	}
	switch t := c.reading.Thousands; t {
	case "":
	case ",", ".", " ", "'":
		c.grouping.thousands, c.grouped = t[0], true
	default:
		return readingError(t, "is not a thousands separator", `thousands is "," "." " " or "'"`)
	}
	if c.grouping.decimal == c.grouping.thousands {
		return readingError(c.reading.Decimal, "is decimal mark and thousands separator at once", "")
	}
	c.prepareBoolean()
	return nil
}

func (c *Converter) prepareBoolean() {
	c.truths = map[string]int64{}
	for _, w := range c.reading.False {
		c.truths[w] = 0
	}
	for _, w := range c.reading.True {
		c.truths[w] = 1
	}
	if len(c.truths) == 0 {
		for _, w := range []string{"true", "True", "TRUE", "1", "yes", "Yes", "YES"} {
			c.truths[w] = 1
		}
		for _, w := range []string{"false", "False", "FALSE", "0", "no", "No", "NO"} {
			c.truths[w] = 0
		}
	}
}

// prepareUnits finds how each unit written in cells becomes the column's: the
// one of the row of units or the header, else the first listed.
func (c *Converter) prepareUnits(in format.RawColumn) error {
	if len(c.reading.CellUnits) == 0 {
		if c.reading.BareUnit != "" {
			return readingError(c.reading.BareUnit, "is the unit of cells without one, in a column whose cells carry none", "say unit instead of bare_unit, or list the units of the cells under cell_units")
		}
		return nil
	}
	h := unit.ReadHeader(in.Name)
	to, ok := unit.ParseFor(in.Unit, h.Name)
	if !ok {
		to = h.UCUM
	}
	if to == "" {
		to, _ = unit.ParseLike(c.reading.CellUnits[0], "")
	}
	c.units = map[string]func(float64) float64{}
	for _, s := range c.reading.CellUnits {
		from, ok := unit.ParseLike(s, to)
		if !ok {
			return readingError(s, "is not a unit that can be converted to the column's", "list under cell_units the spellings that stand in the cells")
		}
		f, err := unit.Convert(from, to)
		if err != nil {
			return err
		}
		c.units[s] = f
	}
	return c.prepareBare(to)
}

// prepareBare finds how cells without a unit become the column's, to.
func (c *Converter) prepareBare(to string) (err error) {
	s := c.reading.BareUnit
	if c.noBare = s == NoBareUnit; s == "" || c.noBare {
		return nil
	}
	from, ok := unit.ParseLike(s, to)
	if !ok {
		return readingError(s, "is not a unit that can be converted to the column's", "bare_unit is the unit of cells without one, or none to set them aside")
	}
	c.bare, err = unit.Convert(from, to)
	return err
}

func (c *Converter) prepareTime(format.RawColumn) (err error) {
	if t := c.reading.Type; t != genesis.Timestamp && t != genesis.Date {
		return nil
	}
	switch c.reading.DateForm {
	case "epoch-s":
		c.epoch = 1e6
	case "epoch-ms":
		c.epoch = 1e3
	case "epoch-us":
		c.epoch = 1
	case "excel-serial":
		c.serial = true
	case "":
		c.form = timeForm{shape: shape{order: ymd, sep: '-'}}
		if c.reading.Type == genesis.Timestamp {
			c.form.joiner, c.form.clock, c.form.zoned = 'T', fractions, true
		}
	default:
		if c.form, err = parseForm(c.reading.DateForm); err != nil {
			return err
		}
	}
	return c.prepareZone()
}

// missing reports whether cell b means "no value".
func (c *Converter) missing(b []byte) bool { return len(b) == 0 || c.words[string(b)] }

// code reports whether a number means "no value".
func (c *Converter) code(f float64) bool {
	for _, n := range c.numbers {
		if f == n {
			return true
		}
	}
	return false
}

// codeInt is code for whole numbers, of which floats do not tell all apart.
func (c *Converter) codeInt(v int64) bool {
	return slices.Contains(c.wholes, v) || len(c.numbers) > 0 && c.code(float64(v))
}

// number reads b as a number: plain, grouped as the Reading says, or infinite.
func (c *Converter) number(b []byte) (float64, string) {
	if c.grouped {
		return c.groupedNumber(b)
	}
	var d decimal
	if !d.scan(b) {
		if v, ok := special(b); ok {
			return v, ""
		}
		return 0, NotANumber
	}
	return finite(d.float(b))
}

func finite(f float64) (float64, string) {
	if math.IsInf(f, 0) {
		return f, OutOfRange
	}
	return f, ""
}

func (c *Converter) groupedNumber(b []byte) (float64, string) {
	var buf [maxNumber + 8]byte
	s, ok := c.grouping.strip(b, buf[:0])
	var d decimal
	if !ok || !d.scan(s) {
		if v, ok := special(b); ok {
			return v, ""
		}
		return 0, NotANumber
	}
	return finite(d.float(s))
}

func (c *Converter) float(b []byte) (v value, rule string) {
	v.f, rule = c.number(b)
	if v.raw = v.f; rule == "" {
		return c.withoutUnit(v)
	}
	if c.reading.Qualified {
		if n := qualifier(b); n > 0 {
			v.mark = markOf(string(b[:n]))
			b = trim(b[n:])
			if v.f, rule = c.number(b); rule == "" {
				return c.withoutUnit(v)
			}
		}
	}
	if c.units == nil {
		return v, rule
	}
	return c.withUnit(b, v)
}

func (c *Converter) withoutUnit(v value) (value, string) {
	if c.noBare {
		return v, NoUnit
	}
	if c.bare != nil {
		v.f = c.bare(v.f)
	}
	return v, ""
}

func (c *Converter) withUnit(b []byte, v value) (value, string) {
	_, at, ok := leading(b)
	if c.grouped {
		at, ok = numeral(b), true
	}
	if !ok || at == len(b) {
		return v, NotANumber
	}
	x, rule := c.number(b[:at])
	if rule != "" {
		return v, rule
	}
	f := c.units[string(trim(b[at:]))]
	if f == nil {
		return v, UnknownUnit
	}
	v.f, v.raw, v.unit = f(x), x, true
	return v, ""
}

// markOf writes a qualifier one way.
func markOf(s string) string {
	switch s {
	case "≤", "=<":
		return "<="
	case "≥", "=>":
		return ">="
	case "≈":
		return "~"
	}
	return s
}

func (c *Converter) integer(b []byte) (v value, rule string) {
	var d decimal
	if c.grouped {
		var buf [maxNumber + 8]byte
		s, ok := c.grouping.strip(b, buf[:0])
		if !ok {
			return v, NotANumber
		}
		b = s
	}
	if !d.scan(b) {
		return v, NotANumber
	}
	if d.point {
		f := d.float(b)
		if f != math.Trunc(f) {
			return v, NotWhole
		}
		if math.Abs(f) >= 1<<63 || math.Abs(f) >= exactWhole && significant(b) > exactDigits {
			return value{f: f, raw: f}, OutOfRange
		}
		return value{i: int64(f), f: f}, ""
	}
	var ok bool
	if v.i, ok = d.integer(b); !ok {
		f := d.float(b)
		return value{f: f, raw: f}, OutOfRange
	}
	v.f = float64(v.i)
	return v, ""
}

func (c *Converter) boolean(b []byte) (v value, rule string) {
	i, ok := c.truths[string(b)]
	if !ok {
		return v, NotABoolean
	}
	return value{i: i}, ""
}

const dayMicros = 86400 * 1e6

func (c *Converter) time(b []byte) (v value, rule string) {
	if c.epoch > 0 || c.serial {
		return c.countedTime(b)
	}
	s, ok := readStamp(b)
	if !ok {
		return v, NotATime
	}
	date, micros, ok := c.form.value(&s)
	if !ok {
		return v, NotATime
	}
	return c.instant(date, micros)
}

// instant returns days or microseconds, by the type.
func (c *Converter) instant(date, micros int64) (value, string) {
	micros -= int64(c.zone) * 60e6
	if c.reading.Type == genesis.Date {
		if micros < 0 || micros >= dayMicros {
			date += int64(math.Floor(float64(micros) / dayMicros))
		}
		return value{i: date}, ""
	}
	micros += date * dayMicros
	if c.place != nil {
		var ok bool
		if micros, ok = c.utc(micros); !ok {
			return value{}, SkippedTime
		}
	}
	return value{i: micros}, ""
}

// countedTime reads times that are counts: since 1970, or a spreadsheet's days
// since 1899-12-30.
func (c *Converter) countedTime(b []byte) (v value, rule string) {
	var d decimal
	if !d.scan(b) {
		return v, NotATime
	}
	var micros int64
	if n, ok := d.integer(b); ok && !c.serial && n > -1<<40 && (c.epoch < 1e6 || n < 1<<40) && n < 1<<62/c.epoch {
		micros = n * c.epoch
	} else {
		f := d.float(b)
		if c.serial {
			f = (f - 25569) * dayMicros
		} else {
			f *= float64(c.epoch)
		}
		if math.Abs(f) > 9e18 {
			return v, OutOfRange
		}
		micros = int64(math.Round(f))
		if c.serial { // spreadsheets keep milliseconds
			micros = int64(math.Round(f/1000)) * 1000
		}
	}
	date := micros / dayMicros
	if micros%dayMicros < 0 {
		date--
	}
	return c.instant(date, micros-date*dayMicros)
}

package infer

import "strings"

// order says in which order a date's parts stand.
type order uint8

const (
	ymd     order = iota // YYYY-MM-DD
	dayMon               // two numbers and a year: DD/MM/YYYY or MM/DD/YYYY
	dMonY                // 03-Oct-2007
	monDY                // Oct 03 2007
	yearMon              // YYYY-MM
	compact              // YYYYMMDD
)

// clock says how a time of day is written.
type clock uint8

const (
	noClock   clock = iota
	minutes         // HH:mm
	seconds         // HH:mm:ss
	fractions       // HH:mm:ss.SSS
	hhmm            // HHmm
	hhmmss          // HHmmss
)

// shape is the look of a written time: everything but its numbers. Cells of one
// shape are read by one form, except that dayMon leaves day and month open.
type shape struct {
	order  order
	sep    byte // between the date's parts
	short  bool // the year has two digits
	comma  bool // Oct 03, 2007
	joiner byte // between date and clock: ' ', 'T', ':' or 0
	clock  clock
	half   bool // AM or PM follows
	gap    bool // with a space before
	zoned  bool // Z or an offset follows
}

// stamp is one written time taken apart.
type stamp struct {
	shape
	year, first, second int // of dayMon, first and second are month and day in an order to be decided; else month, day
	micros              int64
	offset              int  // minutes east of UTC
	fine                bool // finer than a microsecond
}

// stampReader takes a cell apart from left to right.
type stampReader struct {
	b []byte
	i int
}

// number takes a run of digits and returns it with its length; −1 when longer
// than 14.
func (r *stampReader) number() (v, n int) {
	start := r.i
	for r.i < len(r.b) && r.b[r.i]-'0' <= 9 {
		v = v*10 + int(r.b[r.i]-'0')
		r.i++
		if r.i-start > 14 {
			return 0, -1
		}
	}
	return v, r.i - start
}

func (r *stampReader) peek() byte {
	if r.i < len(r.b) {
		return r.b[r.i]
	}
	return 0
}

func (r *stampReader) take(c byte) bool {
	if r.peek() != c || r.i >= len(r.b) {
		return false
	}
	r.i++
	return true
}

// readStamp takes b apart as a date with or without a time of day. It accepts
// only dates that exist.
func readStamp(b []byte) (s stamp, ok bool) {
	if len(b) < 6 || len(b) > 40 {
		return s, false
	}
	r := stampReader{b: b}
	if c := b[0] - '0'; c <= 9 {
		ok = r.numericDate(&s)
	} else {
		ok = r.namedFirst(&s)
	}
	if !ok || !r.time(&s) || r.i != len(b) {
		return s, false
	}
	return s, s.plausible()
}

func (r *stampReader) numericDate(s *stamp) bool {
	v, n := r.number()
	switch n {
	case 4:
		return r.yearFirst(s, v)
	case 8:
		s.order, s.year, s.first, s.second = compact, v/10000, v/100%100, v%100
		return true
	case 12, 14:
		return r.allDigits(s, v, n)
	case 1, 2:
		return r.dayFirst(s, v)
	}
	return false
}

func (r *stampReader) allDigits(s *stamp, v, n int) bool {
	sec := 0
	s.clock = hhmm
	if n == 14 {
		sec, v, s.clock = v%100, v/100, hhmmss
	}
	s.order, s.year, s.first, s.second = compact, v/100000000, v/1000000%100, v/10000%100
	s.micros = clockMicros(v/100%100, v%100, sec, 0)
	return s.micros >= 0
}

func (r *stampReader) yearFirst(s *stamp, year int) bool {
	s.year, s.sep = year, r.peek()
	if !separator(s.sep) {
		return false
	}
	r.i++
	month, n := r.number()
	if n < 1 || n > 2 {
		return false
	}
	s.first, s.second = month, 1
	if !r.take(s.sep) || r.peek()-'0' > 9 {
		s.order = yearMon
		return s.sep != ' ' && s.sep != '.' && r.i == len(r.b) && n == 2
	}
	day, n := r.number()
	s.order, s.second = ymd, day
	return n == 1 || n == 2
}

func separator(c byte) bool { return c == '-' || c == '/' || c == '.' || c == ' ' }

func (r *stampReader) dayFirst(s *stamp, v int) bool {
	s.sep = r.peek()
	if !separator(s.sep) {
		return false
	}
	r.i++
	if r.peek()-'0' > 9 {
		s.order, s.second = dMonY, v
		if s.first = r.month(); s.first == 0 || !r.take(s.sep) {
			return false
		}
		return r.year(s)
	}
	second, n := r.number()
	if n < 1 || n > 2 || !r.take(s.sep) {
		return false
	}
	s.order, s.first, s.second = dayMon, v, second
	return r.year(s)
}

func (r *stampReader) year(s *stamp) bool {
	v, n := r.number()
	s.year = v
	if n == 2 {
		s.short = true
		if s.year += 1900; v < 70 {
			s.year += 100
		}
	}
	return n == 2 || n == 4
}

func (r *stampReader) namedFirst(s *stamp) bool {
	s.order = monDY
	s.first = r.month()
	s.sep = r.peek()
	if s.first == 0 || !separator(s.sep) {
		return false
	}
	r.i++
	day, n := r.number()
	if n < 1 || n > 2 {
		return false
	}
	s.second = day
	if r.take(',') {
		s.comma = true
		r.take(' ')
	} else if !r.take(s.sep) {
		return false
	}
	return r.year(s)
}

var monthNames = []string{"january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december"}

// month takes a month's English name, whole or its first three letters.
func (r *stampReader) month() int {
	start := r.i
	for r.i < len(r.b) && (r.b[r.i]|0x20) >= 'a' && (r.b[r.i]|0x20) <= 'z' {
		r.i++
	}
	if r.i-start < 3 || r.i-start > 9 {
		return 0
	}
	if strings.IndexByte("jfmasond", r.b[start]|0x20) < 0 {
		return 0
	}
	name := lower(r.b[start:r.i])
	for m, full := range monthNames {
		if name == full || name == full[:3] || name == "sept" && m == 8 {
			return m + 1
		}
	}
	return 0
}

// time takes what follows the date: a joiner, a clock, AM or PM, a zone.
func (r *stampReader) time(s *stamp) bool {
	if r.i == len(r.b) {
		return true
	}
	if s.order == yearMon || s.clock != noClock {
		return false
	}
	switch c := r.peek(); c {
	case ' ', 'T', ':', 't', ',', '_':
		s.joiner = c
		r.i++
		if c == ',' || c == ' ' {
			r.take(' ')
		}
	default:
		return false
	}
	return r.clock(s) && r.zone(s)
}

func (r *stampReader) clock(s *stamp) bool {
	h, n := r.number()
	if n == 4 || n == 6 {
		return r.compactClock(s, h, n)
	}
	if n < 1 || n > 2 || !r.take(':') {
		return false
	}
	m, n := r.number()
	if n != 2 {
		return false
	}
	sec, frac := 0, int64(0)
	s.clock = minutes
	if r.take(':') {
		s.clock = seconds
		if sec, n = r.number(); n != 2 {
			return false
		}
		if c := r.peek(); c == '.' || c == ',' {
			r.i++
			s.clock = fractions
			if frac, n = r.fraction(s); n == 0 {
				return false
			}
		}
	}
	return r.halfDay(s, h, m, sec, frac)
}

func (r *stampReader) compactClock(s *stamp, v, n int) bool {
	s.clock = hhmm
	sec := 0
	if n == 6 {
		s.clock, sec, v = hhmmss, v%100, v/100
	}
	s.micros = clockMicros(v/100, v%100, sec, 0)
	return s.micros >= 0
}

// fraction takes the digits after the point as microseconds; finer ones are cut,
// and said to be.
func (r *stampReader) fraction(s *stamp) (micros int64, n int) {
	scale := int64(100000)
	for r.i < len(r.b) && r.b[r.i]-'0' <= 9 && n < 12 {
		s.fine = s.fine || n >= 6 && r.b[r.i] != '0'
		micros += int64(r.b[r.i]-'0') * scale
		scale /= 10
		r.i++
		n++
	}
	return micros, n
}

func (r *stampReader) halfDay(s *stamp, h, m, sec int, frac int64) bool {
	start := r.i
	gap := r.take(' ')
	if r.i+2 <= len(r.b) && r.b[r.i+1]|0x20 == 'm' {
		half := r.b[r.i] | 0x20
		if half == 'a' || half == 'p' {
			if h < 1 || h > 12 {
				return false
			}
			h %= 12
			if half == 'p' {
				h += 12
			}
			s.half, s.gap = true, gap
			r.i += 2
			start = r.i
		}
	}
	r.i = start
	s.micros = clockMicros(h, m, sec, frac)
	return s.micros >= 0
}

// clockMicros returns the microseconds since midnight, or −1. The end of the
// day may be written 24:00, a leap second as 60.
func clockMicros(h, m, sec int, frac int64) int64 {
	if h > 24 || m > 59 || sec > 60 || h == 24 && (m > 0 || sec > 0 || frac > 0) {
		return -1
	}
	return (int64(h)*3600+int64(m)*60+int64(sec))*1e6 + frac
}

// zone takes Z, +hh:mm, -hhmm, +hh, or the word UTC or GMT.
func (r *stampReader) zone(s *stamp) bool {
	rest := trim(r.b[r.i:])
	if len(rest) == 0 {
		r.i = len(r.b)
		return true
	}
	s.zoned = true
	minutes, ok := zoneOffset(rest)
	if ok {
		s.offset = minutes
		r.i = len(r.b)
	}
	return ok
}

func zoneOffset(b []byte) (int, bool) {
	switch string(b) {
	case "Z", "z", "UTC", "GMT":
		return 0, true
	}
	if b[0] != '+' && b[0] != '-' {
		return 0, false
	}
	r := stampReader{b: b, i: 1}
	h, n := r.number()
	m := 0
	if n == 4 {
		h, m, n = h/100, h%100, 2
	} else if r.take(':') {
		var k int
		if m, k = r.number(); k != 2 {
			return 0, false
		}
	}
	if n != 2 || h > 15 || m > 59 || r.i != len(b) {
		return 0, false
	}
	if b[0] == '-' {
		return -(h*60 + m), true
	}
	return h*60 + m, true
}

// plausible checks that the date exists in some reading, in the years 1000 to
// 2999.
func (s *stamp) plausible() bool {
	if s.year < 1000 || s.year > 2999 {
		return false
	}
	if s.order == dayMon {
		return s.monthFirst() || s.dayFirst()
	}
	return exists(s.year, s.first, s.second)
}

func (s *stamp) monthFirst() bool { return exists(s.year, s.first, s.second) }
func (s *stamp) dayFirst() bool   { return exists(s.year, s.second, s.first) }

func exists(y, m, d int) bool {
	if m < 1 || m > 12 || d < 1 {
		return false
	}
	return d <= daysIn(y, m)
}

func daysIn(y, m int) int {
	switch m {
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// days returns the days from 1970-01-01 in the Gregorian calendar (Hinnant,
// "chrono-compatible low-level date algorithms", days_from_civil).
func days(y, m, d int) int64 {
	if m <= 2 {
		y--
	}
	era := y / 400
	yoe := y - era*400
	mp := (m + 9) % 12
	doy := (153*mp+2)/5 + d - 1
	doe := yoe*365 + yoe/4 - yoe/100 + doy
	return int64(era)*146097 + int64(doe) - 719468
}

// clockOnly reports whether b is a time of day alone: 00:01, 13:05:59.
func clockOnly(b []byte) bool {
	if len(b) < 4 || len(b) > 15 || b[0]-'0' > 9 {
		return false
	}
	var s stamp
	r := stampReader{b: b}
	_, n := r.number()
	r.i = 0
	return n <= 2 && r.clock(&s) && r.i == len(b)
}

package xlsx

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// dateStyle is how a number format shows a serial number as a time.
type dateStyle uint8

const (
	plain    dateStyle = iota // a number
	dateOnly                  // a day
	moment                    // a day and a time of it
	clock                     // a time of day
	elapsed                   // hours that may exceed 24: [h]:mm:ss
)

// builtinStyle returns what a built-in number format is (ECMA-376, part 1,
// section 18.8.30), with the ones East Asian locales add.
func builtinStyle(id int) dateStyle {
	switch {
	case id >= 14 && id <= 17, id >= 27 && id <= 31, id == 36, id >= 50 && id <= 54, id >= 57 && id <= 58:
		return dateOnly
	case id == 22:
		return moment
	case id >= 18 && id <= 21, id == 45, id == 47, id >= 32 && id <= 35, id == 55, id == 56:
		return clock
	case id == 46:
		return elapsed
	}
	return plain
}

// styleOf classifies a number format's code by the letters left when literal
// text, colours and conditions are taken out.
func styleOf(code string) dateStyle {
	code, _, _ = strings.Cut(code, ";")
	code = strings.ToLower(code)
	var letters strings.Builder
	for i := 0; i < len(code); i++ {
		switch c := code[i]; c {
		case '"':
			i = skipTo(code, i, '"')
		case '\\', '_', '*':
			i++
		case '[':
			to := skipTo(code, i, ']')
			switch strings.Trim(code[i+1:min(to, len(code))], "hms") {
			case "":
				return elapsed
			}
			i = to
		case 'y', 'm', 'd', 'h', 's', 'e':
			letters.WriteByte(c)
		case '0', '#', '?':
			letters.WriteByte('0')
		}
	}
	return styleOfLetters(letters.String())
}

func skipTo(s string, from int, mark byte) int {
	if i := strings.IndexByte(s[from+1:], mark); i >= 0 {
		return from + 1 + i
	}
	return len(s)
}

func styleOfLetters(l string) dateStyle {
	day := strings.ContainsAny(l, "yd") || strings.Contains(l, "m") && !strings.ContainsAny(l, "hs0")
	hour := strings.ContainsAny(l, "hs")
	switch {
	case day && hour:
		return moment
	case day:
		return dateOnly
	case hour:
		return clock
	}
	return plain
}

const millisPerDay = 24 * 60 * 60 * 1000

// spell writes a serial number, in days, as ISO 8601 text. It returns false
// where there is no such time: the number is then kept. The 1900 system counts
// a 29 February 1900 that was none, so days before 1 March 1900 are off by one
// and day 60 does not exist (ECMA-376, part 1, section 18.17.4.1).
func spell(dst []byte, literal []byte, style dateStyle, from1904 bool) ([]byte, bool) {
	serial, err := strconv.ParseFloat(string(literal), 64)
	const lastDay = 2958466 // 10000-01-01
	if err != nil || serial < 0 || serial >= lastDay {
		return dst, false
	}
	millis := int64(math.Round(serial * millisPerDay))
	switch {
	case style == elapsed:
		return appendElapsed(dst, millis), true
	case style == clock && millis < millisPerDay:
		return time.UnixMilli(millis).UTC().AppendFormat(dst, layout("15:04:05", millis)), true
	}
	day, ok := epochDay(millis/millisPerDay, from1904)
	if !ok {
		return dst, false
	}
	t := time.UnixMilli(day*millisPerDay + millis%millisPerDay).UTC()
	if style == dateOnly && millis%millisPerDay == 0 {
		return t.AppendFormat(dst, time.DateOnly), true
	}
	return t.AppendFormat(dst, layout(time.DateTime, millis)), true
}

// layout adds milliseconds to a layout where there are some.
func layout(base string, millis int64) string {
	if millis%1000 != 0 {
		return base + ".000"
	}
	return base
}

// epochDay returns the days since 1970-01-01 of a serial day.
func epochDay(day int64, from1904 bool) (int64, bool) {
	const (
		day1904 = -24107 // 1904-01-01
		day1900 = -25569 // 1899-12-30
	)
	switch {
	case from1904:
		return day1904 + day, true
	case day == 60:
		return 0, false
	case day < 60:
		return day1900 + 1 + day, true
	}
	return day1900 + day, true
}

func appendElapsed(dst []byte, millis int64) []byte {
	hours := millis / (60 * 60 * 1000)
	dst = strconv.AppendInt(dst, hours, 10)
	return time.UnixMilli(millis).UTC().AppendFormat(dst, layout(":04:05", millis))
}

package infer

import (
	"strings"

	"github.com/opengenesis/genesis"
)

// timeForm is a shape with day and month told apart: what a Reading's DateForm
// says.
type timeForm struct {
	shape
	dayFirst bool
}

// value returns the days and microseconds of a stamp read by the form, if it
// has the form's shape. Seconds and their fraction may be left out where the
// form has them.
func (f timeForm) value(s *stamp) (date, micros int64, ok bool) {
	got := s.shape
	if got.clock != f.clock && !(got.clock < f.clock && got.clock >= minutes && f.clock <= fractions) {
		return 0, 0, false
	}
	got.clock = f.clock
	if got != f.shape {
		return 0, 0, false
	}
	m, d := s.first, s.second
	if f.order == dayMon && f.dayFirst {
		m, d = d, m
	}
	if !exists(s.year, m, d) {
		return 0, 0, false
	}
	return days(s.year, m, d), s.micros - int64(s.offset)*60e6, true
}

// DayFirst reports whether dates of a form have the day before the month, and
// whether it has both as numbers, so that they could be mistaken for one another.
func DayFirst(form string) (dayFirst, either bool) {
	f, err := parseForm(form)
	return f.dayFirst, err == nil && f.order == dayMon
}

// String writes the form in the letters of Reading.DateForm.
func (f timeForm) String() string {
	var b strings.Builder
	sep := string(rune(f.sep))
	year := "YYYY"
	if f.short {
		year = "YY"
	}
	switch f.order {
	case ymd:
		b.WriteString(strings.Join([]string{year, "MM", "DD"}, sep))
	case yearMon:
		b.WriteString(year + sep + "MM")
	case compact:
		b.WriteString("YYYYMMDD")
	case dMonY:
		b.WriteString(strings.Join([]string{"DD", "MMM", year}, sep))
	case monDY:
		end := sep
		if f.comma {
			end = ", "
		}
		b.WriteString("MMM" + sep + "DD" + end + year)
	case dayMon:
		first, second := "MM", "DD"
		if f.dayFirst {
			first, second = second, first
		}
		b.WriteString(strings.Join([]string{first, second, year}, sep))
	}
	f.clockString(&b)
	return b.String()
}

func (f timeForm) clockString(b *strings.Builder) {
	if f.clock == noClock {
		return
	}
	if f.joiner != 0 {
		b.WriteByte(f.joiner)
	}
	text := [...]string{minutes: "HH:mm", seconds: "HH:mm:ss", fractions: "HH:mm:ss.SSS", hhmm: "HHmm", hhmmss: "HHmmss"}[f.clock]
	if f.half {
		text = strings.Replace(text, "HH", "hh", 1)
		if f.gap {
			text += " "
		}
		text += "A"
	}
	if f.zoned {
		text += "Z"
	}
	b.WriteString(text)
}

// parseForm reads what String writes. It does so by example: the form's letters
// replaced by the numbers of a date whose day cannot be a month give a cell
// whose shape is the form's.
func parseForm(text string) (timeForm, error) {
	example := exampleOf.Replace(strings.ReplaceAll(strings.ReplaceAll(text, "[", ""), "]", ""))
	s, ok := readStamp([]byte(example))
	if !ok {
		return timeForm{}, &genesis.Error{Op: "read date form", Kind: genesis.Invalid, Subject: text, Msg: "is not a form of dates that is understood",
			Hint: "write it with YYYY YY MM MMM DD HH hh mm ss SSS A Z, for example DD/MM/YYYY HH:mm, or epoch-s, epoch-ms, epoch-us, excel-serial"}
	}
	f := timeForm{shape: s.shape, dayFirst: s.first > 12}
	if f.String() != text {
		return timeForm{}, &genesis.Error{Op: "read date form", Kind: genesis.Invalid, Subject: text, Msg: "is not a form of dates that is understood",
			Hint: "did you mean " + f.String() + "?"}
	}
	return f, nil
}

var exampleOf = strings.NewReplacer("YYYY", "2023", "YY", "23", "MMM", "Nov", "MM", "11", "DD", "25", "HH", "10", "hh", "10", "mm", "20", "ss", "30", "SSS", "123", "A", "AM", "Z", "Z")

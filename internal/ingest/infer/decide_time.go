package infer

import (
	"fmt"
	"sort"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/ingest/unit"
)

// asTime decides a column of dates or times.
func (c *decision) asTime() bool {
	if c.dateNumbers() {
		return true
	}
	n := c.counts[cTime]
	if n == 0 || !few(c.present()-n, c.present()) {
		return false
	}
	form, read := c.chooseForm()
	c.takeMissing(func(string) bool { return true })
	c.Reading.DateForm = form.String()
	c.say("date_form", fmt.Sprintf("%s of %s have the form %s", comma(read), cells(c.present()), form))
	c.timeType(form.clock != noClock)
	c.say("type", c.Evidence["date_form"])
	if c.Column.Type == genesis.Timestamp {
		c.zone(form)
	}
	c.otherForms(form, read)
	c.fineTimes()
	return true
}

func (c *decision) timeType(clock bool) {
	c.Column.Type = genesis.Date
	if clock {
		c.Column.Type = genesis.Timestamp
	}
}

// chooseForm returns the form that most cells have, and how many that are.
func (c *decision) chooseForm() (best timeForm, read int64) {
	var forms []timeForm
	for s := range c.shapes {
		forms = append(forms, timeForm{shape: s})
		if s.order == dayMon {
			forms = append(forms, timeForm{shape: s, dayFirst: true})
		}
	}
	sort.Slice(forms, func(i, j int) bool { return forms[i].String() < forms[j].String() })
	for _, f := range forms {
		if n := c.reads(f); n > read || n == read && n > 0 && c.preferred(f, best) {
			best, read = f, n
		}
	}
	return best, read
}

// reads counts the cells that a form reads: those of its shape, and those of
// the same shape without seconds or their fraction.
func (c *decision) reads(f timeForm) (n int64) {
	for s, t := range c.shapes {
		if s.clock > f.clock || s.clock < minutes && s.clock != f.clock || f.clock > fractions && s.clock != f.clock {
			continue
		}
		if s.clock = f.clock; s != f.shape {
			continue
		}
		switch {
		case f.order != dayMon:
			n += t.count
		case f.dayFirst:
			n += t.dayFirst
		default:
			n += t.monthFirst
		}
	}
	return n
}

// preferred breaks a tie between forms: what the header says, else the shape
// met first, else days first unless the separator is a stroke, as in the
// United States.
func (c *decision) preferred(f, over timeForm) bool {
	if f.shape != over.shape {
		return c.shapes[f.shape].first < c.shapes[over.shape].first
	}
	if h := c.header.Form; h != "" {
		return strings.HasPrefix(h, "DD") == f.dayFirst
	}
	return f.dayFirst == (f.sep != '/')
}

// otherForms reports an ambiguous order of day and month, and cells of other
// forms.
func (c *decision) otherForms(form timeForm, read int64) {
	if form.order == dayMon {
		other := form
		other.dayFirst = !form.dayFirst
		if c.reads(other) == read {
			sev, why := genesis.Warn, "it is a convention only"
			if h := c.header.Form; strings.HasPrefix(h, "DD") || strings.HasPrefix(h, "MM") {
				sev, why = genesis.Note, "the header says so"
			} else {
				c.OtherForm = other.String()
			}
			c.find("ambiguous-date", sev, read, nil, fmt.Sprintf("every date fits %s as well as %s; the first is taken, because %s", form, other, why), "set date_form in the recipe")
		}
	}
	rest := c.present() - read
	if rest == 0 {
		return
	}
	at, forms := &seen{}, []string{}
	for s, t := range c.shapes {
		if c.reads(timeForm{shape: s}) > 0 && s == form.shape {
			continue
		}
		forms = append(forms, timeForm{shape: s}.String())
		for _, row := range t.seen.rows[:t.seen.n] {
			at.add(row)
		}
	}
	sort.Strings(forms)
	sort.Slice(at.rows[:at.n], func(i, j int) bool { return at.rows[i] < at.rows[j] })
	if len(forms) == 0 {
		c.find("not-a-date", genesis.Warn, rest, c.seen[cWord], fmt.Sprintf("%s without the form %s of the others, which is rejected", cells(rest), form), "look at the rejects")
		return
	}
	c.find("two-date-forms", genesis.Warn, rest, at, fmt.Sprintf("%s have another form (%s) than the column's %s; they are rejected", cells(rest), strings.Join(forms, ", "), form), "repair the source, or set date_form in the recipe")
}

// zone decides the zone of times.
func (c *decision) zone(form timeForm) {
	switch stated := c.unitZone(); {
	case form.zoned && len(c.offsets) == 1:
		for m := range c.offsets {
			c.Reading.Zone = offsetName(m)
		}
		c.say("zone", "every time states it")
	case form.zoned:
		c.Reading.Zone = "mixed"
		c.say("zone", fmt.Sprintf("times state %d different offsets; each is converted to UTC", len(c.offsets)))
	case stated != "":
		c.Reading.Zone = stated
		c.say("zone", "the header says so")
	default:
		c.Reading.Zone = "unstated"
		c.say("zone", "neither cells nor header state a zone; times are read as UTC")
	}
}

// unitZone is the zone that header or units row state, "" if none.
func (c *decision) unitZone() string {
	if c.header.Zone != "" {
		return c.header.Zone
	}
	if h := unit.ReadHeader("x (" + c.raw.Unit + ")"); h.Zone != "" {
		return h.Zone
	}
	if c.named("utc", "gmt") {
		return "UTC"
	}
	return ""
}

func offsetName(m int) string {
	if m == 0 {
		return "UTC"
	}
	sign := '+'
	if m < 0 {
		sign, m = '-', -m
	}
	return fmt.Sprintf("%c%02d:%02d", sign, m/60, m%60)
}

// timeName reports whether the column's name speaks of time.
func (c *decision) timeName() bool {
	return c.named("time", "timestamp", "date", "datetime", "epoch", "unix", "ts", "day", "when") || strings.HasSuffix(c.label, "date") || strings.HasSuffix(c.label, "time") || c.header.Form != ""
}

// dateNumbers decides numbers that are dates: 20180131, seconds since 1970,
// days since 1900 as spreadsheets count. The name has to say so too.
func (c *decision) dateNumbers() bool {
	plain, _ := c.numbers()
	lo, hi, ok := plain.bounds()
	n := c.counts[cInt] + c.counts[cFloat]
	if !ok || !c.timeName() || n*2 < c.present() || c.columnUnit() != "" || c.counts[cUnit]+c.counts[cQualified]+c.counts[cGrouped] > 0 {
		return false
	}
	form, why := "", ""
	switch {
	case c.dates == n && n == c.present():
		form, why = "YYYYMMDD", "are dates of eight digits"
	case lo >= 2e8 && hi < 4.2e9 && c.named("epoch", "unix", "timestamp", "ts", "time"):
		form, why = "epoch-s", "lie where seconds since 1970 lie"
	case lo >= 2e11 && hi < 4.2e12 && c.counts[cFloat] == 0:
		form, why = "epoch-ms", "lie where milliseconds since 1970 lie"
	case lo >= 2e14 && hi < 4.2e15 && c.counts[cFloat] == 0:
		form, why = "epoch-us", "lie where microseconds since 1970 lie"
	case lo >= 20000 && hi < 80000 && (c.named("date", "datetime", "day", "timestamp") || strings.HasSuffix(c.label, "date")):
		form, why = "excel-serial", "lie where spreadsheets count days"
	default:
		return false
	}
	if others := c.present() - n; !few(others, c.present()) && c.counts[cTime] != others {
		return false
	}
	c.dateNumber(form, why, n)
	return true
}

func (c *decision) dateNumber(form, why string, n int64) {
	c.takeMissing(func(string) bool { return true })
	c.Reading.DateForm = form
	c.timeType(form != "YYYYMMDD" && (form != "excel-serial" || c.counts[cFloat] > 0))
	if c.Column.Type == genesis.Timestamp {
		c.Reading.Zone = "UTC"
		if form == "excel-serial" {
			c.Reading.Zone = "unstated"
		}
		c.say("zone", "by the definition of "+form)
	}
	c.say("date_form", fmt.Sprintf("%s of %s %s, and the name speaks of time", comma(n), cells(c.present()), why))
	c.say("type", c.Evidence["date_form"])
	if form == "excel-serial" {
		c.find("excel-serial", genesis.Warn, n, nil, "numbers in a column of dates are taken for the day counts of a spreadsheet, from 1899-12-30", "set type: integer in the recipe if they are numbers")
	}
	if others := c.present() - n; others > 0 {
		c.find("two-date-forms", genesis.Warn, others, c.seen[cTime], fmt.Sprintf("%s have another form than %s; they are rejected", cells(others), form), "repair the source, or set date_form in the recipe")
	}
}

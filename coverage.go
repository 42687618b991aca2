package genesis

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Period is a stretch of time, in days or finer, both ends included. One end may be
// open.
type Period struct {
	Start time.Time `json:"start,omitzero"`
	End   time.Time `json:"end,omitzero"`
}

// periodForms are the forms of an end of a period, and how long what each names lasts.
var periodForms = []struct {
	layout        string
	years, months int
}{{"2006", 1, 0}, {"2006-01", 0, 1}, {time.DateOnly, 0, 0}, {time.RFC3339, 0, 0}}

// ParsePeriod reads "2018-01-01/2018-12-31": ends are years, months, days or RFC 3339
// times, and ".." or nothing leaves one open (ISO 8601-2). Errors: Invalid.
func ParsePeriod(text string) (Period, error) {
	var p Period
	from, to, both := strings.Cut(text, "/")
	if !both {
		to = from
	}
	start, err1 := parseEnd(from, false)
	end, err2 := parseEnd(to, true)
	p.Start, p.End = start, end
	if err1 != nil || err2 != nil {
		return Period{}, periodError(text, "is not a period")
	}
	return p, CheckPeriod(p)
}

func parseEnd(text string, last bool) (time.Time, error) {
	if text = strings.TrimSpace(text); text == "" || text == ".." {
		return time.Time{}, nil
	}
	var err error
	for _, f := range periodForms {
		var t time.Time
		if t, err = time.Parse(f.layout, text); err != nil {
			continue
		}
		if last && f.years+f.months > 0 {
			t = t.AddDate(f.years, f.months, -1) // its last day
		}
		return t.UTC(), nil
	}
	return time.Time{}, err
}

// CheckPeriod reports what is wrong with a period, or nil. Errors: Invalid.
func CheckPeriod(p Period) error {
	switch {
	case p.Start.IsZero() && p.End.IsZero():
		return periodError(p.String(), "has neither a beginning nor an end")
	case !p.Start.IsZero() && !p.End.IsZero() && p.End.Before(p.Start):
		return periodError(p.String(), "ends before it begins")
	case p.Start.Year() < 1 || p.Start.Year() > 9999 || p.End.Year() < 1 || p.End.Year() > 9999:
		return periodError(p.String(), "is beyond the calendar")
	}
	return nil
}

func periodError(text, msg string) error {
	return &Error{Op: "read period", Kind: Invalid, Subject: text, Msg: msg, Hint: "write 2018-01-01/2018-12-31, 2018/2020, 2018-06/.. or a single year"}
}

// String is a period as ParsePeriod reads it.
func (p Period) String() string { return endText(p.Start) + "/" + endText(p.End) }

func endText(t time.Time) string {
	switch {
	case t.IsZero():
		return ".."
	case t.Equal(t.Truncate(24 * time.Hour)):
		return t.UTC().Format(time.DateOnly)
	}
	return t.UTC().Format(time.RFC3339)
}

// Box is where something is: degrees of WGS 84. West is greater than East where it
// crosses the antimeridian.
type Box struct {
	West  float64 `json:"west"`
	South float64 `json:"south"`
	East  float64 `json:"east"`
	North float64 `json:"north"`
}

// ParseBox reads "west,south,east,north", or "longitude,latitude" of a place. Errors:
// Invalid.
func ParseBox(text string) (Box, error) {
	fields := strings.Split(text, ",")
	if len(fields) == 2 {
		fields = append(fields, fields...)
	}
	var v [4]float64
	if len(fields) != len(v) {
		return Box{}, boxError(text, "is not four numbers")
	}
	for i, f := range fields {
		var err error
		if v[i], err = strconv.ParseFloat(strings.TrimSpace(f), 64); err != nil {
			return Box{}, boxError(text, fmt.Sprintf("has %q in place of a number", f))
		}
	}
	b := Box{West: v[0], South: v[1], East: v[2], North: v[3]}
	return b, CheckBox(b)
}

// CheckBox reports what is wrong with a box, or nil. Errors: Invalid.
func CheckBox(b Box) error {
	for _, d := range []struct{ value, most float64 }{{b.West, 180}, {b.East, 180}, {b.South, 90}, {b.North, 90}} {
		if math.IsNaN(d.value) || math.Abs(d.value) > d.most {
			return boxError(b.String(), fmt.Sprintf("has %g, which is beyond %g degrees", d.value, d.most))
		}
	}
	if b.South > b.North {
		return boxError(b.String(), "ends in the south of where it begins")
	}
	return nil
}

func boxError(text, msg string) error {
	return &Error{Op: "read box", Kind: Invalid, Subject: text, Msg: msg, Hint: "write west,south,east,north in degrees: -105.3,39.9,-105.2,40.1"}
}

// String is a box as ParseBox reads it.
func (b Box) String() string {
	return fmt.Sprintf("%g,%g,%g,%g", b.West, b.South, b.East, b.North)
}

var slugPattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,63}$`)

// CheckChallenge reports why s cannot name a challenge, or nil. Errors: Invalid.
func CheckChallenge(s string) error {
	if slugPattern.MatchString(s) {
		return nil
	}
	return &Error{Op: "read challenge", Kind: Invalid, Subject: s, Msg: "is not a slug", Hint: "write 1 to 64 of a-z, 0-9 and '-': grid-resilience"}
}

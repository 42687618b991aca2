package infer

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// TestFloatsAreStrconvs compares with strconv.ParseFloat bit by bit.
func TestFloatsAreStrconvs(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	check := func(s string) {
		var d decimal
		want, err := strconv.ParseFloat(s, 64)
		ok := d.scan([]byte(s))
		if !ok {
			t.Fatalf("%q is not scanned", s)
		}
		if got := d.float([]byte(s)); math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("%q is read as %v, want %v (%v)", s, got, want, err)
		}
	}
	for range 200_000 {
		f := math.Float64frombits(r.Uint64())
		if f != f || math.IsInf(f, 0) {
			continue
		}
		check(strconv.FormatFloat(f, 'g', -1, 64))
		check(strconv.FormatFloat(f, 'e', r.IntN(25), 64))
		check(fmt.Sprintf("%.*f", r.IntN(12), r.NormFloat64()*math.Pow10(r.IntN(12))))
		check(fmt.Sprintf("%s%d.%de%d", []string{"", "-", "+"}[r.IntN(3)], r.Uint64()>>r.IntN(64), r.Uint64()>>r.IntN(64), r.IntN(700)-350))
	}
	for _, s := range []string{"0", "-0", "5.", ".5", "00012.500", "1e400", "-1e400", "1e-400", "9007199254740993", "123456789012345678901234567890", "1E5", "1e+5", "0e999999999"} {
		check(s)
	}
}

func TestNotPlainNumbers(t *testing.T) {
	for _, s := range []string{"", "+", "-", ".", "e5", "1e", "1e+", "1_000", "0x1F", "1 2", "1,5", "--1", "1.2.3", "NaN", "inf", " 1", "1 "} {
		var d decimal
		if d.scan([]byte(s)) {
			t.Errorf("%q is scanned as a number", s)
		}
	}
}

func TestIntegers(t *testing.T) {
	for s, want := range map[string]any{
		"9223372036854775807": int64(math.MaxInt64), "-9223372036854775808": int64(math.MinInt64), "9223372036854775808": nil,
		"-9223372036854775809": nil, "+12": int64(12), "0000000000000000000000012": int64(12), "12345678": int64(12345678), "1234567890123456": int64(1234567890123456),
	} {
		var d decimal
		d.scan([]byte(s))
		got, ok := d.integer([]byte(s))
		if ok != (want != nil) || ok && got != want {
			t.Errorf("%q is read as %v, %v; want %v", s, got, ok, want)
		}
	}
}

// TestTimesAreTimes compares with the standard library's.
func TestTimesAreTimes(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	layouts := map[string]string{
		"YYYY-MM-DDTHH:mm:ssZ": "2006-01-02T15:04:05Z07:00", "DD MM YYYY HH:mm": "02 01 2006 15:04", "MM/DD/YYYY HH:mm:ss.SSS": "01/02/2006 15:04:05.000",
		"DD.MM.YYYY": "02.01.2006", "YYYYMMDD:HHmm": "20060102:1504", "YYYYMMDD": "20060102", "YYYY-MM": "2006-01", "MMM DD YYYY hh:mm A": "Jan 02 2006 3:04 PM",
		"YYYY-MM-DD hh:mm:ss A": "2006-01-02 3:04:05 PM", "DD-MMM-YYYY": "02-Jan-2006", "MM/DD/YY": "01/02/06", "MMM DD, YYYY": "Jan 2, 2006",
		"YYYY/MM/DD HH:mm:ss": "2006/1/2 15:04:05", "YYYYMMDDHHmmss": "20060102150405", "YYYY-MM-DD HH:mmZ": "2006-01-02 15:04-0700", "DD/MM/YYYY, HH:mm": "02/01/2006, 15:04",
	}
	for form, golang := range layouts {
		if form == "DD/MM/YYYY, HH:mm" {
			form = "DD/MM/YYYY,HH:mm"
		}
		f, err := parseForm(form)
		if err != nil {
			t.Errorf("%s: %v", form, err)
			continue
		}
		if f.String() != form {
			t.Errorf("form %q is written %q", form, f.String())
		}
		c, err := NewConverter(Reading{Type: genesis.Timestamp, DateForm: form}, format.RawColumn{})
		if err != nil {
			t.Fatal(err)
		}
		for range 2000 {
			want := time.UnixMilli(r.Int64N(3e12) - 1e12).In(time.FixedZone("", (r.IntN(24)-12)*3600))
			cell := want.Format(golang)
			parsed, err := time.Parse(golang, cell)
			if err != nil {
				t.Fatal(err)
			}
			if f.short && parsed.Year() > 2069 || parsed.Year() < 1970 && f.short {
				continue
			}
			v, rule := c.read([]byte(cell))
			if rule != "" || v.i != parsed.UnixMicro() {
				t.Fatalf("%s: %q is read as %v (%s), want %v", form, cell, time.UnixMicro(v.i).UTC(), rule, parsed)
			}
		}
	}
}

func TestFormsThatAreNone(t *testing.T) {
	for _, s := range []string{"", "YYYY", "YYYY-DD-MM", "mm/dd/yyyy", "MM/DD", "epoch", "YYYY-MM-DD HH", "%Y-%m-%d", "2018-01-01"} {
		if f, err := parseForm(s); err == nil {
			t.Errorf("form %q is read as %+v", s, f)
		}
	}
}

// converted reads cells and shows values, nulls and broken rules as text.
func converted(t *testing.T, r Reading, in format.RawColumn, cells ...string) (out []string, marks []string) {
	t.Helper()
	c, err := NewConverter(r, in)
	if err != nil {
		t.Fatal(err)
	}
	var v, q format.Vector
	rules := map[int]string{}
	c.Convert(vector(cells...), &v, &q, func(row int, rule string) { rules[row] = rule })
	for i := range cells {
		out = append(out, shown(&v, i, rules[i]))
		if !q.Null(i) {
			marks = append(marks, string(q.Bytes(i)))
		} else {
			marks = append(marks, "")
		}
	}
	return out, marks
}

func shown(v *format.Vector, i int, rule string) string {
	switch {
	case rule != "":
		return "! " + rule
	case v.Null(i):
		return "null"
	case v.Kind == format.Text:
		return string(v.Bytes(i))
	case v.Kind == format.Float:
		return strconv.FormatFloat(v.Floats[i], 'g', -1, 64)
	case v.Kind == format.Timestamp:
		return time.UnixMicro(v.Ints[i]).UTC().Format("2006-01-02T15:04:05.999Z")
	case v.Kind == format.Date:
		return time.Unix(v.Ints[i]*86400, 0).UTC().Format("2006-01-02")
	}
	return strconv.FormatInt(v.Ints[i], 10)
}

func TestConvert(t *testing.T) {
	for name, c := range map[string]struct {
		r     Reading
		in    format.RawColumn
		cells []string
		want  []string
		marks []string
	}{
		"numbers": {r: Reading{Type: genesis.Float, Missing: []string{"NA", "-9999"}},
			cells: []string{"1.5", " 2 ", "", "NA", "-9999", "-9999.0", "1e400", "-inf", "x", "0x1F"},
			want:  []string{"1.5", "2", "null", "null", "null", "null", "! " + OutOfRange, "-Inf", "! " + NotANumber, "! " + NotANumber}},
		"nan": {r: Reading{Type: genesis.Float, Missing: []string{"NaN"}}, cells: []string{"NaN", "nan"}, want: []string{"null", "NaN"}},
		"integers": {r: Reading{Type: genesis.Integer, Missing: []string{"-99"}},
			cells: []string{"7", "007", "-99", "1.0", "1.5", "1e3", "99999999999999999999"},
			want:  []string{"7", "7", "null", "1", "! " + NotWhole, "1000", "! " + OutOfRange}},
		"decimal comma": {r: Reading{Type: genesis.Float, Decimal: ",", Thousands: "."},
			cells: []string{"1,5", "2.000,25", "1.234,00", "2.5", "1.234.567", "12"}, want: []string{"1.5", "2000.25", "1234", "! " + NotANumber, "1.234567e+06", "12"}},
		"thousands": {r: Reading{Type: genesis.Integer, Thousands: ","}, cells: []string{"1,234", "999", "1,234,567", "12,34"}, want: []string{"1234", "999", "1234567", "! " + NotANumber}},
		"spaces":    {r: Reading{Type: genesis.Float, Thousands: " ", Decimal: ","}, cells: []string{"1 234,5", "1\u00a0234", "1\u202f234"}, want: []string{"1234.5", "1234", "1234"}},
		"units": {r: Reading{Type: genesis.Float, CellUnits: []string{"F", "K"}}, in: format.RawColumn{Name: "temp", Unit: "degC"},
			cells: []string{"20", "68F", "293.15 K", "12 kW"}, want: []string{"20", "20", "20", "! " + UnknownUnit}},
		"unit of cells": {r: Reading{Type: genesis.Float, CellUnits: []string{"kW", "W"}}, cells: []string{"12 kW", "1500 W", "3"}, want: []string{"12", "1.5", "3"}},
		"bare ones are in no unit": {r: Reading{Type: genesis.Float, Qualified: true, CellUnits: []string{"kW", "W"}, BareUnit: NoBareUnit, Missing: []string{"-9"}}, cells: []string{"12 kW", "3", "-9", "<3", "<1500 W"},
			want: []string{"12", "! " + NoUnit, "null", "! " + NoUnit, "1.5"}},
		"bare ones are in another unit": {r: Reading{Type: genesis.Float, CellUnits: []string{"kW"}, BareUnit: "W"}, cells: []string{"12 kW", "1500"}, want: []string{"12", "1.5"}},
		"qualified": {r: Reading{Type: genesis.Float, Qualified: true, CellUnits: []string{"µM", "nM"}}, cells: []string{"<0.01", ">10 µM", "≤ 5", "~3", "4", "=> 2", "<x", "500 nM"},
			want: []string{"0.01", "10", "5", "3", "4", "2", "! " + NotANumber, "0.5"}, marks: []string{"<", ">", "<=", "~", "", ">=", "", ""}},
		"booleans": {r: Reading{Type: genesis.Boolean, True: []string{"Yes"}, False: []string{"No"}, Missing: []string{"NA"}}, cells: []string{"Yes", "No", "NA", "", "yes"},
			want: []string{"1", "0", "null", "null", "! " + NotABoolean}},
		"text": {r: Reading{Type: genesis.Categorical, Missing: []string{"NA"}}, cells: []string{"a", " b ", "NA", "", "na"}, want: []string{"a", " b ", "null", "null", "na"}},
		"times": {r: Reading{Type: genesis.Timestamp, DateForm: "MM/DD/YYYY HH:mm", Zone: "-07:00"}, cells: []string{"11/02/2019 23:28", "11/02/2019 24:00", "13/02/2019 00:00", "2019-11-02 23:28"},
			want: []string{"2019-11-03T06:28:00Z", "2019-11-03T07:00:00Z", "! " + NotATime, "! " + NotATime}},
		"zoned": {r: Reading{Type: genesis.Timestamp, DateForm: "YYYY-MM-DDTHH:mm:ss.SSSZ"}, cells: []string{"2019-11-03T06:28:51+01:00", "2019-11-03T06:28:51.5Z"},
			want: []string{"2019-11-03T05:28:51Z", "2019-11-03T06:28:51.5Z"}},
		"epoch":       {r: Reading{Type: genesis.Timestamp, DateForm: "epoch-s"}, cells: []string{"0", "1514764800", "1514764800.5"}, want: []string{"1970-01-01T00:00:00Z", "2018-01-01T00:00:00Z", "2018-01-01T00:00:00.5Z"}},
		"epoch ms":    {r: Reading{Type: genesis.Timestamp, DateForm: "epoch-ms"}, cells: []string{"1514764800123"}, want: []string{"2018-01-01T00:00:00.123Z"}},
		"serial":      {r: Reading{Type: genesis.Date, DateForm: "excel-serial"}, cells: []string{"43831", "43832", "2020-01-03"}, want: []string{"2020-01-01", "2020-01-02", "! " + NotATime}},
		"serial time": {r: Reading{Type: genesis.Timestamp, DateForm: "excel-serial"}, cells: []string{"43831.5", "43831.000694444"}, want: []string{"2020-01-01T12:00:00Z", "2020-01-01T00:01:00Z"}},
		"no form":     {r: Reading{Type: genesis.Date}, cells: []string{"2020-02-29", "2019-02-29"}, want: []string{"2020-02-29", "! " + NotATime}},
	} {
		got, marks := converted(t, c.r, c.in, c.cells...)
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if c.marks != nil {
			if diff := cmp.Diff(c.marks, marks); diff != "" {
				t.Errorf("%s, marks (-want +got):\n%s", name, diff)
			}
		}
	}
}

func TestTypedConvert(t *testing.T) {
	c, err := NewConverter(Reading{Type: genesis.Float, Missing: []string{"-9999", "NaN"}}, format.RawColumn{Typed: true, Kind: format.Float})
	if err != nil {
		t.Fatal(err)
	}
	var out format.Vector
	c.Convert(&format.Vector{Kind: format.Float, Floats: []float64{1, -9999, math.NaN()}}, &out, nil, func(row int, rule string) { t.Errorf("row %d: %s", row, rule) })
	if out.Floats[0] != 1 || !out.Null(1) || !out.Null(2) || out.Null(0) {
		t.Errorf("got %v with nulls %b", out.Floats, out.Nulls)
	}
}

func TestReadingsThatAreNone(t *testing.T) {
	for _, r := range []Reading{
		{}, {Type: "number"}, {Type: genesis.Float, Decimal: ";"}, {Type: genesis.Float, Thousands: "x"}, {Type: genesis.Float, Decimal: ",", Thousands: ","},
		{Type: genesis.Float, CellUnits: []string{"kW", "degC"}},
		{Type: genesis.Float, CellUnits: []string{"kW"}, BareUnit: "degC"}, {Type: genesis.Float, BareUnit: "kW"}, {Type: genesis.Date, DateForm: "DD/DD"}, {Type: genesis.Timestamp, Zone: "Mars"},
	} {
		if _, err := NewConverter(r, format.RawColumn{}); genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("NewConverter(%+v) gives error %v, want one of kind invalid", r, err)
		}
	}
}

// FuzzObserveConvert decides and reads arbitrary cells: every one must become a
// value, or none because the reading says so, or bad.
func FuzzObserveConvert(f *testing.F) {
	for _, s := range []string{"1\n2\n-9999", "1,5\n2.000,25", "2018-01-01\n01/02/2018", "<0.01\n>10 µM", "NA\nUS\nDE", "12 kW\n3 W", "true\nfalse", "007\n018", "1e400\n0x1F", "Oct 01 2007 3:12 PM", "\xff\x00\n\xe2"} {
		f.Add("x", s)
		f.Add("date (UTC)", s)
		f.Add("temp (°C)", s)
	}
	f.Fuzz(func(t *testing.T, name, text string) {
		var cells []string
		for len(text) > 0 && len(cells) < 200 {
			i := 0
			for i < len(text) && text[i] != '\n' {
				i++
			}
			cells = append(cells, text[:i])
			text = text[min(i+1, len(text)):]
		}
		raw := format.RawColumn{Name: name}
		d := NewDecider(raw, name)
		in := vector(cells...)
		d.Observe(in)
		got := d.Decide(int64(len(cells)))
		c, err := NewConverter(got.Reading, raw)
		if err != nil {
			t.Fatalf("the decided reading %+v is refused: %v", got.Reading, err)
		}
		var out, q format.Vector
		bad := map[int]bool{}
		c.Convert(in, &out, &q, func(row int, _ string) { bad[row] = true })
		if out.Len() != len(cells) || out.Kind != Kind(got.Column.Type) {
			t.Fatalf("%d cells became %d of kind %d", len(cells), out.Len(), out.Kind)
		}
		for i, cell := range cells {
			if !out.Null(i) || bad[i] || len(trim([]byte(cell))) == 0 {
				continue
			}
			if b := trim([]byte(cell)); !c.missing(b) && len(c.numbers) == 0 {
				t.Errorf("%q became nothing, though %q does not say so", cell, got.Reading.Missing)
			}
		}
	})
}

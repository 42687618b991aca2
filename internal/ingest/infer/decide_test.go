package infer

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/format"
)

// summary writes the parts of a Decision that tests compare in one line.
func summary(d Decision) string {
	c := d.Column
	parts := []string{string(c.Type)}
	add := func(key, v string) {
		if v != "" {
			parts = append(parts, key+"="+v)
		}
	}
	if c.Role != genesis.Feature {
		add("role", string(c.Role))
	}
	add("unit", c.Unit)
	add("semantic", string(c.Semantic))
	add("missing", strings.Join(d.Reading.Missing, "|"))
	add("form", d.Reading.DateForm)
	add("zone", d.Reading.Zone)
	add("decimal", d.Reading.Decimal)
	add("thousands", d.Reading.Thousands)
	add("units", strings.Join(d.Reading.CellUnits, "|"))
	add("bare", d.Reading.BareUnit)
	if d.Reading.Qualified {
		parts = append(parts, "qualified")
	}
	for _, f := range d.Findings {
		parts = append(parts, "!"+f.Code)
	}
	return strings.Join(parts, " ")
}

func decide(name, unit string, cells ...string) Decision {
	raw := format.RawColumn{Name: name, Unit: unit}
	d := NewDecider(raw, Names([]format.RawColumn{raw})[0])
	d.Observe(vector(cells...))
	return d.Decide(int64(len(cells)))
}

// many repeats cells n times over.
func many(n int, cells ...string) []string { return slices.Repeat(cells, n) }

// numbered makes n cells by a format with one number.
func numbered(n int, layout string) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf(layout, i))
	}
	return out
}

func TestDecide(t *testing.T) {
	for _, c := range []struct {
		name, unit string
		cells      []string
		want       string
	}{
		// Numbers.
		{"x", "", []string{"1", "2", "5"}, "integer"},
		{"x", "", []string{"1", "2.5", "5"}, "float"},
		{"x", "", []string{"1e-3", "2.5E7"}, "float"},
		{"x", "", []string{"1", "", "5"}, "integer"},
		{"Temp (°C)", "", []string{"1.5", "2"}, "float unit=Cel"},
		{"temp", "c", []string{"1.5", "2"}, "float unit=Cel"},
		{"temp", "furlong", []string{"1.5", "2"}, "float !unit-unknown"},
		{"x", "", append(numbered(40, "%d.5"), "oops", "4O"), "float !not-a-number"},
		{"x", "", append(numbered(40, "%d.5"), numbered(10, "word %d")...), "text"},
		{"x", "", append(numbered(40, "%d.5"), "down", "down", "down"), "float missing=down !missing-word"},
		{"x", "", many(3, "1e400", "1", "2"), "float !not-a-number"},
		{"x", "", []string{"1.5", "inf", "2"}, "float !infinite"},
		{"x", "", []string{"99999999999999999999", "88888888888888888888"}, "identifier role=id"},
		{"Pressure [psig]", "", []string{"1.5", "2"}, "float !unit-unknown"},
		{"Level [furlongsq]", "", []string{"1.5", "2"}, "float !unit-unknown"},
		{"Turb (NTU)", "", []string{"1.5", "2"}, "float !unit-unknown"},
		{"Turb (NTU)", "mg/L", []string{"1.5", "2"}, "float unit=mg/L"},
		{"Turb (NTU)", "", []string{"low", "high"}, "text"},
		{"Turb (outside)", "", []string{"1.5", "2"}, "float"},
		{"Turb (Raw)", "", []string{"1.5", "2"}, "float"},
		{"G(h)", "", []string{"1.5", "2"}, "float"},
		{"v[0]", "", []string{"1.5", "2"}, "float"},
		{"Power (AC)", "", []string{"1.5", "2"}, "float"},
		{"amount", "", append(numbered(40, "$1,%03d.56"), "($400.57)"), "text !money"},
		{"amount", "", append(numbered(40, "%d.50"), numbered(30, "(%d.50)")...), "text !money"},
		{"amount", "", append(numbered(40, "%d,50 €"), "12 €"), "text !money"},
		{"note", "", append(numbered(40, "see (%d) and more"), "$5"), "text"},
		{"note", "", numbered(40, "(%d)"), "text"},
		// Decimal marks and thousands.
		{"x", "", []string{"1,5", "3,75"}, "float decimal=,"},
		{"x", "", []string{"2.000,25", "1.234,00"}, "float decimal=, thousands=."},
		{"x", "", []string{"1,234.5", "2.5"}, "float thousands=,"},
		{"x", "", []string{"1,234", "1,234,567", "12"}, "integer thousands=,"},
		{"x", "", []string{"1,234", "2,345"}, "integer thousands=, !ambiguous-number"},
		{"x", "", []string{"1,234", "2345"}, "float decimal=, !ambiguous-number"},
		{"x", "", []string{"0,123", "2,345"}, "float decimal=,"},
		{"x", "", []string{"1 234", "12 345,5"}, "float decimal=, thousands= "},
		{"x", "", []string{"1'234", "12'345"}, "integer thousands='"},
		// Units in cells, qualified values.
		{"power", "kW", []string{"1.5", "2 kW", "1500 W"}, "float unit=kW units=W|kW !unit-in-cell"},
		{"temp", "degC", []string{"20", "NaN", "20.1", "68F"}, "float unit=Cel missing=NaN units=F !unit-in-cell"},
		{"power", "", []string{"12 kW", "13 kW", "14 kW"}, "float unit=kW units=kW !unit-in-cell"},
		{"temp", "", []string{"21.5 °C", "70 °F", "22", "295 K", "N/A"}, "float unit=K missing=N/A units=K|°C|°F bare=none !unit-in-cell !bare-number"},
		{"temp", "", []string{"21.5 °C", "70 °F", "295 K"}, "float unit=K units=K|°C|°F bare=none !unit-in-cell"},
		{"height", "", []string{"12 cm", "13", "14cm"}, "float unit=cm units=cm !unit-in-cell !bare-number"},
		{"temp (°C)", "", []string{"21.5 °C", "70 °F", "22"}, "float unit=Cel units=°C|°F !unit-in-cell"},
		{"seat", "", []string{"12A", "13A", "14A"}, "text"},
		{"share", "", []string{"12%", "13%", "14%"}, "float unit=% units=% !unit-in-cell"},
		{"conc", "", []string{"<0.01", "0.5", "0.7"}, "float qualified !qualified"},
		{"conc", "", []string{">10 µM", "0.5 µM", "0.7 µM"}, "float unit=umol/L units=µM qualified !unit-in-cell !qualified"},
		{"conc", "", []string{"<0,05", "0,5", "0,7"}, "float decimal=, qualified !qualified"},
		{"conc", "", []string{"<0,05", "5", "7"}, "float decimal=, qualified !qualified"},
		{"conc", "", append(numbered(40, "%d,5"), "<0.05"), "float decimal=, !not-a-number"},
		{"power", "kW", []string{"1,5", "2,5 kW", "1 500 W"}, "float unit=kW decimal=, thousands=  units=W|kW !unit-in-cell"},
		{"x", "", append(numbered(40, "%d,5"), "n.b.", "n.b."), "float missing=n.b. decimal=, !missing-word"},
		{"x", "", append(numbered(6000, "%d,5"), "n.b.", "n.b."), "float missing=n.b. decimal=, !missing-word"},
		{"x", "", []string{"1,5", "1e5", "2,5e-3"}, "float decimal=,"},
		// Sentinels.
		{"power", "", []string{"1,5", "-99,90", "-99,9", "1,7", "1,8"}, "float missing=-99,9 decimal=, !sentinel"},
		{"power", "", append(many(30, "1,234", "2,345", "12,345.5"), "-9,999"), "float missing=-9999 thousands=, !sentinel"},
		{"conc", "", append(many(5, "0.5", "0.7"), ">9999.9", ">9999.9"), "float qualified !qualified"},
		{"power", "", []string{"1.5", "-9999", "1.7", "1.8"}, "float missing=-9999 !sentinel"},
		{"elevation", "", []string{"-9998", "-9999", "-9999", "-10001", "-10020.5", "-9950", "-9970", "-9960"}, "float"},
		{"depth", "", []string{"-9000", "-9999", "-9999", "-10001", "-10020", "-2", "-15"}, "integer"},
		{"ceiling", "", many(10, "77777", "23", "21997"), "integer missing=77777 !sentinel"},
		{"ceiling", "", []string{"77777", "23", "21997"}, "integer"},
		{"price", "", many(10, "77777", "23", "50000"), "integer"},
		{"TA ##", "", []string{"1", "2", "3"}, "integer role=id"},
		{"mu", "", many(5, ".na.real"), "text role=ignore missing=.na.real !empty"},
		{"ghi", "", many(5, "-9999.9"), "float role=ignore missing=-9999.9 !sentinel !constant"},
		{"x", "", many(5, "-99", "0", "12", "50"), "integer missing=-99 !sentinel"},
		{"temp", "", many(5, "-99", "-80", "12", "50", "-20"), "integer"},
		{"x", "", many(5, "-9999", "-999", "0", "12", "50"), "integer missing=-999|-9999 !sentinel !sentinel"},
		{"x", "", many(5, "9999", "0", "12", "50"), "integer missing=9999 !sentinel"},
		{"x", "", many(5, "9999", "0", "5000", "8000"), "integer"},
		{"x", "", many(5, "1e20", "0.5", "12", "50"), "float missing=1e+20 !sentinel"},
		{"x", "", numbered(200, "%d"), "integer"},
		{"x", "", many(5, "99"), "integer !constant"},
		{"x", "", many(5, "-99", "-98", "-97"), "integer"},
		{"score", "", many(5, "1", "2", "3", "9"), "integer"},
		// Missing words.
		{"x", "", []string{"NA", "1.5", "n/a", "2", "-", "?"}, "float missing=-|?|NA|n/a"},
		{"sex", "", many(4, "MALE", "FEMALE", "NA"), "categorical missing=NA"},
		{"country", "", many(4, "NA", "DE", "US", "FR", "IT"), "categorical !missing-word-kept"},
		{"severity", "", many(4, "None", "Mild", "Severe", "Grave"), "categorical !missing-word-kept"},
		{"flag", "", many(4, "A", "B", "E", "?"), "categorical missing=?"},
		{"comment", "", append(numbered(50, "some remark %d"), "NA", "NA"), "text missing=NA"},
		{"x", "", []string{"", ""}, "text role=ignore !empty"},
		{"x (kW)", "", []string{"N/A", "N/A"}, "float role=ignore unit=kW missing=N/A !empty"},
		{"x", "", []string{"1.5", "#DIV/0!", "2"}, "float missing=#DIV/0! !spreadsheet-error"},
		// Times.
		{"Date (MM/DD/YYYY)", "", []string{"01/02/2018", "03/04/2018"}, "date role=time form=MM/DD/YYYY !ambiguous-date"},
		{"date", "", []string{"01/02/2018", "13/04/2018"}, "date role=time form=DD/MM/YYYY"},
		{"date", "", []string{"01/02/2018", "04/13/2018"}, "date role=time form=MM/DD/YYYY"},
		{"date", "", []string{"01.02.2018", "03.04.2018"}, "date role=time form=DD.MM.YYYY !ambiguous-date"},
		{"t", "", []string{"01 01 2018 00:00", "31 01 2018 24:00"}, "timestamp role=time form=DD MM YYYY HH:mm zone=unstated"},
		{"time(UTC)", "", []string{"20180101:0000", "20180101:0100"}, "timestamp role=time form=YYYYMMDD:HHmm zone=UTC"},
		{"t", "UTC", []string{"2020-01-01T00:00Z", "2020-01-01T00:10Z", "01/02/2020 00:20"}, "timestamp role=time form=YYYY-MM-DDTHH:mmZ zone=UTC !two-date-forms"},
		{"t", "", []string{"2020-01-01", "2020-01-02", "soon"}, "text"},
		{"t", "UTC", append(many(30, "2020-01-01T00:10Z"), "01/02/2020 00:20"), "timestamp role=time form=YYYY-MM-DDTHH:mmZ zone=UTC !two-date-forms"},
		{"t", "", []string{"2019-11-03T06:28:51+01:00", "2019-11-03T06:28:51+01:00"}, "timestamp role=time form=YYYY-MM-DDTHH:mm:ssZ zone=+01:00 !constant"},
		{"t", "", []string{"2019-11-03T06:28:51+01:00", "2019-11-03T06:28:51+02:00"}, "timestamp role=time form=YYYY-MM-DDTHH:mm:ssZ zone=mixed"},
		{"t", "", []string{"2019-11-03 06:28:51.5", "2019-11-03 06:28:51"}, "timestamp role=time form=YYYY-MM-DD HH:mm:ss.SSS zone=unstated"},
		{"t", "", []string{"Oct 01 2007 3:12 PM", "Oct 02 2007 11:12 AM"}, "timestamp role=time form=MMM DD YYYY hh:mm A zone=unstated"},
		{"t", "", []string{"2022-04-12 4:24:11 AM", "2022-04-12 4:24:12 PM"}, "timestamp role=time form=YYYY-MM-DD hh:mm:ss A zone=unstated"},
		{"Year", "", []string{"1850-01", "1850-02"}, "date role=time form=YYYY-MM"},
		{"date", "", []string{"20180131", "20180201"}, "date role=time form=YYYYMMDD"},
		{"value", "", []string{"20180131", "20180201"}, "integer"},
		{"epoch", "", []string{"1514764800", "1514764860"}, "timestamp role=time form=epoch-s zone=UTC"},
		{"timestamp", "", []string{"1514764800000", "1514764860000"}, "timestamp role=time form=epoch-ms zone=UTC"},
		{"time", "", []string{"0", "30", "60"}, "integer"},
		{"date", "", []string{"43831", "43832", "2020-01-03"}, "date role=time form=excel-serial !excel-serial !two-date-forms"},
		{"year", "", []string{"2017", "2018", "2019"}, "integer"},
		{"Time (HH:MM)", "", many(4, "01:00", "24:00"), "categorical !time-of-day"},
		{"cas", "", []string{"50-00-0", "64-17-5", "108-88-3"}, "identifier role=id"},
		// Booleans.
		{"done", "", []string{"Yes", "No", "No"}, "boolean"},
		{"done", "", []string{"true", "False", "NA", ""}, "boolean missing=NA"},
		{"done", "", []string{"Y", "N", "Y"}, "boolean"},
		{"done", "", []string{"0", "1", "1"}, "integer"},
		{"sex", "", []string{"M", "F", "F"}, "categorical"},
		// Words.
		{"colour", "", many(5, "red", "green"), "categorical"},
		{"mol_id", "", numbered(30, "TOX%d"), "identifier role=id"},
		{"site_id", "", many(3, "1", "2", "3"), "identifier role=ignore"},
		{"id", "", []string{"1", "2", "3"}, "integer role=id"},
		{"", "", []string{"0", "1", "2"}, "integer role=id"},
		{"plot", "", []string{"0", "1", "2"}, "integer"},
		{"zip", "", []string{"02139", "02140", "10001"}, "identifier role=id"},
		{"hour", "", []string{"00", "01", "02"}, "integer"},
		{"code", "", numbered(30, "S-%03d"), "identifier role=id"},
		{"note", "", []string{`=HYPERLINK("http://127.0.0.1/x"; "y")`, "+1+1", "@SUM(A1)", "-2"}, "text !formula"},
		{"gene", "", []string{"1-Sep", "2-Mar", "MARCH1"}, "text !excel-gene"},
		// Meaning.
		{"smiles", "", []string{"CCO", "c1ccccc1", "CC(=O)O"}, "text semantic=smiles"},
		{"mol", "", []string{"CCOc1ccc2nc(S(N)(=O)=O)sc2c1", "CCN1C(=O)NC(c2ccccc2)C1=O", "C[C@H](O)C(=O)O"}, "text semantic=smiles"},
		{"smiles", "", []string{"CCO", "C1CC", "C(C(C", "[Xx]", "c1ccccc1", "CC(C)(C)(C)C"}, "text semantic=smiles !bad-smiles"},
		{"smiles", "", []string{"no", "text of", "this kind"}, "text"},
		{"formula", "", []string{"Ce2K1Mn1", "Ag(AuS)2", "Fe0.620C0.000953"}, "text semantic=formula"},
		{"specimen", "", numbered(40, "S%03d"), "identifier role=id"},
		{"sample_id", "", numbered(40, "S%d"), "identifier role=id"},
		{"x", "", nil, "text role=ignore"},
		{"state", "", many(4, "D", "C", "R"), "categorical"},
		{"state", "", many(4, "CO", "CN", "N"), "categorical"},
		{"lat", "", []string{"45.5", "-12"}, "float semantic=latitude"},
		{"lat", "", []string{"450.5", "-12"}, "float"},
		{"longitude", "", []string{"-163.8", "12"}, "float semantic=longitude"},
		{"Wind Direction (°)", "", []string{"259.9", "12"}, "float unit=deg semantic=angle"},
		{"zenith (deg)", "", []string{"89.9", "12"}, "float unit=deg"},
		{"email", "", []string{"a@b.org", "c@d.com"}, "text role=ignore semantic=person !person"},
		{"contact", "", []string{"a@b.org", "c@d.com"}, "text role=ignore semantic=person !person"},
		{"patient_name", "", []string{"Xu Li", "Zoe Q"}, "text role=ignore semantic=person !person"},
		{"operator", "", []string{"Alice Smith", "Bob Brown", "Zoe Quark"}, "text role=ignore semantic=person !person"},
		{"date_of_birth", "", []string{"1980-01-01", "1990-05-05"}, "date role=ignore semantic=person form=YYYY-MM-DD !person"},
		{"Species", "", many(4, "Adelie Penguin (Pygoscelis adeliae)", "Gentoo penguin (Pygoscelis papua)"), "categorical"},
		{"name", "", []string{"Propanolol", "Terbutylchlorambucil", "Charlotte Amalie"}, "text"},
		{"station", "", []string{"San Francisco Bay", "Sand Point", "Saint George", "Cape Cod", "Point Barrow"}, "text"},
		{"time/s", "", []string{"05/05/2021 15:36:22.757", "05/15/2021 15:36:45.513"}, "timestamp role=time form=MM/DD/YYYY HH:mm:ss.SSS zone=unstated !unit-ignored"},
	} {
		if got := summary(decide(c.name, c.unit, c.cells...)); got != c.want {
			t.Errorf("%q (%s) %.8q\n got %s\nwant %s", c.name, c.unit, c.cells, got, c.want)
		}
	}
}

func TestEveryDecisionHasEvidence(t *testing.T) {
	for _, cells := range [][]string{{"1", "2"}, {"1,5", "2,25"}, {"a", "b"}, {"2018-01-01", "2018-01-02"}, {"true", "false"}, {"", ""}, {"1", "-9999"}, {"<1", "2 kW", "3"}, {"007", "010"}} {
		d := decide("x", "", cells...)
		said := map[string]bool{"type": true, "missing": len(d.Reading.Missing) > 0, "date_form": d.Reading.DateForm != "", "zone": d.Reading.Zone != "",
			"decimal": d.Reading.Decimal != "", "thousands": d.Reading.Thousands != "", "cell_units": len(d.Reading.CellUnits) > 0, "qualified": d.Reading.Qualified,
			"semantic": d.Column.Semantic != "", "unit": d.Column.Unit != "" && len(d.Reading.CellUnits) == 0}
		for key, want := range said {
			if want && d.Evidence[key] == "" {
				t.Errorf("%q: no evidence for %s in %v", cells, key, d.Evidence)
			}
		}
	}
	if got, want := decide("x", "", many(4784, "1.5", "2")...).Evidence["type"], "9,568 of 9,568 cells are decimal numbers"; got != want {
		t.Errorf("evidence reads %q, want %q", got, want)
	}
}

func TestBareNumbersAreCounted(t *testing.T) {
	for name, cells := range map[string][]string{
		"one unit":      {"12 cm", "13", "14 cm", "<15", "1,234"},
		"several units": {"12 cm", "13", "14 mm", "<15", "1,234"},
	} {
		d := decide("height", "", cells...)
		at := slices.IndexFunc(d.Findings, func(f genesis.Finding) bool { return f.Code == "bare-number" })
		if at < 0 {
			t.Errorf("%s: findings are %+v", name, d.Findings)
			continue
		}
		if f := d.Findings[at]; f.Count != 3 || !slices.Equal(f.Rows, []int64{2, 4, 5}) || f.Severity != genesis.Warn {
			t.Errorf("%s: finding is %+v, want a warning of 3 cells in rows 2, 4 and 5", name, f)
		}
	}
}

func TestPersonFindingShowsNoCell(t *testing.T) {
	d := decide("email", "", "alice@example.org", "bob@example.org")
	if len(d.Findings) != 1 || d.Findings[0].ID != "person:email" || d.Findings[0].Severity != genesis.Ask {
		t.Fatalf("findings are %+v", d.Findings)
	}
	for _, text := range append([]string{d.Findings[0].Message, d.Findings[0].Hint}, values(d.Evidence)...) {
		if strings.Contains(text, "alice") || strings.Contains(text, "example") {
			t.Errorf("%q shows a cell", text)
		}
	}
}

func values(m map[string]string) (out []string) {
	for _, v := range m {
		out = append(out, v)
	}
	return out
}

func TestQualifierColumn(t *testing.T) {
	d := decide("Conc. (µM)", "", "<0.01", ">10", "5")
	want := []genesis.Column{{Name: "conc_qualifier", Type: genesis.Categorical, Role: genesis.Qualifier, QualifierOf: "conc",
		Description: "how the value of conc is meant: <, >, <=, >= or ~; none: exactly"}}
	if diff := cmp.Diff(want, d.MoreColumns); diff != "" {
		t.Errorf("more columns (-want +got):\n%s", diff)
	}
}

func TestTyped(t *testing.T) {
	raw := format.RawColumn{Name: "AT", Typed: true, Kind: format.Float}
	d := NewDecider(raw, "at")
	d.Observe(&format.Vector{Kind: format.Float, Floats: []float64{1.5, -9999, 2.5, 3}})
	if got, want := summary(d.Decide(4)), "float missing=-9999 !sentinel"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	raw = format.RawColumn{Name: "t", Typed: true, Kind: format.Timestamp, Zone: "UTC"}
	d = NewDecider(raw, "t")
	d.Observe(&format.Vector{Kind: format.Timestamp, Ints: []int64{1, 2}})
	if got, want := summary(d.Decide(2)), "timestamp role=time zone=UTC"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestNames(t *testing.T) {
	raw := func(names ...string) (out []format.RawColumn) {
		for _, n := range names {
			out = append(out, format.RawColumn{Name: n})
		}
		return out
	}
	for _, c := range []struct{ raw, want []string }{
		{[]string{"Temp (°C)", "wind_speed [m/s]", "ActivePower"}, []string{"temp", "wind_speed", "active_power"}},
		{[]string{"time", "T", "T", "T", "", ""}, []string{"time", "t", "t_2", "t_3", "c5", "c6"}},
		{[]string{"control/V", "control/mA", "control/°C"}, []string{"control_v", "control_ma", "control_degc"}},
		{[]string{"Step", "Step (Sec)"}, []string{"step", "step_sec"}},
		{[]string{"pH", "pIC50", "mRNA", "HUFL", "PM2_5", "Cyc#", "|Z|/Ohm", "AlogP", "HTTPServer", "NR-AR-LBD"}, []string{"ph", "pic50", "mrna", "hufl", "pm2_5", "cyc", "z", "alogp", "http_server", "nr_ar_lbd"}},
		{[]string{"Δν", "Größe", "温度", "2theta", "in", "% water", "a&b", "Temperature @ 2m"}, []string{"delta_nu", "grosse", "c3", "c_2theta", "in_", "pct_water", "a_and_b", "temperature_2m"}},
		{[]string{"c2", "", "c2"}, []string{"c2", "c2_2", "c2_3"}},
		{[]string{strings.Repeat("x", 500), "__a__", "A.B.C"}, []string{strings.Repeat("x", 100), "a", "a_b_c"}},
	} {
		if diff := cmp.Diff(c.want, Names(raw(c.raw...))); diff != "" {
			t.Errorf("Names(%.40q) (-want +got):\n%s", c.raw, diff)
		}
	}
}

package recipe

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/ingest/infer"
)

func full() *Recipe {
	low := 0.0
	return &Recipe{
		Format: Format,
		Read:   Read{Header: "none", Delimiter: ";"},
		Strict: true,
		Tables: []Table{{
			Name: "data", From: "Sheet 1",
			Columns: []Column{
				{Source: "Wind Speed (m/s)", Name: "wind_speed", Reading: infer.Reading{Type: genesis.Float, Missing: []string{"-9999", "NA", "~", "#N/A", ""}, Decimal: ",", Thousands: "."},
					Unit: "m/s", UnitSource: "m/s", Convert: "km/h", Role: genesis.Feature, Description: "at hub: 80 m #1",
					Evidence: map[string]string{"type": "9 of 9 cells\nare numbers", "missing": "-9999 occurs 3 times"}},
				{Source: "T", Nth: 2, Name: "t_2", Reading: infer.Reading{Type: genesis.Boolean, True: []string{"yes", "true"}, False: []string{"no", "off"}}},
				{Source: "", Drop: true},
			},
			Derive:      []Derive{{Name: "power_mw", Expr: "power / 1000.0", Type: genesis.Float, Unit: "MW"}},
			Filter:      []string{"wind_speed >= 0.0"},
			Rules:       []Rule{{Column: "wind_speed", Min: &low}, {Expr: "a < b"}, {Column: "t_2", NotNull: true, In: []string{"true"}}},
			Deduplicate: true,
		}},
		Splits: []Split{{By: "random", Fractions: []float64{.8, .1, .1}, Seed: 7}},
	}
}

// TestRoundTrip holds the promise that a recipe read back is the recipe that
// was written, whatever is in it.
func TestRoundTrip(t *testing.T) {
	want := full()
	text, err := Print(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Parse(text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	ignore := cmp.Options{cmpopts.IgnoreFields(Column{}, "Evidence", "Line"), cmpopts.IgnoreFields(Derive{}, "Line"), cmpopts.IgnoreFields(Rule{}, "Line"), cmpopts.IgnoreFields(Split{}, "Line")}
	if d := cmp.Diff(want, got, ignore); d != "" {
		t.Errorf("changed on the way (-want +got):\n%s\n%s", d, text)
	}
	if !strings.Contains(string(text), "# -9999 occurs 3 times") {
		t.Errorf("the evidence is missing:\n%s", text)
	}
	again, _ := Print(got)
	if len(again) >= len(text) {
		t.Errorf("a recipe read back still has evidence")
	}
}

// TestColumnsApart compares a recipe whose columns are written one by one with
// the same written in one go.
func TestColumnsApart(t *testing.T) {
	odd := full()
	odd.Read.Header = "columns: []\n"
	odd.Tables = append(odd.Tables, Table{Name: "empty"}, Table{Name: "other", Columns: full().Tables[0].Columns})
	odd.Tables[0].Columns[0].Description = "two\n\n  lines\n"
	for _, r := range []*Recipe{full(), odd, {Format: Format}} {
		want, err := whole(r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Print(r)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(string(want), string(got)); d != "" {
			t.Errorf("written otherwise (-in one go +apart):\n%s", d)
		}
	}
}

func TestLinesAreKnown(t *testing.T) {
	text := "format: 1\ntables:\n  - name: data\n    columns:\n      - source: a\n        type: float\n      - source: b\n"
	r, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if got := []int{r.Tables[0].Columns[0].Line, r.Tables[0].Columns[1].Line}; !cmp.Equal(got, []int{5, 7}) {
		t.Errorf("lines %v, want 5 and 7", got)
	}
}

func TestParseRefuses(t *testing.T) {
	table := func(s string) string { return "format: 1\ntables:\n  - name: data\n" + s }
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "empty"},
		{"text for a list", table("    columns: []\n    filter: 'power >= 0.0'"), `line 5: filter takes a list of texts, such as [a, b], and not the text "power >..."`},
		{"text for a number", table("    columns:\n      - {source: a, nth: two}"), `line 5: nth takes a whole number, and not the text "two"`},
		{"text for numbers", "format: 1\ntables: []\nsplits:\n  - {by: random, fractions: all}", "line 4: fractions takes a list of numbers"},
		{"list for a text", table("    columns:\n      - {source: a, unit: [kW]}"), "line 5: unit takes a text, and not a list"},
		{"text for columns", table("    columns: power"), "line 4: columns takes a list of entries"},
		{"text for a switch", table("    columns: []\n    deduplicate: always"), `line 5: deduplicate takes true or false, and not the text "always"`},
		{"no YAML", "a: [", "line 1"},
		{"other format", "format: 2\ntables: []", "format 2"},
		{"unknown key", "format: 1\ntabels: []", "unknown key tabels"},
		{"type", table("    columns:\n      - {source: a, type: number}"), `line 5: "number" is not a type`},
		{"role", table("    columns:\n      - {source: a, role: label}"), "not a role"},
		{"column name", table("    columns:\n      - {source: a, name: A b}"), "not a column name"},
		{"twice", table("    columns:\n      - {source: a, name: x}\n      - {source: b, name: x}"), "line 6: a second column"},
		{"derive without type", table("    columns: []\n    derive:\n      - {name: x, expr: '1'}"), "needs name, expr and type"},
		{"rule of both kinds", table("    columns: []\n    rules:\n      - {column: x, expr: 'true'}"), "either a column or an expr"},
		{"bad pattern", table("    columns: []\n    rules:\n      - {column: x, matches: '('}"), "matches"},
		{"split without by", "format: 1\ntables: []\nsplits:\n  - {seed: 1}", "line 4"},
		{"decimal equals thousands", table("    columns:\n      - {source: a, decimal: ',', thousands: ','}"), "different"},
		{"two tables of one name", "format: 1\ntables:\n  - {name: a, columns: []}\n  - {name: a, columns: []}", "table 2"},
	} {
		_, err := Parse([]byte(c.text))
		if genesis.KindOf(err) != genesis.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want an invalid recipe that says %q", c.name, err, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	text, _ := Print(full())
	f.Add(text)
	f.Add([]byte("format: 1\ntables: [{name: a, columns: [&x {source: a}, *x]}]"))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := Parse(text)
		if err != nil {
			if genesis.KindOf(err) != genesis.Invalid {
				t.Fatalf("%v is of kind %s", err, genesis.KindOf(err))
			}
			return
		}
		out, err := Print(r)
		if err != nil {
			t.Fatalf("a recipe that was read cannot be written: %v", err)
		}
		if _, err := Parse(out); err != nil {
			t.Fatalf("a recipe that was written cannot be read: %v\n%s", err, out)
		}
	})
}

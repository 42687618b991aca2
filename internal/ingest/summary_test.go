package ingest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
)

// logbook is a sheet of 60 days whose last row holds what last says.
func logbook(last string) string {
	var b strings.Builder
	b.WriteString("Datum;Station;Temp;Druck\n")
	for i := range 60 {
		fmt.Fprintf(&b, "%02d.%02d.2024;S%d;%d,5;%d\n", i%30+1, 4+2*(i/30), i%3, i, 1000+i)
	}
	return b.String() + last
}

func TestRowsOfMeansAreSetAside(t *testing.T) {
	env := testEnv(t)
	env.Limits.Batch = 256 // the rows come in several batches
	for name, c := range map[string]struct {
		last string
		rows int
	}{
		"means":       {"Mittelwert;;30,0;1029,5\n", 60},
		"means, sums": {"Mittelwert:;;30;1030\nSumme;;1800;61770\n", 60},
		"no figures":  {"Mittelwert;;17,3;999\n", 61},
		"no label":    {"31.07.2024;S1;30,0;1029,5\n", 61},
		"word column": {"31.07.2024;Total;30,0;1029,5\n", 61},
	} {
		res := prepare(t, env, nil, genesis.PrepareOptions{}, raw("log.csv", logbook(c.last)))
		if got := len(rows(t, env, res, "data", "temp")); got != c.rows {
			t.Errorf("%s: %d rows are kept, want %d", name, got, c.rows)
		}
		said := slices.ContainsFunc(res.Findings, func(f genesis.Finding) bool { return f.Code == "summary-row" })
		if said != (c.rows == 60) || said != strings.Contains(res.Recipe, "summary: [") {
			t.Errorf("%s: found %t, the recipe is\n%s", name, said, res.Recipe)
		}
		again := prepare(t, env, parse(t, res.Recipe), genesis.PrepareOptions{}, raw("log.csv", logbook(c.last)))
		if digest(t, again.Manifest) != digest(t, res.Manifest) {
			t.Errorf("%s: a replay gives another version", name)
		}
	}
	res := prepare(t, env, nil, genesis.PrepareOptions{}, raw("log.csv", logbook("Mittelwert;;30,0;1029,5\n")))
	want := [][]string{{"1", "62", "datum", summaryRule, `["Mittelwert","","30,0","1029,5"]`}}
	got := rows(t, env, res, "rejects/data")
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("rejects are %q, want %q", got, want)
	}
	kept := prepare(t, env, parse(t, strings.Replace(res.Recipe, "summary: [Mittelwert]", "", 1)), genesis.PrepareOptions{}, raw("log.csv", logbook("Mittelwert;;30,0;1029,5\n")))
	if n := len(rows(t, env, kept, "data", "temp")); n != 61 {
		t.Errorf("without its label in the recipe the row is not kept: %d rows", n)
	}
}

// TestBareUnitsByRecipe prepares cells of several units, one without any.
func TestBareUnitsByRecipe(t *testing.T) {
	env := testEnv(t)
	text := "n,temp\n1,21.5 °C\n2,68 °F\n3,22\n4,295 K\n5,N/A\n"
	temps := func(res *Result) string {
		return fmt.Sprint(rows(t, env, res, "data", "temp"))
	}
	first := prepare(t, env, nil, genesis.PrepareOptions{}, raw("t.csv", text))
	if got, want := temps(first), "[[294.65] [293.15] [·] [295] [·]]"; got != want {
		t.Errorf("temperatures are %s, want %s", got, want)
	}
	again := prepare(t, env, parse(t, first.Recipe), genesis.PrepareOptions{}, raw("t.csv", text))
	if digest(t, again.Manifest) != digest(t, first.Manifest) {
		t.Error("a replay gives another version")
	}
	said := parse(t, "format: 1\ntables:\n  - name: data\n    columns:\n      - {source: temp, bare_unit: °C}\n")
	second := prepare(t, env, said, genesis.PrepareOptions{}, raw("t.csv", text))
	if got, want := temps(second), "[[294.65] [293.15] [295.15] [295] [·]]"; got != want {
		t.Errorf("with a unit for those without temperatures are %s, want %s", got, want)
	}
	if slices.ContainsFunc(second.Findings, func(f genesis.Finding) bool { return f.Code == "bare-number" }) {
		t.Error("what the recipe says is found all the same")
	}
}

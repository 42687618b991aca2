package genesis_test

import (
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

func TestParsePeriod(t *testing.T) {
	day := func(text string) time.Time {
		d, err := time.Parse(time.DateOnly, text)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for text, want := range map[string]genesis.Period{
		"2018-01-01/2018-12-31":        {Start: day("2018-01-01"), End: day("2018-12-31")},
		"2018":                         {Start: day("2018-01-01"), End: day("2018-12-31")},
		"2018/2020-02":                 {Start: day("2018-01-01"), End: day("2020-02-29")},
		"../2020":                      {End: day("2020-12-31")},
		"2020-02-01/":                  {Start: day("2020-02-01")},
		"2020-02-01T12:00:00+02:00/..": {Start: day("2020-02-01").Add(10 * time.Hour)},
	} {
		got, err := genesis.ParsePeriod(text)
		if err != nil || got != want {
			t.Errorf("%s is %v, %v", text, got, err)
		}
		if again, err := genesis.ParsePeriod(got.String()); err != nil || again != got {
			t.Errorf("%s reads back from %s as %v, %v", text, got, again, err)
		}
	}
	for _, text := range []string{"", "/", "soon", "2020/2019", "2018-13-01", "1/2"} {
		if p, err := genesis.ParsePeriod(text); genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("%q is %v, %v", text, p, err)
		}
	}
}

func TestParseBox(t *testing.T) {
	for text, want := range map[string]genesis.Box{
		"-105.3,39.9,-105.2,40.1": {West: -105.3, South: 39.9, East: -105.2, North: 40.1},
		"170, -10, -170, 10":      {West: 170, South: -10, East: -170, North: 10}, // over the antimeridian
		"29,40.5":                 {West: 29, South: 40.5, East: 29, North: 40.5},
	} {
		got, err := genesis.ParseBox(text)
		if err != nil || got != want {
			t.Errorf("%s is %v, %v", text, got, err)
		}
		if again, err := genesis.ParseBox(got.String()); err != nil || again != got {
			t.Errorf("%s reads back as %v, %v", got, again, err)
		}
	}
	for _, text := range []string{"", "1,2,3", "a,b", "0,10,0,-10", "181,0,0,0", "0,91,0,91", "NaN,0,0,0", "Inf,0,0,0"} {
		if b, err := genesis.ParseBox(text); genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("%q is %v, %v", text, b, err)
		}
	}
}

func TestCheckChallenge(t *testing.T) {
	if err := genesis.CheckChallenge("grid-resilience"); err != nil {
		t.Error(err)
	}
	for _, s := range []string{"", "Grid", "-a", "a b", "a/b"} {
		if genesis.CheckChallenge(s) == nil {
			t.Errorf("%q names a challenge", s)
		}
	}
}

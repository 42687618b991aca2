package catalog

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opengenesis/genesis"
)

func names(hits []genesis.Hit) string {
	var all []string
	for _, h := range hits {
		all = append(all, string(h.Asset.Name))
	}
	return strings.Join(all, " ")
}

// library commits a few assets to search in.
func library(t *testing.T) home {
	h := open(t)
	for name, a := range map[genesis.Name]struct {
		card    genesis.Card
		columns []genesis.Column
	}{
		"wind-turbines": {genesis.Card{Title: "Turbine SCADA 2018", Description: "Ten-minute records of one machine in Türkiye"},
			[]genesis.Column{{Name: "wind_speed", Original: "Wind Speed (m/s)", Unit: "m/s"}, {Name: "power", Unit: "kW"}}},
		"stations": {genesis.Card{Title: "Solar stations", Description: "Radiation, temperature and a little wind"},
			[]genesis.Column{{Name: "ghi", Unit: "W/m2"}, {Name: "temp", Unit: "Cel", UnitSource: "°C"}}},
		"bandgap": {genesis.Card{Title: "OQMD band gaps", Keywords: []string{"materials", "windows"}},
			[]genesis.Column{{Name: "formula"}, {Name: "gap", Unit: "eV"}}},
		"untitled": {genesis.Card{}, nil},
	} {
		in := commitOf(name, dataset(string(name), a.columns...))
		in.Records = map[genesis.RecordKind]any{genesis.RecordCard: a.card}
		h.mustCommit(t, in)
	}
	return h
}

func TestSearch(t *testing.T) {
	h := library(t)
	for query, want := range map[string]string{
		"wind":                        "wind-turbines stations bandgap", // name, then a whole word in a description, … prefix of a keyword
		"WIND":                        "wind-turbines stations bandgap",
		"windows":                     "bandgap",
		"turb":                        "wind-turbines",
		"wind_speed":                  "wind-turbines",
		"speed wind 2018":             "wind-turbines",
		"wind radiation":              "stations",
		"wind formula":                "bandgap",
		"wind nothing":                "",
		"m/s":                         "wind-turbines",
		"(m/s)":                       "wind-turbines",
		"°C":                          "stations",
		"eV":                          "bandgap",
		"türk":                        "wind-turbines",
		"untitled":                    "untitled",
		"value":                       "",
		"":                            "",
		" ... ":                       "",
		"title":                       "",
		"%":                           "",
		"'; DROP TABLE assets; --":    "",
		"\xff":                        "",
		strings.Repeat("wind ", 1000): "wind-turbines stations bandgap",
	} {
		hits, err := h.Search(t.Context(), SearchQuery{Text: query})
		if err != nil {
			t.Errorf("%.40q: %v", query, err)
			continue
		}
		got := names(hits)
		if query == "value" { // all say the same: the order is that of adding
			if len(hits) != 4 {
				t.Errorf("%q finds %q, want all four", query, got)
			}
			continue
		}
		if query == "wind" || query == "WIND" || len(query) > 1000 {
			if !strings.HasPrefix(got, "wind-turbines ") || len(hits) != 3 {
				t.Errorf("%.40q finds %q, want wind-turbines first of three", query, got)
			}
			continue
		}
		if got != want {
			t.Errorf("%.40q finds %q, want %q", query, got, want)
		}
		for i := 1; i < len(hits); i++ {
			if hits[i].Score > hits[i-1].Score {
				t.Errorf("%.40q: scores rise", query)
			}
		}
	}
	if hits, err := h.Search(t.Context(), SearchQuery{Text: "value", Limit: 2}); err != nil || len(hits) != 2 {
		t.Errorf("limit 2 gives %d hits, %v", len(hits), err)
	}
	var many []string
	for i := range 33 {
		many = append(many, fmt.Sprint("wind", i))
	}
	_, err := h.Search(t.Context(), SearchQuery{Text: strings.Join(many, " ")})
	wantKind(t, err, genesis.Invalid)
	if _, err := h.Search(t.Context(), SearchQuery{Text: strings.Join(many[:32], " ")}); err != nil {
		t.Errorf("32 words: %v", err)
	}
}

func TestSnippet(t *testing.T) {
	h := library(t)
	for query, want := range map[string]string{
		"speed":     "column: wind_speed (Wind Speed (m/s))",
		"kw":        "unit of power: kW",
		"ten min":   "description: Ten-minute records of one machine in Türkiye",
		"materials": "keywords: materials, windows",
	} {
		hits, err := h.Search(t.Context(), SearchQuery{Text: query})
		if err != nil || len(hits) != 1 || hits[0].Snippet != want {
			t.Errorf("%q: %+v, %v, want snippet %q", query, hits, err, want)
		}
	}
}

// TestSearchFollows changes what the words come from.
func TestSearchFollows(t *testing.T) {
	h := open(t)
	find := func(query, want string) {
		t.Helper()
		hits, err := h.Search(t.Context(), SearchQuery{Text: query})
		if err != nil || names(hits) != want {
			t.Errorf("%q finds %q, %v, want %q", query, names(hits), err, want)
		}
	}
	old := h.mustCommit(t, commitOf("x", dataset("a", genesis.Column{Name: "pressure"})))
	find("pressure", "x")
	h.mustCommit(t, commitOf("x", dataset("b", genesis.Column{Name: "humidity"})))
	find("pressure", "")
	find("humidity", "x")
	if err := h.PutRecord(t.Context(), old, genesis.RecordCard, genesis.Card{Title: "Boiler"}, "local"); err != nil {
		t.Fatal(err)
	}
	find("boiler", "") // the card of a version that is not current
	if _, err := h.Publish(t.Context(), old, "local"); err != nil {
		t.Fatal(err)
	}
	find("pressure", "x")
	find("humidity", "")
	hits, err := h.Search(t.Context(), SearchQuery{Text: "boiler"})
	if err != nil || len(hits) != 1 || hits[0].Asset.Title != "Boiler" || hits[0].Asset.Latest.Number != 1 {
		t.Errorf("after publishing: %+v, %v", hits, err)
	}
}

func TestTermsAreBounded(t *testing.T) {
	m := dataset("a")
	for i := range 30_000 {
		m.Tables[0].Columns = append(m.Tables[0].Columns, genesis.ManifestColumn{Column: genesis.Column{Name: fmt.Sprintf("c%d_%s", i, strings.Repeat("y", 200))}})
	}
	text := analyse(document("the-name", genesis.Card{Title: "A title"}, m))
	terms := termsOf(text)
	if len(terms) > maxTerms || len(text) > maxTextLen || len(terms) < maxTerms/5 {
		t.Errorf("%d terms, %d bytes of text", len(terms), len(text))
	}
	for term := range terms {
		if len(term) > maxTermLen {
			t.Errorf("a term of %d bytes", len(term))
			break
		}
	}
	if terms["name"] != nameWeight || terms["title"] != titleWeight {
		t.Errorf("columns displaced the name: %v, %v", terms["name"], terms["title"])
	}
}

func TestWords(t *testing.T) {
	for text, want := range map[string][]string{
		"wind_speed [m/s]": {"m/s", "wind", "speed"}, // as addTerms finds them, below
		"25 °C":            {"°c", "25", "c"},
		"μg":               {"µg"},
		"a, b; (c)":        {"a", "b", "c"},
	} {
		terms := map[string]int{}
		addTerms(terms, text, 1)
		for _, w := range want {
			if terms[w] == 0 {
				t.Errorf("%q has terms %v, without %q", text, terms, w)
			}
		}
	}
	if diff := cmp.Diff([]string{"m/s", "wind", "speed"}, queryTerms("(m/s) wind_speed WIND")); diff != "" {
		t.Errorf("query terms (-want +got):\n%s", diff)
	}
}

func FuzzQueryTerms(f *testing.F) {
	f.Add("wind_speed (m/s) °C")
	f.Add("\xff\x00 İ ſ ǅ")
	f.Fuzz(func(t *testing.T, text string) {
		terms := queryTerms(text)
		for _, term := range terms {
			if term == "" || len(term) > 4*len(text) {
				t.Fatalf("%q has the term %q", text, term)
			}
		}
		snippet(text, terms)
	})
}

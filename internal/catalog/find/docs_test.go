package find

import (
	"os"
	"strings"
	"testing"

	"github.com/opengenesis/genesis"
)

// documented are the listings of the examples in docs/search.md.
func documented() []Document {
	public := []genesis.Class{genesis.ClassPublic}
	turbines := genesis.Listing{Node: "nrel", Name: "turbines", Title: "Wind turbine SCADA", Keywords: []string{"wind", "power"},
		Description: "Ten-minute records of 36 turbines, with the power curve of the maker.",
		Variables:   []genesis.Listed{{Name: "wind_speed", Unit: "m/s"}, {Name: "active_power", Unit: "kW"}}}
	all := []Document{
		{Listing: turbines},
		{Listing: genesis.Listing{Node: "anl", Name: "radiation", Title: "Surface radiation in Zürich", Field: "climate",
			Variables: []genesis.Listed{{Name: "ghi", Unit: "W/m2"}, {Name: "air_temperature", Unit: "Cel"}}}},
		{Listing: genesis.Listing{Node: "ornl", Name: "window-films", Title: "Coatings for glass", Variables: []genesis.Listed{{Name: "band_gap", Unit: "eV"}}}},
		{Listing: genesis.Listing{Node: "pnnl", Name: "buoy", Title: "Lidar buoy off California", Description: "Power from waves",
			Variables: []genesis.Listed{{Name: "wind_speed", Unit: "m/s"}, {Name: "wave_height", Unit: "m"}}}},
	}
	for i := range all {
		all[i].Version, all[i].Classes = genesis.DigestOf([]byte(all[i].Name)), public
	}
	mirrored := all[0]
	mirrored.Listing = genesis.Listing{Node: "pnnl", Name: "turbines", Version: mirrored.Version}
	return append(all, mirrored)
}

// TestExamples holds the examples of docs/search.md.
func TestExamples(t *testing.T) {
	doc, err := os.ReadFile("../../../docs/search.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(doc), "| query | hits | why |")
	if !ok {
		t.Fatal("docs/search.md has no examples")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	ix := openTest(t)
	apply(t, ix, Batch{Put: documented()})
	n := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || !strings.HasPrefix(cells[1], " `") {
			continue
		}
		n++
		query := strings.Trim(cells[1], " `")
		r, err := ix.Search(t.Context(), Query{Asker: Asker{Classes: []genesis.Class{genesis.ClassPublic}}, Text: query})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, h := range r.Hits {
			got = append(got, string(h.Node)+"/"+string(h.Name))
		}
		if want := strings.TrimSpace(cells[2]); strings.Join(got, ", ") != want {
			t.Errorf("%s finds %s, and docs/search.md says %s", query, strings.Join(got, ", "), want)
		}
	}
	if n < 10 {
		t.Errorf("only %d examples", n)
	}
}

// TestMarks holds what of a hit is shown, and which parts of it are marked.
func TestMarks(t *testing.T) {
	ix := openTest(t)
	long := strings.Repeat("Nothing of this is of interest to anybody. ", 20) + "Then the pitch angle of the blades (°C, W/m²) is told. " + strings.Repeat("And more. ", 60)
	docs := append(documented(), Document{Listing: genesis.Listing{Node: "z", Name: "long", Version: genesis.DigestOf(nil), Description: long}, Classes: []genesis.Class{genesis.ClassPublic}})
	apply(t, ix, Batch{Put: docs})
	for _, tt := range []struct{ query, want string }{
		{"zur", "title: Surface radiation in [Zürich]"},
		{"wind tur", "title: [Wind] [turbine] SCADA"},
		{"speed", "column: wind_[speed]"},
		{"W.m-2 surface", "title: [Surface] radiation in Zürich"},
		{"kW", "unit of active_power: [kW]"},
	} {
		r, err := ix.Search(t.Context(), Query{Asker: Asker{Classes: []genesis.Class{genesis.ClassPublic}}, Text: tt.query})
		if err != nil || len(r.Hits) == 0 {
			t.Fatalf("%s: %v %v", tt.query, r, err)
		}
		if got := marked(r.Hits[0]); got != tt.want {
			t.Errorf("%s is shown as %q, want %q", tt.query, got, tt.want)
		}
	}
	r, err := ix.Search(t.Context(), Query{Asker: Asker{Classes: []genesis.Class{genesis.ClassPublic}}, Text: `"pitch angle" °C`})
	if err != nil || len(r.Hits) != 1 {
		t.Fatal(r, err)
	}
	if got := marked(r.Hits[0]); len(got) > 2*maxSnippet || !strings.Contains(got, "[pitch] [angle]") || !strings.Contains(got, "([°C],") || !strings.HasPrefix(got, "description: … ") {
		t.Errorf("a long line is shown as %q", got)
	}
}

// marked returns the snippet of a hit with brackets around its marks.
func marked(h Hit) string {
	s := h.Snippet
	for i := len(h.Marks) - 1; i >= 0; i-- {
		m := h.Marks[i]
		s = s[:m.Start] + "[" + s[m.Start:m.End] + "]" + s[m.End:]
	}
	return s
}

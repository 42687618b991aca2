package find

import (
	"slices"
	"testing"

	"github.com/opengenesis/genesis"
)

// TestFunctionWordsAreNoLikeness: two versions are not alike for being described in English;
// such words are found all the same.
func TestFunctionWordsAreNoLikeness(t *testing.T) {
	ix := openTest(t)
	var all []Document
	for name, text := range map[genesis.Name]string{
		"wine":    "Chemistry of red wines and their quality, with the judgement of three experts",
		"glass":   "Refraction and composition of glass, with their kinds",
		"grapes":  "The harvest of red grapes and what it weighs",
		"weather": "Temperature, pressure and humidity",
	} {
		all = append(all, Document{Classes: []genesis.Class{genesis.ClassPublic}, Listing: genesis.Listing{Format: genesis.ListingFormat, Node: "anl", Name: name,
			Version: genesis.DigestOf([]byte(name)), Number: 1, Kind: genesis.Dataset, Title: string(name), Description: text}})
	}
	if err := ix.Apply(t.Context(), Batch{Put: all}); err != nil {
		t.Fatal(err)
	}
	a := Asker{Classes: []genesis.Class{genesis.ClassPublic}}
	got, err := ix.Similar(t.Context(), a, ID{Node: "anl", Name: "wine"}, 10)
	if err != nil || len(got) != 1 || got[0].Name != "grapes" || !slices.Equal(got[0].Words, []string{"red"}) {
		t.Errorf("%+v, %v", got, err)
	}
	found, err := ix.Search(t.Context(), Query{Asker: a, Text: `"and their"`})
	if err != nil || found.Total != 1 {
		t.Errorf("%+v, %v", found, err)
	}
	for w := range functionWords {
		if fold(w) != w || len(w) < prefixFrom {
			t.Errorf("%q is no word as it is looked for, or too short to count", w)
		}
	}
}

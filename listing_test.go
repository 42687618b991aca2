package genesis

import (
	"strings"
	"testing"
)

// TestCheckOf: a listing of a node is read in any format that this program knows, and
// refused with what is wrong with it.
func TestCheckOf(t *testing.T) {
	good := Listing{Format: 1, Node: "nrel", Name: "~ada/turbines", Version: DigestOf(nil), Number: 3, Kind: Dataset, Rows: 5,
		Ready: &Ready{Passed: 3}, Place: &Box{West: 170, South: -10, East: -170, North: 10}}
	for format := 1; format <= ListingFormat; format++ {
		l := good
		l.Format = format
		if err := l.CheckOf("nrel"); err != nil {
			t.Errorf("format %d: %v", format, err)
		}
	}
	for want, change := range map[string]func(*Listing){
		"has format":          func(l *Listing) { l.Format = ListingFormat + 1 },
		"no format":           func(l *Listing) { l.Format = 0 },
		`at "mit"`:            func(l *Listing) { l.Node = "mit" },
		"name":                func(l *Listing) { l.Name = "../turbines" },
		"digest":              func(l *Listing) { l.Version = "sha256:none" },
		`kind "workflow"`:     func(l *Listing) { l.Kind = "workflow" },
		"less than nothing":   func(l *Listing) { l.Number = -1 },
		"less than nothing ":  func(l *Listing) { l.Rows = -1 },
		"less than nothing.":  func(l *Listing) { l.More = -1 },
		"less than nothing..": func(l *Listing) { l.Ready = &Ready{Failed: -1} },
		"degrees":             func(l *Listing) { l.Place = &Box{South: 91, North: 92} },
	} {
		l := good
		change(&l)
		err := l.CheckOf("nrel")
		if err == nil || !strings.Contains(err.Error(), strings.TrimRight(want, " .")) {
			t.Errorf("%s: %v", want, err)
		}
		kind := Invalid
		if l.Format > ListingFormat {
			kind = Unsupported
		}
		if KindOf(err) != kind {
			t.Errorf("%s is of kind %q", want, KindOf(err))
		}
	}
}

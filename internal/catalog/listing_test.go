package catalog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/opengenesis/genesis"
)

func TestListingOf(t *testing.T) {
	start := time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC)
	column := func(name string, typ genesis.Type, role genesis.Role) genesis.ManifestColumn {
		return genesis.ManifestColumn{Column: genesis.Column{Name: name, Type: typ, Role: role, Unit: "kW", Missing: []string{"-9999"}, Description: "as 12.5 in row 3"}, Digest: "sha256:00"}
	}
	low := 17.25
	d := genesis.Description{
		Version: genesis.Version{Name: "turbines", Kind: genesis.Dataset, Digest: "sha256:11", Number: 2, Rows: 10, Bytes: 20},
		Card:    genesis.Card{Title: "T", Contact: "ada@example.org", Keywords: []string{"wind"}, Temporal: &genesis.Period{Start: start}, Spatial: &genesis.Box{West: 1, East: 2}, Challenge: "grid"},
		Manifest: genesis.Manifest{Tables: []genesis.ManifestTable{{Name: "data", Columns: []genesis.ManifestColumn{
			column("power", genesis.Float, genesis.Target), column("state", genesis.Categorical, genesis.Target), column("time", genesis.Timestamp, genesis.Time)}}}},
		Profile:    &genesis.Profile{Tables: []genesis.TableProfile{{Columns: []genesis.ColumnProfile{{Name: "power", Min: &low, First: "2018-06-05", Top: []genesis.ValueCount{{Value: "secret"}}}}}}},
		Readiness:  &genesis.Readiness{Passed: 3, Failed: 1, Checks: []genesis.Check{{Evidence: "17.25"}}},
		Provenance: &genesis.Provenance{By: "ada", Sources: []genesis.Source{{Path: "/home/ada/x.csv", Format: "csv", Preamble: "secret"}, {Format: "xlsx"}, {Format: "csv"}}},
	}
	want := genesis.Listing{Format: 1, Name: "turbines", Version: "sha256:11", Number: 2, Kind: genesis.Dataset, Title: "T", Keywords: []string{"wind"},
		Challenge: "grid", Formats: []string{"csv", "xlsx"}, Tasks: []string{"classification", "regression"}, Ready: &genesis.Ready{Passed: 3, Failed: 1},
		Variables: []genesis.Listed{{Name: "power", Unit: "kW", Role: "target"}, {Name: "state", Unit: "kW", Role: "target"}, {Name: "time", Unit: "kW", Role: "time"}},
		Start:     start, Place: &genesis.Box{West: 1, East: 2}, Rows: 10, Bytes: 20}
	got := listingOf(d)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	text, err := EncodeListing(got)
	if err != nil {
		t.Fatal(err)
	}
	// What tells of cells, and of people beyond those the card names, is in no listing.
	for _, word := range []string{"secret", "17.25", "12.5", "-9999", "2018-06-05", "/home", "ada", "sha256:00"} {
		if strings.Contains(string(text), word) {
			t.Errorf("the listing has %q: %s", word, text)
		}
	}
	again, err := EncodeListing(listingOf(d))
	if err != nil || !bytes.Equal(text, again) {
		t.Errorf("the same version gives\n%s and\n%s", text, again)
	}
	var back genesis.Listing
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, back); diff != "" {
		t.Error(diff)
	}
}

func TestEncodeListingIsBounded(t *testing.T) {
	long := strings.Repeat("ä\"\u2028", 40_000)
	l := genesis.Listing{Format: 1, Name: "wide", Title: long, Description: long, Institution: long, Field: long, License: long}
	for i := range 20_000 {
		l.Keywords = append(l.Keywords, long[:i%1000*6])
		l.Inputs = append(l.Inputs, "nrel/x@1")
		l.Variables = append(l.Variables, genesis.Listed{Name: fmt.Sprintf("column_%d", i), Unit: "kW"})
	}
	for _, name := range []string{"short", long} {
		l.Variables[3].Name = name
		text, err := EncodeListing(l)
		if err != nil || len(text) > genesis.MaxListing || len(text) < genesis.MaxListing-2000 || !utf8.Valid(text) {
			t.Fatalf("%d bytes, %v", len(text), err)
		}
		var back genesis.Listing
		if err := json.Unmarshal(text, &back); err != nil || back.More+len(back.Variables) != 20_000 || back.More == 0 || len(back.Keywords) != maxItems {
			t.Errorf("%d of %d variables, %v", len(back.Variables), back.More, err)
		}
	}
}

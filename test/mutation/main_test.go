package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// whats are what mutants do, in order.
func whats(all []Mutant) []string {
	var out []string
	for _, m := range all {
		out = append(out, m.What)
	}
	return out
}

func TestGoChanges(t *testing.T) {
	text := `package p

import "fmt"

func f(a, b int) bool {
	if a == 1 && !g(b) {
		fmt.Println("x")
		return true
	}
	return a < b
}
`
	all, err := golang("p.go", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"if a == 1 && !g(b) is turned round", "&& becomes ||", "a == 1 becomes true", "!g(b) becomes true", "== becomes !=", "1 becomes 2", "! is left out",
		`fmt.Println("x") is left out`, "true becomes false", "< becomes <=", "< becomes >=",
	}
	if got := whats(all); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for _, m := range all {
		if bytes.Equal(m.Text, []byte(text)) || m.Line < 6 || m.Line > 10 {
			t.Errorf("line %d: %s changes nothing", m.Line, m.What)
		}
	}
}

func TestCedarChanges(t *testing.T) {
	text := `// What it is.

@id("one")
@says("permit")
permit (principal, action in [Action::"read", Action::"train"], resource is Asset)
when { resource.tier == "public" && !resource.hidden }
unless { principal.duties.contains("officer") };

@id("two")
forbid (
  principal,
  action == Action::"read",
  resource == Node::"office"
)
when { context.outside };
`
	all := cedar("p.cedar", []byte(text))
	want := []string{
		"the policy is left out", "permit becomes forbid",
		`when { resource.tier == "public" && !resource.hidden } becomes`, `when { resource.tier == "public" && !resource.hidden } becomes unless { resource.tier == "public" && !resource.hidden }`,
		`unless { principal.duties.contains("officer") } becomes`, `unless { principal.duties.contains("officer") } becomes when { principal.duties.contains("officer") }`,
		"== becomes !=", "&& becomes ||", "!r becomes r",
		`resource.tier == "public" becomes true`, `resource.tier == "public" becomes false`, "resource.hidden becomes true", "resource.hidden becomes false",
		`principal.duties.contains("officer") becomes true`, `principal.duties.contains("officer") becomes false`,
		`action in [Action::"read", Action::"train"] becomes action`, `action in [Action::"read", Action::"train"] becomes action in [Action::"train"]`,
		`action in [Action::"read", Action::"train"] becomes action in [Action::"read"]`,
		`"public" becomes "registered"`, `"public" becomes "partner"`, `"officer" becomes "operator"`,
		"the policy is left out", "forbid becomes permit", "when { context.outside } becomes", "when { context.outside } becomes unless { context.outside }",
		"context.outside becomes true", "context.outside becomes false", `action == Action::"read", becomes action,`, `resource == Node::"office" becomes resource is Node`,
	}
	if got := whats(all); !slices.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

// TestSample tries a few changes, always the same ones, spread over policies and
// code. All of them are noticed.
func TestSample(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds the package's tests once a change")
	}
	all, err := mutants("../..", "internal/access", "limits.cedar,people.cedar,judge.go,asset.go,principal.go")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 300 {
		t.Fatalf("there are only %d changes", len(all))
	}
	report, err := Runner{Root: "../..", Package: "internal/access", Workers: 2, Progress: t.Output()}.Run(t.Context(), spread(all, 5))
	if err != nil {
		t.Fatal(err)
	}
	if report.Count[Killed] < 4 || len(report.Survivors) > 0 {
		t.Errorf("%d killed, survivors %v", report.Count[Killed], whats(report.Survivors))
	}
}

// TestDrawn draws the same sample for the same seed, none twice.
func TestDrawn(t *testing.T) {
	var all []Mutant
	for i := range 100 {
		all = append(all, Mutant{Line: i})
	}
	lines := func(some []Mutant) (out []int) {
		for _, m := range some {
			out = append(out, m.Line)
		}
		return out
	}
	one, again, two := lines(drawn(1)(all, 20)), lines(drawn(1)(all, 20)), lines(drawn(2)(all, 20))
	if !slices.Equal(one, again) || slices.Equal(one, two) || len(one) != 20 {
		t.Errorf("drawn with seeds 1, 1 and 2: %v, %v, %v", one, again, two)
	}
	slices.Sort(one)
	if len(slices.Compact(one)) != 20 || len(drawn(1)(all, 0)) != 100 {
		t.Errorf("drawn twice: %v", one)
	}
	for only, want := range map[string]bool{"": true, "*.go": true, "a.go,judge.go": true, "*.cedar": false, "judge": false} {
		if chosen(only, "judge.go") != want {
			t.Errorf("%q chooses judge.go: %v", only, !want)
		}
	}
}

// TestEquivalents: each is still a change of what is there, and says why.
func TestEquivalents(t *testing.T) {
	all, err := mutants("../..", "internal/access", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range equivalents {
		is := func(m Mutant) bool { return m.File == e.file && m.Source == e.line && m.What == e.what }
		if !slices.ContainsFunc(all, is) || e.why == "" {
			t.Errorf("there is no such change: %+v", e)
		}
	}
}

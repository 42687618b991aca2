package readiness

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/opengenesis/genesis"
)

var update = flag.Bool("update", false, "write docs/readiness.md")

func number(x float64) *float64 { return &x }

// numeric is the profile of a numeric column of 1000 rows about 10.
func numeric(name string) genesis.ColumnProfile {
	return genesis.ColumnProfile{
		Name: name, Count: 1000, Distinct: 900, Min: number(5), Max: number(15), Mean: number(10), SD: number(2),
		Quantiles: []genesis.Quantile{{P: 0, Value: 5}, {P: .01, Value: 6}, {P: .25, Value: 8}, {P: .5, Value: 10}, {P: .75, Value: 12}, {P: .99, Value: 14}, {P: 1, Value: 15}},
	}
}

func digestColumn(c genesis.Column) genesis.ManifestColumn {
	return genesis.ManifestColumn{Column: c, Digest: genesis.DigestOf([]byte(c.Name))}
}

// ready is an input that passes every check.
func ready() Input {
	temp := numeric("temp")
	temp.Association = &genesis.Association{Measure: "pearson", Value: -.9, Rows: 1000}
	return Input{
		Name: "turbines",
		Manifest: genesis.Manifest{Format: 1, Kind: genesis.Dataset, Tables: []genesis.ManifestTable{{
			Name: "data", Rows: 1000, Columns: []genesis.ManifestColumn{
				digestColumn(genesis.Column{Name: "serial", Type: genesis.Identifier, Role: genesis.ID}),
				digestColumn(genesis.Column{Name: "at", Type: genesis.Timestamp, Role: genesis.Time, Zone: "UTC"}),
				digestColumn(genesis.Column{Name: "temp", Type: genesis.Float, Role: genesis.Feature, Unit: "Cel", Description: "of the air"}),
				digestColumn(genesis.Column{Name: "power", Type: genesis.Float, Role: genesis.Target, Unit: "kW", Description: "at the grid"}),
			},
		}}},
		Card: genesis.Card{
			Title: "Power of twelve turbines", Description: "Ten-minute means of twelve turbines at one site in 2024, from SCADA.",
			Creators: []string{"A. Ohm"}, Contact: "data@example.org", License: "CC-BY-4.0", Citation: "Ohm 2025", Source: "https://example.org",
			Keywords: []string{"wind"}, Field: "energy", Sensitivity: "Public", ExportControl: "No", Use: "none beyond the licence",
		},
		Profile: genesis.Profile{Format: 1, Tables: []genesis.TableProfile{{
			Name: "data", Rows: 1000, Target: "power",
			Columns: []genesis.ColumnProfile{{Name: "serial", Count: 1000, Distinct: 1000}, {Name: "at", Count: 1000, Distinct: 1000}, temp, numeric("power")},
		}}},
		Findings: []genesis.Finding{
			{ID: "person:serial", Code: "person", Severity: genesis.Ask, Answer: "serial numbers of machines", By: "local"},
			{ID: "unit-assumed:temp", Code: "unit-assumed", Severity: genesis.Ask, Answer: "yes"},
		},
		Splits: []genesis.Split{{Name: "random", Table: "data", Kind: "random", Leaks: []genesis.LeakCheck{{Name: "duplicates", Passed: true}}}},
		Sources: []genesis.Source{
			{Path: "my data/turbines.csv", Digest: genesis.DigestOf(nil), Bytes: 1, Format: "csv"},
		},
		Recipe: "format: 1\n",
		Proof:  &genesis.Proof{Target: "power", Metric: "rmse", Net: 1, Trivial: 2, Margin: .5, Rows: 100},
	}
}

func columnOf(in *Input, i int) *genesis.Column { return &in.Manifest.Tables[0].Columns[i].Column }
func profileOf(in *Input, i int) *genesis.ColumnProfile {
	return &in.Profile.Tables[0].Columns[i]
}

// failing spoils a ready input so that one check fails.
var failing = map[string]func(*Input){
	"title":               func(in *Input) { in.Card.Title = " " },
	"description":         func(in *Input) { in.Card.Description = "turbines" },
	"keywords":            func(in *Input) { in.Card.Keywords = nil },
	"field":               func(in *Input) { in.Card.Field = "" },
	"creators":            func(in *Input) { in.Card.Creators = []string{""} },
	"contact":             func(in *Input) { in.Card.Contact = "" },
	"standard-format":     func(in *Input) { in.Manifest.Tables = nil },
	"verifiable":          func(in *Input) { in.Manifest.Tables[0].Columns[2].Digest = "sha256:12" },
	"size-known":          func(in *Input) { in.Profile.Tables[0].Rows = 999 },
	"units-stated":        func(in *Input) { columnOf(in, 2).Unit = "" },
	"units-ucum":          func(in *Input) { columnOf(in, 2).Unit = "degrees centigrade" },
	"types-decided":       func(in *Input) { p := profileOf(in, 2); p.Count, p.Nulls = 0, 1000 },
	"missing-codes":       func(in *Input) { profileOf(in, 2).Min = number(-9999) },
	"time-zone":           func(in *Input) { columnOf(in, 1).Zone = "unstated" },
	"names":               func(in *Input) { columnOf(in, 2).Name = "Temp (°C)" },
	"row-identity":        func(in *Input) { profileOf(in, 0).Distinct = 990 },
	"license":             func(in *Input) { in.Card.License = "" },
	"citation":            func(in *Input) { in.Card.Citation = "" },
	"source-stated":       func(in *Input) { in.Card.Source = "" },
	"source-digests":      func(in *Input) { in.Sources[0].Digest = "" },
	"recipe":              func(in *Input) { in.Recipe = "" },
	"column-descriptions": func(in *Input) { columnOf(in, 3).Description = "" },
	"sensitivity":         func(in *Input) { in.Card.Sensitivity = "" },
	"export-control":      func(in *Input) { in.Card.ExportControl = "" },
	"use-conditions":      func(in *Input) { in.Card.Use = "" },
	"person-data":         func(in *Input) { in.Findings[0].Answer = "" },
	"questions-answered":  func(in *Input) { in.Findings[1].Answer = "" },
	"missing-values":      func(in *Input) { profileOf(in, 2).Nulls = 1001 },
	"constant-columns":    func(in *Input) { profileOf(in, 2).Distinct = 1 },
	"outliers":            func(in *Input) { profileOf(in, 2).Max = number(1e6) },
	"target-leakage":      func(in *Input) { profileOf(in, 2).Association.Value = -.9995 },
	"target-declared":     func(in *Input) { columnOf(in, 3).Role = genesis.Feature },
	"enough-rows":         func(in *Input) { profileOf(in, 3).Count = 199 },
	"target-missing":      func(in *Input) { profileOf(in, 3).Nulls = 60 },
	"target-balance":      func(in *Input) { profileOf(in, 3).Mean = number(11) },
	"duplicates":          func(in *Input) { in.Profile.Tables[0].Duplicates = 11 },
	"rejects":             func(in *Input) { in.Manifest.Rejects = []genesis.ManifestTable{{Name: "data", Rows: 11}} },
	"split-exists":        func(in *Input) { in.Splits = nil },
	"split-leaks":         func(in *Input) { in.Splits[0].Leaks[0].Passed = false },
	"baseline":            func(in *Input) { in.Proof.Margin = .049 },
}

func find(t *testing.T, r genesis.Readiness, id string) genesis.Check {
	t.Helper()
	for _, c := range r.Checks {
		if c.ID == id {
			return c
		}
	}
	t.Fatalf("there is no check %q", id)
	return genesis.Check{}
}

func TestEveryCheckPassesAndFails(t *testing.T) {
	good := Check(ready())
	for _, c := range good.Checks {
		if c.Verdict != genesis.Pass {
			t.Errorf("%s of the ready dataset: %s: %s", c.ID, c.Verdict, c.Evidence)
		}
		if c.Fix != "" {
			t.Errorf("%s passes and is to be mended by %q", c.ID, c.Fix)
		}
		if failing[c.ID] == nil {
			t.Errorf("%s has no failing fixture", c.ID)
		}
	}
	if good.Passed != len(good.Checks) || good.Failed != 0 || good.Format != 1 {
		t.Errorf("passed %d, failed %d of %d", good.Passed, good.Failed, len(good.Checks))
	}
	for id, spoil := range failing {
		in := ready()
		spoil(&in)
		report := Check(in)
		c := find(t, report, id)
		if c.Verdict != genesis.Fail {
			t.Errorf("%s, spoilt: %s: %s", id, c.Verdict, c.Evidence)
		}
		if report.Failed == 0 || c.Evidence == "" || !strings.Contains(c.Fix, "genesis ") || strings.ContainsAny(c.Fix, "{}") {
			t.Errorf("%s: %d failed, evidence %q, fix %q", id, report.Failed, c.Evidence, c.Fix)
		}
	}
	if last := good.Checks[len(good.Checks)-1]; last.ID != "baseline" {
		t.Errorf("the last check is %s, want the proof", last.ID)
	}
}

func TestVerdictsBesidePassAndFail(t *testing.T) {
	noTarget := func(in *Input) { columnOf(in, 3).Role = genesis.Feature; in.Proof = nil }
	tests := []struct {
		name   string
		change func(*Input)
		id     string
		want   genesis.Verdict
	}{
		{"no proof was made", func(in *Input) { in.Proof = nil }, "baseline", genesis.Unknown},
		{"the proof failed", func(in *Input) { in.Proof.Err = "12 rows" }, "baseline", genesis.Unknown},
		{"exactly the margin", func(in *Input) { in.Proof.Margin = .05 }, "baseline", genesis.Pass},
		{"no target", noTarget, "baseline", genesis.NotApplicable},
		{"no target", noTarget, "enough-rows", genesis.NotApplicable},
		{"no target", noTarget, "target-leakage", genesis.NotApplicable},
		{"export under review", func(in *Input) { in.Card.ExportControl = "Pending_Review" }, "export-control", genesis.Unknown},
		{"export controlled", func(in *Input) { in.Card.ExportControl = "Yes" }, "export-control", genesis.Pass},
		{"no findings", func(in *Input) { in.Findings = nil }, "person-data", genesis.NotApplicable},
		{"a person column without a finding", func(in *Input) { in.Findings = nil; columnOf(in, 0).Semantic = genesis.Person }, "person-data", genesis.Unknown},
		{"no id", func(in *Input) { columnOf(in, 0).Role = genesis.Ignore }, "row-identity", genesis.Unknown},
		{"no timestamps", func(in *Input) { columnOf(in, 1).Type = genesis.Date }, "time-zone", genesis.NotApplicable},
		{"no quantities", func(in *Input) { columnOf(in, 2).Type, columnOf(in, 3).Type = genesis.Integer, genesis.Integer }, "units-stated", genesis.NotApplicable},
		{"no profile", func(in *Input) { in.Profile = genesis.Profile{} }, "duplicates", genesis.Unknown},
		{"no profile", func(in *Input) { in.Profile = genesis.Profile{} }, "missing-values", genesis.Unknown},
		{"no profile", func(in *Input) { in.Profile = genesis.Profile{} }, "size-known", genesis.Unknown},
		{"no split", func(in *Input) { in.Splits = nil }, "split-leaks", genesis.NotApplicable},
		{"no sources", func(in *Input) { in.Sources = nil }, "source-digests", genesis.Unknown},
		{"a rare class", func(in *Input) {
			columnOf(in, 3).Type = genesis.Categorical
			*profileOf(in, 3) = genesis.ColumnProfile{Name: "power", Count: 1000, Distinct: 2, Top: []genesis.ValueCount{{Value: "a", Count: 960}, {Value: "b", Count: 40}}}
		}, "target-balance", genesis.Fail},
		{"two classes", func(in *Input) {
			columnOf(in, 3).Type = genesis.Boolean
			*profileOf(in, 3) = genesis.ColumnProfile{Name: "power", Count: 1000, Distinct: 2, Top: []genesis.ValueCount{{Value: "true", Count: 900}, {Value: "false", Count: 100}}}
		}, "target-balance", genesis.Pass},
		{"a real -9999", func(in *Input) {
			p := profileOf(in, 2)
			p.Min = number(-9999)
			p.Quantiles[2].Value, p.Quantiles[4].Value = -9000, 9000
		}, "missing-codes", genesis.Pass},
		{"nothing at all", func(in *Input) { *in = Input{} }, "standard-format", genesis.Fail},
	}
	for _, test := range tests {
		in := ready()
		test.change(&in)
		if c := find(t, Check(in), test.id); c.Verdict != test.want {
			t.Errorf("%s: %s is %s (%s), want %s", test.name, test.id, c.Verdict, c.Evidence, test.want)
		}
	}
}

func TestCommandsAreExact(t *testing.T) {
	tests := []struct{ id, want string }{
		{"title", `genesis card set turbines title="…"`},
		{"duplicates", `genesis prepare 'my data/turbines.csv' --name turbines --dedup --target power`},
		{"person-data", `genesis answer turbines person:serial "…"`},
		{"split-exists", `genesis prepare 'my data/turbines.csv' --name turbines --split time:at --target power`},
		{"target-balance", `genesis prepare 'my data/turbines.csv' --name turbines --split stratify:power --target power`},
		{"recipe", `genesis prepare 'my data/turbines.csv' --name turbines --target power`},
	}
	for _, test := range tests {
		in := ready()
		failing[test.id](&in)
		if got := find(t, Check(in), test.id).Fix; got != test.want {
			t.Errorf("%s: fix %q, want %q", test.id, got, test.want)
		}
	}
	if got := find(t, Check(Input{}), "title").Fix; got != `genesis card set NAME title="…"` {
		t.Errorf("without a name: %q", got)
	}
	for in, want := range map[string]string{"a.csv": "a.csv", "a b": "'a b'", "it's": `'it'\''s'`, "": "''", "$(rm)": "'$(rm)'"} {
		if got := quote(in); got != want {
			t.Errorf("quote(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestReportIsAFunctionOfItsInput(t *testing.T) {
	a, _ := json.Marshal(Check(ready()))
	b, _ := json.Marshal(Check(ready()))
	if string(a) != string(b) {
		t.Error("two reports on one input differ")
	}
}

func TestRulesAreWellFormed(t *testing.T) {
	seen := map[string]bool{}
	order := []string{discoverable, accessible, interoperable, reusable, governed, usable}
	at := 0
	id := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	for _, r := range rules() {
		if !id.MatchString(r.id) || seen[r.id] {
			t.Errorf("id %q is malformed or used twice", r.id)
		}
		seen[r.id] = true
		for at < len(order) && order[at] != r.group {
			at++
		}
		if at == len(order) {
			t.Errorf("%s: group %q is unknown or out of order", r.id, r.group)
			at = 0
		}
		if !strings.HasSuffix(r.asks, "?") || r.passes == "" || r.why == "" || !strings.Contains(r.fix, "genesis ") {
			t.Errorf("%s does not say what it asks, when it passes, why, or how it is mended", r.id)
		}
	}
	if len(seen) < 30 {
		t.Errorf("%d checks", len(seen))
	}
}

func TestDocumentation(t *testing.T) {
	path := filepath.Join("..", "..", "..", "docs", "readiness.md")
	if *update {
		if err := os.WriteFile(path, []byte(Document()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Document(), string(got)); diff != "" {
		t.Errorf("docs/readiness.md is not what the checks say (go test -update writes it; -want +got):\n%s", diff)
	}
}

package readiness

import (
	"strings"

	"github.com/opengenesis/genesis"
)

// The groups of checks.
const (
	discoverable  = "discoverable"
	accessible    = "accessible"
	interoperable = "interoperable"
	reusable      = "reusable"
	governed      = "governed"
	usable        = "usable-for-ai"
)

// Input is what the checks look at: a version's records. Zero fields mean that
// the record is not there.
type Input struct {
	Name     genesis.Name // for the commands that mend
	Manifest genesis.Manifest
	Card     genesis.Card
	Profile  genesis.Profile
	Findings []genesis.Finding
	Splits   []genesis.Split
	Sources  []genesis.Source
	Recipe   string         // YAML
	Proof    *genesis.Proof // of a baseline network; nil: none was trained
}

// rule is one check.
type rule struct {
	id     string
	group  string
	asks   string // the question
	passes string // when it passes
	why    string // why it matters for learning
	fix    string // the command that mends it; {name}, {files} and {recipe} are filled in
	check  func(*facts) outcome
}

// outcome is what a check found.
type outcome struct {
	verdict  genesis.Verdict
	evidence string
	fix      string // instead of the rule's
}

func pass(evidence string) outcome    { return outcome{verdict: genesis.Pass, evidence: evidence} }
func fail(evidence string) outcome    { return outcome{verdict: genesis.Fail, evidence: evidence} }
func unknown(evidence string) outcome { return outcome{verdict: genesis.Unknown, evidence: evidence} }
func notApplicable(evidence string) outcome {
	return outcome{verdict: genesis.NotApplicable, evidence: evidence}
}

// rules returns all checks in the order of the report.
func rules() []rule {
	var all []rule
	for _, group := range [][]rule{discoverableRules, accessibleRules, interoperableRules, reusableRules, governedRules, columnRules, learningRules} {
		all = append(all, group...)
	}
	return all
}

// Check returns the report on a dataset version.
func Check(in Input) genesis.Readiness {
	f := newFacts(in)
	report := genesis.Readiness{Format: 1, Proof: in.Proof}
	for _, r := range rules() {
		out := r.check(f)
		c := genesis.Check{ID: r.id, Group: r.group, Verdict: out.verdict, Evidence: out.evidence, Why: r.why}
		switch out.verdict {
		case genesis.Pass:
			report.Passed++
		case genesis.Fail:
			report.Failed++
		}
		if out.verdict == genesis.Fail || out.verdict == genesis.Unknown {
			c.Fix = f.command(r.fix, out.fix)
		}
		report.Checks = append(report.Checks, c)
	}
	return report
}

// command fills in a rule's command, or the one that a check chose instead.
func (f *facts) command(rule, chosen string) string {
	if chosen == "" {
		chosen = rule
	}
	text := strings.NewReplacer("{name}", f.name(), "{files}", f.files(), "{recipe}", f.name()+".recipe.yaml", "{target}", f.target()).Replace(chosen)
	if strings.Contains(text, "genesis prepare ") && !strings.Contains(text, "--recipe") {
		for _, t := range f.targets() { // what is prepared anew keeps them
			text += " --target " + quote(t.Name)
		}
	}
	return text
}

func (f *facts) name() string {
	if f.Name == "" {
		return "NAME"
	}
	return string(f.Name)
}

func (f *facts) target() string {
	if t := f.targets(); len(t) > 0 {
		return t[0].Name
	}
	return "COLUMN"
}

// maxFiles is how many source files a command names.
const maxFiles = 3

// files returns the sources as arguments of a command.
func (f *facts) files() string {
	if len(f.Sources) == 0 || len(f.Sources) > maxFiles {
		return "FILES"
	}
	var out []string
	seen := map[string]bool{}
	for _, s := range f.Sources {
		path, _, _ := strings.Cut(s.Path, "!") // a member of an archive
		if !seen[path] {
			out = append(out, quote(path))
		}
		seen[path] = true
	}
	return strings.Join(out, " ")
}

// quote writes a path so that a shell takes it as one word.
func quote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-/+:@", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

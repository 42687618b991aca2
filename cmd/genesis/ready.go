package main

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/opengenesis/genesis"
)

// groups are the groups of readiness checks, in the order they are shown.
var groups = []string{"discoverable", "accessible", "interoperable", "reusable", "governed", "usable-for-ai"}

// printReadiness prints a line per group and, for each check that failed, why
// and the command that mends it, unless it is for others to mend.
func printReadiness(p *printer, r *genesis.Readiness, steps bool) {
	if !printPassed(p, r) {
		return
	}
	kept := false
	for _, group := range groupsOf(r) {
		p.line("  %s %s", pad(clean(group), 14), verdicts(p, r, group))
		for _, c := range r.Checks {
			if c.Group == group && c.Verdict == genesis.Fail {
				printFailure(p, c, steps)
				kept = kept || c.Evidence == ""
			}
		}
	}
	if kept {
		p.line("  %s", p.style.dim("what was found is for those who may read it"))
	}
}

// printVerdicts prints a line per group and no more.
func printVerdicts(p *printer, r *genesis.Readiness) {
	if !printPassed(p, r) {
		return
	}
	for _, group := range groupsOf(r) {
		p.line("  %s %s", pad(clean(group), 14), verdicts(p, r, group))
	}
}

// printPassed prints how many checks pass, if there are any.
func printPassed(p *printer, r *genesis.Readiness) bool {
	if r == nil || len(r.Checks) == 0 {
		return false
	}
	p.heading(fmt.Sprintf("Readiness: %d of %d checks pass", r.Passed, r.Passed+r.Failed))
	return true
}

// groupsOf returns the groups of a report: the known ones first.
func groupsOf(r *genesis.Readiness) []string {
	seen := map[string]bool{}
	for _, c := range r.Checks {
		seen[c.Group] = true
	}
	var names []string
	for _, g := range groups {
		if seen[g] {
			names = append(names, g)
			delete(seen, g)
		}
	}
	var others []string
	for g := range seen {
		others = append(others, g)
	}
	sort.Strings(others)
	return append(names, others...)
}

// verdicts counts the verdicts of a group: 3 pass, 1 fail.
func verdicts(p *printer, r *genesis.Readiness, group string) string {
	counts := map[genesis.Verdict]int{}
	for _, c := range r.Checks {
		if c.Group == group {
			counts[c.Verdict]++
		}
	}
	text := strconv.Itoa(counts[genesis.Pass]) + " pass"
	if n := counts[genesis.Fail]; n > 0 {
		text += ", " + p.style.paint(codeRed, strconv.Itoa(n)+" fail")
	}
	if n := counts[genesis.Unknown]; n > 0 {
		text += ", " + strconv.Itoa(n) + " unknown"
	}
	return text
}

func printFailure(p *printer, c genesis.Check, steps bool) {
	found := ""
	if c.Evidence != "" {
		found = ": " + clean(c.Evidence)
	}
	p.line("    %s %s%s", p.style.paint(codeRed, "✗"), p.style.bold(clean(c.ID)), found)
	if c.Fix != "" && steps {
		p.line("      %s", p.style.dim(clean(c.Fix)))
	}
}

// printChecks prints every check.
func printChecks(p *printer, r *genesis.Readiness) {
	if !printPassed(p, r) {
		return
	}
	codes := map[genesis.Verdict]string{genesis.Pass: codeGreen, genesis.Fail: codeRed, genesis.Unknown: codeYellow, genesis.NotApplicable: codeDim}
	t := newTable("group", "check", "verdict", "evidence")
	for _, group := range groupsOf(r) {
		for _, c := range r.Checks {
			if c.Group == group {
				t.add(cell{c.Group, codeDim}, cell{c.ID, codeBold}, cell{string(c.Verdict), codes[c.Verdict]}, cell{c.Evidence, ""})
			}
		}
	}
	t.print(p)
}

// pressing leaves out what is only worth knowing.
func pressing(findings []genesis.Finding) []genesis.Finding {
	var out []genesis.Finding
	for _, f := range findings {
		if f.Severity != genesis.Note {
			out = append(out, f)
		}
	}
	return out
}

// printFindings prints findings; those that wait for an answer say so.
func printFindings(p *printer, findings []genesis.Finding) {
	if len(findings) == 0 {
		return
	}
	p.heading("Findings")
	codes := map[genesis.Severity]string{genesis.Warn: codeYellow, genesis.Ask: codeYellow, genesis.Refusal: codeRed, genesis.Note: codeDim}
	for _, f := range findings {
		p.line("  %s %s  %s", p.style.paint(codes[f.Severity], pad(string(f.Severity), 7)), p.style.bold(clean(f.ID)), clean(f.Message)+where(f))
		switch {
		case f.Answer != "":
			p.line("          %s", p.style.dim("answered by "+clean(f.By)+": "+clean(f.Answer)))
		case f.Hint != "":
			p.line("          %s", p.style.dim(clean(f.Hint)))
		}
	}
}

// where says in which rows of which file a finding was made.
func where(f genesis.Finding) string {
	if len(f.Rows) == 0 {
		return ""
	}
	const shown = 5
	var rows []string
	for _, r := range f.Rows[:min(shown, len(f.Rows))] {
		rows = append(rows, strconv.FormatInt(r, 10))
	}
	text := " (row " + strings.Join(rows, ", ")
	if f.Count > int64(len(rows)) || len(f.Rows) > shown {
		text += ", …"
	}
	return text + ")"
}

// countsText writes the rows of each part of a split: train 80, test 20.
func countsText(s genesis.Split) string {
	order := map[string]int{"train": 1, "validation": 2, "test": 3}
	names := make([]string, 0, len(s.Counts))
	for name := range s.Counts {
		names = append(names, name)
	}
	sort.Slice(names, func(i, j int) bool {
		a, b := order[names[i]], order[names[j]]
		return a < b || a == b && names[i] < names[j]
	})
	for i, name := range names {
		names[i] = name + " " + count(s.Counts[name])
	}
	return strings.Join(names, ", ")
}

package readiness

import (
	"fmt"
	"strings"
)

// Document returns docs/readiness.md.
func Document() string {
	var b strings.Builder
	b.WriteString(preface)
	group := ""
	for _, r := range rules() {
		if r.group != group {
			group = r.group
			fmt.Fprintf(&b, "\n## %s\n\n%s\n", heading(group), groupNotes[group])
		}
		fmt.Fprintf(&b, "\n### %s\n%s\n\n- **Passes** when %s.\n- **Why**: %s.\n- **Mended by** %s\n", r.id, r.asks, r.passes, r.why, mended(r.fix))
	}
	return b.String()
}

const preface = `# Readiness checks

` + "`genesis prepare`" + ` ends with a report on how ready the version is, and ` + "`genesis show NAME`" + ` prints it.
Each check has a name, a group, a verdict, its evidence, why it matters for learning,
and the command that mends it. The groups are the capabilities of the Genesis Mission
data card.

| verdict | meaning |
|---|---|
| pass | it is so |
| fail | it is not so |
| unknown | the records do not tell; somebody may |
| not-applicable | the question does not arise for this dataset |

A check looks at the version's records only: manifest, card, profile, findings, splits,
sources, recipe and the proof by a baseline network. The same records give the same
report. This page is written from the checks themselves (package
` + "`internal/ingest/readiness`" + `).
`

var groupNotes = map[string]string{
	discoverable:  "Somebody who needs the data finds it and sees what it is.",
	accessible:    "It can be fetched, read and verified.",
	interoperable: "It can be combined with other data without guessing.",
	reusable:      "Others may use it, know where it came from and can make it again.",
	governed:      "Those who answer for it have said what may be done with it.",
	usable:        "A network can learn from it, and what it scores is true.",
}

func heading(group string) string {
	if group == usable {
		return "Usable for AI"
	}
	return strings.ToUpper(group[:1]) + group[1:]
}

// mended writes a rule's command with placeholders for a reader.
func mended(fix string) string {
	fix = strings.NewReplacer("{name}", "NAME", "{files}", "FILES", "{recipe}", "NAME.recipe.yaml", "{target}", "COLUMN").Replace(fix)
	hint, command, ok := strings.Cut(fix, ": genesis ")
	if !ok {
		return "`" + fix + "`"
	}
	return hint + ": `genesis " + command + "`"
}

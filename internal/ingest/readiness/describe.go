package readiness

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/opengenesis/genesis"
)

// stated judges a field of the card.
func stated(field string, value func(genesis.Card) string) func(*facts) outcome {
	return func(f *facts) outcome {
		if v := strings.TrimSpace(value(f.Card)); v != "" {
			return pass(shorten(v))
		}
		return fail("the card has no " + field)
	}
}

// listed judges a list of the card.
func listed(field string, value func(genesis.Card) []string) func(*facts) outcome {
	return stated(field, func(c genesis.Card) string { return strings.TrimSpace(strings.Join(value(c), ", ")) })
}

// shorten cuts evidence to a line.
func shorten(s string) string {
	const most = 80
	s = strings.Join(strings.Fields(s), " ")
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}

var discoverableRules = []rule{
	{
		id: "title", group: discoverable, asks: "Does the dataset have a title?", passes: "the card has a title",
		why:   "people and agents choose training data from lists of titles; a name alone does not say what was measured",
		fix:   `genesis card set {name} title="…"`,
		check: stated("title", func(c genesis.Card) string { return c.Title }),
	},
	{
		id: "description", group: discoverable, asks: "Is it described?", passes: "the card has a description of at least 40 characters",
		why:   "how values came to be (instrument, site, method, period) decides whether a model trained here applies elsewhere",
		fix:   `genesis card set {name} description="…"`,
		check: described,
	},
	{
		id: "keywords", group: discoverable, asks: "Are there keywords?", passes: "the card has at least one keyword",
		why:   "search finds related datasets to train on together by their keywords",
		fix:   `genesis card set {name} keywords="…,…"`,
		check: listed("keywords", func(c genesis.Card) []string { return c.Keywords }),
	},
	{
		id: "field", group: discoverable, asks: "Is the field of science stated?", passes: "the card names a field",
		why:   "models are transferred within a field; across fields the same column name means other things",
		fix:   `genesis card set {name} field=energy`,
		check: stated("field", func(c genesis.Card) string { return c.Field }),
	},
	{
		id: "creators", group: discoverable, asks: "Who made it?", passes: "the card names at least one creator",
		why:   "the people who measured know which values are artefacts; a model's errors are explained by asking them",
		fix:   `genesis card set {name} creators="…,…"`,
		check: listed("creators", func(c genesis.Card) []string { return c.Creators }),
	},
	{
		id: "contact", group: discoverable, asks: "Whom does one ask?", passes: "the card has a contact",
		why:   "questions about units, gaps and outliers need an address long after the creators moved on",
		fix:   `genesis card set {name} contact="…"`,
		check: stated("contact", func(c genesis.Card) string { return c.Contact }),
	},
}

const leastDescription = 40

func described(f *facts) outcome {
	n := utf8.RuneCountInString(strings.TrimSpace(f.Card.Description))
	switch {
	case n == 0:
		return fail("the card has no description")
	case n < leastDescription:
		return fail(fmt.Sprintf("the description has %d characters; say what was measured, where, when and how", n))
	}
	return pass(shorten(f.Card.Description))
}

var accessibleRules = []rule{
	{
		id: "standard-format", group: accessible, asks: "Can it be read without special software?", passes: "the version has at least one table, which is stored as Parquet",
		why:   "training code reads Parquet in every language; what only one program opens is never trained on",
		fix:   `genesis prepare {files} --name {name}`,
		check: standardFormat,
	},
	{
		id: "verifiable", group: accessible, asks: "Can every value be verified?", passes: "each column has a logical digest of its values",
		why:   "a result can be repeated only when it is certain that the values are the same",
		fix:   `genesis verify {name}`,
		check: verifiable,
	},
	{
		id: "size-known", group: accessible, asks: "Is its size known?", passes: "each table states its rows, and the profile saw as many",
		why:   "memory, time and batches are planned from the number of rows; a table that lost some is a different sample",
		fix:   `genesis prepare {files} --name {name}`,
		check: sizeKnown,
	},
}

func standardFormat(f *facts) outcome {
	if len(f.Manifest.Tables) == 0 {
		return fail("the version has no table")
	}
	return pass(fmt.Sprintf("%d tables, stored as Parquet and exported as Parquet or CSV", len(f.Manifest.Tables)))
}

func verifiable(f *facts) outcome {
	bad := f.where(func(c column) bool { _, err := genesis.ParseDigest(string(c.digest)); return err != nil })
	return f.none(f.columns, bad, "there are no columns", "columns have a digest of their values", "columns have no digest")
}

func sizeKnown(f *facts) outcome {
	if len(f.Manifest.Tables) == 0 {
		return notApplicable("there are no tables")
	}
	if !f.profiled() {
		return unknown("there is no profile to compare with")
	}
	for _, t := range f.Manifest.Tables {
		p := f.profileOf(t.Name)
		if p == nil || p.Rows != t.Rows {
			return fail(fmt.Sprintf("table %q has %d rows, of which the profile does not know", t.Name, t.Rows))
		}
	}
	return pass(fmt.Sprintf("%d rows in %d tables", f.rows, len(f.Manifest.Tables)))
}

var reusableRules = []rule{
	{
		id: "license", group: reusable, asks: "Under which licence may it be used?", passes: "the card names a licence",
		why:   "without a licence nobody may train on the data and publish the model",
		fix:   `genesis card set {name} license=CC-BY-4.0`,
		check: stated("licence", func(c genesis.Card) string { return c.License }),
	},
	{
		id: "citation", group: reusable, asks: "How is it cited?", passes: "the card has a citation",
		why:   "models carry the citations of what they learnt from; those who measured get no credit otherwise",
		fix:   `genesis card set {name} citation="…"`,
		check: stated("citation", func(c genesis.Card) string { return c.Citation }),
	},
	{
		id: "source-stated", group: reusable, asks: "Where does the raw data come from?", passes: "the card says where",
		why:   "sources that share an origin must not stand on both sides of an evaluation",
		fix:   `genesis card set {name} source="https://…"`,
		check: stated("source", func(c genesis.Card) string { return c.Source }),
	},
	{
		id: "source-digests", group: reusable, asks: "Are the raw files known by their content?", passes: "each source file has its SHA-256 in the provenance",
		why:   "only the same bytes give the same training data again",
		fix:   `genesis prepare {files} --name {name}`,
		check: sourceDigests,
	},
	{
		id: "recipe", group: reusable, asks: "Can every decision be replayed?", passes: "the version has a recipe",
		why:   "what was decided about types, units and missing values shapes what a network can learn; decisions that are not written down cannot be questioned",
		fix:   `genesis prepare {files} --name {name}`,
		check: replayable,
	},
	{
		id: "column-descriptions", group: reusable, asks: "Is each column described?", passes: "every feature and target has a description",
		why:   "a name does not say at which height a wind speed was measured; features are combined and compared by what they mean",
		fix:   `add "description:" lines: genesis show {name} --recipe > {recipe}; genesis prepare {files} --name {name} --recipe {recipe}`,
		check: columnDescriptions,
	},
}

func sourceDigests(f *facts) outcome {
	if len(f.Sources) == 0 {
		return unknown("there is no record of the sources")
	}
	var bad []string
	for _, s := range f.Sources {
		if _, err := genesis.ParseDigest(string(s.Digest)); err != nil {
			bad = append(bad, s.Path)
		}
	}
	if len(bad) > 0 {
		return fail(fmt.Sprintf("%d of %d files have no digest: %s", len(bad), len(f.Sources), shorten(strings.Join(bad, ", "))))
	}
	return pass(fmt.Sprintf("%d files, each with its SHA-256", len(f.Sources)))
}

func replayable(f *facts) outcome {
	if strings.TrimSpace(f.Recipe) == "" {
		return fail("there is no recipe")
	}
	return pass(fmt.Sprintf("a recipe of %d lines", strings.Count(strings.TrimSpace(f.Recipe), "\n")+1))
}

func columnDescriptions(f *facts) outcome {
	asked := f.where(learnt)
	var bad []column
	for _, c := range asked {
		if strings.TrimSpace(c.Description) == "" {
			bad = append(bad, c)
		}
	}
	return f.none(asked, bad, "no column takes part in learning", "features and targets are described", "features and targets have no description")
}

var governedRules = []rule{
	{
		id: "sensitivity", group: governed, asks: "How sensitive is it?", passes: "the card states a sensitivity",
		why:   "a model can give its training rows away; where it may be trained and who may use it follows from their sensitivity",
		fix:   `genesis card set {name} sensitivity=Public`,
		check: stated("sensitivity", func(c genesis.Card) string { return c.Sensitivity }),
	},
	{
		id: "export-control", group: governed, asks: "Is it under export control?", passes: `the card says Yes or No; "Pending_Review" and "Unknown" are unknown`,
		why:   "a network trained on controlled data is controlled too",
		fix:   `genesis card set {name} export_control=No`,
		check: exportControl,
	},
	{
		id: "use-conditions", group: governed, asks: "Under which conditions may it be used?", passes: "the card states conditions of use, or that there are none",
		why:   "conditions bind every model made from the data, so they have to be known before training",
		fix:   `genesis card set {name} use="…"`,
		check: stated("conditions of use", func(c genesis.Card) string { return c.Use }),
	},
	{
		id: "person-data", group: governed, asks: "Are there data about people?", passes: "every column that looks like data about people has been answered for by a person",
		why:   "networks memorise rare values, and names and addresses are rare values",
		fix:   `genesis answer {name} FINDING "…"`,
		check: personData,
	},
	{
		id: "questions-answered", group: governed, asks: "Are all other questions answered?", passes: "every finding that asks for a person's answer has one",
		why:   "an open question about the data is an assumption in every model trained on it",
		fix:   `genesis answer {name} FINDING "…"`,
		check: questionsAnswered,
	},
}

func exportControl(f *facts) outcome {
	switch v := strings.TrimSpace(f.Card.ExportControl); strings.ToLower(v) {
	case "":
		return fail("the card does not say")
	case "unknown", "pending_review":
		return unknown("the card says " + v)
	default:
		return pass(v)
	}
}

// isPerson reports whether a finding is about people.
func isPerson(x genesis.Finding) bool {
	return x.Code == "person" || strings.HasPrefix(x.Code, "person-") || strings.HasPrefix(x.ID, "person:")
}

func personData(f *facts) outcome {
	about := func(x genesis.Finding) bool { return isPerson(x) }
	marked := f.where(func(c column) bool { return c.Semantic == genesis.Person })
	if len(marked) > 0 && !anyFinding(f.Findings, about) {
		return unknown("columns hold data about people and no finding asks about them: " + f.names(marked))
	}
	return f.answered(about, "no column looks like data about people")
}

func anyFinding(all []genesis.Finding, is func(genesis.Finding) bool) bool {
	for _, x := range all {
		if is(x) {
			return true
		}
	}
	return false
}

func questionsAnswered(f *facts) outcome {
	return f.answered(func(x genesis.Finding) bool { return x.Severity == genesis.Ask && !isPerson(x) }, "no finding asks for an answer")
}

// answered judges the findings chosen by is.
func (f *facts) answered(is func(genesis.Finding) bool, nothing string) outcome {
	var asked int
	var open []string
	for _, x := range f.Findings {
		if !is(x) {
			continue
		}
		asked++
		if strings.TrimSpace(x.Answer) == "" {
			open = append(open, x.ID)
		}
	}
	switch {
	case asked == 0:
		return notApplicable(nothing)
	case len(open) == 0:
		return pass(fmt.Sprintf("all %d findings are answered", asked))
	}
	out := fail(fmt.Sprintf("%d of %d findings wait for an answer: %s", len(open), asked, shorten(strings.Join(open, ", "))))
	out.fix = `genesis answer {name} ` + quote(open[0]) + ` "…"`
	return out
}

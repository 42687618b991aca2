package readiness

import (
	"fmt"
	"math"
	"strings"

	"github.com/opengenesis/genesis"
)

var learningRules = []rule{
	{
		id: "target-declared", group: usable, asks: "What is to be predicted?", passes: "a column has the role target",
		why:   "without a target there is nothing to learn, and neither balance nor leaks can be judged",
		fix:   `genesis prepare {files} --name {name} --target COLUMN`,
		check: targetDeclared,
	},
	{
		id: "enough-rows", group: usable, asks: "Are there enough rows?", passes: "the target is known in at least 200 rows, and in ten for each feature",
		why:   "a network with more features than it has seen examples of learns the examples by heart",
		fix:   `genesis prepare {files} MORE_FILES --name {name}`,
		check: enoughRows,
	},
	{
		id: "target-missing", group: usable, asks: "Is the target known?", passes: "the target is missing in at most 5 % of the rows",
		why:   "rows without a target do not train, and if they are missing for a reason the rest is a biased sample",
		fix:   `drop them with a filter: ` + editRecipe,
		check: targetMissing,
	},
	{
		id: "target-balance", group: usable, asks: "Is the target balanced?", passes: "its most frequent class has at most 95 % of the rows and its rarest at least 1 %; for a number, mean and median differ by at most 0.3 standard deviations",
		why:   "a network that always answers the common case scores well and is useless for the rare one",
		fix:   `genesis prepare {files} --name {name} --split stratify:{target}`,
		check: targetBalance,
	},
	{
		id: "duplicates", group: usable, asks: "Are rows repeated?", passes: "at most 1 % of the rows repeat an earlier one exactly",
		why:   "repeated rows count double in the loss, and on both sides of a split they are an exam with known answers",
		fix:   `genesis prepare {files} --name {name} --dedup`,
		check: duplicates,
	},
	{
		id: "rejects", group: usable, asks: "Were all cells understood?", passes: "rejected cells and rows are at most 1 % of the rows",
		why:   "what was set aside is seldom a random sample: sensors fail in the weather one wants to predict",
		fix:   `look at them, then mend the recipe: ` + editRecipe,
		check: rejects,
	},
	{
		id: "split-exists", group: usable, asks: "Is there a split?", passes: "the version has a named split",
		why:   "results are comparable only on the same held-out rows",
		fix:   `genesis prepare {files} --name {name} --split random`,
		check: splitExists,
	},
	{
		id: "split-leaks", group: usable, asks: "Do the splits leak?", passes: "every leak check of every split passes: equal rows, groups, time, rows equal in all features, empty parts",
		why:   "knowledge that passes from training to test makes every score too good",
		fix:   `genesis prepare {files} --name {name} --split group:COLUMN`,
		check: splitLeaks,
	},
	{
		id: "baseline", group: usable, asks: "Can a network learn from it?", passes: "a small network beats the trivial predictor by at least 5 % on held-out rows (root mean square error; log loss for classes)",
		why:   "it is the proof: everything above may be in order and the features still say nothing about the target",
		fix:   `genesis prepare {files} --name {name} --target COLUMN`,
		check: baseline,
	},
}

func targetDeclared(f *facts) outcome {
	if t := f.targets(); len(t) > 0 {
		return pass(f.names(t))
	}
	return fail("no column has the role target")
}

const (
	leastRows        = 200
	rowsPerFeature   = 10
	mostMissing      = 5  // per cent of the target
	mostCommon       = 95 // per cent of rows in one class
	leastCommon      = 1
	mostSkew         = .3
	mostDuplicates   = 1 // per cent
	mostRejects      = 1
	leastMargin      = .05
	noTarget         = "no target is declared"
	targetUnprofiled = "there is no profile of the target"
)

func enoughRows(f *facts) outcome {
	targets := f.targets()
	if len(targets) == 0 {
		return notApplicable(noTarget)
	}
	for _, t := range targets {
		if t.profile == nil {
			return unknown(targetUnprofiled)
		}
		features := len(f.where(func(c column) bool { return c.Role == genesis.Feature && c.table == t.table }))
		need := max(leastRows, rowsPerFeature*int64(features))
		if t.profile.Count < need {
			return fail(fmt.Sprintf("%s is known in %d rows; %d features ask for %d", f.called(t), t.profile.Count, features, need))
		}
	}
	return pass(fmt.Sprintf("%s is known in %d rows", f.called(targets[0]), targets[0].profile.Count))
}

func targetMissing(f *facts) outcome {
	targets := f.targets()
	if len(targets) == 0 {
		return notApplicable(noTarget)
	}
	worst := -1.0
	for _, t := range targets {
		if t.profile == nil {
			return unknown(targetUnprofiled)
		}
		worst = math.Max(worst, percent(t.profile.Nulls, t.profile.Nulls+t.profile.Count))
	}
	evidence := fmt.Sprintf("missing in %.3g %% of the rows", worst)
	if worst > mostMissing {
		return fail(evidence)
	}
	return pass(evidence)
}

func targetBalance(f *facts) outcome {
	targets := f.targets()
	if len(targets) == 0 {
		return notApplicable(noTarget)
	}
	var last outcome
	for _, t := range targets {
		if t.profile == nil || t.profile.Count == 0 {
			return unknown(targetUnprofiled)
		}
		if t.Type.Numeric() {
			last = skew(f.called(t), t.profile)
		} else {
			last = balance(f.called(t), t.profile)
		}
		if last.verdict == genesis.Fail {
			return last
		}
	}
	return last
}

// balance judges the classes of a target, of which the profile lists the most
// frequent.
func balance(name string, p *genesis.ColumnProfile) outcome {
	if len(p.Top) == 0 {
		return unknown("the profile lists no classes of " + name)
	}
	most, least := p.Top[0], p.Top[len(p.Top)-1]
	common := percent(most.Count, p.Count)
	rare := percent(least.Count, p.Count)
	evidence := fmt.Sprintf("%s: %d classes, the most frequent %.3g %%, the rarest of those listed %.3g %% of the rows", name, p.Distinct, common, rare)
	if common > mostCommon || rare < leastCommon {
		return fail(evidence)
	}
	return pass(evidence)
}

// skew judges the nonparametric skew |mean − median| / sd (Hotelling and
// Solomons 1932), which lies between 0 and 1.
func skew(name string, p *genesis.ColumnProfile) outcome {
	median, ok := quantile(p, .5)
	if !ok || p.Mean == nil || p.SD == nil {
		return unknown("the profile has no moments of " + name)
	}
	if *p.SD == 0 {
		return fail(name + " is constant")
	}
	s := math.Abs(*p.Mean-median) / *p.SD
	evidence := fmt.Sprintf("%s: mean and median differ by %.2f standard deviations", name, s)
	if s > mostSkew {
		return fail(evidence)
	}
	return pass(evidence)
}

func duplicates(f *facts) outcome {
	if !f.profiled() {
		return unknown("there is no profile")
	}
	var rows, same int64
	for _, t := range f.Profile.Tables {
		rows, same = rows+t.Rows, same+t.Duplicates
	}
	evidence := fmt.Sprintf("%d of %d rows repeat an earlier one", same, rows)
	if percent(same, rows) > mostDuplicates {
		return fail(evidence)
	}
	return pass(evidence)
}

func rejects(f *facts) outcome {
	if f.rows == 0 {
		return notApplicable("there are no rows")
	}
	var n int64
	for _, t := range f.Manifest.Rejects {
		n += t.Rows
	}
	evidence := fmt.Sprintf("%d rejects beside %d rows", n, f.rows)
	if percent(n, f.rows) > mostRejects {
		return fail(evidence)
	}
	return pass(evidence)
}

func splitExists(f *facts) outcome {
	if len(f.Splits) == 0 {
		return outcome{genesis.Fail, "there is no split", f.advisedSplit()}
	}
	var names []string
	for _, s := range f.Splits {
		names = append(names, s.Name)
	}
	return pass(shorten(strings.Join(names, ", ")))
}

// advisedSplit is the command for the split that the columns' roles suggest.
func (f *facts) advisedSplit() string {
	how := "random"
	for _, c := range f.columns {
		if c.Role == genesis.Group {
			how = "group:" + c.Name
			break
		}
		if c.Role == genesis.Time {
			how = "time:" + c.Name
		}
	}
	return `genesis prepare {files} --name {name} --split ` + how
}

func splitLeaks(f *facts) outcome {
	if len(f.Splits) == 0 {
		return notApplicable("there is no split")
	}
	var checks int
	var bad []string
	fix := ""
	for _, s := range f.Splits {
		for _, l := range s.Leaks {
			checks++
			if !l.Passed {
				bad = append(bad, fmt.Sprintf("%s: %s: %s", s.Name, l.Name, l.Detail))
				fix = f.remedy(l.Name, fix)
			}
		}
	}
	switch {
	case checks == 0:
		return unknown("no leak check was run")
	case len(bad) == 0:
		return pass(fmt.Sprintf("%d checks of %d splits pass", checks, len(f.Splits)))
	}
	evidence := bad[0]
	if len(bad) > 1 {
		evidence += fmt.Sprintf(" (and %d more)", len(bad)-1)
	}
	return outcome{genesis.Fail, evidence, fix}
}

// remedy is the command against one kind of leak; the first one found stays.
func (f *facts) remedy(leak, was string) string {
	if was != "" {
		return was
	}
	const prepare = `genesis prepare {files} --name {name} `
	switch leak {
	case "duplicates", "target":
		return prepare + "--dedup --split random"
	case "parts":
		return prepare + "--split random --seed 2"
	}
	for _, c := range f.columns {
		if leak == "group" && c.Role == genesis.Group {
			return prepare + "--split " + quote("group:"+c.Name)
		}
		if leak == "time" && c.Role == genesis.Time {
			return prepare + "--split " + quote("time:"+c.Name)
		}
	}
	return ""
}

func baseline(f *facts) outcome {
	targets := f.targets()
	if len(targets) == 0 {
		return notApplicable(noTarget)
	}
	p := f.Proof
	fix := `genesis prepare {files} --name {name} --target ` + targets[0].Name
	switch {
	case p == nil:
		return outcome{genesis.Unknown, "no baseline network was trained", fix}
	case p.Err != "":
		return outcome{genesis.Unknown, "the baseline network could not be trained: " + shorten(p.Err), fix}
	case math.IsNaN(p.Margin) || p.Rows == 0:
		return outcome{genesis.Unknown, "the baseline network was not compared on any rows", fix}
	}
	evidence := fmt.Sprintf("%s of %s on %d held-out rows: network %.4g, trivial %.4g, better by %.3g %%", p.Metric, p.Target, p.Rows, p.Net, p.Trivial, 100*p.Margin)
	if p.Margin < leastMargin {
		return outcome{genesis.Fail, evidence, `add features that say something about the target: ` + editRecipe}
	}
	return pass(evidence)
}

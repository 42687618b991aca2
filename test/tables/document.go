package main

import (
	"fmt"
	"strings"

	"github.com/opengenesis/genesis"
)

const heading = `# Results

Written by ` + "`make tables`" + ` (test/tables) from stored runs: every line stands for a model in the
catalogue of a home, whose report these figures are. The test rows of a split are
used for nothing but the measurement: the published splits have training and test
rows only, so early stopping, calibration and the threshold of the flag use
training rows held back from the nets.

± is the standard error of the mean over the splits. *Cover*: share of test rows
whose value lies in the 90 % interval (for classes: whose class is in the 90 %
set). *Flagged*: share of test rows flagged as out of distribution, as they are
and with one feature multiplied by ten, for the feature found least; rows where
it is zero do not change and do not count. The seed of a run is its number.
[learning.md](learning.md) says what the net is.
`

// document describes the outcomes in Markdown.
func document(outcomes []outcome) string {
	var b strings.Builder
	b.WriteString(heading)
	for _, o := range outcomes {
		o.summary(&b)
		o.table(&b)
	}
	return b.String()
}

// measure names the headline metric.
func (s set) measure() string {
	if s.unit == "" {
		return "share of wrong classes"
	}
	return "RMSE, " + s.unit
}

func (o outcome) summary(b *strings.Builder) {
	fmt.Fprintf(b, "\n## %s\n\n", o.title)
	if o.splits != "" {
		v := o.datasets[0]
		fmt.Fprintf(b, "Dataset `%s`, %d rows; %d of the published splits.\n\n", v.Ref(), v.Rows, len(o.models))
	} else {
		fmt.Fprintf(b, "%d rows; %d random splits 80:10:10.\n\n", o.datasets[0].Rows, len(o.models))
	}
	fmt.Fprintf(b, "| | test %s |\n|---|---|\n", o.measure())
	fmt.Fprintf(b, "| net | **%s** |\n", within(o.values(score("net")), "%.3f"))
	for _, name := range []string{"forest", "ridge", "trivial"} {
		fmt.Fprintf(b, "| %s | %s |\n", name, within(o.values(score(name)), "%.3f"))
	}
	if o.reference != "" {
		fmt.Fprintf(b, "| published: Gal and Ghahramani, *Dropout as a Bayesian Approximation* (2016), same splits, as their repository gives it | %s |\n", o.reference)
	}
	least := 1.0
	for _, x := range o.values(scaled) {
		least = min(least, x)
	}
	s, _ := mean(o.values(scaled))
	fmt.Fprintf(b, "\nCover %s; flagged %s as they are, %s with a feature times ten (least split %s).\n\n",
		percent(o.values(coverage)), percent(o.values(untouched)), share(s), share(least))
}

func (o outcome) table(b *strings.Builder) {
	b.WriteString("| run | net | forest | ridge | trivial | cover | width | flagged | ×10 | model |")
	if o.splits == "" {
		b.WriteString(" dataset |")
	}
	b.WriteString("\n|" + strings.Repeat("---|", strings.Count("run net forest ridge trivial cover width flagged ten model", " ")+1))
	if o.splits == "" {
		b.WriteString("---|")
	}
	b.WriteString("\n")
	for k, m := range o.models {
		r := m.Report
		fmt.Fprintf(b, "| %d | %.3f | %.3f | %.3f | %.3f | %s | %.3g | %s | %s | `%s` |", k,
			score("net")(r), score("forest")(r), score("ridge")(r), score("trivial")(r),
			share(coverage(r)), width(r), share(untouched(r)), share(scaled(r)), short(m.Version))
		if o.splits == "" {
			fmt.Fprintf(b, " `%s` |", short(o.datasets[k]))
		}
		b.WriteString("\n")
	}
}

// short is the version's digest as people quote it.
func short(v genesis.Version) string { return v.Digest.Hex()[:12] }

func share(x float64) string { return fmt.Sprintf("%.1f %%", 100*x) }

func percent(v []float64) string {
	hundred := make([]float64, len(v))
	for i, x := range v {
		hundred[i] = 100 * x
	}
	return within(hundred, "%.1f") + " %"
}

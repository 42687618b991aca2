package main

import (
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/opengenesis/genesis"
)

// printReport prints how well a model predicts, beside the others.
func printReport(p *printer, r *genesis.ModelReport) {
	p.heading("Model")
	if r.Logged != nil {
		printLogged(p, r.Logged)
		return
	}
	p.field("learned from", r.Dataset.String())
	p.field("split", r.Split)
	p.field("network", r.Network)
	if r.Epochs > 0 { // else the figures are for who may read the rows
		p.field("parameters", count(r.Parameters))
		p.field("training", plural(int64(r.Epochs), "epoch")+", "+seconds(r.Seconds))
	}
	for _, t := range r.Targets {
		printTarget(p, t)
	}
	if r.OOD != (genesis.OODReport{}) {
		p.heading("Rows unlike the training data")
		p.field("untouched", shareText(r.OOD.Untouched, " of held-out rows are flagged", "too few held-out rows"))
		p.field("scaled", shareText(r.OOD.Scaled, " are flagged with one feature multiplied by ten, least over features",
			"too few held-out rows in which that changes a number"))
	}
	if len(r.Notes) > 0 {
		p.heading("Notes")
	}
	for _, note := range r.Notes {
		p.line("  %s", clean(note))
	}
}

// shareText says a share that may not have been measured.
func shareText(share *float64, of, why string) string {
	if share == nil {
		return "not measured (" + why + ")"
	}
	return percent(*share) + of
}

// printLogged prints what was stated of a model that was trained elsewhere.
func printLogged(p *printer, l *genesis.LoggedReport) {
	p.field("trained", strings.TrimSpace("elsewhere, with "+clean(l.Framework)+" "+clean(l.FrameworkVersion)))
	if !l.InputsStated {
		p.field("learned from", "inputs not stated")
	}
	for _, in := range l.Inputs {
		p.field("learned from", strings.Join(slices.DeleteFunc([]string{in.Ref.String(), in.Table, in.Split}, func(s string) bool { return s == "" }), ", "))
	}
	if len(l.Targets) > 0 {
		p.field("predicts", strings.Join(l.Targets, ", "))
	}
	for _, name := range sorted(l.Parameters, nil) {
		p.field("parameter", name+" "+string(l.Parameters[name]))
	}
	if len(l.Metrics) > 0 {
		p.heading("Metrics, stated by who logged it, not measured here")
		t := newTable("metric", ">value", "part", "target")
		for _, m := range l.Metrics {
			t.row(m.Name, score(m.Value), m.Split, m.Target)
		}
		t.print(p)
	}
	p.heading("Parts")
	t := newTable("part", "format", ">size", "")
	for _, part := range l.Parts {
		note := cell{}
		if part.Code {
			note = cell{"code: loading it runs what is in it", codeYellow}
		}
		t.add(cell{part.Name, codeBold}, cell{part.Format, ""}, cell{bytesText(part.Bytes), ""}, note)
	}
	t.print(p)
}

// predictors are shown in this order; others follow by name.
var predictors = map[string]int{"net": 1, "ridge": 2, "forest": 3, "trivial": 4}

func printTarget(p *printer, t genesis.TargetReport) {
	title := clean(t.Column.Name)
	if t.Column.Unit != "" {
		title += " (" + clean(t.Column.Unit) + ")"
	}
	p.heading(title + ": " + t.Task)
	for _, part := range sorted(t.Scores, map[string]int{"test": 1, "validation": 2}) {
		metrics := metricsOf(t.Scores[part])
		heads := []string{part}
		for _, m := range metrics {
			heads = append(heads, ">"+m)
		}
		rows := newTable(heads...)
		for _, who := range sorted(t.Scores[part], predictors) {
			cells := []cell{{who, ""}}
			if who == "net" {
				cells[0].code = codeBold
			}
			for _, m := range metrics {
				text := ""
				if v, ok := t.Scores[part][who][m]; ok {
					text = score(v)
				}
				cells = append(cells, cell{text, ""})
			}
			rows.add(cells...)
		}
		rows.print(p)
	}
	if c := t.Coverage; c != nil {
		p.line("  %s, %s on average", coverageText(t), widthText(t))
	}
}

// coverageText says how many held-out values the intervals, or the sets of
// classes, hold.
func coverageText(t genesis.TargetReport) string {
	kind := "intervals"
	if t.Task != "regression" {
		kind = "sets of classes"
	}
	c := t.Coverage
	return strconv.FormatFloat(100*c.Nominal, 'f', 0, 64) + " % " + kind + " hold " + percent(c.Actual) + " of " + count(c.Rows) + " held-out values"
}

func widthText(t genesis.TargetReport) string {
	if t.Task != "regression" {
		return score(t.Coverage.Width) + " classes"
	}
	return score(t.Coverage.Width) + " wide"
}

// metricsOf returns the metrics that any predictor has, by name.
func metricsOf(scores map[string]map[string]float64) []string {
	all := map[string]bool{}
	for _, s := range scores {
		for m := range s {
			all[m] = true
		}
	}
	return sorted(all, map[string]int{"rmse": 1, "mae": 2, "r2": 3, "accuracy": 1, "auc": 2, "log_loss": 3})
}

// sorted returns the keys of m: those with a rank first, in that order, then
// the others by name.
func sorted[V any](m map[string]V, rank map[string]int) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	of := func(k string) int {
		if r, ok := rank[k]; ok {
			return r
		}
		return 1 << 20
	}
	sort.Slice(keys, func(i, j int) bool {
		a, b := of(keys[i]), of(keys[j])
		return a < b || a == b && keys[i] < keys[j]
	})
	return keys
}

package main

import (
	"fmt"
	"strings"

	"github.com/opengenesis/genesis"
)

type showCmd struct {
	Ref    string `arg:"" help:"The version." placeholder:"REF"`
	Recipe bool   `help:"Print the recipe alone, ready to edit and replay."`
	All    bool   `help:"Show every column, readiness check and finding, not only what needs attention."`
}

func (showCmd) Help() string {
	return `Shows card, schema, profile, readiness, splits, findings and lineage of a dataset;
scores, calibration and lineage of a model.

Examples:

    genesis show turbines
    genesis show nrel/turbines
    genesis show turbines --recipe > turbines.recipe.yaml
    genesis show turbine-power --json`
}

func (cmd *showCmd) Run(a *app) error {
	c, ref, err := a.of(cmd.Ref)
	if err != nil {
		return err
	}
	d, err := c.Describe(a.ctx, ref)
	if err != nil {
		return err
	}
	if cmd.Recipe && !a.json {
		_, err := fmt.Fprint(a.out, d.Recipe)
		return err
	}
	return a.print(d, func(p *printer) { printDescription(p, d, cmd.Ref, cmd.All) })
}

func printDescription(p *printer, d *genesis.Description, ref string, all bool) {
	v := d.Version
	p.line("%s  %s", p.style.bold(string(v.Name)), p.style.dim(string(v.Kind)+" "+shortVersion(v)+", "+string(v.State)+", "+when(v.Created)+" by "+clean(v.Creator)))
	p.field("digest", string(v.Digest))
	if d.End != nil {
		p.field(string(d.End.State), dateText(d.End.At)+": "+d.End.Reason)
	}
	if v.State == genesis.Erased {
		return
	}
	p.field("stored", bytesText(v.Bytes))
	p.heading("Card")
	printCard(p, d.Card, ref)
	for _, t := range d.Manifest.Tables {
		p.heading(tableTitle(t))
		most := fewColumns
		if all {
			most = len(t.Columns)
		}
		printColumns(p, t.Schema(), profileOf(d.Profile, t.Name), most)
	}
	printRejects(p, d.Manifest.Rejects)
	if d.Report != nil {
		printReport(p, d.Report)
	}
	printSplits(p, d.Splits, all)
	if all {
		printChecks(p, d.Readiness)
		printFindings(p, d.Findings)
	} else {
		printReadiness(p, d.Readiness, !isAbroad(ref))
		printFindings(p, pressing(d.Findings))
		if more := len(d.Findings) - len(pressing(d.Findings)); more > 0 {
			p.line("  %s", p.style.dim(plural(int64(more), "note")+" more: genesis show "+v.Name.Arg()+" --all"))
		}
	}
	printLineage(p, d)
}

func tableTitle(t genesis.ManifestTable) string {
	name := clean(t.Name)
	if name == "" {
		name = "table"
	}
	return name + ": " + plural(t.Rows, "row") + ", " + plural(int64(len(t.Columns)), "column")
}

func profileOf(p *genesis.Profile, table string) *genesis.TableProfile {
	if p == nil {
		return nil
	}
	for i := range p.Tables {
		if p.Tables[i].Name == table {
			return &p.Tables[i]
		}
	}
	return nil
}

// fewColumns is how many columns of a schema are shown unless all are asked for.
const fewColumns = 100

// printColumns prints a schema, at most the given number of columns, with what
// the profile knows if there is one.
func printColumns(p *printer, columns []genesis.Column, profile *genesis.TableProfile, most int) {
	more := len(columns) - most
	columns = columns[:min(most, len(columns))]
	t := newTable("column", "type", "unit", "role", "as written", "missing", ">nulls", "range", "")
	for _, c := range columns {
		kind := string(c.Type)
		if c.Semantic != "" {
			kind += " (" + string(c.Semantic) + ")"
		}
		role := cell{string(c.Role), ""}
		switch c.Role {
		case genesis.Feature:
			role.code = codeDim
		case genesis.Target:
			role.code = codeBold
		}
		original := ""
		if c.Original != c.Name {
			original = cut(clean(c.Original), 28)
		}
		nulls, span, bars := profileText(profile, c.Name)
		t.add(cell{c.Name, codeBold}, cell{kind, ""}, cell{c.Unit, ""}, role, cell{original, codeDim},
			cell{strings.Join(c.Missing, " "), ""}, cell{nulls, ""}, cell{span, ""}, cell{bars, ""})
	}
	t.print(p)
	if more > 0 {
		p.line("  %s", p.style.dim("and "+plural(int64(more), "column")+" more: see genesis show --all, or --json"))
	}
}

func profileText(profile *genesis.TableProfile, name string) (nulls, span, bars string) {
	if profile == nil {
		return "", "", ""
	}
	for _, c := range profile.Columns {
		if c.Name != name {
			continue
		}
		if total := c.Count + c.Nulls; c.Nulls > 0 && total > 0 {
			nulls = percent(float64(c.Nulls) / float64(total))
		}
		return nulls, cut(clean(rangeText(c)), 60), histogram(c.Histogram)
	}
	return "", "", ""
}

func printRejects(p *printer, rejects []genesis.ManifestTable) {
	for _, t := range rejects {
		if t.Rows > 0 {
			p.line("  %s", p.style.paint(codeYellow, plural(t.Rows, "bad cell")+" of "+clean(t.Name)+" set aside in the rejects table"))
		}
	}
}

// fewSplits is how many splits are shown unless all are asked for: published
// ones come by the dozen.
const fewSplits = 6

func printSplits(p *printer, splits []genesis.Split, all bool) {
	if len(splits) == 0 {
		return
	}
	p.heading("Splits")
	shown := splits
	if !all && len(splits) > fewSplits {
		shown = splits[:fewSplits]
	}
	t := newTable("name", "table", "kind", "column", "rows", "leaks")
	for _, s := range shown {
		leaks := cell{"none found", codeGreen}
		switch names := leaking(s); {
		case s.Leaks == nil: // whoever may not read is told of none
			leaks = cell{"not shown to you", codeDim}
		case names != "":
			leaks = cell{names, codeRed}
		}
		t.add(cell{s.Name, codeBold}, cell{s.Table, ""}, cell{s.Kind, ""}, cell{s.Column, ""}, cell{countsText(s), ""}, leaks)
	}
	t.print(p)
	if more := len(splits) - len(shown); more > 0 {
		p.line("  %s", p.style.dim("and "+plural(int64(more), "split")+" more, to "+clean(splits[len(splits)-1].Name)))
	}
}

// leaking names the leak checks a split did not pass.
func leaking(s genesis.Split) string {
	var names []string
	for _, l := range s.Leaks {
		if !l.Passed {
			names = append(names, l.Name+": "+l.Detail)
		}
	}
	return strings.Join(names, "; ")
}

func printLineage(p *printer, d *genesis.Description) {
	if d.Provenance != nil {
		prov := d.Provenance
		printSources(p, prov.Sources)
		p.heading("Lineage")
		if of := prov.Copied; of != nil {
			p.field("copied from", copiedText(*of)+" on "+when(of.At)+" by "+string(of.By))
			if !of.Until.IsZero() {
				p.field("leave until", when(of.Until))
			}
		}
		for _, parent := range prov.Parents {
			p.field("made from", parent.String())
		}
		p.field("made by", strings.TrimSpace(prov.By+" with "+prov.Software))
	}
	for _, ref := range d.UsedBy {
		p.field("used by", ref.String())
	}
	if len(d.Versions) > 1 {
		p.heading("Versions")
		t := newTable("version", "state", ">rows", ">size", "made")
		for _, v := range d.Versions {
			t.row(shortVersion(v), string(v.State), rowsText(v.Rows), bytesText(v.Bytes), when(v.Created))
		}
		t.print(p)
	}
}

package main

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/opengenesis/genesis"
)

type publishCmd struct {
	Ref           string              `arg:"" help:"The draft, or a published version that gets new terms." placeholder:"REF"`
	Tier          genesis.Tier        `help:"public, registered, partner, controlled or restricted." placeholder:"TIER"`
	Partners      []string            `help:"Tier partner: sectors and institutions." placeholder:"university,nrel"`
	Open          []string            `help:"A dated opening (repeatable); none withdraws those not due yet." placeholder:"DATE:TIER" sep:"none"`
	Hidden        *bool               `help:"Tier controlled: let only holders of a grant know of it." negatable:""`
	Agreement     string              `help:"A text that whoever asks must accept." placeholder:"FILE" type:"path"`
	AgreementKind string              `help:"DUA, CRADA, MOU, NDA, LICENSE, WFO or OTHER; if missing, from the file's name, else DUA." placeholder:"KIND"`
	Uses          map[string]string   `help:"What it may be used for: train, infer, evaluate = yes, no or conditional." placeholder:"train=yes,infer=conditional" mapsep:","`
	Sensitivity   genesis.Sensitivity `help:"As the Data Card spells it: Public, Unclassified_Uncontrolled, CUI, …" placeholder:"WORD"`
	ExportControl string              `help:"ITAR, EAR, DOE_Nuclear_Export_Control, Other or not_applicable." placeholder:"WORD"`

	Splits   []string `help:"Splits approved for training without reading." placeholder:"SPLIT"`
	Features []string `help:"Features approved for training without reading." placeholder:"COLUMN"`
	Targets  []string `help:"Targets approved for training without reading." placeholder:"COLUMN"`
	MinRows  int      `help:"Least rows that may be trained on without reading (100)." placeholder:"N"`
	Runs     int      `help:"Trainings per person and version without reading; people of another node whom no grant names share them (20)." placeholder:"N"`
}

func (publishCmd) Help() string {
	return `Gives a draft the next number and opens it under terms. What is not said is taken
from the latest published version of the name, the sensitivity also from the card; where neither says
it, Unclassified_Uncontrolled and export control not_applicable are assumed, and the command says
so. docs/policy.md says what each tier permits.

Examples:

    genesis publish turbines --tier public
    genesis publish turbines --tier partner --partners university,nrel --open 2027-01-01:registered --open 2027-07-01:public
    genesis publish reactors --tier controlled --agreement dua.md --uses train=yes,infer=conditional --sensitivity CUI --export-control EAR
    genesis publish turbines@3 --open none
    genesis publish turbines@3 --no-hidden`
}

func (cmd *publishCmd) Run(a *app) error {
	req, err := cmd.request()
	if err != nil {
		return err
	}
	c, err := a.connect()
	if err != nil {
		return err
	}
	made, err := c.Publish(a.ctx, cmd.Ref, req)
	if err != nil {
		return err
	}
	owed, err := c.Conditions(a.ctx, made.Version.Ref().String())
	if err != nil {
		return err
	}
	err = a.print(made, func(p *printer) {
		p.line("published %s", versionText(made.Version))
		printTerms(p, made.Terms)
		cmd.printAssumed(p, *made)
		printConstraints(p, owed.Constraints)
	})
	if err != nil {
		return err
	}
	return a.strangers(c, made.Terms.Partners...)
}

// printAssumed says what the steward did not: what data are taken for is theirs to know.
func (cmd *publishCmd) printAssumed(p *printer, made genesis.PublishedVersion) {
	var assumed, flags []string
	if cmd.Sensitivity == "" {
		assumed, flags = append(assumed, "sensitivity "+string(made.Terms.Sensitivity)), append(flags, "--sensitivity WORD")
	}
	if cmd.ExportControl == "" {
		assumed, flags = append(assumed, "export "+string(made.Terms.ExportControl)), append(flags, "--export-control WORD")
	}
	if len(assumed) > 0 {
		p.line("%s", p.style.dim("assumed, as you did not say: "+strings.Join(assumed, ", ")+"; change with: genesis publish "+genesis.Ref{Name: made.Version.Name, Number: made.Version.Number}.Arg()+" "+strings.Join(flags, " ")))
	}
}

func (cmd *publishCmd) request() (req genesis.PublishRequest, err error) {
	req = genesis.PublishRequest{Tier: cmd.Tier, Partners: cmd.Partners, Hidden: cmd.Hidden,
		Sensitivity:   genesis.Sensitivity(spelt(string(cmd.Sensitivity), genesis.Sensitivities)),
		ExportControl: genesis.ExportControl(spelt(cmd.ExportControl, genesis.ExportControls))}
	if strings.EqualFold(cmd.ExportControl, "no") || strings.EqualFold(cmd.ExportControl, "none") { // as the card puts it
		req.ExportControl = genesis.NoExportControl
	}
	if req.Openings, req.NoOpenings, err = openings(cmd.Open); err != nil {
		return req, err
	}
	if req.Uses, err = uses(cmd.Uses); err != nil {
		return req, err
	}
	if cmd.Splits != nil || cmd.Features != nil || cmd.Targets != nil || cmd.MinRows != 0 || cmd.Runs != 0 {
		req.Training = &genesis.TrainingTerms{Splits: cmd.Splits, Features: cmd.Features, Targets: cmd.Targets, MinRows: cmd.MinRows, Runs: cmd.Runs}
	}
	req.Agreement, err = cmd.agreement()
	return req, err
}

// spelt is a word as its vocabulary spells it, whatever the case; others stay.
func spelt[S ~string](word string, words []S) string {
	for _, w := range words {
		if strings.EqualFold(string(w), word) {
			return string(w)
		}
	}
	return word
}

func (cmd *publishCmd) agreement() (*genesis.AgreementText, error) {
	if cmd.Agreement == "" {
		return nil, nil
	}
	text, err := readText("read agreement", cmd.Agreement)
	if err != nil {
		return nil, err
	}
	kind := genesis.AgreementKind(strings.ToUpper(cmd.AgreementKind))
	if kind == "" {
		kind = agreementKind(cmd.Agreement)
	}
	return &genesis.AgreementText{Kind: kind, Title: filepath.Base(cmd.Agreement), Text: text}, nil
}

// agreementKind guesses the kind from a file's name: nda-2027.md is an NDA.
func agreementKind(path string) genesis.AgreementKind {
	name := strings.ToUpper(filepath.Base(path))
	for _, kind := range genesis.AgreementKinds {
		if strings.HasPrefix(name, string(kind)) {
			return kind
		}
	}
	return "DUA"
}

// openings reads DATE:TIER; "none" alone withdraws what is planned.
func openings(texts []string) (list []genesis.Opening, none bool, err error) {
	if slices.Equal(texts, []string{"none"}) {
		return nil, true, nil
	}
	for _, text := range texts {
		var at day
		colon := strings.LastIndex(text, ":")
		if colon < 0 || at.UnmarshalText([]byte(text[:colon])) != nil {
			return nil, false, &genesis.Error{Op: "read opening", Kind: genesis.Invalid, Subject: text, Msg: "is not DATE:TIER",
				Hint: "write for example --open 2027-01-01:registered, or --open 2027-01-01T12:00:00Z:registered"}
		}
		list = append(list, genesis.Opening{At: at.Time, Tier: genesis.Tier(text[colon+1:])})
	}
	return list, false, nil
}

// uses reads train=yes,infer=conditional.
func uses(given map[string]string) (*genesis.Uses, error) {
	if len(given) == 0 {
		return nil, nil
	}
	u := &genesis.Uses{}
	for what, text := range given {
		use, ok := map[string]genesis.Use{"yes": genesis.UseYes, "no": genesis.UseNo, "conditional": genesis.UseConditional}[strings.ToLower(text)]
		into := map[string]*genesis.Use{"train": &u.Train, "infer": &u.Infer, "evaluate": &u.Evaluate}[what]
		if !ok || into == nil {
			return nil, &genesis.Error{Op: "read uses", Kind: genesis.Invalid, Subject: what + "=" + text, Msg: "is not a use",
				Hint: "write train, infer or evaluate = yes, no or conditional"}
		}
		*into = use
	}
	return u, nil
}

type termsCmd struct {
	Ref       string `arg:"" help:"The version." placeholder:"REF"`
	Agreement bool   `help:"Print the text that whoever asks for access accepts."`
}

func (termsCmd) Help() string {
	return `Shows under which terms a version is open, what it owes to its inputs, and what
you may do with it.

Examples:

    genesis terms turbines
    genesis terms turbines --agreement`
}

func (cmd *termsCmd) Run(a *app) error {
	c, ref, err := a.of(cmd.Ref)
	if err != nil {
		return err
	}
	if cmd.Agreement {
		text, err := c.Agreement(a.ctx, ref)
		if err != nil {
			return err
		}
		return a.print(text, func(p *printer) {
			for line := range strings.Lines(text.Text) {
				p.line("%s", clean(strings.TrimRight(line, "\r\n")))
			}
			p.line("\n%s", p.style.dim("accept it with: genesis request "+word(cmd.Ref)+" --accept "+string(genesis.DigestOf([]byte(text.Text)))+" --purpose …"))
		})
	}
	have, err := c.Conditions(a.ctx, ref)
	if err != nil {
		return err
	}
	return a.print(have, func(p *printer) { printConditions(p, *have) })
}

func printConditions(p *printer, c genesis.Conditions) {
	p.line("%s", versionText(c.Version))
	if c.Terms != nil {
		if c.Tier != c.Terms.Tier {
			p.field("in force", string(c.Tier)+", since an opening was due")
		}
		printTerms(p, *c.Terms)
	} else {
		p.field("terms", "none: it was never published")
	}
	p.field("made for", strings.Join(c.Projects, ", "))
	p.field("you may", joinActions(c.You))
	for _, g := range c.Unmet {
		p.field("you could", joinActions(g.Actions)+" "+untilText(g.Until)+ifText(g.Condition))
		p.field("say", forText(g.Condition))
	}
	printConstraints(p, c.Constraints)
}

// printConstraints prints what a version owes to its inputs: these decide beside its
// own terms.
func printConstraints(p *printer, constraints []genesis.Constraint) {
	if len(constraints) == 0 {
		return
	}
	p.heading("constraints of its inputs")
	t := newTable("input", "tier", "lowered to", "by", "reason")
	for _, k := range constraints {
		row := []string{shortRef(k.Source), string(k.Terms.Tier), "", "", ""}
		if l := k.Lowered; l != nil {
			row = []string{row[0], row[1], string(l.Tier), string(l.By), l.Reason}
		}
		t.row(row...)
	}
	t.print(p)
}

func printTerms(p *printer, t genesis.Terms) {
	p.field("tier", string(t.Tier))
	if t.Tier == genesis.TierPartner || slices.ContainsFunc(t.Openings, func(o genesis.Opening) bool { return o.Tier == genesis.TierPartner }) {
		p.field("partners", strings.Join(t.Partners, ", "))
	}
	for _, o := range t.Openings {
		p.field("opens", momentText(o.At)+" to "+string(o.Tier))
	}
	if t.Hidden {
		p.field("hidden", "only holders of a grant know of it")
	}
	if t.Agreement != nil {
		p.field("agreement", string(t.Agreement.Kind)+" "+t.Agreement.Title)
	}
	p.field("uses", usesText(t.Uses))
	p.field("sensitivity", string(t.Sensitivity))
	p.field("export", string(t.ExportControl))
	printTraining(p, t.Training)
	p.field("steward", string(t.By))
}

// printTraining prints what people may train on without reading it, where the steward
// says more than the default.
func printTraining(p *printer, t genesis.TrainingTerms) {
	for _, x := range []struct {
		name  string
		names []string
	}{{"splits", t.Splits}, {"features", t.Features}, {"targets", t.Targets}} {
		if len(x.names) > 0 {
			p.field(x.name, strings.Join(x.names, ", ")+" (for training without reading)")
		}
	}
	if t.MinRows > 0 {
		p.field("least rows", count(int64(t.MinRows)))
	}
	if t.Runs > 0 {
		p.field("trainings", count(int64(t.Runs))+" per person and version")
	}
}

func usesText(u genesis.Uses) string {
	var parts []string
	for _, x := range []struct {
		name string
		use  genesis.Use
	}{{"train", u.Train}, {"infer", u.Infer}, {"evaluate", u.Evaluate}} {
		if x.use != "" {
			parts = append(parts, x.name+" "+strings.ToLower(string(x.use)))
		}
	}
	return strings.Join(parts, ", ")
}

func joinActions(actions []genesis.Action) string {
	texts := make([]string, len(actions))
	for i, a := range actions {
		texts[i] = string(a)
	}
	return strings.Join(texts, ", ")
}

// shortRef is a reference with its digest cut, for people.
func shortRef(r genesis.Ref) string {
	if r.Digest == "" {
		return r.String()
	}
	return genesis.Ref{Node: r.Node, Name: r.Name}.String() + " " + r.Digest.Short()
}

type withdrawCmd struct {
	Ref    string `arg:"" help:"The published version, with its number." placeholder:"REF"`
	Reason string `help:"Why, for those who knew of it." required:"" placeholder:"TEXT"`
}

func (withdrawCmd) Help() string {
	return `A withdrawn version is gone for everybody but its stewards; that it was there stays known.

Examples:

    genesis withdraw turbines@3 --reason "a sensor was calibrated wrongly"`
}

func (cmd *withdrawCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	v, err := c.Withdraw(a.ctx, cmd.Ref, cmd.Reason)
	if err != nil {
		return err
	}
	return a.print(v, func(p *printer) { p.line("withdrew %s", versionText(*v)) })
}

type eraseCmd struct {
	Ref    string `arg:"" help:"The version." placeholder:"REF"`
	Reason string `help:"Why." required:"" placeholder:"TEXT"`
}

func (eraseCmd) Help() string {
	return `Removes everything said about a version; a tombstone stays. Its bytes go with the next
genesis gc, or at once with genesis purge.

Examples:

    genesis erase turbines@3 --reason "the owner asked for it"`
}

func (cmd *eraseCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	v, err := c.Erase(a.ctx, cmd.Ref, cmd.Reason)
	if err != nil {
		return err
	}
	return a.print(v, func(p *printer) { p.line("erased %s", versionText(*v)) })
}

type lowerCmd struct {
	Ref    string       `arg:"" help:"The derived version." placeholder:"REF"`
	Source string       `help:"The input whose constraint is lowered." required:"" placeholder:"REF"`
	Tier   genesis.Tier `help:"How widely the derived version may be open, for this input's sake." required:"" placeholder:"TIER"`
	Reason string       `help:"Why." required:"" placeholder:"TEXT"`
}

func (lowerCmd) Help() string {
	return `What is made from a dataset carries its constraints. The steward whose constraint it
is may consent to less for one derived version; with several inputs each steward does.

Examples:

    genesis lower turbine-power --source turbines --tier public --reason "weights reviewed: no rows can be told from them"`
}

func (cmd *lowerCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	k, err := c.Lower(a.ctx, cmd.Ref, genesis.LowerRequest{Source: cmd.Source, Tier: cmd.Tier, Reason: cmd.Reason})
	if err != nil {
		return err
	}
	return a.print(k, func(p *printer) {
		p.line("lowered the constraint of %s on %s to %s", clean(shortRef(k.Source)), clean(cmd.Ref), cmd.Tier)
	})
}

package main

import (
	"fmt"
	"strings"

	"github.com/opengenesis/genesis"
)

type cardCmd struct {
	Set  cardSetCmd  `cmd:"" help:"Change fields of a version's card."`
	Show cardShowCmd `cmd:"" help:"Show a version's card."`
}

type cardSetCmd struct {
	Ref    string   `arg:"" help:"The version." placeholder:"REF"`
	Fields []string `arg:"" help:"FIELD=VALUE; lists with commas; an empty value clears the field." placeholder:"FIELD=VALUE"`
}

func (cardSetCmd) Help() string {
	return `Fields: title, description, creators, institution, contact, license (an SPDX
identifier), citation, source, keywords, field, challenge (a slug), temporal (when what
it is about happened: 2018-01-01/2018-12-31, 2018/..), spatial (where, in degrees:
west,south,east,north), sensitivity (Public, CUI, … as the Data Card has it),
export_control (Yes, No, Pending_Review, Unknown), use.
The card can change without changing the version.

Examples:

    genesis card set turbines title="Wind turbines, Yalova" license=CC-BY-4.0
    genesis card set turbines keywords=wind,scada contact=
    genesis card set turbines temporal=2018 spatial=29.2,40.6,29.3,40.7`
}

func (cmd *cardSetCmd) Run(a *app) error {
	fields := map[string]string{}
	for _, f := range cmd.Fields {
		name, value, ok := strings.Cut(f, "=")
		if !ok || name == "" {
			return &genesis.Error{Op: "set card", Kind: genesis.Invalid, Subject: f, Msg: "is not FIELD=VALUE",
				Hint: `write for example license=CC-BY-4.0 or title="Wind turbines"`}
		}
		fields[strings.ReplaceAll(name, "-", "_")] = value
	}
	c, err := a.connect()
	if err != nil {
		return err
	}
	card, err := c.SetCard(a.ctx, cmd.Ref, fields)
	if err != nil {
		return err
	}
	return a.print(card, func(p *printer) { printCard(p, *card, cmd.Ref) })
}

type cardShowCmd struct {
	Ref string `arg:"" help:"The version." placeholder:"REF"`
}

func (cardShowCmd) Help() string {
	return `Examples:

    genesis card show turbines
    genesis card show turbines@3 --json`
}

func (cmd *cardShowCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	d, err := c.Describe(a.ctx, cmd.Ref)
	if err != nil {
		return err
	}
	return a.print(d.Card, func(p *printer) { printCard(p, d.Card, cmd.Ref) })
}

// text is what v says, nothing where there is none.
func text[T fmt.Stringer](v *T) string {
	if v == nil {
		return ""
	}
	return (*v).String()
}

func printCard(p *printer, c genesis.Card, ref string) {
	empty := true
	for _, f := range []struct{ name, value string }{
		{"title", c.Title}, {"description", c.Description}, {"creators", strings.Join(c.Creators, ", ")},
		{"institution", c.Institution}, {"contact", c.Contact}, {"license", c.License}, {"citation", c.Citation},
		{"source", c.Source}, {"keywords", strings.Join(c.Keywords, ", ")}, {"field", c.Field},
		{"challenge", c.Challenge}, {"temporal", text(c.Temporal)}, {"spatial", text(c.Spatial)},
		{"sensitivity", c.Sensitivity}, {"export_control", c.ExportControl}, {"use", c.Use},
	} {
		p.field(f.name, f.value)
		empty = empty && f.value == ""
	}
	switch {
	case empty && isAbroad(ref):
		p.line("  %s", p.style.dim("nothing is on the card yet"))
	case empty:
		p.line("  %s", p.style.dim("nothing is on the card yet: genesis card set "+word(ref)+" title=… license=…"))
	}
}

// isAbroad reports whether a reference names another node: what it leads to is for others
// to mend.
func isAbroad(ref string) bool {
	r, err := genesis.ParseRef(ref)
	return err == nil && r.Node != ""
}

package main

import (
	"strconv"

	"github.com/opengenesis/genesis"
)

type pullCmd struct {
	Ref string `arg:"" help:"The version at the other node: nrel/turbines@3." placeholder:"NODE/REF"`

	Name   string `help:"Name of the copy; if missing, that of the version, for who is no steward below their own name." placeholder:"NAME"`
	Detach bool   `help:"Queue the copying and return; genesis runs says how it goes."`
}

func (pullCmd) Help() string {
	return `Copies a version of another node, as you may read it there. Each block is checked as it
comes; a pull that was stopped goes on where it was when the command is given again. The
copy has the same digest and owes what the version owes: it is yours alone unless the
version is open to all.

Examples:

    genesis pull nrel/turbines@3
    genesis pull nrel/turbines --name nrel-turbines
    genesis pull nrel/turbine-power --detach`
}

func (cmd *pullCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	req := genesis.PullRequest{Ref: cmd.Ref, Name: genesis.Name(cmd.Name)}
	if cmd.Detach {
		return a.detach(genesis.RunPull, req)
	}
	m, stop := a.progress()
	got, err := c.Pull(a.ctx, req, m.event)
	stop()
	if err != nil {
		return err
	}
	return a.print(got, func(p *printer) { printPulled(p, got) })
}

// copiedText names the version that a copy is of.
func copiedText(c genesis.Copied) string {
	if c.Number > 0 {
		return genesis.Ref{Node: c.From.Node, Name: c.From.Name}.String() + "@" + strconv.Itoa(c.Number)
	}
	return shortRef(c.From)
}

func printPulled(p *printer, got *genesis.Pulled) {
	switch name := p.style.bold(versionText(got.Version)); {
	case got.Unchanged && got.Moved == 0:
		p.line("%s is here already, as %s", clean(copiedText(got.Copied)), name)
	default:
		p.line("Copied %s as %s", clean(copiedText(got.Copied)), name)
	}
	p.field("moved", bytesText(got.Moved))
	p.heading("Owes")
	if len(got.Owes) == 0 {
		p.line("  nothing: it was made here")
	}
	for _, o := range got.Owes {
		p.line("  to %s: %s", clean(string(got.Copied.From.Node)+"/"+o.Name), owedText(o))
		for _, l := range o.Leaves {
			p.line("    %s", leaveText(l))
		}
	}
	p.line("\nNext: genesis show %s", got.Version.Name.Arg())
}

// owedText says for whom a copy is.
func owedText(o genesis.Owed) string {
	text := map[genesis.Tier]string{genesis.TierPublic: "public: open to anyone", genesis.TierRegistered: "registered: open to everybody whom a member vouches for"}[o.Terms.Tier]
	if text == "" {
		text = string(o.Terms.Tier) + ": for you alone"
	}
	if o.Terms.Sensitivity.Controlled() {
		text += "; " + string(o.Terms.Sensitivity)
	}
	if o.Terms.ExportControl.Applies() {
		text += "; export control: " + string(o.Terms.ExportControl)
	}
	return text
}

func leaveText(l genesis.Leave) string {
	text := "you may " + joinActions(l.Actions)
	if !l.Until.IsZero() {
		text += " until " + when(l.Until)
	}
	if l.Purpose != "" {
		text += " for " + clean(l.Purpose)
	}
	if l.Condition != "" {
		text += " where " + clean(l.Condition)
	}
	return text
}

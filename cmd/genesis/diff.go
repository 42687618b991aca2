package main

import (
	"cmp"
	"strings"

	"github.com/opengenesis/genesis"
)

type diffCmd struct {
	From string `arg:"" help:"The older version." placeholder:"FROM"`
	To   string `arg:"" help:"The newer version." placeholder:"TO"`
}

func (diffCmd) Help() string {
	return `Rows are matched by the declared id column, else by their whole content.

Examples:

    genesis diff turbines@1 turbines@2
    genesis diff turbines@1 turbines --json`
}

func (cmd *diffCmd) Run(a *app) error {
	c, from, err := a.of(cmd.From)
	if err != nil {
		return err
	}
	_, to, err := a.of(cmd.To)
	if err == nil {
		err = cmd.together(a)
	}
	if err != nil {
		return err
	}
	m, stop := a.progress()
	d, err := c.Diff(a.ctx, from, to, m.event)
	stop()
	if err != nil {
		return err
	}
	return a.print(d, func(p *printer) { printDiff(p, d) })
}

// together refuses to compare versions of two nodes: the rows of neither leave it for that.
func (cmd *diffCmd) together(a *app) error {
	from, err := genesis.ParseRef(cmd.From)
	if err != nil {
		return err
	}
	to, err := genesis.ParseRef(cmd.To)
	if err != nil || from.Node == to.Node {
		return err
	}
	info, err := a.client.Node(a.ctx)
	if err != nil {
		return err
	}
	if cmp.Or(from.Node, info.Node) == cmp.Or(to.Node, info.Node) {
		return nil
	}
	return &genesis.Error{Op: "compare", Kind: genesis.Unsupported, Subject: cmd.To, Msg: "is at another node than " + cmd.From, Hint: "export both, and compare the files"}
}

func printDiff(p *printer, d *genesis.Diff) {
	p.line("From %s to %s", p.style.bold(versionText(d.From)), p.style.bold(versionText(d.To)))
	if d.From.Digest == d.To.Digest {
		p.line("  the same version")
	}
	for _, t := range d.Tables {
		name := t.Name
		if name == "" {
			name = "table"
		}
		p.heading(clean(name))
		p.line("  %s, %s, %d changed, %s unchanged (matched by %s)",
			p.style.paint(codeGreen, "+"+count(t.Added)+" rows"), p.style.paint(codeRed, "−"+count(t.Removed)+" rows"),
			t.Changed, count(t.Unchanged), clean(t.By))
		printColumnDiffs(p, t.Columns)
	}
}

func printColumnDiffs(p *printer, columns []genesis.ColumnDiff) {
	if len(columns) == 0 {
		return
	}
	codes := map[string]string{"added": codeGreen, "removed": codeRed}
	t := newTable("column", "change", ">shift", "details")
	for _, c := range columns {
		shift := ""
		if c.Shift > 0 {
			shift = number(c.Shift)
		}
		t.add(cell{c.Name, ""}, cell{c.Change, codes[c.Change]}, cell{shift, ""}, cell{strings.Join(c.Details, "; "), ""})
	}
	t.print(p)
}

package main

import (
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
	c, err := a.connect()
	if err != nil {
		return err
	}
	m, stop := a.progress()
	d, err := c.Diff(a.ctx, cmd.From, cmd.To, m.event)
	stop()
	if err != nil {
		return err
	}
	return a.print(d, func(p *printer) { printDiff(p, d) })
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

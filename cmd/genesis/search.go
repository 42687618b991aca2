package main

import (
	"strings"

	"github.com/opengenesis/genesis"
)

type searchCmd struct {
	Words []string `arg:"" help:"What to find." placeholder:"WORDS"`
	Limit int      `help:"At most so many." default:"20" placeholder:"N"`
}

func (searchCmd) Help() string {
	return `Looks into names, titles, descriptions, columns and units.

Examples:

    genesis search wind speed
    genesis search kW --json`
}

func (cmd *searchCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	found, err := c.Search(a.ctx, strings.Join(cmd.Words, " "), cmd.Limit)
	if err != nil {
		return err
	}
	return a.print(found, func(p *printer) { printHits(p, found.Hits) })
}

func printHits(p *printer, hits []genesis.Hit) {
	if len(hits) == 0 {
		p.line("Nothing matches.")
		return
	}
	t := newTable("name", "kind", "title", "where")
	for _, h := range hits {
		t.row(string(h.Asset.Name), string(h.Asset.Kind), h.Asset.Title, h.Snippet)
	}
	t.print(p)
}

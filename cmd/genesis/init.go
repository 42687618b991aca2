package main

import "github.com/opengenesis/genesis"

type initCmd struct{}

func (initCmd) Help() string {
	return `A home holds everything a node keeps: datasets, models, the catalogue, keys and
the configuration. Other commands make a missing home at first use, so this one
is for looking, and for making one in a chosen place.

Examples:

    genesis init
    genesis init --home /data/genesis`
}

func (initCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	info, err := c.Node(a.ctx)
	if err != nil {
		return err
	}
	return a.print(info, func(p *printer) { printNode(p, info) })
}

func printNode(p *printer, info *genesis.NodeInfo) {
	p.line("%s is ready.", p.style.bold(clean(info.Home)))
	p.field("node", string(info.Node))
	p.field("software", info.Software.String())
	p.field("configuration", info.Home+"/config.yaml")
	p.line("\nNext: genesis prepare FILE… --name NAME")
}

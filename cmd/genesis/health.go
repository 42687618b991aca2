package main

import (
	"errors"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/client"
)

type healthCmd struct{}

func (healthCmd) Help() string {
	return `Asks the node that serves the home whether it takes requests, and prints what it
checked. Ends with status 7 when it does not, or when nobody serves the home: it
never serves it itself. For containers and monitors.

Examples:

    genesis health
    genesis health --json`
}

func (healthCmd) Run(a *app) error {
	c, err := a.reach()
	if err != nil {
		return err
	}
	h, err := c.Health(a.ctx)
	if err != nil {
		return err
	}
	if err := a.print(h, func(p *printer) { printHealth(p, h) }); err != nil || h.Ready {
		return err
	}
	return &genesis.Error{Op: "health", Kind: genesis.Unavailable, Msg: "the node does not take requests now", Hint: "the checks above say why"}
}

// reach returns a client of the node that serves the home, and does not serve it
// when nobody does.
func (a *app) reach() (*client.Client, error) {
	if a.at != "" {
		return a.connect()
	}
	home, err := a.open()
	if err != nil {
		return nil, err
	}
	a.client, err = dial(a.ctx, home)
	if errors.Is(err, client.ErrNoNode) {
		err = &genesis.Error{Op: "health", Kind: genesis.Unavailable, Subject: home.Path, Msg: "is not served by anybody now", Hint: "genesis --home " + shellText(home.Path) + " serve"}
	}
	return a.client, err
}

func printHealth(p *printer, h *client.Health) {
	for _, c := range h.Checks {
		state := p.style.paint(codeGreen, "ok")
		if !c.OK {
			state = p.style.paint(codeRed, "not ok") + " " + clean(c.Error)
		}
		p.field(clean(c.Name), state)
	}
}

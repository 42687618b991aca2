package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/client"
)

type grantCmd struct {
	Ref       string           `arg:"" help:"The asset, or one version of it." placeholder:"REF"`
	To        string           `help:"ada, nrel/ada, a sector, institution:nrel or project:wind." required:"" placeholder:"WHOM"`
	Actions   []genesis.Action `help:"read, train, infer, evaluate, discover." required:"" placeholder:"read,train"`
	Until     day              `help:"When it ends: a date, or 90d." placeholder:"DATE"`
	Condition string           `help:"CEL over principal, purpose and now." placeholder:"CEL"`
	Licence   string           `help:"The export licence that covers this." placeholder:"TEXT"`
	Purpose   string           `help:"What for." placeholder:"TEXT"`
}

func (grantCmd) Help() string {
	return `Lets somebody do something, without their having asked. It is the only way into tier
restricted. Training, inferring and evaluating are independent of reading.

Examples:

    genesis grant turbines --to nrel/ada --actions train,evaluate --until 2027-06-30
    genesis grant turbines --to project:wind --actions read --until 90d
    genesis grant turbines --to university --actions infer --condition 'principal.assurance == "mfa"'`
}

func (cmd *grantCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	g, err := c.Grant(a.ctx, genesis.GrantRequest{Ref: cmd.Ref, To: grantee(cmd.To), Actions: cmd.Actions, Until: cmd.Until.Time,
		Condition: cmd.Condition, Licence: cmd.Licence, Purpose: cmd.Purpose})
	if err != nil {
		return err
	}
	err = a.print(g, func(p *printer) {
		p.line("granted %s on %s to %s %s", joinActions(g.Actions), g.Name, clean(string(g.To)), untilText(g.Until))
		p.line("%s", p.style.dim("take it back with: genesis revoke "+g.ID))
	})
	if err != nil {
		return err
	}
	switch kind, id := g.To.Split(); kind {
	case genesis.ToInstitution:
		return a.strangers(c, id)
	case genesis.ToPerson:
		node, _ := genesis.PersonID(id).Split("")
		return a.strangers(c, string(node))
	}
	return nil
}

// untilText says when a grant ends.
func untilText(t time.Time) string {
	if t.IsZero() {
		return "until it is revoked"
	}
	return "until " + dateText(t)
}

// strangers notes which institutions are not members of the federation: what is meant
// for a mistyped name reaches nobody, and does not say so. Sectors are none.
func (a *app) strangers(c *client.Client, ids ...string) error {
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == "" || slices.Contains(genesis.Sectors, genesis.Sector(id)) })
	if len(ids) == 0 || a.json {
		return nil
	}
	list, err := c.Members(a.ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if !slices.ContainsFunc(list.Members, func(m genesis.Member) bool { return string(m.ID) == id }) {
			fmt.Fprintf(a.err, "genesis: note: %s is not a member of the federation: this reaches nobody until it is (genesis members lists them)\n", clean(id))
		}
	}
	return nil
}

// grantee reads --to: a kind is told by its prefix, a sector by its name, and
// everybody else is a person.
func grantee(text string) genesis.Grantee {
	if g := genesis.Grantee(text); genesis.CheckGrantee(g) == nil {
		return g
	}
	if slices.Contains(genesis.Sectors, genesis.Sector(text)) {
		return genesis.Grantee(string(genesis.ToSector) + ":" + text)
	}
	return genesis.Grantee(string(genesis.ToPerson) + ":" + text)
}

type grantsCmd struct {
	Name     string `arg:"" optional:"" help:"Of this asset alone." placeholder:"NAME"`
	To       string `help:"To this grantee alone." placeholder:"WHOM"`
	Mine     bool   `help:"Only those that let you do something."`
	Ended    bool   `help:"Revoked and expired ones, too."`
	Expiring int    `help:"Only those that end within so many days." placeholder:"DAYS"`
}

func (grantsCmd) Help() string {
	return `Examples:

    genesis grants turbines
    genesis grants --mine
    genesis grants --expiring 14`
}

func (cmd *grantsCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	q := genesis.GrantQuery{Name: genesis.Name(cmd.Name), Mine: cmd.Mine, Ended: cmd.Ended, Expiring: cmd.Expiring, Limit: 1000}
	if cmd.To != "" {
		q.To = grantee(cmd.To)
	}
	page, err := c.Grants(a.ctx, q)
	if err != nil {
		return err
	}
	return a.print(page, func(p *printer) {
		if len(page.Grants) == 0 {
			p.line("No grants. A steward makes one: genesis grant NAME --to WHOM --actions read")
			return
		}
		t := newTable("id", "asset", "to", "actions", "until", "condition", "revoked", "by")
		for _, g := range page.Grants {
			revoked := ""
			if g.Revoked != nil {
				revoked = strings.TrimSuffix(when(*g.Revoked)+": "+g.Reason, ": ")
			}
			t.row(g.ID, assetText(g.Node, g.Name), string(g.To), joinActions(g.Actions), dateText(g.Until), g.Condition, revoked, madeBy(g))
		}
		t.print(p)
	})
}

// madeBy is who made a grant: nobody made what comes with a copy, and nobody here revokes it.
func madeBy(g genesis.Grant) string {
	if g.Copy {
		return "comes with the copy"
	}
	return string(g.By)
}

type revokeCmd struct {
	IDs    []string `arg:"" help:"The grants." placeholder:"ID" name:"id"`
	Reason string   `help:"Why, for those to whom it was granted." placeholder:"TEXT"`
}

func (revokeCmd) Help() string {
	return `Ends open downloads, running work and streams that need the grant within a second.
Copies that were delivered are beyond recall.

Examples:

    genesis revoke g4k2m9p0x7 --reason "the project ended"`
}

func (cmd *revokeCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	for _, id := range cmd.IDs {
		g, err := c.Revoke(a.ctx, id, cmd.Reason)
		if err != nil {
			return err
		}
		err = a.print(g, func(p *printer) {
			p.line("revoked %s: %s on %s to %s", when(*g.Revoked), joinActions(g.Actions), g.Name, clean(string(g.To)))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

package main

import (
	"fmt"
	"strings"

	"github.com/opengenesis/genesis"
)

type federationCmd struct {
	Create  federationCreateCmd  `cmd:"" help:"Make a federation of this node."`
	Invite  federationInviteCmd  `cmd:"" help:"Invite an institution."`
	Join    federationJoinCmd    `cmd:"" help:"Join with an invitation."`
	Leave   federationLeaveCmd   `cmd:"" help:"Leave the federation."`
	Show    federationShowCmd    `cmd:"" help:"Say in which federation this node is, and how it stands there."`
	Members federationMembersCmd `cmd:"" help:"List the members, with their keys."`
	Remove  federationRemoveCmd  `cmd:"" help:"Take a member out."`
	Holders federationHoldersCmd `cmd:"" help:"Say who holds the charter, and renew it."`
	Rotate  federationRotateCmd  `cmd:"" help:"Replace the keys of this node."`
	Sign    federationSignCmd    `cmd:"" help:"List changes that wait for signatures, and sign one."`
}

type federationCreateCmd struct {
	Name string `arg:"" help:"What it is called: a-z, 0-9 and -." placeholder:"NAME"`
}

func (federationCreateCmd) Help() string {
	return `This node is its first member, and holds its charter: what it signs is so. Make others
holders, too, once they have joined.

Examples:

    genesis federation create energy`
}

func (cmd *federationCreateCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	x, err := c.CreateFederation(a.ctx, genesis.FederationRequest{Name: cmd.Name})
	if err != nil {
		return err
	}
	return a.print(x, func(p *printer) { printFederation(p, x) })
}

type federationInviteCmd struct {
	Institution string         `arg:"" help:"Who is invited, in words." placeholder:"INSTITUTION"`
	Sector      genesis.Sector `help:"What kind of institution that is." required:"" placeholder:"SECTOR"`
	Node        genesis.NodeID `help:"The id its node has to have; if missing, it says." placeholder:"ID"`
}

func (federationInviteCmd) Help() string {
	return `Prints one line. Who has it may join, once, within seven days: send it over a channel
that you trust. Institution and sector are what this node vouches for.

Examples:

    genesis federation invite "Example University" --sector university
    genesis federation invite "Oak Ridge" --sector laboratory --node ornl`
}

func (cmd *federationInviteCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	made, err := c.Invite(a.ctx, genesis.InviteRequest{Institution: cmd.Institution, Sector: cmd.Sector, Node: cmd.Node})
	if err != nil {
		return err
	}
	if err := a.print(made, func(p *printer) { p.line("%s", clean(made.Invitation)) }); err != nil || a.json {
		return err
	}
	return a.aside(func(p *printer) {
		p.line("%s", p.style.dim("good once, until "+made.Expires.Local().Format("2006-01-02 15:04")+"; there: genesis federation join"))
	})
}

type federationJoinCmd struct {
	Invitation string         `arg:"" optional:"" help:"The line that you were sent; left out, it is read from the terminal." placeholder:"INVITATION"`
	As         genesis.NodeID `help:"The id under which this node joins, to be sure." placeholder:"ID"`
}

func (federationJoinCmd) Help() string {
	return `The node has to be served where the others reach it, under the id and URL of its
config.yaml. Where several holders have to agree, it waits; the same command asks again.

Examples:

    genesis federation join genesis-invitation.eyJmb3JtYXQi
    genesis federation join --as ornl`
}

func (cmd *federationJoinCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	text := cmd.Invitation
	if text == "" {
		if text, err = a.askSecret("invitation"); err != nil {
			return err
		}
	}
	x, err := c.JoinFederation(a.ctx, genesis.MembershipRequest{Invitation: text, As: cmd.As})
	if err != nil {
		return err
	}
	return a.print(x, func(p *printer) { printFederation(p, x) })
}

type federationLeaveCmd struct {
	Yes bool `help:"Confirm: what this node signs counts nowhere from then on." required:""`
}

func (federationLeaveCmd) Help() string {
	return `A holder takes the entry of this node out of the charter; from then on no key of it
counts elsewhere. What this node keeps stays as it is.

Examples:

    genesis federation leave --yes`
}

func (cmd *federationLeaveCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	done, err := c.LeaveFederation(a.ctx)
	return a.printChange(done, err, "left")
}

type federationShowCmd struct {
	Refresh bool `help:"Ask other members first."`
}

func (federationShowCmd) Help() string {
	return `Examples:

    genesis federation show
    genesis federation show --refresh`
}

func (cmd *federationShowCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	ask := c.Federation
	if cmd.Refresh {
		ask = c.RefreshFederation
	}
	x, err := ask(a.ctx)
	if err != nil {
		return err
	}
	return a.print(x, func(p *printer) { printFederation(p, x) })
}

func printFederation(p *printer, x *genesis.FederationInfo) {
	f := x.Federation
	if f == nil {
		p.line("%s is in no federation: genesis federation create NAME, or genesis federation join", clean(string(x.Node)))
		return
	}
	p.line("%s", clean(f.Name))
	p.field("this node", fmt.Sprintf("%s, %s", x.Node, standingText(x)))
	p.field("members", fmt.Sprint(len(f.Members)))
	p.field("holders", fmt.Sprintf("%d of %s", f.Threshold, joinNodes(f.Holders)))
	p.field("current until", f.Fresh.Local().Format("2006-01-02 15:04"))
	p.field("versions", fmt.Sprintf("root %d, members %d, snapshot %d, timestamp %d", f.Versions.Root, f.Versions.Targets, f.Versions.Snapshot, f.Versions.Timestamp))
	p.field("known by", string(f.Root))
	if !x.Heard.IsZero() {
		p.field("last heard", x.Heard.Local().Format("2006-01-02 15:04"))
	}
	if len(x.Catalogues) > 0 {
		p.heading("Catalogues of others")
		t := newTable("node", "class", ">listings", "as of", "")
		for _, c := range x.Catalogues {
			fresh := "not yet whole"
			if !c.Fresh.IsZero() {
				fresh = c.Fresh.Local().Format("2006-01-02 15:04:05")
			}
			t.row(string(c.Node), string(c.Class), count(c.Listings), fresh, clean(strings.TrimSpace(c.Standing+" "+c.Reason)))
		}
		t.print(p)
	}
	if len(x.Forks) > 0 {
		p.heading("Logs that contradict themselves")
		t := newTable("node", "class", "seen", "by", "")
		for _, e := range x.Forks {
			by := e.By
			if by == "" {
				by = x.Node
			}
			t.row(string(e.Node), string(e.Class), e.At.Local().Format("2006-01-02 15:04"), string(by), clean(e.Reason))
		}
		t.print(p)
	}
	printWaiting(p, x.Waiting)
	for _, s := range x.Advice {
		p.line("%s", p.style.dim(clean(s)))
	}
}

// printWaiting says what has not arrived at other nodes yet.
func printWaiting(p *printer, all []genesis.Waiting) {
	if len(all) == 0 {
		return
	}
	p.heading("Messages that wait")
	t := newTable("for", ">messages", "since", "not reached since", "")
	for _, w := range all {
		failing := ""
		if !w.Failing.IsZero() {
			failing = when(w.Failing)
		}
		t.row(string(w.Node), count(int64(w.Messages)), when(w.Since), failing, clean(w.Why))
	}
	t.print(p)
}

func standingText(x *genesis.FederationInfo) string {
	if x.Holder {
		return string(x.Standing) + " and holder"
	}
	return string(x.Standing)
}

func joinNodes(ids []genesis.NodeID) string {
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = string(id)
	}
	return strings.Join(all, ", ")
}

type federationMembersCmd struct{}

func (federationMembersCmd) Help() string {
	return `All that the charter has, also while it is past its end; genesis members lists those
whose people are vouched for now. To operators it says what waits for whom.

Examples:

    genesis federation members`
}

func (cmd *federationMembersCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	x, err := c.Federation(a.ctx)
	if err != nil {
		return err
	}
	if x.Federation == nil {
		return a.print(x, func(p *printer) { printFederation(p, x) })
	}
	all := struct {
		*genesis.Federation
		Waiting []genesis.Waiting `json:"waiting,omitempty"`
	}{x.Federation, x.Waiting}
	return a.print(all, func(p *printer) {
		defer printWaiting(p, x.Waiting)
		t := newTable("id", "institution", "sector", "url", "holder", "token key", "until")
		for _, m := range x.Federation.Members {
			holder, key, until := "", "", ""
			for _, h := range x.Federation.Holders {
				if h == m.ID {
					holder = "yes"
				}
			}
			for _, k := range m.Keys {
				if k.Use == genesis.KeyToken && k.Until.IsZero() {
					key = k.ID
				} else if k.Use == genesis.KeyToken {
					until = "another until " + k.Until.Local().Format("2006-01-02 15:04")
				}
			}
			t.row(string(m.ID), m.Institution, string(m.Sector), m.URL, holder, key, until)
		}
		t.print(p)
	})
}

type federationRemoveCmd struct {
	ID genesis.NodeID `arg:"" help:"The member." placeholder:"ID"`
}

func (federationRemoveCmd) Help() string {
	return `For holders. Once enough of them signed, people of that node are nobody elsewhere, as
soon as the others hear of it: within minutes.

Examples:

    genesis federation remove ornl`
}

func (cmd *federationRemoveCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	done, err := c.RemoveMember(a.ctx, cmd.ID)
	return a.printChange(done, err, "removed "+string(cmd.ID))
}

type federationHoldersCmd struct {
	Add       []genesis.NodeID `help:"Members that become holders." placeholder:"ID,…"`
	Remove    []genesis.NodeID `help:"Holders that are none any more." placeholder:"ID,…"`
	Threshold int              `help:"How many have to sign: more than half. If missing, as before where that can be." placeholder:"N"`
}

func (federationHoldersCmd) Help() string {
	return `For holders. Without anything it renews for a year what the holders signed.

Examples:

    genesis federation holders --add ornl,mit --threshold 2
    genesis federation holders`
}

func (cmd *federationHoldersCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	done, err := c.SetHolders(a.ctx, genesis.HoldersRequest{Add: cmd.Add, Remove: cmd.Remove, Threshold: cmd.Threshold})
	return a.printChange(done, err, "changed")
}

type federationRotateCmd struct {
	Uses []genesis.KeyUse `help:"token, message, charter; if missing, all three." placeholder:"token"`
}

func (federationRotateCmd) Help() string {
	return `The old keys count for another day. The log's key stays: its checkpoints would not
verify.

Examples:

    genesis federation rotate
    genesis federation rotate --uses token`
}

func (cmd *federationRotateCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	done, err := c.RotateKeys(a.ctx, genesis.RotateRequest{Uses: cmd.Uses})
	return a.printChange(done, err, "rotated")
}

type federationSignCmd struct {
	ID   string `arg:"" optional:"" help:"The change; left out, list those that wait." placeholder:"ID"`
	Drop bool   `help:"Give it up, where it was made; elsewhere, take this node's signature back."`
}

func (federationSignCmd) Help() string {
	return `For holders. A node signs one change at a time: two that follow the same charter cannot
both be.

Examples:

    genesis federation sign
    genesis federation sign 3f9a1c0d5e7b2468
    genesis federation sign --drop 3f9a1c0d5e7b2468`
}

func (cmd *federationSignCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	switch {
	case cmd.ID == "" && cmd.Drop:
		return &genesis.Error{Op: "drop draft", Kind: genesis.Invalid, Msg: "which one?", Hint: "genesis federation sign lists them"}
	case cmd.Drop:
		if err := c.DropDraft(a.ctx, cmd.ID); err != nil {
			return err
		}
		return a.print(map[string]string{"dropped": cmd.ID}, func(p *printer) { p.line("dropped %s", clean(cmd.ID)) })
	case cmd.ID != "":
		done, err := c.SignDraft(a.ctx, cmd.ID)
		return a.printChange(done, err, "signed, and done")
	}
	list, err := c.Drafts(a.ctx)
	if err != nil {
		return err
	}
	return a.print(list, func(p *printer) {
		for _, d := range list.Drafts {
			printDraft(p, d)
		}
		if len(list.Drafts) == 0 {
			p.line("nothing waits for signatures")
		}
		if len(list.Missing) > 0 {
			p.line("%s", p.style.dim("not reached: "+clean(joinNodes(list.Missing))))
		}
	})
}

// printChange says what came of a change.
func (a *app) printChange(x *genesis.CharterChange, err error, done string) error {
	if err != nil {
		return err
	}
	return a.print(x, func(p *printer) {
		if x.Done {
			p.line("%s", clean(done))
			return
		}
		if x.Draft != nil {
			printDraft(p, *x.Draft)
		}
	})
}

func printDraft(p *printer, d genesis.CharterDraft) {
	p.line("%s waits for %d more", clean(d.ID), d.Needs)
	for _, s := range d.Says {
		p.field("to", s)
	}
	p.field("made at", string(d.At))
	p.field("signed by", joinNodes(d.Signed))
}

package main

import (
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/client"
)

type requestCmd struct {
	Ref     string           `arg:"" help:"The asset." placeholder:"REF"`
	Purpose string           `help:"What you need it for." required:"" placeholder:"TEXT"`
	Actions []genesis.Action `help:"read, train, infer, evaluate; if missing, read." placeholder:"read,train"`
	Project string           `help:"Ask for everybody in a project." placeholder:"ID"`
	Accept  string           `help:"Digest of the agreement you have read and accept." placeholder:"sha256:…"`
	Renew   string           `help:"The grant you want to have renewed." placeholder:"ID"`
}

func (requestCmd) Help() string {
	return `Asks the steward of an asset for access. Where an agreement is needed, read it with
genesis terms REF --agreement and name its digest with --accept. What is at another node is
asked for by a message, whether or not that node can be reached now.

Examples:

    genesis request turbines --purpose "wake losses, grant DE-1234"
    genesis request nrel/turbines --purpose "wake losses"
    genesis request turbines --actions train,evaluate --purpose "forecasting" --accept sha256:…`
}

func (cmd *requestCmd) Run(a *app) error {
	c, ref, err := a.asked(cmd.Ref)
	if err != nil {
		return err
	}
	r, err := c.Ask(a.ctx, genesis.AskRequest{Ref: ref, Actions: cmd.Actions, Purpose: cmd.Purpose, Project: cmd.Project,
		Agreement: genesis.Digest(cmd.Accept), Renews: cmd.Renew})
	if err == nil {
		r, err = cmd.answered(a, c, r)
	}
	if err != nil {
		return err
	}
	if r.State == genesis.RequestRefused {
		return &genesis.Error{Op: "request", Kind: genesis.Invalid, Subject: cmd.Ref, Msg: "node " + string(r.Node) + " does not take it: " + r.Reason,
			Hint: "once that is mended, ask again; genesis requests " + r.ID + " keeps this one"}
	}
	return a.print(r, func(p *printer) {
		printRequest(p, *r)
		p.line("%s", p.style.dim("see what becomes of it: genesis "+a.hintAt("")+"requests "+r.ID))
	})
}

// answerWait is how long another node may take to say that it has a request, or refuses
// it, before it is left to be seen later.
const answerWait = 1500 * time.Millisecond

// answered is a request as another node took it, if that answers soon.
func (cmd *requestCmd) answered(a *app, c *client.Client, r *genesis.AccessRequest) (*genesis.AccessRequest, error) {
	for began := time.Now(); r.State == genesis.RequestPending && time.Since(began) < answerWait; {
		select {
		case <-time.After(100 * time.Millisecond):
		case <-a.ctx.Done():
			return nil, a.ctx.Err()
		}
		now, err := c.Request(a.ctx, r.ID)
		if err != nil {
			return nil, err
		}
		r = now
	}
	return r, nil
}

// asked returns the node that a request is made at, and what it asks for as that node is
// told: one's own, unless --at names another.
func (a *app) asked(ref string) (*client.Client, string, error) {
	if isNode(a.at) {
		return a.of(ref)
	}
	c, err := a.connect()
	return c, ref, err
}

type requestsCmd struct {
	ID    string               `arg:"" optional:"" help:"One request, with its messages." placeholder:"ID"`
	State genesis.RequestState `help:"open, approved, denied or withdrawn; at other nodes also pending, refused or ended." placeholder:"STATE" enum:"open,approved,denied,withdrawn,pending,refused,ended," default:""`
	Name  string               `help:"For this asset alone." placeholder:"NAME"`
	Mine  bool                 `help:"Only your own."`
}

func (requestsCmd) Help() string {
	return `A steward's inbox, or one's own requests, those at other nodes included: they stand as
their nodes said last.

Examples:

    genesis requests --state open
    genesis requests r7c1m9p0x7
    genesis requests --mine
    genesis --at nrel requests --mine`
}

func (cmd *requestsCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	if cmd.ID != "" {
		r, err := c.Request(a.ctx, cmd.ID)
		if err != nil {
			return err
		}
		return a.print(r, func(p *printer) { printRequest(p, *r) })
	}
	page, err := c.Requests(a.ctx, genesis.RequestQuery{Name: genesis.Name(cmd.Name), State: cmd.State, Mine: cmd.Mine, Limit: 1000})
	if err != nil {
		return err
	}
	return a.print(page, func(p *printer) { printRequests(p, page.Requests) })
}

func printRequests(p *printer, list []genesis.AccessRequest) {
	if len(list) == 0 {
		p.line("No requests.")
		return
	}
	t := newTable("id", "state", "asset", "by", "institution", "actions", "asked", "purpose")
	for _, r := range list {
		t.row(r.ID, stateText(r), assetText(r.Node, r.Name), string(r.By.Person()), r.By.Institution, joinActions(r.Actions), dateText(r.At), r.Purpose)
	}
	t.print(p)
}

// assetText is how an asset is called here.
func assetText(node genesis.NodeID, name genesis.Name) string {
	return genesis.Ref{Node: node, Name: name}.String()
}

// stateText is where a request stands, and whether its node knows all of it.
func stateText(r genesis.AccessRequest) string {
	if r.Waits != nil {
		return string(r.State) + ", waits"
	}
	return string(r.State)
}

func printRequest(p *printer, r genesis.AccessRequest) {
	p.line("request %s: %s on %s", r.ID, joinActions(r.Actions), clean(assetText(r.Node, r.Name)))
	p.field("state", string(r.State))
	if r.Waits != nil {
		p.field("waits", "for "+string(r.Node)+" since "+when(*r.Waits))
	}
	p.field("by", string(r.By.Person()))
	p.field("institution", r.By.Institution)
	p.field("sector", string(r.By.Sector))
	p.field("vetting", string(r.By.Vetting))
	p.field("project", r.Project)
	p.field("purpose", r.Purpose)
	p.field("accepted", string(r.Agreement))
	p.field("grant", r.Grant)
	if r.Grant != "" {
		p.field("granted", joinActions(r.Granted)+" "+untilText(r.Until)+ifText(r.Condition))
	}
	if r.State == genesis.RequestApproved {
		p.field("use it with", forText(r.Condition))
	}
	if r.Ended != nil {
		p.field("ended", when(*r.Ended))
	}
	p.field("reason", r.Reason)
	p.field("decided by", string(r.DecidedBy))
	for _, m := range r.Messages {
		p.line("  %s %s: %s", p.style.dim(when(m.At)), clean(string(m.By)), clean(m.Text))
		if m.Refused != "" {
			p.line("    %s", p.style.dim("did not arrive: "+clean(m.Refused)))
		}
	}
	if r.State == genesis.RequestOpen && r.Node == "" {
		p.line("%s", p.style.dim("a steward answers with: genesis approve "+r.ID+" --until DATE, or genesis deny "+r.ID+" --reason …"))
	}
}

// ifText is a grant's condition behind what it grants.
func ifText(condition string) string {
	if condition == "" {
		return ""
	}
	return ", if " + condition
}

// forText is how a command says the purpose that a condition asks for, "" where it asks for
// none.
func forText(condition string) string {
	if purpose := genesis.PurposeIn(condition); purpose != "" {
		return "genesis --for " + shellText(purpose) + " …"
	}
	return ""
}

type sayCmd struct {
	ID   string `arg:"" help:"The request." placeholder:"ID"`
	Text string `arg:"" help:"What to say." placeholder:"TEXT"`
}

func (sayCmd) Help() string {
	return `Writes to the other side of a request for access.

Examples:

    genesis say r7c1m9p0x7 "Which turbines do you need?"`
}

func (cmd *sayCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	r, err := c.Say(a.ctx, cmd.ID, cmd.Text)
	if err != nil {
		return err
	}
	return a.print(r, func(p *printer) { printRequest(p, *r) })
}

type approveCmd struct {
	ID        string           `arg:"" help:"The request." placeholder:"ID"`
	Until     day              `help:"When it ends: a date, or 90d." placeholder:"DATE"`
	Actions   []genesis.Action `help:"Only these of what was asked for." placeholder:"train"`
	Condition string           `help:"CEL over principal, purpose and now." placeholder:"CEL"`
	Licence   string           `help:"The export licence that covers this." placeholder:"TEXT"`
}

func (approveCmd) Help() string {
	return `Examples:

    genesis approve r7c1m9p0x7 --until 2027-06-30
    genesis approve r7c1m9p0x7 --actions train --until 90d`
}

func (cmd *approveCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	r, err := c.Approve(a.ctx, cmd.ID, genesis.Approval{Until: cmd.Until.Time, Actions: cmd.Actions, Condition: cmd.Condition, Licence: cmd.Licence})
	if err != nil {
		return err
	}
	return a.print(r, func(p *printer) { printRequest(p, *r) })
}

type denyCmd struct {
	ID       string `arg:"" help:"The request." placeholder:"ID"`
	Reason   string `help:"Why, for the asker; may be left out with --withdraw." placeholder:"TEXT"`
	Withdraw bool   `help:"Withdraw your own request instead."`
}

func (denyCmd) Help() string {
	return `Examples:

    genesis deny r7c1m9p0x7 --reason "needs a partner institution"
    genesis deny r7c1m9p0x7 --withdraw`
}

func (cmd *denyCmd) Run(a *app) error {
	if cmd.Reason == "" && !cmd.Withdraw {
		return &genesis.Error{Op: "deny", Kind: genesis.Invalid, Subject: cmd.ID, Msg: "the reason is missing", Hint: "say why with --reason; the asker reads it"}
	}
	c, err := a.connect()
	if err != nil {
		return err
	}
	var r *genesis.AccessRequest
	if cmd.Withdraw {
		r, err = c.WithdrawRequest(a.ctx, cmd.ID)
	} else {
		r, err = c.Deny(a.ctx, cmd.ID, cmd.Reason)
	}
	if err != nil {
		return err
	}
	return a.print(r, func(p *printer) { printRequest(p, *r) })
}

type explainCmd struct {
	Person string         `arg:"" help:"ada or nrel/ada; - is somebody not signed in." placeholder:"PERSON"`
	Action genesis.Action `arg:"" help:"discover, read, train, infer, evaluate, request or steward." placeholder:"ACTION"`
	Ref    string         `arg:"" help:"The version." placeholder:"REF"`
}

func (explainCmd) Help() string {
	return `Says which policy, grant or absence decides whether somebody may do something, and what
would change it. For stewards. With --for it is as if they said that purpose.

Examples:

    genesis explain nrel/ada read turbines
    genesis --for "diabetes study" explain nrel/ada train turbines
    genesis explain - discover turbines@3`
}

func (cmd *explainCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	person := cmd.Person
	if person == "-" {
		person = ""
	}
	e, err := c.Explain(a.ctx, genesis.PersonID(person), cmd.Action, cmd.Ref)
	if err != nil {
		return err
	}
	return a.print(e, func(p *printer) { printExplanation(p, *e) })
}

func printExplanation(p *printer, e genesis.Explanation) {
	answer := "no"
	if e.Allowed {
		answer = "yes"
	}
	p.line("%s", answer)
	p.field("rule", e.Rule)
	p.field("because", e.Reason)
	p.field("tier", string(e.Tier))
	for _, g := range e.Grants {
		p.field("grant", g.ID+" to "+string(g.To)+": "+joinActions(g.Actions)+" "+untilText(g.Until)+ifText(g.Condition))
	}
	for _, k := range e.Sources {
		p.field("input", shortRef(k.Source)+" is "+string(k.Terms.Tier))
	}
	for _, c := range e.Change {
		p.field("would change", c)
	}
}

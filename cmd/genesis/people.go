package main

import (
	"strings"

	"github.com/opengenesis/genesis"
)

type projectCmd struct {
	Put  projectPutCmd  `cmd:"" help:"Make or change a project."`
	List projectListCmd `cmd:"" help:"List projects."`
	End  projectEndCmd  `cmd:"" help:"End a project, and with it what was granted to it."`
}

type projectPutCmd struct {
	ID        string             `arg:"" help:"Its id: a-z, 0-9 and -." placeholder:"ID"`
	Title     *string            `help:"Its name, for people." placeholder:"TEXT"`
	Lead      genesis.PersonID   `help:"Who leads it; of a new one, you." placeholder:"PERSON"`
	Members   []genesis.PersonID `help:"All its people, of any institutions." placeholder:"ada,nrel/bo"`
	Purpose   *string            `help:"What it is for." placeholder:"TEXT"`
	Agreement *string            `help:"Kind of agreement: CRADA, MOU, …" placeholder:"KIND"`
	Results   *string            `help:"Who owns results." placeholder:"TEXT"`
	Until     day                `help:"When it ends." placeholder:"DATE" xor:"end"`
	NoEnd     bool               `help:"It does not end by itself." xor:"end"`
}

func (projectPutCmd) Help() string {
	return `Of a project that is there, what is not said stays as it is.

Examples:

    genesis project put wind --title "Wind 2030" --members ada,nrel/bo --until 2027-12-31
    genesis project put wind --agreement CRADA --results "NREL, with a licence to MIT"
    genesis project put wind --members ada,nrel/bo,nrel/cy`
}

func (cmd *projectPutCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	req := genesis.ProjectRequest{Title: cmd.Title, Lead: cmd.Lead, Purpose: cmd.Purpose, Agreement: cmd.Agreement, Results: cmd.Results}
	if cmd.Members != nil {
		req.Members = &cmd.Members
	}
	if cmd.NoEnd || !cmd.Until.IsZero() {
		req.Until = &cmd.Until.Time
	}
	made, err := c.PutProject(a.ctx, cmd.ID, req)
	if err != nil {
		return err
	}
	if err := a.print(made, func(p *printer) { printProjects(p, []genesis.Project{*made}) }); err != nil {
		return err
	}
	var nodes []string
	for _, m := range cmd.Members {
		node, _ := m.Split("")
		nodes = append(nodes, string(node))
	}
	return a.strangers(c, nodes...)
}

type projectListCmd struct{}

func (projectListCmd) Help() string {
	return `Those of other nodes that you are in are called by their home: nrel/wind.

Examples:

    genesis project list`
}

func (cmd *projectListCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	page, err := c.Projects(a.ctx, "", 1000)
	if err != nil {
		return err
	}
	return a.print(page, func(p *printer) { printProjects(p, page.Projects) })
}

type projectEndCmd struct {
	ID string `arg:"" help:"The project." placeholder:"ID"`
}

func (projectEndCmd) Help() string {
	return `Examples:

    genesis project end wind`
}

func (cmd *projectEndCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	ended, err := c.EndProject(a.ctx, cmd.ID)
	if err != nil {
		return err
	}
	return a.print(ended, func(p *printer) { p.line("ended %s", ended.ID) })
}

func printProjects(p *printer, list []genesis.Project) {
	if len(list) == 0 {
		p.line("No projects: genesis project put ID --members ada,bo")
		return
	}
	t := newTable("id", "title", "lead", "members", "purpose", "agreement", "results owned by", "until", "ended")
	for _, x := range list {
		var members []string
		for _, m := range x.Members {
			members = append(members, string(m))
		}
		ended := ""
		if x.Ended {
			ended = "yes"
		}
		t.row(x.ID, x.Title, string(x.Lead), strings.Join(members, ", "), x.Purpose, x.Agreement, x.Results, dateText(x.Until), ended)
	}
	t.print(p)
}

type membersCmd struct{}

func (membersCmd) Help() string {
	return `The institutions of the federation, as its charter has them; a lone node has one.

Examples:

    genesis members`
}

func (cmd *membersCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	list, err := c.Members(a.ctx)
	if err != nil {
		return err
	}
	return a.print(list, func(p *printer) {
		t := newTable("id", "institution", "sector", "address")
		for _, m := range list.Members {
			t.row(string(m.ID), m.Institution, string(m.Sector), m.URL)
		}
		t.print(p)
	})
}

type whoamiCmd struct{}

func (whoamiCmd) Help() string {
	return `Examples:

    genesis whoami
    genesis --at nrel whoami`
}

func (cmd *whoamiCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	who, err := c.WhoAmI(a.ctx)
	if err != nil {
		return err
	}
	ending := &genesis.GrantPage{}
	if who.SignedIn() && !a.json {
		if ending, err = c.Grants(a.ctx, genesis.GrantQuery{Mine: true, Expiring: soon, Limit: 1000}); err != nil {
			return err
		}
	}
	return a.print(who, func(p *printer) {
		printPrincipal(p, *who)
		for _, g := range ending.Grants {
			p.field("ends soon", joinActions(g.Actions)+" on "+assetText(g.Node, g.Name)+", on "+dateText(g.Until)+": genesis request "+genesis.Ref{Node: g.Node, Name: g.Name}.Arg()+" --renew "+g.ID+" --purpose …")
		}
	})
}

// soon is within how many days a grant that ends is told of.
const soon = 14

func printPrincipal(p *printer, who genesis.Principal) {
	if !who.SignedIn() {
		p.line("nobody: genesis login URL signs in")
		return
	}
	p.line("%s", clean(string(who.Person())))
	p.field("institution", who.Institution)
	p.field("sector", string(who.Sector))
	p.field("duties", joinDuties(who.Duties))
	p.field("signed in by", string(who.Assurance))
	p.field("vetting", string(who.Vetting))
	p.field("citizenship", string(who.Citizenship))
	p.field("student", yes(who.Student))
	p.field("projects", strings.Join(who.Projects, ", "))
	var scopes []string
	for _, s := range who.Scopes {
		scopes = append(scopes, string(s))
	}
	p.field("narrowed to", strings.Join(scopes, ", "))
}

func joinDuties(duties []genesis.Duty) string {
	texts := make([]string, len(duties))
	for i, d := range duties {
		texts[i] = string(d)
	}
	return strings.Join(texts, ", ")
}

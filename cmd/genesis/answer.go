package main

import "github.com/opengenesis/genesis"

type answerCmd struct {
	Ref     string `arg:"" help:"The version." placeholder:"REF"`
	Finding string `arg:"" help:"The finding's id, as show prints it." placeholder:"FINDING"`
	Text    string `arg:"" help:"The answer." placeholder:"TEXT"`
}

func (answerCmd) Help() string {
	return `Some findings only a person can settle, for instance whether a column holds names of
people. Until they are answered the version cannot be published. The answer is kept
with who gave it.

Examples:

    genesis answer patients person:name "pseudonyms, approved by the ethics board 2024-117"`
}

func (cmd *answerCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	f, err := c.Answer(a.ctx, cmd.Ref, cmd.Finding, cmd.Text)
	if err != nil {
		return err
	}
	return a.print(f, func(p *printer) {
		p.line("Answered %s", p.style.bold(clean(f.ID)))
		printFindings(p, []genesis.Finding{*f})
	})
}

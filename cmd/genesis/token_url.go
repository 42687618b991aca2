package main

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/client"
)

type tokenURLCmd struct {
	Ref     string `arg:"" help:"The version." placeholder:"REF"`
	Table   string `help:"The table; if missing, the first." placeholder:"NAME"`
	Days    int    `help:"How long the token lasts." default:"30" placeholder:"N"`
	Subject string `help:"A service account whose token it is to be, for operators." placeholder:"SUBJECT"`
}

func (tokenURLCmd) Help() string {
	return `Prints the URL of one table as Parquet, a token that reads that dataset and nothing
else, and how pandas, polars, DuckDB and curl read it; they fetch the parts they need.
The URL names this very version. The token is for all versions of the dataset: no
token is narrower. Where a purpose was given with --for, they state it.

The node must be reached over the network (genesis serve), and the token is of whoever
is signed in there: not of the owner of a home, who has no account.

Examples:

    genesis token url turbines --days 7
    genesis token url turbines@3 --table sites --json
    genesis token url turbines --subject harvester`
}

// tableURL is what --json prints for token url.
type tableURL struct {
	URL      string            `json:"url"`
	Token    string            `json:"token"`
	Expires  time.Time         `json:"expires"`
	ID       string            `json:"id"` // by which it is revoked
	Ref      string            `json:"ref"`
	Table    string            `json:"table"`
	Scopes   []genesis.Scope   `json:"scopes"`
	Headers  map[string]string `json:"headers"`
	Snippets map[string]string `json:"snippets"` // by the program that reads it
}

func (cmd *tokenURLCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	base, err := a.publicURL()
	if err == nil {
		err = cmd.hasAccount(a, base)
	}
	if err != nil {
		return err
	}
	d, err := c.Describe(a.ctx, cmd.Ref)
	if err != nil {
		return err
	}
	table, err := cmd.table(d)
	if err == nil && cmd.Subject == "" {
		err = mayRead(a, c, cmd.Ref)
	}
	if err != nil {
		return err
	}
	v := d.Version
	ref := genesis.Ref{Name: v.Name, Number: v.Number}
	if v.Number == 0 {
		ref.Digest = v.Digest
	}
	scope := genesis.Scope(string(genesis.Read) + ":" + string(v.Name))
	made, err := c.CreateToken(a.ctx, genesis.TokenRequest{Subject: cmd.Subject, Name: shortened("url of "+string(v.Name), 100), Scopes: []genesis.Scope{scope}, Days: cmd.Days})
	if err != nil {
		return err
	}
	out := tableURL{URL: base + "/v1/datasets/" + url.PathEscape(ref.String()) + "/tables/" + url.PathEscape(table) + ".parquet",
		Token: made.Secret, Expires: made.Token.Expires, ID: made.Token.ID, Ref: ref.String(), Table: table, Scopes: made.Token.Scopes,
		Headers: map[string]string{"Authorization": "Bearer " + made.Secret}}
	if a.purpose != "" {
		out.Headers["Genesis-Purpose"] = a.purpose
	}
	out.Snippets = map[string]string{}
	for _, s := range snippets {
		out.Snippets[s.program] = s.write(out)
	}
	return a.print(out, func(p *printer) { printTableURL(p, out, v.Name) })
}

func printTableURL(p *printer, u tableURL, name genesis.Name) {
	p.field("url", u.URL)
	p.field("token", u.Token)
	p.line("%s", p.style.dim("  it is told once, reads "+string(name)+" in every version and nothing else, and lasts until "+dateText(u.Expires)))
	p.line("%s", p.style.dim("  whoever has it reads the data: take it back with: genesis token revoke "+clean(u.ID)))
	for _, s := range snippets {
		p.heading(s.title)
		for line := range strings.Lines(u.Snippets[s.program]) {
			p.line("    %s", clean(strings.TrimSuffix(line, "\n")))
		}
	}
}

// publicURL is where others reach the node that a command uses. Errors: Invalid where it
// is not reached over the network, or would get tokens in the clear.
func (a *app) publicURL() (string, error) {
	at := strings.TrimSuffix(a.at, "/")
	if at == "" {
		home, err := a.open()
		if err != nil {
			return "", err
		}
		if _, at = home.Server(); at == "" {
			return "", &genesis.Error{Op: "make URL", Kind: genesis.Invalid, Subject: home.Path, Msg: "nobody reaches this home over the network",
				Hint: "`genesis serve` serves it; then run this again, signed in there with --at URL"}
		}
		if home.Config.URL != "" {
			at = strings.TrimSuffix(home.Config.URL, "/")
		}
	}
	u, err := url.Parse(at)
	if err != nil {
		return "", &genesis.Error{Op: "make URL", Kind: genesis.Invalid, Subject: at, Msg: "is not a URL", Err: err}
	}
	ip := net.ParseIP(u.Hostname())
	if u.Scheme != "https" && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", &genesis.Error{Op: "make URL", Kind: genesis.Invalid, Subject: at, Msg: "would get the token in the clear", Hint: "set `url` of config.yaml to the node's https:// URL"}
	}
	return at, nil
}

// hasAccount refuses the owner of the home, who has no account and so no tokens.
func (cmd *tokenURLCmd) hasAccount(a *app, base string) error {
	if a.at != "" || cmd.Subject != "" {
		return nil
	}
	return &genesis.Error{Op: "make token", Kind: genesis.Invalid, Msg: "the owner of a home has no account, and so no tokens",
		Hint: fmt.Sprintf("sign in with an account: `genesis login %s --subject NAME`, then `genesis --at %s token url %s`; for a program: --subject SERVICE", base, base, word(cmd.Ref))}
}

// table returns the name of the table that is meant.
func (cmd *tokenURLCmd) table(d *genesis.Description) (string, error) {
	e := &genesis.Error{Op: "make URL", Kind: genesis.Invalid, Subject: cmd.Ref, Msg: "is not a dataset, and has no tables"}
	var names []string
	for _, t := range d.Manifest.Tables {
		names = append(names, t.Name)
	}
	for _, t := range d.Manifest.Rejects {
		names = append(names, "rejects/"+t.Name)
	}
	switch {
	case d.Version.Kind != genesis.Dataset || len(names) == 0:
		return "", e
	case cmd.Table == "":
		return names[0], nil
	case slices.Contains(names, cmd.Table):
		return cmd.Table, nil
	}
	e.Kind, e.Subject, e.Msg, e.Hint = genesis.NotFound, cmd.Table, "is no table of "+cmd.Ref, "its tables are "+strings.Join(names, ", ")
	return "", e
}

// mayRead refuses whom a token would not help.
func mayRead(a *app, c *client.Client, ref string) error {
	k, err := c.Conditions(a.ctx, ref)
	if err != nil {
		return err
	}
	if slices.Contains(k.You, genesis.Read) {
		return nil
	}
	return &genesis.Error{Op: "make token", Kind: genesis.Permission, Subject: ref, Msg: "you may not read it, so no token of yours does",
		Hint: "genesis request " + word(ref) + " --purpose TEXT"}
}

func shortened(text string, most int) string { return text[:min(len(text), most)] }

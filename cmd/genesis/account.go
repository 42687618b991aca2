package main

import (
	"fmt"
	"io"
	"strings"

	"golang.org/x/term"

	"github.com/opengenesis/genesis"
)

type accountCmd struct {
	Add  accountAddCmd  `cmd:"" help:"Make an account."`
	List accountListCmd `cmd:"" help:"List accounts."`
	Show accountShowCmd `cmd:"" help:"Show one account."`
	Set  accountSetCmd  `cmd:"" help:"Change an account."`
	Vet  accountVetCmd  `cmd:"" help:"Say how the vetting of a person stands, or ask to be vetted."`
	TOTP accountTOTPCmd `cmd:"" name:"totp" help:"Set up a second factor for yourself."`
}

type accountAddCmd struct {
	Subject string         `arg:"" help:"Who: a-z, 0-9, '.', '_' and '-'." placeholder:"SUBJECT"`
	Name    string         `help:"The person's name." placeholder:"TEXT"`
	Email   string         `help:"Where to reach them." placeholder:"ADDRESS"`
	Duties  []genesis.Duty `help:"steward, operator, officer, manager." placeholder:"steward"`
	Service bool           `help:"A program: no password, tokens only."`
}

func (accountAddCmd) Help() string {
	return `Asks for a password on the terminal, or reads one line of the standard input. Somebody
who signs in through a provider needs no account made beforehand.

Examples:

    genesis account add ada --name "Ada Okafor"
    genesis account add bo --duties steward
    genesis account add harvester --service`
}

func (cmd *accountAddCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	req := genesis.AccountRequest{Subject: cmd.Subject, Name: cmd.Name, Email: cmd.Email, Duties: cmd.Duties, Service: cmd.Service}
	if !cmd.Service {
		if req.Password, err = a.askSecret("password for " + cmd.Subject); err != nil {
			return err
		}
	}
	made, err := c.CreateAccount(a.ctx, req)
	if err != nil {
		return err
	}
	return a.print(made, func(p *printer) { printAccount(p, *made) })
}

// askSecret asks on the terminal without echo, or reads one line.
func (a *app) askSecret(prompt string) (string, error) {
	if fd := int(a.in.Fd()); term.IsTerminal(fd) {
		fmt.Fprintf(a.err, "%s: ", prompt)
		b, err := term.ReadPassword(fd)
		fmt.Fprintln(a.err)
		return string(b), err
	}
	line, err := readLine(a.in, 4096)
	if line == "" {
		return "", &genesis.Error{Op: "read " + prompt, Kind: genesis.Invalid, Msg: "nothing came on the standard input", Hint: "run it on a terminal, or pipe the secret in as one line", Err: err}
	}
	return line, nil
}

// readLine reads a line of at most so many bytes and nothing beyond it, which is the
// next one's to read.
func readLine(in io.Reader, most int) (string, error) {
	line := make([]byte, 0, 64)
	for len(line) < most {
		var b [1]byte
		if _, err := io.ReadFull(in, b[:]); err != nil {
			return strings.TrimRight(string(line), "\r"), err
		}
		if b[0] == '\n' {
			break
		}
		line = append(line, b[0])
	}
	return strings.TrimRight(string(line), "\r"), nil
}

type accountListCmd struct{}

func (accountListCmd) Help() string {
	return `Examples:

    genesis account list`
}

func (cmd *accountListCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	page, err := c.Accounts(a.ctx, "", 1000)
	if err != nil {
		return err
	}
	return a.print(page, func(p *printer) {
		t := newTable("subject", "name", "duties", "vetting", "signs in by", "last seen", "disabled")
		for _, x := range page.Accounts {
			disabled := ""
			if x.Disabled {
				disabled = "yes"
			}
			vetting := string(x.Vetting.State)
			if !x.Vetting.Asked.IsZero() && x.Vetting.State != genesis.VettingRequested {
				vetting += ", asks anew"
			}
			t.row(x.Subject, x.Name, joinDuties(x.Duties), vetting, signsInBy(x), dateText(x.LastSeen), disabled)
		}
		t.print(p)
	})
}

func signsInBy(x genesis.Account) string {
	switch {
	case x.Service:
		return "tokens"
	case x.Provider != "":
		return x.Provider
	case x.TOTP:
		return "password and code"
	}
	return "password"
}

type accountShowCmd struct {
	Subject string `arg:"" help:"Who." placeholder:"SUBJECT"`
}

func (accountShowCmd) Help() string {
	return `Examples:

    genesis account show ada`
}

func (cmd *accountShowCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	x, err := c.Account(a.ctx, cmd.Subject)
	if err != nil {
		return err
	}
	return a.print(x, func(p *printer) { printAccount(p, *x) })
}

func printAccount(p *printer, x genesis.Account) {
	p.line("%s", clean(x.Subject))
	p.field("name", x.Name)
	p.field("email", x.Email)
	p.field("duties", joinDuties(x.Duties))
	p.field("signs in by", signsInBy(x))
	p.field("groups", strings.Join(x.Groups, ", "))
	p.field("vetting", string(x.Vetting.State))
	p.field("decided by", string(x.Vetting.By))
	p.field("until", dateText(x.Vetting.Until))
	p.field("rests on", x.Vetting.Note)
	p.field("asked", dateText(x.Vetting.Asked))
	p.field("asked with", x.Vetting.Ask)
	p.field("citizenship", string(x.Citizenship))
	p.field("student", yes(x.Student))
	p.field("disabled", yes(x.Disabled))
}

// yes is a field that is left out where it does not hold.
func yes(holds bool) string {
	if holds {
		return "yes"
	}
	return ""
}

type accountSetCmd struct {
	Subject     string               `arg:"" help:"Who." placeholder:"SUBJECT"`
	Name        *string              `help:"The person's name." placeholder:"TEXT"`
	Email       *string              `help:"Where to reach them." placeholder:"ADDRESS"`
	Duties      *[]genesis.Duty      `help:"steward, operator, officer, manager; empty takes all away." placeholder:"steward"`
	Citizenship *genesis.Citizenship `help:"us-citizen, us-person or foreign-national." placeholder:"CLASS"`
	Student     *bool                `help:"A student." negatable:""`
	Disabled    *bool                `help:"May not sign in." negatable:""`
	Password    bool                 `help:"Ask for a new password."`
	Link        string               `help:"Who they are at a provider, by its id." placeholder:"PROVIDER:SUB"`
	Unlink      string               `help:"Who they are no longer." placeholder:"PROVIDER:SUB"`
	NoTOTP      bool                 `name:"no-totp" help:"Take the second factor away: your own, or one that was lost."`
}

func (accountSetCmd) Help() string {
	return `Examples:

    genesis account set ada --duties steward,officer
    genesis account set ada --disabled
    genesis account set ada --password
    genesis account set ada --no-totp
    genesis account set ada --link campus:248289761001`
}

func (cmd *accountSetCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	change := genesis.AccountChange{Name: cmd.Name, Email: cmd.Email, Duties: cmd.Duties, Citizenship: cmd.Citizenship, Student: cmd.Student, Disabled: cmd.Disabled}
	if cmd.NoTOTP {
		change.TOTP = new(bool)
	}
	if change.Link, err = outside(cmd.Link); err != nil {
		return err
	}
	if change.Unlink, err = outside(cmd.Unlink); err != nil {
		return err
	}
	if cmd.Password {
		who, err := c.WhoAmI(a.ctx)
		if err != nil {
			return err
		}
		if who.Subject == cmd.Subject {
			if change.Current, err = a.askSecret("current password of " + cmd.Subject); err != nil {
				return err
			}
		}
		secret, err := a.askSecret("new password for " + cmd.Subject)
		if err != nil {
			return err
		}
		change.Password = &secret
	}
	x, err := c.ChangeAccount(a.ctx, cmd.Subject, change)
	if err != nil {
		return err
	}
	return a.print(x, func(p *printer) { printAccount(p, *x) })
}

// outside reads PROVIDER:SUB.
func outside(text string) (*genesis.Outside, error) {
	if text == "" {
		return nil, nil
	}
	provider, value, ok := strings.Cut(text, ":")
	if !ok || provider == "" || value == "" {
		return nil, &genesis.Error{Op: "read person", Kind: genesis.Invalid, Subject: text, Msg: "is not PROVIDER:SUB",
			Hint: "write the provider's id as in config.yaml, and who it says they are: campus:248289761001"}
	}
	return &genesis.Outside{Provider: provider, Value: value}, nil
}

type accountVetCmd struct {
	Subject string               `arg:"" optional:"" help:"Who; left out, ask to be vetted yourself." placeholder:"SUBJECT"`
	State   genesis.VettingState `help:"vetted or refused." placeholder:"STATE" enum:"vetted,refused," default:""`
	Until   day                  `help:"Vetted until." placeholder:"DATE"`
	Note    string               `help:"What it rests on." placeholder:"TEXT"`
}

func (accountVetCmd) Help() string {
	return `Examples:

    genesis account vet --note "badge 4711, office of J. Doe"
    genesis account vet ada --state vetted --until 2027-12-31 --note "file 2026-118"`
}

func (cmd *accountVetCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	var x *genesis.Account
	if cmd.Subject == "" {
		x, err = c.RequestVetting(a.ctx, cmd.Note)
	} else {
		x, err = c.Vet(a.ctx, cmd.Subject, genesis.VetRequest{State: cmd.State, Until: cmd.Until.Time, Note: cmd.Note})
	}
	if err != nil {
		return err
	}
	return a.print(x, func(p *printer) { printAccount(p, *x) })
}

type accountTOTPCmd struct {
	Code string `arg:"" optional:"" help:"A code of the new factor, which confirms it." placeholder:"CODE"`
}

func (accountTOTPCmd) Help() string {
	return `Without a code it shows the secret for an authenticator; with one it confirms it.

Examples:

    genesis account totp
    genesis account totp 123456`
}

func (cmd *accountTOTPCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	if cmd.Code != "" {
		x, err := c.ConfirmTOTP(a.ctx, cmd.Code)
		if err != nil {
			return err
		}
		return a.print(x, func(p *printer) {
			p.line("The second factor is set up. Keep these recovery codes, each good for one sign-in; they are told once:")
			for _, code := range x.Recovery {
				p.line("  %s", clean(code))
			}
		})
	}
	setup, err := c.SetupTOTP(a.ctx)
	if err != nil {
		return err
	}
	return a.print(setup, func(p *printer) {
		p.field("secret", setup.Secret)
		p.field("uri", setup.URI)
		p.line("%s", p.style.dim("confirm it with: genesis account totp CODE"))
	})
}

type tokenCmd struct {
	Create tokenCreateCmd `cmd:"" help:"Make a token for a program."`
	URL    tokenURLCmd    `cmd:"" name:"url" help:"Make a token that reads one dataset, and say how programs read a table with it."`
	List   tokenListCmd   `cmd:"" help:"List tokens."`
	Revoke tokenRevokeCmd `cmd:"" help:"Revoke a token."`
}

type tokenCreateCmd struct {
	Name    string          `arg:"" help:"What it is for." placeholder:"NAME"`
	Scopes  []genesis.Scope `help:"What it may do: read, train:turbines; if missing, all you may." placeholder:"read,train:turbines"`
	Days    int             `help:"How long it lasts." default:"30" placeholder:"N"`
	Subject string          `help:"A service account, for operators." placeholder:"SUBJECT"`
}

func (tokenCreateCmd) Help() string {
	return `Prints the secret, once. Give it to a program as $GENESIS_TOKEN.

Examples:

    genesis token create notebook --scopes discover,read:turbines --days 90
    genesis token create nightly --subject harvester --scopes read`
}

func (cmd *tokenCreateCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	made, err := c.CreateToken(a.ctx, genesis.TokenRequest{Subject: cmd.Subject, Name: cmd.Name, Scopes: cmd.Scopes, Days: cmd.Days})
	if err != nil {
		return err
	}
	return a.print(made, func(p *printer) {
		p.line("%s", made.Secret)
		p.line("%s", p.style.dim("it is told once, and lasts until "+dateText(made.Token.Expires)))
	})
}

type tokenListCmd struct {
	Subject string `help:"Whose; if missing, your own." placeholder:"SUBJECT"`
}

func (tokenListCmd) Help() string {
	return `Examples:

    genesis token list`
}

func (cmd *tokenListCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	page, err := c.Tokens(a.ctx, cmd.Subject, "", 1000)
	if err != nil {
		return err
	}
	return a.print(page, func(p *printer) {
		t := newTable("id", "kind", "name", "scopes", "expires", "last used", "revoked")
		for _, x := range page.Tokens {
			var scopes []string
			for _, s := range x.Scopes {
				scopes = append(scopes, string(s))
			}
			revoked := ""
			if x.Revoked != nil {
				revoked = dateText(*x.Revoked)
			}
			t.row(x.ID, string(x.Kind), x.Name, strings.Join(scopes, ", "), dateText(x.Expires), dateText(x.LastUsed), revoked)
		}
		t.print(p)
	})
}

type tokenRevokeCmd struct {
	ID string `arg:"" help:"The token." placeholder:"ID"`
}

func (tokenRevokeCmd) Help() string {
	return `Examples:

    genesis token revoke t4k2m9p0x7`
}

func (cmd *tokenRevokeCmd) Run(a *app) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	if err := c.RevokeToken(a.ctx, cmd.ID); err != nil {
		return err
	}
	return a.print(map[string]string{"revoked": cmd.ID}, func(p *printer) { p.line("revoked %s", clean(cmd.ID)) })
}

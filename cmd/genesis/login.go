package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/client"
)

type loginCmd struct {
	URL     string `arg:"" optional:"" help:"The node; if missing, that of --at or $GENESIS_NODE." placeholder:"URL"`
	Subject string `help:"Sign in here with a password instead of in a browser." placeholder:"SUBJECT"`
	Code    string `help:"With --subject: a code of the second factor." placeholder:"CODE"`
}

func (loginCmd) Help() string {
	return `Shows a code and an address. Open the address in a browser anywhere, sign in there and
approve the code; no browser is needed on this machine. The session is kept for this
user alone, and used by commands with --at.

Examples:

    genesis login https://data.example.edu
    genesis login https://data.example.edu --subject ada`
}

func (cmd *loginCmd) Run(a *app) error {
	at := cmd.URL
	if at == "" {
		at = a.at
	}
	if at == "" {
		return &genesis.Error{Op: "sign in", Kind: genesis.Invalid, Msg: "no node is named", Hint: "genesis login https://data.example.edu"}
	}
	at = strings.TrimSuffix(at, "/")
	c, err := reach(at, "")
	if err != nil {
		return err
	}
	defer c.Close()
	made, err := cmd.signIn(a, c)
	if err != nil {
		return err
	}
	if err := keepCredential(at, made.Secret); err != nil {
		return err
	}
	return a.print(made.Token, func(p *printer) {
		p.line("signed in at %s as %s until %s", clean(at), clean(made.Token.Subject), made.Token.Expires.Local().Format("2006-01-02 15:04"))
		p.line("%s", p.style.dim("use it: genesis --at "+clean(at)+" list, or set GENESIS_NODE="+clean(at)))
	})
}

func (cmd *loginCmd) signIn(a *app, c *client.Client) (*genesis.NewToken, error) {
	if cmd.Subject == "" {
		return byDevice(a, c)
	}
	password, err := a.askSecret("password for " + cmd.Subject)
	if err != nil {
		return nil, err
	}
	return c.SignIn(a.ctx, genesis.SignInRequest{Subject: cmd.Subject, Password: password, Code: cmd.Code})
}

// byDevice signs in with the help of a browser that may be anywhere (RFC 8628).
func byDevice(a *app, c *client.Client) (*genesis.NewToken, error) {
	d, err := c.StartDevice(a.ctx)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(a.err, "Open   %s\nand approve the code   %s\n(waiting; Ctrl-C stops)\n", clean(d.VerificationURI), clean(d.UserCode))
	wait := time.Duration(max(d.Interval, 1)) * time.Second
	for end := time.Now().Add(time.Duration(d.ExpiresIn) * time.Second); time.Now().Before(end); {
		if err := sleep(a.ctx, wait); err != nil {
			return nil, err
		}
		made, err := c.PollDevice(a.ctx, d.DeviceCode)
		switch {
		case err == nil:
			return made, nil
		case genesis.KindOf(err) != genesis.Unavailable:
			return nil, err
		case strings.Contains(err.Error(), "slow"):
			wait += 5 * time.Second
		}
	}
	return nil, &genesis.Error{Op: "sign in", Kind: genesis.Permission, Msg: "nobody approved the code in time", Hint: "run the command again"}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

type logoutCmd struct {
	URL string `arg:"" optional:"" help:"The node; if missing, that of --at or $GENESIS_NODE." placeholder:"URL"`
}

func (logoutCmd) Help() string {
	return `Ends the session at the node and forgets it here.

Examples:

    genesis logout https://data.example.edu`
}

func (cmd *logoutCmd) Run(a *app) error {
	at := strings.TrimSuffix(cmd.URL, "/")
	if at == "" {
		at = a.at
	}
	secret := credential(at)
	if secret == "" {
		return &genesis.Error{Op: "sign out", Kind: genesis.NotFound, Subject: at, Msg: "this user is not signed in there"}
	}
	c, err := reach(at, secret)
	if err != nil {
		return err
	}
	defer c.Close()
	ended := c.SignOut(a.ctx)
	if err := keepCredential(at, ""); err != nil {
		return err
	}
	if genesis.KindOf(ended) == genesis.Permission {
		ended = nil // it was over already
	}
	if ended != nil {
		return ended
	}
	return a.print(map[string]string{"signed_out": at}, func(p *printer) { p.line("signed out at %s", clean(at)) })
}

// credentialsFile is where this user's sessions are kept, by URL.
func credentialsFile() (string, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return "", &genesis.Error{Op: "sign in", Kind: genesis.Invalid, Msg: "this user has no folder for configuration", Hint: "set $XDG_CONFIG_HOME or $HOME", Err: err}
	}
	return filepath.Join(dir, "genesis", "credentials.json"), nil
}

func credentials() (map[string]string, error) {
	all := map[string]string{}
	path, err := credentialsFile()
	if err != nil {
		return nil, err
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return all, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &all)
	}
	if err != nil {
		return nil, &genesis.Error{Op: "read credentials", Kind: genesis.Invalid, Subject: path, Msg: "cannot be read", Hint: "remove it and sign in again", Err: err}
	}
	return all, nil
}

// credential returns the session kept for a node, or "".
func credential(at string) string {
	all, err := credentials()
	if err != nil {
		return ""
	}
	return all[strings.TrimSuffix(at, "/")]
}

// keepCredential keeps a session for this user alone; "" forgets it.
func keepCredential(at, secret string) error {
	all, err := credentials()
	if err != nil {
		return err
	}
	all[at] = secret
	if secret == "" {
		delete(all, at)
	}
	path, err := credentialsFile()
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(all, "", "  ")
	if err == nil {
		err = os.MkdirAll(filepath.Dir(path), 0o700)
	}
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".credentials-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(b, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

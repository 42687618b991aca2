package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/node"
)

// demo is three nodes in this process, five people, and what they have done.
type demo struct {
	*app
	dir     string
	nodes   []*stand
	outcome demoOutcome
	signIns []signIn

	serving sync.WaitGroup
	stop    context.CancelFunc
}

// stand is an institution of the demo, with its node.
type stand struct {
	id          genesis.NodeID
	institution string
	sector      genesis.Sector
	home, url   string
}

// actor is somebody who types commands: the owner of a home, or a person who is signed in
// at their institution's node.
type actor struct {
	name  string
	at    *stand
	token string // "": the owner of the home
}

func (w actor) String() string { return w.name + "@" + string(w.at.id) }

var stands = []*stand{
	{id: "alder", institution: "Alder National Laboratory", sector: genesis.Laboratory},
	{id: "lakeside", institution: "Lakeside University", sector: genesis.University},
	{id: "terrabond", institution: "Terrabond Cement", sector: genesis.Industry},
}

// open starts the nodes.
func (d *demo) open() error {
	if err := unpackExamples(filepath.Join(d.dir, "files")); err != nil {
		return err
	}
	var ctx context.Context
	ctx, d.stop = context.WithCancel(context.WithoutCancel(d.ctx))
	for _, s := range stands {
		if err := d.raise(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// raise makes an institution's home and serves it.
func (d *demo) raise(ctx context.Context, s *stand) error {
	addr, err := freeAddress()
	if err != nil {
		return err
	}
	s.home, s.url = filepath.Join(d.dir, string(s.id)), "http://"+addr
	config := fmt.Sprintf("node: %s\ninstitution: %s\nsector: %s\nurl: %s\nserve:\n  listen: %s\nlog:\n  level: error\n", s.id, s.institution, s.sector, s.url, addr)
	if err := os.MkdirAll(s.home, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(s.home, "config.yaml"), []byte(config), 0o600); err != nil {
		return err
	}
	home, err := node.OpenHome(s.home)
	if err != nil {
		return err
	}
	opt := d.options
	opt.Network, opt.Log = true, slog.New(slog.NewTextHandler(d.err, &slog.HandlerOptions{Level: slog.LevelError}))
	n, err := node.Start(ctx, home, opt)
	if err != nil {
		return err
	}
	ready, failed := make(chan struct{}), make(chan error, 1)
	d.serving.Go(func() { failed <- n.Serve(ctx, func(string) { close(ready) }) })
	select {
	case <-ready:
	case err := <-failed:
		return err
	}
	d.nodes = append(d.nodes, s)
	d.outcome.Nodes = append(d.outcome.Nodes, demoNode{s.id, s.institution, s.url, s.home})
	return nil
}

// freeAddress is one on this machine where nobody listens.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", &genesis.Error{Op: "demo", Kind: genesis.Unavailable, Msg: "no address of this machine can be listened on", Err: err}
	}
	return l.Addr().String(), l.Close()
}

// close stops the nodes.
func (d *demo) close() {
	if d.stop != nil {
		d.stop()
	}
	d.serving.Wait()
}

// owner is who runs a node.
func (d *demo) owner(s *stand) actor { return actor{name: "owner", at: s} }

// hire gives somebody an account at a node and signs them in.
func (d *demo) hire(s *stand, name, title string, student bool, duties ...genesis.Duty) (actor, error) {
	home := &app{ctx: d.ctx, homePath: s.home, err: d.err}
	c, err := home.connect()
	if err != nil {
		return actor{}, err
	}
	defer home.close()
	password := strings.ToLower(rand.Text()[:12])
	if _, err := c.CreateAccount(d.ctx, genesis.AccountRequest{Subject: name, Name: title, Duties: duties, Password: password}); err != nil {
		return actor{}, err
	}
	if student {
		if _, err := c.ChangeAccount(d.ctx, name, genesis.AccountChange{Student: &student}); err != nil {
			return actor{}, err
		}
	}
	made, err := c.SignIn(d.ctx, genesis.SignInRequest{Subject: name, Password: password})
	if err != nil {
		return actor{}, err
	}
	d.signIns = append(d.signIns, signIn{actor{name, s, made.Secret}, title, password})
	return actor{name, s, made.Secret}, nil
}

// types has somebody type a command, in this process, and returns what it gave and what
// it printed.
func (d *demo) types(who actor, args ...string) (result any, printed string, err error) {
	var out bytes.Buffer
	a := &app{ctx: d.ctx, in: d.in, out: &out, err: &bytes.Buffer{}, options: d.options, as: signedIn{node: who.at.url, token: who.token}}
	where := []string{"--at", who.at.url}
	if who.token == "" {
		where, a.as = []string{"--home", who.at.home}, signedIn{}
	}
	line, err := a.parse(append(where, args...))
	if err != nil {
		return nil, "", err
	}
	defer a.close()
	err = line.Run(a)
	return a.result, out.String(), err
}

// commandLine is a command as one would type it.
func commandLine(args []string) string {
	words := []string{"genesis"}
	for _, w := range args {
		if w == "" || strings.ContainsAny(w, " ()'\"$~#*?&;|<>") {
			w = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
		}
		words = append(words, w)
	}
	return strings.Join(words, " ")
}

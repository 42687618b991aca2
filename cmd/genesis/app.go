package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/client"
	"github.com/opengenesis/genesis/internal/node"
)

// app is what a command runs with.
type app struct {
	ctx      context.Context
	in       *os.File
	out, err io.Writer
	homePath string
	at       string // URL, or id, of a node elsewhere; "": the home's
	vouch    string // URL of the node that vouches at one that is named by its id; "": the home's
	purpose  string // what the command is for
	json     bool
	style    style
	options  node.Options
	as       signedIn

	client  *client.Client
	home    *client.Client // of the node that vouches, where the command uses another
	node    *node.Node     // when this process serves the home
	uploads []string       // ids of files this command brought to a node elsewhere
	result  any            // what print was given last: the demo looks at it
}

// open returns the home named by --home, $GENESIS_HOME or the default.
func (a *app) open() (*node.Home, error) {
	path := a.homePath
	if path == "" {
		var err error
		if path, err = node.DefaultHome(); err != nil {
			return nil, err
		}
	}
	return node.OpenHome(path)
}

// connect returns a client of the node named by --at, else of the one that serves
// the home; if there is none, this process becomes it.
func (a *app) connect() (*client.Client, error) {
	if a.client != nil {
		return a.client, nil
	}
	c, err := a.reachNode()
	if err == nil && a.purpose != "" {
		c = c.WithPurpose(a.purpose)
	}
	a.client = c
	return c, err
}

func (a *app) reachNode() (c *client.Client, err error) {
	if isNode(a.at) {
		return a.reachMember(genesis.NodeID(a.at))
	}
	return a.reachURL(a.at)
}

// reachURL returns a client of the node at a URL, else of the one that serves the home.
func (a *app) reachURL(at string) (c *client.Client, err error) {
	if at != "" {
		token := a.as.token
		if token == "" {
			token = credential(at)
		}
		return reach(at, token)
	}
	home, err := a.open()
	if err != nil {
		return nil, err
	}
	if a.options.Log == nil {
		a.options.Log = slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	}
	c, a.node, err = join(a.ctx, home, a.options)
	return c, err
}

// reach returns a client of a node elsewhere.
func reach(at, token string) (*client.Client, error) {
	u, err := url.Parse(at)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return nil, &genesis.Error{Op: "reach node", Kind: genesis.Invalid, Subject: at, Msg: "is not the URL of a node", Hint: "write https://data.example.edu"}
	}
	return client.New(at, nil).WithToken(token), nil
}

// close leaves the node. If this process serves it, that waits for others, or
// for Ctrl-C.
func (a *app) close() {
	if a.client != nil {
		a.removeUploads()
		a.client.Close()
	}
	if a.home != nil && a.home != a.client {
		a.home.Close()
	}
	if a.node == nil {
		return
	}
	note := time.AfterFunc(time.Second, func() {
		if a.node.Others() > 0 {
			fmt.Fprintln(a.err, "genesis: done; other commands still use this home, serving them until they end (Ctrl-C cuts them off)")
		}
	})
	defer note.Stop()
	ctx, stop := interruptible(context.Background())
	defer stop()
	if err := a.node.Leave(ctx); err != nil {
		complain(a.err, err)
	}
}

// print writes a command's result: v as JSON, or what human prints.
func (a *app) print(v any, human func(p *printer)) error {
	a.result = v
	if !a.json {
		p := &printer{w: bufio.NewWriter(a.out), style: a.style, width: widthOf(a.out)}
		human(p)
		return p.w.Flush()
	}
	w := bufio.NewWriter(a.out)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	return w.Flush()
}

// aside writes for a person beside what goes to the standard output.
func (a *app) aside(human func(p *printer)) error {
	p := &printer{w: bufio.NewWriter(a.err), style: styleFor(a.err), width: widthOf(a.err)}
	human(p)
	return p.w.Flush()
}

// progress starts showing events on stderr; stop takes the bar away.
func (a *app) progress() (m *meter, stop func()) {
	m = newMeter(a.err)
	return m, m.stop
}

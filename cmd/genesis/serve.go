package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/node"
)

type serveCmd struct {
	Listen string `help:"Listen here instead of at serve.listen of config.yaml." placeholder:"HOST:PORT"`
}

func (serveCmd) Help() string {
	return `Serves the home over HTTP, as config.yaml says (docs/config.md), until Ctrl-C or
SIGTERM; then running requests end, for serve.drain at most. Commands on this
machine go on using the home's socket. SIGHUP reads the TLS certificate again.

Examples:

    genesis serve
    genesis serve --home /data/genesis
    genesis serve --listen 127.0.0.1:0 --json`
}

func (cmd *serveCmd) Run(a *app) error {
	if a.at != "" {
		return &genesis.Error{Op: "serve", Kind: genesis.Invalid, Subject: a.at, Msg: "is a node elsewhere", Hint: "leave out --at and unset $GENESIS_NODE"}
	}
	home, err := a.open()
	if err != nil {
		return err
	}
	if err := home.Config.ListenOn(cmd.Listen); err != nil {
		return err
	}
	a.options.Log = logTo(a.err, home.Config.Log)
	a.options.Network = true
	n, err := takeHome(a.ctx, a.err, home, a.options)
	if err != nil {
		return err
	}
	return n.Serve(a.ctx, func(url string) { cmd.ready(a, home, url) })
}

func (*serveCmd) ready(a *app, home *node.Home, url string) {
	said := struct {
		URL  string `json:"url"`
		Home string `json:"home"`
		PID  int    `json:"pid"`
	}{url, home.Path, os.Getpid()}
	_ = a.print(said, func(p *printer) { // whoever does not read it can still ask the node
		p.line("Serving %s at %s; Ctrl-C or kill %d stops.", clean(home.Path), p.style.bold(url), said.PID)
	})
}

// takeHome becomes the node of a home. A command that serves it now ends sooner
// or later; another `genesis serve` does not.
func takeHome(ctx context.Context, errOut io.Writer, home *node.Home, opt node.Options) (*node.Node, error) {
	for said := false; ; {
		n, err := node.Start(ctx, home, opt)
		if !errors.Is(err, node.ErrBusy) {
			return n, err
		}
		pid, url := home.Server()
		if url != "" {
			return nil, &genesis.Error{Op: "serve", Kind: genesis.Conflict, Subject: home.Path,
				Msg: fmt.Sprintf("is served already, at %s by process %d", url, pid), Hint: fmt.Sprintf("kill %d stops it", pid)}
		}
		if !said && pid != 0 {
			said = true
			fmt.Fprintf(errOut, "genesis: waiting for process %d, which uses this home\n", pid)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// logTo returns the log that the configuration asks for.
func logTo(w io.Writer, c node.LogConfig) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // the configuration takes words that are levels alone
	opt := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, opt))
	}
	return slog.New(slog.NewTextHandler(w, opt))
}

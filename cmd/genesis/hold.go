package main

import (
	"io"

	"github.com/opengenesis/genesis"
)

// holdCmd keeps a home served for a program that has no node of its own in it.
type holdCmd struct{}

func (holdCmd) Help() string {
	return `Serves the home on its socket, like any command, until the standard input ends; if
another process serves it, keeps that one from leaving. The Python package starts it: a
program that is killed closes the input, and nothing stays behind.

Examples:

    genesis hold`
}

func (holdCmd) Run(a *app) error {
	if a.at != "" {
		return &genesis.Error{Op: "hold", Kind: genesis.Invalid, Subject: a.at, Msg: "is a node elsewhere", Hint: "leave out --at and unset $GENESIS_NODE"}
	}
	if _, err := a.connect(); err != nil {
		return err
	}
	said := struct {
		Serves bool `json:"serves"` // false: another process does
	}{a.node != nil}
	if err := a.print(said, func(p *printer) { p.line("The home is served until the standard input ends.") }); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { // a read cannot be interrupted
		_, err := io.Copy(io.Discard, a.in)
		ended <- err
	}()
	select {
	case err := <-ended:
		return err
	case <-a.ctx.Done():
		return nil
	}
}

package main

import "github.com/opengenesis/genesis"

type demoCmd struct {
	Once bool `help:"Do the job and end, instead of going on to serve what was made."`
}

func (demoCmd) Help() string {
	return `Prepares the sample data that ships with Genesis, trains a model on each dataset
and predicts, in a home of its own.

Examples:

    genesis demo --once`
}

func (demoCmd) Run(*app) error {
	return &genesis.Error{Op: "demo", Kind: genesis.Unsupported, Msg: "is not part of this build yet"}
}

package main

import (
	"os"

	"github.com/opengenesis/genesis"
)

// workerCmd is for the node alone, which starts this program again for every
// run. It is no client of a node, so [run] takes it before there is an app.
type workerCmd struct{}

// Run is not reached.
func (workerCmd) Run(*app) error {
	return &genesis.Error{Op: "worker", Kind: genesis.Internal, Msg: "is started by the node alone"}
}

// workerCommand is how this program starts itself as a worker; nil, so that runs
// compute in this process, where the system does not say what it is.
func workerCommand() []string {
	exe, err := os.Executable()
	if err != nil {
		return nil
	}
	return []string{exe, "worker"}
}

package main

import (
	"os"

	"github.com/opengenesis/genesis/internal/node"
)

// workerCmd is the process of one run. A node starts it; people do not.
type workerCmd struct {
	Home string `arg:"" help:"The home whose blobs it reads and writes." placeholder:"DIR"`
}

func (workerCmd) Help() string {
	return `The process in which a node computes one run. It is started by genesis itself.

Examples:

    genesis worker DIR`
}

func (cmd *workerCmd) Run(a *app) error {
	panic(exitStatus(node.Worker(cmd.Home, a.in, os.Stdout, os.Stderr)))
}

package main

import (
	"os"

	"github.com/opengenesis/genesis/internal/node"
)

// workerCmd computes one run. Nodes start it; it is of no use to people.
type workerCmd struct{}

func (workerCmd) Run() error {
	exit(node.Worker(os.Stdin, os.Stdout, os.Stderr))
	return nil
}

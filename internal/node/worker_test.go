package node

import (
	"os"
	"testing"
)

// TestMain lets the test's own program be the worker that nodes start.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == workerCommand {
		os.Exit(Worker(os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

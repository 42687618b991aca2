//go:build !linux && !darwin

package node

import (
	"context"

	"github.com/opengenesis/genesis"
)

// Node serves a home.
type Node struct{}

// Start refuses: this platform has no sockets that pass open files.
func Start(context.Context, *Home, Options) (*Node, error) {
	return nil, &genesis.Error{Op: "serve", Kind: genesis.Unsupported, Msg: "this platform runs no node of its own",
		Hint: "use Linux, macOS or the Windows Subsystem for Linux"}
}

// Sockets returns where the sockets of whoever serves the home lie.
func (h *Home) Sockets() (string, error) { return h.Path, nil }

// Others returns how many sessions and requests the node serves now.
func (n *Node) Others() int { return 0 }

// Server returns the process that serves the home.
func (h *Home) Server() (int, string) { return 0, "" }

// Serve refuses, like Start.
func (n *Node) Serve(context.Context, func(string)) error {
	_, err := Start(context.Background(), nil, Options{})
	return err
}

// Leave stops serving.
func (n *Node) Leave(context.Context) error { return nil }

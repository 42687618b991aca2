//go:build !linux && !darwin

package client

import (
	"context"
	"errors"
	"os"

	"github.com/opengenesis/genesis"
)

// ErrNoNode says that nobody serves the home: the caller may serve it itself.
var ErrNoNode = errors.New("no node serves this home")

type session struct{ id string }

func (s *session) close() error { return nil }

// Dial reaches a node on this machine, which this platform cannot have.
func Dial(context.Context, string) (*Client, error) {
	return nil, &genesis.Error{Op: "reach node", Kind: genesis.Unsupported, Msg: "this platform runs no node of its own",
		Hint: "use Linux, macOS or the Windows Subsystem for Linux"}
}

// HandOver passes an open file to a node on this machine.
func (c *Client) HandOver(_ context.Context, _ *os.File, path string) (genesis.FileRef, error) {
	return genesis.FileRef{}, &genesis.Error{Op: "hand over", Kind: genesis.Unsupported, Subject: path, Msg: "this platform runs no node of its own"}
}

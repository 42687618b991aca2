package main

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/client"
	"github.com/opengenesis/genesis/internal/node"
)

// joinTimeout bounds how long a process may hold the lock without answering,
// for instance while it starts or leaves.
const joinTimeout = 30 * time.Second

// join finds the node that serves the home. When nobody does it takes the lock
// and serves: the second result is then not nil. Two commands that start at
// once both come here: one gets the lock, the other finds its sockets a moment
// later. One that meets a leaving node finds no greeting and tries again.
func join(ctx context.Context, home *node.Home, opt node.Options) (*client.Client, *node.Node, error) {
	var serving *node.Node
	deadline := time.Now().Add(joinTimeout)
	for wait := 2 * time.Millisecond; ; wait = min(2*wait, 200*time.Millisecond) {
		c, err := dial(ctx, home)
		if err == nil {
			return c, serving, nil
		}
		if !errors.Is(err, client.ErrNoNode) || serving != nil {
			return nil, serving, err
		}
		serving, err = node.Start(ctx, home, opt)
		if err == nil {
			continue
		}
		if !errors.Is(err, node.ErrBusy) {
			return nil, nil, err
		}
		if err := pause(ctx, home, wait, deadline); err != nil {
			return nil, nil, err
		}
	}
}

func dial(ctx context.Context, home *node.Home) (*client.Client, error) {
	dir, err := home.Sockets()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, client.ErrNoNode
	}
	if err != nil {
		return nil, err
	}
	return client.Dial(ctx, dir)
}

// pause waits before the next try, until the deadline.
func pause(ctx context.Context, home *node.Home, wait time.Duration, deadline time.Time) error {
	if time.Now().After(deadline) {
		return &genesis.Error{Op: "open home", Kind: genesis.Unavailable, Subject: home.Path,
			Msg:  "is held by another process that does not answer",
			Hint: "the file lock in the home names the process; end it and try again"}
	}
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return &genesis.Error{Op: "open home", Kind: genesis.Canceled, Subject: home.Path, Msg: "canceled", Err: ctx.Err()}
	}
}

package access_test

import (
	"testing"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/access/accesstest"
)

// open returns a world at a node of another name; "" is one that has none yet.
func open(t testing.TB, node genesis.NodeID) *accesstest.World {
	t.Helper()
	return accesstest.Open(t, func(c *access.Config) {
		if c.Node = node; node != accesstest.Home {
			c.Charter = access.Alone(genesis.Member{ID: node})
		}
	})
}

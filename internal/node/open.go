package node

import (
	"context"

	"github.com/opengenesis/genesis"
)

// openWork puts the service of a home together. It is the one place that knows
// how.
func openWork(_ context.Context, h *Home) (Service, error) {
	return nil, &genesis.Error{Op: "serve", Kind: genesis.Unsupported, Subject: h.Path, Msg: "this build has no service"}
}

//go:build !linux && !darwin

package run

import (
	"context"
	"encoding/json"
	"os"

	"github.com/opengenesis/genesis"
)

// child refuses: this platform runs no node.
func (m *Manager) child(context.Context, context.CancelCauseFunc, *active, Job, []*os.File) (json.RawMessage, error) {
	return nil, &genesis.Error{Op: "start run", Kind: genesis.Unsupported, Msg: "this platform runs no workers"}
}

func inheritFiles() {}

func confine(int64) error { return nil }

func machineMemory() int64 { return 8 << 30 }

//go:build !linux && !darwin

package node

import (
	"context"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/work"
)

func backUpOf(*Home, *work.Config) func(context.Context, genesis.BackupRequest, genesis.Progress) (*genesis.Backup, error) {
	return nil
}

// Restore refuses: this platform runs no node of its own.
func Restore(context.Context, string, string, genesis.Digest, genesis.Progress) (*genesis.Restored, error) {
	return nil, &genesis.Error{Op: "restore", Kind: genesis.Unsupported, Msg: "this platform runs no node of its own",
		Hint: "use Linux, macOS or the Windows Subsystem for Linux"}
}

// CheckBackup refuses like Restore.
func CheckBackup(ctx context.Context, from string, want genesis.Digest, p genesis.Progress) (*genesis.Restored, error) {
	return Restore(ctx, from, "", want, p)
}

// DeclareRestored has nothing to declare here.
func (h *Home) DeclareRestored(context.Context, func(context.Context, string) error) error {
	return nil
}

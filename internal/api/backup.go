package api

import (
	"context"

	"github.com/opengenesis/genesis"
)

type backupInput struct{ Body genesis.BackupRequest }

func (s *server) backup(ctx context.Context, who genesis.Principal, in *backupInput, p genesis.Progress) (*genesis.Backup, error) {
	return s.Service.Backup(ctx, who, in.Body, p)
}

package work

import (
	"context"
	"database/sql"
	"path/filepath"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/journal"
)

// Backup copies the home to a place on the node's own machine. A copy holds
// everything, restricted data and keys too, and names a path of that machine: so
// it is made for the home's owner on the home's own socket, and for nobody who
// comes over a network, whatever their duties. The journal says so before the
// first byte.
func (s *Service) Backup(ctx context.Context, who genesis.Principal, req genesis.BackupRequest, p genesis.Progress) (*genesis.Backup, error) {
	if err := s.operates(ctx, who, access.Machine); err != nil {
		return nil, err
	}
	if who.Subject != access.LocalSubject || who.Credential != "" {
		return nil, backupError("", genesis.Permission, "a backup holds the whole home, and is made on the node's own machine",
			"run `genesis backup` there, as the user who owns the home")
	}
	if !filepath.IsAbs(req.Path) {
		return nil, backupError(req.Path, genesis.Invalid, "is not an absolute path", "")
	}
	if s.BackUp == nil {
		return nil, backupError("", genesis.Unsupported, "this node has no home to copy", "")
	}
	err := s.act(ctx, who, "backup", func(_ *sql.Tx, e *journal.Event) error {
		e.Subject, e.Detail = "node", detail(req)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.BackUp(ctx, req, p)
}

func backupError(subject string, kind genesis.ErrorKind, msg, hint string) error {
	return &genesis.Error{Op: "back up", Kind: kind, Subject: subject, Msg: msg, Hint: hint}
}

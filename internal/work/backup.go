package work

import (
	"context"
	"database/sql"
	"encoding/json"
	"path/filepath"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/journal"
)

// Backup copies the home to a place on the node's own machine. A copy holds
// everything, restricted data and keys too, so it is made for the home's owner
// on the home's own socket and for nobody who comes over a network; and the
// journal says so before the first byte.
func (s *Service) Backup(ctx context.Context, who genesis.Principal, req genesis.BackupRequest, p genesis.Progress) (*genesis.Backup, error) {
	if err := s.may(ctx, who, genesis.Operate, ""); err != nil {
		return nil, err
	}
	if who.Subject != access.LocalSubject || who.Credential != "" {
		return nil, &genesis.Error{Op: "back up", Kind: genesis.Permission, Msg: "a backup holds the whole home, and is made on the node's own machine",
			Hint: "run `genesis backup` there, as the user who owns the home"}
	}
	if !filepath.IsAbs(req.Path) {
		return nil, &genesis.Error{Op: "back up", Kind: genesis.Invalid, Subject: req.Path, Msg: "is not an absolute path"}
	}
	if s.BackUp == nil {
		return nil, &genesis.Error{Op: "back up", Kind: genesis.Unsupported, Msg: "this node has no home to copy"}
	}
	detail, err := json.Marshal(req)
	if err != nil {
		return nil, err
	}
	err = s.DB.Tx(ctx, func(tx *sql.Tx) error {
		return journal.Record(ctx, tx, journal.Event{Actor: who.Subject, Action: "backup", Detail: detail})
	})
	if err != nil {
		return nil, err
	}
	return s.BackUp(ctx, req, p)
}

package work

import (
	"context"
	"database/sql"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/catalog"
)

// commit adds a version in a transaction of its own.
func (s *Service) commit(ctx context.Context, in catalog.Commit) (v genesis.Version, unchanged bool, err error) {
	staged, err := s.Catalog.Stage(ctx, in)
	if err != nil {
		return v, false, err
	}
	defer staged.Close()
	err = s.DB.Tx(ctx, func(tx *sql.Tx) error {
		v, unchanged, err = s.commitTx(ctx, tx, staged, in.Parents)
		return err
	})
	if err == nil {
		s.Access.Changed()
	}
	return v, unchanged, err
}

// commitTx adds a version, and what it owes to those it was made from: it carries
// their constraints from its first moment.
func (s *Service) commitTx(ctx context.Context, tx *sql.Tx, staged *catalog.Staged, parents []genesis.Version) (genesis.Version, bool, error) {
	v, unchanged, err := s.Catalog.CommitTx(ctx, tx, staged)
	if err != nil || len(parents) == 0 {
		return v, unchanged, err
	}
	from := make([]access.Resource, len(parents))
	for i, p := range parents {
		from[i] = resource(p)
	}
	return v, unchanged, s.Access.Derive(ctx, tx, resource(v), from)
}

package work

import (
	"context"
	"database/sql"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/catalog"
)

// commitTx adds a version, and what it owes to those it was made from: it carries
// their constraints from its first moment.
func (s *Service) commitTx(ctx context.Context, tx *sql.Tx, staged *catalog.Staged, parents []genesis.Version) (genesis.Version, bool, error) {
	v, unchanged, err := s.Catalog.CommitTx(ctx, tx, staged)
	if err != nil {
		return v, unchanged, err
	}
	if len(parents) == 0 {
		return v, unchanged, s.moved(ctx, tx, v.Name, v.Digest) // one that was there may have got other records
	}
	from := make([]access.Resource, len(parents))
	for i, p := range parents {
		from[i] = resource(p)
	}
	if err := s.Access.Derive(ctx, tx, resource(v), from); err != nil {
		return v, unchanged, err
	}
	return v, unchanged, s.moved(ctx, tx, v.Name, v.Digest) // of one that was there, and what was made from it
}

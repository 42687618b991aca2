package work

import (
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal"
)

// What the catalogue log says of a version, beside the kinds of its records.
const (
	statedPublished = "publish"
	statedHidden    = "hide" // it goes on, and no longer for everybody
	statedWithdrawn = "withdraw"
	statedErased    = "erase"
)

// state tells whoever follows the catalogue log what now holds of a version that
// everybody may know of, in the transaction that makes it true.
func state(ctx context.Context, tx *sql.Tx, v genesis.Version, what string, record any) error {
	text, err := json.Marshal(record)
	if err != nil {
		return &genesis.Error{Op: "state " + what, Kind: genesis.Internal, Subject: string(v.Name), Err: err}
	}
	return journal.RecordPublic(ctx, tx, journal.Statement{Name: v.Name, Version: v.Digest, Record: what, Digest: genesis.DigestOf(text)})
}

// everybodys reports whether everybody may know of a version under terms: they are
// public, and so is all that it was made from, or was lowered to that.
func (s *Service) everybodys(ctx context.Context, v genesis.Version, terms genesis.Terms) (bool, error) {
	if v.State == genesis.Draft || terms.TierAt(time.Now()) != genesis.TierPublic {
		return false, nil
	}
	sources, err := s.Access.Constraints(ctx, v.Name, v.Digest)
	for _, c := range sources {
		tier := c.Terms.TierAt(time.Now())
		if c.Lowered != nil && c.Lowered.Tier.Wider(tier) {
			tier = c.Lowered.Tier
		}
		if tier != genesis.TierPublic {
			return false, err
		}
	}
	return err == nil, err
}

// known reports whether everybody may know of a version as it is now.
func (s *Service) known(ctx context.Context, v genesis.Version) (bool, error) {
	terms, err := s.Access.Terms(ctx, v.Name, v.Digest)
	if genesis.KindOf(err) == genesis.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return s.everybodys(ctx, v, terms)
}

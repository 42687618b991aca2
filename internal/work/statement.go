package work

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/catalog"
	"github.com/opengenesis/genesis/internal/catalog/find"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/store"
)

// What the logs of the catalogue say of a published version, to each class of people who
// may know of it, follows from its records, terms and grants. Whatever changes these calls
// [Service.moved] in its transaction. What changes by itself, as when an opening comes, is
// noted with its time, and [Service.RestateDue] sees to it.

// restateAtOnce bounds how many versions one transaction states anew: a grant on a dataset
// may move a thousand models. The rest is due at once.
const restateAtOnce = 100

// retryListing is how long a version waits of which no listing can be made.
const retryListing = 10 * time.Minute

// version names a version in the tables about classes.
type version struct {
	name   genesis.Name
	digest genesis.Digest
}

// enlist begins to state a version that was just published.
func (s *Service) enlist(ctx context.Context, tx *sql.Tx, v genesis.Version) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO classed (name, version, due, published) VALUES ($1, $2, 0, $3) ON CONFLICT (name, version) DO NOTHING",
		string(v.Name), string(v.Digest), store.Time(s.now()))
	return store.Error("state version", string(v.Name), err)
}

// moved states anew, in the transaction that moved them, the versions of a name (digest
// "": all of them), and those that were made from them.
func (s *Service) moved(ctx context.Context, tx *sql.Tx, name genesis.Name, digest genesis.Digest) error {
	all, err := due(ctx, tx, "name = $1 AND ($2 = '' OR version = $2)", string(name), string(digest))
	if err != nil {
		return store.Error("state version", string(name), err)
	}
	heirs, err := s.Access.Heirs(ctx, tx, name, digest)
	if err != nil {
		return err
	}
	for _, h := range heirs {
		all = append(all, version{h.Name, h.Version})
	}
	for i, v := range all {
		if i >= restateAtOnce {
			_, err = tx.ExecContext(ctx, "UPDATE classed SET due = 0 WHERE name = $1 AND version = $2", string(v.name), string(v.digest))
		} else {
			err = s.restate(ctx, tx, v)
		}
		if err != nil {
			return store.Error("state version", string(name), err)
		}
	}
	return nil
}

// due returns versions of which classes are kept.
func due(ctx context.Context, tx *sql.Tx, where string, args ...any) ([]version, error) {
	rows, err := tx.QueryContext(ctx, "SELECT name, version FROM classed WHERE "+where, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []version
	for rows.Next() {
		var v version
		if err := rows.Scan(&v.name, &v.digest); err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// leaves is how a version in a state leaves the classes that knew of it.
var leaves = map[genesis.State]string{genesis.Withdrawn: journal.StatedGone, genesis.Erased: journal.StatedErased}

// restate makes the logs say what holds of a version as the transaction has it. One that
// was never published is in none.
func (s *Service) restate(ctx context.Context, tx *sql.Tx, of version) error {
	var published int64
	err := tx.QueryRowContext(ctx, "SELECT published FROM classed WHERE name = $1 AND version = $2", string(of.name), string(of.digest)).Scan(&published)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	v, err := s.Catalog.VersionTx(ctx, tx, genesis.Version{Name: of.name, Digest: of.digest})
	if err != nil {
		return err
	}
	now := s.now()
	p := journal.Presence{Name: of.name, Version: of.digest, Leaves: journal.StatedHide, Time: now}
	if v.State != genesis.Published {
		if how := leaves[v.State]; how != "" {
			p.Leaves = how
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM classed WHERE name = $1 AND version = $2", string(of.name), string(of.digest))
		if err != nil {
			return err
		}
		return journal.Restate(ctx, tx, p)
	}
	until, err := s.present(ctx, tx, v, &published, &p)
	if err != nil {
		return err
	}
	if err := catalog.Touch(ctx, tx, catalog.AtOnce, find.ID{Name: of.name, Version: of.digest}); err != nil { // whoever may know of it searches for it, too
		return err
	}
	again := sql.NullInt64{Int64: store.Time(until), Valid: !until.IsZero()}
	_, err = tx.ExecContext(ctx, "UPDATE classed SET due = $1, published = $2 WHERE name = $3 AND version = $4", again, published, string(of.name), string(of.digest))
	if err != nil {
		return err
	}
	return journal.Restate(ctx, tx, p)
}

// present fills in what a published version is to those who may know of it, and returns
// until when. Where no listing can be made of it, because something of it is damaged,
// nobody is told of it for a while.
func (s *Service) present(ctx context.Context, tx *sql.Tx, v genesis.Version, published *int64, p *journal.Presence) (time.Time, error) {
	reach, err := s.Access.Reach(ctx, tx, resource(v), p.Time)
	if err != nil || len(reach.Classes) == 0 {
		return reach.Until, err
	}
	p.Listings, err = s.listings(ctx, tx, v, reach.Classes, published, p.Time)
	if genesis.KindOf(err) == genesis.Internal || genesis.KindOf(err) == genesis.Unsupported || genesis.KindOf(err) == genesis.NotFound {
		s.log().Error("a version cannot be listed", "version", v.Ref().String(), "error", err)
		p.Listings, err = nil, nil
		return p.Time.Add(retryListing), nil
	}
	return reach.Until, err
}

// listings are those of a version for each class.
func (s *Service) listings(ctx context.Context, tx *sql.Tx, v genesis.Version, classes []genesis.Class, published *int64, now time.Time) (map[genesis.Class][]byte, error) {
	l, sources, err := s.Catalog.ListingTx(ctx, tx, v)
	if err != nil {
		return nil, err
	}
	terms, err := s.Access.TermsTx(ctx, tx, v.Name, v.Digest)
	if err != nil {
		return nil, err
	}
	if *published == 0 { // before this was kept: when it last got terms
		*published = store.Time(terms.At)
	}
	l.Node, l.Tier, l.Published = s.Node, terms.TierAt(now), store.TimeAt(*published)
	origins, err := s.origins(ctx, tx, sources, now)
	if err != nil {
		return nil, err
	}
	all := map[genesis.Class][]byte{}
	for _, class := range classes {
		l.Inputs = nil
		for _, in := range origins {
			if in.reach.Of(class) {
				l.Inputs = append(l.Inputs, in.ref)
			}
		}
		if all[class], err = catalog.EncodeListing(l); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// origin is something that a version was made from, and who may know of that.
type origin struct {
	ref   string
	reach access.Reach
}

// mostInputs bounds how many inputs of a version are looked at: more are not listed.
const mostInputs = 50

// origins are what a version was made from, each once and in order.
func (s *Service) origins(ctx context.Context, tx *sql.Tx, refs []genesis.Ref, now time.Time) ([]origin, error) {
	var all []origin
	for _, ref := range refs[:min(len(refs), mostInputs)] {
		if slices.ContainsFunc(all, func(in origin) bool { return in.ref == nodeRef(s.Node, ref) }) {
			continue
		}
		v, err := s.Catalog.VersionTx(ctx, tx, genesis.Version{Name: ref.Name, Digest: ref.Digest})
		if genesis.KindOf(err) == genesis.NotFound || err == nil && v.State != genesis.Published {
			continue
		}
		if err != nil {
			return nil, err
		}
		reach, err := s.Access.Reach(ctx, tx, resource(v), now)
		if err != nil {
			return nil, err
		}
		all = append(all, origin{nodeRef(s.Node, ref), reach})
	}
	slices.SortFunc(all, func(a, b origin) int {
		if a.ref < b.ref {
			return -1
		}
		return 1
	})
	return all, nil
}

// nodeRef is how a version of this node is named elsewhere.
func nodeRef(node genesis.NodeID, ref genesis.Ref) string {
	ref.Node = node
	return ref.String()
}

// RestateDue states anew what is due: classes that changed by themselves, and all of them
// when the members or the policies are others than they were.
func (s *Service) RestateDue(ctx context.Context) error {
	if err := s.rebase(ctx); err != nil {
		return err
	}
	began := s.now() // what is due again by then is for the next time
	for {
		n, err := s.restateSome(ctx, began)
		if err != nil || n < restateAtOnce {
			return err
		}
	}
}

// restateSome states anew, in one transaction, what was due at a time, and returns how much
// that was.
func (s *Service) restateSome(ctx context.Context, at time.Time) (n int, err error) {
	if some, err := s.anyDue(ctx, store.Time(at)); err != nil || !some {
		return 0, err
	}
	err = s.DB.Tx(ctx, func(tx *sql.Tx) error {
		all, err := due(ctx, tx, "due IS NOT NULL AND due <= $1 ORDER BY due, name, version LIMIT $2", store.Time(at), restateAtOnce)
		if err != nil {
			return store.Error("state versions", "", err)
		}
		n = len(all)
		return s.restateAll(ctx, tx, all)
	})
	return n, err
}

func (s *Service) restateAll(ctx context.Context, tx *sql.Tx, all []version) error {
	for _, v := range all {
		if err := s.restate(ctx, tx, v); err != nil {
			return store.Error("state version", string(v.name), err)
		}
	}
	return nil
}

// basis is what all classes follow from, and whether that is what it was.
func (s *Service) basis(ctx context.Context) (now string, same bool, err error) {
	now = string(genesis.DigestOf([]byte(string(s.Access.Basis()) + " listing " + strconv.Itoa(genesis.ListingFormat))))
	var was string
	err = s.DB.Read().QueryRowContext(ctx, "SELECT digest FROM class_basis WHERE id = 1").Scan(&was)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return now, was == now, store.Error("state versions", "", err)
}

// rebase makes everything due when what all classes follow from is another.
func (s *Service) rebase(ctx context.Context) error {
	basis, same, err := s.basis(ctx)
	if err != nil || same {
		return err
	}
	return s.DB.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE classed SET due = 0")
		if err == nil {
			_, err = tx.ExecContext(ctx, "INSERT INTO class_basis (id, digest) VALUES (1, $1) ON CONFLICT (id) DO UPDATE SET digest = excluded.digest", basis)
		}
		return store.Error("state versions", "", err)
	})
}

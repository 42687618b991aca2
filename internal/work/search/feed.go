package search

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/catalog"
	"github.com/opengenesis/genesis/internal/catalog/find"
	"github.com/opengenesis/genesis/internal/store"
)

const (
	feedPage  = 1000                   // changes that are taken at once
	feedEvery = 500 * time.Millisecond // in which what is not urgent is looked for
	most      = 500                    // changes for which a search waits
	buildWait = time.Second            // and for an index that is being built

	// ownVariables is how many columns a version of this node is found by here: more than
	// its listing has room for, by which it is found elsewhere.
	ownVariables = 4096
)

// open opens the index, once, and has it filled if it is not that of the database.
func (s *Searcher) open(ctx context.Context) (*find.Index, error) {
	s.opening.Lock()
	defer s.opening.Unlock()
	if s.index != nil {
		return s.index, nil
	}
	series, err := s.Catalog.Series(ctx)
	if err != nil {
		return nil, err
	}
	ix, err := find.Open(s.Dir, find.Options{Disk: s.Disk, Log: s.Log})
	if err != nil {
		return nil, err
	}
	s.index = ix
	if series == "" || ix.Mark() != series {
		s.build()
	}
	return ix, nil
}

// build fills the index from the beginning, in the background.
func (s *Searcher) build() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.built != nil || s.ended.Err() != nil {
		return
	}
	built := make(chan struct{})
	s.built = built
	s.running.Go(func() {
		began := s.Now()
		err := s.fill(s.ended)
		switch {
		case err == nil:
			s.Log.Info("the search index is built", "seconds", s.Now().Sub(began).Seconds())
		case s.ended.Err() == nil:
			s.Log.Error("the search index cannot be built", "error", err)
		}
		s.mu.Lock()
		s.built = nil
		s.mu.Unlock()
		close(built)
	})
}

// building waits for an index that is being built, but not for long, and reports whether it still
// is.
func (s *Searcher) building(ctx context.Context) bool {
	s.mu.Lock()
	built := s.built
	s.mu.Unlock()
	if built == nil {
		return false
	}
	select {
	case <-built:
		return false
	case <-ctx.Done():
	case <-time.After(buildWait):
	}
	return true
}

// fill fills an empty index: with all versions of this node, page by page, and all that is
// mirrored. What changes meanwhile is noted, and taken between pages.
func (s *Searcher) fill(ctx context.Context) error {
	series := rand.Text()
	if err := s.Catalog.BeginSeries(ctx, series); err != nil {
		return err
	}
	if err := s.index.Reset(); err != nil {
		return err
	}
	err := s.Catalog.EachFound(ctx, catalog.Own{All: true}, func(page []genesis.Version) error {
		ids := make([]find.ID, len(page))
		for i, v := range page {
			ids[i] = find.ID{Name: v.Name, Version: v.Digest}
		}
		if err := s.put(ctx, ids); err != nil {
			return err
		}
		return s.take(ctx, catalog.AtOnce)
	})
	if err == nil {
		err = s.putMirrored(ctx, "")
	}
	if err == nil {
		err = s.apply(ctx, find.Batch{Mark: series})
	}
	if err == nil {
		err = s.take(ctx, catalog.Soon)
	}
	return err
}

// take brings what was noted into the index, of at least some urgency.
func (s *Searcher) take(ctx context.Context, least catalog.Urgency) error {
	s.taking.Lock()
	defer s.taking.Unlock()
	for {
		ids, seq, err := s.Catalog.Touched(ctx, least, feedPage)
		if err != nil || len(ids) == 0 {
			return err
		}
		if err := s.putLocked(ctx, ids); err != nil {
			return err
		}
		if err := s.Catalog.Taken(ctx, least, seq); err != nil {
			return err
		}
	}
}

// put brings documents into the index as the database has them, or out of it.
func (s *Searcher) put(ctx context.Context, ids []find.ID) error {
	s.taking.Lock()
	defer s.taking.Unlock()
	return s.putLocked(ctx, ids)
}

func (s *Searcher) putLocked(ctx context.Context, ids []find.ID) error {
	var b find.Batch
	for _, id := range ids {
		switch {
		case id.Node == "":
			if err := s.addOwn(ctx, &b, id); err != nil {
				return err
			}
		case s.Mirror == nil:
		case id.Name == "":
			if err := s.apply(ctx, b); err != nil {
				return err
			}
			b = find.Batch{}
			if err := s.putNode(ctx, id.Node); err != nil {
				return err
			}
		default:
			d, err := s.Mirror.Document(ctx, id)
			switch {
			case genesis.KindOf(err) == genesis.NotFound:
				b.Delete = append(b.Delete, id)
			case err != nil:
				return err
			default:
				b.Put = append(b.Put, d)
			}
		}
	}
	s.mu.Lock()
	s.changes++
	s.mu.Unlock()
	return s.apply(ctx, b)
}

// putNode takes all that is mirrored of a node anew.
func (s *Searcher) putNode(ctx context.Context, node genesis.NodeID) error {
	if err := s.apply(ctx, find.Batch{Delete: []find.ID{{Node: node}}}); err != nil {
		return err
	}
	return s.addMirrored(ctx, node)
}

// putMirrored adds what is mirrored, of a node or of all.
func (s *Searcher) putMirrored(ctx context.Context, node genesis.NodeID) error {
	s.taking.Lock()
	defer s.taking.Unlock()
	return s.addMirrored(ctx, node)
}

func (s *Searcher) addMirrored(ctx context.Context, node genesis.NodeID) error {
	if s.Mirror == nil {
		return nil
	}
	var b find.Batch
	for d, err := range s.Mirror.Documents(ctx, node) {
		if err != nil {
			return err
		}
		if b.Put = append(b.Put, d); len(b.Put) == 10*feedPage {
			if err := s.apply(ctx, b); err != nil {
				return err
			}
			b = find.Batch{}
		}
	}
	return s.apply(ctx, b)
}

// apply changes the index. Of documents that cannot be in it, the others are.
func (s *Searcher) apply(ctx context.Context, b find.Batch) error {
	if len(b.Put)+len(b.Delete) == 0 && b.Mark == "" {
		return nil
	}
	err := s.index.Apply(ctx, b)
	if genesis.KindOf(err) != genesis.Invalid || len(b.Put) == 0 {
		return err
	}
	if len(b.Put) == 1 {
		s.Log.Warn("a version cannot be found: its listing is not one that can be searched", "node", b.Put[0].Node, "name", b.Put[0].Name, "why", err)
		return s.apply(ctx, find.Batch{Delete: append(b.Delete, b.Put[0].ID()), Mark: b.Mark})
	}
	half := len(b.Put) / 2
	if err := s.apply(ctx, find.Batch{Delete: b.Delete, Put: b.Put[:half]}); err != nil {
		return err
	}
	return s.apply(ctx, find.Batch{Put: b.Put[half:], Mark: b.Mark})
}

// addOwn adds what is found of a version of this node to a batch. What is damaged is not
// found.
func (s *Searcher) addOwn(ctx context.Context, b *find.Batch, id find.ID) error {
	var d find.Document
	err := s.DB.Snapshot(ctx, func(tx *sql.Tx) (err error) {
		d, err = s.document(ctx, tx, id)
		return err
	})
	switch genesis.KindOf(err) {
	case "":
		b.Put = append(b.Put, d)
		return nil
	case genesis.Internal, genesis.Unsupported:
		s.Log.Error("a version cannot be found", "name", id.Name, "version", id.Version, "error", err)
	case genesis.NotFound:
	default:
		return err
	}
	b.Delete = append(b.Delete, find.ID{Node: s.Node, Name: id.Name, Version: id.Version})
	return nil
}

// document is what is found of a version of this node. It names all that the version was
// made from: who is shown it is shown of that what they may know of.
func (s *Searcher) document(ctx context.Context, tx *sql.Tx, id find.ID) (find.Document, error) {
	v, d, sources, err := s.Catalog.FoundTx(ctx, tx, id.Name, id.Version)
	if err != nil {
		return d, err
	}
	now := s.Now()
	reach, err := s.Access.Reach(ctx, tx, resource(v), now)
	if err != nil {
		return d, err
	}
	d.Node, d.Classes = s.Node, ownClasses(reach)
	for _, ref := range sources {
		ref.Node = s.Node
		d.Inputs = append(d.Inputs, ref.String())
	}
	if v.State == genesis.Published {
		terms, err := s.Access.TermsTx(ctx, tx, v.Name, v.Digest)
		if err != nil && genesis.KindOf(err) != genesis.NotFound {
			return d, err
		}
		d.Tier = terms.TierAt(now)
		if d.Published, err = published(ctx, tx, id); err != nil {
			return d, err
		}
	}
	columns := d.Variables[:min(len(d.Variables), ownVariables)]
	all := len(d.Variables) + d.More
	if d.Listing, err = fit(d.Listing); err != nil {
		return d, err
	}
	d.Variables, d.More = columns, all-len(columns)
	return d, nil
}

// fit is a listing as others are told it: no longer than one may be.
func fit(l genesis.Listing) (out genesis.Listing, err error) {
	text, err := catalog.EncodeListing(l)
	if err != nil {
		return out, err
	}
	if err := json.Unmarshal(text, &out); err != nil {
		return out, &genesis.Error{Op: "index version", Kind: genesis.Internal, Subject: string(l.Name), Err: err}
	}
	return out, nil
}

func published(ctx context.Context, tx *sql.Tx, id find.ID) (time.Time, error) {
	var at int64
	err := tx.QueryRowContext(ctx, "SELECT coalesce(max(published), 0) FROM classed WHERE name = $1 AND version = $2", string(id.Name), string(id.Version)).Scan(&at)
	if err != nil || at == 0 {
		return time.Time{}, store.Error("read version", string(id.Name), err)
	}
	return store.TimeAt(at), nil
}

// resource is a version as access knows it.
func resource(v genesis.Version) access.Resource {
	return access.Resource{Name: v.Name, Version: v.Digest, State: v.State, Kind: v.Kind, Creator: genesis.PersonID(v.Creator)}
}

// Run brings what other nodes have to say into the index until ctx ends.
func (s *Searcher) Run(ctx context.Context) {
	s.mu.Lock()
	s.follows = true
	s.mu.Unlock()
	tick := time.NewTicker(feedEvery)
	defer tick.Stop()
	for {
		_, err := s.open(ctx)
		if err == nil && !s.isBuilding() {
			err = s.take(ctx, catalog.Soon)
		}
		if err != nil && ctx.Err() == nil {
			s.Log.Error("the search index is behind", "error", err)
			s.mend(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (s *Searcher) isBuilding() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.built != nil
}

// mend has an index that is damaged built again, and reports whether it was.
func (s *Searcher) mend(err error) bool {
	var damaged *genesis.Error
	if !errors.As(err, &damaged) || damaged.Op != find.Damaged {
		return false
	}
	s.build()
	return true
}

// Scrub has nothing left in any file of what was erased: it takes what was noted, and
// writes anew what holds anything deleted.
func (s *Searcher) Scrub(ctx context.Context) error {
	ix, err := s.open(ctx)
	if err != nil {
		return err
	}
	if err := s.take(ctx, catalog.AtOnce); err != nil {
		return err
	}
	return ix.Scrub(ctx)
}

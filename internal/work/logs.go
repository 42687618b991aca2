package work

import (
	"context"
	"database/sql"
	"slices"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/access"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/journal/tile"
	"github.com/opengenesis/genesis/internal/store"
)

// Logs are the logs of the catalogue that somebody may follow.
func (s *Service) Logs(_ context.Context, who genesis.Principal) (*genesis.LogList, error) {
	all := slices.DeleteFunc(s.Journal.Logs(), func(l genesis.LogInfo) bool { return !s.Access.Follows(who, l.Class) })
	return &genesis.LogList{Logs: all}, nil
}

// classLog is one epoch of the log of a class. One that somebody may not follow is as if
// it were not there.
func (s *Service) classLog(who genesis.Principal, class genesis.Class, epoch int) (*tile.Log, error) {
	if !s.Access.Follows(who, class) {
		return nil, journal.NoLog(class)
	}
	return s.Journal.Log(class, epoch)
}

// LogCheckpoint is the latest signed checkpoint of an epoch of a log.
func (s *Service) LogCheckpoint(_ context.Context, who genesis.Principal, class genesis.Class, epoch int) ([]byte, error) {
	log, err := s.classLog(who, class, epoch)
	if err != nil {
		return nil, err
	}
	return log.Checkpoint(), nil
}

// LogTile is a tile or bundle of a log, by its path in https://c2sp.org/tlog-tiles
// without the "tile/" before it: its bytes never change.
func (s *Service) LogTile(_ context.Context, who genesis.Principal, class genesis.Class, epoch int, path string) ([]byte, error) {
	log, err := s.classLog(who, class, epoch)
	if err != nil {
		return nil, err
	}
	level, n, width, ok := tile.ParsePath(path)
	if !ok {
		return nil, &genesis.Error{Op: "read log", Kind: genesis.NotFound, Subject: "tile/" + path, Msg: "is not the path of a tile", Hint: "https://c2sp.org/tlog-tiles"}
	}
	return log.Tile(level, n, width)
}

// LogStatements is a stretch of the log of a class with what its entries say, where that
// holds and who asks may know of it.
func (s *Service) LogStatements(ctx context.Context, who genesis.Principal, class genesis.Class, from int64, limit int) (*genesis.StatedPage, error) {
	if !s.Access.Follows(who, class) {
		return nil, journal.NoLog(class)
	}
	all, err := s.hearsAll(ctx, who, class)
	if err != nil {
		return nil, err
	}
	told, size, err := s.Journal.Statements(ctx, class, from, limit)
	if err != nil {
		return nil, err
	}
	late, err := s.late(ctx, told)
	if err != nil {
		return nil, err
	}
	if len(late) > 0 { // what does not hold any more is not told, and nothing is passed over that holds
		if err := s.DB.Tx(ctx, func(tx *sql.Tx) error { return s.restateAll(ctx, tx, late) }); err != nil {
			return nil, err
		}
		if told, size, err = s.Journal.Statements(ctx, class, from, limit); err != nil {
			return nil, err
		}
	}
	page := &genesis.StatedPage{Statements: make([]genesis.Stated, 0, len(told)), Size: size}
	for _, t := range told {
		one := genesis.Stated{Place: t.Place}
		may := all && t.Holds()
		if !all {
			if may, err = s.mayHear(ctx, who, t); err != nil {
				return nil, err
			}
		}
		if may {
			one.Text, one.Salt, one.Listing = t.Text, t.Salt, t.Listing
		}
		page.Statements = append(page.Statements, one)
	}
	return page, nil
}

// hearsAll reports whether who may know of whatever everybody of a class may, so that
// nothing of its log has to be decided one by one. It brings classes up to date, as
// decisions are.
func (s *Service) hearsAll(ctx context.Context, who genesis.Principal, class genesis.Class) (bool, error) {
	if err := s.follow(ctx); err != nil {
		return false, err
	}
	o := s.Access.Outlook(who)
	return o.Exact && o.Narrow == nil && slices.Contains(o.Classes, class), nil
}

// mayHear decides whether who may know of what a statement is about: the class says so of
// people of whom nothing is known, and more may be known of who asks.
func (s *Service) mayHear(ctx context.Context, who genesis.Principal, t journal.Told) (bool, error) {
	if !t.Holds() || t.Statement.Record != journal.StatedListing {
		return t.Holds(), nil
	}
	r := access.Resource{Name: t.Statement.Name, Version: t.Statement.Version, State: genesis.Published}
	_, err := s.Access.Decide(ctx, s.ask(who, genesis.Discover, r))
	if err != nil && !isRefusal(err) {
		return false, unnamed(err)
	}
	return err == nil, nil
}

// late are the versions of a page whose classes have to be worked out before it is told.
func (s *Service) late(ctx context.Context, told []journal.Told) (all []version, err error) {
	now := store.Time(s.now())
	if some, err := s.anyDue(ctx, now); err != nil || !some {
		return nil, err
	}
	for _, t := range told {
		if !t.Holds() || t.Statement.Record != journal.StatedListing {
			continue
		}
		var is bool
		err := s.DB.Read().QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM classed WHERE name = $1 AND version = $2 AND due IS NOT NULL AND due <= $3)",
			string(t.Statement.Name), string(t.Statement.Version), now).Scan(&is)
		if err != nil {
			return nil, store.Error("read log", "", err)
		}
		if is {
			all = append(all, version{t.Statement.Name, t.Statement.Version})
		}
	}
	return all, nil
}

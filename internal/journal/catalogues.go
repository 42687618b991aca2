package journal

import (
	"context"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal/disk"
	"github.com/opengenesis/genesis/internal/journal/tile"
	"github.com/opengenesis/genesis/internal/store"
)

// cataloguePrefix is how the names of the catalogue's logs begin; the class follows.
const cataloguePrefix = "catalog-"

// catalogues are the logs of the catalogue, one for each class. That of what everybody
// may know of is always there; others are made with their first statement, by the
// sequencer.
type catalogues struct {
	dir     string
	private *private
	db      *store.DB
	make    func(name string) *series

	mu     sync.RWMutex
	byName map[string]*catalogue
}

// openAll opens the logs that there are.
func (c *catalogues) openAll(ctx context.Context) error {
	found, err := os.ReadDir(c.dir)
	if err != nil {
		return disk.Error(operating, c.dir, err)
	}
	names := map[string]bool{cataloguePrefix + string(genesis.ClassPublic): true}
	for _, f := range found {
		if class, ok := strings.CutPrefix(f.Name(), cataloguePrefix); ok && f.IsDir() && genesis.CheckClass(genesis.Class(class)) == nil {
			names[f.Name()] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if _, err := c.open(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// open opens a log, and makes it where it is missing.
func (c *catalogues) open(ctx context.Context, name string) (*catalogue, error) {
	if one := c.find(name); one != nil {
		return one, nil
	}
	one := &catalogue{log: c.make(name), private: c.private, db: c.db}
	if err := one.open(ctx); err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byName[name] = one
	return one, nil
}

func (c *catalogues) find(name string) *catalogue {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.byName[name]
}

// all are the logs in order of name.
func (c *catalogues) all() []*catalogue {
	c.mu.RLock()
	defer c.mu.RUnlock()
	all := make([]*catalogue, 0, len(c.byName))
	for _, name := range slices.Sorted(maps.Keys(c.byName)) {
		all = append(all, c.byName[name])
	}
	return all
}

// drain brings the statements of the outbox into their logs. There may be as many logs
// as members: between is called after each, so that nothing waits for all of them.
func (c *catalogues) drain(ctx context.Context, between func() error) error {
	names, err := c.waiting(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		one, err := c.open(ctx, name)
		if err == nil {
			err = one.drain(ctx)
		}
		if err == nil {
			err = between()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// waiting are the logs for which statements wait in the outbox.
func (c *catalogues) waiting(ctx context.Context) ([]string, error) {
	all, err := store.Column[string](ctx, c.db.Read(), "SELECT DISTINCT log FROM outbox WHERE log > $1 AND log < $2 ORDER BY log", cataloguePrefix, cataloguePrefix+"~")
	return all, store.Error("read outbox", "", err)
}

// beginEpoch begins the next epoch of each log in which there is something.
func (c *catalogues) beginEpoch() error {
	for _, one := range c.all() {
		if err := one.beginEpoch(); err != nil {
			return err
		}
	}
	return nil
}

// renamed reports whether a log was begun under another name of the node.
func (c *catalogues) renamed() bool {
	return slices.ContainsFunc(c.all(), func(one *catalogue) bool { return one.log.renamed() })
}

// Logs are the logs of the catalogue, with their epochs, in order of class.
func (j *Journal) Logs() []genesis.LogInfo {
	var all []genesis.LogInfo
	for _, one := range j.catalogues.all() {
		info := genesis.LogInfo{Class: genesis.Class(strings.TrimPrefix(one.log.name, cataloguePrefix))}
		for _, e := range one.log.all() {
			info.Epochs = append(info.Epochs, genesis.LogEpoch{Number: e.number, Origin: e.log.Origin(), Size: e.log.Size()})
		}
		all = append(all, info)
	}
	return all
}

// Log returns one epoch of the log of a class: its checkpoint and tiles are what peers
// follow. Errors: NotFound.
func (j *Journal) Log(class genesis.Class, epoch int) (*tile.Log, error) {
	if one := j.catalogues.find(cataloguePrefix + string(class)); one != nil {
		for _, e := range one.log.all() {
			if e.number == epoch {
				return e.log, nil
			}
		}
	}
	return nil, NoLog(class)
}

// NoLog is the error of a log that is not there, or not for who asks.
func NoLog(class genesis.Class) error {
	return &genesis.Error{Op: "read log", Kind: genesis.NotFound, Subject: string(class), Msg: "there is no such log here", Hint: "GET /v1/logs lists those you may follow"}
}

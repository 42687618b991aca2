package identity

import (
	"context"
	"database/sql"
	"sync"
	"sync/atomic"
	"time"

	"github.com/opengenesis/genesis/internal/store"
)

const (
	cacheSize = 16384           // credentials; about 1 KB each
	cacheAge  = time.Second     // after which a credential is read again
	cacheIdle = 5 * time.Minute // after which one that nobody uses is dropped
)

// cache holds the credentials that were used lately, by the hash of their
// secret, and when each was last used.
type cache struct {
	mu      sync.RWMutex
	entries map[[32]byte]*credential
	uses    map[string]*use // by token id; outlives the entry until it is written
	gen     uint64          // grows with every drop
}

// use is when a token was last used, in microseconds.
type use struct {
	last    atomic.Int64
	written atomic.Int64 // what the database has
	account int64
}

// at notes a use. Times never go back.
func (u *use) at(now time.Time) {
	if at := store.Time(now); at > u.last.Load() {
		u.last.Store(at)
	}
}

func newCache() cache {
	return cache{entries: map[[32]byte]*credential{}, uses: map[string]*use{}}
}

// fresh returns a credential that was read less than a second ago, or nil.
func (c *cache) fresh(hash [32]byte, now time.Time) *credential {
	c.mu.RLock()
	found := c.entries[hash]
	c.mu.RUnlock()
	if found == nil {
		return nil
	}
	if age := now.Sub(found.read); age < 0 || age >= cacheAge {
		return nil
	}
	return found
}

func (c *cache) generation() uint64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.gen
}

// put keeps a credential that was read in a generation, unless something was
// dropped since: it may have been this.
func (c *cache) put(hash [32]byte, found *credential, generation uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	u := c.uses[found.token.id]
	if u == nil {
		u = &use{account: found.account.id}
		u.written.Store(found.token.used)
		u.last.Store(found.token.used)
	}
	found.use = u
	if c.gen != generation {
		return
	}
	if _, there := c.entries[hash]; !there && len(c.entries) >= cacheSize {
		for victim := range c.entries { // any
			delete(c.entries, victim)
			break
		}
	}
	c.entries[hash], c.uses[found.token.id] = found, u
}

// drop forgets the credentials that match.
func (c *cache) drop(match func(*credential) bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gen++
	for hash, found := range c.entries {
		if match(found) {
			delete(c.entries, hash)
		}
	}
}

// dropAccount forgets the credentials of an account.
func (c *cache) dropAccount(subject string) {
	c.drop(func(found *credential) bool { return found.account.Subject == subject })
}

// unwritten returns the uses that the database does not know, and drops what
// nobody has used for a while.
func (c *cache) unwritten(now time.Time) map[string]*use {
	c.mu.Lock()
	defer c.mu.Unlock()
	idle := store.Time(now.Add(-cacheIdle))
	for hash, found := range c.entries {
		if found.use.last.Load() < idle {
			delete(c.entries, hash)
		}
	}
	out := map[string]*use{}
	for id, u := range c.uses {
		switch {
		case u.last.Load() > u.written.Load():
			out[id] = u
		case u.last.Load() < idle:
			delete(c.uses, id)
		}
	}
	return out
}

// writeUse writes when tokens were last used. It is called once a minute, so
// that a busy token costs one row a minute, and a crash loses a minute.
func (i *Identity) writeUse(ctx context.Context) error {
	uses := i.cache.unwritten(i.now())
	if len(uses) == 0 {
		return nil
	}
	times := map[string]int64{}
	err := i.db.Tx(ctx, func(tx *sql.Tx) error {
		for id, u := range uses {
			times[id] = u.last.Load()
			if _, err := tx.ExecContext(ctx, "UPDATE tokens SET used_at = $1 WHERE id = $2 AND used_at < $1", times[id], id); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "UPDATE accounts SET seen_at = $1 WHERE id = $2 AND seen_at < $1", times[id], u.account); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for id, at := range times {
		uses[id].written.Store(at)
	}
	return nil
}

// keepExpired is how long expired tokens stay listed.
const keepExpired = 90 * 24 * time.Hour

// prune deletes tokens that expired long ago; what they made expired with them.
func (i *Identity) prune(ctx context.Context) error {
	return i.db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM tokens WHERE expires_at < $1", store.Time(i.now().Add(-keepExpired)))
		if err != nil {
			return err
		}
		return pruneOld(ctx, tx, i.now())
	})
}

// Package nodekey keeps the private keys with which a node signs: one file for each
// use, readable by the owner of the home alone. The log's key is not among them: it is
// the journal's.
//
// A file holds several keys while they are replaced. Which of them counts is not
// written here: it is what the charter says of the node, and while it says nothing, the
// newest. So a rotation that is agreed to, refused or cut off by a crash leaves nothing
// to be mended: a key that is in no charter signs nothing.
package nodekey

import (
	"bytes"
	"cmp"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal/disk"
)

const (
	fileFormat = 1
	maxFile    = 64 << 10
	maxKept    = 16 // keys of one use: none is made beyond that
)

// Uses are those whose keys are here.
var Uses = []genesis.KeyUse{genesis.KeyToken, genesis.KeyMessage, genesis.KeyCharter}

// Key is a private key of a node.
type Key struct {
	Private ed25519.PrivateKey
	Made    time.Time
}

// Public is the key's public half.
func (k Key) Public() ed25519.PublicKey { return k.Private.Public().(ed25519.PublicKey) }

// ID names the key.
func (k Key) ID() string { return genesis.KeyID(k.Public()) }

// Ring is the keys of a home. It is safe for concurrent use.
type Ring struct {
	dir  string
	disk disk.Disk
	now  func() time.Time

	mu   sync.Mutex
	keys map[genesis.KeyUse][]Key // oldest first
}

// file is what lies on the disk.
type file struct {
	Format int       `json:"format"`
	Keys   []fileKey `json:"keys"` // oldest first
}

type fileKey struct {
	Seed []byte    `json:"seed"` // RFC 8032, 32 bytes
	Made time.Time `json:"made"`
}

// Open reads the keys in a folder, and makes those that are missing. Errors: Internal
// (damaged), Unsupported (a newer format), Unavailable.
func Open(dir string, d disk.Disk, now func() time.Time) (*Ring, error) {
	r := &Ring{dir: dir, disk: d, now: now, keys: map[genesis.KeyUse][]Key{}}
	for _, use := range Uses {
		keys, err := r.read(use)
		if err == nil && len(keys) == 0 {
			keys, err = r.add(use, nil)
		}
		if err != nil {
			return nil, err
		}
		r.keys[use] = keys
	}
	return r, nil
}

func (r *Ring) path(use genesis.KeyUse) string {
	return filepath.Join(r.dir, "node-"+string(use)+".key")
}

// read returns the keys of a use, none where there is no file.
func (r *Ring) read(use genesis.KeyUse) ([]Key, error) {
	path := r.path(use)
	if err := r.disk.Remove(path + disk.Temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, disk.Error("open node key", path, err)
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var text []byte
	if err == nil && info.Size() <= maxFile {
		text, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, disk.Error("open node key", path, err)
	}
	return decode(path, text)
}

func decode(path string, text []byte) ([]Key, error) {
	bad := func(kind genesis.ErrorKind, msg, hint string) ([]Key, error) {
		return nil, &genesis.Error{Op: "open node key", Kind: kind, Subject: path, Msg: msg, Hint: hint}
	}
	var f file
	if err := json.NewDecoder(bytes.NewReader(text)).Decode(&f); err != nil {
		return bad(genesis.Internal, "it is not a key any more", "put it back from a backup of the home")
	}
	if f.Format != fileFormat {
		return bad(genesis.Unsupported, fmt.Sprintf("its format is %d, and this program knows %d", f.Format, fileFormat), "use the program that wrote it, or a newer one")
	}
	var keys []Key
	for _, k := range f.Keys {
		if len(k.Seed) != ed25519.SeedSize {
			return bad(genesis.Internal, "it is not an Ed25519 key any more", "put it back from a backup of the home")
		}
		keys = append(keys, Key{ed25519.NewKeyFromSeed(k.Seed), k.Made})
	}
	if len(keys) == 0 || len(keys) > maxKept {
		return bad(genesis.Internal, fmt.Sprintf("it holds %d keys", len(keys)), "put it back from a backup of the home")
	}
	return keys, nil
}

// add makes another key of a use, durable before it is returned.
func (r *Ring) add(use genesis.KeyUse, keys []Key) ([]Key, error) {
	if len(keys) == maxKept {
		return nil, &genesis.Error{Op: "make node key", Kind: genesis.Conflict, Subject: string(use), Msg: "there are too many that wait to be replaced",
			Hint: "wait until the charter has the last one: genesis federation show"}
	}
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, &genesis.Error{Op: "make node key", Kind: genesis.Internal, Subject: string(use), Err: err}
	}
	keys = append(slices.Clone(keys), Key{private, r.now().UTC().Truncate(time.Second)})
	return keys, r.write(use, keys)
}

func (r *Ring) write(use genesis.KeyUse, keys []Key) error {
	f := file{Format: fileFormat}
	for _, k := range keys {
		f.Keys = append(f.Keys, fileKey{k.Private.Seed(), k.Made})
	}
	text, err := json.Marshal(f)
	if err != nil {
		return err
	}
	if err = disk.MkdirAll(r.disk, r.dir); err == nil {
		err = disk.Replace(r.disk, r.path(use), append(text, '\n'))
	}
	if err == nil {
		err = r.disk.SyncDir(r.dir)
	}
	return disk.Error("make node key", r.path(use), err)
}

// heardOf is how long it takes at most until others have heard of a new key: they ask for
// the charter every few minutes, and less often where that failed.
const heardOf = time.Hour

// Current is the key of a use that signs: the newest that counts in the node's own
// entry of the charter, else the newest there is. What others check at once, tokens and
// messages, the key before signs until they have heard of the new one.
func (r *Ring) Current(use genesis.KeyUse, own genesis.Member, at time.Time) (Key, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	said := own.CurrentKeys(use, at)
	slices.SortStableFunc(said, func(a, b genesis.NodeKey) int { return -cmp.Compare(lasts(a), lasts(b)) })
	if use == genesis.KeyToken || use == genesis.KeyMessage {
		slices.SortStableFunc(said, func(a, b genesis.NodeKey) int { return younger(a, at).Compare(younger(b, at)) })
	}
	for _, s := range said {
		if k, ok := find(r.keys[use], s.ID); ok {
			return k, nil
		}
	}
	if len(said) > 0 {
		return Key{}, &genesis.Error{Op: "sign", Kind: genesis.Internal, Subject: r.path(use), Msg: "the key that the charter has is not in it",
			Hint: "put it back from a backup of the home, or have a holder remove this node and join again"}
	}
	if len(r.keys[use]) == 0 {
		return Key{}, &genesis.Error{Op: "sign", Kind: genesis.Internal, Subject: string(use), Msg: "there is no key for this use"}
	}
	return r.keys[use][len(r.keys[use])-1], nil
}

// lasts is 1 for a key that nothing replaced yet.
func lasts(k genesis.NodeKey) int {
	if k.Until.IsZero() {
		return 1
	}
	return 0
}

// younger is when a key began that others may not have heard of; zero for one that they
// have.
func younger(k genesis.NodeKey, at time.Time) time.Time {
	if at.Sub(k.From) >= heardOf {
		return time.Time{}
	}
	return k.From
}

func find(keys []Key, id string) (Key, bool) {
	i := slices.IndexFunc(keys, func(k Key) bool { return k.ID() == id })
	if i < 0 {
		return Key{}, false
	}
	return keys[i], true
}

// All are the keys of a use, oldest first.
func (r *Ring) All(use genesis.KeyUse) []Key {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.keys[use])
}

// Next is the key that is to follow those in the node's entry: one that was made and
// is in no charter yet, else a new one.
func (r *Ring) Next(use genesis.KeyUse, own genesis.Member) (Key, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	keys := r.keys[use]
	if len(keys) > 0 {
		if last := keys[len(keys)-1]; !listed(own, last) && anyListed(own, use) {
			return last, nil
		}
	}
	keys, err := r.add(use, keys)
	if err != nil {
		return Key{}, err
	}
	r.keys[use] = keys
	return keys[len(keys)-1], nil
}

func listed(own genesis.Member, key Key) bool {
	return slices.ContainsFunc(own.Keys, func(k genesis.NodeKey) bool { return k.ID == key.ID() })
}

func anyListed(own genesis.Member, use genesis.KeyUse) bool {
	return slices.ContainsFunc(own.Keys, func(k genesis.NodeKey) bool { return k.Use == use })
}

// Prune removes keys that the charter does not have any more. The newest stays: it may
// be the next one.
func (r *Ring) Prune(own genesis.Member, at time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for use, keys := range r.keys {
		if !anyListed(own, use) {
			continue
		}
		last := keys[len(keys)-1].ID()
		left := slices.DeleteFunc(slices.Clone(keys), func(k Key) bool {
			i := slices.IndexFunc(own.Keys, func(n genesis.NodeKey) bool { return n.ID == k.ID() })
			return k.ID() != last && (i < 0 || !own.Keys[i].Until.IsZero() && !at.Before(own.Keys[i].Until))
		})
		if len(left) == len(keys) {
			continue
		}
		if err := r.write(use, left); err != nil {
			return err
		}
		r.keys[use] = left
	}
	return nil
}

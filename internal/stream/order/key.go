package order

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/opengenesis/genesis"
)

// Spec names an order: two orders of the same Spec are the same.
type Spec struct {
	Version    genesis.Digest
	Table      string
	Split      string         // split and part, or empty
	Assignment genesis.Digest // of the split, or empty
	Mode       genesis.StreamMode
	Seed       uint64
	Epoch      uint64
	Block      int
}

// Key is the digest of a Spec.
type Key [sha256.Size]byte

// String returns the key in hex.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

// Key returns the order's key. What the mode does not look at is not part of it.
func (s Spec) Key() (Key, error) {
	if s.Mode == genesis.Sequential {
		s.Seed, s.Epoch = 0, 0
	}
	if s.Mode != genesis.Block {
		s.Block = 0
	}
	text, err := genesis.CanonicalJSON(map[string]string{
		"version": string(s.Version), "table": s.Table, "split": s.Split, "assignment": string(s.Assignment), "mode": string(s.Mode),
		"seed": strconv.FormatUint(s.Seed, 10), "epoch": strconv.FormatUint(s.Epoch, 10), "block": strconv.Itoa(s.Block),
	})
	if err != nil {
		return Key{}, err
	}
	return sha256.Sum256(append([]byte("genesis stream 1\n"), text...)), nil
}

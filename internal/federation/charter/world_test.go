package charter

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

var day0 = time.Date(2027, 1, 1, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// keyFor is a key that a name stands for.
func keyFor(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte(name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// nodeKey is the public half of a key that a name stands for.
func nodeKey(name string, use genesis.KeyUse, from time.Time) genesis.NodeKey {
	public := keyFor(name).Public().(ed25519.PublicKey)
	return genesis.NodeKey{ID: genesis.KeyID(public), Use: use, Public: public, From: from}
}

func member(id genesis.NodeID) genesis.Member {
	m := genesis.Member{ID: id, Institution: "The " + string(id), Sector: genesis.University, URL: "https://" + string(id) + ".example.edu"}
	for _, use := range genesis.KeyUses {
		m.Keys = append(m.Keys, nodeKey(string(id)+"/"+string(use), use, day0))
	}
	return m
}

func charterKey(id genesis.NodeID) ed25519.PrivateKey { return keyFor(string(id) + "/charter") }

// world makes charters, and fails the test where that should work.
type world struct{ *testing.T }

func (w world) ok(c *Charter, err error) *Charter {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
	return c
}

func (w world) create(id genesis.NodeID) *Charter {
	w.Helper()
	return w.ok(Create("energy", member(id), charterKey(id), day0))
}

// change drafts, has signed by and finishes with the first of them.
func (w world) change(c *Charter, ch Change, now time.Time, by ...genesis.NodeID) *Charter {
	w.Helper()
	d, err := c.Draft(ch, now)
	if err != nil {
		w.Fatal(err)
	}
	for _, id := range by {
		if err := d.Sign(charterKey(id)); err != nil {
			w.Fatal(err)
		}
	}
	return w.ok(c.Finish(d, charterKey(by[0]), now))
}

// three is a federation of three of which two have to agree.
func (w world) three() *Charter {
	w.Helper()
	c := w.create("nrel")
	for _, id := range []genesis.NodeID{"mit", "ornl"} {
		m := member(id)
		c = w.change(c, Change{Put: &m}, day0, "nrel")
	}
	return w.change(c, Change{Holders: []genesis.NodeID{"nrel", "mit", "ornl"}, Threshold: 2}, day0, "nrel", "mit")
}

func is(err error, r Reason) bool { return errors.Is(err, r) }

package charter

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"

	"github.com/opengenesis/genesis"
)

// Charter is a bundle that was verified. It never changes.
type Charter struct {
	bundle    Bundle
	id        genesis.Digest
	roots     []*root
	targets   *targets
	snapshot  *snapshot
	timestamp *timestamp
	list      list
	holders   map[string]genesis.NodeID // by the id of the key in the root
}

// Open verifies a bundle of the federation that id names, whatever the time: a charter
// that was current when it was kept is still the one that is known. Errors: see [Reason].
func Open(b Bundle, id genesis.Digest) (*Charter, error) {
	if err := measure(b); err != nil {
		return nil, err
	}
	if got := genesis.DigestOf(b.Roots[0]); got != id {
		return nil, fault(verifying, NotThis, string(id), "the first root is "+string(got), "ask whoever invited you for the right address")
	}
	c := &Charter{bundle: b, id: id}
	trusted, err := c.readRoots()
	if err == nil {
		err = c.readParts(trusted)
	}
	if err == nil {
		err = c.readList()
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Verify is [Open] for a bundle that has to be current.
func Verify(b Bundle, id genesis.Digest, now time.Time) (*Charter, error) {
	c, err := Open(b, id)
	if err == nil {
		err = c.current(now)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// readRoots follows the chain: each root is signed by the holders before it and by its own.
func (c *Charter) readRoots() (*trustedmetadata.TrustedMetadata, error) {
	var trusted *trustedmetadata.TrustedMetadata
	for i, text := range c.bundle.Roots {
		m, err := readRoot(text)
		if err != nil {
			return nil, err
		}
		part := fmt.Sprintf("root %d", i+1)
		if i == 0 {
			trusted, err = trustedmetadata.New(text)
		} else {
			_, err = trusted.UpdateRoot(text)
		}
		if err != nil {
			return nil, told(part, err)
		}
		if m.Signed.Version != int64(i+1) {
			return nil, malformed(part, fmt.Sprintf("it has the version %d", m.Signed.Version))
		}
		c.roots = append(c.roots, m)
	}
	trusted.RefTime = time.Time{} // nothing is past its end then: see current
	return trusted, nil
}

// readParts checks what the last root's holders signed, and that it belongs together.
func (c *Charter) readParts(trusted *trustedmetadata.TrustedMetadata) (err error) {
	if c.timestamp, err = readTimestamp(c.bundle.Timestamp); err != nil {
		return err
	}
	if c.snapshot, err = readSnapshot(c.bundle.Snapshot); err != nil {
		return err
	}
	if c.targets, err = readTargets(c.bundle.Targets); err != nil {
		return err
	}
	if _, err = trusted.UpdateTimestamp(c.bundle.Timestamp); err != nil {
		return told("timestamp", err)
	}
	if _, err = trusted.UpdateSnapshot(c.bundle.Snapshot, false); err != nil {
		return told("snapshot", err)
	}
	if _, err = trusted.UpdateTargets(c.bundle.Targets); err != nil {
		return told("targets", err)
	}
	return told(listName, c.targets.Signed.Targets[listName].VerifyLengthHashes(c.bundle.Members))
}

func (c *Charter) readList() (err error) {
	if c.list, err = decodeList(c.bundle.Members); err != nil {
		return err
	}
	c.holders, err = holdersOf(c.root(), c.list)
	return err
}

// holdersOf finds whose the keys in a root are. Each is the charter key of one member,
// and no member has two.
func holdersOf(r *root, l list) (map[string]genesis.NodeID, error) {
	byKey := map[string]genesis.NodeID{}
	for _, m := range l.Members {
		for _, k := range m.Keys {
			if k.Use == genesis.KeyCharter {
				byKey[keyOf(k.Public).Value.PublicKey] = m.ID
			}
		}
	}
	holders := map[string]genesis.NodeID{}
	seen := map[genesis.NodeID]bool{}
	for id, k := range r.Signed.Keys {
		member, ok := byKey[k.Value.PublicKey]
		switch {
		case !ok:
			return nil, malformed("root", "a key in it is not the charter key of a member")
		case seen[member]:
			return nil, malformed("root", string(member)+" has two keys in it")
		}
		holders[id], seen[member] = member, true
	}
	return holders, nil
}

func (c *Charter) root() *root { return c.roots[len(c.roots)-1] }

// current reports which part is past its end.
func (c *Charter) current(now time.Time) error {
	for _, p := range []struct {
		name string
		end  time.Time
	}{{"root", c.root().Signed.Expires}, {"targets", c.targets.Signed.Expires}, {"snapshot", c.snapshot.Signed.Expires}, {"timestamp", c.timestamp.Signed.Expires}} {
		if !now.Before(p.end) {
			return fault(verifying, Expired, p.name, "it was good until "+p.end.UTC().Format(time.RFC3339)+", and it is "+now.UTC().Format(time.RFC3339),
				"a holder's node signs it anew; check the clock")
		}
	}
	return c.lasting(now)
}

// clocksOff is by how much the clock of who signed may be ahead of the reader's: each may
// be off by a day, one to either side.
const clocksOff = 3 * 24 * time.Hour

// lasting refuses what one holder's node alone signed as good for longer than it may be: no
// holder would sign it anew before, and whoever is kept from newer states would not notice.
func (c *Charter) lasting(now time.Time) error {
	for _, p := range []struct {
		name  string
		end   time.Time
		lasts time.Duration
	}{{"snapshot", c.snapshot.Signed.Expires, snapshotFor}, {"timestamp", c.timestamp.Signed.Expires, timestampFor}} {
		if p.end.Sub(now) > p.lasts+clocksOff {
			return fault(verifying, TooLong, p.name, "it would be good until "+p.end.UTC().Format(time.RFC3339)+", and it is "+now.UTC().Format(time.RFC3339),
				"a holder signs it for "+fmt.Sprint(int(p.lasts.Hours()/24))+" days; check the clocks of both")
		}
	}
	return nil
}

// Fresh is until when the charter is current.
func (c *Charter) Fresh() time.Time {
	return slices.MinFunc([]time.Time{c.root().Signed.Expires, c.targets.Signed.Expires, c.snapshot.Signed.Expires, c.timestamp.Signed.Expires}, time.Time.Compare)
}

// Agreed is until when what k of n holders signed is good: they have to sign anew before.
func (c *Charter) Agreed() time.Time {
	if c.root().Signed.Expires.Before(c.targets.Signed.Expires) {
		return c.root().Signed.Expires
	}
	return c.targets.Signed.Expires
}

// Bundle returns the charter as it travels. It must not be changed.
func (c *Charter) Bundle() Bundle { return c.bundle }

// ID is the digest of the first root: what the federation is, for ever.
func (c *Charter) ID() genesis.Digest { return c.id }

// Name is what people call the federation.
func (c *Charter) Name() string { return c.list.Federation }

// Members returns all members by id. They must not be changed.
func (c *Charter) Members() []genesis.Member { return c.list.Members }

// Member returns the member of an id.
func (c *Charter) Member(id genesis.NodeID) (genesis.Member, bool) { return c.list.member(id) }

func (l list) member(id genesis.NodeID) (genesis.Member, bool) {
	i, ok := slices.BinarySearchFunc(l.Members, genesis.Member{ID: id}, byID)
	if !ok {
		return genesis.Member{}, false
	}
	return l.Members[i], true
}

// Holders are the members whose signatures change the charter, by id.
func (c *Charter) Holders() []genesis.NodeID {
	all := make([]genesis.NodeID, 0, len(c.holders))
	for _, id := range c.holders {
		all = append(all, id)
	}
	slices.Sort(all)
	return all
}

// Holds reports whether a member is a holder.
func (c *Charter) Holds(id genesis.NodeID) bool { return slices.Contains(c.Holders(), id) }

// Threshold is how many holders it takes.
func (c *Charter) Threshold() int { return c.root().Signed.Roles[metadata.ROOT].Threshold }

// Versions are those of the parts.
func (c *Charter) Versions() genesis.CharterVersion {
	return genesis.CharterVersion{Root: c.root().Signed.Version, Targets: c.targets.Signed.Version,
		Snapshot: c.snapshot.Signed.Version, Timestamp: c.timestamp.Signed.Version}
}

// Federation is the charter for people.
func (c *Charter) Federation() genesis.Federation {
	return genesis.Federation{Name: c.Name(), Root: c.id, Versions: c.Versions(), Holders: c.Holders(), Threshold: c.Threshold(),
		Fresh: c.Fresh(), Members: c.Members()}
}

// same reports whether two parts say the same, whoever signed them.
func same(a, b any) bool {
	x, err1 := json.Marshal(a)
	y, err2 := json.Marshal(b)
	return err1 == nil && err2 == nil && bytes.Equal(x, y)
}

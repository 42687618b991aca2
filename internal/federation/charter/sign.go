package charter

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/opengenesis/genesis"
)

// How long signatures are good.
const (
	agreedFor    = 365 * 24 * time.Hour // root and targets
	snapshotFor  = 14 * 24 * time.Hour
	timestampFor = 7 * 24 * time.Hour
	renewRoot    = 180 * 24 * time.Hour // before its end, with whatever else is changed
	renewShot    = 7 * 24 * time.Hour   // likewise the snapshot's
)

// until is an end as metadata has it.
func until(now time.Time, d time.Duration) time.Time { return now.UTC().Add(d).Truncate(time.Second) }

// keyOf is a public key as metadata has it.
func keyOf(public []byte) *metadata.Key {
	return &metadata.Key{Type: metadata.KeyTypeEd25519, Scheme: metadata.KeySchemeEd25519, Value: metadata.KeyVal{PublicKey: hex.EncodeToString(public)}}
}

// keyID is the id of a key in metadata.
func keyID(public []byte) string {
	id, _ := keyOf(public).ID() // a key of fixed form has one
	return id
}

// sign adds a signature, in place of one by the same key.
func sign[T metadata.Roles](m *metadata.Metadata[T], key ed25519.PrivateKey) error {
	id := keyID(key.Public().(ed25519.PublicKey))
	m.Signatures = slices.DeleteFunc(m.Signatures, func(s metadata.Signature) bool { return s.KeyID == id })
	signer, err := signature.LoadED25519Signer(key)
	if err == nil {
		_, err = m.Sign(signer)
	}
	if err != nil {
		return fault("sign charter", Malformed, id, err.Error(), "")
	}
	return nil
}

// signedBy returns those of keys whose signatures hold.
func signedBy[T metadata.Roles](m *metadata.Metadata[T], keys map[string]*metadata.Key) map[string]bool {
	by := map[string]bool{}
	for id, k := range keys {
		alone := metadata.Root()
		alone.Signed.Keys[id] = k
		alone.Signed.Roles[metadata.ROOT] = &metadata.Role{KeyIDs: []string{id}, Threshold: 1}
		if alone.VerifyDelegate(metadata.ROOT, m) == nil {
			by[id] = true
		}
	}
	return by
}

// resign signs snapshot and timestamp anew, in the versions given.
func (c *Charter) resign(key ed25519.PrivateKey, snapshotVersion, timestampVersion int64, now time.Time) (*Charter, error) {
	if _, ok := c.holders[keyID(key.Public().(ed25519.PublicKey))]; !ok {
		return nil, fault("sign charter", NotHolder, "", "the key is not one in the root", "a holder's node signs")
	}
	b := c.bundle
	var err error
	if snapshotVersion != c.snapshot.Signed.Version || !c.describesTargets() {
		if b.Snapshot, err = newSnapshot(b.Targets, c.targets.Signed.Version, snapshotVersion, key, now); err != nil {
			return nil, err
		}
	}
	if b.Timestamp, err = newTimestamp(b.Snapshot, snapshotVersion, timestampVersion, key, now); err != nil {
		return nil, err
	}
	return Verify(b, c.id, now)
}

func (c *Charter) describesTargets() bool {
	f := c.snapshot.Signed.Meta[targetsFile]
	return f.Version == c.targets.Signed.Version
}

// Renew signs anew what says that the charter is current: the timestamp, and the
// snapshot in its last week, where a holder who is none any more signed it, or where one
// whose clock was wrong did.
func (c *Charter) Renew(key ed25519.PrivateKey, now time.Time) (*Charter, error) {
	v := c.Versions()
	if left := c.snapshot.Signed.Expires.Sub(now); left < renewShot || left > snapshotFor+clocksOff {
		v.Snapshot++
	}
	return c.resign(key, v.Snapshot, v.Timestamp+1, now)
}

// Signed is when the timestamp was signed, as far as its end tells.
func (c *Charter) Signed() time.Time { return c.timestamp.Signed.Expires.Add(-timestampFor) }

// Ahead reports whether a clock was wrong by which it was signed: others do not take it.
func (c *Charter) Ahead(now time.Time) bool { return c.lasting(now) != nil }

func newSnapshot(targets []byte, of, version int64, key ed25519.PrivateKey, now time.Time) ([]byte, error) {
	m := metadata.Snapshot(until(now, snapshotFor))
	m.Signed.Version = version
	m.Signed.Meta = map[string]*metadata.MetaFiles{targetsFile: described(targets, of)}
	if err := sign(m, key); err != nil {
		return nil, err
	}
	return m.ToBytes(false)
}

func newTimestamp(snapshot []byte, of, version int64, key ed25519.PrivateKey, now time.Time) ([]byte, error) {
	m := metadata.Timestamp(until(now, timestampFor))
	m.Signed.Version = version
	m.Signed.Meta = map[string]*metadata.MetaFiles{snapshotFile: described(snapshot, of)}
	if err := sign(m, key); err != nil {
		return nil, err
	}
	return m.ToBytes(false)
}

func described(text []byte, version int64) *metadata.MetaFiles {
	sum := sha256.Sum256(text)
	return &metadata.MetaFiles{Length: int64(len(text)), Hashes: metadata.Hashes{"sha256": sum[:]}, Version: version}
}

// newRoot returns root metadata of these holders' keys, unsigned.
func newRoot(keys []genesis.NodeKey, threshold int, version int64, now time.Time) *root {
	m := metadata.Root(until(now, agreedFor))
	m.Signed.Version, m.Signed.ConsistentSnapshot = version, false
	var ids []string
	for _, k := range keys {
		id := keyID(k.Public)
		m.Signed.Keys[id] = keyOf(k.Public)
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for name, r := range m.Signed.Roles {
		r.KeyIDs, r.Threshold = slices.Clone(ids), 1
		if name == metadata.ROOT || name == metadata.TARGETS {
			r.Threshold = threshold
		}
	}
	return m
}

// newTargets returns targets metadata of a list, unsigned.
func newTargets(list []byte, version int64, now time.Time) *targets {
	m := metadata.Targets(until(now, agreedFor))
	m.Signed.Version = version
	sum := sha256.Sum256(list)
	m.Signed.Targets[listName] = &metadata.TargetFiles{Length: int64(len(list)), Hashes: metadata.Hashes{"sha256": sum[:]}}
	return m
}

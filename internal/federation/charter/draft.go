package charter

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/opengenesis/genesis"
)

// Draft is the next charter without its signatures, or with some. It follows one
// charter, and is nothing once there is another.
type Draft struct {
	follows *Charter
	root    *root // nil: it stays
	targets *targets
	members []byte
	list    list
	holders map[string]genesis.NodeID // of the next root
}

// Draft writes down a change. Errors: [BadChange], [Malformed].
func (c *Charter) Draft(ch Change, now time.Time) (*Draft, error) {
	l, keys, threshold, err := c.apply(ch, now)
	if err != nil {
		return nil, err
	}
	d := &Draft{follows: c, list: l}
	if d.members, err = l.encode(); err != nil {
		return nil, err
	}
	d.targets = newTargets(d.members, c.targets.Signed.Version+1, now)
	next := newRoot(keys, threshold, c.root().Signed.Version+1, now)
	renew := c.root().Signed.Expires.Sub(now) < renewRoot
	if renew || threshold != c.Threshold() || !slices.Equal(sortedKeys(next), sortedKeys(c.root())) {
		d.root = next
	}
	d.holders, err = holdersOf(d.nextRoot(), l)
	return d, err
}

func sortedKeys(r *root) []string { return slices.Sorted(maps.Keys(r.Signed.Keys)) }

// nextRoot is the root whose holders the targets need.
func (d *Draft) nextRoot() *root {
	if d.root != nil {
		return d.root
	}
	return d.follows.root()
}

// ReadDraft reads a draft that another holder's node made. Only signatures that hold
// are kept. Errors: [NotTheNext], [Malformed], [TooLarge].
func (c *Charter) ReadDraft(p genesis.DraftParts, now time.Time) (*Draft, error) {
	d := &Draft{follows: c, members: p.Members}
	err := measurePart(listName, p.Members, maxList)
	if err == nil {
		err = measurePart("targets", p.Targets, maxTargets)
	}
	if err == nil {
		d.targets, err = readTargets(p.Targets)
	}
	if err == nil && len(p.Root) > 0 {
		if err = measurePart("root", p.Root, maxRoot); err == nil {
			d.root, err = readRoot(p.Root)
		}
	}
	if err == nil {
		d.list, err = decodeList(p.Members)
	}
	if err == nil {
		err = d.check(now)
	}
	if err != nil {
		return nil, err
	}
	d.prune()
	return d, nil
}

// check refuses a draft that would make no charter after the present one.
func (d *Draft) check(now time.Time) (err error) {
	c, v := d.follows, d.follows.Versions()
	switch {
	case d.targets.Signed.Version != v.Targets+1 || d.root != nil && d.root.Signed.Version != v.Root+1:
		return fault("read draft", NotTheNext, "", fmt.Sprintf("it makes version %d of the list, and version %d is known", d.targets.Signed.Version, v.Targets),
			"it was overtaken: make the change anew")
	case d.list.Federation != c.list.Federation:
		return malformed(listName, "it is of another federation")
	case tooLong(d.targets.Signed.Expires, now) || d.root != nil && tooLong(d.root.Signed.Expires, now):
		return malformed("draft", "it would last for more than a year, or not at all")
	}
	if err := told(listName, d.targets.Signed.Targets[listName].VerifyLengthHashes(d.members)); err != nil {
		return err
	}
	d.holders, err = holdersOf(d.nextRoot(), d.list)
	return err
}

func tooLong(end, now time.Time) bool {
	return !now.Before(end) || end.Sub(now) > agreedFor+24*time.Hour
}

// signers are the keys whose signatures count for something: of the holders before
// and after.
func (d *Draft) signers() map[string]*metadata.Key {
	all := maps.Clone(d.follows.root().Signed.Keys)
	maps.Copy(all, d.nextRoot().Signed.Keys)
	return all
}

// prune leaves out signatures that do not hold.
func (d *Draft) prune() {
	keys := d.signers()
	if d.root != nil {
		d.root.Signatures = holding(d.root.Signatures, signedBy(d.root, keys))
	}
	d.targets.Signatures = holding(d.targets.Signatures, signedBy(d.targets, keys))
}

func holding(all []metadata.Signature, by map[string]bool) []metadata.Signature {
	return slices.DeleteFunc(all, func(s metadata.Signature) bool { return !by[s.KeyID] })
}

// Sign adds the signatures of a holder: with the key it has in the root before, and
// the one it has in the root after. Errors: [NotHolder].
func (d *Draft) Sign(keys ...ed25519.PrivateKey) error {
	known, any := d.signers(), false
	for _, key := range keys {
		if known[keyID(key.Public().(ed25519.PublicKey))] == nil {
			continue
		}
		any = true
		if err := sign(d.targets, key); err != nil {
			return err
		}
		if d.root == nil {
			continue
		}
		if err := sign(d.root, key); err != nil {
			return err
		}
	}
	if !any {
		return fault("sign draft", NotHolder, "", "no key of this node is a holder's", "holders sign: genesis federation show")
	}
	return nil
}

// Add takes the signatures of another copy of the same draft. It reports whether
// there was a new one. Errors: [NotTheNext], [Malformed].
func (d *Draft) Add(p genesis.DraftParts, now time.Time) (bool, error) {
	p.Members = d.members
	other, err := d.follows.ReadDraft(p, now)
	if err != nil {
		return false, err
	}
	if other.ID() != d.ID() {
		return false, fault("sign draft", NotTheNext, "", "what was signed is not this draft", "look at it again: genesis federation sign")
	}
	before := len(d.targets.Signatures)
	d.targets.Signatures = union(d.targets.Signatures, other.targets.Signatures)
	if d.root != nil {
		before += len(d.root.Signatures)
		d.root.Signatures = union(d.root.Signatures, other.root.Signatures)
		return len(d.targets.Signatures)+len(d.root.Signatures) > before, nil
	}
	return len(d.targets.Signatures) > before, nil
}

func union(a, b []metadata.Signature) []metadata.Signature {
	for _, s := range b {
		if !slices.ContainsFunc(a, func(o metadata.Signature) bool { return o.KeyID == s.KeyID }) {
			a = append(a, s)
		}
	}
	return a
}

// ID names what the draft would have signed, whoever signed it so far.
func (d *Draft) ID() string { return draftID(d.targets, d.root) }

func draftID(t *targets, r *root) string {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	_ = enc.Encode(t.Signed) // both are maps of what JSON has
	if r != nil {
		_ = enc.Encode(r.Signed)
	}
	return string(genesis.DigestOf(text.Bytes()))[len("sha256:"):][:16]
}

// Is reports whether the charter is what a draft became.
func (c *Charter) Is(draft string) bool {
	return draft == draftID(c.targets, nil) || draft == draftID(c.targets, c.root())
}

// Parts are the draft as it travels.
func (d *Draft) Parts() (genesis.DraftParts, error) {
	p := genesis.DraftParts{Members: d.members}
	var err error
	if p.Targets, err = d.targets.ToBytes(false); err == nil && d.root != nil {
		p.Root, err = d.root.ToBytes(false)
	}
	return p, err
}

// Versions are those that root and targets would have.
func (d *Draft) Versions() genesis.CharterVersion {
	return genesis.CharterVersion{Root: d.nextRoot().Signed.Version, Targets: d.targets.Signed.Version}
}

// Says what the draft changes, in words.
func (d *Draft) Says() []string {
	all := differences(d.follows.list, d.list)
	was, is := d.follows.Holders(), d.nextHolders()
	if !slices.Equal(was, is) || d.nextThreshold() != d.follows.Threshold() {
		all = append(all, fmt.Sprintf("holders: %d of %v", d.nextThreshold(), is))
	}
	if len(all) == 0 {
		all = append(all, "renew for a year")
	}
	return all
}

func (d *Draft) nextThreshold() int {
	return d.nextRoot().Signed.Roles[metadata.ROOT].Threshold
}

func (d *Draft) nextHolders() []genesis.NodeID {
	return slices.Sorted(maps.Values(d.holders))
}

// Signed are the holders, before or after, whose signatures are there.
func (d *Draft) Signed() []genesis.NodeID {
	var all []genesis.NodeID
	for id := range signedBy(d.targets, d.signers()) {
		for _, holders := range []map[string]genesis.NodeID{d.follows.holders, d.holders} {
			if m, ok := holders[id]; ok && !slices.Contains(all, m) {
				all = append(all, m)
			}
		}
	}
	slices.Sort(all)
	return all
}

// Awaits reports whether a member's signature counts: of a holder before, or after.
func (d *Draft) Awaits(id genesis.NodeID) bool {
	return d.follows.Holds(id) || slices.Contains(d.nextHolders(), id)
}

// Needs is how many more holders have to sign, of those before or of those after.
func (d *Draft) Needs() int {
	now, then := d.follows.root().Signed.Keys, d.nextRoot().Signed.Keys
	needs := d.nextThreshold() - len(signedBy(d.targets, then))
	if d.root != nil {
		needs = max(needs, d.nextThreshold()-len(signedBy(d.root, then)), d.follows.Threshold()-len(signedBy(d.root, now)))
	}
	return max(needs, 0)
}

// Finish makes a draft with enough signatures the next charter, which a holder of
// it says is current. Errors: [TooFew], [NotHolder].
func (c *Charter) Finish(d *Draft, key ed25519.PrivateKey, now time.Time) (*Charter, error) {
	if d.follows != c {
		return nil, fault("finish draft", NotTheNext, "", "it follows another charter", "make the change anew")
	}
	if n := d.Needs(); n > 0 {
		return nil, fault("finish draft", TooFew, "", fmt.Sprintf("%d more holders have to sign", n), "at each: genesis federation sign")
	}
	if _, ok := d.holders[keyID(key.Public().(ed25519.PublicKey))]; !ok {
		return nil, fault("finish draft", NotHolder, "", "this node is no holder afterwards, so it cannot say that the charter is current", "make the change at another holder's node")
	}
	p, err := d.Parts()
	if err != nil {
		return nil, err
	}
	b := Bundle{Roots: c.bundle.Roots, Targets: p.Targets, Members: p.Members}
	if d.root != nil {
		b.Roots = append(slices.Clone(b.Roots), p.Root)
	}
	v := c.Versions()
	if b.Snapshot, err = newSnapshot(b.Targets, v.Targets+1, v.Snapshot+1, key, now); err != nil {
		return nil, err
	}
	if b.Timestamp, err = newTimestamp(b.Snapshot, v.Snapshot+1, v.Timestamp+1, key, now); err != nil {
		return nil, err
	}
	return Verify(b, c.id, now)
}

// Create makes a federation of one member, who holds its charter.
func Create(name string, m genesis.Member, key ed25519.PrivateKey, now time.Time) (*Charter, error) {
	l := list{Format: listFormat, Federation: name, Members: []genesis.Member{m}}
	members, err := l.encode()
	if err != nil {
		return nil, err
	}
	first := newRoot([]genesis.NodeKey{{Public: key.Public().(ed25519.PublicKey)}}, 1, 1, now)
	t := newTargets(members, 1, now)
	if err := sign(first, key); err != nil {
		return nil, err
	}
	if err := sign(t, key); err != nil {
		return nil, err
	}
	b := Bundle{Members: members, Roots: make([][]byte, 1)}
	if b.Roots[0], err = first.ToBytes(false); err != nil {
		return nil, err
	}
	if b.Targets, err = t.ToBytes(false); err != nil {
		return nil, err
	}
	if b.Snapshot, err = newSnapshot(b.Targets, 1, 1, key, now); err != nil {
		return nil, err
	}
	if b.Timestamp, err = newTimestamp(b.Snapshot, 1, 1, key, now); err != nil {
		return nil, err
	}
	return Verify(b, genesis.DigestOf(b.Roots[0]), now)
}

package charter

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// Update returns the charter that a bundle from elsewhere is, if it is newer. Errors:
// [NothingNewer]; [RolledBack], also when whoever sent it has not heard of the latest
// yet; [Forked]; [Expired]; and those of [Open].
func (c *Charter) Update(b Bundle, now time.Time) (*Charter, error) {
	next, err := c.compare(b)
	if err != nil {
		return nil, err
	}
	if err := c.monotonic(next); err != nil {
		return nil, err
	}
	if next.Versions() == c.Versions() {
		return nil, NothingNewer
	}
	if err := next.current(now); err != nil {
		return nil, err
	}
	return next, nil
}

// Merge is Update for a holder's node: where two holders changed the charter and
// signed that it is current at the same time, neither of the two states follows the
// other for those who only follow. It takes the later list of both, and signs over
// it. Errors: those of Update.
func (c *Charter) Merge(b Bundle, key ed25519.PrivateKey, now time.Time) (*Charter, error) {
	next, err := c.Update(b, now)
	if !errors.Is(err, RolledBack) {
		return next, err
	}
	theirs, err := c.compare(b)
	if err != nil {
		return nil, err
	}
	mine, other := c.Versions(), theirs.Versions()
	later := other.Root > mine.Root || other.Targets > mine.Targets
	if !later && other.Timestamp < mine.Timestamp {
		return nil, fault(verifying, RolledBack, "", "it is older in every part", "")
	}
	best := c
	if later {
		best = theirs
	}
	if mixed := best.Versions(); mixed.Root < max(mine.Root, other.Root) || mixed.Targets < max(mine.Targets, other.Targets) {
		return nil, fault(verifying, RolledBack, "", "neither of the two states has both the later root and the later list", "")
	}
	return best.resign(key, max(mine.Snapshot, other.Snapshot)+1, max(mine.Timestamp, other.Timestamp)+1, now)
}

// compare verifies a bundle and looks for a version that is another here.
func (c *Charter) compare(b Bundle) (*Charter, error) {
	next, err := Open(b, c.id)
	if err != nil {
		return nil, err
	}
	for i := range min(len(c.roots), len(next.roots)) {
		if !same(c.roots[i].Signed, next.roots[i].Signed) {
			return nil, forked("root", int64(i+1))
		}
	}
	if v := c.targets.Signed.Version; v == next.targets.Signed.Version && !same(c.targets.Signed, next.targets.Signed) {
		return nil, forked("targets", v)
	}
	return next, nil
}

func forked(part string, version int64) error {
	return fault(verifying, Forked, part, fmt.Sprintf("there are two of version %d, and enough holders signed both", version),
		"keep both, and ask the holders: somebody signed twice")
}

// monotonic refuses a charter of which a part is older than it was, or leaps ahead.
// Versions of snapshot and timestamp may begin anew once a key that signs them was
// taken out of the root: whoever had it could have used them up.
func (c *Charter) monotonic(next *Charter) error {
	mine, other := c.Versions(), next.Versions()
	replaced := c.replacedIn(next)
	for _, p := range []struct {
		name       string
		mine, then int64
		anew       bool
	}{{"root", mine.Root, other.Root, false}, {"targets", mine.Targets, other.Targets, false},
		{"snapshot", mine.Snapshot, other.Snapshot, replaced}, {"timestamp", mine.Timestamp, other.Timestamp, replaced}} {
		switch {
		case p.then < p.mine && !p.anew:
			return fault(verifying, RolledBack, p.name, fmt.Sprintf("it has version %d, and %d is known", p.then, p.mine), "")
		case p.then > p.mine+maxLeap:
			return fault(verifying, FastForward, p.name, fmt.Sprintf("it leaps from version %d to %d", p.mine, p.then), "ask the holders whose key signed it")
		}
	}
	return nil
}

// replacedIn reports whether a later root lacks a key of ours.
func (c *Charter) replacedIn(next *Charter) bool {
	for id := range c.root().Signed.Roles[metadata.TIMESTAMP].KeyIDs {
		if next.root().Signed.Keys[c.root().Signed.Roles[metadata.TIMESTAMP].KeyIDs[id]] == nil {
			return true
		}
	}
	return false
}

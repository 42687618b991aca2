package identity

import (
	"fmt"
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/opengenesis/genesis"
)

// TooMany says that somebody tries too often, and when to try again. It is the
// cause of an error of kind Unavailable.
type TooMany time.Duration

func (t TooMany) Error() string {
	return fmt.Sprintf("too many attempts, next in %s", time.Duration(t))
}

// RetryAfter is when to try again: what a protocol tells a client.
func (t TooMany) RetryAfter() time.Duration { return time.Duration(t) }

// throttle lets a key act a few times at once and then in an even pace (the
// generic cell rate algorithm). Keys share a fixed number of slots by a hash
// with a secret seed: memory is constant, nobody can push another's slot out,
// and nobody can aim at one.
type throttle struct {
	every time.Duration
	burst int
	seed  maphash.Seed
	slots []atomic.Int64 // when the bucket is empty again, in nanoseconds
}

const throttleSlots = 1 << 14

func newThrottle(burst int, every time.Duration) *throttle {
	return &throttle{every: every, burst: burst, seed: maphash.MakeSeed(), slots: make([]atomic.Int64, throttleSlots)}
}

func (t *throttle) slot(key string) *atomic.Int64 {
	return &t.slots[maphash.String(t.seed, key)%throttleSlots]
}

// take counts an attempt of a key, or says how long to wait for the next.
func (t *throttle) take(key string, now time.Time) (time.Duration, bool) {
	slot, at := t.slot(key), now.UnixNano()
	full := int64(t.every) * int64(t.burst-1)
	for {
		was := slot.Load()
		empty := max(was, at)
		if empty-at > full+int64(t.every) { // no bucket is so full: the clock was set back, and what it counted is void
			empty = at
		}
		if empty-at > full {
			return time.Duration(empty - at - full), false
		}
		if slot.CompareAndSwap(was, empty+int64(t.every)) {
			return 0, true
		}
	}
}

// giveBack undoes a take: the attempt was a good one.
func (t *throttle) giveBack(key string) { t.slot(key).Add(-int64(t.every)) }

// attempts count what failed, by what it was tried on and from where.
type attempts struct {
	subjects, remotes, codes, devices *throttle
	exchanges, refusals               *throttle
}

func newAttempts() attempts {
	return attempts{
		subjects: newThrottle(10, 20*time.Second), // passwords of one account
		remotes:  newThrottle(30, 2*time.Second),  // passwords from one address
		codes:    newThrottle(5, 5*time.Minute),   // second factors of one account
		devices:  newThrottle(10, time.Minute),    // user codes entered by one person

		exchanges: newThrottle(60, time.Second),    // tokens of other nodes, from one address
		refusals:  newThrottle(10, 10*time.Second), // entries about those that were refused, of one address or session
	}
}

// take counts one attempt of a key at a throttle. Errors: Unavailable, with
// [TooMany] as its cause.
func (i *Identity) take(t *throttle, op, key string) error {
	wait, ok := t.take(key, i.now())
	if ok {
		return nil
	}
	wait = wait.Truncate(time.Second) + time.Second
	return &genesis.Error{Op: op, Kind: genesis.Unavailable, Msg: "too many attempts", Hint: fmt.Sprintf("try again in %s", wait), Err: TooMany(wait)}
}

// remoteKey is what addresses have in common that one person can use: all of an
// IPv6 network of 64 bits.
func remoteKey(remote string) string {
	host := remote
	if ap, err := netip.ParseAddrPort(remote); err == nil {
		host = ap.Addr().String()
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return "?"
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is6() {
		prefix, _ := addr.Prefix(64)
		return prefix.String()
	}
	return addr.String()
}

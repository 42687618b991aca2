package charter

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
)

// Change is what a draft changes. The zero Change changes nothing, and so renews.
type Change struct {
	Put       *genesis.Member  // admits a member, or replaces its entry
	Remove    genesis.NodeID   // who is none any more, holder or not
	Holders   []genesis.NodeID // all of them; nil: as they are
	Threshold int              // 0: as it is, if that can be
}

func badChange(subject, msg, hint string) error {
	return fault("change charter", BadChange, subject, msg, hint)
}

// apply returns the list, the holders' keys and the threshold after a change.
func (c *Charter) apply(ch Change, now time.Time) (list, []genesis.NodeKey, int, error) {
	l := c.list
	l.Members = slices.Clone(l.Members)
	holders := c.Holders()
	if ch.Holders != nil {
		holders = slices.Compact(slices.Sorted(slices.Values(ch.Holders)))
	}
	if m := ch.Put; m != nil {
		l.put(*m, now)
	}
	if id := ch.Remove; id != "" {
		if _, ok := l.member(id); !ok {
			return l, nil, 0, badChange(string(id), "it is not a member", "`genesis federation members` lists them")
		}
		is := func(m genesis.Member) bool { return m.ID == id }
		l.Members = slices.DeleteFunc(l.Members, is)
		holders = slices.DeleteFunc(holders, func(h genesis.NodeID) bool { return h == id })
	}
	threshold, err := c.threshold(ch, len(holders))
	if err != nil {
		return l, nil, 0, err
	}
	keys, err := l.charterKeys(holders)
	return l, keys, threshold, err
}

// put sets a member's entry. Keys that ended are left out, but those of logs: what
// they signed is still read.
func (l *list) put(m genesis.Member, now time.Time) {
	m.Keys = slices.DeleteFunc(slices.Clone(m.Keys), func(k genesis.NodeKey) bool {
		return k.Use != genesis.KeyLog && !k.Until.IsZero() && !now.Before(k.Until)
	})
	i, ok := slices.BinarySearchFunc(l.Members, m, byID)
	if ok {
		l.Members[i] = m
		return
	}
	l.Members = slices.Insert(l.Members, i, m)
}

// threshold is that which was asked for, or the present one as far as it fits.
func (c *Charter) threshold(ch Change, holders int) (int, error) {
	if holders == 0 {
		return 0, badChange("holders", "the last holder would go, and nobody could change the charter any more", "make another member a holder first: genesis federation holders")
	}
	if holders > MaxHolders {
		return 0, badChange("holders", fmt.Sprintf("there are %d, more than %d", holders, MaxHolders), "")
	}
	if ch.Threshold == 0 {
		return max(min(c.Threshold(), holders), holders/2+1), nil
	}
	if !majority(ch.Threshold, holders) {
		return 0, badChange("threshold", fmt.Sprintf("%d of %d is not more than half: two changes could be agreed to at once", ch.Threshold, holders),
			fmt.Sprintf("take %d to %d", holders/2+1, holders))
	}
	return ch.Threshold, nil
}

// charterKeys are the keys with which holders sign: of each the one that lasts.
func (l list) charterKeys(holders []genesis.NodeID) ([]genesis.NodeKey, error) {
	var keys []genesis.NodeKey
	for _, id := range holders {
		m, ok := l.member(id)
		if !ok {
			return nil, badChange(string(id), "it is not a member, so it cannot be a holder", "")
		}
		k, ok := lasting(m, genesis.KeyCharter)
		if !ok {
			return nil, badChange(string(id), "it has no charter key that lasts", "")
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// lasting is the newest key for a use that has no end.
func lasting(m genesis.Member, use genesis.KeyUse) (best genesis.NodeKey, ok bool) {
	for _, k := range m.Keys {
		if k.Use == use && k.Until.IsZero() && (!ok || k.From.After(best.From)) {
			best, ok = k, true
		}
	}
	return best, ok
}

// differences says in words what l changes, for the people who are to sign.
func differences(was, l list) []string {
	var all []string
	for _, m := range l.Members {
		old, ok := was.member(m.ID)
		switch {
		case !ok:
			all = append(all, fmt.Sprintf("admit %s: %s, %s, %s", m.ID, m.Institution, m.Sector, m.URL))
		case old.Institution != m.Institution || old.Sector != m.Sector || old.URL != m.URL:
			all = append(all, fmt.Sprintf("change %s: %s, %s, %s", m.ID, m.Institution, m.Sector, m.URL))
		}
		if ok {
			all = append(all, keyDifferences(old, m)...)
		}
	}
	for _, m := range was.Members {
		if _, ok := l.member(m.ID); !ok {
			all = append(all, "remove "+string(m.ID))
		}
	}
	if was.Federation != l.Federation {
		all = append(all, "rename the federation to "+l.Federation)
	}
	return all
}

func keyDifferences(old, m genesis.Member) []string {
	var uses []string
	for _, use := range genesis.KeyUses {
		of := func(m genesis.Member) [][]byte {
			var all [][]byte
			for _, k := range m.Keys {
				if k.Use == use && k.Until.IsZero() {
					all = append(all, k.Public)
				}
			}
			return all
		}
		if !slices.EqualFunc(of(old), of(m), bytes.Equal) {
			uses = append(uses, string(use))
		}
	}
	if len(uses) == 0 {
		return nil
	}
	return []string{fmt.Sprintf("replace keys of %s: %s", m.ID, strings.Join(uses, ", "))}
}

package charter

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/opengenesis/genesis"
)

// TestBundlesThatAreRefused: an attacker has everything that was ever signed, and
// perhaps a key.
func TestBundlesThatAreRefused(t *testing.T) {
	w := world{t}
	old := w.create("nrel")
	c := w.three()
	renewed := w.ok(c.Renew(charterKey("nrel"), day0.Add(day)))
	m := member("cern")
	cern := w.change(c, Change{Put: &m}, day0, "nrel", "mit")
	m2 := member("fnal")
	fnal := w.change(c, Change{Put: &m2}, day0, "mit", "ornl")
	pair := w.change(old, Change{Put: ptr(member("mit"))}, day0, "nrel")
	pair = w.change(pair, Change{Put: ptr(member("ornl"))}, day0, "nrel")
	left := w.change(pair, Change{Holders: []genesis.NodeID{"nrel", "mit"}, Threshold: 2}, day0, "nrel", "mit")
	right := w.change(pair, Change{Holders: []genesis.NodeID{"nrel", "ornl"}, Threshold: 2}, day0, "nrel", "ornl")
	stranger := w.ok(Create("energy", member("evil"), charterKey("evil"), day0))
	alone := w.change(old, Change{Put: ptr(member("evil"))}, day0, "nrel") // by a holder who was enough once

	with := func(c *Charter, change func(*Bundle)) Bundle {
		b := c.Bundle()
		b.Roots = slices.Clone(b.Roots)
		change(&b)
		return b
	}
	for _, tt := range []struct {
		name string
		b    Bundle
		now  time.Time
		want Reason
	}{
		{"an old state", old.Bundle(), day0, RolledBack},
		{"an old timestamp", with(renewed, func(b *Bundle) { b.Timestamp = old.Bundle().Timestamp }), day0, Mismatched},
		{"an old list", with(renewed, func(b *Bundle) { b.Members = old.Bundle().Members }), day0, Mismatched},
		{"old targets", with(renewed, func(b *Bundle) { b.Targets = old.Bundle().Targets }), day0, Mismatched},
		{"an old snapshot", with(renewed, func(b *Bundle) { b.Snapshot = old.Bundle().Snapshot }), day0, Mismatched},
		{"withheld for long", w.ok(renewed.Renew(charterKey("mit"), day0.Add(day))).Bundle(), day0.Add(9 * day), Expired},
		{"another federation", stranger.Bundle(), day0, NotThis},
		{"another list of the same version", fnal.Bundle(), day0, Forked},
		{"a key that is not enough any more", alone.Bundle(), day0, RolledBack},
		{"a root too many", with(cern, func(b *Bundle) { b.Roots = append(b.Roots, b.Roots[1]) }), day0, Mismatched},
		{"a root by one holder", with(cern, func(b *Bundle) { b.Roots[1] = resigned(t, b.Roots[1], charterKey("nrel")) }), day0, TooFew},
		{"targets by one holder", with(cern, func(b *Bundle) { forge(t, b, charterKey("nrel")) }), day0, TooFew},
		{"a timestamp by a stranger", with(cern, func(b *Bundle) { b.Timestamp = stranger.Bundle().Timestamp }), day0, TooFew},
		{"a leap", leap(t, cern, charterKey("mit")), day0, FastForward},
		{"a timestamp for a year", with(renewed, func(b *Bundle) {
			b.Timestamp = must(newTimestamp(b.Snapshot, renewed.Versions().Snapshot, renewed.Versions().Timestamp+1, charterKey("mit"), day0.Add(300*day)))
		}), day0, TooLong},
		{"a snapshot for a year", with(renewed, func(b *Bundle) {
			v := renewed.Versions()
			b.Snapshot = must(newSnapshot(b.Targets, v.Targets, v.Snapshot+1, charterKey("mit"), day0.Add(300*day)))
			b.Timestamp = must(newTimestamp(b.Snapshot, v.Snapshot+1, v.Timestamp+1, charterKey("mit"), day0))
		}), day0, TooLong},
		{"no root", Bundle{}, day0, Malformed},
		{"no list", with(cern, func(b *Bundle) { b.Members = nil }), day0, Malformed},
		{"a large list", with(cern, func(b *Bundle) { b.Members = make([]byte, maxList+1) }), day0, TooLarge},
		{"a large root", with(cern, func(b *Bundle) { b.Roots = append(b.Roots, make([]byte, maxRoot+1)) }), day0, TooLarge},
		{"many roots", with(cern, func(b *Bundle) { b.Roots = slices.Repeat(b.Roots, maxRoots) }), day0, TooLarge},
		{"a key that is none", with(cern, func(b *Bundle) { b.Roots[1] = bytes.Replace(b.Roots[1], []byte(`"ed25519"`), []byte(`"rsa"`), 1) }), day0, Malformed},
		{"an empty key", with(cern, func(b *Bundle) { b.Roots[1] = emptied(t, b.Roots[1], "keys") }), day0, Malformed},
		{"an empty role", with(cern, func(b *Bundle) { b.Roots[1] = emptied(t, b.Roots[1], "roles") }), day0, Malformed},
		{"an empty target", with(cern, func(b *Bundle) { b.Targets = emptied(t, b.Targets, "targets") }), day0, Malformed},
		{"an empty file of a snapshot", with(cern, func(b *Bundle) { b.Snapshot = emptied(t, b.Snapshot, "meta") }), day0, Malformed},
		{"an empty file of a timestamp", with(cern, func(b *Bundle) { b.Timestamp = emptied(t, b.Timestamp, "meta") }), day0, Malformed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			known := renewed
			if tt.want == Forked || tt.want == RolledBack && tt.name != "an old state" {
				known = cern
			}
			if _, err := known.Update(tt.b, tt.now); !is(err, tt.want) {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
	if _, err := left.Update(right.Bundle(), day0); !is(err, Forked) {
		t.Errorf("another root of the same version: %v", err)
	}
	w.ok(renewed.Update(with(w.ok(cern.Renew(charterKey("mit"), day0)), func(*Bundle) {}), day0)) // the tests above can fail
}

// TestOneVoiceEach: no member counts twice among the holders.
func TestOneVoiceEach(t *testing.T) {
	m := rotated("nrel", "nrel/another", day0)
	var keys []genesis.NodeKey
	for _, k := range m.Keys {
		if k.Use == genesis.KeyCharter {
			keys = append(keys, k)
		}
	}
	l := list{Members: []genesis.Member{m}}
	if got, err := holdersOf(newRoot(keys[:1], 1, 1, day0), l); err != nil || len(got) != 1 {
		t.Errorf("%v %v", got, err)
	}
	if got, err := holdersOf(newRoot(keys, 2, 1, day0), l); !is(err, Malformed) {
		t.Errorf("two keys of one member: %v %v", got, err)
	}
}

func ptr[T any](v T) *T { return &v }

// resigned leaves one signature of a root, by one holder.
func resigned(t *testing.T, text []byte, key ed25519.PrivateKey) []byte {
	m, err := metadata.Root().FromBytes(text)
	if err != nil {
		t.Fatal(err)
	}
	m.Signatures = nil
	if err := sign(m, key); err != nil {
		t.Fatal(err)
	}
	return must(m.ToBytes(false))
}

// forge makes a whole bundle around targets that one holder signed alone.
func forge(t *testing.T, b *Bundle, key ed25519.PrivateKey) {
	m := newTargets(b.Members, 5, day0)
	if err := sign(m, key); err != nil {
		t.Fatal(err)
	}
	b.Targets = must(m.ToBytes(false))
	b.Snapshot = must(newSnapshot(b.Targets, 5, 9, key, day0))
	b.Timestamp = must(newTimestamp(b.Snapshot, 9, 9, key, day0))
}

func leap(t *testing.T, c *Charter, key ed25519.PrivateKey) Bundle {
	b := c.Bundle()
	b.Timestamp = must(newTimestamp(b.Snapshot, c.Versions().Snapshot, maxLeap+100, key, day0))
	return b
}

// emptied puts null in place of the values of a member of what is signed.
func emptied(t *testing.T, text []byte, member string) []byte {
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	of := m["signed"].(map[string]any)[member].(map[string]any)
	for k := range of {
		of[k] = nil
	}
	return must(json.Marshal(m))
}

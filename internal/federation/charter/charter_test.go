package charter

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal/disk"
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

func TestLife(t *testing.T) {
	w := world{t}
	c := w.three()
	if got := c.Holders(); !slices.Equal(got, []genesis.NodeID{"mit", "nrel", "ornl"}) || c.Threshold() != 2 {
		t.Fatalf("%d of %v", c.Threshold(), got)
	}
	if want := (genesis.CharterVersion{Root: 2, Targets: 4, Snapshot: 4, Timestamp: 4}); c.Versions() != want {
		t.Errorf("%+v", c.Versions())
	}
	if f := c.Federation(); f.Name != "energy" || f.Root != genesis.DigestOf(c.Bundle().Roots[0]) || len(f.Members) != 3 || !f.Fresh.Equal(day0.Add(7*day)) {
		t.Errorf("%+v", f)
	}
	first := w.create("nrel")
	if first.ID() != c.ID() {
		t.Fatal("the same keys at the same time made two federations: the test compares nothing")
	}
	got := w.ok(first.Update(c.Bundle(), day0.Add(day)))
	if got.Versions() != c.Versions() {
		t.Errorf("%+v", got.Versions())
	}
	if _, err := got.Update(c.Bundle(), day0); !is(err, NothingNewer) {
		t.Error(err)
	}
	c = w.change(c, Change{Remove: "mit"}, day0.Add(day), "ornl", "nrel")
	if _, ok := c.Member("mit"); ok || c.Holds("mit") || c.Threshold() != 2 {
		t.Errorf("mit is still there: %+v", c.Federation())
	}
	if got = w.ok(got.Update(c.Bundle(), day0.Add(day))); len(got.Members()) != 2 {
		t.Errorf("%+v", got.Members())
	}
}

// TestDrafts: two of three sign, at their own nodes, in any order.
func TestDrafts(t *testing.T) {
	w := world{t}
	c := w.three()
	m := member("cern")
	d, err := c.Draft(Change{Put: &m}, day0)
	if err != nil {
		t.Fatal(err)
	}
	if d.Needs() != 2 || !cmp.Equal(d.Says(), []string{"admit cern: The cern, university, https://cern.example.edu"}) {
		t.Errorf("needs %d, says %q", d.Needs(), d.Says())
	}
	if err := d.Sign(charterKey("cern")); !is(err, NotHolder) {
		t.Errorf("somebody who is no holder signs: %v", err)
	}
	if err := d.Sign(charterKey("nrel")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Finish(d, charterKey("nrel"), day0); !is(err, TooFew) {
		t.Errorf("one of two finishes: %v", err)
	}
	there, err := c.ReadDraft(must(d.Parts()), day0)
	if err != nil || there.ID() != d.ID() {
		t.Fatal(err)
	}
	if err := there.Sign(charterKey("ornl")); err != nil {
		t.Fatal(err)
	}
	added, err := d.Add(must(there.Parts()), day0)
	if err != nil || !added || d.Needs() != 0 || !slices.Equal(d.Signed(), []genesis.NodeID{"nrel", "ornl"}) {
		t.Fatalf("%v %v, needs %d, signed %v", added, err, d.Needs(), d.Signed())
	}
	if added, err = d.Add(must(there.Parts()), day0); added || err != nil {
		t.Errorf("the same signature counts twice: %v %v", added, err)
	}
	c2 := w.ok(c.Finish(d, charterKey("nrel"), day0))
	if _, err := c2.ReadDraft(must(d.Parts()), day0); !is(err, NotTheNext) {
		t.Errorf("a draft outlives its charter: %v", err)
	}
	// A signature that does not hold is left out.
	d, _ = c.Draft(Change{Put: &m}, day0)
	d.targets.Signatures = []metadata.Signature{{KeyID: keyID(charterKey("nrel").Public().(ed25519.PublicKey)), Signature: make([]byte, 64)}}
	if again, err := c.ReadDraft(must(d.Parts()), day0); err != nil || len(again.Signed()) != 0 {
		t.Errorf("%v %v", err, again.Signed())
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// rotated is a member's entry with another charter key.
func rotated(id genesis.NodeID, name string, now time.Time) genesis.Member {
	m := member(id)
	for i := range m.Keys {
		if m.Keys[i].Use == genesis.KeyCharter {
			m.Keys[i].Until = now.Add(day)
		}
	}
	m.Keys = append(m.Keys, nodeKey(name, genesis.KeyCharter, now))
	return m
}

// TestRotate: a holder's key is replaced by the signatures of the holders before and
// of those after, and the old one counts no more.
func TestRotate(t *testing.T) {
	w := world{t}
	c := w.three()
	m := rotated("nrel", "new", day0)
	d, err := c.Draft(Change{Put: &m}, day0)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Sign(charterKey("nrel"), charterKey("mit")); err != nil {
		t.Fatal(err)
	}
	if d.Needs() != 1 {
		t.Errorf("needs %d: the key after has not signed", d.Needs())
	}
	if err := d.Sign(keyFor("new")); err != nil {
		t.Fatal(err)
	}
	c2 := w.ok(c.Finish(d, keyFor("new"), day0))
	w.ok(c.Update(c2.Bundle(), day0))
	if _, err := c2.Renew(charterKey("nrel"), day0); !is(err, NotHolder) {
		t.Errorf("the old key signs: %v", err)
	}
	w.ok(c2.Renew(keyFor("new"), day0))
}

func TestChangesThatAreRefused(t *testing.T) {
	c := world{t}.three()
	taken := member("cern")
	taken.Keys[0] = member("mit").Keys[0]
	named := member("cern")
	named.ID = "university"
	plain := member("cern")
	plain.URL = "http://cern.example.edu"
	keyless := member("cern")
	keyless.Keys = keyless.Keys[:3]
	for name, tt := range map[string]struct {
		ch   Change
		want Reason
	}{
		"half of the holders":   {Change{Holders: []genesis.NodeID{"nrel", "mit"}, Threshold: 1}, BadChange},
		"more than there are":   {Change{Threshold: 4}, BadChange},
		"no holder":             {Change{Holders: []genesis.NodeID{}}, BadChange},
		"a stranger holds":      {Change{Holders: []genesis.NodeID{"cern"}}, BadChange},
		"a stranger goes":       {Change{Remove: "cern"}, BadChange},
		"somebody else's key":   {Change{Put: &taken}, Malformed},
		"the name of a sector":  {Change{Put: &named}, Malformed},
		"in the clear":          {Change{Put: &plain}, Malformed},
		"a key is missing":      {Change{Put: &keyless}, Malformed},
		"a holder without keys": {Change{Put: &genesis.Member{ID: "nrel"}}, BadChange},
	} {
		if _, err := c.Draft(tt.ch, day0); !is(err, tt.want) {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
	}
}

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
	w.ok(renewed.Update(with(w.ok(cern.Renew(charterKey("mit"), day0)), func(*Bundle) {}), day0)) // the tests above can fail
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

// TestExpiry: each part ends by itself, and a charter that ended is still known.
func TestExpiry(t *testing.T) {
	w := world{t}
	c := w.three()
	if _, err := Verify(c.Bundle(), c.ID(), day0.Add(7*day)); !is(err, Expired) {
		t.Error(err)
	}
	w.ok(Verify(c.Bundle(), c.ID(), day0.Add(7*day-time.Second)))
	w.ok(Open(c.Bundle(), c.ID()))
	late := w.ok(c.Renew(charterKey("mit"), day0.Add(30*day))) // snapshot and timestamp
	if !late.Fresh().Equal(day0.Add(37 * day)) {
		t.Error(late.Fresh())
	}
	w.ok(c.Update(late.Bundle(), day0.Add(30*day)))
	if _, err := c.Renew(charterKey("mit"), day0.Add(366*day)); !is(err, Expired) {
		t.Errorf("one holder renews what all have to: %v", err)
	}
	// Half a year before its end the root is renewed with whatever is changed.
	d := must(c.Draft(Change{}, day0.Add(200*day)))
	if d.root == nil || !d.root.Signed.Expires.Equal(day0.Add(565*day)) || !cmp.Equal(d.Says(), []string{"renew for a year"}) {
		t.Errorf("%q", d.Says())
	}
}

// TestMerge: two holders change and renew at once; both nodes come to one state, and so
// does everybody who follows either.
func TestMerge(t *testing.T) {
	w := world{t}
	c := w.three()
	changed := w.change(c, Change{Put: ptr(member("cern"))}, day0, "nrel", "ornl")
	renewed := c
	for range 3 {
		renewed = w.ok(renewed.Renew(charterKey("mit"), day0.Add(day)))
	}
	for _, follows := range []*Charter{changed, renewed} {
		other := changed
		if follows == changed {
			other = renewed
		}
		if _, err := follows.Update(other.Bundle(), day0.Add(day)); !is(err, RolledBack) {
			t.Fatalf("%v: there is nothing to merge", err)
		}
		merged := w.ok(follows.Merge(other.Bundle(), charterKey("mit"), day0.Add(day)))
		if _, ok := merged.Member("cern"); !ok {
			t.Error("the change was lost")
		}
		w.ok(changed.Update(merged.Bundle(), day0.Add(day)))
		w.ok(renewed.Update(merged.Bundle(), day0.Add(day)))
	}
	if _, err := changed.Merge(c.Bundle(), charterKey("mit"), day0); !is(err, RolledBack) {
		t.Errorf("an old state is merged: %v", err)
	}
}

// TestRecovery: whoever had a holder's key used the versions up; holders take the key
// out, and versions begin anew.
func TestRecovery(t *testing.T) {
	w := world{t}
	c := w.three()
	stolen := charterKey("ornl")
	ahead := c
	for range 3 {
		v := ahead.Versions()
		b := ahead.Bundle()
		b.Timestamp = must(newTimestamp(b.Snapshot, v.Snapshot, v.Timestamp+maxLeap, stolen, day0))
		ahead = w.ok(ahead.Update(b, day0))
	}
	healed := w.change(c, Change{Remove: "ornl"}, day0, "nrel", "mit")
	if healed.Versions().Timestamp >= ahead.Versions().Timestamp {
		t.Fatal("nothing was used up")
	}
	w.ok(ahead.Update(healed.Bundle(), day0))
}

func TestStore(t *testing.T) {
	w := world{t}
	dir := filepath.Join(t.TempDir(), "federation")
	if c, err := Load(disk.OS, dir); c != nil || err != nil {
		t.Fatal(c, err)
	}
	before, after := w.create("nrel"), w.three()
	if err := Save(disk.OS, dir, before); err != nil {
		t.Fatal(err)
	}
	// Whatever breaks while the next is kept, one of the two is there afterwards.
	for _, op := range []string{"create", "write", "sync", "rename", "syncdir", ""} {
		faulty := &disk.Faulty{Disk: disk.OS}
		faulty.Fail(func(now, _ string) error {
			if now == op {
				return os.ErrInvalid
			}
			return nil
		})
		if err := Save(faulty, dir, after); (err == nil) != (op == "") {
			t.Errorf("%s: %v", op, err)
		}
		got := w.ok(Load(disk.OS, dir))
		if v := got.Versions(); v != before.Versions() && v != after.Versions() {
			t.Errorf("%s: %+v", op, v)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*"+disk.Temporary)); len(left) > 0 {
			t.Errorf("%s: left %v", op, left)
		}
	}
	got := w.ok(Load(disk.OS, dir))
	if !cmp.Equal(got.Bundle(), after.Bundle()) {
		t.Error("the bytes are others")
	}
	path := filepath.Join(dir, stateFile)
	for _, tt := range []struct {
		text string
		want genesis.ErrorKind
	}{{`{"format":2}`, genesis.Unsupported}, {`{"format":1}`, genesis.Internal}, {``, genesis.Internal}} {
		if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(disk.OS, dir); genesis.KindOf(err) != tt.want {
			t.Errorf("%q: %v", tt.text, err)
		}
	}
	if err := errors.Join(Remove(disk.OS, dir), Remove(disk.OS, dir)); err != nil {
		t.Error(err)
	}
}

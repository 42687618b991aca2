package charter

import (
	"crypto/ed25519"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/opengenesis/genesis"
)

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

// TestLoopback: a URL that says that it leads to the machine itself is known, however it
// says it.
func TestLoopback(t *testing.T) {
	for u, want := range map[string]bool{
		"http://localhost:1": true, "https://LOCALHOST.:1": true, "https://a.localhost": true, "https://127.8.9.1": true, "https://[::1]": true,
		"https://[::1%25lo]:1": true, "https://[::ffff:127.0.0.1]": true, "https://0.0.0.0": true, "https://[::]": true, "https://[::ffff:0.0.0.0]": true,
		"https://localhost.example.edu": false, "https://128.0.0.1": false, "https://[fe80::1%25lo]": false, "https://data.example.edu": false,
	} {
		if got := Loopback(u); got != want {
			t.Errorf("%s: %v", u, got)
		}
	}
}

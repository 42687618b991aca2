package charter

import (
	"encoding/json"
	"testing"

	"github.com/opengenesis/genesis"
)

// FuzzBundle: no bundle panics, and one that is taken names the same federation and
// is read in the same way again.
func FuzzBundle(f *testing.F) {
	w := world{&testing.T{}}
	known := w.three()
	m := member("cern")
	d := must(known.Draft(Change{Put: &m}, day0))
	if err := d.Sign(charterKey("nrel"), charterKey("mit")); err != nil {
		f.Fatal(err)
	}
	next := must(known.Finish(d, charterKey("nrel"), day0))
	for _, c := range []*Charter{w.create("nrel"), known, next} {
		f.Add(must(json.Marshal(c.Bundle())))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		b, err := Parse(text)
		if err != nil {
			return
		}
		if c, err := known.Update(b, day0); err == nil {
			if c.ID() != known.ID() || c.Versions() == known.Versions() {
				t.Errorf("took %+v", c.Federation())
			}
		}
		// Nothing is signed for a root of the fuzzer's own, but its shape is.
		if c, err := Open(b, genesis.DigestOf(b.Roots[0])); err == nil {
			if _, err := Open(c.Bundle(), c.ID()); err != nil {
				t.Error(err)
			}
		}
	})
}

// FuzzParts reads each part alone: signatures keep what is fuzzed as a whole from
// getting that far.
func FuzzParts(f *testing.F) {
	known := world{&testing.T{}}.three()
	b := known.Bundle()
	for _, text := range [][]byte{b.Roots[1], b.Targets, b.Snapshot, b.Timestamp, b.Members} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if r, err := readRoot(text); err == nil {
			signedBy(r, r.Signed.Keys)
			_, _ = holdersOf(r, known.list)
		}
		if m, err := readTargets(text); err == nil {
			signedBy(m, known.root().Signed.Keys)
			_, _ = known.ReadDraft(genesis.DraftParts{Targets: text, Members: b.Members}, day0)
		}
		if m, err := readSnapshot(text); err == nil {
			signedBy(m, known.root().Signed.Keys)
		}
		if m, err := readTimestamp(text); err == nil {
			signedBy(m, known.root().Signed.Keys)
		}
		if l, err := decodeList(text); err == nil {
			if again, err := l.encode(); err != nil || string(again) != string(text) {
				t.Errorf("%q is written %q, %v", text, again, err)
			}
		}
	})
}

package main

import (
	"testing"

	"github.com/opengenesis/genesis"
)

// TestHostileModel: what a node says a model consists of becomes files only if it is
// what the version's digest names, and lies in one folder.
func TestHostileModel(t *testing.T) {
	describe := func(named, told map[string]genesis.Digest) *genesis.Description {
		m := genesis.Manifest{Format: 1, Kind: genesis.Model, Parts: named}
		text, err := genesis.CanonicalJSON(m)
		if err != nil {
			t.Fatal(err)
		}
		m.Parts = told
		return &genesis.Description{Version: genesis.Version{Name: "net", Kind: genesis.Model, Digest: genesis.DigestOf(text)}, Manifest: m}
	}
	a, b := genesis.DigestOf([]byte("a")), genesis.DigestOf([]byte("b"))
	good := map[string]genesis.Digest{"model.bin": a}
	for name, c := range map[string]struct {
		d    *genesis.Description
		want genesis.ErrorKind
	}{
		"good":        {describe(good, good), ""},
		"other bytes": {describe(good, map[string]genesis.Digest{"model.bin": b}), genesis.Internal},
		"another":     {describe(good, map[string]genesis.Digest{"model.bin": a, "x": b}), genesis.Internal},
		"up":          {describe(map[string]genesis.Digest{"../x": a}, map[string]genesis.Digest{"../x": a}), genesis.Invalid},
		"a dataset":   {&genesis.Description{Version: genesis.Version{Name: "x", Kind: genesis.Dataset}}, genesis.Invalid},
	} {
		if err := checkModel(c.d); genesis.KindOf(err) != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestInputsOfModels(t *testing.T) {
	digest := "sha256:" + genesis.DigestOf(nil).Hex()
	for text, want := range map[string][2]string{
		"turbines": {"turbines", ""}, "turbines@3:train": {"turbines@3", "train"}, "~ada/x:by-site/train": {"~ada/x", "by-site/train"},
		"turbines@" + digest: {"turbines@" + digest, ""}, "turbines@" + digest + ":train": {"turbines@" + digest, "train"},
		"turbines:": {}, "turbines@" + digest + ":": {}, "turbines@" + digest + "0": {}, "turbines@" + digest + "x:train": {},
	} {
		ref, split, err := refAndSplit(text)
		if (err != nil) != (want[0] == "") || ref != want[0] || split != want[1] {
			t.Errorf("%q is %q and %q, %v", text, ref, split, err)
		}
	}
}

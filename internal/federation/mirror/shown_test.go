package mirror

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"testing"

	"github.com/opengenesis/genesis"
)

// parting is evidence of a fork that grew, as this node would show it, and the member that
// it is about.
func parting(t testing.TB) (genesis.LogEvidence, genesis.Member) {
	t.Helper()
	o, h := startOther(t, t.(interface{ TempDir() string }).TempDir()), startHere(t)
	o.sayAll(names("a", 5), "one", "public")
	o, twin := o.copied()
	o.say("x", "right", "public")
	twin.sayAll(names("y", 3), "wrong", "public")
	var shown genesis.LogEvidence
	h.cfg.Report = func(_ context.Context, _ *sql.Tx, e genesis.LogEvidence) error { shown = e; return nil }
	h.again()
	if err := h.look(o.member(), o); err != nil {
		t.Fatal(err)
	}
	if err := h.look(o.member(), twin); genesis.KindOf(err) != genesis.Conflict || shown.Node == "" {
		t.Fatalf("%v, shown %+v", err, shown)
	}
	return shown, o.member()
}

// TestShownEvidence: what others show is believed if it proves itself, and kept once; all
// else is refused, and nobody is slandered.
func TestShownEvidence(t *testing.T) {
	e, member := parting(t)
	h := startHere(t)
	hear := func(e genesis.LogEvidence) error {
		return h.cfg.DB.Tx(t.Context(), func(tx *sql.Tx) error { return h.Hear(t.Context(), tx, "ornl", member, e) })
	}
	for name, change := range map[string]func(*genesis.LogEvidence){
		"one signature does not hold":   func(e *genesis.LogEvidence) { e.Second = changedNote(e.Second) },
		"the other does not":            func(e *genesis.LogEvidence) { e.First = changedNote(e.First) },
		"the same twice":                func(e *genesis.LogEvidence) { e.Second = e.First },
		"no proof":                      func(e *genesis.LogEvidence) { e.Proof, e.Prefix = nil, nil },
		"another proof":                 func(e *genesis.LogEvidence) { e.Proof = slices.Clone(e.Proof); e.Proof[0] = e.Prefix },
		"a proof of what nobody denies": func(e *genesis.LogEvidence) { e.Prefix = bytes.Repeat([]byte{1}, 32) },
		"a hash of 31 bytes":            func(e *genesis.LogEvidence) { e.Proof = [][]byte{make([]byte, 31)} },
		"another class":                 func(e *genesis.LogEvidence) { e.Class = genesis.ClassMembers },
		"a class of few":                func(e *genesis.LogEvidence) { e.Class = "to-mit" },
		"a thousand hashes":             func(e *genesis.LogEvidence) { e.Proof = make([][]byte, 1000) },
	} {
		bad := e
		change(&bad)
		if err := hear(bad); genesis.KindOf(err) != genesis.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	turned := e
	turned.First, turned.Second = e.Second, e.First
	for _, good := range []genesis.LogEvidence{e, e, turned} {
		if err := hear(good); err != nil {
			t.Error(err)
		}
	}
	all, err := h.Evidence(t.Context())
	if err != nil || len(all) != 2 || all[0].By != "ornl" || all[0].Node != "nrel" {
		t.Errorf("kept %+v %v", all, err)
	}
	if s := h.standing("public"); s.Standing != Good {
		t.Errorf("it is followed by what others say: %+v", s)
	}
}

func changedNote(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)-10] ^= 1
	return b
}

// FuzzEvidence: whatever is shown passes only with two checkpoints that the member signed.
func FuzzEvidence(f *testing.F) {
	e, member := parting(f)
	text, err := json.Marshal(e)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"node":"nrel","class":"public","first":"AAAA","second":"AAAA"}`))
	signed := [][]byte{bytes.SplitAfter(e.First, []byte("\n\n"))[0], bytes.SplitAfter(e.Second, []byte("\n\n"))[0]}
	now := startHere(f).now
	f.Fuzz(func(t *testing.T, text []byte) {
		var shown genesis.LogEvidence
		if json.Unmarshal(text, &shown) != nil {
			return
		}
		err := contradicts(shown, member, now)
		if err != nil && genesis.KindOf(err) != genesis.Invalid {
			t.Error(err)
		}
		if err == nil && !(bytes.HasPrefix(shown.First, signed[0]) && bytes.HasPrefix(shown.Second, signed[1]) || bytes.HasPrefix(shown.First, signed[1]) && bytes.HasPrefix(shown.Second, signed[0])) {
			t.Errorf("%s passes", text)
		}
	})
}

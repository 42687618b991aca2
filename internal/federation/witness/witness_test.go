package witness

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

// TestLogsThatGrow: each state is proved to have grown from the one before, and one a day
// is kept for 400 days.
func TestLogsThatGrow(t *testing.T) {
	c, nrel, mit, wire := pair(t)
	nrel.grow(3)
	first := mit.look()
	if first.Point.Epoch != 1 || first.Point.Size != 3 || first.Kept != 1 || !first.Since.Equal(day0) || first.Standing != "" {
		t.Fatalf("%+v", first)
	}
	for i := range 5 {
		c.move(time.Hour)
		nrel.grow(100 * (i + 1))
		mit.look()
	}
	c.move(day)
	nrel.grow(1)
	got := mit.look()
	if got.Point.Size != 3+1500+1 || got.Kept != 2 || !got.Since.Equal(day0) || !got.Seen.Equal(c.now()) || got.Evidence != 0 {
		t.Errorf("%+v", got)
	}
	if want := "/audit/state?epoch=1&size=1503"; wire.asked[len(wire.asked)-1] != want {
		t.Errorf("asked %q, want %s", wire.asked, want)
	}
	for range 3 {
		c.move(200 * day)
		nrel.grow(1)
		got = mit.look()
	}
	if got.Kept != 2 { // of the 600 days the last 400
		t.Errorf("after 600 days %d are kept", got.Kept)
	}
	if len(mit.forks()) != 0 {
		t.Errorf("%+v", mit.forks())
	}
}

// TestForkedLog: who has the key and writes the log anew is found out, and both
// checkpoints are kept. Only a new epoch that declares what was common ends it.
func TestForkedLog(t *testing.T) {
	for name, grown := range map[string]int{"as long": 2, "longer": 5, "longer, and hides it": 5} {
		hides := strings.HasSuffix(name, "hides it")
		c := newClock()
		nrel, mit := start(t, c, "nrel", t.TempDir()), start(t, c, "mit", t.TempDir())
		nrel.grow(300)
		original, forged := nrel.twin()
		wire := meet(original, mit)
		original.grow(2)
		c.move(time.Hour)
		forged.grow(grown)
		mit.look()
		wire.to = forged
		want := genesis.WitnessForked
		if hides { // a proof that does not hold counts when it fails twice
			want = genesis.WitnessRefused
			wire.lie = func(_ string, b []byte, err error) ([]byte, error) {
				return bytes.Replace(b, []byte(`"root"`), []byte(`"other"`), 1), err
			}
			if got := mit.look(); got.Standing != "" || got.Evidence != 0 {
				t.Errorf("%s, once: %+v", name, got)
			}
		}
		got := mit.look()
		if got.Standing != want || got.Evidence != 1 || got.Point.Size != 302 {
			t.Errorf("%s: %+v", name, got)
		}
		if forks := mit.forks(); len(forks) != 1 || forks[0].Subject != "log nrel/audit/1" || forks[0].Outcome != genesis.Refused || !strings.Contains(string(forks[0].Detail), "302") {
			t.Errorf("%s: %+v", name, forks)
		}
		wire.to, wire.lie = original, nil
		original.grow(1)
		if got := mit.look(); (got.Standing == genesis.WitnessForked) == hides || got.Evidence != 1 {
			t.Errorf("%s, and then the true one again: %+v", name, got)
		}
		if err := original.journal.NewEpoch(t.Context(), "a fork"); err != nil {
			t.Fatal(err)
		}
		if got := mit.look(); got.Standing != "" || got.Point.Epoch != 2 || got.Point.Size != 1 {
			t.Errorf("%s, in a new epoch: %+v", name, got)
		}
	}
}

// TestLogThatGoesBack: a log that is shorter and says nothing is behind; one that declares
// it by a new epoch is followed, and what was lost stays on record.
func TestLogThatGoesBack(t *testing.T) {
	c := newClock()
	nrel, mit := start(t, c, "nrel", t.TempDir()), start(t, c, "mit", t.TempDir())
	nrel.grow(300)
	original, restored := nrel.twin()
	wire := meet(original, mit)
	mit.look()
	c.move(day)
	original.grow(50)
	mit.look()
	wire.to = restored
	if got := mit.look(); got.Standing != genesis.WitnessBehind || got.Point.Size != 350 {
		t.Errorf("without a word: %+v", got)
	}
	restored.grow(10)
	if err := restored.journal.NewEpoch(t.Context(), "restored from a backup"); err != nil {
		t.Fatal(err)
	}
	restored.grow(2)
	got := mit.look()
	if got.Standing != genesis.WitnessRestored || got.Point.Epoch != 2 || got.Point.Size != 3 || !strings.Contains(got.Reason, "350 entries, and ended with 310") {
		t.Errorf("declared: %+v", got)
	}
	forks := mit.forks()
	if len(forks) != 2 || forks[0].Outcome != genesis.Done || forks[1].Outcome != genesis.Refused {
		t.Errorf("%+v", forks)
	}
	c.move(day)
	restored.grow(1)
	if got := mit.look(); got.Point.Size != 4 || got.Evidence != 2 {
		t.Errorf("and on: %+v", got)
	}
	// The other way round: what the restored log lost, its peer knows.
	meet(restored, mit)
	peers, err := restored.AuditPeers(t.Context(), officer, nil)
	if err != nil || len(peers.Peers) != 1 || len(peers.Peers[0].Lost) != 1 || len(peers.Peers[0].Wrong) != 0 || peers.Peers[0].Kept != 4 || peers.Peers[0].Held != 3 {
		t.Errorf("%+v %v", peers, err)
	}
}

// TestDeclaredEndThatNeverWas: a declared end has to agree with what is kept from before.
func TestDeclaredEndThatNeverWas(t *testing.T) {
	c := newClock()
	nrel, mit := start(t, c, "nrel", t.TempDir()), start(t, c, "mit", t.TempDir())
	original, forged := nrel.twin()
	wire := meet(original, mit)
	original.grow(10)
	mit.look()
	c.move(day)
	original.grow(50)
	mit.look()
	forged.grow(20)
	if err := forged.journal.NewEpoch(t.Context(), "restored from a backup"); err != nil {
		t.Fatal(err)
	}
	wire.to = forged
	if got := mit.look(); got.Standing != genesis.WitnessForked || got.Point.Size != 60 {
		t.Errorf("%+v", got)
	}
}

// TestEpochThatIsMadeUp: what an epoch declares counts as it stands in the log, and not as
// it is shown.
func TestEpochThatIsMadeUp(t *testing.T) {
	c := newClock()
	nrel, mit := start(t, c, "nrel", t.TempDir()), start(t, c, "mit", t.TempDir())
	original, forged := nrel.twin()
	wire := meet(original, mit)
	original.grow(10)
	known := mit.look().Point
	forged.grow(20)
	if err := forged.journal.NewEpoch(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	wire.to = forged
	wire.lie = func(_ string, b []byte, _ error) ([]byte, error) {
		var a genesis.AuditState
		if err := json.Unmarshal(b, &a); err != nil || len(a.Begun) != 1 {
			return nil, errors.New("there is no epoch")
		}
		at := bytes.Index(a.Begun[0].Entry, []byte(`"root":"`)) + len(`"root":"`)
		copy(a.Begun[0].Entry[at:], known.Root)
		a.Begun[0].Entry = bytes.Replace(a.Begun[0].Entry, []byte(`"size":20`), []byte(`"size":10`), 1)
		return json.Marshal(a)
	}
	mit.look()
	if got := mit.look(); got.Standing != genesis.WitnessRefused || got.Point != known || !strings.Contains(got.Reason, "first entry of epoch 2") {
		t.Errorf("%+v", got)
	}
}

// TestAnswersThatAreNone: a signature that fails once is an accident, and neither it nor
// an answer that is none changes what is kept.
func TestAnswersThatAreNone(t *testing.T) {
	_, nrel, mit, wire := pair(t)
	nrel.grow(5)
	mit.look()
	nrel.grow(5)
	for name, lie := range map[string]func([]byte, error) ([]byte, error){
		"not JSON":   func([]byte, error) ([]byte, error) { return []byte("<html>"), nil },
		"too long":   func([]byte, error) ([]byte, error) { return make([]byte, maxState+1), nil },
		"away":       func([]byte, error) ([]byte, error) { return nil, errors.New("refused") },
		"permission": func([]byte, error) ([]byte, error) { return nil, &genesis.Error{Kind: genesis.Permission} },
		"many epochs": func([]byte, error) ([]byte, error) {
			return []byte(`{"begun":[` + strings.Repeat("{},", 300) + `{}]}`), nil
		},
	} {
		wire.lie = func(_ string, b []byte, err error) ([]byte, error) { return lie(b, err) }
		if got, err := mit.Look(t.Context(), "nrel"); err == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
	alter := func(change func(*genesis.AuditState)) {
		wire.lie = func(_ string, b []byte, _ error) ([]byte, error) {
			var a genesis.AuditState
			if err := json.Unmarshal(b, &a); err != nil {
				return nil, err
			}
			change(&a)
			return json.Marshal(a)
		}
	}
	alter(func(a *genesis.AuditState) { a.Checkpoint[len(a.Checkpoint)-20] ^= 1 })
	if got := mit.look(); got.Standing != "" || got.Point.Size != 5 {
		t.Errorf("one signature that fails: %+v", got)
	}
	wire.lie = nil
	if got := mit.look(); got.Standing != "" || got.Point.Size != 10 || len(mit.forks()) != 0 {
		t.Errorf("and then a good one: %+v", got)
	}
	nrel.grow(1)
	for name, change := range map[string]func(*genesis.AuditState){
		"no proof":    func(a *genesis.AuditState) { a.Proof = nil },
		"other proof": func(a *genesis.AuditState) { a.Proof[0][3] ^= 1 },
		"short hash":  func(a *genesis.AuditState) { a.Proof[0] = a.Proof[0][:3] },
		"long proof":  func(a *genesis.AuditState) { a.Proof = make([][]byte, 65) },
		"begun anew":  func(a *genesis.AuditState) { a.Begun = []genesis.EpochBegun{{}} },
		"nothing":     func(a *genesis.AuditState) { *a = genesis.AuditState{} },
		"another node": func(a *genesis.AuditState) {
			a.Checkpoint = []byte(strings.Replace(string(a.Checkpoint), "nrel", "ornl", 1))
		},
	} {
		alter(change)
		mit.look()
		if got := mit.look(); got.Standing != genesis.WitnessRefused || got.Point.Size != 10 {
			t.Errorf("%s twice: %+v", name, got)
		}
	}
	wire.lie = nil
	if got := mit.look(); got.Standing != "" || got.Point.Size != 11 || got.Evidence == 0 {
		t.Errorf("a good one ends it: %+v", got)
	}
}

// TestMemberThatComesBack: to leave and to join again undoes nothing. The log has to have
// grown from what was kept of it before; what is of another key is another log, and that is
// kept on record.
func TestMemberThatComesBack(t *testing.T) {
	for name, want := range map[string]struct {
		standing genesis.WitnessStanding
		size     int64
		evidence int
	}{
		"as it was":   {"", 12, 0},
		"rolled back": {genesis.WitnessBehind, 10, 1},
		"rewritten":   {genesis.WitnessForked, 10, 1},
		"anew":        {genesis.WitnessRestored, 1, 1},
	} {
		c := newClock()
		nrel, mit := start(t, c, "nrel", t.TempDir()), start(t, c, "mit", t.TempDir())
		nrel.grow(5)
		original, old := nrel.twin()
		meet(original, mit)
		original.grow(5)
		mit.look()
		if err := mit.Unfollow(t.Context(), "nrel"); err != nil {
			t.Fatal(err)
		}
		if _, err := mit.Look(t.Context(), "nrel"); genesis.KindOf(err) != genesis.NotFound {
			t.Error(name, err)
		}
		if all, err := mit.Status(t.Context()); err != nil || len(all) != 1 || all[0].Kept != 1 || all[0].Point.Size != 10 {
			t.Errorf("%s, gone: %+v %v", name, all, err)
		}
		c.move(time.Hour)
		back := original
		switch name {
		case "as it was":
			original.grow(2)
		case "rolled back":
			back = old
			old.grow(1)
		case "rewritten":
			back = old
			old.grow(7)
		case "anew":
			back = start(t, c, "nrel", t.TempDir())
			back.grow(1)
		}
		meet(back, mit)
		got := mit.look()
		if got.Standing != want.standing || got.Point.Size != want.size || got.Evidence != want.evidence || len(mit.forks()) != want.evidence {
			t.Errorf("%s: %+v, %+v", name, got, mit.forks())
		}
		if name == "anew" { // and that log is followed as any other
			back.grow(3)
			if got := mit.look(); got.Point.Size != 4 || got.Evidence != 1 {
				t.Errorf("%s, and on: %+v", name, got)
			}
		}
	}
}

// TestPeersHoldTheLog: the log is held against what peers keep of it, and a peer cannot
// make up a checkpoint.
func TestPeersHoldTheLog(t *testing.T) {
	c, nrel, mit, wire := pair(t)
	for range 3 {
		mit.grow(7)
		if _, err := nrel.Look(t.Context(), "mit"); err != nil {
			t.Fatal(err)
		}
		c.move(day)
	}
	peers := func() genesis.PeerWitness {
		t.Helper()
		all, err := mit.AuditPeers(t.Context(), officer, nil)
		if err != nil || len(all.Peers) != 1 {
			t.Fatal(all, err)
		}
		return all.Peers[0]
	}
	if got := peers(); !got.Passed || got.Kept != 3 || got.Held != 3 || got.Newest.Size != 21 || !got.First.Equal(day0) {
		t.Errorf("%+v", got)
	}
	nrel.grow(9)
	odd, err := nrel.journal.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	wire.lie = func(_ string, b []byte, err error) ([]byte, error) {
		return json.Marshal(genesis.KeptList{Kept: []genesis.KeptCheckpoint{{Checkpoint: odd, At: day0}, {Checkpoint: []byte("nonsense"), At: day0}}})
	}
	if got := peers(); !got.Passed || got.Kept != 0 || len(got.Odd) != 2 {
		t.Errorf("what mit never signed: %+v", got)
	}
	wire.lie = func(string, []byte, error) ([]byte, error) { return make([]byte, maxKept+1), nil }
	if got := peers(); got.Passed || got.Error == "" {
		t.Errorf("%+v", got)
	}
	// The log is written anew with its own key: what peers keep shows it.
	wire.lie = nil
	original, forged := mit.twin()
	meet(nrel, original)
	original.grow(5)
	if _, err := nrel.Look(t.Context(), "mit"); err != nil {
		t.Fatal(err)
	}
	c.move(time.Second)
	wireTo := *wire
	forged.Follow(nrel.member(), &wireTo)
	forged.grow(6)
	all, err := forged.AuditPeers(t.Context(), officer, nil)
	if err != nil || len(all.Peers[0].Wrong) != 1 || !strings.Contains(all.Peers[0].Wrong[0], "are others than when it was signed") {
		t.Errorf("%+v %v", all, err)
	}
	if _, err := mit.AuditPeers(t.Context(), genesis.Principal{Subject: "ada", Node: "mit"}, nil); genesis.KindOf(err) != genesis.Permission {
		t.Error(err)
	}
}

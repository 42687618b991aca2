package federation

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

// TestMessages: a member leaves by its own word and nobody else's.
func TestMessages(t *testing.T) {
	w := newTown(t)
	all := w.found(1, "nrel", "mit", "ornl")
	nrel, mit, ornl := all[0], all[1], all[2]
	say := func(p *party, m message) string {
		text, err := p.sign(messageType, m)
		w.must(text, err)
		return text
	}
	root := nrel.view.Load().charter.ID()
	good := message{1, "leave", "mit", "nrel", root, w.now(), nil}
	for name, change := range map[string]func(m *message){
		"in another's name":    func(m *message) { m.From = "ornl" },
		"to another":           func(m *message) { m.To = "ornl" },
		"another federation":   func(m *message) { m.Root = genesis.DigestOf(nil) },
		"old":                  func(m *message) { m.At = w.now().Add(-6 * time.Minute) },
		"of the future":        func(m *message) { m.At = w.now().Add(6 * time.Minute) },
		"for something else":   func(m *message) { m.Kind = "drafts" },
		"of nobody":            func(m *message) { m.From = "cern" },
		"of another format":    func(m *message) { m.Format = 2 },
		"keys of a stranger":   func(m *message) { m.Kind, m.Keys = "keys", []genesis.NodeKey{{Use: "zoo"}} },
		"somebody else's keys": func(m *message) { m.Kind, m.Keys = "keys", ornl.Own().Keys[:1] },
	} {
		m := good
		change(&m)
		if done, err := nrel.Hear(t.Context(), genesis.MessageRequest{Message: say(mit, m)}); err == nil {
			t.Errorf("%s: %+v", name, done)
		}
	}
	if !nrel.knows("mit") {
		t.Fatal("mit is gone")
	}
	before, err := mit.Key(genesis.KeyToken)
	w.must(before, err)
	w.must(mit.RotateKeys(t.Context(), operator, genesis.RotateRequest{}))
	after, err := mit.Key(genesis.KeyToken)
	w.must(after, err)
	m, _ := nrel.Member("mit")
	_, old := m.Key(genesis.KeyToken, before.ID(), w.now().Add(day-time.Second))
	_, gone := m.Key(genesis.KeyToken, before.ID(), w.now().Add(day))
	_, fresh := m.Key(genesis.KeyToken, after.ID(), w.now().Add(day))
	if before.ID() == after.ID() || !old || gone || !fresh {
		t.Errorf("rotated %v: the old key counts for a day: %v, and not longer: %v; the new one counts: %v", before.ID() != after.ID(), old, !gone, fresh)
	}
	w.must(mit.LeaveFederation(t.Context(), operator))
	if nrel.knows("mit") || mit.knows("nrel") || !mit.knows("mit") {
		t.Error("mit left and is still there")
	}
}

// TestInvitations: once, for whoever has it, until its end; an answer that was lost
// can be asked for again.
func TestInvitations(t *testing.T) {
	w := newTown(t)
	nrel := w.found(1, "nrel")[0]
	mit, ornl := w.party("mit"), w.party("ornl")
	join := func(p *party, text string) error {
		_, err := p.JoinFederation(t.Context(), operator, genesis.MembershipRequest{Invitation: text})
		return err
	}
	late := w.invite(nrel)
	w.move(7 * day)
	if err := nrel.keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := join(mit, late); genesis.KindOf(err) != genesis.Gone {
		t.Errorf("after a week: %v", err)
	}
	text := w.invite(nrel)
	mit.down.Store(true)
	if err := join(mit, text); genesis.KindOf(err) != genesis.Conflict {
		t.Errorf("a node that does not answer where it says: %v", err)
	}
	mit.down.Store(false)
	mit.disk.Fail(func(op, _ string) error { return os.ErrInvalid })
	if err := join(mit, text); err == nil {
		t.Fatal("joined on a broken disk")
	}
	mit.disk.Fail(nil)
	if err := join(ornl, text); genesis.KindOf(err) != genesis.Gone {
		t.Errorf("used twice: %v", err)
	}
	if err := join(mit, text); err != nil {
		t.Errorf("asked again: %v", err)
	}
	if !mit.knows("nrel") || !nrel.knows("mit") {
		t.Error("they do not know each other")
	}
	forged := strings.Replace(text, invitationPrefix, "", 1)
	if err := join(ornl, forged); genesis.KindOf(err) != genesis.Invalid {
		t.Error(err)
	}
	if n := strings.Count(string(mustRead(t, filepath.Join(filepath.Dir(nrel.Dir), "catalog.db"))), forged[40:80]); n > 0 {
		t.Error("the secret is in the database")
	}
	for _, who := range []genesis.Principal{{}, {Subject: "ada", Node: "nrel"}} {
		if _, err := nrel.Invite(t.Context(), who, genesis.InviteRequest{}); genesis.KindOf(err) != genesis.Permission {
			t.Errorf("%+v: %v", who, err)
		}
	}
}

func mustRead(t *testing.T, path string) []byte {
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestOneSignature: a holder's node signs one draft of a version, also after a restart,
// until it takes its signature back.
func TestOneSignature(t *testing.T) {
	w := newTown(t)
	all := w.found(3, "nrel", "mit", "ornl")
	nrel, mit, ornl := all[0], all[1], all[2]
	one, err := nrel.RemoveMember(t.Context(), operator, "mit")
	w.must(one, err)
	other, err := mit.RemoveMember(t.Context(), operator, "nrel")
	w.must(other, err)
	if _, err := nrel.SignDraft(t.Context(), operator, other.Draft.ID); genesis.KindOf(err) != genesis.Conflict {
		t.Errorf("nrel signed two: %v", err)
	}
	nrel.open()
	if _, err := nrel.SignDraft(t.Context(), operator, other.Draft.ID); genesis.KindOf(err) != genesis.Conflict {
		t.Errorf("nrel signed two after a restart: %v", err)
	}
	w.must(nil, nrel.DropDraft(t.Context(), operator, one.Draft.ID))
	// ornl decides. Nobody else's signature is needed any more.
	w.must(ornl.SignDraft(t.Context(), operator, other.Draft.ID))
	w.hear(mit, ornl)
	if mit.knows("nrel") || ornl.knows("nrel") {
		t.Error("nrel is still there")
	}
}

// TestOvertaken: a draft that waits while another change is made is made anew.
func TestOvertaken(t *testing.T) {
	w := newTown(t)
	all := w.found(3, "nrel", "mit", "ornl")
	nrel, mit, ornl := all[0], all[1], all[2]
	waits, err := nrel.SetHolders(t.Context(), operator, genesis.HoldersRequest{Threshold: 3})
	w.must(waits, err)
	rotated, err := mit.RotateKeys(t.Context(), operator, genesis.RotateRequest{})
	w.must(rotated, err)
	w.must(ornl.SignDraft(t.Context(), operator, rotated.Draft.ID))
	w.hear(nrel)
	list, err := mit.Drafts(t.Context(), operator, "")
	w.must(list, err)
	if len(list.Drafts) != 1 || list.Drafts[0].ID == waits.Draft.ID || list.Drafts[0].Needs != 2 {
		t.Fatalf("%+v", list)
	}
}

package mirror

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/guest"
)

// TestFailing: a log whose last round failed is said to be, with why and since when, until
// a round goes well; and so are all of a node that does not answer.
func TestFailing(t *testing.T) {
	o, h := startOther(t, t.TempDir()), startHere(t)
	now := time.Now()
	h.cfg.Now = func() time.Time { return now }
	o.sayAll(names("open", 10), "one", "public")
	o.sayAll(names("kept", 10), "one", "members")
	look := func(p Peer) error {
		now = now.Add(time.Minute)
		return h.look(o.member(), p)
	}
	if err := look(o); err != nil {
		t.Fatal(err)
	}
	h.hear()
	whole := now.UTC().Truncate(time.Second)
	standing := func(class genesis.Class) genesis.Followed {
		t.Helper()
		all, err := h.Standing(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range all {
			if f.Class == class {
				if s := h.standing(class); string(s.Standing) != f.Standing || s.Reason != f.Reason {
					t.Errorf("%s is said to be %+v, and %+v", class, f, s)
				}
				return f
			}
		}
		return genesis.Followed{}
	}
	fails := func(class genesis.Class, why string) {
		t.Helper()
		if f := standing(class); f.Standing != genesis.StandingFailing || !strings.Contains(f.Reason, why) || !f.Fresh.Equal(whole) {
			t.Errorf("%s fails and is said to be %+v", class, f)
		}
	}

	o.say("more", "one", "public")
	flips := liar{o, func(path string, b []byte, err error) (io.ReadCloser, error) {
		if err == nil && strings.Contains(path, "/public/1/tile/") {
			b[len(b)-1] ^= 1
		}
		return body(b), err
	}}
	if err := look(flips); err == nil {
		t.Fatal("a wrong tile is taken")
	}
	fails("public", "tiles")
	if f := standing("members"); f.Standing != "" || !f.Fresh.After(whole) {
		t.Errorf("what checks is said to be %+v", f)
	}
	unlisted := liar{o, func(path string, b []byte, err error) (io.ReadCloser, error) {
		if path == "/logs" {
			b = []byte(strings.ReplaceAll(string(b), `"members"`, `"to-anl"`))
		}
		return body(b), err
	}}
	if err := look(o); err != nil {
		t.Fatal(err)
	}
	h.hear()
	whole = now.UTC().Truncate(time.Second)
	if err := look(unlisted); err != nil {
		t.Fatal(err)
	}
	fails("members", "does not list it any more")

	if err := look(o); err != nil {
		t.Fatal(err)
	}
	whole = now.UTC().Truncate(time.Second)
	dead := liar{o, func(path string, _ []byte, _ error) (io.ReadCloser, error) {
		return nil, unreachable(path, io.ErrUnexpectedEOF)
	}}
	if err := look(dead); err == nil {
		t.Fatal("nobody answers, and all is well")
	}
	fails("public", "does not answer")
	fails("members", "does not answer")
	if err := look(o); err != nil {
		t.Fatal(err)
	}
	if f := standing("public"); f.Standing != "" || f.Reason != "" || !f.Fresh.After(whole) {
		t.Errorf("all is well and it is said to be %+v", f)
	}
}

// TestStranger: a node that does not know this one as a member is said not to, though it has
// no log here yet, and is asked again soon.
func TestStranger(t *testing.T) {
	o, h := startOther(t, t.TempDir()), startHere(t)
	o.sayAll(names("kept", 10), "one", "members")
	knows := false
	stranger := liar{o, func(path string, b []byte, err error) (io.ReadCloser, error) {
		if !knows {
			return nil, &genesis.Error{Op: "ask node", Kind: genesis.Permission, Subject: "https://nrel", Msg: "it says: no member", Err: guest.ErrStranger}
		}
		return body(b), err
	}}
	if err := h.look(o.member(), stranger); err == nil {
		t.Fatal("nobody answers, and all is well")
	}
	all, err := h.Standing(t.Context())
	if err != nil || len(all) != 1 || all[0].Node != o.member().ID || all[0].Reason != guest.ErrStranger.Error() || !all[0].Fresh.IsZero() {
		t.Errorf("%+v, %v", all, err)
	}
	knows = true
	if err := h.look(o.member(), stranger); err != nil {
		t.Fatal(err)
	}
	if all, err = h.Standing(t.Context()); err != nil || len(all) == 0 {
		t.Errorf("%+v, %v", all, err)
	}
	for _, f := range all {
		if f.Reason != "" || f.Fresh.IsZero() {
			t.Errorf("it answers, and is said to be %+v", f)
		}
	}
	if soon(1) > 5*time.Second || soon(3) > time.Minute || soon(1000) < maxPause {
		t.Errorf("it is asked again after %v, %v, ... %v", soon(1), soon(3), soon(1000))
	}
}

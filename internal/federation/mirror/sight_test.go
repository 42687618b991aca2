package mirror

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
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

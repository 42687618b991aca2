package mirror

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal"
)

// TestMirror: what a node says to the classes that this node is in is mirrored, and no
// more; what it hides is gone.
func TestMirror(t *testing.T) {
	o, h := startOther(t, t.TempDir()), startHere(t)
	if err := h.look(o.member(), o); err != nil {
		t.Fatal(err)
	}
	h.agrees(o)
	o.sayAll(names("open", 300), "one <b>&\u2028</b>", "public")
	o.say("known", "K", "members")
	o.say("ours", "O", "to-mit")
	o.say("theirs", "T", "to-acme")
	for range 2 {
		if err := h.look(o.member(), o); err != nil {
			t.Fatal(err)
		}
		h.agrees(o)
	}
	o.sayAll(names("open", 200), "two", "public")
	o.say("known", "K", "public") // it moves from one class to another
	o.say("ours", "")
	o.newEpoch()
	o.say("open-00000", "three", "members")
	if err := h.look(o.member(), o); err != nil {
		t.Fatal(err)
	}
	h.agrees(o)
	s := h.standing("public")
	if s.Origin != "nrel/catalog-public/2" || s.Size != s.Applied || s.Listings != 300 || s.Standing != Good || !s.Fresh.Equal(h.now) {
		t.Errorf("status %+v", s)
	}
	asked := o.asks.Load()
	if err := h.look(o.member(), o); err != nil || o.asks.Load()-asked > 4 {
		t.Errorf("where nothing is new, %d requests were made, %v", o.asks.Load()-asked, err)
	}
	if err := h.Unfollow(t.Context(), "nrel"); err != nil {
		t.Fatal(err)
	}
	o.says = nil
	h.agrees(o)
}

// TestFullDisk: what another node says fills no disk to its end; what it takes back is taken back
// all the same.
func TestFullDisk(t *testing.T) {
	o, h := startOther(t, t.TempDir()), startHere(t)
	left := int64(spare + 1<<20)
	h.cfg.Room = func(context.Context) (int64, error) { return left, nil }
	o.say("first", "F", "public")
	if err := h.look(o.member(), o); err != nil {
		t.Fatal(err)
	}
	h.agrees(o)
	left = spare
	o.say("first", "")
	if err := h.look(o.member(), o); err != nil {
		t.Fatal(err)
	}
	h.agrees(o)
	o.say("second", "S", "public")
	if err := h.look(o.member(), o); genesis.KindOf(err) != genesis.Unavailable || len(h.mirrored()) > 0 {
		t.Errorf("%v, there is %v", err, h.mirrored())
	}
	left = -1
	if err := h.look(o.member(), o); err != nil {
		t.Fatal(err)
	}
	h.agrees(o)
}

// TestPartial: what was read and an index has not taken yet is said to be partial.
func TestPartial(t *testing.T) {
	o, h := startOther(t, t.TempDir()), startHere(t)
	o.sayAll(names("open", 10), "one", "public")
	if err := h.look(o.member(), o); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{genesis.StandingPartial, ""} {
		all, err := h.Standing(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range all {
			if f.Standing != want || f.Class == genesis.ClassPublic && f.Entries != 10 {
				t.Errorf("%+v, want %q", f, want)
			}
		}
		h.hear()
	}
}

// TestResume: whatever request fails, and whenever the process dies, the next round goes
// on, and nothing is lost or told twice.
func TestResume(t *testing.T) {
	o, h := startOther(t, t.TempDir()), startHere(t)
	o.sayAll(names("a", 1100), "one", "public")
	o.newEpoch()
	o.sayAll(names("b", 300), "one", "public")
	o.sayAll(names("a", 20), "", "members")
	for fail := 0; ; fail++ {
		left := 3 + fail/2 // grows, so that it ends
		err := h.look(o.member(), liar{o, func(_ string, b []byte, err error) (io.ReadCloser, error) {
			if left--; left == 0 {
				return nil, errors.New("the connection broke")
			}
			return body(b), err
		}})
		if err == nil {
			break
		}
		if genesis.KindOf(err) != genesis.Unavailable {
			t.Fatal(err)
		}
		h.again()
		if fail > 200 {
			t.Fatal("it does not get on")
		}
	}
	h.agrees(o)
}

// TestFollow follows in the background.
func TestFollow(t *testing.T) {
	o, h := startOther(t, t.TempDir()), startHere(t)
	o.say("a", "one", "public")
	h.cfg.Interval = time.Hour
	h.Follow(o.member(), o)
	h.Follow(genesis.Member{ID: "mit"}, nil) // itself
	wait := func() {
		t.Helper()
		for range 500 {
			if s := h.standing("public"); int(s.Listings) == len(o.says["public"]) && s.Applied == s.Size && s.Size > 0 {
				h.agrees(o)
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatalf("it is not followed: %+v", h.standing("public"))
	}
	wait()
	o.say("b", "two", "public")
	h.Nudge("nrel")
	wait()
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	h.Follow(o.member(), o) // too late
	h.Nudge("nrel")
}

// TestRestored: a node that was restored from a backup, and says so in a new epoch, is
// mirrored as it is now; one that says something else is refused.
func TestRestored(t *testing.T) {
	for _, c := range []struct {
		name   string
		after  func(o *other) // what is followed after the backup was made
		before bool           // is followed before the backup is made
	}{
		{"all of it was known", func(o *other) {}, true},
		{"some was hidden since", func(o *other) { o.say("a-00000", ""); o.say("new", "N", "public") }, true},
		{"nothing was known", func(o *other) { o.say("new", "N", "public") }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, h := startOther(t, t.TempDir()), startHere(t)
			o.sayAll(names("a", 600), "one", "public")
			member := o.member()
			if c.before {
				if err := h.look(member, o); err != nil {
					t.Fatal(err)
				}
			}
			o, backup := o.copied()
			c.after(o)
			if c.before {
				if err := h.look(member, o); err != nil {
					t.Fatal(err)
				}
				h.agrees(o)
			}
			backup.newEpoch()
			backup.say("a-00001", "restored", "public")
			if err := h.look(member, backup); err != nil {
				t.Fatal(err)
			}
			h.agrees(backup)
			if s := h.standing("public"); s.Standing != Good || s.Epoch != 2 {
				t.Errorf("status %+v", s)
			}
		})
	}
}

// TestForks: a log that contradicts what it said is refused, with both checkpoints as
// evidence; and taken again once a new epoch declares the state that was last common.
func TestForks(t *testing.T) {
	for _, c := range []struct {
		name  string
		known int // entries that both logs have
		more  int // that the one has which is followed first
		other int // that the twin has
		epoch bool
		want  Standing
		shown bool // it proves itself to others
	}{
		{"same size, another root", 5, 2, 2, false, Forked, true},
		{"longer, and not grown from it", 300, 1, 400, false, Forked, true},
		{"shorter, and another root", 5, 3, 1, false, Forked, false},
		{"an old state", 5, 3, 0, false, Behind, false},
		{"an epoch from another end", 5, 2, 2, true, Forked, false},
		{"an epoch from a longer end", 5, 2, 3, true, Forked, false},
		{"an epoch from a shorter end", 5, 2, 1, true, Forked, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			o, h := startOther(t, t.TempDir()), startHere(t)
			o.sayAll(names("a", c.known), "one", "public")
			o, twin := o.copied()
			member := o.member()
			o.sayAll(names("x", c.more), "right", "public")
			twin.sayAll(names("y", c.other), "wrong", "public")
			if c.epoch {
				twin.newEpoch()
			}
			if err := h.look(member, o); err != nil {
				t.Fatal(err)
			}
			reported := 0
			h.cfg.Report = func(_ context.Context, _ *sql.Tx, e genesis.LogEvidence) error {
				reported++
				return contradicts(e, member, h.now)
			}
			h.again()
			for range 3 {
				if err := h.look(member, twin); genesis.KindOf(err) != genesis.Conflict {
					t.Fatalf("it is followed: %v", err)
				}
				h.again()
			}
			h.agrees(o)
			s := h.standing("public")
			if s.Standing != c.want || s.Reason == "" || strings.Contains(s.Origin, "/2") {
				t.Errorf("status %+v", s)
			}
			evidence, err := h.Evidence(t.Context())
			if err != nil || len(evidence) != 1 || (reported == 1) != c.shown {
				t.Fatalf("evidence %+v, reported %d times, %v", evidence, reported, err)
			}
			log, _ := o.Log("public", 1)
			if e := evidence[0]; string(e.Ours) != string(log.Checkpoint()) || !strings.HasPrefix(string(e.Theirs), "nrel/catalog-public/") || e.Node != "nrel" || e.Reason != s.Reason {
				t.Errorf("evidence %+v", e)
			}
			events, err := journal.Pending(t.Context(), h.cfg.DB)
			if err != nil || len(events) != 1 || events[0].Act != "fork" || !strings.Contains(string(events[0].Detail), "catalog-public/1") {
				t.Errorf("recorded %+v, %v", events, err)
			}
			// The node as it was is behind no more; a fork takes an epoch of its own.
			err = h.look(member, o)
			if (err == nil) != (c.want == Behind) {
				t.Errorf("it goes on as if nothing had happened: %v", err)
			}
			o.newEpoch()
			o.say("after", "A", "public")
			if err := h.look(member, o); err != nil {
				t.Fatal(err)
			}
			h.agrees(o)
			if s := h.standing("public"); s.Standing != Good || s.Epoch != 2 {
				t.Errorf("status %+v", s)
			}
		})
	}
}

// TestSignatures: a signature that fails once may be an accident; twice is told. It is
// good again when it is.
func TestSignatures(t *testing.T) {
	o, h := startOther(t, t.TempDir()), startHere(t)
	o.say("a", "one", "public")
	good := o.member()
	bad := good
	bad.Keys = []genesis.NodeKey{good.Keys[0]}
	bad.Keys[0].Public = append([]byte{1}, good.Keys[0].Public[1:]...)
	past := good
	past.Keys = []genesis.NodeKey{good.Keys[0]}
	past.Keys[0].Until = h.now
	for i, m := range []genesis.Member{bad, past, {ID: "nrel"}} {
		err := h.look(m, o)
		want := Failing
		if i > 0 {
			want = Refused
		}
		if genesis.KindOf(err) != genesis.Invalid || h.standing("public").Standing != want || len(h.mirrored()) != 0 {
			t.Errorf("try %d: %v, %+v", i, err, h.standing("public"))
		}
	}
	if evidence, err := h.Evidence(t.Context()); err != nil || len(evidence) != 1 {
		t.Errorf("evidence %+v, %v", evidence, err)
	}
	if err := h.look(good, o); err != nil || h.standing("public").Standing != Good {
		t.Errorf("%v, %+v", err, h.standing("public"))
	}
	h.agrees(o)
}

// TestBounds: bodies without an end, or that do not come, end.
func TestBounds(t *testing.T) {
	o, h := startOther(t, t.TempDir()), startHere(t)
	o.sayAll(names("a", 3), "one", "public")
	h.cfg.Timeout = 200 * time.Millisecond
	h.Mirror = New(h.cfg)
	for _, part := range []string{"/logs", "checkpoint", "tile/0", "tile/entries", "statements"} {
		for name, r := range map[string]func() io.ReadCloser{
			"endless": func() io.ReadCloser { return io.NopCloser(endless{}) },
			"silent":  func() io.ReadCloser { return newSilent(0) },
			"slow":    func() io.ReadCloser { return newSilent(20 * time.Millisecond) },
			"empty":   func() io.ReadCloser { return body(nil) },
		} {
			began := time.Now()
			err := h.look(o.member(), liar{o, func(path string, b []byte, err error) (io.ReadCloser, error) {
				if path == part || part != "/logs" && strings.Contains(path, part) {
					return r(), nil
				}
				return body(b), err
			}})
			if k := genesis.KindOf(err); k != genesis.Invalid && k != genesis.Unavailable || time.Since(began) > 3*time.Second {
				t.Errorf("%s %s: %v after %v", name, part, err, time.Since(began))
			}
		}
	}
	if err := h.look(o.member(), o); err != nil {
		t.Fatal(err)
	}
	h.agrees(o)
}

// TestSlowEpochs: a node that declares many epochs, and says each thing just before it would
// be given up, does not keep the place of others.
func TestSlowEpochs(t *testing.T) {
	o, h := startOther(t, t.TempDir()), startHere(t)
	o.say("a", "one", "public")
	for range 30 {
		o.newEpoch()
	}
	h.cfg.Timeout = 100 * time.Millisecond
	h.Mirror = New(h.cfg)
	began := time.Now()
	err := h.look(o.member(), liar{o, func(_ string, b []byte, err error) (io.ReadCloser, error) {
		time.Sleep(60 * time.Millisecond)
		return body(b), err
	}})
	if took := time.Since(began); genesis.KindOf(err) != genesis.Unavailable || took > 3*time.Second {
		t.Errorf("%v after %v", err, took)
	}
	h.cfg.Timeout = 5 * time.Second
	h.Mirror = New(h.cfg)
	if err := h.look(o.member(), o); err != nil {
		t.Fatal(err)
	}
	h.agrees(o)
}

type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

// silent is a body of which a byte comes now and then, or none.
type silent struct {
	every  time.Duration
	closed chan struct{}
}

func newSilent(every time.Duration) io.ReadCloser { return &silent{every, make(chan struct{})} }

func (s *silent) Read(b []byte) (int, error) {
	wait := make(<-chan time.Time)
	if s.every > 0 {
		wait = time.After(s.every)
	}
	select {
	case <-wait:
		b[0] = '{'
		return 1, nil
	case <-s.closed:
		return 0, errors.New("closed")
	}
}

func (s *silent) Close() error {
	defer func() { _ = recover() }() // closed twice
	close(s.closed)
	return nil
}

func TestPause(t *testing.T) {
	for failures, want := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute} {
		for _, random := range []float64{0, 0.5, 0.999} {
			if d := pause(time.Minute, failures, random); d < want*3/4 || d > want*5/4 {
				t.Errorf("after %d failures %v", failures, d)
			}
		}
	}
	for _, failures := range []int{6, 20, 1000} {
		if d := pause(time.Minute, failures, 0.5); d != maxPause {
			t.Errorf("after %d failures %v", failures, d)
		}
	}
	if d := pause(2*time.Hour, 3, 0.5); d != 2*time.Hour {
		t.Errorf("it comes sooner after failures: %v", d)
	}
}

// TestUnusable: what is authentic and of no use, because a newer program stated it, keeps
// nothing else from being mirrored.
func TestUnusable(t *testing.T) {
	s := journal.Statement{ID: "x", Name: "a", Version: versionOf("a"), Record: journal.StatedListing}
	good := listing("a", "one")
	newer, other, kind := good, good, good
	newer.Format, other.Name, kind.Kind = genesis.ListingFormat+1, "b", "workflow"
	place := good
	place.Place = &genesis.Box{West: 1000}
	counts := good
	counts.Rows = -1
	for i, l := range []genesis.Listing{newer, other, kind, place, counts, {}} {
		b, err := genesis.CanonicalJSON(l)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseListing(b, "nrel", s); err == nil {
			t.Errorf("listing %d is taken", i)
		}
	}
	for _, b := range []string{"", "{", "[]", strings.Repeat(" ", genesis.MaxListing+1)} {
		if _, err := parseListing([]byte(b), "nrel", s); err == nil {
			t.Errorf("%.10q is taken", b)
		}
	}
	b, _ := genesis.CanonicalJSON(good)
	if got, err := parseListing(b, "nrel", s); err != nil || got.Title != "one" {
		t.Error(got, err)
	}
}

// TestRolledBackWhileAnew: while a log is mirrored anew, as after a declared cut, an earlier
// epoch than was seen is not taken for all there is.
func TestRolledBackWhileAnew(t *testing.T) {
	o, h := startOther(t, t.TempDir()), startHere(t)
	o.say("secret", "S", "public")
	o, old := o.copied()
	o.newEpoch()
	o.say("secret", "")
	o.say("open", "O", "public")
	if err := h.look(o.member(), o); err != nil {
		t.Fatal(err)
	}
	l := &log{m: h.Mirror, member: o.member(), class: "public"}
	if err := l.load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := h.cfg.DB.Tx(t.Context(), func(tx *sql.Tx) error { return l.st.clear(t.Context(), tx) }); err != nil {
		t.Fatal(err)
	}
	if err := h.look(o.member(), old); genesis.KindOf(err) != genesis.Conflict || len(h.mirrored()) > 0 {
		t.Errorf("%v, mirrored %v", err, h.mirrored())
	}
	if err := h.look(o.member(), o); err != nil {
		t.Fatal(err)
	}
	h.agrees(o)
}

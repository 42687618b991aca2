package federation

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/federation/charter"
)

// TestStale: when nobody signs the charter any more, people of other nodes are not
// vouched for, the own ones are, and it heals by itself.
func TestStale(t *testing.T) {
	w := newTown(t)
	all := w.found(1, "nrel", "mit")
	nrel, mit := all[0], all[1]
	w.move(7*day - time.Second)
	if !mit.knows("nrel") || !mit.knows("mit") {
		t.Fatal("a member is not known")
	}
	w.move(time.Second)
	if mit.knows("nrel") || !mit.knows("mit") || len(mit.Members()) != 1 {
		t.Error("a charter past its end vouches for others, or not for the node itself")
	}
	if info := mit.info(); info.Standing != genesis.StandingStale || len(info.Advice) == 0 {
		t.Errorf("%+v", info)
	}
	mit.open() // a restart changes nothing
	if mit.knows("nrel") {
		t.Error("a restart makes it current")
	}
	if err := nrel.keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.must(mit.RefreshFederation(t.Context(), operator))
	if !mit.knows("nrel") || mit.changes.Load() == 0 {
		t.Error("the charter is current again, and nobody is told")
	}
}

// TestEndIsTold: whoever waits on a decision learns at once that the charter ended.
func TestEndIsTold(t *testing.T) {
	w := newTown(t)
	mit := w.found(1, "nrel", "mit")[1]
	before := mit.changes.Load()
	mit.mu.Lock()
	w.move(7*day - 50*time.Millisecond)
	mit.show(mit.view.Load().charter)
	mit.mu.Unlock()
	before++ // by show
	for deadline := time.Now().Add(10 * time.Second); mit.changes.Load() <= before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody is told that the charter ended")
		}
	}
}

// TestDaily: holders' nodes sign once a day, and not all of them.
func TestDaily(t *testing.T) {
	w := newTown(t)
	all := w.found(2, "nrel", "mit")
	for range 30 {
		w.move(day/2 + time.Minute)
		before := all[0].version().Timestamp
		w.hear(all...)
		if got := all[0].version().Timestamp - before; got > 1 {
			t.Fatalf("signed %d times in half a day", got)
		}
		if all[0].version() != all[1].version() {
			t.Fatalf("%+v and %+v", all[0].version(), all[1].version())
		}
		if !all[1].knows("nrel") {
			t.Fatal("not current")
		}
	}
	if v := all[0].version(); v.Timestamp < 12 || v.Snapshot < 3 {
		t.Errorf("%+v after a fortnight", v)
	}
}

// TestClockAhead: what a holder's node signed while its clock was ahead is taken by nobody, and
// it signs anew when its clock is right. Where it was taken, by an earlier program, another holder
// does.
func TestClockAhead(t *testing.T) {
	w := newTown(t)
	all := w.found(2, "nrel", "mit")
	nrel, mit := all[0], all[1]
	before := mit.version()
	right := nrel.Now
	nrel.Now = func() time.Time { return right().Add(90 * day) }
	if err := nrel.keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	nrel.Now = right
	wrong := nrel.view.Load().charter
	if !wrong.Ahead(w.now()) {
		t.Fatalf("it was signed on %s", wrong.Signed())
	}
	if _, err := mit.RefreshFederation(t.Context(), operator); !errors.Is(err, charter.TooLong) || mit.version() != before {
		t.Errorf("it is taken: %v, %+v", err, mit.version())
	}
	w.hear(nrel, mit)
	w.move(time.Minute)
	w.hear(nrel, mit)
	for _, p := range all {
		if c := p.view.Load().charter; c.Ahead(w.now()) || c.Fresh().Sub(w.now()) > 8*day {
			t.Errorf("%s goes by what is good until %s", p.Self.ID, c.Fresh())
		}
	}
	mit.mu.Lock()
	mit.show(wrong) // an earlier program took it
	mit.mu.Unlock()
	if err := mit.keep(t.Context()); err != nil || mit.view.Load().charter.Ahead(w.now()) {
		t.Errorf("it is not signed anew: %v, %s", err, mit.view.Load().charter.Signed())
	}
}

// TestYear: where one holder is enough, its node renews what it signed in time.
func TestYear(t *testing.T) {
	w := newTown(t)
	nrel := w.found(1, "nrel")[0]
	for range 160 {
		w.move(5 * day)
		if err := nrel.keep(t.Context()); err != nil {
			t.Fatal(w.now(), err)
		}
	}
	if v := nrel.version(); v.Root < 3 || nrel.info().Standing != genesis.StandingMember {
		t.Errorf("%+v", v)
	}
}

// TestWithoutJournal: what cannot be evidence does not happen.
func TestWithoutJournal(t *testing.T) {
	w := newTown(t)
	all := w.found(1, "nrel", "mit", "ornl")
	nrel, mit := all[0], all[1]
	nrel.log.broken = errors.New("no room")
	if _, err := nrel.RemoveMember(t.Context(), operator, "ornl"); err == nil || !nrel.knows("ornl") {
		t.Fatalf("a member goes without evidence: %v", err)
	}
	nrel.log.broken = nil
	w.must(nrel.DropDraft(t.Context(), operator, nrel.desk.Draft.ID), nil)
	done, err := nrel.RemoveMember(t.Context(), operator, "ornl")
	if err != nil || !done.Done {
		t.Fatal(done, err)
	}
	mit.log.broken = errors.New("no room")
	if _, err := mit.RefreshFederation(t.Context(), operator); err != nil && genesis.KindOf(err) == genesis.Internal && !mit.knows("ornl") {
		t.Error(err)
	}
	if !mit.knows("ornl") {
		t.Error("a charter was taken without evidence")
	}
	mit.log.broken = nil
	w.hear(mit)
	if mit.knows("ornl") {
		t.Error("the member that was removed is known")
	}
	last := mit.log.events[len(mit.log.events)-1]
	if last.Act != "charter" || last.Subject != "federation energy" || !strings.Contains(string(last.Detail), `"targets":4`) {
		t.Errorf("%+v %s", last, last.Detail)
	}
}

// TestCrash: the disk breaks at any step of a change; after a restart it was made or
// not, and can be made.
func TestCrash(t *testing.T) {
	for n := 1; n < 40; n++ {
		w := newTown(t)
		nrel := w.found(1, "nrel", "mit")[0]
		steps := 0
		nrel.disk.Fail(func(op, name string) error {
			if steps++; steps >= n {
				return os.ErrInvalid
			}
			return nil
		})
		_, failed := nrel.RemoveMember(t.Context(), operator, "mit")
		nrel.disk.Fail(nil)
		nrel.open()
		info := nrel.info()
		if failed == nil {
			if len(info.Federation.Members) != 1 {
				t.Fatalf("step %d: said to be done, and is not", n)
			}
			return // the whole change is shorter
		}
		if len(info.Federation.Members) == 1 {
			continue
		}
		_, err := nrel.RemoveMember(t.Context(), operator, "mit")
		if o := nrel.desk.Draft; err != nil && o != nil { // its draft waits, with its signature
			w.must(nrel.SignDraft(t.Context(), operator, o.ID))
		} else if err != nil {
			t.Fatalf("step %d: %v", n, err)
		}
		if nrel.knows("mit") {
			t.Fatalf("step %d: mit is still there", n)
		}
	}
	t.Error("no number of steps was enough")
}

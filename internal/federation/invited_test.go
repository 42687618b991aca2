package federation

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

// TestInvitationsAreForOne: an invitation is for the node that it names, which answers
// where it says, and for one alone, also where two use it at the same time.
func TestInvitationsAreForOne(t *testing.T) {
	w := newTown(t)
	nrel := w.found(1, "nrel")[0]
	mit, ornl := w.party("mit"), w.party("ornl")
	join := func(p *party, text string) error { // as a node does that checks nothing itself
		inv, err := readInvitation(text)
		w.must(inv, err)
		self, err := p.sign(descriptorType, p.describe())
		w.must(self, err)
		_, err = nrel.Join(t.Context(), genesis.JoinRequest{Secret: inv.Secret, Descriptor: self})
		return err
	}

	named, err := nrel.Invite(t.Context(), operator, genesis.InviteRequest{Institution: "Somebody", Sector: genesis.University, Node: "ornl"})
	w.must(named, err)
	if err := join(mit, named.Invitation); genesis.KindOf(err) != genesis.Permission {
		t.Errorf("an invitation for somebody else: %v", err)
	}

	answers := func(by *party) *http.Handler {
		h := http.Handler(http.HandlerFunc(by.serve))
		return &h
	}
	mit.door.Store(answers(ornl))
	if err := join(mit, w.invite(nrel)); genesis.KindOf(err) != genesis.Conflict {
		t.Errorf("another node answers where it says: %v", err)
	}

	text := w.invite(nrel)
	var asked sync.WaitGroup // both were found good before either is used
	asked.Add(2)
	for _, p := range []*party{mit, ornl} {
		h := http.Handler(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			p.door.Store(nil)
			asked.Done()
			met := make(chan struct{})
			go func() { asked.Wait(); close(met) }()
			select {
			case <-met:
			case <-time.After(10 * time.Second):
				t.Error("they are asked one after the other: the test tries nothing")
			}
			p.serve(rw, r)
		}))
		p.door.Store(&h)
	}
	kinds := make(chan genesis.ErrorKind, 2)
	for _, p := range []*party{mit, ornl} {
		go func() { kinds <- genesis.KindOf(join(p, text)) }()
	}
	if a, b := <-kinds, <-kinds; a+b != genesis.Gone {
		t.Errorf("two nodes at once: %q and %q", a, b)
	}
	if nrel.knows("mit") == nrel.knows("ornl") {
		t.Errorf("%d members by one invitation", len(nrel.Members())-1)
	}
}

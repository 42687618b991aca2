package witness

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
)

type away struct{}

func (away) Get(context.Context, string) (io.ReadCloser, error) { return nil, errors.New("away") }

// TestFollowedWhileAsking: a member that is found can be asked: there is no moment in which
// it is followed and nothing leads there.
func TestFollowedWhileAsking(t *testing.T) {
	w := New(Config{Self: "here"})
	var asking sync.WaitGroup
	done := make(chan struct{})
	asking.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			for _, p := range w.all() {
				if m, way := p.met(); way == nil || m.ID == "" {
					t.Errorf("%q is followed, and nothing leads there", p.id)
					return
				}
			}
		}
	})
	for i := range 3000 {
		id := genesis.NodeID(fmt.Sprint("n", i))
		w.Follow(genesis.Member{ID: id}, away{})
		w.mu.Lock()
		delete(w.peers, id)
		w.mu.Unlock()
	}
	close(done)
	asking.Wait()
}

// TestDue: a member is asked at its time, and no later because the clock was set back.
func TestDue(t *testing.T) {
	var p peer
	now := time.Unix(1800000000, 0)
	p.schedule(now, time.Hour)
	for at, want := range map[time.Duration]bool{0: false, 2 * time.Hour: true, -24 * time.Hour: true} {
		if got := p.due(now.Add(at)); got != want {
			t.Errorf("after %v it is due: %v", at, got)
		}
	}
}

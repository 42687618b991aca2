//go:build linux || darwin

package node

import (
	"context"
	"database/sql"
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/opengenesis/genesis"
)

// TestMessagesBetweenNodes: what a node puts arrives at the other once, also where
// requests and answers are lost, and what that one refuses is told.
func TestMessagesBetweenNodes(t *testing.T) {
	c := newCluster(t, "nrel", "mit")
	nrel, mit := c.towns["nrel"].works, c.towns["mit"].works
	var mu sync.Mutex
	var taken, refused []string
	nrel.post.Handle = map[string]func(context.Context, *sql.Tx, genesis.PeerMessage) error{"test": func(_ context.Context, _ *sql.Tx, m genesis.PeerMessage) error {
		mu.Lock()
		defer mu.Unlock()
		if m.About == "bad" {
			return &genesis.Error{Op: "test", Kind: genesis.Permission, Msg: "not you"}
		}
		taken = append(taken, m.About)
		return nil
	}}
	mit.post.Undelivered = func(_ context.Context, _ *sql.Tx, m genesis.PeerMessage, why error) error {
		mu.Lock()
		defer mu.Unlock()
		refused = append(refused, m.About+": "+string(genesis.KindOf(why)))
		return nil
	}
	lost := 0
	c.line.breaks(func(_, _ genesis.NodeID, r *http.Request) (error, error) {
		mu.Lock()
		defer mu.Unlock()
		if lost++; r.URL.Path != "/v1/messages" || lost > 2 {
			return nil, nil
		}
		if lost == 1 {
			return errors.New("lost"), nil
		}
		return nil, errors.New("lost")
	})
	for _, about := range []string{"one", "bad", "two"} {
		err := mit.DB().Tx(t.Context(), func(tx *sql.Tx) error {
			_, err := mit.post.Put(t.Context(), tx, "nrel", "test", about, about)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	mit.post.Wake()
	c.eventually("two arrive", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return slices.Contains(taken, "two") && len(refused) > 0
	})
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(taken, []string{"one", "two"}) || !slices.Equal(refused, []string{"bad: permission"}) {
		t.Errorf("taken %v, refused %v", taken, refused)
	}
}

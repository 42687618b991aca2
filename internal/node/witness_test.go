//go:build linux || darwin

package node

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal"
)

// TestNodesWitnessEachOther: whole nodes keep each other's checkpoints, and know the same
// of tokens and messages between them, though some were lost on the way; what one of them
// alone has in its log is found by the other.
func TestNodesWitnessEachOther(t *testing.T) {
	c := newCluster(t, "nrel", "mit")
	nrel, mit := c.towns["nrel"], c.towns["mit"]
	nrel.works.post.Handle = map[string]func(context.Context, *sql.Tx, genesis.PeerMessage) error{"test": func(_ context.Context, _ *sql.Tx, m genesis.PeerMessage) error {
		if m.About == "bad" {
			return &genesis.Error{Op: "test", Kind: genesis.Permission, Msg: "not you"}
		}
		return nil
	}}
	lost := false
	c.line.breaks(func(_, _ genesis.NodeID, r *http.Request) (error, error) {
		if r.URL.Path != "/v1/messages" || lost {
			return nil, nil
		}
		lost = true
		return nil, errors.New("the receipt is lost")
	})
	for _, about := range []string{"one", "bad"} {
		mit.must(nil, mit.works.DB().Tx(t.Context(), func(tx *sql.Tx) error {
			_, err := mit.works.post.Put(t.Context(), tx, "nrel", "test", about, about)
			return err
		}))
	}
	mit.works.post.Wake()
	reconcile := func() *genesis.Reconciliation {
		t.Helper()
		r, err := mit.works.Reconcile(t.Context(), mit.local, genesis.ReconcileRequest{Peer: "nrel"}, nil)
		mit.must(r, err)
		return r
	}
	c.eventually("both know of two messages", func() bool {
		r := reconcile()
		return r.Kinds[1].Both == 1 && r.Kinds[1].Refused == 1
	})
	if r := reconcile(); !r.Sound() || r.Kinds[0].Both == 0 || r.Kinds[1].UnderWay != 0 || r.Log.Kept != 1 || r.Log.Point.Size == 0 {
		t.Errorf("%+v", r)
	}

	// A token of mit's that mit does not remember, as of a stolen key.
	nrel.must(nil, nrel.works.Journal.Append(t.Context(), journal.Event{Actor: "mit/eve", Act: "exchange", Subject: "person:mit/eve", Detail: json.RawMessage(`{"jti":"stolen"}`)}))
	r := reconcile()
	if r.Sound() || len(r.Found) != 1 || r.Found[0].What != "there" || r.Found[0].ID != "stolen" {
		t.Errorf("%+v", r)
	}

	c.eventually("nrel keeps checkpoints of mit", func() bool {
		all, err := mit.works.AuditPeers(t.Context(), mit.local, nil)
		mit.must(all, err)
		return len(all.Peers) == 1 && all.Peers[0].Passed && all.Peers[0].Held > 0
	})
	kept, err := nrel.works.AuditCheckpoints(t.Context(), nrel.local)
	if err != nil || len(kept.Nodes) != 1 || kept.Nodes[0].Node != "mit" || kept.Nodes[0].Standing != "" {
		t.Errorf("%+v %v", kept, err)
	}

	// A log that begins an epoch is followed into it.
	nrel.must(nil, nrel.works.Journal.NewEpoch(t.Context(), "a restore"))
	if r := reconcile(); r.Log.Point.Epoch != 2 || r.Log.Standing != "" {
		t.Errorf("%+v", r.Log)
	}
	c.line.cuts("nrel")
	if _, err := mit.works.Reconcile(t.Context(), mit.local, genesis.ReconcileRequest{Peer: "nrel"}, nil); genesis.KindOf(err) != genesis.Unavailable {
		t.Error(err)
	}
	c.line.breaks(nil)
	mit.must(nil, mit.works.Journal.Settle(t.Context()))
	page, err := mit.works.Audit(t.Context(), mit.local, genesis.AuditQuery{Act: "reconcile", Outcome: genesis.Refused, Since: time.Now().Add(-time.Hour)})
	if err != nil || len(page.Entries) != 1 || !strings.Contains(string(page.Entries[0].Detail), "no way from mit to nrel") {
		t.Errorf("%+v %v", page, err)
	}
}

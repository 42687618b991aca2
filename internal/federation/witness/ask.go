package witness

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal"
)

// AuditCheckpoints tells officers whose checkpoints this node keeps, by node.
func (w *Witness) AuditCheckpoints(ctx context.Context, who genesis.Principal) (*genesis.WitnessedList, error) {
	if err := w.MayLook(ctx, who); err != nil {
		return nil, err
	}
	all, err := w.Status(ctx)
	return &genesis.WitnessedList{Nodes: all}, err
}

// Status says whose checkpoints are kept, by node.
func (w *Witness) Status(ctx context.Context) ([]genesis.Witnessed, error) {
	all, err := list(ctx, w.DB.Read())
	if err != nil {
		return nil, err
	}
	for _, p := range w.all() {
		i := slices.IndexFunc(all, func(one genesis.Witnessed) bool { return one.Node == p.id })
		if i < 0 {
			i, all = len(all), append(all, genesis.Witnessed{Node: p.id})
		}
		if err := p.failed(); err != nil {
			all[i].Error = err.Error()
		}
	}
	slices.SortFunc(all, func(a, b genesis.Witnessed) int {
		if a.Node < b.Node {
			return -1
		}
		return 1
	})
	return all, nil
}

// AuditPeers asks all members which checkpoints they keep of this node's audit log, and
// holds the log against them.
func (w *Witness) AuditPeers(ctx context.Context, who genesis.Principal, p genesis.Progress) (*genesis.PeerWitnesses, error) {
	if err := w.MayLook(ctx, who); err != nil {
		return nil, err
	}
	if err := w.Journal.Settle(ctx); err != nil {
		return nil, err
	}
	peers := w.all()
	slices.SortFunc(peers, func(a, b *peer) int {
		if a.id < b.id {
			return -1
		}
		return 1
	})
	out := &genesis.PeerWitnesses{Peers: make([]genesis.PeerWitness, len(peers))}
	slots := make(chan struct{}, atOnce)
	var asked sync.WaitGroup
	for i, one := range peers {
		slots <- struct{}{}
		asked.Go(func() {
			defer func() { <-slots }()
			out.Peers[i] = w.askPeer(ctx, one)
			p.Send(genesis.Event{Stage: "asking members", Unit: "members", Total: int64(len(peers))})
		})
	}
	asked.Wait()
	e := w.event(who, "reconcile", "node office")
	var err error
	if e.Detail, err = json.Marshal(map[string]any{"peers": len(peers), "wrong": wrongAt(out.Peers)}); err != nil {
		return nil, err
	}
	return out, w.Journal.Append(ctx, e)
}

// wrongAt are the peers whose checkpoints contradict the log.
func wrongAt(all []genesis.PeerWitness) []genesis.NodeID {
	ids := []genesis.NodeID{}
	for _, p := range all {
		if len(p.Wrong) > 0 && len(ids) < 100 {
			ids = append(ids, p.Node)
		}
	}
	return ids
}

// mostLines bounds what is said of one peer: the first lines tell enough.
const mostLines = 10

// askPeer holds the log against what one member keeps of it.
func (w *Witness) askPeer(ctx context.Context, p *peer) genesis.PeerWitness {
	out := genesis.PeerWitness{Node: p.id}
	p.turn.Lock()
	b, err := w.get(ctx, p, "/audit/kept", maxKept)
	p.turn.Unlock()
	var all []genesis.KeptCheckpoint
	if err == nil {
		all, err = parseKept(b)
	}
	for _, k := range all {
		if err == nil {
			err = w.weigh(&out, k)
		}
	}
	if err != nil {
		out.Error = err.Error()
	}
	out.Passed = err == nil && len(out.Wrong) == 0
	return out
}

// weigh holds the log against one checkpoint.
func (w *Witness) weigh(out *genesis.PeerWitness, k genesis.KeptCheckpoint) error {
	point, verdict, why, err := w.Journal.Compare(k.Checkpoint)
	if err != nil {
		return err
	}
	add := func(lines *[]string) {
		if len(*lines) < mostLines {
			*lines = append(*lines, why)
		}
	}
	if verdict == journal.Unsigned {
		add(&out.Odd)
		return nil
	}
	out.Kept++
	if out.First.IsZero() || k.At.Before(out.First) {
		out.First = k.At
	}
	if point.Epoch > out.Newest.Epoch || point.Epoch == out.Newest.Epoch && point.Size > out.Newest.Size {
		out.Newest = point
	}
	switch verdict {
	case journal.Held:
		out.Held++
	case journal.Lost:
		add(&out.Lost)
	default:
		add(&out.Wrong)
	}
	return nil
}

func parseKept(b []byte) ([]genesis.KeptCheckpoint, error) {
	var l genesis.KeptList
	if err := json.Unmarshal(b, &l); err != nil || len(l.Kept) > genesis.MaxKept {
		return nil, &genesis.Error{Op: "ask node", Kind: genesis.Invalid, Subject: "/audit/kept", Msg: fmt.Sprintf("the answer is no list of at most %d checkpoints", genesis.MaxKept), Err: err}
	}
	return l.Kept, nil
}

package witness

import (
	"crypto/ed25519"
	"fmt"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal"
	"github.com/opengenesis/genesis/internal/journal/tile"
	"golang.org/x/mod/sumdb/tlog"
)

// maxSize is more entries than any log has.
const maxSize = 1 << 40

// state is a state of an audit log that its node signed, or that follows from one.
type state struct {
	epoch int // 0: none
	tree  tlog.Tree
	note  []byte
}

func (s state) point() genesis.AuditPoint {
	return genesis.AuditPoint{Epoch: s.epoch, Size: s.tree.N, Root: s.tree.Hash.String()}
}

// fault is why an answer is not taken as what the log grew to.
type fault struct {
	standing genesis.WitnessStanding
	reason   string
	note     []byte // the checkpoint in it; nil: none
}

func (f *fault) Error() string { return f.reason }

// outcome is what an answer proves.
type outcome struct {
	state
	// ended is how the epoch that was known ended, where that is before the state that was
	// known: what lies between was lost by a restore, and the log declares it.
	ended *tlog.Tree
}

// prove checks that the log of a node grew from a known state to that of an answer. Errors:
// *fault; Unsupported (an entry of a newer format).
func prove(node genesis.NodeID, keys []ed25519.PublicKey, known state, a *genesis.AuditState) (outcome, error) {
	latest, err := signed(node, keys, a.Checkpoint)
	if err != nil || known.epoch == 0 {
		return outcome{state: latest}, err
	}
	refused := func(standing genesis.WitnessStanding, reason string) (outcome, error) {
		return outcome{}, &fault{standing, reason, a.Checkpoint}
	}
	switch {
	case latest.epoch < known.epoch:
		return refused(genesis.WitnessBehind, fmt.Sprintf("it answers with epoch %d, and was in epoch %d", latest.epoch, known.epoch))
	case latest.epoch != known.epoch+len(a.Begun):
		return refused(genesis.WitnessRefused, fmt.Sprintf("it does not show how the epochs between %d and %d began", known.epoch, latest.epoch))
	}
	end, err := endOf(node, known.epoch, latest, a)
	if err != nil {
		return outcome{}, err
	}
	switch {
	case end.N == known.tree.N && end.Hash != known.tree.Hash:
		return refused(genesis.WitnessForked, fmt.Sprintf("it has another root hash at the same size of %d", end.N))
	case end.N < known.tree.N && latest.epoch == known.epoch:
		return refused(genesis.WitnessBehind, fmt.Sprintf("it answers with its state of %d entries, and had %d", end.N, known.tree.N))
	case end.N < known.tree.N:
		return outcome{state: latest, ended: &end}, nil
	case end.N > known.tree.N && known.tree.N > 0:
		p, ok := hashes(a.Proof)
		if ok && tlog.CheckTree(p, end.N, end.Hash, known.tree.N, known.tree.Hash) == nil {
			break
		}
		if ok && len(a.Root) == tlog.HashSize && tlog.CheckTree(p, end.N, end.Hash, known.tree.N, tlog.Hash(a.Root)) == nil {
			// What was signed now begins with another state than what was signed then.
			return refused(genesis.WitnessForked, fmt.Sprintf("the first %d entries of its state of %d are others than they were", known.tree.N, end.N))
		}
		return refused(genesis.WitnessRefused, fmt.Sprintf("it does not prove that its state of %d entries grew from that of %d", end.N, known.tree.N))
	}
	return outcome{state: latest}, nil
}

// signed reads the checkpoint of a node's audit log, of whatever epoch.
func signed(node genesis.NodeID, keys []ed25519.PublicKey, note []byte) (state, error) {
	origin, _, _ := strings.Cut(string(note[:min(len(note), 1024)]), "\n")
	epoch, ok := genesis.AuditEpoch(node, origin)
	if !ok {
		return state{}, &fault{genesis.WitnessRefused, fmt.Sprintf("what it answers is no checkpoint of the audit log of %s", node), nil}
	}
	c, err := tile.OpenCheckpoint(note, origin, keys)
	if err == nil && c.Size > maxSize {
		err = fmt.Errorf("the log is longer than any can be")
	}
	if err != nil {
		return state{}, &fault{genesis.WitnessRefused, "its checkpoint does not hold: " + said(err), note}
	}
	return state{epoch, tlog.Tree{N: c.Size, Hash: c.Root}, note}, nil
}

// endOf finds the state in which an epoch ended, or is: the signature covers how the last
// one is, and the first entry of each how the one before ended.
func endOf(node genesis.NodeID, epoch int, latest state, a *genesis.AuditState) (tlog.Tree, error) {
	tree := latest.tree
	for e := latest.epoch; e > epoch; e-- {
		one := a.Begun[e-epoch-1]
		bad := &fault{genesis.WitnessRefused, fmt.Sprintf("what it shows as the first entry of epoch %d is not", e), a.Checkpoint}
		p, ok := hashes(one.Proof)
		if !ok || tree.N < 1 || tlog.CheckRecord(p, tree.N, tree.Hash, 0, tlog.RecordHash(one.Entry)) != nil {
			return tree, bad
		}
		d, err := journal.ReadEpoch(one.Entry)
		switch {
		case genesis.KindOf(err) == genesis.Unsupported:
			return tree, err
		case err != nil || d == nil:
			return tree, bad
		case d.Origin != genesis.AuditOrigin(node, e-1) || d.Size > maxSize:
			return tree, &fault{genesis.WitnessForked, fmt.Sprintf("its epoch %d says that the log before was %.100q", e, d.Origin), a.Checkpoint}
		}
		tree = tlog.Tree{N: d.Size, Hash: d.Root}
	}
	return tree, nil
}

// hashes reads the hashes of a proof.
func hashes(all [][]byte) ([]tlog.Hash, bool) {
	if len(all) > 64 {
		return nil, false
	}
	out := make([]tlog.Hash, len(all))
	for i, b := range all {
		if len(b) != tlog.HashSize {
			return nil, false
		}
		out[i] = tlog.Hash(b)
	}
	return out, true
}

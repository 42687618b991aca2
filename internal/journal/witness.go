package journal

import (
	"fmt"
	"strings"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/journal/tile"
	"golang.org/x/mod/sumdb/tlog"
)

// AuditState is the state of the audit log with the proof that it grew from its state of
// size entries in an epoch; epoch 0 is none. No entry is in it but the first ones of
// epochs. Errors: NotFound (there is no such epoch), Unsupported (too many began since).
func (j *Journal) AuditState(epoch int, size int64) (*genesis.AuditState, error) {
	all := j.audit.all()
	out := &genesis.AuditState{}
	var trees []tlog.Tree
	for i, e := range all {
		n := e.log.Size()
		root := e.log.Root()
		if i == len(all)-1 { // which grows meanwhile: the checkpoint is what is proved
			out.Checkpoint = e.log.Checkpoint()
			c, err := j.ownCheckpoint(out.Checkpoint)
			if err != nil {
				return nil, err
			}
			n, root = c.Size, c.Root
		}
		trees = append(trees, tlog.Tree{N: n, Hash: root})
	}
	if epoch == 0 {
		return out, nil
	}
	at := epoch - 1
	switch {
	case epoch < 0 || at >= len(all):
		return nil, &genesis.Error{Op: "read log", Kind: genesis.NotFound, Subject: j.audit.origin(epoch), Msg: "the log has no such epoch"}
	case len(all)-epoch > genesis.MaxEpochs:
		return nil, &genesis.Error{Op: "read log", Kind: genesis.Unsupported, Subject: j.audit.origin(epoch), Msg: "more epochs began since than are shown", Hint: "ask without an epoch, and begin anew"}
	}
	if size > 0 && size < trees[at].N {
		p, err := tlog.ProveTree(trees[at].N, size, all[at].log)
		if err != nil {
			return nil, err
		}
		root, err := tlog.TreeHash(size, all[at].log)
		if err != nil {
			return nil, err
		}
		out.Proof, out.Root = hashes(p), root[:]
	}
	for i := epoch; i < len(all); i++ {
		one, err := begun(all[i], trees[i])
		if err != nil {
			return nil, err
		}
		out.Begun = append(out.Begun, one)
	}
	return out, nil
}

// begun shows the first entry of an epoch.
func begun(e epoch, t tlog.Tree) (genesis.EpochBegun, error) {
	all, err := e.log.Entries(0)
	if err != nil {
		return genesis.EpochBegun{}, err
	}
	p, err := tlog.ProveRecord(t.N, 0, e.log)
	return genesis.EpochBegun{Entry: all[0], Proof: hashes(p)}, err
}

func hashes[P ~[]tlog.Hash](p P) [][]byte {
	out := make([][]byte, len(p))
	for i := range p {
		out[i] = p[i][:]
	}
	return out
}

// ownCheckpoint reads a checkpoint that this node's key signed under the origin in it.
func (j *Journal) ownCheckpoint(msg []byte) (tile.Checkpoint, error) {
	origin, _, _ := strings.Cut(string(msg), "\n")
	_, v, err := j.key.pair(origin)
	if err != nil {
		return tile.Checkpoint{}, err
	}
	c, err := tile.ReadCheckpoint(msg, v)
	if err == nil && c.Origin != origin {
		err = &genesis.Error{Op: "read checkpoint", Kind: genesis.Invalid, Msg: "it is of another log than its first line says"}
	}
	return c, err
}

// Verdict is what the audit log says of a checkpoint that somebody keeps of it.
type Verdict string

const (
	Held      Verdict = ""          // the log had, and has, that state
	Lost      Verdict = "lost"      // the epoch ended before it, as the next declares: a restore
	Rewritten Verdict = "rewritten" // it was signed, and the log has another state, or is shorter
	Unsigned  Verdict = "unsigned"  // this log's key did not sign it
)

// Compare holds the log against a checkpoint of it that somebody else keeps, as they show
// it. It says why, where the log does not have that state. Errors: Internal (damage).
func (j *Journal) Compare(msg []byte) (p genesis.AuditPoint, v Verdict, why string, err error) {
	c, err := j.ownCheckpoint(msg)
	if err != nil {
		return p, Unsigned, "it is not signed by the key of this log", nil
	}
	all := j.audit.all()
	for i, e := range all {
		if e.log.Origin() != c.Origin {
			continue
		}
		p = genesis.AuditPoint{Epoch: e.number, Size: c.Size, Root: c.Root.String()}
		if size := e.log.Size(); c.Size > size {
			if i < len(all)-1 {
				return p, Lost, fmt.Sprintf("%s had %d entries when it was taken, and ended with %d, as epoch %d declares", c.Origin, c.Size, size, all[i+1].number), nil
			}
			return p, Rewritten, fmt.Sprintf("%s had %d entries when it was signed, and has %d now", c.Origin, c.Size, size), nil
		}
		root, err := tlog.TreeHash(c.Size, e.log)
		if err == nil && root != c.Root {
			return p, Rewritten, fmt.Sprintf("the first %d entries of %s are others than when it was signed", c.Size, c.Origin), nil
		}
		return p, Held, "", err
	}
	return p, Rewritten, fmt.Sprintf("it was signed for %s, which this journal does not have", c.Origin), nil
}

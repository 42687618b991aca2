package mirror

import (
	"context"
	"crypto/ed25519"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/opengenesis/genesis"
	"golang.org/x/mod/sumdb/tlog"
)

// parted is errContradicts with the proof: what the root hash of the larger tree was at
// the size of the smaller one.
type parted struct {
	prefix tlog.Hash
	proof  tlog.TreeProof
}

func (p *parted) Error() string        { return errContradicts.Error() }
func (p *parted) Is(target error) bool { return target == errContradicts }

// Bounds of evidence that others show.
const (
	mostShown  = 10  // of one log by one member
	mostHashes = 128 // of a proof: twice the height of the largest tree
	mostReason = 500
)

// wrongEvidence is the error of evidence that shows nothing.
func wrongEvidence(e genesis.LogEvidence, msg string) error {
	return &genesis.Error{Op: "check evidence", Kind: genesis.Invalid, Subject: fmt.Sprintf("%.64s", e.Node), Msg: msg}
}

// contradicts reports why evidence does not show that a member's log contradicts itself,
// or nil. Errors: Invalid.
func contradicts(e genesis.LogEvidence, m genesis.Member, at time.Time) error {
	if e.Class != genesis.ClassPublic && e.Class != genesis.ClassMembers {
		return wrongEvidence(e, "it is about a log that not every member may know of")
	}
	var keys []ed25519.PublicKey
	for _, k := range m.CurrentKeys(genesis.KeyLog, at) {
		keys = append(keys, k.Public)
	}
	if len(e.First) > maxNote || len(e.Second) > maxNote || len(e.Proof) > mostHashes {
		return wrongEvidence(e, "it is too long")
	}
	origin, ok := originOf(e, m.ID)
	if !ok {
		return wrongEvidence(e, "its checkpoints are not of one epoch of the log that it is about")
	}
	first, err := openHead(e.First, origin, keys)
	if err != nil {
		return err
	}
	second, err := openHead(e.Second, origin, keys)
	if err != nil {
		return err
	}
	small, large := first.tree, second.tree
	if small.N > large.N {
		small, large = large, small
	}
	if small.N == large.N && small.Hash != large.Hash || small.N < large.N && parts(e, small, large) {
		return nil
	}
	return wrongEvidence(e, "its checkpoints do not contradict each other")
}

// originOf is the origin that both checkpoints name.
func originOf(e genesis.LogEvidence, node genesis.NodeID) (string, bool) {
	first, _, _ := strings.Cut(string(e.First), "\n")
	second, _, _ := strings.Cut(string(e.Second), "\n")
	number, ok := strings.CutPrefix(first, fmt.Sprintf("%s/catalog-%s/", node, e.Class))
	n, err := strconv.Atoi(number)
	return first, ok && err == nil && n >= 1 && n <= maxEpochs && strconv.Itoa(n) == number && first == second
}

// parts reports whether the larger tree began with another than the smaller one.
func parts(e genesis.LogEvidence, small, large tlog.Tree) bool {
	if small.N == 0 || len(e.Prefix) != tlog.HashSize {
		return false
	}
	var p tlog.TreeProof
	for _, h := range e.Proof {
		if len(h) != tlog.HashSize {
			return false
		}
		p = append(p, tlog.Hash(h))
	}
	prefix := tlog.Hash(e.Prefix)
	return prefix != small.Hash && tlog.CheckTree(p, large.N, large.Hash, small.N, prefix) == nil
}

// Hear keeps, in a transaction, evidence about a member that another one shows, if it
// shows anything. Errors: Invalid (it does not).
func (m *Mirror) Hear(ctx context.Context, tx *sql.Tx, by genesis.NodeID, about genesis.Member, e genesis.LogEvidence) error {
	if err := contradicts(e, about, m.cfg.Now()); err != nil {
		return err
	}
	reason := strings.ToValidUTF8(e.Reason, "?")
	if len(reason) > mostReason {
		reason = strings.ToValidUTF8(reason[:mostReason], "")
	}
	kept, err := Evidence{Node: about.ID, Class: e.Class, At: m.cfg.Now(), Reason: reason, Ours: e.First, Theirs: e.Second, By: by}.insert(ctx, tx, mostShown)
	if err != nil || !kept {
		return err
	}
	origin, _ := originOf(e, about.ID)
	m.cfg.Log.Error("a member shows that a node's log contradicts itself", "log", origin, "by", by)
	return m.record(ctx, tx, origin, map[string]string{"standing": string(Forked), "reason": reason, "ours": short(e.First), "theirs": short(e.Second), "by": string(by)})
}

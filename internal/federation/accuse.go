package federation

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"time"

	"github.com/opengenesis/genesis"
)

// kindEvidence is the kind of messages that show that a node's log contradicts itself.
const kindEvidence = "evidence"

// Accuse has all other members told of evidence, in the transaction that keeps it, except
// for the node that it is about.
func (f *Federation) Accuse(ctx context.Context, tx *sql.Tx, e genesis.LogEvidence) error {
	for _, m := range f.Members() {
		if m.ID == f.Self.ID || m.ID == e.Node || f.post == nil {
			continue
		}
		if _, err := f.post.Put(ctx, tx, m.ID, kindEvidence, string(e.Node), e); genesis.KindOf(err) == genesis.Unavailable {
			f.Log.Warn("a member is not told that a node's log contradicts itself", "member", m.ID, "node", e.Node, "error", err)
		} else if err != nil {
			return err
		}
	}
	return nil
}

// HearEvidence acts upon a message of that kind. Errors: Invalid (it shows nothing), NotFound
// (about whom is no member here, or not any more: then it is of no use, and to have it sent
// again would hold up what comes after it).
func (f *Federation) HearEvidence(ctx context.Context, tx *sql.Tx, m genesis.PeerMessage) error {
	d := json.NewDecoder(bytes.NewReader(m.Body))
	d.DisallowUnknownFields()
	var e genesis.LogEvidence
	if err := d.Decode(&e); err != nil || string(e.Node) != m.About {
		return refusal("take message", genesis.Invalid, m.Kind, "its body is not evidence about the node that it names", "")
	}
	about, ok := f.Member(e.Node)
	if !ok || f.mirror == nil {
		return refusal("take message", genesis.NotFound, string(e.Node), "is no member of the federation as far as is known here", "")
	}
	return f.mirror.Hear(ctx, tx, m.From, about, e)
}

// forks are what there is evidence of, newest first.
func (f *Federation) forks(ctx context.Context) ([]genesis.Fork, error) {
	all, err := f.mirror.Evidence(ctx)
	if err != nil {
		return nil, err
	}
	told := make([]genesis.Fork, 0, min(len(all), mostForks))
	for i := len(all) - 1; i >= 0 && len(told) < mostForks; i-- {
		e := all[i]
		told = append(told, genesis.Fork{Node: e.Node, Class: e.Class, At: e.At.UTC().Truncate(time.Second), Reason: e.Reason, By: e.By})
	}
	return told, nil
}

// mostForks bounds how much evidence is shown at once; the journal has all of it.
const mostForks = 100

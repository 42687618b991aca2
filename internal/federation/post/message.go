package post

import (
	"fmt"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/federation/jws"
)

// Format is the format number of messages and receipts.
const Format = genesis.PeerMessageFormat

// Bounds of what comes from others.
const (
	MaxBytes = genesis.MaxPeerMessage // of a signed message
	maxText  = 256                    // of ids, kinds and what a message is about
)

// Ages of messages.
const (
	lasts    = 30 * 24 * time.Hour // for which a message is tried
	oldest   = 60 * 24 * time.Hour // beyond which none is taken: ids are kept longer
	kept     = 90 * 24 * time.Hour // for which ids of what was taken are kept
	mostSkew = 26 * time.Hour      // by which another node's clock may be ahead
)

// Types of what is signed.
const (
	typeMessage = "genesis-message+jws"
	typeReceipt = "genesis-receipt+jws"
)

// Message and Receipt are what goes from node to node.
type (
	Message = genesis.PeerMessage
	Receipt = genesis.PeerReceipt
)

// bad is the error of a message that cannot be one.
func bad(msg string) error {
	return &genesis.Error{Op: "take message", Kind: genesis.Invalid, Msg: msg}
}

// parse reads a signed text of a type. Nothing in it is true before verify.
func parse(typ string, text []byte) (jws.Message, error) {
	if len(text) > MaxBytes {
		return jws.Message{}, bad(fmt.Sprintf("it is longer than %d bytes", MaxBytes))
	}
	return jws.Read(typ, string(text))
}

// verify checks a signature against a member's message keys.
func verify(s jws.Message, m genesis.Member, at time.Time) error {
	key, ok := m.Key(genesis.KeyMessage, s.KeyID, at)
	if !ok {
		return &genesis.Error{Op: "take message", Kind: genesis.Unavailable, Subject: string(m.ID),
			Msg: fmt.Sprintf("%.40q is not a key with which %s signs messages now", s.KeyID, m.ID)}
	}
	if !s.Check(key) {
		return &genesis.Error{Op: "take message", Kind: genesis.Permission, Subject: string(m.ID), Msg: "the signature does not hold"}
	}
	return nil
}

// check says what is wrong with a message that was read, as one for a node.
func check(m *Message, to genesis.NodeID, now time.Time) error {
	switch {
	case m.Format > Format:
		return &genesis.Error{Op: "take message", Kind: genesis.Unsupported, Msg: fmt.Sprintf("it is of format %d, and this node reads %d", m.Format, Format)}
	case m.Format != Format:
		return bad("it has no format")
	case m.ID == "" || len(m.ID) > maxText || m.Kind == "" || len(m.Kind) > maxText || len(m.About) > maxText:
		return bad("its id, kind or what it is about is missing or too long")
	case m.To != to:
		return bad(fmt.Sprintf("it is for %.80q", m.To))
	case m.At.After(now.Add(mostSkew)):
		return bad(fmt.Sprintf("it is of %s, and here it is %s: one of the clocks is wrong", m.At.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339)))
	case m.At.Before(now.Add(-oldest)):
		return bad(fmt.Sprintf("it is of %s, which is too long ago", m.At.UTC().Format(time.RFC3339)))
	}
	return nil
}

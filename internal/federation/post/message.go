package post

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/opengenesis/genesis"
	"github.com/opengenesis/genesis/internal/federation/jws"
)

// Format is the format in which messages are kept.
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

// inFormat is the payload of a message in a format. Formats differ in nothing but their
// number until there is one that does: this is the place that then knows how.
func inFormat(payload []byte, from, to int) ([]byte, error) {
	if from == to {
		return payload, nil
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(payload, &members); err != nil {
		return nil, bad("its payload is not a message")
	}
	members["format"] = strconv.AppendInt(nil, int64(to), 10)
	return genesis.CanonicalJSON(members)
}

// digestOf is the digest of a message: that of its payload in the format in which messages
// are kept. So the logs of both ends have the same, and a message that comes again in
// another format, because one of the nodes was updated meanwhile, is known again.
func digestOf(payload []byte, format int) (genesis.Digest, error) {
	kept, err := inFormat(payload, format, Format)
	if err != nil {
		return "", bad("its payload cannot be written in format " + strconv.Itoa(Format))
	}
	return genesis.DigestOf(kept), nil
}

// check says what is wrong with a message that was read, as one for a node that reads
// messages of some formats.
func check(m *Message, to genesis.NodeID, formats []int, now time.Time) error {
	switch {
	case m.Format <= 0:
		return bad("it has no format")
	case !slices.Contains(formats, m.Format):
		return &genesis.Error{Op: "take message", Kind: genesis.Unsupported, Msg: fmt.Sprintf("it is of format %d, and this node reads %v", m.Format, formats)}
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
